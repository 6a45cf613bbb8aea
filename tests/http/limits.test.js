/** More than the server can do at once: refused at once and clearly, nothing lost, and over when it is over. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { ADMIN, startServer, waitFor } = require('./lib');
const { assertProblem, makeRisk } = require('./register');

function countsOf(replies) {
    const counts = {};
    for (const { status } of replies) {
        counts[status] = (counts[status] || 0) + 1;
    }
    return counts;
}

test('more requests than may wait for a connection', async (t) => {
    const server = await startServer(t, { env: { DB_POOL_MAX: '1', DB_POOL_MAX_WAITING: '2' } });
    const admin = await server.signIn();
    for (let i = 0; i < 20; i++) {
        await makeRisk(admin, { description: 'x'.repeat(5000) });
    }

    await t.test('get 503 at once and when to come back; the others are answered', async () => {
        const replies = await Promise.all(Array.from({ length: 60 }, (_, i) => admin.get(`/risks?limit=${100 + i}`)));
        const counts = countsOf(replies);
        assert.strictEqual(counts[200] + counts[503], 60, JSON.stringify(counts));
        for (const reply of replies.filter(({ status }) => status === 503)) {
            assertProblem(reply, 503);
            assert.match(reply.headers['retry-after'], /^[1-9]\d*$/);
        }
    });

    await t.test('a write is done or refused, never both', async () => {
        const risk = { title: 'Crowd', impact: 1, probability: 1 };
        const replies = await Promise.all(Array.from({ length: 40 }, () => admin.post('/risks', risk)));
        const counts = countsOf(replies);
        assert.strictEqual(counts[201] + counts[503], 40, JSON.stringify(counts));
        const { items } = (await admin.expect(200, 'GET', '/risks?q=crowd&limit=200')).json;
        const wanted = replies.filter(({ status }) => status === 201).map(({ json }) => json.id);
        assert.deepStrictEqual(items.map((risk) => risk.id).sort(), wanted.sort());
    });

    await t.test('and afterwards all is well', async () => {
        await waitFor(async () => (await admin.get('/health')).json.status === 'UP', 'the server to be UP');
        await admin.expect(200, 'GET', '/stats');
    });
});

test('many sign-ins at once are answered or told to come back; other requests do not wait for them', async (t) => {
    const server = await startServer(t);
    const admin = await server.signIn();
    let signedIn = 0;
    const signIns = Array.from({ length: 60 }, async () => {
        const reply = await server.client().post('/auth/login', ADMIN);
        signedIn += reply.status === 200;
        return reply;
    });
    await admin.expect(200, 'GET', '/risks');
    const signedInBefore = signedIn;
    const replies = await Promise.all(signIns);
    const counts = countsOf(replies);
    assert.strictEqual((counts[200] || 0) + (counts[429] || 0), 60, JSON.stringify(counts));
    assert.ok(counts[200] >= 1 && counts[429] >= 1, JSON.stringify(counts));
    assert.ok(signedInBefore < counts[200], 'the read waited for all of them');
    for (const reply of replies.filter(({ status }) => status === 429)) {
        assertProblem(reply, 429);
        assert.match(reply.headers['retry-after'], /^[1-9]\d*$/);
    }
    await server.signIn();
});
