/**
 * The line before PostgreSQL's connections: who came first is served first, nobody waits beyond the
 * deadline, and whom it has no room for is told at once.
 *
 * A table that somebody has locked makes requests wait. GET /pool needs no connection, so it tells
 * when a request has come into the line, and the next one is sent only then.
 */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { inTime, waitFor } = require('../http/lib');
const { assertProblem } = require('../http/register');
const { sharedPostgres } = require('../tools/postgres');
const { startBehindProxy } = require('./proxied');
const { assertSettled, pools } = require('./state');

const MAX = 10;
const CLIENTS = 500;
const HOLDER = 'holds a lock';
const MANY = { DB_POOL_MAX: String(MAX), HTTP_MAX_CONNECTIONS: '2000', DB_STATEMENT_TIMEOUT: '120s' };

/** Somebody locks the table of risks: what this gives lets go of it. */
async function lockRisks(server) {
    const [cluster, url] = [await sharedPostgres(), server.env.OF_DATABASE];
    const sql = `SET application_name = '${HOLDER}'; BEGIN; LOCK TABLE risk IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)`;
    const session = cluster.query(url, sql).catch((error) => assert.match(error.message, /terminat/));
    const name = new URL(url).pathname.slice(1);
    const held = `FROM pg_stat_activity WHERE application_name = '${HOLDER}' AND datname = '${name}' AND query LIKE '%pg_sleep%' AND wait_event = 'PgSleep'`;
    await waitFor(async () => (await cluster.query(url, `SELECT count(*) ${held}`)) === '1', 'the lock');
    return async () => {
        await cluster.query(url, `SELECT pg_terminate_backend(pid) ${held}`);
        await session;
    };
}

async function start(t, env) {
    const { server, proxy, url } = await startBehindProxy(t, { ...MANY, ...env });
    server.env.OF_DATABASE = url;
    return { server, proxy, admin: await server.signIn() };
}

/** A read that nobody else asks for, so that it is nobody else's load: {number, status, at, tookMs}. */
function ask(server, admin, number, results) {
    const client = server.client(admin.token);
    const began = performance.now();
    return client.get(`/risks?limit=1&page=${number + 1}`).then((reply) => {
        client.close();
        results.push({ number, reply, at: performance.now(), tookMs: performance.now() - began });
    });
}

/** One after the other, each when the one before is in line. */
async function askInTurn(server, admin, count, results) {
    const asked = [];
    for (let number = 0; number < count; number++) {
        asked.push(ask(server, admin, number, results));
        await waitFor(async () => {
            const { in_use, waiting } = (await pools(admin)).general;
            return in_use + waiting === number + 1;
        }, `request ${number} to be in line`, 20000);
    }
    return Promise.all(asked);
}

/** How long those were in the server, in ms, that it refused, of whom there is a line in its log. */
function waitsOf(server) {
    return [...server.log.matchAll(/ level=warn event=request .*route=\/api\/v1\/risks status=503 us=(\d+)/g)].map(([, us]) => Number(us) / 1000);
}

test(`${CLIENTS} clients for ${MAX} connections and a line of ${CLIENTS} are served in the order of their arrival`, async (t) => {
    const { server, proxy, admin } = await start(t, { DB_POOL_MAX_WAITING: String(CLIENTS), DB_POOL_ACQUIRE_TIMEOUT: '100s' });
    const release = await lockRisks(server);
    const results = [];
    const all = askInTurn(server, admin, CLIENTS, results);
    await waitFor(async () => (await pools(admin)).general.waiting === CLIENTS - MAX, 'all to be in line', 60000);
    const { general: full } = await pools(admin);
    assert.deepStrictEqual([full.open, full.in_use, full.verdict], [MAX, MAX, 'exhausted']);
    // Each takes so long on its connection that it matters little who is a little slower.
    await proxy.latency(20);
    await release();
    await all;
    assert.ok(results.every(({ reply }) => reply.status === 200), 'all are served');
    const overtaken = results.map(({ number }, place) => Math.abs(number - place));
    const [mean, most] = [overtaken.reduce((a, b) => a + b) / CLIENTS, Math.max(...overtaken)];
    t.diagnostic(`figure: ${CLIENTS} clients, ${MAX} connections: places between arrival and answer: ${mean.toFixed(1)} on average, ${most} at most`);
    // Of those that run at the same time any may be ready first; and a thread may be kept waiting by the machine.
    assert.ok(mean < MAX, `${mean} on average`);
    assert.ok(most < 6 * MAX, `${most} at most`);
    await proxy.pass();
    const { general } = await assertSettled(server, admin);
    assert.deepStrictEqual([general.refused, general.timed_out], [0, 0]);
});

test('nobody in line waits beyond the deadline', async (t) => {
    const acquireMs = 1000;
    const { server, admin } = await start(t, { DB_POOL_MAX_WAITING: String(CLIENTS), DB_POOL_ACQUIRE_TIMEOUT: `${acquireMs}ms` });
    const release = await lockRisks(server);
    const results = [];
    const all = Array.from({ length: CLIENTS }, (_, number) => ask(server, admin, number, results));
    await waitFor(() => results.length === CLIENTS - MAX, 'all but those under way to be refused', 20000);
    await release();
    await Promise.all(all);
    const [served, refused] = [200, 503].map((status) => results.filter(({ reply }) => reply.status === status));
    assert.deepStrictEqual([served.length, refused.length], [MAX, CLIENTS - MAX]);
    refused.forEach(({ reply }) => {
        assertProblem(reply, 503);
        assert.match(reply.headers['retry-after'], /^[1-9]\d*$/);
    });
    // The clients are slow to begin with: what the server has measured is in its log.
    const waits = waitsOf(server);
    const [least, most] = [Math.min(...waits), Math.max(...waits)];
    t.diagnostic(`figure: ${waits.length} waited for a deadline of ${acquireMs} ms: ${Math.round(least)} to ${Math.round(most)} ms`);
    assert.ok(least >= acquireMs && most < acquireMs + 1000, `${least} to ${most} ms`);
    const { general } = await assertSettled(server, admin);
    assert.strictEqual(general.timed_out, refused.length);
    await server.stop();
    const left = [...server.log.matchAll(/ event=requests_not_logged count=(\d+)/g)].map(([, count]) => Number(count));
    assert.strictEqual(left.reduce((sum, count) => sum + count, waitsOf(server).length), refused.length, 'each is in the log, or counted there');
});

test('the default line: what is beyond it is refused at once and counted', async (t) => {
    const { server, admin } = await start(t, { DB_POOL_ACQUIRE_TIMEOUT: '100s' });
    const release = await lockRisks(server);
    const { max_waiting: line } = (await pools(admin)).general;
    assert.strictEqual(line, 4 * MAX);
    const results = [];
    const first = askInTurn(server, admin, MAX + line, results);
    await waitFor(async () => (await pools(admin)).general.waiting === line, 'the line to be full', 20000);
    const more = CLIENTS - MAX - line;
    await Promise.all(Array.from({ length: more }, (_, i) => ask(server, admin, MAX + line + i, results)));
    assert.ok(results.length === more && results.every(({ reply }) => reply.status === 503), 'they did not wait');
    results.forEach(({ reply }) => {
        assertProblem(reply, 503);
        assert.match(reply.headers['retry-after'], /^[1-9]\d*$/);
    });
    const { general } = await pools(admin);
    assert.deepStrictEqual([general.refused, general.waiting, general.timed_out], [more, line, 0]);
    const waits = await waitFor(() => waitsOf(server).length > 0 && waitsOf(server), 'a line of the log');
    t.diagnostic(`figure: a full line of ${line}: ${more} were refused, the slowest after ${Math.max(...waits).toFixed(1)} ms`);
    // Also just after the machine stood still, when nobody is known for sure.
    for (let i = 0; i < 5; i++) {
        process.kill(server.pid, 'SIGSTOP');
        const asked = pools(admin);
        await new Promise((resolve) => setTimeout(resolve, 1300));
        process.kill(server.pid, 'SIGCONT');
        const { general: now } = await inTime(asked, 'the state of the pool', 20000);
        assert.strictEqual(now.waiting, line);
    }
    await release();
    await first;
    assert.strictEqual(results.filter(({ reply }) => reply.status === 200).length, MAX + line);
    await assertSettled(server, admin);
});
