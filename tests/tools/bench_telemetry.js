/**
 * Measures what metrics and the log cost a cached answer: the CPU time of the server per hit, at full
 * load; called by script/bench.
 *
 * The program as it is is compared with one whose counting does nothing (tests/tools/uncounted.c), each
 * with the log at several settings. Rounds are interleaved, each begins with another server, and
 * differences are taken within a round. The log goes into a pipe that is read.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { ROOT, startServer } = require('../http/lib');
const { CONNECTIONS, fullLoad, shareProcessors } = require('./load');
const { addJson, differenceOf, importFile, inRounds, options, printTable, runAll, runMain, timesOf } = require('./measure');

const KEV = path.join(ROOT, 'tests/data/kev.csv');
const UNCOUNTED = path.join(path.dirname(path.resolve(process.env.OPENRISK_BINARY)), 'tests/uncounted');
const ROUTE = '/api/v1/risks?limit=5';
const PORT = /:(\d+)$/;

/** Nothing expires while we measure. */
const ENVIRONMENT = { HTTP_LOOPS: '1', CACHE_TTL_RISKS: '600s' };

const SERVERS = [
    { name: 'neither', program: UNCOUNTED, env: { LOG_LEVEL: 'error' } },
    { name: 'metrics', env: { LOG_LEVEL: 'error' } },
    { name: 'metrics, 1 hit of 100', env: { LOG_HIT_SAMPLE: '100' } },
    { name: 'metrics, each hit', env: { LOG_HIT_SAMPLE: '1' } },
    { name: 'the same as JSON', env: { LOG_HIT_SAMPLE: '1', LOG_FORMAT: 'json' } },
];

async function start(cleanUps, { name, program, env }) {
    const server = await startServer({ after: (cleanUp) => cleanUps.push(cleanUp) }, { env: { ...ENVIRONMENT, ...env }, program });
    await server.stop();
    await importFile(server, KEV);
    await server.start();
    const client = await server.signIn();
    for (const wanted of ['MISS', 'HIT']) {
        const { headers } = await client.expect(200, 'GET', ROUTE.replace('/api/v1', ''));
        if (headers['x-cache'] !== wanted) {
            throw new Error(`${name}: X-Cache is ${headers['x-cache']}, not ${wanted}`);
        }
    }
    return { name, pid: server.pid, port: Number(PORT.exec(server.url)[1]), token: client.token, server };
}

async function main() {
    const chosen = options(process.argv.slice(2), { rounds: 7, seconds: 3, json: undefined });
    const processor = shareProcessors();
    const cleanUps = [];
    let found;
    let servers;
    try {
        servers = [];
        for (const one of SERVERS) {
            servers.push(await start(cleanUps, one));
        }
        found = await inRounds(chosen.rounds, servers, async (one) => {
            one.server.run.stderr = ''; // a line of each hit is much to keep
            return fullLoad(processor, one, ROUTE, one.token, chosen.seconds);
        });
    } finally {
        await runAll(cleanUps);
    }
    const [neither] = servers.map((one) => found.get(one));
    console.log(`Hits of ${ROUTE}, ${CONNECTIONS} connections, medians of ${chosen.rounds} rounds of ${chosen.seconds} s; CPU in µs per hit, differences within a round`);
    printTable(
        ['', 'requests/s', 'of neither', 'p99 ms', 'user', 'more user', 'CPU', 'more CPU'],
        servers.map((one) => {
            const figures = found.get(one);
            return [
                one.name, figures.rate.toFixed(0), timesOf(figures, neither, 'rate').toFixed(2), figures.p99.toFixed(2),
                figures.user.toFixed(2), differenceOf(figures, neither, 'user').toFixed(2),
                figures.cpu.toFixed(2), differenceOf(figures, neither, 'cpu').toFixed(2),
            ];
        }),
    );
    if (chosen.json !== undefined) {
        addJson(chosen.json, servers.flatMap((one) => ['rate', 'user', 'cpu', 'p99'].map((key) => (
            { name: `telemetry, ${one.name}: ${key}`, median: found.get(one)[key], ok: true }))));
    }
}

if (!fs.existsSync(UNCOUNTED)) {
    throw new Error(`${UNCOUNTED} is not built`);
}
runMain(main);
