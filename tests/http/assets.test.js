/** Assets: records, names, and how their criticality moves the scores of their risks. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { startServer } = require('./lib');
const { UNKNOWN_ID, assertProblem, levelOf, makeAsset, makeRisk, randomOf, scoreHundredths } = require('./register');

async function recordTests(t, analyst) {
    await t.test('a new asset needs only a name and leads to itself', async () => {
        const reply = await analyst.expect(201, 'POST', '/assets', { name: ' Mail server ' });
        const { id, created_at: created, updated_at: updated, ...rest } = reply.json;
        assert.ok(Date.parse(created) && updated === created);
        assert.deepStrictEqual({ ...rest, risks: rest.risks || [] }, {
            name: 'Mail server',
            type: null,
            criticality: 'MEDIUM',
            owner: null,
            external_id: null,
            risk_count: 0,
            created_by: analyst.user.id,
            version: 1,
            risks: [],
        });
        const read = await analyst.expect(200, 'GET', `/assets/${id}`);
        assert.strictEqual(reply.headers.location, `/api/v1/assets/${id}`);
        assert.deepStrictEqual(read.json.risks, []);
        assert.strictEqual(read.json.name, 'Mail server');
    });

    await t.test('a PATCH changes only the members present; the second of two editors is told 412', async () => {
        const made = await makeAsset(analyst, { name: 'Printer', type: 'device', owner: 'Ann' });
        const first = { 'If-Match': '"1.0000000000000000"' };
        const patched = await analyst.expect(200, 'PATCH', `/assets/${made.id}`, { owner: null }, first);
        assert.strictEqual(patched.json.owner, null);
        assert.strictEqual(patched.json.type, 'device');
        assert.strictEqual(patched.json.version, 2);
        assertProblem(await analyst.patch(`/assets/${made.id}`, { owner: 'Bo' }, first), 412);
        assertProblem(await analyst.delete(`/assets/${made.id}`, first), 412);
    });

    await t.test('two assets do not share a name, in any case, nor an external id', async () => {
        await makeAsset(analyst, { name: 'Database', external_id: 'CMDB-1' });
        assertProblem(await analyst.post('/assets', { name: 'DATABASE' }), 409, 'name');
        assertProblem(await analyst.post('/assets', { name: 'Other', external_id: 'CMDB-1' }), 409, 'external_id');
        const other = await makeAsset(analyst, { name: 'Another' });
        assertProblem(await analyst.patch(`/assets/${other.id}`, { name: 'database' }), 409, 'name');
        assert.strictEqual((await analyst.get(`/assets/${other.id}`)).json.name, 'Another');
    });

    await t.test('what does not exist is 404', async () => {
        assertProblem(await analyst.get(`/assets/${UNKNOWN_ID}`), 404);
        assertProblem(await analyst.get('/assets/nonsense'), 404);
        assertProblem(await analyst.patch(`/assets/${UNKNOWN_ID}`, { name: 'x' }), 404);
        assertProblem(await analyst.delete(`/assets/${UNKNOWN_ID}`), 404);
    });

    await t.test('the list has pages, and counts the risks of each', async () => {
        const asset = await makeAsset(analyst, { name: 'Counted' });
        const risk = await makeRisk(analyst, { asset_ids: [asset.id] });
        await makeRisk(analyst, { asset_ids: [asset.id] });
        const countOf = async () => (await analyst.get('/assets?limit=200')).json.items.find((one) => one.id === asset.id).risk_count;
        assert.strictEqual(await countOf(), 2);
        await analyst.expect(204, 'DELETE', `/risks/${risk.id}`);
        assert.strictEqual(await countOf(), 1);
        await analyst.expect(200, 'POST', `/risks/${risk.id}/restore`);
        assert.strictEqual(await countOf(), 2);
        const page = (await analyst.get('/assets?limit=2')).json;
        assert.strictEqual(page.items.length, 2);
        assert.ok(page.total > 2 && page.next);
        assertProblem(await analyst.get('/assets?nope=1'), 400, 'nope');
    });
}

async function scoreTests(t, analyst) {
    await t.test('a change of criticality rescores the risks before it is answered', async () => {
        const asset = await makeAsset(analyst, { name: 'Core router', criticality: 'LOW' });
        const risk = await makeRisk(analyst, { title: 'Cut cable', impact: 4, probability: 4, asset_ids: [asset.id] });
        const closed = await makeRisk(analyst, { impact: 5, probability: 5, asset_ids: [asset.id], status: 'CLOSED' });
        assert.strictEqual(risk.score, 12.8);
        assert.strictEqual(risk.level, 'MEDIUM');
        const patched = await analyst.expect(200, 'PATCH', `/assets/${asset.id}`, { criticality: 'CRITICAL' });
        if (patched.json.risks) {
            const named = patched.json.risks.find((one) => one.id === risk.id);
            assert.strictEqual(named.score, 24);
            assert.strictEqual(named.level, 'CRITICAL');
        }
        const after = (await analyst.get(`/risks/${risk.id}`)).json;
        assert.strictEqual(after.score, 24);
        assert.strictEqual(after.level, 'CRITICAL');
        assert.ok(after.version > risk.version);
        assert.strictEqual(after.assets[0].criticality, 'CRITICAL');
        assert.strictEqual((await analyst.get(`/risks/${closed.id}`)).json.score, 37.5);
        const top = (await analyst.get('/risks?min_score=24&max_score=24')).json.items;
        assert.deepStrictEqual(top.map((one) => one.id), [risk.id]);
    });

    await t.test('the timeline of the risk shows the rescoring and who caused it', async () => {
        const asset = await makeAsset(analyst, { name: 'Badge reader', criticality: 'MEDIUM' });
        const risk = await makeRisk(analyst, { impact: 2, probability: 4, asset_ids: [asset.id] });
        await analyst.expect(200, 'PATCH', `/assets/${asset.id}`, { criticality: 'HIGH' });
        const { items } = (await analyst.expect(200, 'GET', `/risks/${risk.id}/timeline`)).json;
        const { action, actor, member, from, to } = items[0];
        assert.deepStrictEqual({ action, actor, member, from, to }, {
            action: 'rescored',
            actor: analyst.user.email,
            member: 'score',
            from: 8,
            to: 10,
        });
    });

    await t.test('an asset names its risks, not the deleted ones', async () => {
        const asset = await makeAsset(analyst, { name: 'Named' });
        const one = await makeRisk(analyst, { title: 'One', asset_ids: [asset.id] });
        const two = await makeRisk(analyst, { title: 'Two', asset_ids: [asset.id] });
        await analyst.expect(204, 'DELETE', `/risks/${two.id}`);
        const { risks } = (await analyst.get(`/assets/${asset.id}`)).json;
        assert.deepStrictEqual(risks.map((risk) => [risk.id, risk.title]), [[one.id, 'One']]);
    });

    await t.test('deleting an asset unlinks and rescores its risks', async () => {
        const asset = await makeAsset(analyst, { name: 'Scrapped', criticality: 'CRITICAL' });
        const kept = await makeAsset(analyst, { name: 'Kept', criticality: 'LOW' });
        const risk = await makeRisk(analyst, { impact: 4, probability: 5, asset_ids: [asset.id, kept.id] });
        assert.strictEqual(risk.score, 23);
        await analyst.expect(204, 'DELETE', `/assets/${asset.id}`);
        const after = (await analyst.get(`/risks/${risk.id}`)).json;
        assert.deepStrictEqual(after.assets.map((one) => one.id), [kept.id]);
        assert.strictEqual(after.score, 16);
        assertProblem(await analyst.get(`/assets/${asset.id}`), 404);
    });

    await t.test('a deleted risk is rescored, too, so that restore brings the right score', async () => {
        const asset = await makeAsset(analyst, { name: 'While away', criticality: 'LOW' });
        const risk = await makeRisk(analyst, { impact: 5, probability: 5, asset_ids: [asset.id] });
        await analyst.expect(204, 'DELETE', `/risks/${risk.id}`);
        await analyst.expect(200, 'PATCH', `/assets/${asset.id}`, { criticality: 'CRITICAL' });
        const back = await analyst.expect(200, 'POST', `/risks/${risk.id}/restore`);
        assert.strictEqual(back.json.score, 37.5);
    });

    await t.test('scores of random risks and assets are what the formula says', async () => {
        const random = randomOf(7);
        const names = ['LOW', 'MEDIUM', 'HIGH', 'CRITICAL'];
        const assets = [];
        for (let i = 0; i < 12; i++) {
            assets.push(await makeAsset(analyst, { name: `Formula ${i}`, criticality: random.of(names) }));
        }
        const risks = [];
        for (let i = 0; i < 40; i++) {
            const chosen = assets.filter(() => random.below(4) === 0);
            const body = { impact: 1 + random.below(5), probability: 1 + random.below(5) };
            const risk = await makeRisk(analyst, { ...body, asset_ids: chosen.map((asset) => asset.id) });
            risks.push({ ...body, id: risk.id, chosen });
        }
        for (let round = 0; round < 3; round++) {
            for (const { id, impact, probability, chosen } of risks) {
                const { json } = await analyst.get(`/risks/${id}`);
                const wanted = scoreHundredths(impact, probability, chosen.map((asset) => asset.criticality)) / 100;
                assert.strictEqual(json.score, wanted);
                assert.strictEqual(json.level, levelOf(wanted));
            }
            for (const asset of assets) {
                asset.criticality = random.of(names);
                await analyst.expect(200, 'PATCH', `/assets/${asset.id}`, { criticality: asset.criticality });
            }
        }
    });
}

test('assets', async (t) => {
    const server = await startServer(t);
    const analyst = await server.as('analyst');
    await recordTests(t, analyst);
    await scoreTests(t, analyst);
    await t.test('openrisk check finds nothing to say', async () => {
        const { code, stdout } = await server.cli(['check']);
        assert.strictEqual(code, 0, stdout);
    });
});
