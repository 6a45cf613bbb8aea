/** PostgreSQL dies amid everything and comes back: what clients are told meanwhile, and what is left of it. */
'use strict';

const assert = require('node:assert');
const { after, before, test } = require('node:test');

const { ADMIN, startServer, waitFor } = require('../http/lib');
const { HIT, UNVERIFIED, assertWay } = require('../http/cached');
const { assertProblem, makeRisk } = require('../http/register');
const { startPostgres } = require('../tools/postgres');
const { startLoad } = require('./load');
const { assertSettled, assertWhole, healthOf } = require('./state');

const AWAY_MS = 10000;
const BEFORE_MS = 2000;
const AFTER_MS = 2000;
const BACK_LIMIT_MS = 5000;
const ACQUIRE_MS = 2000;
const MAX = 10;
const CLIENTS = { kept: 12, assets: 14, lists: 16, writers: 8, strangers: 2, nobodies: 10, signers: 2 };
const SETTINGS = {
    DB_POOL_MAX: String(MAX),
    DB_POOL_MAX_WAITING: '200',
    DB_POOL_ACQUIRE_TIMEOUT: `${ACQUIRE_MS}ms`,
    CACHE_TTL_RISKS: '1h',
};

let cluster; // this file's alone, so that it may be killed
before(async () => (cluster = await startPostgres()));
after(() => cluster.stop());

async function start(t, env) {
    const server = await startServer(t, { env: { ...SETTINGS, DATABASE_URL: await cluster.createDatabase(), ...env } });
    return server;
}

function pass(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Look at /health and /readyz all the time: {status, database, ready, open} as they came. */
function watchHealth(server) {
    const seen = [];
    let isStopping = false;
    const turns = (async () => {
        while (!isStopping) {
            const { status, database, pool } = await healthOf(server);
            seen.push({ at: performance.now(), status, database, ready: (await server.ops.get('/readyz')).status, open: pool.open });
            await pass(50);
        }
    })();
    const stop = async () => {
        isStopping = true;
        await turns;
        return seen;
    };
    return { seen, stop };
}

/** Each of these must be had again after the return: how long each took, in ms. */
async function measureReturn(load, risk) {
    const { server, admin } = load;
    const began = performance.now();
    const isVerified = ({ status, headers }) => status === 200 && headers['cache-status'] !== UNVERIFIED;
    const wanted = {
        'kept answer': async () => isVerified(await admin.get(`/risks/${risk.id}`)),
        'new answer': async () => (await admin.get('/users/me')).status === 200,
        write: async () => (await admin.patch(`/risks/${risk.id}`, { owner: `after ${performance.now()}` })).status === 200,
        'sign-in': async () => (await server.client().post('/auth/login', ADMIN)).status === 200,
    };
    const times = Object.entries(wanted).map(async ([name, isHad]) => {
        await waitFor(isHad, `a ${name} after the return`, BACK_LIMIT_MS + load.lateness.maxMs);
        return `${name} ${Math.round(performance.now() - began)}`;
    });
    return Promise.all(times);
}

function assertOnly(load, answers, expected, when) {
    const others = answers.filter((answer) => !expected(answer));
    assert.strictEqual(others.length, 0, `${when}: ${load.summary(others)} of ${load.summary(answers)}`);
}

const isFine = ({ status, isUnverified, kind }) => [200, 201, 204, 304].includes(status) && !isUnverified || (kind === 'no token' && status === 401);

test(`SIGKILL of PostgreSQL for ${AWAY_MS / 1000} s under 64 clients`, async (t) => {
    const server = await start(t);
    const own = await makeRisk(await server.signIn());
    const load = await startLoad(t, server, { ...CLIENTS, patienceMs: ACQUIRE_MS + 1000 });
    await pass(BEFORE_MS);
    const health = watchHealth(server);
    t.after(() => health.stop());
    const logBefore = server.log.length;

    const died = performance.now();
    await cluster.kill();
    const dead = performance.now();
    await pass(AWAY_MS);
    const starting = performance.now();
    await cluster.start();
    const returned = performance.now();
    const times = await measureReturn(load, own);
    const settled = performance.now();
    await pass(AFTER_MS);
    const seen = await health.stop();
    await load.stop();

    const sent = (from, to) => load.answers.filter((answer) => answer.sent >= from && answer.ended < to);
    const [earlier, away, later] = [sent(0, died), sent(dead, starting), sent(settled, Infinity)];
    t.diagnostic(`figure: before: ${load.summary(earlier)}`);
    t.diagnostic(`figure: PostgreSQL dead for ${Math.round(starting - died)} ms: ${load.summary(away)} (deadline ${ACQUIRE_MS} ms; this process was up to ${Math.round(load.lateness.maxMs)} ms late)`);
    t.diagnostic(`figure: after its return, ms until the first: ${times.join(', ')}`);
    t.diagnostic(`figure: after: ${load.summary(later)}`);
    load.assertSound();
    assertOnly(load, earlier, isFine, 'before');
    assertOnly(load, later, isFine, 'after');
    // K is fresh for up to a second after the last look.
    const isMarked = ({ status, isUnverified, kind, sent: when }) => status === 503 || (kind === 'no token' && status === 401)
        || (status === 200 && kind !== 'write' && (isUnverified || when < dead + 1000));
    assertOnly(load, away, isMarked, 'while it was dead');
    for (const kind of ['kept', 'asset', 'list', 'write', 'sign-in', 'new token', 'no token']) {
        assert.ok(earlier.some((answer) => answer.kind === kind), `${kind} before`);
        assert.ok(away.some((answer) => answer.kind === kind), `${kind} while it was dead`);
        assert.ok(later.some((answer) => answer.kind === kind), `${kind} after`);
    }
    assert.ok(away.some(({ isUnverified }) => isUnverified), 'answers were given unverified');

    const down = seen.filter(({ at }) => at > dead + 1500 && at < starting);
    assert.ok(down.length > 10 && down.every(({ status, database, ready }) => status === 503 && database === 'DOWN' && ready === 503), JSON.stringify(down));
    assert.ok(seen.every(({ open }) => open <= MAX), 'never more connections than allowed');
    await waitFor(async () => (await healthOf(server)).status === 200 && (await server.ops.get('/readyz')).status === 200, '/health and /readyz to be well again');

    const lines = server.log.slice(logBefore).split('\n').filter((line) => line !== '');
    const refusals = lines.filter((line) => / event=requests?(_not_logged)? /.test(line));
    t.diagnostic(`figure: log: ${refusals.length} lines of refused requests, ${lines.length - refusals.length} others`);
    assert.ok(lines.length - refusals.length < 60, lines.filter((line) => !refusals.includes(line)).join('\n'));
    await assertSettled(server, load.admin);
    await assertWhole(server, load);
    const { acknowledged, unsure } = load.truth.count();
    t.diagnostic(`figure: ${acknowledged} acknowledged writes, each is there once; of ${unsure} others nobody knew`);
});

test('CACHE_DB_GRACE: what is kept is given for so long after PostgreSQL has died, then nothing', async (t) => {
    const graceMs = 2000;
    const server = await start(t, { CACHE_DB_GRACE: `${graceMs}ms` });
    const admin = await server.signIn();
    const risk = await makeRisk(admin);
    const route = `/risks/${risk.id}`;
    await admin.expect(200, 'GET', route);
    await waitFor(async () => (await admin.get(route)).headers['cache-status'] === HIT, 'a hit');
    await cluster.kill();
    const dead = performance.now();
    await waitFor(async () => (await admin.expect(200, 'GET', route)).headers['cache-status'] === UNVERIFIED, 'an unverified answer', graceMs);
    const refused = async (promise) => {
        const began = performance.now();
        assertProblem(await promise, 503);
        assert.ok(performance.now() - began < ACQUIRE_MS + 1000, 'not beyond the acquire deadline');
    };
    const signIn = refused(server.client().post('/auth/login', ADMIN));
    const last = await waitFor(async () => {
        const sent = performance.now() - dead;
        const reply = await admin.get(route);
        assert.ok(reply.status === 503 || reply.headers['cache-status'] === UNVERIFIED, `${reply.status} ${reply.headers['cache-status']}`);
        assert.ok(reply.status === 503 || sent <= graceMs, `given ${Math.round(sent)} ms after the death`);
        return reply.status === 503 && sent;
    }, 'the grace to be over', graceMs + 3000);
    t.diagnostic(`figure: a grace of ${graceMs} ms: the first who is refused asks ${Math.round(last)} ms after the death`);
    // It counts from when PostgreSQL was last seen, and it is looked at five times a second.
    assert.ok(last > graceMs - 1000, `${last} ms`);
    await signIn;
    await refused(admin.get(route));
    await cluster.start();
    const returned = performance.now();
    await waitFor(async () => (await admin.get(route)).status === 200, 'an answer after the return', BACK_LIMIT_MS);
    const reply = await admin.expect(200, 'GET', route);
    assertWay(reply, HIT);
    t.diagnostic(`figure: verified again ${Math.round(performance.now() - returned)} ms after the return`);
    await server.client().expect(200, 'POST', '/auth/login', ADMIN);
    await assertSettled(server, admin);
});

test('a restart between two requests is seen by nobody', async (t) => {
    const server = await start(t);
    const admin = await server.signIn();
    for (const [how, end] of [['SIGKILL', () => cluster.kill()], ['a shutdown', () => cluster.shutDown()]]) {
        await admin.expect(200, 'GET', '/users/me');
        const used = performance.now();
        await end();
        await cluster.start();
        // A connection that was used in the last second is not looked at before it is used again.
        await waitFor(() => performance.now() > used + 2000, 'more than that to pass');
        const reply = await admin.get('/users/me');
        assert.strictEqual(reply.status, 200, `after ${how}: ${reply.status} ${reply.body}`);
        await admin.expect(200, 'PATCH', `/risks/${(await makeRisk(admin)).id}`, { owner: how });
    }
    const { general } = await assertSettled(server, admin);
    assert.ok(general.closed.check >= 2 && general.closed.broken === 0, JSON.stringify(general));
});
