/**
 * Redis fails in every way under 64 clients that read and write: everybody is served, with nothing but the
 * truth, and the second level is used again soon after it is back. Its loss is slower, never an error.
 */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { startServer, waitFor } = require('../http/lib');
const { HIT, statisticsOf } = require('../http/cached');
const { startProxy } = require('../tools/proxy');
const { startRedis } = require('../tools/redis');
const { createDatabase } = require('./proxied');
const { ENV, startSharedLoad } = require('./shared_load');
const { assertWhole } = require('./state');

const HOST = '127.0.0.1';
const PATIENCE_MS = 5000; // for any answer: the machine is small, and 64 ask
const USED_LIMIT_MS = 10000; // from the return of Redis until the second level is used
const AWAY_LIMIT_MS = 10000; // until it is noticed that Redis is away
const KEPT_READS = 200;
const ANSWERS = 500; // so many are waited for where nothing else says that it was enough
const OPENED = 5; // after so many times in a row the breaker waits for as long as it ever does

function pass(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What a node says of the second level, and how it has been used. */
async function levelOf(admin) {
    const { second_level: level, responses } = await statisticsOf(admin);
    return { ...level, answered: responses.second_hits };
}

/** What a node's log says of the breaker from `start` on: {change: "warn closed open", reason}, … */
function breakerLines(server, start) {
    const lines = server.log.slice(start).matchAll(/level=(\w+) event=redis_breaker from=(\w+) to=(\w+) reason=(.*)$/gm);
    return [...lines].map(([, level, from, to, reason]) => ({ change: `${level} ${from} ${to}`, reason }));
}

const changesOf = (lines) => lines.map(({ change }) => change);

/** Everybody is told that Redis is away, and nobody that the node cannot serve. */
async function assertAway(server) {
    const client = server.client();
    const state = await waitFor(async () => {
        const { status, json } = await client.get('/health');
        assert.strictEqual(status, 200);
        return json.checks.redis.breaker !== 'closed' && json;
    }, 'the breaker to open', AWAY_LIMIT_MS).finally(() => client.close());
    assert.deepStrictEqual([state.status, state.checks.redis.status], ['DEGRADED', 'DOWN']);
    const { status, body } = await server.ops.get('/readyz');
    assert.strictEqual(status, 200);
    assert.match(body, /degraded/);
}

async function assertBack(server) {
    const client = server.client();
    const { status, json } = await client.get('/health');
    client.close();
    const { redis, pool } = json.checks;
    assert.deepStrictEqual([status, redis.status, redis.breaker], [200, 'UP', 'closed']);
    // Under load all connections may be in use at this moment: that is the pool's, and it says so.
    assert.strictEqual(json.status, pool.status, JSON.stringify(json));
    assert.strictEqual((await server.ops.get('/readyz')).body, 'ready\n');
}

/** What is kept in the node is given as ever, one after the other: how long the longest took, in ms. */
async function readKept({ admin, lateness }) {
    let longest = 0;
    let hits = 0;
    for (let i = 0; i < KEPT_READS; i++) {
        const sent = performance.now();
        const reply = await admin.expect(200, 'GET', '/assets?limit=1');
        hits += Number(reply.headers['cache-status'] === HIT);
        longest = Math.max(longest, performance.now() - sent);
    }
    assert.ok(hits >= KEPT_READS - 2, `${hits} of ${KEPT_READS} were kept in memory`);
    assert.ok(longest < PATIENCE_MS + lateness.maxMs, `a kept answer took ${longest} ms`);
    return Math.round(longest);
}

function waitForAnswers(load, count = ANSWERS) {
    const wanted = load.answers.length + count;
    return waitFor(() => load.answers.length >= wanted, `${count} answers`, 60000);
}

/** The second level of each node has answered once more than `before` says, at the moment when `began`. */
async function waitUntilUsed({ load, admins, lateness }, before, began) {
    const limitMs = USED_LIMIT_MS + lateness.maxMs;
    await Promise.all(admins.map((admin, i) => waitFor(async () => {
        const now = await levelOf(admin);
        return now.breaker === 'closed' && now.hits > before[i].hits && now.answered > before[i].answered;
    }, `the second level to be used again by node ${i}`, limitMs).catch(async (error) => {
        error.message += `\n${JSON.stringify([before[i], await levelOf(admin)])}\n${load.summary(load.answers.slice(-ANSWERS))}`;
        throw error;
    })));
    return performance.now() - began;
}

/** Between the nodes and Redis, until the test ends. Like the clients it is slow when the machine is busy. */
async function proxyTo(t, redis) {
    const proxy = await startProxy(HOST, redis.port);
    t.after(() => proxy.stop());
    return proxy;
}

/** Nodes with a Redis. `databaseUrls`: one per node, or one undefined for a node with SQLite. */
async function start(t, { databaseUrls = [undefined], isThere = true, isProxied = false, passwordOf = (redis) => redis.password } = {}) {
    const redis = await startRedis();
    t.after(() => redis.stop());
    const proxy = isProxied ? await proxyTo(t, redis) : undefined;
    if (!isThere) {
        await redis.kill();
    }
    const nodes = [];
    const redisUrl = redis.urlFor('', passwordOf(redis));
    for (const url of databaseUrls) {
        const env = { ...ENV, ...(url && { DATABASE_URL: url }), REDIS_URL: proxy ? proxy.url(redisUrl) : redisUrl };
        nodes.push(await startServer(t, { engine: 'sqlite', env }));
    }
    return { redis, proxy, nodes };
}

/** The same, under load. */
async function startUnderLoad(t, options) {
    const all = await start(t, options);
    const load = await startSharedLoad(t, all.nodes, { patienceMs: PATIENCE_MS });
    const admin = all.nodes[0].client(load.admin.token);
    const admins = all.nodes.map((node) => node.client(load.admin.token));
    return { ...all, load, admin, admins, lateness: load.lateness };
}

/**
 * One fault and the way back. `opens`: the breaker of each node opens and closes once (true), or never
 * (false); or nobody knows.
 */
async function suffer(t, all, { opens, fault, back, after = async () => '' }) {
    const { load, nodes, admins } = all;
    await waitUntilUsed(all, await Promise.all(admins.map(levelOf)), performance.now()); // Or there is nothing to lose.
    const from = load.answers.length;
    const ways = new Map(load.ways);
    const logs = nodes.map((node) => node.log.length);
    const first = await Promise.all(admins.map(levelOf));
    const written = load.truth.count().acknowledged;

    const told = await fault();
    if (opens) {
        await Promise.all(nodes.map(assertAway));
    }
    await waitForAnswers(load);
    const during = load.answers.slice(from);
    const before = await Promise.all(admins.map(levelOf));
    const began = performance.now();
    await back();
    const usedMs = await waitUntilUsed(all, before, began);
    const toldAfter = await after();
    await Promise.all(nodes.map(assertBack));
    await waitForAnswers(load);

    const last = await Promise.all(admins.map(levelOf));
    const sum = (levels, name) => levels.reduce((total, level) => total + level[name], 0);
    const hits = `second level: ${sum(before, 'hits') - sum(first, 'hits')} hits during the fault, ${sum(last, 'hits') - sum(before, 'hits')} after`;
    t.diagnostic(`figure: ${t.name}: during: ${load.summary(during)}; all: ${load.waysSince(ways)}; ${hits}; used again after ${Math.round(usedMs)} ms; `
        + `${load.truth.count().acknowledged - written} writes${told ? `; ${told}` : ''}${toldAfter}`);
    load.assertServed();
    assert.strictEqual(sum(last, 'refused'), 0, 'nobody has tampered with anything');
    for (const [i, node] of nodes.entries()) {
        await assertLogged(node, logs[i], opens);
    }
}

/** The log tells of the breaker: once that it opened and once that it closed, or nothing. */
async function assertLogged(node, start, opens) {
    if (opens) {
        const lines = await waitFor(() => breakerLines(node, start).length >= 2 && breakerLines(node, start), 'the breaker to say so in the log');
        assert.deepStrictEqual(changesOf(lines), ['warn closed open', 'info half_open closed'], JSON.stringify(lines));
    } else if (opens === false) {
        // That a busy machine was too slow for Redis is no fault.
        const others = breakerLines(node, start).filter(({ change, reason }) => change.startsWith('warn') && !/no answer to a read/.test(reason));
        assert.deepStrictEqual(others, []);
    }
}

async function end({ load, nodes, redis }) {
    await load.stop();
    load.assertServed();
    await assertWhole(nodes[0], load);
    nodes.forEach((node) => assert.ok(!node.log.includes(redis.password), 'the password is in the log'));
}

/** Faults of Redis itself. */
function faultsOf(all) {
    const { redis, load, admin } = all;
    return {
        'SIGKILL, and empty when it starts again': {
            opens: true,
            fault: () => redis.kill(),
            back: () => redis.start(),
        },
        'SIGSTOP for 5 s': {
            opens: true,
            fault: async () => {
                await admin.expect(200, 'GET', '/assets?limit=1');
                await redis.pause();
                const [longest] = await Promise.all([readKept(all), pass(5000)]);
                return `${KEPT_READS} kept answers meanwhile, the longest took ${longest} ms`;
            },
            back: () => redis.resume(),
        },
        'started again with an old snapshot': (() => {
            let keys;
            return {
                opens: true,
                fault: async () => {
                    keys = await redis.keys();
                    const old = await redis.snapshot();
                    const { acknowledged } = load.truth.count();
                    await waitFor(() => load.truth.count().acknowledged > acknowledged + 30, 'writes after the snapshot', 60000);
                    await redis.kill();
                    redis.restore(old);
                },
                back: () => redis.start(),
                after: async () => {
                    const now = new Set(await redis.keys());
                    const old = keys.filter((key) => now.has(key)).length;
                    assert.ok(old > 0, 'what is old is there, and would be found by its name');
                    return `; ${old} old values were there`;
                },
            };
        })(),
        'FLUSHALL': {
            opens: false,
            fault: () => redis.flush(),
            back: async () => {},
        },
    };
}

/** Faults of its settings. */
function settingsFaults({ redis, admin }) {
    const memory = async () => Number((await redis.info('memory')).used_memory);
    const evicted = async () => Number((await redis.info('stats')).evicted_keys);
    return {
        'another password': {
            opens: true,
            fault: async () => {
                await redis.command('CONFIG', 'SET', 'requirepass', 'another one');
                await redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
            },
            back: () => redis.command('CONFIG', 'SET', 'requirepass', redis.password),
        },
        'maxmemory reached, noeviction': {
            opens: false,
            fault: async () => {
                const { store_errors: before } = await levelOf(admin);
                await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
                await redis.command('CONFIG', 'SET', 'maxmemory', Math.floor(0.9 * await memory()));
                await waitFor(async () => (await levelOf(admin)).store_errors > before + 10, 'writes to be refused by Redis', 20000);
                return `${(await levelOf(admin)).store_errors - before} writes refused by Redis`;
            },
            back: () => redis.command('CONFIG', 'SET', 'maxmemory', 0),
        },
        'maxmemory reached, allkeys-lru': {
            opens: false,
            fault: async () => {
                const before = await evicted();
                await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
                await redis.command('CONFIG', 'SET', 'maxmemory', await memory());
                await waitFor(async () => await evicted() > before + 10, 'values to be evicted', 20000);
                return `${await evicted() - before} values evicted`;
            },
            back: () => redis.command('CONFIG', 'SET', 'maxmemory', 0),
        },
    };
}

/** Faults of the network between. */
function networkFaults(all) {
    const { proxy, admin } = all;
    return {
        '200 ms latency': {
            opens: true,
            fault: () => proxy.latency(100), // each way
            back: () => proxy.pass(),
        },
        'nothing comes through any more': {
            opens: true,
            fault: async () => {
                await admin.expect(200, 'GET', '/assets?limit=1');
                await proxy.stall();
                return `${KEPT_READS} kept answers meanwhile, the longest took ${await readKept(all)} ms`;
            },
            back: () => proxy.pass(),
        },
        'connections reset 10 times': {
            fault: async () => {
                for (let i = 0; i < 10; i++) {
                    const before = proxy.accepted;
                    await proxy.reset();
                    await waitFor(() => proxy.accepted > before, 'another connection', 20000);
                }
            },
            back: async () => {},
        },
    };
}

/** The next connection, and no other, is cut after so many bytes. */
function cutFault({ proxy }, bytes, direction) {
    return {
        fault: async () => {
            const before = proxy.cuts;
            await proxy.cutAfter(bytes, direction, 1);
            await proxy.reset();
            await waitFor(() => proxy.cuts > before, 'a connection to be cut', 20000);
        },
        back: () => proxy.pass(),
    };
}

test('a node, and its Redis fails', async (t) => {
    const all = await startUnderLoad(t, { isProxied: true });
    const cuts = ['fromServer', 'toServer'].flatMap((direction) => [1, 40, 2000, 30000].map((bytes) => [
        `cut after ${bytes} bytes ${direction === 'toServer' ? 'to' : 'from'} Redis`,
        cutFault(all, bytes, direction),
    ]));
    const faults = { ...faultsOf(all), ...settingsFaults(all), ...networkFaults(all), ...Object.fromEntries(cuts) };
    for (const [name, fault] of Object.entries(faults)) {
        await t.test(name, (t) => suffer(t, all, fault));
    }
    await end(all);
});

test('two nodes with PostgreSQL, and the Redis that they share fails', async (t) => {
    const url = await createDatabase(t);
    const all = await startUnderLoad(t, { databaseUrls: [url, url] });
    // A node hears of the other's writes by looking, or because somebody brings a token of one.
    await all.nodes[0].sql('ALTER TABLE cache_generation DISABLE TRIGGER ring');
    for (const [name, fault] of Object.entries(faultsOf(all))) {
        await t.test(name, (t) => suffer(t, all, fault));
    }
    await end(all);
});

/** The node starts without a second level, serves without it, and takes it when it is there. */
async function joinLater(t, options, { isLate = async () => {}, appear }) {
    const all = await startUnderLoad(t, options);
    const { load, nodes: [server], admin } = all;
    assert.match(server.run.stdout, /^ready .*\bcache=memory\+redis\b/m);
    await assertAway(server);
    await waitForAnswers(load);
    await isLate(admin);
    const before = await levelOf(admin);
    assert.deepStrictEqual([before.hits, before.stores], [0, 0]);
    const began = performance.now();
    await appear(all.redis);
    const usedMs = await waitUntilUsed(all, [before], began);
    await assertBack(server);
    await end(all);
    t.diagnostic(`figure: ${t.name}: ${load.summary()}; used ${Math.round(usedMs)} ms after it was there`);
    assert.deepStrictEqual(changesOf(breakerLines(server, 0)), ['warn half_open open', 'info half_open closed']);
}

test('Redis is not there at the start and appears much later', (t) => joinLater(t, { isThere: false }, {
    // The breaker tries ever less often.
    isLate: (admin) => waitFor(async () => (await levelOf(admin)).opened >= OPENED, `the breaker to open ${OPENED} times`, 40000),
    appear: (redis) => redis.start(),
}));

test('Redis does not let the node in, and later does', (t) => {
    const password = 'not the one of Redis yet';
    return joinLater(t, { passwordOf: () => password }, { appear: (redis) => redis.command('CONFIG', 'SET', 'requirepass', password) });
});
