/** Risks one by one. Lists and search are in risk_lists.test.js, many at once in bulk.test.js. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { startServer } = require('./lib');
const { UNKNOWN_ID, assertProblem, makeAsset, makeRisk } = require('./register');

const WHOLE = {
    title: 'Theft of backup media',
    description: 'Two lines:\nthe van, and the vault.',
    impact: 4,
    probability: 3,
    status: 'DRAFT',
    category: 'Physical',
    owner: 'Ann',
    treatment: 'TRANSFER',
    tags: ['backup', 'van'],
    frameworks: ['ISO 27001'],
    external_id: 'EXT-1',
    source: 'audit',
    review_date: '2027-02-28',
    custom_fields: { likelihood_note: 'seen in 2024', count: 3, confirmed: true },
};

async function eachRiskTest(t, server, analyst) {
    await t.test('a new risk needs only title, impact and probability, and gets defaults', async () => {
        const reply = await analyst.expect(201, 'POST', '/risks', { title: 'Theft', impact: 3, probability: 4 });
        const { id, ref, created_at: created, updated_at: updated, ...rest } = reply.json;
        assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        assert.ok(Number.isInteger(ref) && ref > 0, `ref ${ref}`);
        assert.match(created, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
        assert.ok(Math.abs(Date.parse(created) - Date.now()) < 60000, created);
        assert.strictEqual(updated, created);
        assert.deepStrictEqual(rest, {
            title: 'Theft',
            description: null,
            impact: 3,
            probability: 4,
            score: 12,
            level: 'MEDIUM',
            status: 'ACTIVE',
            category: null,
            treatment: 'MITIGATE',
            owner: null,
            tags: [],
            frameworks: [],
            source: null,
            external_id: null,
            custom_fields: {},
            review_date: null,
            created_by: analyst.user.id,
            version: 1,
            assets: [],
            mitigations: [],
        });
    });

    await t.test('the Location of a new risk leads to it, and what was sent is what is read', async () => {
        const asset = await makeAsset(analyst, { name: 'Vault', criticality: 'HIGH' });
        const made = await analyst.expect(201, 'POST', '/risks', { ...WHOLE, asset_ids: [asset.id] });
        assert.ok(made.headers.location.startsWith('/api/v1/risks/'), made.headers.location);
        const read = await server.client(analyst.token, '').expect(200, 'GET', made.headers.location);
        assert.deepStrictEqual(read.json, made.json);
        for (const [name, value] of Object.entries(WHOLE)) {
            assert.deepStrictEqual(read.json[name], value, name);
        }
        assert.deepStrictEqual(read.json.assets.map((one) => one.id), [asset.id]);
        assert.strictEqual(read.json.score, 15);
        assert.strictEqual(read.json.level, 'HIGH');
    });

    await t.test('a risk is found by its id and by its ref in every spelling', async () => {
        const risk = await makeRisk(analyst);
        for (const name of [risk.id, `R-${risk.ref}`, `r-${risk.ref}`, `${risk.ref}`]) {
            const reply = await analyst.expect(200, 'GET', `/risks/${name}`);
            assert.strictEqual(reply.json.id, risk.id);
        }
        await analyst.expect(200, 'PATCH', `/risks/R-${risk.ref}`, { title: 'By its ref' });
        await analyst.expect(204, 'DELETE', `/risks/R-${risk.ref}`);
    });

    await t.test('refs count up and are not given twice, not even after a delete', async () => {
        const first = await makeRisk(analyst);
        await analyst.expect(204, 'DELETE', `/risks/${first.id}`);
        const second = await makeRisk(analyst);
        assert.ok(second.ref > first.ref, `${second.ref} after ${first.ref}`);
    });

    await t.test('a PATCH changes only the members present, and counts the version up', async () => {
        const risk = await makeRisk(analyst, { ...WHOLE, external_id: 'EXT-patch' });
        const reply = await analyst.expect(200, 'PATCH', `/risks/${risk.id}`, { probability: 5, owner: null });
        const { updated_at: updated, ...rest } = reply.json;
        const { updated_at: before, ...old } = risk;
        assert.ok(updated >= before);
        assert.deepStrictEqual(rest, { ...old, probability: 5, owner: null, score: 20, level: 'CRITICAL', version: 2 });
        assert.deepStrictEqual((await analyst.get(`/risks/${risk.id}`)).json, reply.json);
    });

    await t.test('a PATCH that changes nothing leaves version and time as they are', async () => {
        const risk = await makeRisk(analyst);
        const reply = await analyst.expect(200, 'PATCH', `/risks/${risk.id}`, { title: risk.title, impact: risk.impact });
        assert.deepStrictEqual(reply.json, risk);
    });

    await t.test('a PATCH of asset_ids replaces the links and rescores', async () => {
        const low = await makeAsset(analyst, { name: 'Low', criticality: 'LOW' });
        const critical = await makeAsset(analyst, { name: 'Critical', criticality: 'CRITICAL' });
        const risk = await makeRisk(analyst, { impact: 5, probability: 5, asset_ids: [low.id] });
        assert.strictEqual(risk.score, 20);
        const both = await analyst.expect(200, 'PATCH', `/risks/${risk.id}`, { asset_ids: [critical.id, low.id] });
        assert.strictEqual(both.json.score, 28.75);
        const one = await analyst.expect(200, 'PATCH', `/risks/${risk.id}`, { asset_ids: [critical.id] });
        assert.strictEqual(one.json.score, 37.5);
        const none = await analyst.expect(200, 'PATCH', `/risks/${risk.id}`, { asset_ids: [] });
        assert.strictEqual(none.json.score, 25);
        assert.deepStrictEqual(none.json.assets, []);
    });

    await t.test('an asset that does not exist is refused by name, and no risk is made', async () => {
        const before = (await analyst.get('/risks')).json.total;
        const body = { title: 'x', impact: 1, probability: 1, asset_ids: [UNKNOWN_ID] };
        const reply = await analyst.post('/risks', body);
        assertProblem(reply, 422);
        assert.ok(reply.json.errors.some((error) => error.field.startsWith('asset_ids')), reply.body);
        assert.strictEqual((await analyst.get('/risks')).json.total, before);
    });

    await t.test('white space at the ends of a title is cut, an empty text counts as none', async () => {
        const risk = await makeRisk(analyst, { title: '  Theft \t', description: '', category: '  ' });
        assert.strictEqual(risk.title, 'Theft');
        assert.strictEqual(risk.category, null);
        assert.strictEqual(risk.description, null);
    });

    await t.test('texts come back as they were sent: all of Unicode, up to the limit', async () => {
        const title = '😀é漢\u00ad"\\</script>' + '𝒳'.repeat(150) + 'ß'.repeat(134);
        const description = 'z\u0301\t\n€'.repeat(3999) + '.';
        const risk = await makeRisk(analyst, { title, description });
        const read = (await analyst.get(`/risks/${risk.id}`)).json;
        assert.strictEqual(read.title, title);
        assert.strictEqual(read.description, description);
    });

    await t.test('a second risk of the same source and external id is a conflict', async () => {
        const body = { source: 'scanner', external_id: 'S-1' };
        const risk = await makeRisk(analyst, body);
        assertProblem(await analyst.post('/risks', { title: 'x', impact: 1, probability: 1, ...body }), 409, 'external_id');
        await makeRisk(analyst, { ...body, source: 'another' });
        const other = await makeRisk(analyst, { source: 'scanner', external_id: 'S-2' });
        assertProblem(await analyst.patch(`/risks/${other.id}`, { external_id: 'S-1' }), 409, 'external_id');
        assert.strictEqual((await analyst.get(`/risks/${other.id}`)).json.external_id, 'S-2');
        await analyst.expect(200, 'PATCH', `/risks/${risk.id}`, { external_id: 'S-1', title: 'Same id, own risk' });
    });
}

async function conflictTests(t, analyst) {
    await t.test('of ten who make the same external id at once one succeeds', async () => {
        const body = { title: 'Race', impact: 1, probability: 1, source: 'race', external_id: '1' };
        const replies = await Promise.all(Array.from({ length: 10 }, () => analyst.post('/risks', body)));
        assert.deepStrictEqual(replies.map((reply) => reply.status).sort(), [201, ...Array(9).fill(409)]);
        assert.strictEqual((await analyst.get('/risks?q=race')).json.total, 1);
    });

    await t.test('a PATCH that is refused for one member changes none', async () => {
        const risk = await makeRisk(analyst);
        for (const bad of [{ asset_ids: [UNKNOWN_ID] }, { impact: 6 }, { source: 'race', external_id: '1' }]) {
            assertProblem(await analyst.patch(`/risks/${risk.id}`, { title: 'Half done', ...bad }), [409, 422]);
            assert.deepStrictEqual((await analyst.get(`/risks/${risk.id}`)).json, risk);
        }
    });

    await t.test('the external id of a deleted risk is still its own', async () => {
        const body = { source: 'gone', external_id: '1' };
        const risk = await makeRisk(analyst, body);
        await analyst.expect(204, 'DELETE', `/risks/${risk.id}`);
        const reply = await analyst.post('/risks', { title: 'x', impact: 1, probability: 1, ...body });
        assertProblem(reply, 409, 'external_id');
        assert.match(reply.json.detail, /deleted/);
    });
}

async function deleteTests(t, server, analyst) {
    await t.test('a deleted risk is gone everywhere, and restore brings all of it back', async () => {
        const risk = await makeRisk(analyst, { title: 'To be deleted', tags: ['gone'] });
        await analyst.expect(204, 'DELETE', `/risks/${risk.id}`);
        for (const name of [risk.id, `R-${risk.ref}`]) {
            assertProblem(await analyst.get(`/risks/${name}`), 404);
        }
        assertProblem(await analyst.patch(`/risks/${risk.id}`, { title: 'x' }), 404);
        assertProblem(await analyst.delete(`/risks/${risk.id}`), 404);
        assertProblem(await analyst.post(`/risks/${risk.id}/mitigations`, { title: 'x' }), 404);
        assert.strictEqual((await analyst.get('/risks?tag=gone')).json.total, 0);
        assert.strictEqual((await analyst.get('/risks?q=To%20be%20deleted')).json.total, 0);

        await analyst.expect(200, 'GET', `/risks/${risk.id}/timeline`);
        const back = await analyst.expect(200, 'POST', `/risks/${risk.id}/restore`);
        assertProblem(await analyst.post(`/risks/${risk.id}/restore`), 409);
        assert.strictEqual(back.json.title, risk.title);
        assert.deepStrictEqual(back.json.tags, ['gone']);
        assert.ok(back.json.version > risk.version);
        assert.strictEqual((await analyst.get('/risks?tag=gone')).json.total, 1);
        assert.strictEqual((await analyst.get('/risks?q=To%20be%20deleted')).json.total, 1);
    });

    await t.test('an empty 204 carries no body', async () => {
        const risk = await makeRisk(analyst);
        const reply = await analyst.expect(204, 'DELETE', `/risks/${risk.id}`);
        assert.strictEqual(reply.body, '');
        assert.strictEqual(reply.headers['content-type'], undefined);
    });

    await t.test('what does not exist is 404, whatever the spelling of its id', async () => {
        for (const name of [UNKNOWN_ID, 'R-999999', '999999', '0', '-1', 'R-', 'R-1x', 'nonsense', '%25', `${UNKNOWN_ID}0`]) {
            assertProblem(await analyst.get(`/risks/${name}`), 404);
            assertProblem(await analyst.get(`/risks/${name}/timeline`), 404);
            assertProblem(await analyst.delete(`/risks/${name}`), 404);
        }
        assertProblem(await analyst.get('/no-such-thing'), 404);
        assertProblem(await server.client(undefined, '').get('/api/v2/risks'), 404);
    });
}

async function versionTests(t, server, analyst) {
    await t.test('an ETag is the version and a hash, and names exactly this answer', async () => {
        const risk = await makeRisk(analyst);
        const first = await analyst.get(`/risks/${risk.id}`);
        assert.match(first.headers.etag, /^"1\.[0-9a-f]{8,}"$/);
        const again = await analyst.get(`/risks/${risk.id}`);
        assert.strictEqual(again.headers.etag, first.headers.etag);
        const patched = await analyst.expect(200, 'PATCH', `/risks/${risk.id}`, { title: 'Changed' });
        const third = await analyst.get(`/risks/${risk.id}`);
        assert.match(third.headers.etag, /^"2\./);
        assert.notStrictEqual(third.headers.etag.split('.')[1], first.headers.etag.split('.')[1]);
        assert.strictEqual(patched.headers.etag, third.headers.etag);
    });

    await t.test('If-None-Match answers 304 without a body as long as nothing changed', async () => {
        const risk = await makeRisk(analyst);
        for (const route of [`/risks/${risk.id}`, '/risks', '/stats', '/stats/risk-matrix']) {
            const { etag } = (await analyst.expect(200, 'GET', route)).headers;
            assert.ok(etag, route);
            for (const header of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
                const reply = await analyst.get(route, { 'If-None-Match': header });
                assert.strictEqual(reply.status, 304, `${route} with ${header}`);
                assert.strictEqual(reply.body, '');
                assert.strictEqual(reply.headers.etag, etag);
            }
            await analyst.expect(200, 'GET', route, undefined, { 'If-None-Match': '"1.0000000000000000"' });
        }
        const { etag } = (await analyst.get(`/risks/${risk.id}`)).headers;
        await analyst.expect(200, 'PATCH', `/risks/${risk.id}`, { title: 'Changed since' });
        await analyst.expect(200, 'GET', `/risks/${risk.id}`, undefined, { 'If-None-Match': etag });
    });

    await t.test('of two editors the second is told 412, and the first one\'s change stays', async () => {
        const risk = await makeRisk(analyst);
        const { etag } = (await analyst.get(`/risks/${risk.id}`)).headers;
        const other = await server.as('analyst');
        await other.expect(200, 'PATCH', `/risks/${risk.id}`, { title: 'First' }, { 'If-Match': etag });
        assertProblem(await analyst.patch(`/risks/${risk.id}`, { title: 'Second' }, { 'If-Match': etag }), 412);
        assertProblem(await analyst.delete(`/risks/${risk.id}`, { 'If-Match': etag }), 412);
        const read = await analyst.get(`/risks/${risk.id}`);
        assert.strictEqual(read.json.title, 'First');
        await analyst.expect(204, 'DELETE', `/risks/${risk.id}`, undefined, { 'If-Match': read.headers.etag });
    });

    await t.test('If-Match looks at the version alone, and * at whether there is one', async () => {
        const risk = await makeRisk(analyst);
        const path = `/risks/${risk.id}`;
        await analyst.expect(200, 'PATCH', path, { title: 'a' }, { 'If-Match': '"1.0000000000000000"' });
        // A proxy that compresses answers, such as nginx, makes their ETags weak.
        await analyst.expect(200, 'PATCH', path, { title: 'b' }, { 'If-Match': 'W/"2.0000000000000000"' });
        await analyst.expect(200, 'PATCH', path, { title: 'c' }, { 'If-Match': '*' });
        assertProblem(await analyst.patch(path, { title: 'd' }, { 'If-Match': '"3.00"' }), 412);
        assertProblem(await analyst.patch(path, { title: 'd' }, { 'If-Match': 'nonsense' }), [400, 412]);
        assert.strictEqual((await analyst.get(path)).json.title, 'c');
    });

    await t.test('50 editors without If-Match lose nothing: each change counts the version up', async () => {
        const risk = await makeRisk(analyst);
        const tags = Array.from({ length: 50 }, (_, i) => `tag-${i}`);
        await Promise.all(tags.map((tag) => analyst.expect(200, 'PATCH', `/risks/${risk.id}`, { tags: [tag] })));
        assert.strictEqual((await analyst.get(`/risks/${risk.id}`)).json.version, 51);
    });
}

async function protocolTests(t, server, analyst) {
    await t.test('a method that a path does not know is 405 and Allow names those it does', async () => {
        const allowed = async (method, route) => {
            const reply = await analyst.request(method, route);
            assertProblem(reply, 405);
            return reply.headers.allow.split(/, */).sort();
        };
        assert.deepStrictEqual(await allowed('PUT', '/risks'), ['GET', 'HEAD', 'POST']);
        assert.deepStrictEqual(await allowed('POST', `/risks/${UNKNOWN_ID}`), ['DELETE', 'GET', 'HEAD', 'PATCH']);
        assert.deepStrictEqual(await allowed('DELETE', '/stats'), ['GET', 'HEAD']);
    });

    await t.test('a body that is not declared as JSON is 415', async () => {
        const body = JSON.stringify({ title: 'x', impact: 1, probability: 1 });
        for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx']) {
            assertProblem(await analyst.post('/risks', body, { 'Content-Type': type }), 415);
        }
        await analyst.expect(201, 'POST', '/risks', body, { 'Content-Type': 'Application/JSON; charset=utf-8' });
    });

    await t.test('answers are private, say what they vary by and carry a request id', async () => {
        const reply = await analyst.get('/risks');
        assert.strictEqual(reply.headers['cache-control'], 'private, no-cache');
        assert.strictEqual(reply.headers.vary, 'Accept-Encoding, Authorization, Cookie');
        assert.match(reply.headers['content-type'], /^application\/json\b/);
        const miss = await analyst.get('/risks?limit=7');
        assert.match(miss.headers['x-request-id'], /^[A-Za-z0-9._-]{1,64}$/);
        const mine = await analyst.get('/risks', { 'X-Request-Id': 'Trace_1.a-b' });
        assert.strictEqual(mine.headers['x-request-id'], 'Trace_1.a-b');
        const bad = await analyst.get('/risks', { 'X-Request-Id': 'a b' });
        assert.notStrictEqual(bad.headers['x-request-id'], 'a b');
    });
}

test('risks', async (t) => {
    const server = await startServer(t, { env: { DB_POOL_MAX_WAITING: '100' } });
    const analyst = await server.as('analyst');
    await eachRiskTest(t, server, analyst);
    await conflictTests(t, analyst);
    await deleteTests(t, server, analyst);
    await versionTests(t, server, analyst);
    await protocolTests(t, server, analyst);
});
