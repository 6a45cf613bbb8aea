/** Import and export: CISA's catalogue, corrections by hand that survive, and everything there and back. */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { ROOT, startServer } = require('./lib');
const { csvLine, parseCsv } = require('../tools/csv');
const { assertProblem, day, exported, makeAsset, makeMitigation, makeRisk } = require('./register');

const KEV = fs.readFileSync(path.join(ROOT, 'tests/data/kev.csv'), 'utf8');
const [HEADER, ...ROWS] = parseCsv(KEV);
const COLUMN = Object.fromEntries(HEADER.map((name, index) => [name, index]));

/** The catalogue with rows replaced or changed by `edit(rows)`; rows are arrays of cells. */
function kevWith(edit, rows = ROWS) {
    const copy = rows.map((row) => [...row]);
    return [HEADER, ...(edit(copy) || copy)].map(csvLine).join('');
}

const importKev = (client, text, query = '') => client.post(`/import/risks?format=kev${query}`, text, { 'Content-Type': 'text/csv' });
const importJson = (client, text, query = '') => client.post(`/import/risks?format=json${query}`, text);
const countsOf = ({ imported, updated, unchanged, skipped }) => ({ imported, updated, unchanged, skipped });

async function byCve(client, cve) {
    const { items } = (await client.expect(200, 'GET', `/risks?q=${cve}`)).json;
    return items.find((risk) => risk.external_id === cve);
}

async function catalogueTests(t, server, analyst) {
    const none = { imported: 0, updated: 0, unchanged: 0, skipped: 0 };

    await t.test('a dry run says what would come in and brings in nothing', async () => {
        const reply = await importKev(analyst, KEV, '&dry_run=1');
        assert.strictEqual(reply.status, 200, reply.body);
        assert.deepStrictEqual(countsOf(reply.json), { ...none, imported: ROWS.length });
        assert.strictEqual((await analyst.get('/risks')).json.total, 0);
        assert.strictEqual((await analyst.get('/assets')).json.total, 0);
    });

    await t.test('the catalogue comes in whole', async () => {
        const reply = await importKev(analyst, KEV);
        assert.strictEqual(reply.status, 200, reply.body);
        assert.deepStrictEqual(countsOf(reply.json), { ...none, imported: ROWS.length });
        assert.deepStrictEqual(reply.json.errors, []);
        assert.strictEqual((await analyst.get('/risks')).json.total, ROWS.length);
    });

    await t.test('each row is a risk with its product and its required action', async () => {
        for (const row of [ROWS[0], ROWS[3], ROWS[700], ROWS.at(-1)]) {
            const risk = await byCve(analyst, row[COLUMN.cveID]);
            assert.strictEqual(risk.title, row[COLUMN.vulnerabilityName]);
            assert.ok(risk.description.includes(row[COLUMN.shortDescription]), risk.description);
            assert.strictEqual(risk.source, 'CISA-KEV');
            assert.strictEqual(risk.impact, row[COLUMN.knownRansomwareCampaignUse] === 'Known' ? 5 : 4);
            assert.strictEqual(risk.probability, 5);
            assert.strictEqual(risk.score, risk.impact * 5);
            assert.strictEqual(risk.assets.length, 1);
            assert.ok(risk.assets[0].name.includes(row[COLUMN.product].trim()), risk.assets[0].name);
            assert.strictEqual(risk.mitigations.length, 1);
            const [{ title, description, due_date: due }] = risk.mitigations;
            assert.ok(`${title} ${description}`.includes(row[COLUMN.requiredAction]), `${title} ${description}`);
            assert.strictEqual(due, row[COLUMN.dueDate]);
        }
        const known = ROWS.filter((row) => row[COLUMN.knownRansomwareCampaignUse] === 'Known').length;
        assert.strictEqual((await analyst.get('/risks?min_score=25')).json.total, known);
        const products = new Set(ROWS.map((row) => `${row[COLUMN.vendorProject]} ${row[COLUMN.product]}`.toLowerCase()));
        const assets = (await analyst.get('/assets')).json.total;
        assert.ok(assets > products.size * 0.9 && assets <= products.size + 5, `${assets} assets`);
    });

    await t.test('what was due at the source is overdue here', async () => {
        const late = ROWS.filter((row) => row[COLUMN.dueDate] < day()).length;
        assert.strictEqual((await analyst.get('/stats')).json.overdue_mitigations, late);
    });

    await t.test('the same file again changes nothing', async () => {
        const before = await exported(analyst);
        const reply = await importKev(analyst, KEV);
        assert.deepStrictEqual(countsOf(reply.json), { ...none, unchanged: ROWS.length });
        assert.deepStrictEqual(await exported(analyst), before);
    });

    await t.test('corrections by hand survive, and only what changed at the source changes', async () => {
        const cve = ROWS[10][COLUMN.cveID];
        const risk = await byCve(analyst, cve);
        await analyst.expect(200, 'PATCH', `/risks/${risk.id}`, { title: 'By hand', impact: 1, owner: 'Ann', status: 'ACCEPTED' });
        await analyst.expect(200, 'PATCH', `/mitigations/${risk.mitigations[0].id}`, { assignee: 'Bo', status: 'IN_PROGRESS' });
        assert.strictEqual((await importKev(analyst, KEV)).json.updated, 0);

        const changed = kevWith((rows) => {
            rows[10][COLUMN.shortDescription] = 'A new description at the source.';
            rows[10][COLUMN.dueDate] = '2031-05-06';
        });
        const reply = await importKev(analyst, changed);
        assert.deepStrictEqual(countsOf(reply.json), { ...none, updated: 1, unchanged: ROWS.length - 1 });
        const after = await byCve(analyst, cve);
        assert.ok(after.description.includes('A new description at the source.'));
        const { title, impact, owner, status } = after;
        assert.deepStrictEqual({ title, impact, owner, status }, { title: 'By hand', impact: 1, owner: 'Ann', status: 'ACCEPTED' });
        assert.strictEqual(after.mitigations.length, 1);
        const [mitigation] = after.mitigations;
        assert.strictEqual(mitigation.due_date, '2031-05-06');
        assert.strictEqual(mitigation.assignee, 'Bo');
        assert.strictEqual(mitigation.status, 'IN_PROGRESS');

        await importKev(analyst, kevWith((rows) => void (rows[10][COLUMN.vulnerabilityName] = 'New name at the source'), [...ROWS]));
        assert.strictEqual((await byCve(analyst, cve)).title, 'New name at the source');
    });

    await t.test('a new row of the source comes in alone', async () => {
        const row = [...ROWS[0]];
        row[COLUMN.cveID] = 'CVE-2031-0001';
        const reply = await importKev(analyst, kevWith((rows) => [...rows.slice(0, 3), row]));
        assert.strictEqual(reply.json.imported, 1);
        assert.strictEqual((await analyst.get('/risks')).json.total, ROWS.length + 1);
    });

    await t.test('a deleted risk is skipped with a reason, and comes back with restore=1', async () => {
        const cve = ROWS[20][COLUMN.cveID];
        const risk = await byCve(analyst, cve);
        await analyst.expect(204, 'DELETE', `/risks/${risk.id}`);
        const skipped = (await importKev(analyst, KEV)).json;
        assert.strictEqual(skipped.skipped, 1);
        assert.match(JSON.stringify(skipped.errors), /deleted/);
        assert.strictEqual(await byCve(analyst, cve), undefined);
        await importKev(analyst, KEV, '&restore=1');
        assert.strictEqual((await byCve(analyst, cve)).id, risk.id);
    });

    await t.test('the timeline and the audit log name the import and its doer', async () => {
        const risk = await byCve(analyst, ROWS[30][COLUMN.cveID]);
        const { items } = (await analyst.get(`/risks/${risk.id}/timeline`)).json;
        assert.ok(items.at(-1).actor.includes(analyst.user.email), JSON.stringify(items.at(-1)));
        const admin = await server.signIn();
        const { items: log } = (await admin.get(`/audit-logs?actor=${analyst.user.email}&limit=200`)).json;
        assert.ok(log.some((entry) => /import/.test(entry.action) && entry.result === 'ok'), JSON.stringify(log[0]));
    });
}

async function refusalTests(t, server, analyst) {
    const before = await exported(analyst);
    const fresh = (rows) => rows.slice(0, 30).map((row, i) => row.map((cell, k) => (k === COLUMN.cveID ? `CVE-2040-${1000 + i}` : cell)));
    const unchanged = async () => assert.deepStrictEqual(await exported(analyst), before);

    await t.test('a file with bad rows is refused whole, and each refusal has row, column and reason', async () => {
        const text = kevWith((rows) => {
            const some = fresh(rows);
            some[4][COLUMN.dueDate] = '2026-02-30';
            some[7][COLUMN.vulnerabilityName] = '';
            some[9][COLUMN.cveID] = some[2][COLUMN.cveID];
            return some;
        });
        const reply = await importKev(analyst, text);
        assertProblem(reply, 422);
        const { errors } = reply.json;
        assert.strictEqual(errors.length, 3, reply.body);
        assert.deepStrictEqual(errors.map((error) => error.column), ['dueDate', 'vulnerabilityName', 'cveID']);
        assert.deepStrictEqual(errors.map((error) => error.row), [5, 8, 10], 'rows from 1, without the header');
        assert.ok(errors.every((error) => error.reason.length > 5), reply.body);
        await unchanged();
    });

    await t.test('with skip_invalid the good rows come in and the others are told', async () => {
        const text = kevWith((rows) => {
            const some = fresh(rows).slice(0, 3);
            some[1][COLUMN.dueDate] = 'soon';
            return some;
        });
        const dry = await importKev(analyst, text, '&skip_invalid=1&dry_run=1');
        assert.strictEqual(dry.status, 200, dry.body);
        assert.strictEqual(dry.json.imported, 2);
        assert.strictEqual(dry.json.skipped, 1);
        assert.strictEqual(dry.json.errors.length, 1);
        await unchanged();
    });

    await t.test('a truncated file is refused with its row', async () => {
        const bytes = Buffer.from(KEV);
        for (const cut of [bytes.length - 40, bytes.length - 400, Math.floor(bytes.length / 2), 300]) {
            const reply = await importKev(analyst, bytes.subarray(0, cut));
            assertProblem(reply, [400, 422]);
        }
        const row = KEV.lastIndexOf('"');
        const reply = await importKev(analyst, KEV.slice(0, row));
        assertProblem(reply, [400, 422]);
        assert.ok(reply.json.errors.some((error) => error.row > 1000), reply.body);
        await unchanged();
    });

    await t.test('what is no such file is refused', async () => {
        const json = JSON.stringify(await exported(analyst));
        const bad = ['', '\n', 'a,b,c\n1,2,3\n', 'cveID\n', '{"risks": []}', Buffer.from([0xff, 0xfe, 0, 1]), `${HEADER.join(',')}\n\0\n`];
        for (const text of bad) {
            assertProblem(await importKev(analyst, text), [400, 422]);
        }
        const cut = [json.slice(0, -1), json.slice(0, json.length / 2), `${json}x`];
        for (const text of ['', '[]', '{}', '{"risks": 5}', 'null', KEV.slice(0, 2000), ...cut]) {
            assertProblem(await importJson(analyst, text), [400, 422]);
        }
        assertProblem(await analyst.post('/import/risks?format=xml', '<a/>', { 'Content-Type': 'text/xml' }), [400, 415]);
        assertProblem(await analyst.post('/import/risks?format=kev&dry_run=perhaps', KEV, { 'Content-Type': 'text/csv' }), 400, 'dry_run');
        assertProblem(await analyst.post('/import/risks?format=kev&nope=1', KEV, { 'Content-Type': 'text/csv' }), 400, 'nope');
        await unchanged();
    });

    await t.test('a JSON file with one bad record changes nothing and says which one', async () => {
        const data = await exported(analyst);
        data.risks[0].title = 'Would be changed';
        data.risks[3].impact = 9;
        data.risks[5].no_such_member = 1;
        const reply = await importJson(analyst, data);
        assertProblem(reply, 422);
        assert.strictEqual(reply.json.errors.length, 2, reply.body);
        assert.match(JSON.stringify(reply.json.errors[0]), /impact/);
        assert.match(JSON.stringify(reply.json.errors[1]), /no_such_member/);
        await unchanged();
    });

    await t.test('of very many refusals the first 1,000 are listed, and all are counted', async () => {
        const reply = await importKev(analyst, kevWith((rows) => rows.forEach((row) => (row[COLUMN.dueDate] = 'never'))));
        assertProblem(reply, 422);
        assert.strictEqual(reply.json.errors.length, 1000);
        assert.strictEqual(reply.json.errors_total, ROWS.length);
        await unchanged();
    });

    await t.test('a file over IMPORT_MAX_BYTES is 413', async (t2) => {
        const small = await startServer(t2, { env: { IMPORT_MAX_BYTES: '100KiB' } });
        const admin = await small.signIn();
        const refused = await importKev(admin, KEV);
        assertProblem(refused, 413);
        assert.match(refused.json.detail, /at most 102400 bytes/);
        assert.strictEqual((await admin.get('/risks')).json.total, 0);
    });

    await t.test('a viewer imports nothing', async () => {
        assertProblem(await importKev(await server.as('viewer'), KEV), 403);
        await unchanged();
    });
}

test('import', async (t) => {
    const server = await startServer(t);
    const analyst = await server.as('analyst');
    await catalogueTests(t, server, analyst);
    await refusalTests(t, server, analyst);
    await t.test('afterwards openrisk check finds nothing to say', async () => {
        const { code, stdout, stderr } = await server.cli(['check']);
        assert.strictEqual(code, 0, stdout + stderr);
    });
});

/** A register with one of everything that an export must carry. */
async function fillWithEverything(server) {
    const analyst = await server.as('analyst');
    const name = 'Ünïcode "quoted", \u2028';
    const asset = await makeAsset(analyst, { name, type: 'a', owner: 'b', external_id: 'c', criticality: 'HIGH' });
    await makeAsset(analyst, { name: 'Without risks', criticality: 'LOW' });
    const whole = await makeRisk(analyst, {
        title: '=cmd|"/C calc"!A0 😀',
        description: 'Lines\n\tand tabs\n\n— "quotes", \\backslashes',
        impact: 5,
        probability: 4,
        status: 'DRAFT',
        category: 'Cat',
        owner: 'Owner',
        treatment: 'AVOID',
        tags: ['z', 'a', 'ü'],
        frameworks: ['ISO 27001', 'NIST'],
        asset_ids: [asset.id],
        external_id: 'X-1',
        source: 'by hand',
        review_date: '2028-02-29',
        custom_fields: { Text: 'ü', number: -1.25, yes: true, zero: 0, 'a b': '' },
    });
    const mitigation = await makeMitigation(analyst, whole.id, { title: 'M', due_date: day(-2), cost: 5, assignee: 'Cy' });
    await analyst.expect(201, 'POST', `/mitigations/${mitigation.id}/subactions`, { title: 'S1', completed: true });
    await analyst.expect(201, 'POST', `/mitigations/${mitigation.id}/subactions`, { title: 'S2' });
    await makeMitigation(analyst, whole.id, { title: 'By hand', progress: 77, status: 'DONE' });
    const closed = await makeRisk(analyst, { title: 'Closed', impact: 3, probability: 3 });
    await analyst.expect(200, 'PATCH', `/risks/${closed.id}`, { status: 'CLOSED', impact: 4 });
    const deleted = await makeRisk(analyst, { title: 'Deleted', asset_ids: [asset.id] });
    await makeMitigation(analyst, deleted.id, { title: 'Of a deleted risk', due_date: day(-2) });
    await analyst.expect(204, 'DELETE', `/risks/${deleted.id}`);
    await importKev(analyst, kevWith((rows) => rows.slice(0, 50)));
    return analyst;
}

test('export', async (t) => {
    const server = await startServer(t);
    const analyst = await fillWithEverything(server);
    const original = await analyst.expect(200, 'GET', '/export/risks.json');

    await t.test('is a file to keep: JSON, with a name', async () => {
        assert.match(original.headers['content-type'], /^application\/json\b/);
        assert.match(original.headers['content-disposition'] || '', /^attachment; filename="?[\w.-]+\.json/);
        assert.ok(Math.abs(Date.parse(original.json.exported_at) - Date.now()) < 60000);
    });

    await t.test('carries no user\'s password and no token', async () => {
        assert.doesNotMatch(original.body, /argon2|password_hash|or_[0-9a-z]{20}/i);
    });

    await t.test('imported where it came from changes nothing', async () => {
        const before = await exported(analyst);
        const reply = await importJson(analyst, original.body);
        assert.strictEqual(reply.status, 200, reply.body);
        assert.strictEqual(reply.json.imported + reply.json.updated, 0, reply.body);
        assert.deepStrictEqual(await exported(analyst), before);
    });

    await t.test('imported into an empty register gives the same register', async (t2) => {
        const empty = await startServer(t2);
        const admin = await empty.signIn();
        const reply = await importJson(admin, original.body);
        assert.strictEqual(reply.status, 200, reply.body);
        assert.ok(reply.json.imported >= 52, reply.body);
        const before = await exported(analyst);
        const after = await exported(admin);
        for (const part of new Set([...Object.keys(before), ...Object.keys(after)])) {
            assert.deepStrictEqual(after[part], before[part], part);
        }
        for (const route of ['/stats', '/stats/risk-matrix', '/stats/trends?days=3']) {
            assert.deepStrictEqual((await admin.get(route)).json, (await analyst.get(route)).json, route);
        }
        const first = (await analyst.get('/risks?limit=1')).json.items[0];
        assert.deepStrictEqual((await admin.get(`/risks/${first.id}`)).json, (await analyst.get(`/risks/${first.id}`)).json);
        const timelines = await Promise.all([analyst, admin].map((client) => client.get(`/risks/${first.id}/timeline`)));
        assert.deepStrictEqual(timelines[1].json.items, timelines[0].json.items);
        const refs = before.risks.map((risk) => risk.ref);
        assert.ok((await makeRisk(admin)).ref > Math.max(...refs));
        const { code, stdout } = await empty.cli(['check']);
        assert.strictEqual(code, 0, stdout);
    });

    await t.test('imported by an analyst brings no history in the name of others, and deletes nothing', async (t2) => {
        const other = await startServer(t2);
        const forger = await other.as('analyst');
        assert.strictEqual((await importJson(forger, original.body)).status, 200);
        for (const risk of await forger.all('/risks')) {
            assert.strictEqual(risk.created_by, forger.user.id);
            const { items } = (await forger.get(`/risks/${risk.id}/timeline`)).json;
            assert.deepStrictEqual([...new Set(items.map((item) => item.actor))], [forger.user.email]);
        }
        const theirs = await makeRisk(await other.signIn(), { title: 'Not for an analyst to delete' });
        const data = await exported(forger);
        const risk = data.risks.find((one) => one.id === theirs.id);
        risk.deleted_at = risk.created_at;
        await importJson(forger, data);
        assert.strictEqual((await forger.get(`/risks/${theirs.id}`)).status, 200);
        assert.strictEqual((await other.cli(['check'])).code, 0);
    });

    await t.test('shows one moment, as lists do, while others write', async () => {
        const admin = await server.signIn();
        const ids = [];
        for (let i = 0; i < 60; i++) {
            ids.push((await makeRisk(admin, { title: 'All or none', tags: ['together'] })).id);
        }
        let writing = true;
        const writer = (async () => {
            for (let i = 0; writing; i++) {
                await admin.expect(200, 'POST', '/risks/bulk', { ids, set: { owner: `Owner ${i}` } });
            }
        })();
        const seen = new Set();
        for (let i = 0; i < 40; i++) {
            const data = i % 2 ? await exported(analyst) : (await analyst.get('/risks?tag=together&limit=200')).json;
            const owners = new Set((data.risks || data.items).filter((risk) => risk.tags.includes('together')).map((risk) => risk.owner));
            assert.strictEqual(owners.size, 1, [...owners].join(', '));
            seen.add([...owners][0]);
        }
        writing = false;
        await writer;
        assert.ok(seen.size > 1, 'nobody wrote meanwhile');
    });

    await t.test('is the same by the command line', async () => {
        const run = await server.cli(['export']);
        assert.strictEqual(run.code, 0, run.stderr);
        const { exported_at: _, ...rest } = JSON.parse(run.stdout);
        assert.deepStrictEqual(rest, await exported(analyst));
        const file = path.join(server.folder, 'out.json');
        const written = await server.cli(['export', '--output', file]);
        assert.strictEqual(written.code, 0, written.stderr);
        assert.strictEqual(fs.statSync(file).mode & 0o077, 0);
        const { exported_at: __, ...same } = JSON.parse(fs.readFileSync(file, 'utf8'));
        assert.deepStrictEqual(same, rest);
        assert.notStrictEqual((await server.cli(['export', '--output', file])).code, 0, 'overwrites a file');
    });
});
