/** What only a raw socket can send: ambiguous, slow, oversized and hostile requests. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const net = require('node:net');
const path = require('node:path');
const { inTime, launch, startServer } = require('./lib');

const HOST = 'Host: localhost\r\n';
const CLOSE = 'Connection: close\r\n';

/** Status codes of all answers in what came back. */
function statuses(text) {
    return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1])).filter((status) => status !== 100);
}

/** A sign-in as its head without the framing headers, and its body. */
const LOGIN = 'POST /api/v1/auth/login HTTP/1.1\r\nContent-Type: application/json\r\n';
const BODY = '{"email":"nobody@example.org","password":"nothing at all"}';
const LENGTH = `Content-Length: ${BODY.length}\r\n`;
const HEALTH = `GET /api/v1/health HTTP/1.1\r\n${HOST}${CLOSE}\r\n`;

test('ambiguous requests are refused', async (t) => {
    const server = await startServer(t);

    await t.test('the same request in its plain form is understood', async () => {
        const { text } = await server.raw(`${LOGIN}${HOST}${LENGTH}${CLOSE}\r\n${BODY}`);
        assert.deepStrictEqual(statuses(text), [401]);
    });

    const ambiguous = {
        'two Content-Length that differ': `${LOGIN}${HOST}${LENGTH}Content-Length: 3\r\n\r\n${BODY}`,
        'two Content-Length that agree': `${LOGIN}${HOST}${LENGTH}${LENGTH}\r\n${BODY}`,
        'a list in Content-Length': `${LOGIN}${HOST}Content-Length: ${BODY.length}, ${BODY.length}\r\n\r\n${BODY}`,
        'a signed Content-Length': `${LOGIN}${HOST}Content-Length: +${BODY.length}\r\n\r\n${BODY}`,
        'a negative Content-Length': `${LOGIN}${HOST}Content-Length: -1\r\n\r\n${BODY}`,
        'Content-Length with Transfer-Encoding': `${LOGIN}${HOST}${LENGTH}Transfer-Encoding: chunked\r\n\r\n3a\r\n${BODY}\r\n0\r\n\r\n`,
        'Transfer-Encoding with Content-Length': `${LOGIN}${HOST}Transfer-Encoding: chunked\r\n${LENGTH}\r\n3a\r\n${BODY}\r\n0\r\n\r\n`,
        'a blank before the colon': `${LOGIN}${HOST}Content-Length : ${BODY.length}\r\n\r\n${BODY}`,
        'a tab before the colon': `${LOGIN}${HOST}Transfer-Encoding\t: chunked\r\n\r\n3a\r\n${BODY}\r\n0\r\n\r\n`,
        'an unknown Transfer-Encoding': `${LOGIN}${HOST}Transfer-Encoding: gzip\r\n\r\n${BODY}`,
        'chunked and another Transfer-Encoding': `${LOGIN}${HOST}Transfer-Encoding: gzip, chunked\r\n\r\n3a\r\n${BODY}\r\n0\r\n\r\n`,
        'two Transfer-Encoding': `${LOGIN}${HOST}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n3a\r\n${BODY}\r\n0\r\n\r\n`,
        'two Host': `${LOGIN}${HOST}${HOST}${LENGTH}\r\n${BODY}`,
        'no Host': `${LOGIN}${LENGTH}\r\n${BODY}`,
        'a name that is no token': `${LOGIN}${HOST}${LENGTH}X(y): 1\r\n\r\n${BODY}`,
        'an unknown method': `BREW /api/v1/health HTTP/1.1\r\n${HOST}\r\n`,
        'an encoded slash in the path': `GET /api/v1%2fhealth HTTP/1.1\r\n${HOST}\r\n`,
        'dot segments in the path': `GET /api/v1/risks/../health HTTP/1.1\r\n${HOST}\r\n`,
        'NUL in the path': `GET /api/v1/health%00 HTTP/1.1\r\n${HOST}\r\n`,
        'NUL in a value': `GET /api/v1/health HTTP/1.1\r\n${HOST}X-Request-Id: ab\0cd\r\n\r\n`,
        'a chunk size that is no number': `${LOGIN}${HOST}Transfer-Encoding: chunked\r\n\r\nzz\r\n${BODY}\r\n0\r\n\r\n`,
    };
    for (const [name, bytes] of Object.entries(ambiguous)) {
        await t.test(name, async () => {
            // What a mistaken reader would take for a second request must not be answered.
            const { text } = await server.raw(bytes + HEALTH);
            const answers = statuses(text);
            assert.ok(answers.length <= 1, `more than one answer:\n${text}`);
            assert.ok(answers.every((status) => status >= 400 && status !== 401), `not refused:\n${text}`);
            if (answers.length === 1 && !/content-length: 0\r\n/i.test(text)) {
                assert.match(text, /content-type: application\/problem\+json/i);
            }
        });
    }

    await t.test('a bare line feed ends a line and nothing else', async () => {
        const { text } = await server.raw(`GET /api/v1/health HTTP/1.1\n${HOST}X-Request-Id: one\nX-Other: two\n${CLOSE}\r\n`);
        const answers = statuses(text);
        assert.strictEqual(answers.length, 1);
        if (answers[0] === 200) {
            assert.match(text, /^x-request-id: one\r$/im);
        } else {
            assert.strictEqual(answers[0], 400);
        }
    });

    await t.test('a folded header cannot bring in another one', async () => {
        const { text } = await server.raw(`${LOGIN}${HOST}X-Note: a\r\n Content-Length: 3\r\n${LENGTH}${CLOSE}\r\n${BODY}`);
        const answers = statuses(text);
        assert.strictEqual(answers.length, 1);
        assert.ok([400, 401].includes(answers[0]), text);
    });

    await t.test('the server is well afterwards', async () => {
        assert.strictEqual((await server.client().get('/health')).json.status, 'UP');
    });
});

test('requests on one connection', async (t) => {
    const server = await startServer(t);

    await t.test('pipelined requests are answered in their order', async () => {
        const get = (id) => `GET /api/v1/health HTTP/1.1\r\n${HOST}X-Request-Id: ${id}\r\n`;
        const login = `${LOGIN}${HOST}${LENGTH}X-Request-Id: second\r\n\r\n${BODY}`;
        const { text } = await server.raw(`${get('first')}\r\n${login}${get('third')}${CLOSE}\r\n`);
        assert.deepStrictEqual(statuses(text), [200, 401, 200]);
        const ids = [...text.matchAll(/^x-request-id: (\w+)\r$/gim)].map((match) => match[1]);
        assert.deepStrictEqual(ids, ['first', 'second', 'third']);
    });

    await t.test('a client that goes away before its answer harms nobody', async () => {
        for (let i = 0; i < 20; i++) {
            await server.raw(`${LOGIN}${HOST}${LENGTH}\r\n${BODY.slice(0, i)}`, { until: () => true, limitMs: 1 }).catch(() => {});
        }
        assert.strictEqual((await server.client().get('/health')).status, 200);
    });

    await t.test('a head that is too long is refused', async () => {
        const { text } = await server.raw(`GET /api/v1/health HTTP/1.1\r\n${HOST}X-Long: ${'x'.repeat(70000)}\r\n\r\n`);
        assert.ok(statuses(text).every((status) => status === 431 || status === 413), text.slice(0, 200));
    });

    await t.test('bytes that are not HTTP are not answered with 2xx', async () => {
        const { text } = await server.raw('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n');
        assert.ok(statuses(text).every((status) => status === 400), text);
    });
});

test('bodies', async (t) => {
    const server = await startServer(t);
    const { token } = await server.signIn();
    const RISKS = `POST /api/v1/risks HTTP/1.1\r\n${HOST}Authorization: Bearer ${token}\r\nContent-Type: application/json\r\n`;
    const TOO_MUCH = 8 * 1024 * 1024;

    await t.test('a body over the limit is read to its end and answered with 413', async () => {
        const head = `${RISKS}Content-Length: ${TOO_MUCH}\r\n\r\n`;
        const { text, closed } = await server.raw(Buffer.concat([Buffer.from(head), Buffer.alloc(TOO_MUCH, ' ')]));
        assert.deepStrictEqual(statuses(text), [413]);
        assert.match(text, /application\/problem\+json/);
        assert.ok(closed);
    });

    await t.test('a chunked body over the limit too', async () => {
        const chunk = Buffer.from(`10000\r\n${' '.repeat(0x10000)}\r\n`);
        const chunks = Array(TOO_MUCH / 0x10000).fill(chunk);
        const head = Buffer.from(`${RISKS}Transfer-Encoding: chunked\r\n\r\n`);
        const { text } = await server.raw(Buffer.concat([head, ...chunks, Buffer.from('0\r\n\r\n')]));
        assert.deepStrictEqual(statuses(text), [413]);
    });

    await t.test('with Expect it is refused before it is sent', async () => {
        const head = `${RISKS}Content-Length: ${TOO_MUCH}\r\nExpect: 100-continue\r\n\r\n`;
        const { text } = await server.raw(head, { until: (answer) => answer.includes('\r\n\r\n') });
        assert.match(text, /^HTTP\/1\.1 413 /);
    });

    await t.test('with Expect a good body is asked for', async () => {
        const body = '{"title":"Asked for","impact":2,"probability":2}';
        const head = `${RISKS}${CLOSE}Content-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`;
        const invitation = await server.raw(head, { until: (answer) => answer.includes('\r\n\r\n') });
        assert.match(invitation.text, /^HTTP\/1\.1 100 /);
        const { text } = await server.raw(head + body);
        assert.deepStrictEqual(statuses(text), [201]);
    });

    await t.test('a body nested 100,000 deep is refused', async () => {
        for (const opening of ['[', '{"a":']) {
            const body = opening.repeat(100000);
            const { text } = await server.raw(`${RISKS}${CLOSE}Content-Length: ${body.length}\r\n\r\n${body}`);
            const [status] = statuses(text);
            assert.ok(status === 400 || status === 413, text.slice(0, 300));
        }
        const inFile = `{"risks":[{"title":${'['.repeat(100000)}`;
        const IMPORT = RISKS.replace('/risks', '/import/risks?format=json');
        const { text } = await server.raw(`${IMPORT}${CLOSE}Content-Length: ${inFile.length}\r\n\r\n${inFile}`);
        assert.ok([400, 422].includes(statuses(text)[0]), text.slice(0, 300));
    });
});

/** Send `head` at once and then one byte each 50 ms: the milliseconds until the server has closed. */
function drip(server, head, limitMs) {
    const { hostname, port } = new URL(server.url);
    const socket = net.connect(Number(port), hostname);
    const began = Date.now();
    const closed = new Promise((resolve) => {
        socket.on('error', () => {}); // A reset is a way of closing.
        socket.on('close', () => resolve(Date.now() - began));
    });
    socket.resume().write(head);
    const timer = head === '' ? undefined : setInterval(() => socket.writable && socket.write('x'), 50);
    return inTime(closed, 'the closing of a slow connection', limitMs).finally(() => {
        clearInterval(timer);
        socket.destroy();
    });
}

test('a request has a deadline as a whole', async (t) => {
    const server = await startServer(t, { env: { HTTP_REQUEST_TIMEOUT: '1s', HTTP_IDLE_TIMEOUT: '2s' } });
    const slow = {
        'one byte of the head at a time': [`GET /api/v1/health HTTP/1.1\r\n${HOST}X-Slow: `, 1000],
        'one byte of the body at a time': [`${LOGIN}${HOST}Content-Length: 100000\r\n\r\n`, 1000],
        'a connection that says nothing': ['', 2000],
    };
    for (const [name, [head, leastMs]] of Object.entries(slow)) {
        await t.test(name, async () => {
            const elapsed = await drip(server, head, 10000);
            assert.ok(elapsed >= leastMs - 100, `closed after ${elapsed} ms already`);
        });
    }

    await t.test('a connection that waits too long between requests is closed', async () => {
        const { text, closed } = await server.raw(HEALTH.replace(CLOSE, ''));
        assert.deepStrictEqual(statuses(text), [200]);
        assert.ok(closed);
    });
});

test('a second server on the same port fails and says so, and leaves the first one serving', async (t) => {
    const server = await startServer(t);
    const address = new URL(server.url).host;
    const env = { ...server.env, OPENRISK_LISTEN: address, DATABASE_URL: `sqlite:${path.join(server.folder, 'second.db')}` };
    const second = launch(['serve'], { env, cwd: server.folder });
    const { code } = await inTime(second.exited, 'the end of the second server', 20000);
    assert.ok(code > 0, `exit code ${code}`);
    assert.ok(second.stderr.includes(address), second.stderr);
    assert.ok(!second.stdout.includes('ready'));
    assert.strictEqual((await server.client().get('/health')).status, 200);
});
