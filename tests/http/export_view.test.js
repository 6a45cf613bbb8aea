/** An export with the parameters of a list: the risks that it shows, in its order, and nothing that hangs on others. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { startServer } = require('./lib');
const { assertProblem, exported, makeAsset, makeMitigation, makeRisk } = require('./register');

const RISKS = 260; // More than a page, and more than a batch of the export.

async function fill(admin) {
    const assets = [];
    for (const name of ['Shop', 'Vault', 'Nobody names it']) {
        assets.push(await makeAsset(admin, { name }));
    }
    for (let i = 0; i < RISKS; i++) {
        const risk = await makeRisk(admin, {
            title: `${i % 2 ? 'Theft' : 'Fire'} ${(i * 7) % 100}`,
            impact: 1 + (i % 5),
            probability: 1 + (i % 4),
            tags: i % 3 ? ['some'] : [],
            asset_ids: i % 10 === 0 ? [assets[i % 20 ? 1 : 0].id] : [],
        });
        if (i % 50 === 0) {
            const { id } = await makeMitigation(admin, risk.id, { title: 'Locks' });
            await admin.expect(201, 'POST', `/mitigations/${id}/subactions`, { title: 'Buy them' });
        }
    }
    const gone = await makeRisk(admin, { title: 'Theft that is deleted', impact: 5, probability: 5, tags: ['some'], asset_ids: [assets[2].id] });
    await admin.expect(204, 'DELETE', `/risks/${gone.id}`);
}

test('an export of a view', async (t) => {
    const server = await startServer(t);
    const admin = await server.signIn();
    await fill(admin);
    const whole = await exported(admin);
    const view = async (query) => (await admin.expect(200, 'GET', `/export/risks.json?${query}`)).json;
    const importInto = (client, document) => client.expect(200, 'POST', '/import/risks?format=json', document);

    await t.test('has the risks of the list, all pages of it, in its order', async () => {
        const queries = [
            'q=theft',
            'q=th',
            'tag=some&level=LOW',
            'status=ACTIVE&sort_by=title',
            'sort_by=title&sort_dir=desc',
            'sort_by=score',
            'min_score=6&sort_by=updated_at&q=fire',
            'owner=nobody',
            'q=',
        ];
        for (const query of queries) {
            const { risks, format, version } = await view(query);
            assert.deepStrictEqual(risks.map((risk) => risk.id), (await admin.all(`/risks?${query}`)).map((risk) => risk.id), query);
            assert.deepStrictEqual([format, version], [whole.format, whole.version], query);
        }
        assert.strictEqual((await view('sort_by=score')).risks.length, RISKS);
        assert.strictEqual(whole.risks.length, RISKS + 1, 'the deleted one is in the whole');
    });

    await t.test('has of each risk what the whole has', async () => {
        const byId = Object.fromEntries(whole.risks.map((risk) => [risk.id, risk]));
        for (const risk of (await view('q=fire&sort_by=impact')).risks) {
            assert.deepStrictEqual(risk, byId[risk.id]);
        }
    });

    await t.test('has the assets that its risks name, and no others', async () => {
        const names = async (query) => (await view(query)).assets.map((asset) => asset.name).sort();
        const [shop] = whole.assets.filter((asset) => asset.name === 'Shop');
        assert.deepStrictEqual(await names('sort_by=score'), ['Shop', 'Vault']);
        assert.deepStrictEqual(await names(`asset_id=${shop.id}`), ['Shop']);
        assert.deepStrictEqual(await names('q=theft'), []);
        assert.deepStrictEqual((await view(`asset_id=${shop.id}`)).assets[0], shop);
    });

    await t.test('can be imported elsewhere, and where it came from changes nothing', async (t2) => {
        const [shop] = whole.assets.filter((asset) => asset.name === 'Shop');
        const document = await view(`asset_id=${shop.id}&sort_by=title`);
        const { json: same } = await importInto(admin, document);
        assert.deepStrictEqual([same.imported, same.updated], [0, 0]);
        const other = await startServer(t2);
        const there = await other.signIn();
        const { json } = await importInto(there, document);
        assert.deepStrictEqual([json.imported, json.errors], [document.risks.length, []]);
        const again = await exported(there);
        const byRef = (risks) => [...risks].sort((a, b) => a.ref - b.ref);
        assert.deepStrictEqual(again.risks, byRef(document.risks));
        assert.deepStrictEqual(again.assets.map((asset) => asset.name), ['Shop']);
        const { code, stdout } = await other.cli(['check']);
        assert.strictEqual(code, 0, stdout);
    });

    await t.test('is a file whose name says that it is not the whole', async () => {
        const nameOf = async (query) => /filename="([^"]+)"/.exec((await admin.get(`/export/risks.json${query}`)).headers['content-disposition'])[1];
        assert.match(await nameOf(''), /^openrisk-\d{4}-\d\d-\d\d\.json$/);
        assert.match(await nameOf('?q=theft'), /^openrisk-view-\d{4}-\d\d-\d\d\.json$/);
    });

    await t.test('refuses what is no parameter of it: pages, too', async () => {
        for (const name of ['page', 'limit', 'after', 'nope']) {
            assertProblem(await admin.get(`/export/risks.json?${name}=1`), 400, name);
        }
        assertProblem(await admin.get('/export/risks.json?level=high'), 400, 'level');
        assertProblem(await admin.get('/export/risks.json?q=a&q=b'), 400, 'q');
        const { json: document } = await admin.get('/openapi.json');
        const names = (path) => document.paths[path].get.parameters.map((one) => one.name);
        assert.deepStrictEqual(names('/export/risks.json'), names('/risks').filter((name) => !['page', 'limit', 'after'].includes(name)));
    });
});
