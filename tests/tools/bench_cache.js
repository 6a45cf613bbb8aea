/**
 * Measures cached answers, side by side with nginx, Varnish, a bare libmicrohttpd server and OpenRisk
 * without its cache; called by script/bench.
 *
 * All send the same body and headers, of about 4 kB and of about 32 kB, to the same authenticated
 * request. The servers have one processor, what asks them has another. Rounds are interleaved, each
 * begins with another server, and medians count, so that a disturbance of the machine meets
 * all of them. Full load is wrk's; where the servers are faster than wrk, their rates are equal
 * and the CPU time per request tells them apart. Latency is measured below full load too, at the
 * same fixed rate for all: see pace.c.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { cli, startServer, temporaryFolder } = require('../http/lib');
const { writeKev } = require('./generate-kev');
const { CONNECTIONS, PACE, fullLoad, shareProcessors, steadyLoad } = require('./load');
const { addJson, differenceOf, inRounds, options, printTable, residentMb, runAll, serverWith, timesOf } = require('./measure');
const { answerOf, startBare, startNginx, startVarnish } = require('./rivals');

const BARE = path.join(path.dirname(path.resolve(process.env.OPENRISK_BINARY)), 'tests/bare');

const RISKS = 2000;
const PAGES_TRIED = 50;
const BODY_BYTES = [4000, 32000];
const LOAD_SHARE = 0.7;

/** Nothing expires while we measure; and where nothing is cached, all connections may wait for the database. */
const ENVIRONMENT = {
    HTTP_LOOPS: '1',
    CACHE_TTL_RISKS: '600s',
    CACHE_TTL_STATS: '600s',
    DB_POOL_MAX_WAITING: String(2 * CONNECTIONS),
};

/** So much apart, two figures of one run are equal. */
const TIE = 0.1;

/** Answers may miss while the first of them is made, not later. */
const MISSES_MAX = 8;

const TARGET = { varnishTimes: 2, userUsOverBare: 2, memoryMb: 30 };
const MIB = 1024 * 1024;

function portOf(server) {
    return Number(new URL(server.url).port);
}

/**
 * The page of risks whose answer comes next to so many bytes and has no more: its route. Of few risks a
 * page has the right length only by chance, so many are tried.
 */
async function routeOfSize(client, bytes) {
    const limit = 50;
    const { body } = await client.expect(200, 'GET', `/risks?limit=${limit}`);
    const about = Math.round((bytes * limit) / Buffer.byteLength(body));
    let best = { size: 0 };
    for (const count of [about - 1, about, about + 1].filter((value) => value > 0)) {
        for (let page = 1; page <= PAGES_TRIED; page++) {
            const route = `/risks?limit=${count}&page=${page}`;
            const size = Buffer.byteLength((await client.expect(200, 'GET', route)).body);
            if (size <= bytes && size > best.size) {
                best = { size, route };
            }
        }
    }
    if (best.size < 0.9 * bytes) {
        throw new Error(`no page of risks has about ${bytes} bytes`);
    }
    return `/api/v1${best.route}`;
}

/** Two servers with the same risks and sessions, one of which does not cache; and clients of them. */
async function startOurs(cleanUps) {
    const folder = temporaryFolder();
    cleanUps.push(() => fs.rmSync(folder, { recursive: true, force: true }));
    const file = path.join(folder, 'kev.csv');
    writeKev(file, RISKS);
    const { server } = await serverWith(cleanUps, file, ENVIRONMENT);
    const client = await server.signIn();
    const copy = path.join(folder, 'copy.db');
    const { code, stderr } = await server.cli(['backup', copy]);
    if (code !== 0) {
        throw new Error(`backup: ${stderr}`);
    }
    const env = { ...ENVIRONMENT, DATABASE_URL: `sqlite:${copy}`, CACHE_ENABLED: 'false' };
    const uncached = await startServer({ after: (cleanUp) => cleanUps.push(cleanUp) }, { env });
    return { server, uncached, client, uncachedClient: uncached.client(client.token) };
}

/** The answer that everyone is to send: a hit, which it must be from the second time on. */
async function hitOf(port, route, token) {
    await answerOf(port, route, token);
    const answer = await answerOf(port, route, token);
    if (answer.status !== 200 || answer.header('x-cache') !== 'HIT') {
        throw new Error(`GET ${route} answers ${answer.status}, X-Cache: ${answer.header('x-cache')}; without hits there is nothing to measure`);
    }
    return answer;
}

/** Everyone who answers `route` with the same bytes. */
async function contenders(cleanUps, ours, route) {
    const { token } = ours.client;
    const answer = await hitOf(portOf(ours.server), route, token);
    const nginx = await startNginx(cleanUps, answer, route, token);
    const servers = [
        { name: 'OpenRisk', port: portOf(ours.server), pid: ours.server.pid, cached: true },
        nginx,
        await startVarnish(cleanUps, nginx, route, token),
        await startBare(cleanUps, BARE, answer),
        { name: 'OpenRisk, cache off', port: portOf(ours.uncached), pid: ours.uncached.pid },
    ];
    for (const server of servers) {
        const { status, body, size } = await answerOf(server.port, route, token);
        if (status !== 200 || !body.equals(answer.body)) {
            throw new Error(`${server.name} answers ${route} with ${status} and other bytes:\n${body.toString('utf8', 0, 500)}`);
        }
        server.bytes = size;
    }
    return servers;
}

/** Do something that makes requests, and be sure that all of them were hits. */
async function mustHit(client, work) {
    const counts = async () => (await client.expect(200, 'GET', '/cache')).json.responses;
    const before = await counts();
    const figures = await work();
    const after = await counts();
    const hits = after.hits - before.hits;
    const misses = after.misses - before.misses;
    if (!(hits >= figures.requests && misses <= MISSES_MAX)) {
        throw new Error(`${figures.requests} requests should have been hits; the cache counted ${hits} hits and ${misses} misses`);
    }
    return figures;
}

/** A p99 is the work of few moments in which the machine did something else: it takes more rounds to tell. */
function steadyRounds(rounds) {
    return 2 * rounds + 1;
}

/** Everything about answers of one size: {bytes, servers: [{name, bytes, full, steady}], rate}. */
async function measureSize(processor, ours, bytes, { rounds, seconds }) {
    const cleanUps = [];
    try {
        const { client } = ours;
        const route = await routeOfSize(ours.uncachedClient, bytes);
        const servers = await contenders(cleanUps, ours, route);
        const [cached, nginx, varnish] = servers;
        const checked = (measure) => (server) => (server.cached ? mustHit(client, () => measure(server)) : measure(server));
        const full = await inRounds(rounds, servers, checked((server) => fullLoad(processor, server, route, client.token, seconds)));
        const rate = Math.round(LOAD_SHARE * Math.min(full.get(cached).rate, full.get(nginx).rate));
        const able = [cached, nginx, ...(full.get(varnish).rate * (1 - TIE) > rate ? [varnish] : [])];
        const steady = await inRounds(steadyRounds(rounds), able, checked((server) =>
            steadyLoad(processor, PACE, server, route, client.token, rate, seconds),
        ));
        return {
            bytes, route, rate,
            servers: servers.map((server) => ({ ...server, full: full.get(server), steady: steady.get(server) })),
        };
    } finally {
        await runAll(cleanUps);
    }
}

/** A target: `measured` may be at most `limit`, or at least. Against a rival, a tie is a pass. */
function target(name, unit, measured, limit, { atLeast = false, rival = false } = {}) {
    const met = atLeast ? measured >= limit : measured <= limit;
    const tie = rival && Math.abs(measured - limit) < TIE * limit;
    const verdict = met ? 'ok' : tie ? 'tie' : atLeast ? 'TOO LITTLE' : 'TOO MUCH';
    return { name, unit, median: measured, limit, at_least: atLeast, verdict, ok: met || tie };
}

function targetsOf({ bytes, servers }) {
    const [ours, nginx, varnish, bare] = servers;
    const size = `${bytes / 1000} kB`;
    const { varnishTimes, userUsOverBare } = TARGET;
    return [
        target(`${size}: requests/s`, 'times nginx', timesOf(ours.full, nginx.full, 'rate'), 1, { atLeast: true, rival: true }),
        target(`${size}: CPU per request`, 'times nginx', timesOf(ours.full, nginx.full, 'cpu'), 1, { rival: true }),
        target(`${size}: requests/s`, 'times Varnish', timesOf(ours.full, varnish.full, 'rate'), varnishTimes, { atLeast: true }),
        target(`${size}: user CPU over libmicrohttpd's`, 'µs/request', differenceOf(ours.full, bare.full, 'user'), userUsOverBare),
        target(`${size}: p99 at ${100 * LOAD_SHARE} % load`, 'times nginx', timesOf(ours.steady, nginx.steady, 'p99'), 1, { rival: true }),
    ];
}

/** The figures of each server, as results without a limit, for --json. */
function figuresOf({ bytes, servers }) {
    const units = { rate: 'requests/s', p50: 'ms', p99: 'ms', cpu: 'µs/request', user: 'µs/request' };
    return servers.flatMap(({ name, full, steady = {} }) => {
        const result = (when, key, value) => ({ name: `${bytes / 1000} kB, ${name}, ${when}: ${key}`, unit: units[key], median: value, ok: true });
        return [
            ...Object.keys(units).map((key) => result('full load', key, full[key])),
            ...['p50', 'p99'].filter((key) => key in steady).map((key) => result('steady load', key, steady[key])),
        ];
    });
}

function printSize({ bytes, route, rate, servers }) {
    const nginxRate = servers[1].full.rate;
    console.log(`\nAbout ${bytes / 1000} kB: GET ${route}`);
    printTable(
        ['', 'requests/s', 'of nginx', 'p50 ms', 'p99 ms', 'CPU µs', 'user µs', 'bytes'],
        servers.map(({ name, full, bytes: sent }) => [
            name,
            full.rate.toFixed(0),
            (full.rate / nginxRate).toFixed(2),
            full.p50.toFixed(2),
            full.p99.toFixed(2),
            full.cpu.toFixed(1),
            full.user.toFixed(2),
            String(sent),
        ]),
    );
    console.log(`At ${rate} requests/s, and how much of the p99 is the generator's own:`);
    const steady = servers.filter((server) => server.steady);
    printTable(
        ['', 'p50 ms', 'p99 ms', 'own ms'],
        steady.map((server) => [server.name, ...['p50', 'p99', 'own'].map((key) => server.steady[key].toFixed(3))]),
    );
    if (steady.some((server) => server.steady.own > server.steady.p99 / 2)) {
        console.log('The generator was kept from its processor: these p99 say more about the machine than about the servers.');
    }
}

function printTargets(targets) {
    console.log('');
    const cell = (value) => (value >= 1000 ? value.toFixed(0) : value.toFixed(2)).padStart(10);
    for (const { name, unit, median, limit, at_least: atLeast, verdict } of targets) {
        console.log(`${`${name}, ${unit}`.padEnd(48)}${cell(median)}  ${atLeast ? '≥' : '≤'}${cell(limit)}  ${verdict}`);
    }
}

async function main() {
    const chosen = options(process.argv.slice(2), { rounds: 5, seconds: 3, json: undefined });
    const processor = shareProcessors();
    const cleanUps = [];
    const sizes = [];
    const targets = [];
    try {
        const ours = await startOurs(cleanUps);
        for (const bytes of BODY_BYTES) {
            sizes.push(await measureSize(processor, ours, bytes, chosen));
        }
        const budgetMb = (await ours.client.expect(200, 'GET', '/cache')).json.responses.max_bytes / MIB;
        targets.push(...sizes.flatMap(targetsOf));
        targets.push(target('memory after all this', 'MB', residentMb(ours.server.pid), TARGET.memoryMb + budgetMb));
    } finally {
        await runAll(cleanUps);
    }
    const { stdout } = await cli(['version']);
    console.log(`${stdout.trim()}; medians of ${chosen.rounds} rounds of ${chosen.seconds} s (at a fixed rate: ${steadyRounds(chosen.rounds)}), ${CONNECTIONS} connections`);
    sizes.forEach(printSize);
    printTargets(targets);
    if (chosen.json !== undefined) {
        addJson(chosen.json, [...sizes.flatMap(figuresOf), ...targets]);
    }
    process.exitCode = targets.every(({ ok }) => ok) ? 0 : 1;
}

// Whoever ends us ends what we have started: their `exit` handlers do it.
for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => process.exit(1));
}
main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
});
