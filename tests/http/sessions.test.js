/**
 * Who asks comes first: an answer that is kept is given to those who may have it, whoever made it be
 * kept, and to nobody else; and who may no longer have it is refused at once, although the server
 * remembers who holds a token.
 */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { ADMIN, startServer, waitFor } = require('./lib');
const { assertProblem, makeRisk, randomOf } = require('./register');
const { CACHED, HIT, STORED, assertNotCached, assertWay, commonHeaders, fillRegister, forget, statisticsOf } = require('./cached');

const ENV = { CACHE_TTL_RISKS: '1h', CACHE_TTL_STATS: '1h', CACHE_TTL_MATRIX: '1h', CACHE_TTL_TRENDS: '1h', LOGIN_BURST: '1000' };
const PASSWORD = 'a password for tests only';
const NEW_PASSWORD = 'another password for tests';

/** The connection that a client's next request will use; undefined if it will open one. */
function connectionOf(client) {
    const [free, ...others] = Object.values(client.agent.freeSockets).flat();
    assert.deepStrictEqual(others, []);
    return free && free.localPort;
}

/** Read something that is kept until it comes from the cache, over the client's one connection. */
async function readKept(client, route = '/risks') {
    await client.expect(200, 'GET', route);
    await client.expect(200, 'GET', route);
    const port = connectionOf(client);
    assert.ok(port);
    assertWay(await client.expect(200, 'GET', route), HIT);
    assert.strictEqual(connectionOf(client), port);
    return port;
}

/** The very next request, on the connection that is open, is refused. */
async function assertRefused(client, port, status = 401, route = '/risks') {
    assert.strictEqual(connectionOf(client), port);
    const reply = await client.get(route);
    assertProblem(reply, status);
    assertNotCached(reply);
    assert.strictEqual(connectionOf(client), port, 'the connection stays open');
}

async function sharingTests(t, server, admin, pathOf) {
    await t.test('everybody gets the same answer from the same entry: roles, tokens, the cookie', async () => {
        const token = (await admin.expect(201, 'POST', '/tokens', { name: 'reader', scope: 'read' })).json.token;
        const browser = server.client();
        const signedIn = await browser.expect(200, 'POST', '/auth/login', ADMIN, { Origin: server.url });
        const Cookie = signedIn.headers['set-cookie'][0].split(';')[0];
        const readers = [await server.as('viewer'), await server.as('analyst'), await server.as('admin'), server.client(token)];
        for (const reader of readers) {
            await reader.expect(200, 'GET', '/users/me');
        }
        await forget(admin, 'risks');
        await forget(admin, 'assets');
        for (const [i, route] of Object.keys(CACHED).entries()) {
            const turn = [...readers.slice(i % readers.length), ...readers.slice(0, i % readers.length)];
            const first = await turn[0].expect(200, 'GET', pathOf(route));
            assertWay(first, STORED, route);
            const replies = [await browser.expect(200, 'GET', pathOf(route), undefined, { Cookie })];
            for (const reader of turn) {
                replies.push(await reader.expect(200, 'GET', pathOf(route)));
            }
            for (const reply of replies) {
                assertWay(reply, HIT, route);
                assert.ok(reply.bytes.equals(first.bytes), route);
                assert.deepStrictEqual(commonHeaders(reply), commonHeaders(first), route);
            }
        }
    });

    await t.test('nobody else gets it: without a token, with none that is one, with one made up', async () => {
        const made = `or_${'0123456789abcdefghjkmnpqrstvwxyz0123456'}`;
        const cut = admin.token.slice(0, -1);
        const tokens = ['', ' ', ` ${made}`, ` ${admin.token}x`, ` ${cut}`].map((token) => `Bearer${token}`);
        const wrong = [undefined, admin.token, `Basic ${admin.token}`, ...tokens];
        const nobody = server.client();
        for (const route of Object.keys(CACHED)) {
            await admin.expect(200, 'GET', pathOf(route));
            assertWay(await admin.expect(200, 'GET', pathOf(route)), HIT, route);
            for (const Authorization of wrong) {
                const headers = Authorization === undefined ? {} : { Authorization };
                const reply = await nobody.get(pathOf(route), { ...headers, 'If-None-Match': '*' });
                assertProblem(reply, 401);
                assertNotCached(reply, `${route} for ${Authorization}`);
                assert.strictEqual(reply.headers['www-authenticate'], 'Bearer');
                assert.strictEqual(reply.headers.etag, undefined);
            }
            assert.strictEqual((await nobody.request('HEAD', pathOf(route))).status, 401, route);
            assertWay(await admin.expect(200, 'GET', pathOf(route)), HIT, route);
        }
    });
}

/** What ends somebody's access. Each gives {client: whose it was, end: what ends it}. */
const ENDS = {
    'whose token was revoked': async (server, user) => {
        const { json: token } = await user.expect(201, 'POST', '/tokens', { name: 'x' });
        return { client: server.client(token.token), end: () => user.expect(204, 'DELETE', `/tokens/${token.id}`) };
    },
    'who signed out': async (server, user) => ({ client: user, end: () => user.expect(204, 'POST', '/auth/logout') }),
    'whose session was ended elsewhere': async (server, user) => {
        const elsewhere = server.client(user.token);
        return { client: user, end: () => elsewhere.expect(204, 'POST', '/auth/logout') };
    },
    'who was switched off': async (server, user, admin) => {
        return { client: user, end: () => admin.expect(200, 'PATCH', `/users/${user.user.id}`, { is_active: false }) };
    },
    'who was deleted': async (server, user, admin) => ({ client: user, end: () => admin.expect(204, 'DELETE', `/users/${user.user.id}`) }),
    'whose password an admin set': async (server, user, admin) => {
        return { client: user, end: () => admin.expect(200, 'PATCH', `/users/${user.user.id}`, { password: NEW_PASSWORD }) };
    },
    'who changed the password in another session': async (server, user) => {
        const other = await server.signIn(user.user.email, PASSWORD);
        const change = { current_password: PASSWORD, new_password: NEW_PASSWORD };
        return { client: user, end: () => other.expect(204, 'POST', '/users/me/password', change) };
    },
    'whose token was ended by a change of password': async (server, user) => {
        const { json: token } = await user.expect(201, 'POST', '/tokens', { name: 'x' });
        const change = { current_password: PASSWORD, new_password: NEW_PASSWORD };
        return { client: server.client(token.token), end: () => user.expect(204, 'POST', '/users/me/password', change) };
    },
};

async function endTests(t, server, admin) {
    for (const [who, prepare] of Object.entries(ENDS)) {
        await t.test(`one ${who} is refused by the very next answer, on the same connection`, async () => {
            const user = await server.as('viewer');
            const { client, end } = await prepare(server, user, admin);
            const port = await readKept(client);
            await readKept(admin);
            await end();
            await assertRefused(client, port);
            await assertRefused(client, port, 401, '/stats');
            assertWay(await admin.expect(200, 'GET', '/risks'), HIT);
        });
    }

    await t.test('the session that changed the password goes on, and so does the user who is let in again', async () => {
        const user = await server.as('viewer');
        await readKept(user);
        await user.expect(204, 'POST', '/users/me/password', { current_password: PASSWORD, new_password: NEW_PASSWORD });
        assertWay(await user.expect(200, 'GET', '/risks'), HIT);
        await admin.expect(200, 'PATCH', `/users/${user.user.id}`, { is_active: false });
        await admin.expect(200, 'PATCH', `/users/${user.user.id}`, { is_active: true });
        assertProblem(await user.get('/risks'), 401);
        assertWay(await (await server.signIn(user.user.email, NEW_PASSWORD)).expect(200, 'GET', '/risks'), HIT);
    });

    await t.test('another role counts at once, up and down', async () => {
        const user = await server.as('viewer');
        const give = (role) => admin.expect(200, 'PATCH', `/users/${user.user.id}`, { role });
        const risk = { title: 'By role', impact: 1, probability: 1 };
        for (let i = 0; i < 3; i++) {
            const port = await readKept(user);
            assertProblem(await user.post('/risks', risk), 403);
            await give('analyst');
            await user.expect(201, 'POST', '/risks', risk);
            assertProblem(await user.get('/cache'), 403);
            await give('admin');
            await user.expect(200, 'GET', '/cache');
            await give('viewer');
            await assertRefused(user, port, 403, '/cache');
            assertProblem(await user.post('/risks', risk), 403);
        }
    });

    await t.test('who must change the first password reads nothing that is kept, until it is changed', async () => {
        const email = 'generated@example.org';
        const { stdout } = await server.cli(['user', 'add', email, '--generate']);
        const [, password] = /^password: (\S+)$/m.exec(stdout);
        const user = await server.signIn(email, password);
        await readKept(admin);
        await user.expect(200, 'GET', '/users/me');
        const port = connectionOf(user);
        for (let i = 0; i < 3; i++) {
            await assertRefused(user, port, 403);
        }
        await user.expect(204, 'POST', '/users/me/password', { current_password: password, new_password: NEW_PASSWORD });
        assertWay(await user.expect(200, 'GET', '/risks'), HIT);
    });
}

test('who may have a kept answer', async (t) => {
    const server = await startServer(t, { env: ENV });
    const admin = await server.signIn();
    const { pathOf } = await fillRegister(admin);
    await sharingTests(t, server, admin, pathOf);
    await endTests(t, server, admin);
});

test('a token is refused from its end on, although answers and holder are known', async (t) => {
    const server = await startServer(t, { env: ENV });
    const admin = await server.signIn();
    const clockMs = 20; // The server's coarse clock may be behind by this.

    // A slow machine may need more time than the first tries leave.
    for (let lifeMs = 1000, wasHit = false; !wasHit; lifeMs *= 2) {
        assert.ok(lifeMs <= 60000, 'no answer came in time');
        const ends = Date.now() + lifeMs;
        const { json: token } = await admin.expect(201, 'POST', '/tokens', { name: 'short', expires_at: new Date(ends).toISOString() });
        const client = server.client(token.token);
        await waitFor(async () => {
            const sent = Date.now();
            const reply = await client.get('/risks');
            if (reply.status === 200) {
                assert.ok(sent < ends + clockMs, `answered ${sent - ends} ms after its end`);
                wasHit ||= reply.headers['cache-status'] === HIT;
                return false;
            }
            assert.ok(Date.now() >= ends, `refused ${ends - Date.now()} ms before its end`);
            assertProblem(reply, 401);
            return true;
        }, 'the end of the token', lifeMs + 10000);
        assertProblem(await client.get('/stats'), 401);
    }
});

test('holders of tokens are remembered, and nobody else is', async (t) => {
    const server = await startServer(t, { env: { ...ENV, LOG_HIT_SAMPLE: '1' } });
    const admin = await server.signIn();
    await makeRisk(admin);

    await t.test('a known user\'s hit asks the database nothing', async () => {
        await readKept(admin);
        const { sessions: before } = await statisticsOf(admin);
        const logged = server.log.length;
        const times = 10;
        for (let i = 0; i < times; i++) {
            assertWay(await admin.expect(200, 'GET', '/risks'), HIT);
        }
        const { sessions: after } = await statisticsOf(admin);
        assert.ok(after.hits - before.hits >= times, `${after.hits - before.hits}`);
        assert.strictEqual(after.entries, before.entries);
        assert.ok(after.bytes > 0 && after.bytes <= after.max_bytes);
        const lines = await waitFor(() => {
            const found = server.log.slice(logged).split('\n').filter((line) => / route=\/api\/v1\/risks .* cache=hit_l1 /.test(line));
            return found.length >= times && found;
        }, 'the lines of the log');
        lines.forEach((line) => assert.match(line, / statements=0 /));
    });

    await t.test('unknown tokens leave nothing behind: made up, of another server, revoked, of a twin', async (t2) => {
        const copy = await server.copyDatabase(t);
        const other = await startServer(t2);
        const twin = await startServer(t2, { env: { DATABASE_URL: copy } }); // It has our key, and makes genuine tokens.
        const tokensOf = async (one, count) => {
            const client = await one.signIn();
            return Promise.all(Array.from({ length: count }, async () => (await client.expect(201, 'POST', '/tokens', { name: 'x' })).json));
        };
        const revoked = await tokensOf(server, 20);
        for (const { id } of revoked) {
            await admin.expect(204, 'DELETE', `/tokens/${id}`);
        }
        const random = randomOf(3);
        const alphabet = [...'0123456789abcdefghjkmnpqrstvwxyz'];
        const madeUp = Array.from({ length: 1000 }, () => `or_${Array.from({ length: 39 }, () => random.of(alphabet)).join('')}`);
        const unknown = [...(await tokensOf(other, 20)), ...revoked, ...(await tokensOf(twin, 20))].map((one) => one.token);

        await readKept(admin);
        const { sessions: before } = await statisticsOf(admin);
        const nobody = server.client();
        for (const token of [...madeUp, ...unknown, ...unknown]) {
            const reply = await nobody.get('/risks', { Authorization: `Bearer ${token}` });
            assert.strictEqual(reply.status, 401);
            assertNotCached(reply);
        }
        const { sessions: after } = await statisticsOf(admin);
        assert.strictEqual(after.entries, before.entries);
        assert.strictEqual(after.bytes, before.bytes);
        assertWay(await admin.expect(200, 'GET', '/risks'), HIT);
    });
});

test('what another process ends is refused within a second', async (t) => {
    const server = await startServer(t, { env: ENV });
    const admin = await server.signIn();
    await makeRisk(admin);
    const ways = {
        'user deactivate': async () => {
            const user = await server.as('viewer');
            return { client: user, args: ['user', 'deactivate', user.user.email] };
        },
        'user passwd': async () => {
            const user = await server.as('viewer');
            return { client: user, args: ['user', 'passwd', user.user.email, '--password-stdin'] };
        },
        'token revoke': async () => {
            const { json: token } = await admin.expect(201, 'POST', '/tokens', { name: 'x' });
            return { client: server.client(token.token), args: ['token', 'revoke', token.id, '--user', ADMIN.email] };
        },
    };
    for (const [command, prepare] of Object.entries(ways)) {
        await t.test(`openrisk ${command}`, async (t2) => {
            const took = [];
            for (let i = 0; i < 4; i++) {
                const { client, args } = await prepare();
                const port = await readKept(client);
                const { code, stderr } = await server.cli(args, { input: `${NEW_PASSWORD}\n`, sees: false });
                const ended = performance.now();
                assert.strictEqual(code, 0, stderr);
                await waitFor(async () => {
                    const sent = performance.now() - ended;
                    const reply = await client.get('/risks');
                    assert.ok(reply.status === 401 || sent <= 1000, `answered a request ${sent} ms after the command's end`);
                    return reply.status === 401;
                }, 'the refusal');
                took.push(performance.now() - ended);
                await assertRefused(client, port);
            }
            t2.diagnostic(`figure: openrisk ${command} beside the server is seen ${took.map((ms) => ms.toFixed(0)).join(', ')} ms after its end`);
        });
    }
});
