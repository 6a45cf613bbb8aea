/**
 * Who may use which route: the design's table, written down once more, against what the server
 * declares in its OpenAPI document, and both against what it does.
 */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { startServer } = require('./lib');
const { UNKNOWN_ID, assertProblem, makeAsset, makeRisk, operationsOf } = require('./register');

const WHO = {
    'POST /auth/login': 'public',
    'POST /auth/logout': 'any',
    'GET /users/me': 'any',
    'PATCH /users/me': 'any',
    'POST /users/me/password': 'any',
    'GET /users': 'admin',
    'POST /users': 'admin',
    'PATCH /users/{id}': 'admin',
    'DELETE /users/{id}': 'admin',
    'GET /tokens': 'any',
    'POST /tokens': 'any',
    'DELETE /tokens/{id}': 'any',
    'GET /risks': 'any',
    'POST /risks': 'analyst',
    'GET /risks/{id}': 'any',
    'PATCH /risks/{id}': 'analyst',
    'DELETE /risks/{id}': 'creator_or_admin',
    'POST /risks/{id}/restore': 'creator_or_admin',
    'POST /risks/bulk': 'analyst',
    'GET /risks/values': 'any',
    'GET /risks/{id}/timeline': 'any',
    'GET /risks/{id}/mitigations': 'any',
    'POST /risks/{id}/mitigations': 'analyst',
    'GET /mitigations': 'any',
    'PATCH /mitigations/{id}': 'analyst',
    'DELETE /mitigations/{id}': 'analyst',
    'POST /mitigations/{id}/subactions': 'analyst',
    'PATCH /mitigations/{id}/subactions/{sid}': 'analyst',
    'DELETE /mitigations/{id}/subactions/{sid}': 'analyst',
    'GET /assets': 'any',
    'POST /assets': 'analyst',
    'GET /assets/{id}': 'any',
    'PATCH /assets/{id}': 'analyst',
    'DELETE /assets/{id}': 'creator_or_admin',
    'GET /stats': 'any',
    'GET /stats/risk-matrix': 'any',
    'GET /stats/trends': 'any',
    'GET /stats/risk-distribution': 'any',
    'GET /stats/mitigation-metrics': 'any',
    'GET /stats/top-risks': 'any',
    'GET /activity': 'any',
    'GET /audit-logs': 'admin',
    'POST /import/risks': 'analyst',
    'GET /export/risks.json': 'any',
    'GET /pool': 'admin',
    'GET /ops': 'admin',
    'GET /cache': 'admin',
    'DELETE /cache': 'admin',
    'GET /health': 'public',
    'GET /openapi.json': 'public',
};

/** May they? A token of scope `read` never writes, not even what everybody may. */
const CALLERS = {
    nobody: (who) => who === 'public',
    viewer: (who) => who === 'public' || who === 'any',
    analyst: (who) => who !== 'admin',
    admin: () => true,
    'an admin\'s reading token': (who, method) => who === 'public' || method === 'GET',
};

/** Ask for something that changes nothing: unknown ids, and a body that says nothing. */
function probe(client, { method, path, operation }) {
    const route = path.replace(/\{\w+\}/g, UNKNOWN_ID);
    return client.request(method, route, operation.requestBody ? {} : undefined);
}

test('permissions', async (t) => {
    const server = await startServer(t, { env: { LOGIN_BURST: '1000' } });
    const admin = await server.signIn();
    const operations = operationsOf((await server.client().expect(200, 'GET', '/openapi.json')).json);

    await t.test('the routes and who may use them are those of the design', async () => {
        const declared = Object.fromEntries(operations.map(({ method, path, who }) => [`${method} ${path}`, who]));
        assert.deepStrictEqual(
            Object.entries(declared).map(([route, who]) => `${route}: ${who}`).sort(),
            Object.entries(WHO).map(([route, who]) => `${route}: ${who}`).sort(),
        );
    });

    await t.test('each route lets in those who may, and nobody else', async () => {
        const token = (await admin.expect(201, 'POST', '/tokens', { name: 'reader', scope: 'read' })).json.token;
        const clients = {
            nobody: server.client(),
            viewer: await server.as('viewer'),
            analyst: await server.as('analyst'),
            admin: await server.as('admin'),
            'an admin\'s reading token': server.client(token),
        };
        const wrong = [];
        for (const operation of operations) {
            for (const [name, may] of Object.entries(CALLERS)) {
                const { method, path, who } = operation;
                const allowed = may(who, method);
                if (path === '/auth/logout' && allowed) {
                    continue; // It would end the session; auth.test.js sees to it.
                }
                const reply = await probe(clients[name], operation);
                const refusal = name === 'nobody' ? 401 : 403;
                const isLogin = path === '/auth/login';
                const letIn = isLogin ? reply.status === 422 : reply.status !== 401 && reply.status !== 403;
                if (allowed !== letIn || (!allowed && reply.status !== refusal) || reply.status >= 500) {
                    wrong.push(`${method} ${path} (${who}) for ${name}: ${reply.status} ${reply.body.slice(0, 120)}`);
                }
                if (!allowed) {
                    assertProblem(reply, [401, 403]);
                }
            }
        }
        assert.deepStrictEqual(wrong, []);
    });
});

test('an analyst deletes what they created, an admin everything', async (t) => {
    const server = await startServer(t);
    const admin = await server.signIn();
    const ann = await server.as('analyst');
    const bo = await server.as('analyst');
    const viewer = await server.as('viewer');

    await t.test('a risk', async () => {
        const risk = await makeRisk(ann);
        assertProblem(await viewer.delete(`/risks/${risk.id}`), 403);
        assertProblem(await bo.delete(`/risks/${risk.id}`), 403);
        await bo.expect(200, 'PATCH', `/risks/${risk.id}`, { title: 'Editing is another matter' });
        await ann.expect(204, 'DELETE', `/risks/${risk.id}`);
        assertProblem(await bo.post(`/risks/${risk.id}/restore`), 403);
        await ann.expect(200, 'POST', `/risks/${risk.id}/restore`);
        await admin.expect(204, 'DELETE', `/risks/${risk.id}`);
    });

    await t.test('an asset', async () => {
        const asset = await makeAsset(ann, { name: 'Server' });
        assertProblem(await viewer.delete(`/assets/${asset.id}`), 403);
        assertProblem(await bo.delete(`/assets/${asset.id}`), 403);
        await ann.expect(204, 'DELETE', `/assets/${asset.id}`);
    });

    await t.test('in bulk: one of somebody else refuses all', async () => {
        const mine = await makeRisk(bo);
        const theirs = await makeRisk(ann);
        const body = { ids: [mine.id, theirs.id], delete: true };
        assertProblem(await bo.post('/risks/bulk', body), 403);
        assertProblem(await viewer.post('/risks/bulk', body), 403);
        await bo.expect(200, 'GET', `/risks/${mine.id}`);
        await bo.expect(200, 'POST', '/risks/bulk', { ids: [mine.id], delete: true });
        await admin.expect(200, 'POST', '/risks/bulk', { ids: [theirs.id], delete: true });
        assertProblem(await admin.get(`/risks/${theirs.id}`), 404);
    });

    await t.test('one who became a viewer deletes nothing more', async () => {
        const risk = await makeRisk(bo);
        await admin.expect(200, 'PATCH', `/users/${bo.user.id}`, { role: 'viewer' });
        assertProblem(await bo.delete(`/risks/${risk.id}`), 403);
        assert.strictEqual((await admin.get(`/risks/${risk.id}`)).status, 200);
    });
});
