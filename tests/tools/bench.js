/**
 * Measures the promised times and sizes against a real server; called by script/bench.
 *
 * One client, one kept-alive connection, one request at a time; the kinds of request take turns, so
 * that a disturbance of the machine meets all of them. The times are the client's: they include the
 * loopback and node itself, which `health` shows. The limits hold for the medians.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { cli, temporaryFolder } = require('../http/lib');
const { KEV, writeKev } = require('./generate-kev');
const { kinds } = require('./kinds');
const { addJson, options, quantile, residentMb, serverWith } = require('./measure');

async function measure(client, all, count) {
    const warmUp = Math.ceil(count / 10);
    for (let i = -warmUp; i < count; i++) {
        for (const kind of all) {
            const route = kind.route();
            const began = process.hrtime.bigint();
            const reply = await client.get(route);
            const ms = Number(process.hrtime.bigint() - began) / 1e6;
            if (reply.status !== 200) {
                throw new Error(`GET ${route}: ${reply.status} ${reply.body}`);
            }
            if (i >= 0) {
                kind.ms.push(ms);
            }
        }
    }
}

/** These are the times of answers that are made, not kept: see bench_cache.js for the others. */
const UNCACHED = { CACHE_ENABLED: 'false' };

/** Each into a new database: one alone says more about the machine's other work than about ours. */
const IMPORTS = 5;

function print(rows) {
    const cell = (value) => (value === undefined ? '' : value.toFixed(2)).padStart(9);
    console.log(`${''.padEnd(32)}${['median', 'p95', 'p99', 'limit'].map((title) => title.padStart(9)).join('')}`);
    for (const { name, unit, median, p95, p99, limit, ok } of rows) {
        const verdict = limit === undefined ? '' : ok ? 'ok' : 'TOO MUCH';
        console.log(`${`${name}, ${unit}`.padEnd(32)}${cell(median)}${cell(p95)}${cell(p99)}${cell(limit)}  ${verdict}`);
    }
}

async function main() {
    const { rows, requests, json } = options(process.argv.slice(2), { rows: 100000, requests: 500, json: undefined });
    const cleanUps = [];
    const folder = temporaryFolder();
    cleanUps.push(() => fs.rmSync(folder, { recursive: true }));
    const results = [];
    const add = (name, unit, limit, values) => {
        const sorted = [...values].sort((a, b) => a - b);
        const median = quantile(sorted, 0.5);
        const many = sorted.length > 20;
        results.push({
            name, unit, limit, median,
            p95: many ? quantile(sorted, 0.95) : undefined,
            p99: many ? quantile(sorted, 0.99) : undefined,
            ok: limit === undefined || median <= limit,
        });
    };
    try {
        const file = path.join(folder, 'kev.csv');
        writeKev(file, rows);
        const { server, seconds } = await serverWith(cleanUps, file, UNCACHED);
        await server.stop();
        const imports = [seconds];
        for (let i = 1; i < IMPORTS; i++) {
            const other = await serverWith(cleanUps, file, UNCACHED);
            await other.server.stop();
            imports.push(other.seconds);
        }
        await server.start();
        const starts = [];
        for (let i = 0; i < 7; i++) {
            await server.stop();
            await server.start();
            starts.push(server.readyMs);
        }
        const all = kinds(rows);
        await measure(await server.signIn(), all, requests);
        for (const kind of all) {
            add(kind.name, 'ms', kind.limit, kind.ms);
        }
        add('start until ready', 'ms', 100, starts);
        add(`import of ${rows} rows`, 's', 10 * Math.max(1, rows / 100000), imports);
        add(`memory with ${rows} rows`, 'MB', undefined, [residentMb(server.pid)]);
        await server.stop();

        const small = (await serverWith(cleanUps, KEV, UNCACHED)).server;
        await measure(await small.signIn(), kinds(1404), 12);
        add('memory with the KEV catalogue', 'MB', 30, [residentMb(small.pid)]);
        await small.stop();
    } finally {
        for (const cleanUp of cleanUps) {
            await cleanUp();
        }
    }
    const { stdout } = await cli(['version']);
    console.log(`${stdout.trim()}; ${requests} requests of each kind, one connection, nothing cached`);
    print(results);
    if (json !== undefined) {
        addJson(json, results);
    }
    process.exitCode = results.every((result) => result.ok) ? 0 : 1;
}

main().catch((error) => {
    console.error(error);
    process.exitCode = 1;
});
