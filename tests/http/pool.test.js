/** What GET /pool and GET /health say of the database's connections. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { startServer, waitFor } = require('./lib');
const { assertProblem } = require('./register');

/** What must hold of one pool at any moment. */
function assertSound(pool) {
    assert.ok(pool.in_use + pool.idle <= pool.open, JSON.stringify(pool));
    assert.ok(pool.open + pool.opening <= pool.max_open, JSON.stringify(pool));
    assert.ok(pool.max_idle <= pool.max_open, JSON.stringify(pool));
    assert.ok(pool.workers <= pool.max_open, JSON.stringify(pool));
    const closed = Object.values(pool.closed).reduce((sum, count) => sum + count, 0);
    assert.strictEqual(pool.opened - closed, pool.open, JSON.stringify(pool));
    assert.strictEqual(pool.wait.count, pool.jobs);
    assert.ok(pool.wait.mean_us <= pool.wait.max_us, JSON.stringify(pool));
    assert.strictEqual(pool.cannot_open_for_ms, null);
}

test('GET /pool', async (t) => {
    const server = await startServer(t, { env: { DB_POOL_MAX: '3', DB_POOL_MAX_IDLE: '2', DB_POOL_MAX_WAITING: '7' } });
    const admin = await server.signIn();
    const pools = async () => (await admin.expect(200, 'GET', '/pool')).json;

    await t.test('shows both pools, their limits and what happened to connections', async () => {
        const { general, password } = await pools();
        [general, password].forEach(assertSound);
        const { max_open, max_idle, max_waiting } = general;
        assert.deepStrictEqual({ max_open, max_idle, max_waiting }, { max_open: 3, max_idle: 2, max_waiting: 7 });
        assert.strictEqual(password.max_open, 1);
        assert.strictEqual(password.jobs, 1); // the signing in
        assert.deepStrictEqual(Object.keys(general.closed), ['lifetime', 'idle', 'surplus', 'broken', 'check', 'stopping']);
    });

    await t.test('counts each request that was served, and each that was refused', async () => {
        const before = (await pools()).general;
        const replies = await Promise.all(Array.from({ length: 100 }, (_, i) => admin.get(`/users?limit=${1 + i}`)));
        const served = replies.filter(({ status }) => status === 200).length;
        const refused = replies.filter(({ status }) => status === 503).length;
        assert.strictEqual(served + refused, 100);
        const { general } = await waitFor(async () => {
            const now = await pools();
            return now.general.in_use === 0 && now;
        }, 'the pool to be at rest');
        assertSound(general);
        assert.strictEqual(general.jobs - before.jobs, served);
        assert.strictEqual(general.refused - before.refused, refused);
        assert.strictEqual(general.verdict, 'ok');
        assert.strictEqual(general.waiting, 0);
        t.diagnostic(`figure: 100 at once for 3 connections and a line of 7: ${served} served, ${refused} refused`);
    });

    await t.test('connections beyond DB_POOL_MAX_IDLE go after a second', async () => {
        await waitFor(async () => (await pools()).general.open <= 2, 'the surplus to be closed');
        assertSound((await pools()).general);
    });

    await t.test('is never cached, has no parameters, and is for admins', async () => {
        const reply = await admin.expect(200, 'GET', '/pool');
        assert.match(reply.headers['cache-control'], /no-store|no-cache|private/);
        assertProblem(await admin.get('/pool?verbose'), 400);
        assertProblem(await (await server.as('analyst')).get('/pool'), 403);
        assertProblem(await (await server.as('viewer')).get('/pool'), 403);
        assertProblem(await server.client().get('/pool'), 401);
    });

    await t.test('GET /health has the state of the general one, for everybody', async () => {
        const { pool } = (await server.client().expect(200, 'GET', '/health')).json.checks;
        assert.strictEqual(pool.status, 'UP');
        assert.strictEqual(pool.max_open, 3);
        assert.ok(pool.in_use + pool.idle <= pool.open, JSON.stringify(pool));
        assert.strictEqual(pool.verdict, 'ok');
    });
});

test('GET /pool works without a cache of sessions', async (t) => {
    const server = await startServer(t, { env: { CACHE_ENABLED: 'false' } });
    const admin = await server.signIn();
    const { general } = (await admin.expect(200, 'GET', '/pool')).json;
    assertSound(general);
    assert.strictEqual(general.in_use, 1);
    assertProblem(await (await server.as('analyst')).get('/pool'), 403);
});
