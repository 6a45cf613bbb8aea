/**
 * Measures how the register grows: times, memory, size on the disk, import and start with a thousand risks and with up to
 * a million; called by script/bench.
 *
 * One client asks for all kinds of answers in turn, one after the other, on a kept-alive connection: first from a server
 * that caches nothing, then, the very same, from one that has answered all of it before, whose headers must say that it
 * had them. The client is tests/tools/pace.c on a processor of its own, so that it adds next to nothing.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { cli, startServer, temporaryFolder } = require('../http/lib');
const { writeKev } = require('./generate-kev');
const { furtherKinds, kinds } = require('./kinds');
const { PACE, onceLoad, pathsFile, shareProcessors } = require('./load');
const { addJson, importFile, medianOf, options, residentMb, runAll, runMain } = require('./measure');
const { faultOf, machineOf, writeSection } = require('./performance/page');
const { startPostgres } = require('./postgres');
const report = require('./scale/growth');

const PRODUCTION = { APP_ENV: 'production' };
const OFF = { CACHE_ENABLED: 'false' };
const STARTS = 5;
const LIMIT_SECONDS = 3600;
const MIB = 1024 * 1024;

/** So much of a kind must have come from the memory to be called cached. */
const PROOF = 0.99;
/** What is never cached: it shows what the way there and back takes. */
const NEVER_CACHED = ['health'];

const ENGINES = { sqlite: 'SQLite', postgres: 'PostgreSQL' };

/** A stopped server whose database holds `rows` risks and an asset: {server, asset, seconds}, the latter of the import. */
async function register(context, cleanUps, rows) {
    const { cluster } = context;
    const env = { ...PRODUCTION, ...OFF };
    if (cluster !== undefined) {
        env.DATABASE_URL = await cluster.createDatabase();
        cleanUps.push(() => cluster.dropDatabase(env.DATABASE_URL));
    }
    const server = await startServer({ after: (cleanUp) => cleanUps.push(cleanUp) }, { env, engine: 'sqlite' });
    const admin = await server.signIn();
    const asset = (await admin.expect(201, 'POST', '/assets', { name: 'The data centre', criticality: 'HIGH' })).json;
    await server.stop();
    const file = path.join(server.folder, 'kev.csv');
    writeKev(file, rows);
    const seconds = await importFile(server, file);
    fs.rmSync(file);
    if (cluster !== undefined) {
        await cluster.query(env.DATABASE_URL, 'VACUUM (ANALYZE)');
    }
    return { server, asset: asset.id, seconds };
}

async function databaseMb({ cluster }, url) {
    const bytes = cluster === undefined
        ? fs.statSync(url.slice('sqlite:'.length)).size
        : Number(await cluster.query(url, 'SELECT pg_database_size(current_database())'));
    return bytes / MIB;
}

/** Start a stopped server, as one that load.js can ask. */
async function startNode(server, name) {
    await server.start();
    const client = await server.signIn();
    return { name, token: client.token, port: Number(new URL(server.url).port), pid: server.pid };
}

/** What all kinds of requests take, in turn: a Map from each kind to its records. */
async function askAll(context, node, all, paths, count) {
    const records = await onceLoad(context.processor, PACE, node, paths, node.token, count * all.length, LIMIT_SECONDS);
    return new Map(all.map((kind, index) => [kind, records.filter(({ line }) => line % all.length === index)]));
}

const medians = (taken) => new Map([...taken].map(([kind, records]) => [kind.name, medianOf(records.map(({ ms }) => ms))]));

function mustBeCached(rows, taken) {
    for (const [kind, records] of taken) {
        const share = records.filter(({ level }) => level === 1).length / records.length;
        if (share < PROOF && !NEVER_CACHED.includes(kind.name)) {
            throw new Error(`${rows} risks: only ${(100 * share).toFixed(1)} % of "${kind.name}" came from the memory, so it cannot be called cached`);
        }
    }
}

/** All about one size: {uncached, cached: Maps by the names of kinds, memory, memoryCached, database, import, start}. */
async function measureSize(context, rows) {
    const cleanUps = [];
    try {
        const { server, asset, seconds } = await register(context, cleanUps, rows);
        const all = [...kinds(rows), ...furtherKinds(rows, asset)];
        const routes = Array.from({ length: context.requests }, () => all.map((kind) => kind.route())).flat();
        const paths = pathsFile(server.folder, 'all', routes);
        const few = Math.ceil(context.requests / 10);
        let node = await startNode(server, 'the server without a cache');
        await askAll(context, node, all, paths, few);
        const uncached = await askAll(context, node, all, paths, context.requests);
        const memory = residentMb(node.pid);
        await server.stop();
        const database = await databaseMb(context, server.env.DATABASE_URL);
        const starts = [];
        for (let i = 0; i < STARTS; i++) {
            await server.start();
            starts.push(server.readyMs);
            await server.stop();
        }
        delete server.env.CACHE_ENABLED;
        node = await startNode(server, 'the server with its cache');
        await askAll(context, node, all, paths, context.requests);
        const cached = await askAll(context, node, all, paths, context.requests);
        mustBeCached(rows, cached);
        const memoryCached = residentMb(node.pid);
        await server.stop();
        return { uncached: medians(uncached), cached: medians(cached), memory, memoryCached, database, import: seconds, start: medianOf(starts) };
    } finally {
        await runAll(cleanUps);
    }
}

/** [{group, name, unit, values}], with a value for each size. */
function rowsOf(taken) {
    const names = [...taken[0].uncached.keys()];
    const timesOf = (group, list) => list.map((name) => ({ group, name, unit: 'ms', values: taken.map((size) => size[group].get(name)) }));
    const whole = (name, unit, key) => ({ group: 'whole', name, unit, values: taken.map((size) => size[key]) });
    return [
        ...timesOf('uncached', names),
        ...timesOf('cached', names.filter((name) => !NEVER_CACHED.includes(name))),
        whole('memory without the cache', 'MB', 'memory'),
        whole('memory with all of it cached', 'MB', 'memoryCached'),
        whole('database', 'MB', 'database'),
        whole('import', 's', 'import'),
        whole('start until ready', 'ms', 'start'),
    ];
}

/** The options, or undefined after a line about what is wrong with them. */
function chosenOf(argv) {
    const chosen = options(argv, { sizes: '1000,10000,100000,1000000', requests: 200, engine: 'sqlite', markdown: undefined, json: undefined });
    const sizes = report.sizesOf(chosen.sizes);
    const fault = sizes === undefined ? `--sizes is numbers of risks with commas between, not '${chosen.sizes}'`
        : !(chosen.engine in ENGINES) ? `--engine is sqlite or postgres, not '${chosen.engine}'`
            : chosen.markdown === undefined ? undefined : faultOf(chosen.markdown, 'scale');
    if (fault !== undefined) {
        console.error(`script/bench: ${fault}`);
        return undefined;
    }
    return { ...chosen, sizes };
}

async function main() {
    const chosen = chosenOf(process.argv.slice(2));
    if (chosen === undefined) {
        process.exitCode = 2;
        return;
    }
    const { sizes, requests, engine } = chosen;
    const cleanUps = [];
    const context = { ...chosen, processor: shareProcessors() };
    const machine = await machineOf(engine === 'postgres' ? ['postgres'] : []);
    const { stdout } = await cli(['version']);
    console.log(`${stdout.trim()}; ${machine.processor}: one for the server, one for the client`);
    console.log(`${ENGINES[engine]}; medians of ${requests} requests of each kind, one client; APP_ENV=production`);
    const taken = [];
    try {
        if (engine === 'postgres') {
            context.cluster = await startPostgres({ settings: { shared_buffers: '1GB' } });
            cleanUps.push(() => context.cluster.stop());
        }
        for (const rows of sizes) {
            console.error(`${rows} risks …`);
            taken.push(await measureSize(context, rows));
        }
    } finally {
        await runAll(cleanUps);
    }
    const rows = rowsOf(taken);
    report.print(sizes, rows);
    const results = report.resultsOf(sizes, rows);
    if (chosen.json !== undefined) {
        addJson(chosen.json, results);
    }
    if (chosen.markdown !== undefined) {
        const command = `script/bench scale --sizes ${sizes.join(',')} --requests ${requests} --engine ${engine} --markdown docs/performance.md`;
        writeSection(chosen.markdown, 'scale', report.markdownOf(sizes, rows, { engine: ENGINES[engine], requests, command, machine }), report.picturesOf(sizes, rows));
    }
    process.exitCode = results.every(({ ok }) => ok) ? 0 : 1;
}

runMain(main);
