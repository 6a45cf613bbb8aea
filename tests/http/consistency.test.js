/**
 * Consistency tokens on one server: which answers carry one, what of a request's own is refused, what
 * is passed over, and what a browser gets. What several nodes make of them: tests/faults/.
 */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { ADMIN, startServer } = require('./lib');
const { assertProblem, makeAsset, makeMitigation, makeRisk, operationsOf } = require('./register');

const NAME = 'consistency-token';
const TEXT = /^[A-Za-z0-9_-]{54}$/; // three generations and a seal of 16 bytes: 40 bytes in base64

/** The numbers in it: what it was made from is no secret, only who made it matters. */
function generationsOf(token) {
    const bytes = Buffer.from(token, 'base64url');
    return [0, 8, 16].map((at) => bytes.readBigInt64LE(at));
}

function assertToken(reply, what) {
    assert.match(reply.headers[NAME] || 'none', TEXT, what);
    return reply.headers[NAME];
}

function assertNone(reply, what) {
    assert.strictEqual(reply.headers[NAME], undefined, what);
    const cookies = (reply.headers['set-cookie'] || []).filter((text) => text.includes('openrisk_consistency'));
    assert.deepStrictEqual(cookies, [], what);
}

/** The same text but for the `at`th bit of its bytes. */
function flipped(token, at) {
    const bytes = Buffer.from(token, 'base64url');
    bytes[at >> 3] ^= 1 << (at & 7);
    return bytes.toString('base64url');
}

/** A write that bumps the accounts' generation only: the answer that a token is revoked. */
async function revoke(client, headers) {
    const made = await client.expect(201, 'POST', '/tokens', { name: 'to be revoked', scope: 'read' }, headers);
    assertNone(made, 'what is new is in nothing that anybody keeps');
    return client.expect(204, 'DELETE', `/tokens/${made.json.id}`, undefined, headers);
}

test('which answers carry a token', async (t) => {
    const server = await startServer(t);
    const admin = await server.as('admin');
    const risk = await makeRisk(admin);
    const asset = await makeAsset(admin, { name: 'Till' });

    await t.test('every write that changes something', async () => {
        const write = async (status, method, route, body) => {
            const reply = await admin.expect(status, method, route, body);
            assertToken(reply, `${method} ${route}`);
            return reply.json;
        };
        const made = await write(201, 'POST', '/risks', { title: 'Fire', impact: 2, probability: 2 });
        await write(200, 'PATCH', `/risks/${made.id}`, { title: 'A fire' });
        await write(200, 'POST', '/risks/bulk', { ids: [made.id], set: { owner: 'Ann' } });
        const mitigation = await write(201, 'POST', `/risks/${made.id}/mitigations`, { title: 'Sprinklers' });
        await write(200, 'PATCH', `/mitigations/${mitigation.id}`, { title: 'More of them' });
        await write(204, 'DELETE', `/mitigations/${mitigation.id}`);
        await write(204, 'DELETE', `/risks/${made.id}`);
        await write(200, 'POST', `/risks/${made.id}/restore`);
        const shop = await write(201, 'POST', '/assets', { name: 'Shop' });
        await write(200, 'PATCH', `/assets/${shop.id}`, { criticality: 'HIGH' });
        await write(204, 'DELETE', `/assets/${shop.id}`);
        const token = (await admin.expect(201, 'POST', '/tokens', { name: 'script', scope: 'read' })).json;
        await write(204, 'DELETE', `/tokens/${token.id}`);
        const user = await write(201, 'POST', '/users', { email: 'new@example.org', password: 'a password for tests', role: 'viewer' });
        await write(200, 'PATCH', `/users/${user.id}`, { role: 'analyst' });
        await write(204, 'DELETE', `/users/${user.id}`);
        await write(200, 'DELETE', '/cache');
    });

    await t.test('it says what was bumped: the scopes of the write, and no others', async () => {
        const ofRisk = generationsOf(assertToken(await admin.expect(200, 'PATCH', `/risks/${risk.id}`, { title: 'One' })));
        assert.ok(ofRisk[0] > 0n && ofRisk[2] === 0n, String(ofRisk));
        const ofToken = generationsOf(assertToken(await revoke(admin)));
        assert.ok(ofToken[0] === 0n && ofToken[1] === 0n && ofToken[2] > 0n, String(ofToken));
        const later = generationsOf(assertToken(await admin.expect(200, 'PATCH', `/risks/${risk.id}`, { title: 'Two' })));
        assert.ok(later[0] > ofRisk[0]);
    });

    await t.test('none that only reads, is refused, or finds nothing to change', async () => {
        for (const route of ['/risks', `/risks/${risk.id}`, '/assets', '/users/me', '/users', '/tokens', '/stats', '/health', '/openapi.json', '/cache']) {
            assertNone(await admin.expect(200, 'GET', route), route);
        }
        const viewer = await server.as('viewer');
        assertNone(await viewer.post('/risks', { title: 'Not mine', impact: 1, probability: 1 }), 'forbidden');
        assertNone(await admin.post('/risks', { title: '' }), 'invalid');
        assertNone(await admin.patch('/risks/00000000-0000-4000-8000-000000000000', { title: 'x' }), 'not there');
        assertNone(await server.client().post('/risks', {}), 'nobody');
        const { title } = (await admin.expect(200, 'GET', `/risks/${risk.id}`)).json;
        assertNone(await admin.expect(200, 'PATCH', `/risks/${risk.id}`, { title }), 'the same title');
        assertNone(await admin.expect(200, 'PATCH', `/assets/${asset.id}`, {}), 'an empty change');
    });

    await t.test('a dry run of an import carries none, the import does', async () => {
        const document = { risks: [{ title: 'From a file', impact: 2, probability: 2 }] };
        assertNone(await admin.expect(200, 'POST', '/import/risks?dry_run=1', document));
        assertToken(await admin.expect(200, 'POST', '/import/risks', document));
    });

    await t.test('it is described with every write', async () => {
        const document = (await admin.expect(200, 'GET', '/openapi.json')).json;
        for (const { method, path, operation } of operationsOf(document)) {
            const [done] = Object.entries(operation.responses).find(([status]) => status !== 'default');
            const { headers } = operation.responses[done];
            assert.strictEqual(Boolean(headers && headers['Consistency-Token']), method !== 'GET', `${method} ${path}`);
        }
    });
});

test('what a request brings', async (t) => {
    const server = await startServer(t);
    const admin = await server.as('admin');
    const risk = await makeRisk(admin);
    const mitigation = await makeMitigation(admin, risk.id);
    const token = assertToken(await admin.expect(200, 'PATCH', `/risks/${risk.id}`, { title: 'Known' }));
    const send = (text, route = `/risks/${risk.id}`) => admin.get(route, { 'Consistency-Token': text });

    await t.test('its own token is taken, and the answer shows the write', async () => {
        const reply = await send(token);
        assert.strictEqual(reply.status, 200);
        assert.strictEqual(reply.json.title, 'Known');
        assertNone(reply);
    });

    await t.test('a header that is no token is refused, and the answer names it', async () => {
        const wrong = ['x', `${token}A`, token.slice(0, -1), `${token}=`, token.replace(/./, '+'), token.replace(/./, '*'), `"${token}"`,
            `${token}, ${token}`, 'A'.repeat(4000)];
        for (const text of wrong) {
            for (const reply of [await send(text), await admin.post('/risks', { title: 'Not made', impact: 1, probability: 1 }, { 'Consistency-Token': text })]) {
                assertProblem(reply, 400, 'Consistency-Token');
                assertNone(reply);
            }
        }
        assert.strictEqual((await admin.expect(200, 'GET', '/risks?q=Not+made')).json.items.length, 0);
    });

    await t.test('one that this register has not made, or that is changed, is passed over', async () => {
        const other = await startServer(t);
        const foreign = assertToken(await (await other.as('admin')).expect(201, 'POST', '/risks', { title: 'There', impact: 1, probability: 1 }));
        const future = Buffer.from(token, 'base64url');
        future.writeBigInt64LE(2n ** 62n, 0); // with the seal of another
        const made = [foreign, future.toString('base64url'), ...Array.from({ length: 320 }, (_, at) => flipped(token, at))];
        for (const text of made) {
            const reply = await send(text);
            assert.strictEqual(reply.status, 200, text);
            assert.strictEqual(reply.json.title, 'Known');
        }
    });

    await t.test('what is passed over is in no answer', async () => {
        const future = Buffer.from(token, 'base64url');
        future.writeBigInt64LE(2n ** 62n, 16);
        const reply = await admin.expect(200, 'PATCH', `/risks/${risk.id}`, { title: 'Once more' }, { 'Consistency-Token': future.toString('base64url') });
        assert.ok(generationsOf(assertToken(reply))[2] < 2n ** 62n);
    });

    await t.test('an answer carries what the request brought too, so that the last one is enough', async () => {
        const first = generationsOf(token);
        const ofToken = await revoke(admin, { 'Consistency-Token': token });
        const sum = generationsOf(assertToken(ofToken));
        assert.strictEqual(sum[0], first[0]);
        assert.ok(sum[2] > 0n);
        const next = await admin.expect(200, 'PATCH', `/mitigations/${mitigation.id}`, { title: 'Next' }, { 'Consistency-Token': ofToken.headers[NAME] });
        const all = generationsOf(assertToken(next));
        assert.ok(all[0] > sum[0]);
        assert.strictEqual(all[2], sum[2]);
    });
});

/** {pair, value, attributes} of the one consistency cookie that an answer sets. */
function cookieOf(reply) {
    const all = (reply.headers['set-cookie'] || []).filter((text) => text.includes('openrisk_consistency='));
    assert.strictEqual(all.length, 1, String(reply.headers['set-cookie']));
    const [pair, ...attributes] = all[0].split('; ');
    return { pair, value: pair.slice(pair.indexOf('=') + 1), attributes: attributes.map((one) => one.toLowerCase()).sort() };
}

/** Signs in as a browser does; headers of its later requests. */
async function browse(server, origin) {
    const client = server.client();
    const reply = await client.expect(200, 'POST', '/auth/login', ADMIN, { Origin: origin });
    assert.ok(reply.headers['set-cookie'].every((text) => text.includes('openrisk_session=')), 'nothing that anybody else reads was written');
    return { client, headers: { Origin: origin, Cookie: reply.headers['set-cookie'][0].split(';')[0] } };
}

const RISK = { title: 'By cookie', impact: 1, probability: 1 };

test('a browser', async (t) => {
    const server = await startServer(t);
    const { client, headers } = await browse(server, server.url);
    const admin = await server.as('admin');
    const made = await client.expect(201, 'POST', '/risks', RISK, headers);
    const cookie = cookieOf(made);
    const withCookie = (pair) => ({ ...headers, Cookie: `${headers.Cookie}; ${pair}` });

    await t.test('gets the token as a cookie too, that scripts cannot read and that ends soon', async () => {
        assert.strictEqual(cookie.value, assertToken(made));
        assert.ok(cookie.pair.startsWith('openrisk_consistency='), cookie.pair);
        assert.deepStrictEqual(cookie.attributes, ['httponly', 'max-age=3600', 'path=/', 'samesite=strict']);
        assert.strictEqual((await admin.expect(201, 'POST', '/risks', RISK)).headers['set-cookie'], undefined);
    });

    await t.test('brings it back by itself, and its next write adds to it', async () => {
        const read = await client.expect(200, 'GET', `/risks/${made.json.id}`, undefined, withCookie(cookie.pair));
        assertNone(read);
        const next = cookieOf(await revoke(client, withCookie(cookie.pair)));
        assert.strictEqual(generationsOf(next.value)[0], generationsOf(cookie.value)[0]);
        assert.ok(generationsOf(next.value)[2] > 0n);
    });

    await t.test('is not refused for a cookie that is no token: it cannot help it', async () => {
        for (const value of ['', 'x', '%00', `${cookie.value}A`, cookie.value.slice(1), flipped(cookie.value, 5), flipped(cookie.value, 319)]) {
            const reply = await client.get(`/risks/${made.json.id}`, withCookie(`openrisk_consistency=${value}`));
            assert.strictEqual(reply.status, 200, value);
        }
    });

    await t.test('a header counts before the cookie', async () => {
        const reply = await client.get('/risks', { ...withCookie(cookie.pair), 'Consistency-Token': 'x' });
        assertProblem(reply, 400, 'Consistency-Token');
    });

    await t.test('who comes by a token has no cookies', async () => {
        const reply = await revoke(admin, { Cookie: cookie.pair });
        assert.strictEqual(generationsOf(assertToken(reply))[0], 0n);
        assert.strictEqual(reply.headers['set-cookie'], undefined);
    });
});

test('behind https the cookie is Secure and named __Host-', async (t) => {
    const origin = 'https://risk.example.org';
    const server = await startServer(t, { env: { OPENRISK_PUBLIC_URL: origin } });
    const { client, headers } = await browse(server, origin);
    const cookie = cookieOf(await client.expect(201, 'POST', '/risks', RISK, headers));
    assert.ok(cookie.pair.startsWith('__Host-openrisk_consistency='), cookie.pair);
    assert.deepStrictEqual(cookie.attributes, ['httponly', 'max-age=3600', 'path=/', 'samesite=strict', 'secure']);
    const next = await revoke(client, { ...headers, Cookie: `${headers.Cookie}; ${cookie.pair}` });
    assert.strictEqual(generationsOf(cookieOf(next).value)[0], generationsOf(cookie.value)[0]);
});
