/** What is refused is counted by its reason: sign-ins, and what the server refuses before or beside a route. */
'use strict';

const assert = require('node:assert');
const net = require('node:net');
const { test } = require('node:test');

const { ADMIN, startServer, waitFor } = require('./lib');
const { IN_FLIGHT, REQUESTS, changes, counted, scrapeOf, scrapeWhen, settled } = require('./scraped');

const LOGINS = 'openrisk_login_attempts_total';
const REJECTED = 'openrisk_http_rejected_total';
const HOST = 'Host: localhost\r\n';
const CLOSE = 'Connection: close\r\n';
const MIB = 1024 * 1024;

/** Who has connected, and may send bytes, and goes away without a word. */
async function connect(t, server) {
    const { hostname, port } = new URL(server.url);
    const socket = net.connect(Number(port), hostname);
    const client = { socket, text: '', isClosed: false };
    socket.on('error', () => {});
    socket.on('close', () => (client.isClosed = true));
    socket.setEncoding('latin1').on('data', (text) => (client.text += text));
    t.after(() => socket.destroy());
    await new Promise((resolve) => socket.on('connect', resolve));
    return client;
}

test('every sign-in is counted by its result', async (t) => {
    const server = await startServer(t, { env: { LOGIN_BURST: '3' } });
    const login = (body) => server.client().post('/auth/login', body);
    const wrong = { ...ADMIN, password: 'not their password' };

    await t.test('ok, failed, and of people who are not known', async () => {
        const found = await counted(server, LOGINS, 'result', async () => {
            assert.strictEqual((await login(ADMIN)).status, 200);
            assert.strictEqual((await login(ADMIN)).status, 200);
            assert.strictEqual((await login(wrong)).status, 401);
            assert.strictEqual((await login({ ...wrong, email: 'nobody@example.org' })).status, 401);
        });
        assert.deepStrictEqual(found, { ok: 2, failed: 2 });
    });

    await t.test('throttled after too many failures', async () => {
        const email = 'another@example.org';
        const found = await counted(server, LOGINS, 'result', async () => {
            const statuses = [];
            for (let i = 0; i < 5; i++) {
                statuses.push((await login({ ...wrong, email })).status);
            }
            assert.deepStrictEqual(statuses, [401, 401, 401, 429, 429]);
        });
        assert.deepStrictEqual(found, { failed: 3, throttled: 2 });
    });

    await t.test('busy if too many wait for a hash', async () => {
        const statuses = { 200: 0, 429: 0 };
        const found = await counted(server, LOGINS, 'result', async () => {
            for (const { status } of await Promise.all(Array.from({ length: 60 }, () => login(ADMIN)))) {
                statuses[status]++;
            }
        });
        assert.ok(statuses[200] > 0 && statuses[429] > 0, JSON.stringify(statuses));
        assert.deepStrictEqual(found, { ok: statuses[200], busy: statuses[429] });
    });

    await t.test('what is no sign-in is none', async () => {
        const found = await counted(server, LOGINS, 'result', async () => {
            assert.strictEqual((await login('{')).status, 400);
            assert.strictEqual((await login({ email: 1 })).status, 422);
        });
        assert.deepStrictEqual(found, {});
    });
});

test('what the server refuses is counted by its reason', async (t) => {
    const server = await startServer(t);
    const { token } = await server.signIn();
    const RISKS = `POST /api/v1/risks HTTP/1.1\r\n${HOST}Authorization: Bearer ${token}\r\nContent-Type: application/json\r\n`;
    const cases = {
        'a path that goes up': ['malformed', 400, `GET /api/v1/risks/../health HTTP/1.1\r\n${HOST}\r\n`],
        'two hosts': ['malformed', 400, `GET /api/v1/health HTTP/1.1\r\n${HOST}${HOST}\r\n`],
        'a chunk without a length': ['malformed', 400, `${RISKS}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
        'a version that there is not': ['malformed', 505, `GET /api/v1/health HTTP/9.9\r\n${HOST}\r\n`],
        'a long header': ['head_too_large', 431, `GET /api/v1/health HTTP/1.1\r\n${HOST}X-Long: ${'x'.repeat(70000)}\r\n\r\n`],
        'many headers': ['head_too_large', 431, `GET /api/v1/health HTTP/1.1\r\n${HOST}${'X-Many: x\r\n'.repeat(400)}\r\n`],
        'an expectation that nobody meets': ['expectation', 417, `${RISKS}Expect: 200-ok\r\nContent-Length: 5\r\n\r\n`],
        'a method that there is not': ['not_implemented', 501, `BREW /api/v1/health HTTP/1.1\r\n${HOST}\r\n`],
        'a large body that is announced': ['body_too_large', 413, `${RISKS}Content-Length: ${8 * MIB}\r\nExpect: 100-continue\r\n\r\n`],
        'a large body': ['body_too_large', 413, `${RISKS}Content-Length: ${2 * MIB}\r\n\r\n${' '.repeat(2 * MIB)}`],
        'a large body in chunks': ['body_too_large', 413, `${RISKS}Transfer-Encoding: chunked\r\n\r\n${`80000\r\n${' '.repeat(0x80000)}\r\n`.repeat(3)}0\r\n\r\n`],
    };
    for (const [name, [reason, status, bytes]] of Object.entries(cases)) {
        await t.test(`${name} is ${reason}`, async () => {
            const found = await counted(server, REJECTED, 'reason', async () => {
                const { text } = await server.raw(bytes);
                assert.match(text, new RegExp(`^HTTP/1.1 ${status} `));
            });
            assert.deepStrictEqual(found, { [reason]: 1 });
        });
    }

    await t.test('abandoned: the client is gone before its request has come whole', async () => {
        const requests = (await settled(server)).sum(REQUESTS);
        const found = await counted(server, REJECTED, 'reason', async () => {
            const client = await connect(t, server);
            client.socket.write(`${RISKS}Content-Length: 100\r\n\r\n{"title"`);
            await scrapeWhen(server, (scrape) => scrape.value(IN_FLIGHT) === 1, 'the request to begin');
            client.socket.destroy();
        });
        assert.deepStrictEqual(found, { abandoned: 1 });
        assert.strictEqual((await settled(server)).sum(REQUESTS), requests);
    });

    await t.test('nothing, if it was answered or never began', async () => {
        const before = await settled(server);
        const idle = await connect(t, server);
        idle.socket.destroy();
        const halfway = await connect(t, server);
        halfway.socket.write('GET /api/v1/hea');
        halfway.socket.destroy();
        const early = await connect(t, server);
        early.socket.write(`GET /api/v1/users HTTP/1.1\r\n${HOST}Authorization: Bearer ${token}\r\n\r\n`);
        early.socket.destroy();
        await server.raw(`GET /api/v1/health HTTP/1.1\r\n${HOST}${CLOSE}\r\n`);
        const after = await settled(server);
        assert.deepStrictEqual(changes(before, after, REJECTED, ({ reason }) => reason), {});
    });
});

test('bodies beyond their budget are counted', async (t) => {
    const server = await startServer(t, { env: { HTTP_BODY_BUDGET: '1MiB', IMPORT_MAX_BYTES: '1MiB', HTTP_LOOPS: '1' } });
    const { token } = await server.signIn();
    const before = await settled(server);
    const clients = [];
    for (let i = 0; i < 2; i++) {
        const client = await connect(t, server);
        const head = `POST /api/v1/import/risks HTTP/1.1\r\n${HOST}Authorization: Bearer ${token}\r\nContent-Type: application/json\r\n`;
        client.socket.write(`${head}Content-Length: ${MIB}\r\n\r\n${' '.repeat(0.7 * MIB)}`);
        clients.push(client);
    }
    await scrapeWhen(server, (scrape) => scrape.value(REJECTED, { reason: 'body_budget' }) === 1, 'one of them to be refused');
    clients.forEach(({ socket }) => socket.write(' '.repeat(MIB - Math.floor(0.7 * MIB))));
    await waitFor(() => clients.every(({ text }) => text.includes('\r\n\r\n')), 'both to be answered');
    const statuses = clients.map(({ text }) => text.slice(9, 12)).sort();
    assert.deepStrictEqual(statuses, ['422', '503']);
    const after = await settled(server);
    assert.deepStrictEqual(changes(before, after, REJECTED, ({ reason }) => reason), { body_budget: 1 });
    // Their route was found before, so they are among its requests, too.
    const found = changes(before, after, REQUESTS, ({ route, status }) => `${route} ${status}`);
    assert.deepStrictEqual(found, { '/api/v1/import/risks 422': 1, '/api/v1/import/risks 503': 1 });
});

test('connections beyond the limit are counted', async (t) => {
    const server = await startServer(t, { env: { HTTP_MAX_CONNECTIONS: '8' } });
    assert.strictEqual((await scrapeOf(server)).value('openrisk_http_max_connections'), 8);
    const clients = [];
    for (let i = 0; i < 8; i++) {
        clients.push(await connect(t, server));
    }
    await scrapeWhen(server, (scrape) => scrape.value('openrisk_http_connections') === 8, 'all to be connected');
    for (let i = 0; i < 3; i++) {
        const client = await connect(t, server);
        await waitFor(() => client.isClosed, 'a connection to be closed');
    }
    const full = await scrapeOf(server);
    assert.strictEqual(full.value(REJECTED, { reason: 'connection_limit' }), 3);
    assert.strictEqual(full.sum(REJECTED), 3);
    assert.strictEqual(full.value('openrisk_http_connections'), 8);
    clients.forEach(({ socket }) => socket.destroy());
    await scrapeWhen(server, (scrape) => scrape.value('openrisk_http_connections') === 0, 'all to be gone');
    assert.strictEqual((await server.client().get('/health')).status, 200);
});
