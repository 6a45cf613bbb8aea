/** SIGTERM: what was asked is answered whole, and the server ends in time, whatever PostgreSQL does. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { FULL, inTime, startServer, waitFor } = require('../http/lib');
const { assertProblem, makeRisk } = require('../http/register');
const { startLoad } = require('./load');
const { startBehindProxy } = require('./proxied');
const { assertWhole, pools } = require('./state');

const END_LIMIT_MS = 10000; // that of SHUTDOWN_TIMEOUT, where nothing else is set
const SHORT_MS = FULL ? END_LIMIT_MS : 5000;
const BEFORE_MS = 1000;
const ROUNDS = 3;
const WAITING = 30;
/* On a machine with much to do what is sent takes so long to the server's side of a connection. */
const ON_ITS_WAY_MS = 10;
/* Who connects, or asks again on a connection that is just being closed, comes too late. */
const TOO_LATE = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE'];

/** SIGTERM, and the end: how long it took, in ms. */
async function terminate(server, limitMs = END_LIMIT_MS) {
    const began = performance.now();
    server.run.child.kill('SIGTERM');
    const { code, signal } = await inTime(server.run.exited, 'ending after SIGTERM', END_LIMIT_MS + 5000);
    const tookMs = performance.now() - began;
    assert.strictEqual(code, 0, `${code ?? signal}: ${server.log.slice(-2000)}`);
    assert.ok(tookMs < limitMs, `it took ${Math.round(tookMs)} ms`);
    return tookMs;
}

for (let round = 1; round <= ROUNDS; round++) {
    test(`SIGTERM under load: nothing that was asked is dropped (${round})`, async (t) => {
        const server = await startServer(t, { engine: 'postgres', env: { DB_POOL_MAX_WAITING: '200' } });
        const load = await startLoad(t, server, { kept: 8, lists: 12, writers: 12, strangers: 1, nobodies: 5, signers: 1, patienceMs: END_LIMIT_MS });
        load.mayFailWith = TOO_LATE;
        await new Promise((resolve) => setTimeout(resolve, BEFORE_MS + 37 * round));
        await waitFor(() => load.underWay >= 5, 'requests to be under way');
        const stopping = performance.now();
        const tookMs = await terminate(server);
        await load.stop();
        await server.stop(); // It has ended, and without a sanitizer's report.
        load.assertSound();
        const isCut = ({ status, sent, ended }) => status === 0 && sent < stopping - ON_ITS_WAY_MS && ended > stopping;
        const [underWay, cut, late] = [
            load.answers.filter(({ sent, ended }) => sent < stopping && ended > stopping),
            load.answers.filter(isCut),
            load.answers.filter(({ status, sent }) => status === 0 && sent >= stopping - ON_ITS_WAY_MS),
        ];
        t.diagnostic(`figure: SIGTERM: ended after ${Math.round(tookMs)} ms; ${underWay.length} requests were under way (${load.summary(underWay)}), ${late.length} came too late`);
        assert.deepStrictEqual(cut.map((one) => ({ ...one, beforeMs: stopping - one.sent })), [], 'asked before SIGTERM');
        assert.ok(underWay.length > 0, 'there were requests under way');
        assert.ok(underWay.every(({ status }) => status !== 503), load.summary(underWay));
        await assertWhole(server, load);
    });
}

for (const [how, fault] of [['is gone', (proxy) => proxy.down()], ['does not answer', (proxy) => proxy.stall()]]) {
    test(`SIGTERM while PostgreSQL ${how} and requests wait in line`, async (t) => {
        // They would wait for much longer than the server may take for its end.
        const { server, proxy } = await startBehindProxy(t, { DB_POOL_ACQUIRE_TIMEOUT: '60s', SHUTDOWN_TIMEOUT: `${SHORT_MS}ms` });
        const admin = await server.signIn();
        await makeRisk(admin);
        await fault(proxy);
        const replies = [];
        for (let i = 0; i < WAITING; i++) {
            replies.push(admin.get(`/risks?limit=${i + 1}`).catch((error) => error));
        }
        await waitFor(async () => {
            const { general } = await pools(admin);
            return general.waiting + general.in_use >= WAITING - 10;
        }, 'requests to wait');
        const tookMs = await terminate(server, SHORT_MS);
        const all = await Promise.all(replies);
        const whole = all.filter(({ status }) => status === 503);
        t.diagnostic(`figure: SIGTERM while PostgreSQL ${how}: ended after ${Math.round(tookMs)} of ${SHORT_MS} ms; ${whole.length} of ${WAITING} were told 503`);
        await server.stop();
        whole.forEach((reply) => assertProblem(reply, 503));
        assert.strictEqual(whole.length, WAITING, `${all.filter(({ status }) => status !== 503).map(({ message }) => message)}`);
        await proxy.pass();
    });
}
