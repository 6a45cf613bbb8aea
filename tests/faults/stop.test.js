/** SIGTERM: what was asked is answered whole, and the server ends in time, whatever PostgreSQL does. */
'use strict';

const assert = require('node:assert');
const net = require('node:net');
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
const SOCKETS = 40;
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
        const isCut = ({ status, sent, ended }) => status === 0 && sent < stopping && ended > stopping;
        const [underWay, cut, late] = [
            load.answers.filter(({ sent, ended }) => sent < stopping && ended > stopping),
            load.answers.filter(isCut),
            load.answers.filter(({ status, sent }) => status === 0 && sent >= stopping),
        ];
        t.diagnostic(`figure: SIGTERM: ended after ${Math.round(tookMs)} ms; ${underWay.length} requests were under way (${load.summary(underWay)}), ${late.length} came too late`);
        assert.deepStrictEqual(cut.map((one) => ({ ...one, beforeMs: stopping - one.sent })), [], 'asked before SIGTERM');
        assert.ok(underWay.length > 0, 'there were requests under way');
        assert.ok(underWay.every(({ status }) => status !== 503), load.summary(underWay));
        await assertWhole(server, load);
    });
}

/** Someone on a socket of their own: `received` grows. */
async function connectTo(server) {
    const socket = net.connect(Number(new URL(server.url).port), '127.0.0.1');
    const one = { socket, received: '', closed: false };
    socket.setEncoding('latin1').on('data', (text) => (one.received += text));
    socket.on('error', (error) => (one.error = error.code));
    socket.on('close', () => (one.closed = true));
    await waitFor(() => !socket.connecting, 'a connection');
    return one;
}

for (let round = 1; round <= ROUNDS; round++) {
    test(`what the server's sockets hold when SIGTERM comes is answered, on old connections and on new ones (${round})`, async (t) => {
        const server = await startServer(t, { env: { DB_POOL_MAX_WAITING: '200' } });
        const admin = await server.signIn();
        const head = (method, route, more = '') => `${method} /api/v1${route} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${admin.token}\r\n${more}\r\n`;
        const body = '{"title":"Asked at the last moment","impact":1,"probability":1}';
        const post = head('POST', '/risks', `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`) + body;
        const askOf = [() => head('GET', '/stats'), (i) => head('GET', `/risks?limit=${1 + i}`), () => post];
        const old = [];
        for (let i = 0; i < SOCKETS; i++) {
            old.push(await connectTo(server));
            old[i].socket.write(head('GET', '/stats'));
        }
        await waitFor(() => old.every(({ received }) => received.includes('total_risks')), 'answers');
        old.forEach((one) => (one.received = ''));
        process.kill(server.pid, 'SIGSTOP');
        const all = [...old];
        for (let i = 0; i < SOCKETS; i++) {
            all.push(await connectTo(server)); // by the kernel: nobody has accepted it
        }
        all.forEach((one, i) => one.socket.write(askOf[i % askOf.length](i)));
        await waitFor(() => all.every(({ socket }) => socket.writableLength === 0), 'everything to be sent');
        process.kill(server.pid, 'SIGTERM');
        process.kill(server.pid, 'SIGCONT');
        const { code } = await inTime(server.run.exited, 'ending after SIGTERM', END_LIMIT_MS + 5000);
        assert.strictEqual(code, 0);
        await waitFor(() => all.every(({ closed }) => closed), 'the ends of connections');
        const unanswered = all.filter(({ received }, i) => !received.startsWith(`HTTP/1.1 ${i % askOf.length === 2 ? 201 : 200}`));
        assert.deepStrictEqual(unanswered.map((one) => ({ on: old.includes(one) ? 'old' : 'new', received: one.received.slice(0, 40), error: one.error })), []);
        await server.stop();
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
