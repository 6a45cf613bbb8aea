/**
 * Several nodes on one PostgreSQL and one Redis agree: clients that hop between them see what they have
 * written themselves, and of what others have written nothing that is older than the limit, whatever
 * happens to the second level, to the bell that PostgreSQL rings, or to one of the nodes.
 */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { FULL, waitFor } = require('../http/lib');
const { statisticsOf } = require('../http/cached');
const { sharedPostgres } = require('../tools/postgres');
const { startProxy } = require('../tools/proxy');
const { Crowd } = require('./hoppers');
const { createDatabase } = require('./proxied');
const { SECOND, assertAgree, startNodes, startSecond } = require('./several');

const OPERATIONS = FULL ? 100000 : 20000;
const STRICT_OPERATIONS = FULL ? 100000 : 6000;
const DISTURBED_OPERATIONS = FULL ? 100000 : 4000;
const CLIENTS = 32;
const RISKS = 200;
const LIMIT_MS = 1000; // L
const LATENCY_MS = 300;
const BEFORE_MS = FULL ? 10000 : 800;
const SLOW_MS = FULL ? 10000 : 2000;
const STALL_MS = 3000;
const PHASE_LIMIT_MS = 10 * 60000;
const WARM_LIMIT_MS = 5000;

const pass = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** How the history went, in two lines. */
function tell(t, label, crowd, found, seconds) {
    const { chronicle, answers } = crowd;
    const { ages } = found;
    const kept = [...answers].filter(([way]) => way.startsWith('openrisk; hit')).map(([way, count]) => `${way.slice('openrisk; '.length)} ×${count}`);
    const old = ages.length > 0 ? `${ages.length} were old, by ${ages[ages.length >> 1].toFixed(0)} ms (median), ${ages.at(-1).toFixed(0)} ms at most` : 'none was old';
    t.diagnostic(`figure: ${label}: ${chronicle.operations} operations by ${CLIENTS} clients at ${crowd.nodes.length} nodes in ${seconds.toFixed(1)} s: ${chronicle.writes} things written, ${chronicle.doubts} writes of which nobody knew, ${answers.get('no answer') || 0} without an answer, ${[...answers].filter(([way]) => / 503$/.test(way)).reduce((sum, [, count]) => sum + count, 0)} refused`);
    t.diagnostic(`figure: ${label}: ${found.reads} reads (${kept.join(', ')}): ${old}; ${found.staleCounts} old figures; ${found.ownChecked} checked against own writes; ${found.unverified} unverified`);
}

/** All that the clients do, with a disturbance meanwhile, then what is held against it. */
async function runHistory(t, label, nodes, { url, seed, operations, limitMs = LIMIT_MS, ways, habits, disturb = async () => {} }) {
    const crowd = new Crowd(nodes, { seed });
    await crowd.prepare(RISKS);
    await crowd.start({ clients: CLIENTS, operations, ways, habits });
    const disturbed = disturb(crowd).catch((error) => {
        crowd.stop();
        throw error;
    });
    await Promise.allSettled([disturbed, crowd.ended]);
    await Promise.all([disturbed, crowd.ended]);
    const seconds = crowd.seconds();
    const found = crowd.chronicle.check({ limitMs });
    tell(t, label, crowd, found, seconds);
    crowd.chronicle.assertSound();
    assert.ok(crowd.chronicle.writes > crowd.chronicle.operations / 250, 'there were writes');
    const agreed = await assertAgree(t, { nodes, url, token: crowd.token, routes: [...crowd.routes] });
    t.diagnostic(`figure: ${label}: at the end ${crowd.routes.size} answers are the same at all nodes and without a cache: ${Object.entries(agreed).map(([way, count]) => `${way} ×${count}`).join(', ')}`);
    return { crowd, found, agreed };
}

/**
 * At the last node nothing is asked for but what is kept, by half of the clients, most of whom ask nowhere
 * else; and some change that elsewhere, and look at it there. `ways`: by which those carry tokens.
 */
function sparing(nodes, ways = ['cookie', 'header']) {
    const [others, last] = [nodes.slice(0, -1), nodes.slice(-1)];
    return (number) => {
        switch (number % 8) {
            case 0: case 2: case 6:
                return { nodes: last, isNarrow: true };
            case 1:
                return { nodes: others, looksAt: last, way: ways[(number >> 3) % ways.length] };
            case 4:
                return { isNarrow: true };
            default:
                return { nodes: others };
        }
    };
}

async function stopTheBell(url) {
    await (await sharedPostgres()).query(url, 'ALTER TABLE cache_generation DISABLE TRIGGER ring');
}

function reach(crowd, share) {
    return waitFor(() => crowd.progress() >= share, `${100 * share} % of the operations`, PHASE_LIMIT_MS);
}

test(`${OPERATIONS} operations by ${CLIENTS} clients that hop between three nodes`, async (t) => {
    const [url, redis] = [await createDatabase(t), await startSecond(t)];
    const nodes = await startNodes(t, { urls: url, redis });
    const { crowd, found, agreed } = await runHistory(t, 'hopping', nodes, { url, seed: 1, operations: OPERATIONS });
    assert.ok(found.ownChecked > OPERATIONS / 10, 'clients with tokens read after they had written');
    assert.ok(crowd.answers.get(SECOND) > 0 && agreed[SECOND] > 0, 'the second level answered');
});

test(`${STRICT_OPERATIONS} operations with CACHE_CONSISTENCY=strict: nothing is older than its request`, async (t) => {
    const [url, redis] = [await createDatabase(t), await startSecond(t)];
    const nodes = await startNodes(t, { urls: url, redis, env: { CACHE_CONSISTENCY: 'strict' } });
    await stopTheBell(url);
    const habits = sparing(nodes, ['none']);
    const { crowd, found } = await runHistory(t, 'strict, no bell', nodes, { url, seed: 2, operations: STRICT_OPERATIONS, limitMs: 0, ways: ['none'], habits });
    assert.strictEqual(found.ages.length + found.staleCounts, 0);
    assert.ok(crowd.answers.get('openrisk; hit') > STRICT_OPERATIONS / 50, 'answers came from the cache');
});

test(`${DISTURBED_OPERATIONS} operations while PostgreSQL rings no bell, and Redis dies in the middle`, async (t) => {
    const [url, redis] = [await createDatabase(t), await startSecond(t)];
    const nodes = await startNodes(t, { urls: url, redis });
    await stopTheBell(url);
    const disturb = async (crowd) => {
        await reach(crowd, 0.5);
        await redis.kill();
    };
    const { found } = await runHistory(t, 'no bell, Redis dies', nodes, { url, seed: 3, operations: DISTURBED_OPERATIONS, habits: sparing(nodes), disturb });
    assert.ok(found.ages.length > 0, 'without the bell some answers are old, or this test sees nothing');
});

test(`${DISTURBED_OPERATIONS} operations while a node is killed and started again`, async (t) => {
    const [url, redis] = [await createDatabase(t), await startSecond(t)];
    const nodes = await startNodes(t, { urls: url, redis });
    const [, , victim] = nodes;
    const disturb = async (crowd) => {
        await reach(crowd, 0.3);
        crowd.mayFail = true;
        await victim.kill();
        const killed = performance.now();
        await reach(crowd, 0.5);
        await victim.start();
        const admin = victim.client(crowd.token);
        await waitFor(async () => (await statisticsOf(admin)).responses.second_hits > 0, 'the node to get something from Redis', WARM_LIMIT_MS);
        t.diagnostic(`figure: a node killed: the first answer from Redis ${Math.round(performance.now() - killed)} ms after the kill, ready after ${Math.round(victim.readyMs)} ms`);
    };
    await runHistory(t, 'a node killed', nodes, { url, seed: 4, operations: DISTURBED_OPERATIONS, disturb });
});

test(`PostgreSQL ${LATENCY_MS} ms away, then one node's way to it stalled for ${STALL_MS} ms while others write`, async (t) => {
    const [url, redis] = [await createDatabase(t), await startSecond(t)];
    const { hostname, port } = new URL(url);
    const proxies = await Promise.all([1, 2, 3].map(() => startProxy(hostname, port)));
    proxies.forEach((proxy) => t.after(() => proxy.stop()));
    const nodes = await startNodes(t, { urls: proxies.map((proxy) => proxy.url(url)), redis });
    const disturb = async (crowd) => {
        await pass(BEFORE_MS);
        crowd.mayRefuse = true;
        await Promise.all(proxies.map((proxy) => proxy.latency(LATENCY_MS)));
        await pass(SLOW_MS);
        await Promise.all(proxies.map((proxy) => proxy.pass()));
        await pass(BEFORE_MS);
        await proxies.at(-1).stall();
        await pass(STALL_MS);
        await proxies.at(-1).pass();
        await pass(BEFORE_MS);
        crowd.stop();
    };
    await runHistory(t, 'PostgreSQL slow, then silent to a node', nodes, { url, seed: 5, habits: sparing(nodes), disturb });
    await waitFor(() => nodes.at(-1).log.includes('event=database_away'), 'the line that the node noticed');
});
