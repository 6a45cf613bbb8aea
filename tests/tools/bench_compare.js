/**
 * Measures what the cache is good for: the same register with it off and on, on SQLite and on PostgreSQL with Redis,
 * with the defaults of production; called by script/bench. Beside it stand the predecessor's claims about its own cache.
 *
 * What is asked are the five endpoints that a dashboard needs, in turn, while somebody writes once a second, so that the
 * cache is not that of a register that nobody uses. The loads: as many connections as a crowd has, which says
 * the capacity; 5 users, each of whom asks again at once; and a fixed rate, the same for both, of 70 % of what
 * the server can without its cache. Servers, PostgreSQL and Redis share one processor, what asks them has another. The two
 * take turns in interleaved rounds, and medians count.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { cli, startServer, temporaryFolder } = require('../http/lib');
const { observe } = require('./compare/observe');
const report = require('./compare/report');
const { randomOf, writeKev } = require('./generate-kev');
const { CONNECTIONS, PACE, closedLoad, fullLoad, pathsFile, scriptFor, shareProcessors, steadyLoad } = require('./load');
const { addJson, importFile, inRounds, options, runAll, runMain } = require('./measure');
const { faultOf, machineOf, writeSection } = require('./performance/page');
const { startPostgres } = require('./postgres');
const { startRedis } = require('./redis');

const ROUTES = ['/stats', '/stats/risk-matrix', '/stats/trends', '/stats/top-risks', '/risks'];
const USERS = 5;
const LOAD_SHARE = 0.7;
const PRODUCTION = { APP_ENV: 'production' };
const OFF = { CACHE_ENABLED: 'false' };

/** The URLs of two equal databases with all risks, of which the servers have one each. */
async function twoDatabases(context, first, copyOf) {
    const server = await startServer({ after: (cleanUp) => context.cleanUps.push(cleanUp) }, { env: { DATABASE_URL: first } });
    await server.stop();
    await importFile(server, context.file);
    return [first, await copyOf(server)];
}

async function onSqlite(context) {
    const [first, second] = ['off', 'on'].map((name) => path.join(context.folder, `${name}.db`));
    const databases = await twoDatabases(context, `sqlite:${first}`, async (server) => {
        const { code, stderr } = await server.cli(['backup', second]);
        if (code !== 0) {
            throw new Error(`backup: ${stderr}`);
        }
        return `sqlite:${second}`;
    });
    return { name: 'SQLite', databases, others: {} };
}

async function onPostgres(context) {
    const cluster = await startPostgres({ settings: { shared_buffers: '1GB' } });
    context.cleanUps.push(() => cluster.stop());
    const redis = await startRedis();
    context.cleanUps.push(() => redis.stop());
    const databases = await twoDatabases(context, await cluster.createDatabase(), (server) => cluster.copyDatabase(server.env.DATABASE_URL));
    for (const database of databases) {
        await cluster.query(database, 'VACUUM (ANALYZE)');
    }
    return { name: 'PostgreSQL + Redis', databases, env: { REDIS_URL: redis.url }, others: { cpu_postgres: cluster.pid, cpu_redis: redis.pid } };
}

/** For load.js: a server that has answered each of the routes twice. */
async function startNode(context, name, env) {
    const server = await startServer({ after: (cleanUp) => context.cleanUps.push(cleanUp) }, { env });
    const client = await server.signIn();
    const wanted = env.CACHE_ENABLED === 'false' ? [undefined, undefined] : ['MISS', 'HIT'];
    for (const expected of wanted) {
        for (const route of ROUTES) {
            const { headers } = await client.expect(200, 'GET', route);
            if (expected !== undefined && headers['x-cache'] !== expected) {
                throw new Error(`the cache is ${name}, but X-Cache of ${route} is ${headers['x-cache']}, not ${expected}`);
            }
        }
    }
    return { name: `the server with the cache ${name}`, server, client, token: client.token, port: Number(new URL(server.url).port), pid: server.pid };
}

/**
 * {name, rate, connections, loads: {full, users, steady}}, each load {off, on}. `env`: further settings of the one that
 * caches; `others`: see observe().
 */
async function measureEngine(context, { name, databases, env, others }) {
    const { processor, rows, rounds, seconds, paths, script } = context;
    const nodes = [
        await startNode(context, 'off', { ...PRODUCTION, ...OFF, DATABASE_URL: databases[0] }),
        await startNode(context, 'on', { ...PRODUCTION, ...env, DATABASE_URL: databases[1] }),
    ];
    const random = randomOf(13);
    const take = async (work) => {
        const figures = await inRounds(rounds, nodes, (node) => observe(node, others, rows, random, () => work(node)));
        return { off: figures.get(nodes[0]), on: figures.get(nodes[1]) };
    };
    const withRate = (figures) => ({ ...figures, rate: figures.requests / seconds });
    const full = await take(async (node) => {
        // Its times are of a server that is full, and are wrk's: see pace.c.
        const { requests, rate } = await fullLoad(processor, node, '/', node.token, seconds, { script });
        return { requests, rate };
    });
    const users = await take(async (node) => withRate(await closedLoad(processor, PACE, node, paths, node.token, USERS, seconds)));
    const rate = Math.max(1, Math.round(LOAD_SHARE * full.off.rate));
    const steady = await take(async (node) => withRate(await steadyLoad(processor, PACE, node, paths, node.token, rate, seconds, { warmUpSeconds: 0 })));
    return { name, rate, connections: CONNECTIONS, loads: { users, steady, full } };
}

async function main() {
    const chosen = options(process.argv.slice(2), { rows: 10000, rounds: 5, seconds: 10, markdown: undefined, json: undefined });
    const fault = chosen.markdown === undefined ? undefined : faultOf(chosen.markdown, 'compare');
    if (fault !== undefined) {
        console.error(`script/bench: ${fault}`);
        process.exitCode = 2;
        return;
    }
    const { rows, rounds, seconds } = chosen;
    const cleanUps = [];
    const engines = [];
    const context = { ...chosen, cleanUps, processor: shareProcessors() };
    const machine = await machineOf(['postgres', 'redis', 'wrk']);
    const { stdout } = await cli(['version']);
    console.log(`${stdout.trim()}; ${machine.processor}: one for servers, one for clients`);
    console.log(`${rows} risks; medians of ${rounds} rounds of ${seconds} s; APP_ENV=production; one write a second`);
    try {
        context.folder = temporaryFolder();
        cleanUps.push(() => fs.rmSync(context.folder, { recursive: true, force: true }));
        context.file = path.join(context.folder, 'kev.csv');
        writeKev(context.file, rows);
        const paths = pathsFile(context.folder, 'dashboard', ROUTES);
        Object.assign(context, { paths: `@${paths}`, script: scriptFor(paths) });
        for (const prepare of [onSqlite, onPostgres]) {
            const own = [];
            try {
                const engine = { ...context, cleanUps: own };
                engines.push(await measureEngine(engine, await prepare(engine)));
            } finally {
                await runAll(own);
            }
        }
    } finally {
        await runAll(cleanUps);
    }
    report.print(engines);
    const results = report.resultsOf(engines);
    if (chosen.json !== undefined) {
        addJson(chosen.json, results);
    }
    if (chosen.markdown !== undefined) {
        const command = `script/bench compare --rows ${rows} --rounds ${rounds} --seconds ${seconds} --markdown docs/performance.md`;
        writeSection(chosen.markdown, 'compare', report.markdownOf(engines, { rows, rounds, seconds, command, machine }), report.picturesOf(engines));
    }
    process.exitCode = results.every(({ ok }) => ok) ? 0 : 1;
}

runMain(main);
