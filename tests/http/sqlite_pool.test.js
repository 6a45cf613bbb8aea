/** When every connection is held: who waits is told in time, and an operator still sees what is going on. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { startServer, waitFor } = require('./lib');
const { holdWriteLock } = require('./locked');
const { assertProblem } = require('./register');

test('with the only connection held by a write that waits', async (t) => {
    const server = await startServer(t, {
        env: {
            DB_POOL_MAX: '1',
            DB_POOL_ACQUIRE_TIMEOUT: '200ms',
            DB_POOL_LEAK_WARNING: '100ms',
            DB_WRITE_TIMEOUT: '60s',
        },
    });
    const admin = await server.signIn();
    const stranger = await server.signIn();
    await admin.expect(200, 'GET', '/pool'); // now its session is known
    const letGo = await holdWriteLock(t, server);
    const write = admin.post('/risks', { title: 'Slow', impact: 1, probability: 1 });
    const general = async () => (await admin.expect(200, 'GET', '/pool')).json.general;
    await waitFor(async () => (await general()).in_use === 1, 'the write to begin');

    await t.test('a request is told to come back when its time is over, not when the connection is free', async () => {
        const reply = await admin.get('/users');
        assertProblem(reply, 503);
        assert.match(reply.headers['retry-after'], /^[1-9]\d*$/);
        assert.strictEqual((await general()).in_use, 1); // the write still waits
        assert.strictEqual((await general()).timed_out, 1);
    });

    await t.test('the state is shown to an admin who is known, and says who waits', async () => {
        assert.strictEqual((await general()).verdict, 'near_capacity');
        const waiting = admin.get('/users');
        const now = await waitFor(async () => {
            const state = await general();
            return state.waiting === 1 && state;
        }, 'somebody in line');
        assert.strictEqual(now.verdict, 'exhausted');
        assertProblem(await waiting, 503);
        assertProblem(await stranger.get('/pool'), 503);
    });

    await t.test('the log names what holds it, once', async () => {
        // On a busy machine the hash of a password takes as long, too.
        const warnings = () => server.log.split('\n').filter((line) => /event=connection_held_long pool=general/.test(line));
        await waitFor(() => warnings().length > 0, 'the warning');
        const lines = warnings();
        assert.strictEqual(lines.length, 1);
        assert.match(lines[0], /level=warn .*pool=general job=\/risks ms=\d+/);
        assert.strictEqual((await general()).held_long, 1);
    });

    await t.test('and when it is free again all is well', async () => {
        await letGo();
        assert.strictEqual((await write).status, 201);
        await admin.expect(200, 'GET', '/users');
        await waitFor(async () => (await general()).in_use === 0, 'the pool to be at rest');
        assert.strictEqual((await general()).verdict, 'ok');
    });
});
