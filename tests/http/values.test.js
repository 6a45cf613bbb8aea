/** The values in use, which a form offers: each once, sorted as people sort, of what is not deleted. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { startServer } = require('./lib');
const { assertProblem, makeRisk } = require('./register');

const LOOKED_AT = 2000;

async function fill(admin) {
    const owners = ['Zoe', 'ann', 'Bo', 'Ann', 'Émile', 'ann', 'Bo', null];
    for (const [i, owner] of owners.entries()) {
        await makeRisk(admin, {
            owner,
            category: i % 2 ? 'Odd' : 'Even',
            tags: ['every', `tag ${i % 3}`],
            frameworks: i === 4 ? ['ISO 27001', 'NIST CSF'] : [],
            source: i > 5 ? 'Audit' : null,
        });
    }
    const gone = await makeRisk(admin, { owner: 'Gone', category: 'Gone', tags: ['gone'], frameworks: ['gone'], source: 'gone' });
    await admin.expect(204, 'DELETE', `/risks/${gone.id}`);
    return gone;
}

test('values in use', async (t) => {
    const server = await startServer(t);
    const admin = await server.signIn();
    const values = async (query) => (await admin.expect(200, 'GET', `/risks/values${query}`)).json;

    await t.test('of an empty register there are none', async () => {
        for (const member of ['owner', 'category', 'tag', 'framework', 'source']) {
            assert.deepStrictEqual(await values(`?member=${member}`), { items: [], is_complete: true });
        }
    });

    const gone = await fill(admin);

    await t.test('are each told once, without those of deleted risks, in the order of people', async () => {
        assert.deepStrictEqual(await values('?member=owner'), { items: ['Ann', 'ann', 'Bo', 'Émile', 'Zoe'], is_complete: true });
        assert.deepStrictEqual(await values(''), await values('?member=owner'));
        assert.deepStrictEqual((await values('?member=category')).items, ['Even', 'Odd']);
        assert.deepStrictEqual((await values('?member=tag')).items, ['every', 'tag 0', 'tag 1', 'tag 2']);
        assert.deepStrictEqual((await values('?member=framework')).items, ['ISO 27001', 'NIST CSF']);
        assert.deepStrictEqual((await values('?member=source')).items, ['Audit']);
    });

    await t.test('are found by any part, whatever its case and accents', async () => {
        assert.deepStrictEqual((await values('?q=AN')).items, ['Ann', 'ann']);
        assert.deepStrictEqual((await values('?q=emi')).items, ['Émile']);
        assert.deepStrictEqual((await values('?member=tag&q=G%201')).items, ['tag 1']);
        assert.deepStrictEqual(await values('?q=nobody'), { items: [], is_complete: true });
        assert.deepStrictEqual((await values('?q=%20')).items.length, 5);
        assert.deepStrictEqual((await values('?q=%25')).items, []);
    });

    await t.test('are as many as are asked for, and the answer tells whether there are more', async () => {
        assert.deepStrictEqual(await values('?limit=4'), { items: ['Ann', 'ann', 'Bo', 'Émile'], is_complete: false });
        assert.strictEqual((await values('?limit=5')).is_complete, true);
        assert.strictEqual((await values('?limit=2&q=ann')).is_complete, true);
        assert.strictEqual((await values('?limit=1&q=ann')).is_complete, false);
    });

    await t.test('follow every write', async () => {
        await admin.expect(200, 'POST', `/risks/${gone.id}/restore`);
        assert.deepStrictEqual((await values('?q=gone')).items, ['Gone']);
        assert.deepStrictEqual((await values('?member=tag&q=gone')).items, ['gone']);
        await admin.expect(200, 'PATCH', `/risks/${gone.id}`, { owner: 'Back', tags: [] });
        assert.deepStrictEqual((await values('?q=gone')).items, []);
        assert.deepStrictEqual((await values('?q=back')).items, ['Back']);
        assert.deepStrictEqual((await values('?member=tag&q=gone')).items, []);
    });

    await t.test('refuse what is no parameter', async () => {
        for (const [query, name] of [['member=title', 'member'], ['member=', 'member'], ['limit=0', 'limit'], ['limit=101', 'limit'], ['page=2', 'page'],
            [`q=${'x'.repeat(201)}`, 'q'], ['q=%07', 'q'], ['q=a&q=b', 'q']]) {
            assertProblem(await admin.get(`/risks/values?${query}`), 400, name);
        }
        assertProblem(await server.client().get('/risks/values'), 401);
        assert.strictEqual((await (await server.as('viewer')).get('/risks/values')).status, 200);
    });

    await t.test(`beyond ${LOOKED_AT} different ones not all are looked at, and the answer says so`, async () => {
        const owners = Array.from({ length: LOOKED_AT + 1 }, (_, i) => `Person ${String(i).padStart(4, '0')}`);
        const load = (list) => {
            const risks = list.map((owner) => ({ title: 'Many', impact: 1, probability: 1, category: owner, tags: [owner] }));
            return admin.expect(200, 'POST', '/import/risks?format=json', { format: 'openrisk', version: 1, risks });
        };
        await load(owners.slice(0, LOOKED_AT - 2)); // With "Even", "Gone" and "Odd".
        assert.deepStrictEqual(await values('?member=category&q=person%201997'), { items: [], is_complete: false });
        assert.deepStrictEqual(await values('?member=category&q=person%201996'), { items: ['Person 1996'], is_complete: false });
        assert.deepStrictEqual((await values('?member=category&limit=3')).items, ['Even', 'Gone', 'Odd']);
        await admin.expect(200, 'PATCH', `/risks/${gone.id}`, { category: null });
        assert.deepStrictEqual(await values('?member=category&q=person%201997'), { items: ['Person 1997'], is_complete: true });
    });
});
