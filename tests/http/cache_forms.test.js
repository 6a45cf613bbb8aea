/** The two forms of a cached answer, as it is and compressed, and their ETags, made and kept alike. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');
const zlib = require('node:zlib');

const { startServer } = require('./lib');
const { assertProblem } = require('./register');
const { CACHED, HIT, STORED, assertWay, commonHeaders, fillRegister, forget } = require('./cached');

/** What an Accept-Encoding asks for. */
const ENCODINGS = [
    [undefined, false],
    ['', false],
    ['gzip', true],
    ['GZip', true],
    ['x-gzip', true],
    ['gzip;q=0', false],
    ['gzip; q=0.000', false],
    ['gzip;q=0.001', true],
    ['*', true],
    ['*;q=0', false],
    ['gzip;q=0, *', false],
    ['*;q=0, gzip', true],
    ['identity', false],
    ['br', false],
    ['br, gzip;q=0.5', true],
    ['deflate, gzip;q=1.0, *;q=0.5', true],
    ['gzipped, bzip2', false],
];

const TAG = /^"\d+\.[0-9a-f]{16}"$/;
const GZIP_TAG = /^"\d+\.[0-9a-f]{16}\.gz"$/;

/** GET it: {miss, hit}, each in the form that `headers` ask for. */
async function missAndHit(admin, path, headers) {
    await forget(admin);
    const miss = await admin.get(path, headers);
    const hit = await admin.get(path, headers);
    assertWay(miss, STORED, path);
    assertWay(hit, HIT, path);
    return { miss, hit };
}

async function encodingTests(t, admin, large) {
    await t.test('the form is the one that was asked for, of a miss and of a hit', async () => {
        for (const path of large) {
            const { miss: plain } = await missAndHit(admin, path);
            for (const [accepted, isGzip] of ENCODINGS) {
                const headers = accepted === undefined ? {} : { 'Accept-Encoding': accepted };
                const { miss, hit } = await missAndHit(admin, path, headers);
                for (const reply of [miss, hit]) {
                    const what = `${path} with ${accepted}`;
                    assert.strictEqual(reply.status, 200);
                    assert.strictEqual(reply.headers['content-encoding'], isGzip ? 'gzip' : undefined, what);
                    assert.match(reply.headers.etag, isGzip ? GZIP_TAG : TAG, what);
                    assert.strictEqual(reply.headers.vary, 'Accept-Encoding, Authorization, Cookie');
                    assert.strictEqual(reply.headers['content-length'], String(reply.bytes.length), what);
                    assert.strictEqual(reply.body, plain.body, what);
                }
                assert.ok(hit.bytes.equals(miss.bytes));
                assert.deepStrictEqual(commonHeaders(hit), commonHeaders(miss));
            }
        }
    });

    await t.test('compressed is smaller, is gzip, and is the same whoever made the answer be kept', async () => {
        const gzip = { 'Accept-Encoding': 'gzip' };
        for (const path of large) {
            const { miss: plain, hit: plainHit } = await missAndHit(admin, path);
            const afterPlain = await admin.get(path, gzip);
            const { miss: small } = await missAndHit(admin, path, gzip);
            const plainAfterSmall = await admin.get(path);
            assertWay(afterPlain, HIT, path);
            assertWay(plainAfterSmall, HIT, path);
            assert.ok(small.bytes.length < plain.bytes.length, `${path}: ${small.bytes.length} of ${plain.bytes.length}`);
            assert.ok(zlib.gunzipSync(small.bytes).equals(plain.bytes), path);
            assert.ok(afterPlain.bytes.equals(small.bytes), path);
            assert.ok(plainAfterSmall.bytes.equals(plainHit.bytes), path);
            assert.strictEqual(small.headers.etag, plain.headers.etag.replace(/"$/, '.gz"'));
        }
    });

    await t.test('HEAD tells the length of the form that GET would send', async () => {
        for (const headers of [{}, { 'Accept-Encoding': 'gzip' }]) {
            const { miss } = await missAndHit(admin, large[0], headers);
            const head = await admin.request('HEAD', large[0], undefined, headers);
            assertWay(head, HIT);
            assert.deepStrictEqual(commonHeaders(head), commonHeaders(miss));
        }
    });

    await t.test('what is small is not compressed, asked for or not', async () => {
        for (const path of ['/stats', '/risks?owner=nobody', '/risks/R-99', '/stats/trends?days=1']) {
            const { miss, hit } = await missAndHit(admin, path, { 'Accept-Encoding': 'gzip' });
            for (const reply of [miss, hit]) {
                assert.ok(reply.bytes.length < 1024, path);
                assert.strictEqual(reply.headers['content-encoding'], undefined, path);
                assert.match(reply.headers.etag || '"1.0123456789abcdef"', TAG, path);
                assert.ok(reply.json, path);
            }
        }
    });
}

/** The answer is 304: nothing but the headers of the 200 that it stands for. */
function assertNotModified(reply, full, way, what) {
    assert.strictEqual(reply.status, 304, `${what}: ${reply.status} ${reply.body.slice(0, 100)}`);
    assertWay(reply, way, what);
    assert.strictEqual(reply.bytes.length, 0, what);
    assert.deepStrictEqual(commonHeaders(reply), commonHeaders(full), what);
}

async function tagTests(t, admin, pathOf, large) {
    const forms = [{}, { 'Accept-Encoding': 'gzip' }];

    await t.test('who has the answer already gets 304, with the length of the 200, miss or hit, in both forms', async () => {
        for (const route of Object.keys(CACHED)) {
            for (const form of forms) {
                const { hit: full } = await missAndHit(admin, pathOf(route), form);
                const headers = { ...form, 'If-None-Match': full.headers.etag };
                const { miss, hit } = await missAndHit(admin, pathOf(route), headers);
                assertNotModified(miss, full, STORED, route);
                assertNotModified(hit, full, HIT, route);
                const named = await admin.get(pathOf(route), { ...headers, 'X-Request-Id': 'mine' });
                assertNotModified(named, full, HIT, route);
                assert.strictEqual(named.headers['x-request-id'], 'mine');
                const head = await admin.request('HEAD', pathOf(route), undefined, headers);
                assertNotModified(head, full, HIT, route);
            }
        }
    });

    await t.test('the connection goes on after a 304 as after any answer', async () => {
        const { hit: full } = await missAndHit(admin, large[0]);
        for (let i = 0; i < 5; i++) {
            assertNotModified(await admin.get(large[0], { 'If-None-Match': full.headers.etag }), full, HIT);
            assert.strictEqual((await admin.expect(200, 'GET', large[0])).body, full.body);
        }
    });

    await t.test('a tag of the other form is not a tag of this one', async () => {
        for (const path of large) {
            const [plain, small] = [await admin.get(path), await admin.get(path, forms[1])];
            const replies = await missAndHit(admin, path, { 'If-None-Match': small.headers.etag });
            const compressed = await missAndHit(admin, path, { ...forms[1], 'If-None-Match': plain.headers.etag });
            for (const reply of [replies.miss, replies.hit, compressed.miss, compressed.hit]) {
                assert.strictEqual(reply.status, 200, path);
                assert.strictEqual(reply.body, plain.body, path);
            }
        }
    });

    await t.test('a list of tags, a weak one and * match; what is no tag of it does not', async () => {
        const [path] = large;
        for (const form of forms) {
            const full = await admin.get(path, form);
            const tag = full.headers.etag;
            for (const known of ['*', `"0.0000000000000000", ${tag}`, `${tag},"other"`, `W/${tag}`, `"a" , W/${tag} , "b"`]) {
                const { miss, hit } = await missAndHit(admin, path, { ...form, 'If-None-Match': known });
                assertNotModified(miss, full, STORED, known);
                assertNotModified(hit, full, HIT, known);
            }
            for (const unknown of ['""', '"*"', tag.replaceAll('"', ''), tag.slice(0, -1), `${tag.slice(0, -1)}x"`, '"0.0000000000000000"']) {
                const { miss, hit } = await missAndHit(admin, path, { ...form, 'If-None-Match': unknown });
                assert.strictEqual(miss.status, 200, unknown);
                assert.strictEqual(hit.status, 200, unknown);
            }
        }
    });

    await t.test('that something is not there is 404, whatever tag one has', async () => {
        for (const known of ['*', '"0.0123456789abcdef"', '""']) {
            const { miss, hit } = await missAndHit(admin, '/risks/R-99', { 'If-None-Match': known });
            assertProblem(miss, 404);
            assertProblem(hit, 404);
            assert.strictEqual(hit.headers.etag, undefined);
        }
    });
}

async function writeTests(t, admin, risk) {
    await t.test('after a write the old tag brings the new answer with a new tag, in both forms', async () => {
        for (const [i, form] of [{}, { 'Accept-Encoding': 'gzip' }].entries()) {
            for (const path of [`/risks/${risk.id}`, '/risks', '/activity']) {
                const { hit } = await missAndHit(admin, path, form);
                const known = { ...form, 'If-None-Match': hit.headers.etag };
                await admin.expect(200, 'PATCH', `/risks/${risk.id}`, { owner: `owner ${i} of ${path}` });
                const fresh = await admin.expect(200, 'GET', path, undefined, known);
                assertWay(fresh, STORED, path);
                assert.notStrictEqual(fresh.headers.etag, hit.headers.etag);
                assert.ok(fresh.body.includes(`owner ${i} of ${path}`), path);
                assert.strictEqual((await admin.get(path, { ...form, 'If-None-Match': fresh.headers.etag })).status, 304);
            }
        }
    });

    await t.test('a tag of a hit, of either form, does for If-Match, until somebody else writes', async () => {
        for (const form of [{}, { 'Accept-Encoding': 'gzip' }]) {
            const { hit } = await missAndHit(admin, `/risks/${risk.id}`, form);
            const known = { 'If-Match': hit.headers.etag };
            await admin.expect(200, 'PATCH', `/risks/${risk.id}`, { owner: `by ${hit.headers.etag}` }, known);
            assertProblem(await admin.patch(`/risks/${risk.id}`, { owner: 'too late' }, known), 412);
        }
    });
}

test('the forms of a cached answer', async (t) => {
    const server = await startServer(t);
    const admin = await server.signIn();
    const { risk, pathOf } = await fillRegister(admin);
    const large = [`/risks/${risk.id}`, '/risks', '/stats/trends?days=60'];
    await encodingTests(t, admin, large);
    await tagTests(t, admin, pathOf, large);
    await writeTests(t, admin, risk);
});
