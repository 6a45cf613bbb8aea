/** GET /ops: the last hour in steps of ten seconds. What a step is made of: tests/unit/test_hour.c. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { startServer, waitFor } = require('./lib');
const { assertProblem } = require('./register');

const STEP_LIMIT_MS = 40000;

test('GET /ops', async (t) => {
    const server = await startServer(t);
    const admin = await server.signIn();
    const ops = async (query = '') => (await admin.expect(200, 'GET', `/ops${query}`)).json;

    await t.test('is for admins, and refuses what it does not know', async () => {
        assertProblem(await server.client().get('/ops'), 401);
        assertProblem(await (await server.as('viewer')).get('/ops'), 403);
        assertProblem(await (await server.as('analyst')).get('/ops'), 403);
        assertProblem(await admin.get('/ops?minutes=0'), 400);
        assertProblem(await admin.get('/ops?minutes=61'), 400);
        assertProblem(await admin.get('/ops?hours=1'), 400);
    });

    await t.test('has a step for each ten seconds, with what happened in it', async () => {
        const before = (await ops()).at.length;
        for (let i = 0; i < 20; i++) {
            await admin.expect(200, 'GET', '/stats');
        }
        await admin.expect(404, 'GET', '/risks/999999');
        const now = await waitFor(async () => {
            const found = await ops();
            return found.at.length > before && found.routes.some(({ route }) => route === '/api/v1/stats') && found;
        }, 'a step to end', STEP_LIMIT_MS);
        assert.strictEqual(now.step_seconds, 10);
        assert.ok(now.at.every((time, i) => i === 0 || Date.parse(time) - Date.parse(now.at[i - 1]) > 9000), now.at.join());
        const series = [now.hit_rate, now.pool.in_use, now.pool.waiting, now.process.cpu, now.process.resident_bytes];
        for (const requests of [now.all, ...now.routes]) {
            series.push(requests.rate, requests.errors, requests.p50_ms, requests.p95_ms, requests.p99_ms);
        }
        assert.ok(series.every((numbers) => numbers.length === now.at.length));
        const stats = now.routes.find(({ route }) => route === '/api/v1/stats');
        assert.strictEqual(stats.method, 'GET');
        assert.ok(Math.abs(stats.rate.reduce((sum, rate) => sum + rate, 0) - 2) < 0.2, `${stats.rate}`);
        assert.ok(stats.errors.every((rate) => rate === 0));
        const step = stats.rate.findIndex((rate) => rate > 0);
        assert.ok(stats.p50_ms[step] > 0 && stats.p50_ms[step] <= stats.p95_ms[step] && stats.p95_ms[step] <= stats.p99_ms[step]);
        assert.ok(now.hit_rate[step] > 0 && now.hit_rate[step] <= 1, `${now.hit_rate}`);
        assert.ok(now.process.resident_bytes.every((bytes) => bytes > 1e6));
        assert.ok(!now.routes.some(({ route }) => route.includes('999999')), 'a route is a pattern');
        assert.deepStrictEqual((await ops('?minutes=1')).at.slice(-1), (await ops()).at.slice(-1));
    });
});
