/** Sign-in, sessions, API tokens, passwords and the browser's cookie. Users are in users.test.js. */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const { test } = require('node:test');

const { ADMIN, cli, startServer, temporaryFolder } = require('./lib');
const { UNKNOWN_ID, assertProblem, makeRisk } = require('./register');

const NEW_PASSWORD = 'quite another password';

/** The server at another time of day: `offset` is "13h", "-3d". */
async function restartAt(server, offset) {
    await server.stop();
    server.env.OPENRISK_CLOCK_OFFSET = offset;
    await server.start();
}

async function signInTests(t, server) {
    const nobody = server.client();

    await t.test('the right password gives a token for 12 hours and says who one is', async () => {
        const reply = await nobody.expect(200, 'POST', '/auth/login', ADMIN);
        assert.deepStrictEqual(Object.keys(reply.json).sort(), ['expires_in', 'token', 'user']);
        assert.match(reply.json.token, /^or_[0-9A-Za-z]{30,}$/);
        assert.strictEqual(reply.json.expires_in, 12 * 3600);
        assert.strictEqual(reply.json.user.email, ADMIN.email);
        assert.strictEqual(reply.json.user.role, 'admin');
        assert.strictEqual(reply.json.user.must_change_password, false);
        assert.strictEqual(reply.headers['set-cookie'], undefined);
        assert.match(reply.headers['cache-control'], /no-store|private/);
        assert.ok(!reply.body.includes('argon2') && !reply.body.includes(ADMIN.password));
        const me = await server.client(reply.json.token).expect(200, 'GET', '/users/me');
        assert.strictEqual(me.json.id, reply.json.user.id);
    });

    await t.test('the e-mail address counts in any case and with white space around it', async () => {
        await nobody.expect(200, 'POST', '/auth/login', { ...ADMIN, email: ' Admin@Example.ORG ' });
    });

    await t.test('a wrong password and an unknown user get the same answer', async () => {
        const wrong = await nobody.post('/auth/login', { ...ADMIN, password: 'wrong' });
        const unknown = await nobody.post('/auth/login', { ...ADMIN, email: 'nobody@example.org' });
        assertProblem(wrong, 401);
        assertProblem(unknown, 401);
        assert.deepStrictEqual(unknown.json, wrong.json);
    });

    await t.test('without a token every other route says 401 and how to sign in', async () => {
        const reply = await nobody.get('/risks');
        assertProblem(reply, 401);
        assert.match(reply.headers['www-authenticate'] || '', /^Bearer\b/);
    });

    await t.test('logout kills the token at once, and only this one', async () => {
        const one = await server.signIn();
        const two = await server.signIn();
        await one.expect(204, 'POST', '/auth/logout');
        assertProblem(await one.get('/users/me'), 401);
        assertProblem(await one.post('/auth/logout'), 401);
        await two.expect(200, 'GET', '/users/me');
    });

    await t.test('made-up, cut and changed tokens and other schemes are refused', async () => {
        const { token } = await server.signIn();
        const changed = token.slice(0, -1) + (token.endsWith('a') ? 'b' : 'a');
        const inner = token.slice(0, 10) + (token[10] === 'a' ? 'b' : 'a') + token.slice(11);
        const headers = ['', 'Bearer', 'Bearer ', `Bearer ${changed}`, `Bearer ${inner}`, `Bearer ${token}x`];
        headers.push(`Bearer ${token.slice(0, -1)}`, `Bearer ${token.toUpperCase()}`, `Bearer or_${'a'.repeat(4000)}`);
        headers.push(`Basic ${Buffer.from(`${ADMIN.email}:${ADMIN.password}`).toString('base64')}`, token);
        for (const header of headers) {
            assertProblem(await nobody.get('/users/me', { Authorization: header }), 401);
        }
        await nobody.expect(200, 'GET', '/users/me', undefined, { Authorization: `bearer ${token}` });
    });
}

async function tokenTests(t, server) {
    const analyst = await server.as('analyst');
    const made = async (body) => (await analyst.expect(201, 'POST', '/tokens', body)).json;
    const listed = async () => (await analyst.expect(200, 'GET', '/tokens')).json.items;

    await t.test('an API token is shown once and works', async () => {
        const token = await made({ name: 'reporting', scope: 'full' });
        assert.strictEqual(token.name, 'reporting');
        const client = server.client(token.token);
        assert.strictEqual((await client.expect(200, 'GET', '/users/me')).json.id, analyst.user.id);
        await makeRisk(client);
        const list = await analyst.expect(200, 'GET', '/tokens');
        const found = list.json.items.find((item) => item.id === token.id);
        assert.strictEqual(found.name, 'reporting');
        assert.strictEqual(found.scope, 'full');
        assert.ok(!list.body.includes(token.token) && !list.body.includes('hash'), list.body);
    });

    await t.test('the list tells when a token was last used', async () => {
        const token = await made({ name: 'used' });
        assert.strictEqual((await listed()).find((item) => item.id === token.id).last_used_at, null);
        await server.client(token.token).expect(200, 'GET', '/risks');
        const seen = (await listed()).find((item) => item.id === token.id).last_used_at;
        assert.ok(Math.abs(Date.parse(seen) - Date.now()) < 60000, seen);
    });

    await t.test('a token without a scope may only read', async () => {
        assert.strictEqual((await made({ name: 'default' })).scope, 'read');
    });

    await t.test('a token of scope read reads everything its user may and writes nothing', async () => {
        const client = server.client((await made({ name: 'reader', scope: 'read' })).token);
        await client.expect(200, 'GET', '/risks');
        const before = (await analyst.get('/risks')).json.total;
        assertProblem(await client.post('/risks', { title: 'x', impact: 1, probability: 1 }), 403);
        assertProblem(await client.post('/tokens', { name: 'more', scope: 'full' }), 403);
        assertProblem(await client.patch('/users/me', { full_name: 'x' }), 403);
        assertProblem(await client.get('/users'), 403);
        assert.strictEqual((await analyst.get('/risks')).json.total, before);
    });

    await t.test('a revoked token is dead at once', async () => {
        const token = await made({ name: 'revoked', scope: 'full' });
        const client = server.client(token.token);
        await client.expect(200, 'GET', '/risks');
        await analyst.expect(204, 'DELETE', `/tokens/${token.id}`);
        assertProblem(await client.get('/risks'), 401);
        assert.ok(!(await listed()).some((item) => item.id === token.id));
        assertProblem(await analyst.delete(`/tokens/${token.id}`), 404);
        assertProblem(await analyst.delete(`/tokens/${UNKNOWN_ID}`), 404);
    });

    await t.test('nobody sees or revokes the tokens of others, not even an admin', async () => {
        const token = await made({ name: 'mine' });
        const admin = await server.signIn();
        assert.ok(!(await admin.get('/tokens')).json.items.some((item) => item.id === token.id));
        assertProblem(await admin.delete(`/tokens/${token.id}`), 404);
        await server.client(token.token).expect(200, 'GET', '/risks');
    });

    await t.test('a token lives at most 366 days, which is the default, and not in the past', async () => {
        const days = (Date.parse((await made({ name: 'long' })).expires_at) - Date.now()) / 86400000;
        assert.ok(days > 365 && days <= 366.01, `${days} days`);
        const at = (ms) => new Date(Date.now() + ms).toISOString();
        for (const expires of [at(-1000), at(367 * 86400000), '2026-02-30T00:00:00Z', 'tomorrow', 5]) {
            assertProblem(await analyst.post('/tokens', { name: 'x', expires_at: expires }), 422, 'expires_at');
        }
    });
}

async function passwordTests(t, server) {
    await t.test('a password change ends all other sessions and all tokens, but not this session', async () => {
        const me = await server.as('viewer');
        const signedIn = { email: me.user.email, password: 'a password for tests only' };
        const other = await server.signIn(signedIn.email, signedIn.password).catch(() => null);
        const api = server.client((await me.expect(201, 'POST', '/tokens', { name: 'api' })).json.token);
        await api.expect(200, 'GET', '/risks');
        const current = other ? signedIn.password : `${signedIn.password}, changed`;
        await me.expect(204, 'POST', '/users/me/password', { current_password: current, new_password: NEW_PASSWORD });
        await me.expect(200, 'GET', '/users/me');
        assertProblem(await api.get('/risks'), 401);
        if (other) {
            assertProblem(await other.get('/users/me'), 401);
        }
        assertProblem(await server.client().post('/auth/login', { email: me.user.email, password: current }), 401);
        await server.signIn(me.user.email, NEW_PASSWORD);
    });

    await t.test('a password change needs the old password and a new one worth its name', async () => {
        const me = await server.signIn();
        const change = (current, next) => me.post('/users/me/password', { current_password: current, new_password: next });
        assertProblem(await change('wrong', NEW_PASSWORD), [403, 422]);
        for (const weak of ['', 'short', 'x'.repeat(257), ADMIN.email.toUpperCase()]) {
            assertProblem(await change(ADMIN.password, weak), 422, 'new_password');
        }
        await server.signIn();
    });
}

async function expiryTests(t, server) {
    await t.test('a session ends after 12 hours, a token at its time, by the clock', async () => {
        const admin = await server.signIn();
        const expires = new Date(Date.now() + 14 * 3600000).toISOString();
        const { json: token } = await admin.expect(201, 'POST', '/tokens', { name: 'until 14 h', expires_at: expires });

        await restartAt(server, '11h');
        await server.client(admin.token).expect(200, 'GET', '/users/me');
        await restartAt(server, '13h');
        assertProblem(await server.client(admin.token).get('/users/me'), 401);
        await server.client(token.token).expect(200, 'GET', '/users/me');
        await restartAt(server, '15h');
        assertProblem(await server.client(token.token).get('/users/me'), 401);
        await restartAt(server, '0');
    });

    await t.test('neither passwords nor tokens are in the database or in the log', async () => {
        const admin = await server.signIn();
        const { json: token } = await admin.expect(201, 'POST', '/tokens', { name: 'kept hashed' });
        const secrets = [ADMIN.password, NEW_PASSWORD, admin.token, token.token];
        await server.stop();
        const log = server.log;
        const bytes = await server.contents();
        assert.ok(bytes.includes('kept hashed'));
        assert.ok(!secrets.some((secret) => bytes.includes(secret)));
        assert.ok(!secrets.some((secret) => log.includes(secret)));
        await server.start();
    });
}

test('sign-in', async (t) => {
    const server = await startServer(t);
    await signInTests(t, server);
    await tokenTests(t, server);
    await passwordTests(t, server);
    await expiryTests(t, server);
});

/** The one cookie that an answer sets: {text, pair: "name=value", attributes: [lower case]}. */
function cookieOf(reply) {
    const cookies = (reply.headers['set-cookie'] || []).filter((one) => !one.includes('openrisk_consistency='));
    assert.strictEqual(cookies.length, 1, `cookies: ${cookies}`);
    const [pair, ...attributes] = cookies[0].split(/; */);
    return { text: cookies[0], pair, attributes: attributes.map((one) => one.toLowerCase()) };
}

test('sign-in by cookie', async (t) => {
    const server = await startServer(t);
    const browser = server.client();
    const own = { Origin: server.url };
    const signIn = async () => cookieOf(await browser.expect(200, 'POST', '/auth/login', ADMIN, own)).pair;
    const risk = { title: 'By cookie', impact: 1, probability: 1 };

    await t.test('with its own Origin a browser gets a cookie that scripts cannot read, and no token', async () => {
        const reply = await browser.expect(200, 'POST', '/auth/login', ADMIN, own);
        const cookie = cookieOf(reply);
        for (const attribute of ['httponly', 'samesite=strict', 'path=/']) {
            assert.ok(cookie.attributes.includes(attribute), cookie.text);
        }
        assert.ok(!cookie.attributes.includes('secure'), cookie.text);
        assert.strictEqual(reply.json.token, undefined);
        assert.strictEqual(reply.json.user.email, ADMIN.email);
        assert.ok(!reply.body.includes(cookie.pair.split('=')[1]), reply.body);
        await browser.expect(200, 'GET', '/risks', undefined, { Cookie: cookie.pair });
        await browser.expect(200, 'GET', '/risks', undefined, { Cookie: `a=b; ${cookie.pair}; c=d` });
    });

    await t.test('Sec-Fetch-Site: same-origin does as well as an Origin', async () => {
        const reply = await browser.expect(200, 'POST', '/auth/login', ADMIN, { 'Sec-Fetch-Site': 'same-origin' });
        cookieOf(reply);
    });

    await t.test('sign-in from another site is refused and sets nothing', async () => {
        const others = [
            { Origin: 'https://evil.example' },
            { Origin: 'null' },
            { Origin: `${server.url}.evil.example` },
            { Origin: server.url.replace('http:', 'https:') },
            { 'Sec-Fetch-Site': 'cross-site' },
            { 'Sec-Fetch-Site': 'same-site' },
        ];
        for (const headers of others) {
            const reply = await browser.post('/auth/login', ADMIN, headers);
            assertProblem(reply, 403);
            assert.strictEqual(reply.headers['set-cookie'], undefined);
        }
    });

    await t.test('a write by cookie needs the matching Origin and the declared content type', async () => {
        const Cookie = await signIn();
        assertProblem(await browser.post('/risks', risk, { Cookie }), 403);
        assertProblem(await browser.post('/risks', risk, { Cookie, Origin: 'https://evil.example' }), 403);
        assertProblem(await browser.post('/risks', risk, { Cookie, 'Sec-Fetch-Site': 'cross-site' }), 403);
        assertProblem(await browser.post('/risks', risk, { Cookie, ...own, 'Content-Type': 'text/plain' }), 415);
        assert.strictEqual((await browser.get('/risks', { Cookie })).json.total, 0);
        await browser.expect(201, 'POST', '/risks', risk, { Cookie, ...own });
        await browser.expect(201, 'POST', '/risks', risk, { Cookie, 'Sec-Fetch-Site': 'same-origin' });
    });

    await t.test('a write with a token needs no Origin', async () => {
        await (await server.signIn()).expect(201, 'POST', '/risks', risk);
    });

    await t.test('the cookie is new at each sign-in, and logout ends and clears it', async () => {
        const first = await signIn();
        const second = await signIn();
        assert.notStrictEqual(second, first);
        const reply = await browser.expect(204, 'POST', '/auth/logout', undefined, { Cookie: second, ...own });
        const cleared = cookieOf(reply);
        assert.match(cleared.pair, /=$/);
        assert.ok(cleared.attributes.includes('max-age=0'), cleared.text);
        assertProblem(await browser.get('/risks', { Cookie: second }), 401);
        await browser.expect(200, 'GET', '/risks', undefined, { Cookie: first });
    });

    await t.test('behind https the cookie is Secure and named __Host-', async (t2) => {
        const secure = await startServer(t2, { env: { OPENRISK_PUBLIC_URL: 'https://risk.example.org' } });
        const headers = { Origin: 'https://risk.example.org' };
        const cookie = cookieOf(await secure.client().expect(200, 'POST', '/auth/login', ADMIN, headers));
        assert.match(cookie.pair, /^__Host-/);
        assert.ok(cookie.attributes.includes('secure') && cookie.attributes.includes('path=/'), cookie.text);
        assert.ok(!cookie.attributes.some((one) => one.startsWith('domain')), cookie.text);
        assertProblem(await secure.client().post('/auth/login', ADMIN, { Origin: secure.url }), 403);
        await secure.client().expect(201, 'POST', '/risks', risk, { ...headers, Cookie: cookie.pair });
    });
});

test('too many failed sign-ins', async (t) => {
    const server = await startServer(t, { env: { LOGIN_BURST: '3', LOGIN_DRAIN: '1h' } });
    await server.as('viewer');
    const nobody = server.client();
    const tryOnce = (email, password) => nobody.post('/auth/login', { email, password });

    await t.test('are refused with 429 and when to come back, even with the right password', async () => {
        for (let i = 0; i < 3; i++) {
            assertProblem(await tryOnce(ADMIN.email, `wrong ${i}`), 401);
        }
        for (const password of ['wrong again', ADMIN.password]) {
            const reply = await tryOnce(ADMIN.email, password);
            assertProblem(reply, 429);
            assert.match(reply.headers['retry-after'], /^[1-9]\d*$/);
        }
    });

    await t.test('do not end a session that is open', async (t2) => {
        const fresh = await startServer(t2, { env: { LOGIN_BURST: '3', LOGIN_DRAIN: '1h' } });
        const admin = await fresh.signIn();
        for (let i = 0; i < 4; i++) {
            await fresh.client().post('/auth/login', { ...ADMIN, password: 'wrong' });
        }
        assertProblem(await fresh.client().post('/auth/login', ADMIN), 429);
        await admin.expect(200, 'GET', '/risks');
    });

    await t.test('are forgotten with time', async (t2) => {
        const fresh = await startServer(t2, { env: { LOGIN_BURST: '2', LOGIN_DRAIN: '200ms' } });
        for (let i = 0; i < 2; i++) {
            await fresh.client().post('/auth/login', { ...ADMIN, password: 'wrong' });
        }
        const deadline = Date.now() + 10000;
        let reply;
        do {
            reply = await fresh.client().post('/auth/login', ADMIN);
        } while (reply.status === 429 && Date.now() < deadline);
        assert.strictEqual(reply.status, 200);
    });
});

test('a first start without a password', async (t) => {
    const server = await startServer(t, { env: { INITIAL_ADMIN_PASSWORD: undefined } });
    const printed = /password\W+([a-z0-9-]{20,})/i.exec(server.run.stdout + server.log);

    await t.test('prints a random one, once, and where to sign in', async () => {
        assert.ok(printed, `no password in:\n${server.run.stdout}`);
        assert.ok(server.run.stdout.includes(`sign in   ${server.url}/\n`), server.run.stdout);
        assert.ok(server.run.stdout.includes(ADMIN.email), server.run.stdout);
        assert.ok(!server.log.includes(printed[1]), 'the password is in the log');
        await server.stop();
        await server.start();
        assert.doesNotMatch(server.run.stdout + server.log, /password/i);
    });

    await t.test('which must be changed before anything else works', async () => {
        const admin = await server.signIn(ADMIN.email, printed[1]);
        assert.strictEqual(admin.user.must_change_password, true);
        for (const [method, route] of [['GET', '/risks'], ['GET', '/users'], ['POST', '/tokens'], ['GET', '/export/risks.json']]) {
            const reply = await admin.request(method, route, method === 'POST' ? { name: 'x' } : undefined);
            assertProblem(reply, 403);
            assert.match(reply.json.detail, /password/);
            assert.match(reply.json.detail, /\/users\/me\/password/);
        }
        await admin.expect(200, 'GET', '/users/me');
        const same = { current_password: printed[1], new_password: printed[1] };
        assertProblem(await admin.post('/users/me/password', same), 422, 'new_password');
        const change = { current_password: printed[1], new_password: NEW_PASSWORD };
        await admin.expect(204, 'POST', '/users/me/password', change);
        await admin.expect(200, 'GET', '/risks');
        assert.strictEqual((await server.signIn(ADMIN.email, NEW_PASSWORD)).user.must_change_password, false);
    });

    await t.test('does not happen without a database: a wrong setting stops it', async () => {
        const folder = temporaryFolder();
        const env = { DATABASE_URL: `sqlite:${folder}/x.db`, INITIAL_ADMIN_EMAIL: ADMIN.email, INITIAL_ADMIN_PASSWORD: 'short' };
        const run = await cli(['serve'], { env });
        assert.notStrictEqual(run.code, 0);
        assert.match(run.stderr, /INITIAL_ADMIN_PASSWORD/);
        assert.ok(!run.stderr.includes('short"'), run.stderr);
        fs.rmSync(folder, { recursive: true, force: true });
    });
});
