/**
 * Measures the two levels of the cache, with PostgreSQL and Redis of its own; called by script/bench:
 *
 *   three    first-level hits, second-level hits and misses
 *   outage   hits while Redis dies and returns, and while it hangs
 *   strict   what CACHE_CONSISTENCY=strict costs
 *   minute   a node's first minute with and without the second level
 *
 * PostgreSQL, Redis and the nodes share one processor, what asks them has another. What is compared takes
 * turns in interleaved rounds, and medians count. Each row is about one way an answer is made, and the
 * counters of the nodes must say that it was made so.
 */
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { cli, temporaryFolder } = require('../http/lib');
const { writeKev } = require('./generate-kev');
const { shareProcessors } = require('./load');
const { addJson, importFile, options, runAll, runMain } = require('./measure');
const { startPostgres } = require('./postgres');
const { startRedis } = require('./redis');
const { startNode, stopNode } = require('./levels/nodes');

const PARTS = { three: require('./levels/three'), outage: require('./levels/outage'), strict: require('./levels/strict'), minute: require('./levels/minute') };

/** A register of `rows` risks in a PostgreSQL of its own, an empty Redis, and a token that is good on any node. */
async function prepare(context) {
    const { cleanUps } = context;
    context.folder = temporaryFolder();
    cleanUps.push(() => fs.rmSync(context.folder, { recursive: true, force: true }));
    context.cluster = await startPostgres({ settings: { shared_buffers: '1GB' } });
    cleanUps.push(() => context.cluster.stop());
    context.redis = await startRedis();
    cleanUps.push(() => context.redis.stop());
    context.database = await context.cluster.createDatabase();
    context.file = path.join(context.folder, 'kev.csv');
    writeKev(context.file, context.rows);
    const node = await startNode(context, 'import', {});
    context.token = node.token;
    await stopNode(node);
    await importFile(node.server, context.file);
    await context.cluster.query(context.database, 'VACUUM (ANALYZE)');
}

async function main() {
    const chosen = options(process.argv.slice(2), { rows: 100000, rounds: 5, seconds: 3, minute: 60, parts: Object.keys(PARTS).join(','), json: undefined });
    const parts = chosen.parts.split(',');
    const unknown = parts.find((part) => !(part in PARTS));
    if (unknown !== undefined) {
        throw new Error(`--parts: ${unknown} is none of ${Object.keys(PARTS).join(', ')}`);
    }
    const cleanUps = [];
    const context = { ...chosen, processor: shareProcessors(), cleanUps };
    const results = [];
    const { stdout } = await cli(['version']);
    try {
        await prepare(context);
        console.log(`${stdout.trim()}; ${os.cpus()[0].model}, ${os.cpus().length} processors: one for PostgreSQL, Redis and the nodes, one for the clients`);
        console.log(`${chosen.rows} risks; medians of ${chosen.rounds} rounds of ${chosen.seconds} s`);
        for (const name of parts) {
            const part = PARTS[name];
            const measured = await part.measure(context);
            part.print(measured);
            results.push(...part.resultsOf(measured));
        }
    } finally {
        await runAll(cleanUps);
    }
    if (chosen.json !== undefined) {
        addJson(chosen.json, results);
    }
    process.exitCode = results.every(({ ok }) => ok) ? 0 : 1;
}

runMain(main);
