/**
 * The network between the server and PostgreSQL fails in every way, amid reads and writes: each request is
 * answered in time and with nothing but the truth, no acknowledged write is lost, and when the fault is
 * over all is well without a restart.
 */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { ADMIN, FULL, waitFor } = require('../http/lib');
const { UNVERIFIED } = require('../http/cached');
const { makeRisk, randomOf } = require('../http/register');
const { startLoad } = require('./load');
const { startBehindProxy } = require('./proxied');
const { assertSettled, assertWhole } = require('./state');
const { TrackedRisk } = require('./truth');

const LIMIT_MS = 1000; // each of those below
const ENV = {
    DB_POOL_MAX: '10',
    DB_POOL_MAX_WAITING: '200',
    DB_POOL_ACQUIRE_TIMEOUT: `${LIMIT_MS}ms`,
    DB_CONNECT_TIMEOUT: `${LIMIT_MS}ms`,
    DB_STATEMENT_TIMEOUT: `${LIMIT_MS}ms`,
    DB_WRITE_TIMEOUT: `${LIMIT_MS}ms`,
};
/* In line, behind other writers, in a statement, on the network (store/postgres.c); and a second more. */
const PATIENCE_MS = 5 * LIMIT_MS;
const CLIENTS = { kept: 6, assets: 2, lists: 6, writers: 6, strangers: 1, nobodies: 1, signers: 1 };
const BACK_LIMIT_MS = 5000;
const random = randomOf(5);

const start = (t, env) => startBehindProxy(t, { ...ENV, ...env });

function pass(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
}

/** All is well again: how long that took, in ms. */
async function waitUntilWell(load) {
    const { server, admin } = load;
    const began = performance.now();
    const wanted = {
        'new answer': async () => (await admin.get('/users/me')).status === 200,
        'kept answer': async () => (await admin.get('/assets')).headers['cache-status'] !== UNVERIFIED,
        write: async () => (await admin.patch(`/risks/${load.own.id}`, { owner: `well at ${performance.now()}` })).status === 200,
        'sign-in': async () => (await server.client().post('/auth/login', ADMIN)).status === 200,
    };
    await Promise.all(Object.entries(wanted).map(([name, isHad]) => waitFor(isHad, `a ${name} after the fault`, BACK_LIMIT_MS + load.lateness.maxMs)));
    return performance.now() - began;
}

/** Cut every new connection after so many bytes, until some have been. */
async function cut(proxy, bytes, direction) {
    const wanted = proxy.cuts + 3;
    await proxy.cutAfter(bytes, direction);
    await proxy.reset(); // So that there are new ones.
    await waitFor(() => proxy.cuts >= wanted, `connections to be cut after ${bytes} bytes`, 20000);
}

test('faults of the network under load', async (t) => {
    const { server, proxy } = await start(t);
    const own = await makeRisk(await server.signIn());
    const load = await startLoad(t, server, { ...CLIENTS, patienceMs: PATIENCE_MS });
    load.own = own;

    /** One fault, and the way back from it. */
    async function suffer(t, name, fault) {
        const from = load.answers.length;
        const before = load.truth.count();
        await fault();
        await proxy.pass();
        const wellMs = await waitUntilWell(load);
        const after = load.truth.count();
        const counts = { acknowledged: after.acknowledged - before.acknowledged, unsure: after.unsure - before.unsure };
        t.diagnostic(`figure: ${name}: ${load.summary(load.answers.slice(from))}; well again after ${Math.round(wellMs)} ms; ${counts.acknowledged} writes acknowledged, ${counts.unsure} not`);
        load.assertSound();
    }

    const faults = {
        'down for 2 s': async () => {
            await proxy.down();
            await pass(2000);
        },
        '50 ms each way for 2 s': async () => {
            await proxy.latency(50);
            await pass(2000);
        },
        'all connections reset 10 times': async () => {
            for (let i = 0; i < 10; i++) {
                await pass(100);
                await proxy.reset();
            }
        },
        'stalled for 5 s, then all goes on': async () => {
            await proxy.stall();
            await pass(5000);
        },
    };
    for (const [name, fault] of Object.entries(faults)) {
        await t.test(name, (t) => suffer(t, name, fault));
    }

    const few = [1, 100, 500, 1000, 4000];
    const many = Array.from({ length: 17 }, (_, i) => 2 ** i);
    for (const direction of ['fromServer', 'toServer']) {
        const after = [...(FULL ? many : few), ...Array.from({ length: FULL ? 40 : 2 }, () => 1 + random.below(FULL ? 30000 : 8000))];
        const name = `connections cut after ${after.join(', ')} bytes ${direction === 'toServer' ? 'to' : 'from'} PostgreSQL`;
        await t.test(name, (t) => suffer(t, name, async () => {
            for (const bytes of after) {
                await cut(proxy, bytes, direction);
                await proxy.pass();
                await waitUntilWell(load);
            }
        }));
    }

    await load.stop();
    load.assertSound();
    await assertSettled(server, load.admin);
    await assertWhole(server, load);
    const { acknowledged, unsure } = load.truth.count();
    t.diagnostic(`figure: ${acknowledged} acknowledged writes, each is there once; of ${unsure} others nobody knew; this process was up to ${Math.round(load.lateness.maxMs)} ms late`);
});

/** The connection by which `act` is done: the one that takes most. The watch has another. */
async function linkOf(proxy, act) {
    const before = new Map([...proxy.links].map((link) => [link, link.lanes.toServer.bytes]));
    await act();
    const taken = (link) => link.lanes.toServer.bytes - (before.get(link) || 0);
    return [...proxy.links].reduce((one, other) => (taken(other) > taken(one) ? other : one));
}

/** How many bytes one way `write` takes. It must be of the same length each time. */
async function measure(proxy, direction, write) {
    const lengths = [];
    const lane = (await linkOf(proxy, write)).lanes[direction];
    for (let i = 0; i < 4; i++) {
        const before = lane.bytes;
        assert.strictEqual(await write(), 200);
        lengths.push(lane.bytes - before);
    }
    return Math.min(...lengths);
}

test('a connection that is cut anywhere in a write: the client is told 503, and reads agree with PostgreSQL', async (t) => {
    const { server, proxy } = await start(t, { DB_POOL_MAX: '1' });
    const admin = await server.signIn();
    const risk = new TrackedRisk(await makeRisk(admin, { owner: 'nobody' }));
    const versionInDatabase = async () => Number(await server.sql(`SELECT version FROM risk WHERE id = '${risk.id}'`));
    const patch = async () => {
        const [owner, floor] = [risk.nextOwner(), risk.seen];
        const reply = await admin.patch(`/risks/${risk.id}`, { owner });
        assert.ok([200, 503].includes(reply.status), reply.body);
        if (reply.status === 200) {
            risk.acknowledge(reply.json, owner, floor);
        }
        return reply.status;
    };
    const read = async () => {
        const floor = risk.seen;
        const { json } = await waitFor(async () => {
            const reply = await admin.get(`/risks/${risk.id}`);
            return reply.status === 200 && reply;
        }, 'an answer');
        risk.observe(json, floor);
        return json.version;
    };

    for (const direction of ['toServer', 'fromServer']) {
        await t.test(direction === 'toServer' ? 'on its way to PostgreSQL' : 'on its way back', async (t) => {
            await waitFor(async () => (await patch()) === 200, 'a write'); // What is prepared once is prepared.
            const length = await measure(proxy, direction, patch);
            const step = FULL ? 7 : Math.ceil(length / 20);
            const steps = Array.from({ length: Math.ceil(length / step) }, (_, i) => i * step);
            const counts = { 200: 0, 503: 0, late: 0, took: 0 };
            // The end is where the commit is, and where exactly depends on when the read before was done with.
            const end = Array.from({ length: 13 }, (_, i) => length - 24 + 6 * i);
            for (const bytes of [...steps, ...end]) {
                const link = await linkOf(proxy, () => waitFor(async () => (await patch()) === 200, 'a write'));
                await read(); // So that an answer is kept, which must not be given any more if the write takes effect.
                const acknowledged = risk.acknowledged;
                link.cutAfter(bytes, direction);
                const status = await patch();
                counts[status]++;
                const shown = await read();
                const stored = await waitFor(async () => {
                    const [first, second] = [await versionInDatabase(), await read()];
                    return first === second && first;
                }, 'reads to agree with PostgreSQL');
                counts.late += Number(stored !== shown);
                counts.took += Number(status === 503 && stored > acknowledged);
            }
            t.diagnostic(`figure: a write of ${length} bytes cut ${direction}, each ${step} bytes and near the end: ${counts[200]} ×200, ${counts[503]} ×503, of which ${counts.took} had taken effect; ${counts.late} took effect later than the next read`);
            // What comes back from PostgreSQL tells of what it has done already.
            assert.ok(direction === 'toServer' || counts.late === 0, 'a read after the refusal shows what took effect');
            assert.ok(counts[503] > 0 && (direction === 'toServer' || counts.took > 0), 'cuts before and after the commit');
        });
    }
    await assertSettled(server, admin);
    await assertWhole(server);
});

test('who asks when a commit has just got lost with PostgreSQL gets what is kept', async (t) => {
    const { server, proxy } = await start(t, { DB_POOL_MAX: '1', DB_POOL_ACQUIRE_TIMEOUT: '2s' });
    const admin = await server.signIn();
    const risk = await makeRisk(admin);
    let number = 100;
    const patch = async () => (await admin.patch(`/risks/${risk.id}`, { owner: `patch ${++number}` })).status;
    const ways = [];
    for (let round = 0; round < 3; round++) {
        await waitFor(async () => (await patch()) === 200, 'a write');
        const length = await measure(proxy, 'fromServer', patch);
        await admin.expect(200, 'GET', '/assets');
        // The answer to COMMIT is the last of them, and the watch's answers go another way.
        (await linkOf(proxy, patch)).cutAfter(length - 10, 'fromServer');
        const { cuts } = proxy;
        const lost = patch();
        await waitFor(() => proxy.cuts > cuts, 'the cut');
        await proxy.down();
        assert.strictEqual(await lost, 503);
        const reply = await admin.get('/assets');
        assert.strictEqual(reply.status, 200, reply.body);
        ways.push(reply.headers['cache-status']);
        await proxy.pass();
        await waitFor(async () => (await patch()) === 200, 'a write');
    }
    t.diagnostic(`figure: asked between a lost commit and the next look at the database: ${ways.join(', ')}`);
    await assertWhole(server);
});

test('a PostgreSQL that is silent is known to be away before what is kept is doubtful', async (t) => {
    const { server, proxy } = await start(t, { DB_STATEMENT_TIMEOUT: '60s', CACHE_TTL_STATS: '10m' });
    const admin = await server.signIn();
    const ask = () => admin.expect(200, 'GET', '/stats');
    await ask();
    await proxy.stall();
    const began = performance.now();
    const ways = new Map();
    let longest = 0;
    while (performance.now() - began < 3 * LIMIT_MS) {
        const sent = performance.now();
        const way = (await ask()).headers['cache-status'];
        longest = Math.max(longest, performance.now() - sent);
        ways.set(way, (ways.get(way) || 0) + 1);
    }
    t.diagnostic(`figure: silent for ${3 * LIMIT_MS} ms: ${[...ways].map(([way, count]) => `${way} ×${count}`).join(', ')}; the longest took ${Math.round(longest)} ms`);
    assert.deepStrictEqual([...ways.keys()], ['openrisk; hit', UNVERIFIED]);
    await proxy.pass();
    await assertSettled(server, admin);
});
