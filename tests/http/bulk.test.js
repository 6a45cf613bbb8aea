/** Many risks at once: all or nothing, and how what was done is undone. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { startServer } = require('./lib');
const { UNKNOWN_ID, assertProblem, makeRisk } = require('./register');

const restOf = ({ version, updated_at: at, ...rest }) => rest;

async function bulkTests(t, server, analyst) {
    const titled = async (title) => (await analyst.all('/risks')).filter((risk) => risk.title === title);

    await t.test('bulk set changes every named risk in one step', async () => {
        const risks = [];
        for (let i = 0; i < 5; i++) {
            risks.push(await makeRisk(analyst, { title: 'Bulk set' }));
        }
        const set = { status: 'ACCEPTED', owner: 'Bo', category: 'Bulk', tags: ['b', 'c'] };
        const { json } = await analyst.expect(200, 'POST', '/risks/bulk', { ids: risks.map((risk) => risk.id), set });
        assert.deepStrictEqual(json, { updated: 5, items: risks.map(({ id }) => ({ id, version: 2 })) });
        for (const risk of await titled('Bulk set')) {
            const { status, owner, category, tags } = risk;
            assert.deepStrictEqual({ status, owner, category, tags }, set);
            assert.strictEqual(risk.version, 2);
        }
    });

    await t.test('bulk set with one unknown id changes none', async () => {
        const risk = await makeRisk(analyst, { title: 'Bulk refused' });
        const body = { ids: [risk.id, UNKNOWN_ID], set: { status: 'CLOSED' } };
        const reply = await analyst.post('/risks/bulk', body);
        assertProblem(reply, [404, 422]);
        assert.ok(reply.body.includes(UNKNOWN_ID) || reply.body.includes('ids[1]'), `which one? ${reply.body}`);
        assert.deepStrictEqual((await analyst.get(`/risks/${risk.id}`)).json, risk);
    });

    await t.test('bulk delete deletes all or, with one unknown id, none', async () => {
        const risks = [await makeRisk(analyst, { title: 'Bulk delete' }), await makeRisk(analyst, { title: 'Bulk delete' })];
        const ids = risks.map((risk) => risk.id);
        assertProblem(await analyst.post('/risks/bulk', { ids: [...ids, UNKNOWN_ID], delete: true }), [404, 422]);
        assert.strictEqual((await titled('Bulk delete')).length, 2);
        const { json } = await analyst.expect(200, 'POST', '/risks/bulk', { ids, delete: true });
        assert.deepStrictEqual(json, { deleted: 2, items: ids.map((id) => ({ id, version: 2 })) });
        assert.strictEqual((await titled('Bulk delete')).length, 0);
    });

    await t.test('bulk refuses what it cannot mean, and changes nothing', async () => {
        const risk = await makeRisk(analyst, { title: 'Bulk nonsense' });
        const ids = [risk.id];
        const bodies = [
            {},
            { ids },
            { set: { status: 'CLOSED' } },
            { ids: [], set: { status: 'CLOSED' } },
            { ids, set: {} },
            { ids, set: 'x' },
            { ids, set: [] },
            { ids, set: null },
            { ids, set: { status: 'NOPE' } },
            { ids, set: { title: 'not in bulk' } },
            { ids, set: { score: 1 } },
            { ids, set: { status: 'CLOSED' }, delete: true },
            { ids, set: { status: 'CLOSED' }, restore: true },
            { ids, delete: true, restore: true },
            { ids, restore: false },
            { ids, restore: 'yes' },
            { ids: [risk.id, `R-${risk.ref}`], set: { status: 'CLOSED' } },
            { ids, delete: false },
            { ids, delete: 'yes' },
            { ids: risk.id, delete: true },
            { ids: [5], delete: true },
            { ids: Array(201).fill(risk.id), delete: true },
            { ids, changes: [{ id: risk.id, set: { status: 'CLOSED' } }] },
            { changes: [{ id: risk.id, set: { status: 'CLOSED' } }], delete: true },
            { changes: [] },
            { changes: 'x' },
            { changes: ['x'] },
            { changes: [{}] },
            { changes: [{ set: { status: 'CLOSED' } }] },
            { changes: [{ id: 5, set: { status: 'CLOSED' } }] },
            { changes: [{ id: '', set: { status: 'CLOSED' } }] },
            { changes: [{ id: risk.id }] },
            { changes: [{ id: risk.id, set: {} }] },
            { changes: [{ id: risk.id, set: null }] },
            { changes: [{ id: risk.id, set: { title: 'not in bulk' } }] },
            { changes: [{ id: risk.id, set: { status: 'NOPE' } }] },
            { changes: [{ id: risk.id, delete: true }] },
            ...[0, -1, '1', 1.5, null].map((version) => ({ changes: [{ id: risk.id, version, set: { status: 'CLOSED' } }] })),
            { changes: [risk.id, risk.ref].map((id) => ({ id: `${id}`, set: { status: 'CLOSED' } })) },
            { changes: Array.from({ length: 201 }, (_, i) => ({ id: `R-${i + 1}`, set: { status: 'CLOSED' } })) },
        ];
        for (const body of bodies) {
            assertProblem(await analyst.post('/risks/bulk', body), [400, 422]);
        }
        assert.deepStrictEqual((await analyst.get(`/risks/${risk.id}`)).json, risk);
    });

    await t.test('bulk takes 200 risks at once', async () => {
        const ids = [];
        for (let i = 0; i < 200; i += 20) {
            const made = await Promise.all(Array.from({ length: 20 }, () => makeRisk(analyst, { title: 'Two hundred' })));
            ids.push(...made.map((risk) => risk.id));
        }
        await analyst.expect(200, 'POST', '/risks/bulk', { ids, set: { status: 'CLOSED' } });
        assert.strictEqual((await analyst.get('/risks?status=CLOSED&q=Two%20hundred')).json.total, 200);
    });
}

async function restoreTests(t, server, analyst) {
    const admin = await server.signIn();
    const other = await server.as('analyst');

    await t.test('bulk restore brings back what bulk delete took, with all that hung on it', async () => {
        const risks = [await makeRisk(analyst, { title: 'Comes back', tags: ['back'] }), await makeRisk(analyst, { title: 'Comes back' })];
        const ids = risks.map((risk) => risk.id);
        await analyst.expect(201, 'POST', `/risks/${ids[0]}/mitigations`, { title: 'Kept' });
        const before = (await analyst.get(`/risks/${ids[0]}`)).json;
        await analyst.expect(200, 'POST', '/risks/bulk', { ids, delete: true });
        const { json } = await analyst.expect(200, 'POST', '/risks/bulk', { ids, restore: true });
        assert.deepStrictEqual(json, { restored: 2, items: [{ id: ids[0], version: before.version + 2 }, { id: ids[1], version: 3 }] });
        assert.deepStrictEqual(restOf((await analyst.get(`/risks/${ids[0]}`)).json), restOf(before));
        assert.strictEqual((await analyst.get('/risks?tag=back')).json.total, 1);
        assert.deepStrictEqual((await analyst.get(`/risks/${ids[1]}/timeline`)).json.items.map((item) => item.action), ['restored', 'deleted', 'created']);
    });

    await t.test('bulk restore is for who may delete, and for risks that are deleted: else it restores none', async () => {
        const [mine, theirs, there] = [await makeRisk(analyst), await makeRisk(other), await makeRisk(analyst)];
        const ids = [mine.id, theirs.id];
        await admin.expect(200, 'POST', '/risks/bulk', { ids, delete: true });
        assertProblem(await analyst.post('/risks/bulk', { ids, restore: true }), 403, 'ids[1]');
        assertProblem(await admin.post('/risks/bulk', { ids: [...ids, there.id], restore: true }), 409, 'ids[2]');
        assertProblem(await admin.post('/risks/bulk', { ids: [...ids, UNKNOWN_ID], restore: true }), 404, 'ids[2]');
        assertProblem(await analyst.get(`/risks/${mine.id}`), 404);
        await admin.expect(200, 'POST', '/risks/bulk', { ids, restore: true });
        assert.strictEqual((await analyst.get(`/risks/${theirs.id}`)).json.version, 3);
    });
}

async function changesTests(t, analyst) {
    await t.test('changes give each risk its own, and what did not differ is not among what was changed', async () => {
        const [first, second, same] = [await makeRisk(analyst, { owner: 'Ann' }), await makeRisk(analyst), await makeRisk(analyst, { owner: 'Cy' })];
        const changes = [
            { id: first.id, version: 1, set: { owner: null, tags: ['x'] } },
            { id: `R-${second.ref}`, set: { status: 'CLOSED' } },
            { id: same.id, set: { owner: 'Cy' } },
        ];
        const { json } = await analyst.expect(200, 'POST', '/risks/bulk', { changes });
        assert.deepStrictEqual(json, { updated: 3, items: [{ id: first.id, version: 2 }, { id: second.id, version: 2 }] });
        const [now, then] = [(await analyst.get(`/risks/${first.id}`)).json, (await analyst.get(`/risks/${second.id}`)).json];
        assert.deepStrictEqual([now.owner, now.tags, now.status, then.status, then.owner], [null, ['x'], 'ACTIVE', 'CLOSED', null]);
        assert.strictEqual((await analyst.get(`/risks/${same.id}`)).json.version, 1);
    });

    await t.test('a bulk change is undone by the versions that it answered with', async () => {
        const risks = [await makeRisk(analyst, { owner: 'Ann', category: 'A' }), await makeRisk(analyst, { owner: 'Bo' })];
        const { json } = await analyst.expect(200, 'POST', '/risks/bulk', { ids: risks.map((risk) => risk.id), set: { owner: 'Cy', category: null } });
        const before = Object.fromEntries(risks.map(({ id, owner, category }) => [id, { owner, category }]));
        await analyst.expect(200, 'POST', '/risks/bulk', { changes: json.items.map(({ id, version }) => ({ id, version, set: before[id] })) });
        for (const risk of risks) {
            const now = (await analyst.get(`/risks/${risk.id}`)).json;
            assert.strictEqual(now.version, 3);
            assert.deepStrictEqual(restOf(now), restOf(risk));
        }
    });

    await t.test('versions that are not the risks\' are 412, name each of them, and change nothing', async () => {
        const risks = [];
        for (let i = 0; i < 4; i++) {
            risks.push(await makeRisk(analyst, { title: 'Undone too late' }));
        }
        await analyst.expect(200, 'POST', '/risks/bulk', { ids: [risks[1].id, risks[3].id], set: { owner: 'Somebody else' } });
        const changes = risks.map(({ id }) => ({ id, version: 1, set: { owner: 'Me' } }));
        const reply = await analyst.post('/risks/bulk', { changes });
        assertProblem(reply, 412);
        assert.deepStrictEqual(reply.json.errors.map((error) => error.field), ['changes[1]', 'changes[3]']);
        assert.match(reply.json.errors[1].message, /version 2/);
        const owners = await Promise.all(risks.map(async ({ id }) => (await analyst.get(`/risks/${id}`)).json.owner));
        assert.deepStrictEqual(owners, [null, 'Somebody else', null, 'Somebody else']);
        assertProblem(await analyst.post('/risks/bulk', { changes: [...changes, { id: UNKNOWN_ID, set: { owner: 'Me' } }] }), 404, 'changes[4]');
    });

    await t.test('changes take 200 risks at once', async () => {
        const risks = (await analyst.get('/risks?status=CLOSED&q=Two%20hundred&limit=200')).json.items;
        assert.strictEqual(risks.length, 200);
        const changes = risks.map(({ id, version }, i) => ({ id, version, set: { owner: `Owner ${i % 7}` } }));
        const { json } = await analyst.expect(200, 'POST', '/risks/bulk', { changes });
        assert.strictEqual(json.items.length, 200);
        assert.strictEqual((await analyst.get('/risks?owner=Owner%203')).json.total, 29);
    });
}

test('bulk', async (t) => {
    const server = await startServer(t, { env: { DB_POOL_MAX_WAITING: '100' } });
    const analyst = await server.as('analyst');
    await bulkTests(t, server, analyst);
    await restoreTests(t, server, analyst);
    await changesTests(t, analyst);
});
