/** Several nodes on one PostgreSQL and one Redis, and what must hold of them when all is quiet. */
'use strict';

const assert = require('node:assert');

const { startServer } = require('../http/lib');
const { HIT } = require('../http/cached');
const { startRedis } = require('../tools/redis');

const SECOND = `${HIT}; detail=second-level`;
const NODES = 3;
const AT_ONCE = 16;
const ENV = { DB_POOL_MAX: '10', DB_POOL_MAX_WAITING: '400', LOGIN_BURST: '1000', CACHE_TTL_RISKS: '1h', CACHE_TTL_STATS: '1h' };

/** A Redis of its own, until the test ends. */
async function startSecond(t) {
    const redis = await startRedis();
    t.after(() => redis.stop());
    return redis;
}

/** `urls`: of the database, as each node reaches it, or the one for all. Gives the servers, with names. */
async function startNodes(t, { urls, redis, env = {} }) {
    const all = Array.isArray(urls) ? urls : Array(NODES).fill(urls);
    const start = async (DATABASE_URL, i) => {
        const node = await startServer(t, { env: { ...ENV, DATABASE_URL, ...(redis && { REDIS_URL: redis.url }), ...env } });
        node.name = `node ${i + 1}`;
        return node;
    };
    // The first one makes the tables and the admin; the others find them.
    const first = await start(all[0], 0);
    return [first, ...(await Promise.all(all.slice(1).map((url, i) => start(url, i + 1))))];
}

/** A node without any cache: what it answers is what the database says. */
function startBare(t, url) {
    return startServer(t, { env: { ...ENV, DATABASE_URL: url, CACHE_ENABLED: 'false' } });
}

async function inBatches(list, step) {
    const left = [...list];
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
        while (left.length > 0) {
            await step(left.shift());
        }
    }));
}

/**
 * All nodes answer each route as one without a cache does: when they have loaded it, when they get it from
 * the second level, and when they keep it. Gives how many answers came which way.
 */
async function assertAgree(t, { nodes, url, token, routes }) {
    const bare = await startBare(t, url);
    const truth = new Map();
    const ways = {};
    await inBatches(routes, async (route) => truth.set(route, await bare.client(token).get(route)));
    for (const node of nodes) {
        node.adminToken = token;
        await node.look();
    }
    for (let turn = 0; turn < 2; turn++) {
        for (const node of nodes) {
            const client = node.client(token);
            await inBatches(routes, async (route) => {
                const [reply, expected] = [await client.get(route), truth.get(route)];
                assert.strictEqual(reply.status, expected.status, `${route} at ${node.name}`);
                assert.strictEqual(reply.body, expected.body, `${route} at ${node.name}, ${reply.headers['cache-status']}`);
                assert.strictEqual(reply.headers.etag, expected.headers.etag);
                ways[reply.headers['cache-status']] = 1 + (ways[reply.headers['cache-status']] || 0);
            });
        }
    }
    await bare.stop();
    return ways;
}

module.exports = { SECOND, assertAgree, startBare, startNodes, startSecond };
