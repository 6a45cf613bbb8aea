/**
 * What the measurements of bench_levels.js share: nodes on one register, what is asked of them, and what their
 * own counters say of who answered it.
 */
'use strict';

const { startServer } = require('../../http/lib');
const { CONNECTIONS, fullLoad } = require('../load');
const { timesOf } = require('../measure');

/** So much of what a row is about must have been answered by the level that it names. */
const PROOF = 0.99;

/** Nothing expires while we measure, and all connections may wait for the database. */
const ENVIRONMENT = {
    HTTP_LOOPS: '1',
    CACHE_TTL_RISKS: '1d',
    CACHE_TTL_STATS: '1d',
    CACHE_TTL_MATRIX: '1d',
    CACHE_TTL_TRENDS: '1d',
    DB_POOL_MAX: '4',
    DB_POOL_MAX_WAITING: String(2 * CONNECTIONS),
};

/** As many entries as fit in here are soon pushed out by a few hundred others. */
const LITTLE_MEMORY = '1MiB';

/** What is told of a row, by its unit. */
const FIGURES = { rate: 'requests/s', p50: 'ms', p99: 'ms', cpu: 'µs/request' };

/** The columns of a row: what was measured, beside what it is compared with. */
function cellsOf(own, other, digits = 2) {
    const least = Math.min(...own.rounds.map(({ share }) => share));
    return [
        own.rate.toFixed(0),
        timesOf(own, other, 'rate').toFixed(digits),
        own.p50.toFixed(digits),
        own.p99.toFixed(2),
        timesOf(own, other, 'p50').toFixed(2),
        own.cpu.toFixed(1),
        `${(100 * least).toFixed(1)} %`,
    ];
}

/** A row's figures for --json. */
function entriesOf(name, figures) {
    return Object.entries(FIGURES).map(([key, unit]) => ({ name: `${name}: ${key}`, unit, median: figures[key], ok: true }));
}

function portOf(server) {
    return Number(new URL(server.url).port);
}

/** For load.js: a node by a name, with a client of it. Stopped by stopNode(), or at the end. */
async function startNode(context, name, env) {
    const all = { ...ENVIRONMENT, DATABASE_URL: context.database, ...env };
    const server = await startServer({ after: (cleanUp) => context.cleanUps.push(cleanUp) }, { env: all });
    const client = context.token === undefined || env.DATABASE_URL ? await server.signIn() : server.client(context.token);
    return { name, server, client, token: client.token, port: portOf(server), pid: server.pid };
}

async function stopNode(node) {
    await node.server.stop();
}

async function cacheOf(node) {
    return (await node.client.expect(200, 'GET', '/cache')).json;
}

/** What the cache counts while `work` is done: {figures, first, second, loads, coalesced}, and what `redis` did not give. */
async function counted(node, work) {
    const before = await cacheOf(node);
    const figures = await work();
    const after = await cacheOf(node);
    const grown = (key) => after.responses[key] - before.responses[key];
    const redis = {};
    for (const key of after.second_level ? ['misses', 'not_asked', 'timeouts', 'errors', 'dropped', 'opened'] : []) {
        redis[key] = after.second_level[key] - before.second_level[key];
    }
    return { figures, first: grown('hits'), second: grown('second_hits'), loads: grown('loads'), coalesced: grown('coalesced'), redis };
}

/** The share of requests that were answered as `level` says: "first", "second" or "loads". */
function shareOf(counts, level) {
    return counts[level] / (counts.first + counts.second + counts.loads + counts.coalesced);
}

/**
 * Ask for all of it, again and again, until nearly nothing has to be loaded for the first time: what is not answered by
 * `level` is found in memory, where a cache that a scan cannot empty still has a little of what is asked for in turn.
 */
async function fill(context, node, script, level, count) {
    let share = 0;
    for (let attempt = 0; attempt < 40; attempt++) {
        const work = () => fullLoad(context.processor, node, '/', node.token, 4, { connections: 16, script });
        const counts = await counted(node, work);
        share = shareOf(counts, level) + (level === 'first' ? 0 : shareOf(counts, 'first'));
        if (share >= PROOF && counts.figures.requests >= count) {
            return;
        }
    }
    throw new Error(`${node.name} cannot be filled: ${share} are ${level} or in memory; ${JSON.stringify(await cacheOf(node))}`);
}

/** One request after the other, all different: single risks. */
function riskRoutes(count, from = 1) {
    return Array.from({ length: count }, (_, index) => `/risks/R-${from + index}`);
}

/** Pages of 20 in all orders that have an index of their own. */
function pageRoutes(count) {
    const orders = ['score', 'title', 'created_at', 'updated_at'].flatMap((by) => ['asc', 'desc'].map((direction) => `sort_by=${by}&sort_dir=${direction}`));
    return Array.from({ length: count }, (_, index) => `/risks?${orders[index % orders.length]}&page=${1 + Math.floor(index / orders.length)}`);
}

module.exports = {
    LITTLE_MEMORY, PROOF, cacheOf, cellsOf, counted, entriesOf, fill, pageRoutes, riskRoutes, shareOf, startNode, stopNode,
};
