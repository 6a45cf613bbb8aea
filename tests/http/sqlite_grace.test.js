/**
 * While the database is away (tests/tools/away.c): who is known gets what is kept, and is told that it is
 * unverified, for a while; all else is refused at once; and when it is back, all is as it was before.
 */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { binary, startServer, waitFor } = require('./lib');
const { HIT, UNVERIFIED, assertWay, statisticsOf } = require('./cached');
const { assertProblem, makeRisk } = require('./register');

const ACQUIRE_MS = 1000;
const KEPT = { CACHE_TTL_RISKS: '1h', CACHE_TTL_STATS: '1h', DB_POOL_ACQUIRE_TIMEOUT: `${ACQUIRE_MS}ms` };
const LIST = '/risks?limit=5';

async function startAway(t, env) {
    const program = path.join(path.dirname(binary()), 'tests/away');
    const server = await startServer(t, { program, env: { ...KEPT, ...env } });
    const file = path.join(server.folder, 'openrisk.db.away');
    const health = () => server.client().get('/health');
    const waitForHealth = (status) => waitFor(async () => (await health()).json.checks.database.status === status, `the database to be ${status}`);
    return {
        server,
        file,
        goAway: async () => {
            fs.writeFileSync(file, '');
            await waitForHealth('DOWN');
        },
        comeBack: async () => {
            fs.rmSync(file);
            await waitForHealth('UP');
        },
    };
}

/** What is not to be had: 503, soon, with the advice to try again. */
async function assertRefused(promise) {
    const began = Date.now();
    const reply = await promise;
    assertProblem(reply, 503);
    assert.match(reply.headers['retry-after'], /^[1-9]\d*$/);
    assert.ok(Date.now() - began < ACQUIRE_MS + 1000, 'it did not wait beyond the acquire deadline');
}

/** K is fresh for up to a second after the database went; then answers are unverified. */
async function waitForUnverified(client, route) {
    await waitFor(async () => {
        const reply = await client.expect(200, 'GET', route);
        return reply.headers['cache-status'] === UNVERIFIED;
    }, 'an answer to be unverified');
}

test('while the database is away', async (t) => {
    const { server, goAway, comeBack } = await startAway(t);
    const analyst = await server.as('analyst');
    const admin = await server.signIn();
    const unknown = await server.signIn(); // Nobody has asked with this token yet.
    const risk = await makeRisk(analyst, { title: 'Before', description: 'Long. '.repeat(500) });
    const kept = { list: await analyst.expect(200, 'GET', LIST), risk: await analyst.expect(200, 'GET', `/risks/${risk.id}`) };
    const noted = (await admin.expect(201, 'POST', '/tokens', { name: 'of a script' })).json.token;
    await admin.expect(200, 'GET', LIST);
    const { responses: before, sessions: sessionsBefore } = await statisticsOf(admin);
    await goAway();
    await waitForUnverified(analyst, LIST);

    await t.test('who is known gets what is kept, marked', async () => {
        const reply = await analyst.expect(200, 'GET', LIST);
        assertWay(reply, UNVERIFIED);
        assert.strictEqual(reply.body, kept.list.body);
        assert.strictEqual(reply.headers.etag, kept.list.headers.etag);
        const one = await analyst.expect(200, 'GET', `/risks/${risk.id}`, undefined, { 'Accept-Encoding': 'gzip' });
        assertWay(one, UNVERIFIED);
        assert.strictEqual(one.headers['content-encoding'], 'gzip');
        assert.strictEqual(one.body, kept.risk.body);
    });

    await t.test('304 and HEAD are marked too', async () => {
        const same = await analyst.get(LIST, { 'If-None-Match': kept.list.headers.etag });
        assert.strictEqual(same.status, 304);
        assertWay(same, UNVERIFIED);
        const head = await analyst.expect(200, 'HEAD', LIST);
        assertWay(head, UNVERIFIED);
        assert.strictEqual(head.body, '');
    });

    await t.test('all else is refused soon, and may be tried again', async () => {
        await assertRefused(analyst.get('/risks?limit=6'));
        await assertRefused(analyst.post('/risks', { title: 'New', impact: 1, probability: 1 }));
        await assertRefused(analyst.patch(`/risks/${risk.id}`, { title: 'Changed' }, { 'If-Match': '*' }));
        await assertRefused(analyst.get('/users/me'));
        await assertRefused(unknown.get(LIST));
        await assertRefused(server.client(noted).get(LIST));
        await assertRefused(server.client().post('/auth/login', { email: 'admin@example.org', password: 'x' }));
    });

    await t.test('GET /pool is answered to an admin who is known', async () => {
        const { general } = (await admin.expect(200, 'GET', '/pool')).json;
        assert.ok(general.timed_out + general.refused > 0, JSON.stringify(general));
        assertProblem(await analyst.get('/pool'), 403);
        await assertRefused(unknown.get('/pool'));
    });

    await t.test('a token that nobody made is refused as ever', async () => {
        assertProblem(await server.client('made up').get(LIST), 401);
    });

    await t.test('a refusal does not drive out what is kept', async () => {
        assertWay(await analyst.expect(200, 'GET', LIST), UNVERIFIED);
    });

    await t.test('/health and /readyz say so', async () => {
        const health = await server.client().get('/health');
        assert.strictEqual(health.status, 503);
        assert.strictEqual(health.json.status, 'DOWN');
        assert.strictEqual(health.json.checks.database.status, 'DOWN');
        assert.strictEqual(health.json.checks.database.latency_us, undefined);
        assert.ok(health.json.checks.database.checked_ms_ago < 2000, health.body);
        assert.strictEqual((await server.ops.get('/readyz')).status, 503);
        assert.strictEqual((await server.ops.get('/livez')).status, 200);
    });

    await t.test('when it is back, answers are verified and show what was written meanwhile', async () => {
        await server.cli(['import', path.join(__dirname, '../data/kev.csv'), '--format', 'kev'], { sees: false });
        assertWay(await analyst.expect(200, 'GET', LIST), UNVERIFIED);
        await comeBack();
        assert.strictEqual((await server.ops.get('/readyz')).status, 200);
        const reply = await analyst.expect(200, 'GET', LIST);
        assert.notStrictEqual(reply.headers['cache-status'], UNVERIFIED);
        assert.ok(reply.json.total > 1, `${reply.json.total} risks`);
        assertWay(await analyst.expect(200, 'GET', LIST), HIT);
        await unknown.expect(200, 'GET', LIST);
        await analyst.expect(201, 'POST', '/risks', { title: 'New', impact: 1, probability: 1 });
    });

    await t.test('what was unverified has been counted', async () => {
        const { responses, sessions } = await statisticsOf(admin);
        assert.strictEqual(before.unverified + sessionsBefore.unverified, 0);
        assert.ok(responses.unverified >= 7, JSON.stringify(responses));
        assert.ok(sessions.unverified >= responses.unverified, JSON.stringify(sessions));
        assert.ok(responses.hits - before.hits >= responses.unverified, 'they are hits');
    });
});

test('after CACHE_DB_GRACE nothing is given any more, until the database is back', async (t) => {
    const { server, goAway, comeBack } = await startAway(t, { CACHE_DB_GRACE: '2s' });
    const admin = await server.signIn();
    await admin.expect(200, 'GET', LIST);
    await goAway();
    await waitForUnverified(admin, LIST);
    await waitFor(async () => (await admin.get(LIST)).status === 503, 'the grace to be over');
    await assertRefused(admin.get(LIST));
    await comeBack();
    await admin.expect(200, 'GET', LIST);
});

test('CACHE_DB_GRACE=0: nothing unverified is ever given', async (t) => {
    const { server, goAway } = await startAway(t, { CACHE_DB_GRACE: '0' });
    const admin = await server.signIn();
    await admin.expect(200, 'GET', LIST);
    await goAway();
    await waitFor(async () => {
        const reply = await admin.get(LIST);
        assert.ok(reply.status === 503 || reply.headers['cache-status'] === HIT, `${reply.status} ${reply.headers['cache-status']}`);
        return reply.status === 503;
    }, 'K to be doubtful');
    await assertRefused(admin.get(LIST));
});

test('that a use is to be noted sends nobody to a database that is away', async (t) => {
    const { server, goAway } = await startAway(t);
    const admin = await server.signIn();
    const made = (await admin.expect(201, 'POST', '/tokens', { name: 'of a script' })).json;
    const script = server.client(made.token);
    fs.writeFileSync(path.join(server.folder, 'openrisk.db.unwritable'), ''); // So it is tried again each second.
    const asked = Date.now();
    await script.expect(200, 'GET', LIST);
    await waitFor(() => Date.now() > asked + 500, 'half of that second to pass'); // K is fresh for one more.
    await goAway();
    await waitFor(async () => {
        const { headers } = await script.expect(200, 'GET', LIST);
        assert.ok(headers['cache-status'] === UNVERIFIED || !headers['x-request-id'], 'a worker was asked for a hit');
        return headers['cache-status'] === UNVERIFIED;
    }, 'an answer to be unverified');
});

test('who has lost access while the database was away gets nothing new when it is back', async (t) => {
    const { server, file, goAway } = await startAway(t);
    const viewer = await server.as('viewer');
    await viewer.expect(200, 'GET', LIST);
    await goAway();
    await waitForUnverified(viewer, LIST);
    const { code } = await server.cli(['user', 'deactivate', viewer.user.email], { sees: false });
    assert.strictEqual(code, 0);
    assertWay(await viewer.expect(200, 'GET', LIST), UNVERIFIED); // Nobody here can know.
    fs.rmSync(file); // The first to find it back may be the request.
    assertProblem(await viewer.get('/risks?limit=6'), 401);
    assertProblem(await viewer.get(LIST), 401);
});
