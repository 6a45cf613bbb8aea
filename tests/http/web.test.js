/**
 * The web interface as it is served: its files and pages, what a browser is told with them, and what is where nothing
 * is. What the pages do is shown by tests/browser/. The same files lie beside the program, as the build has made them.
 */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const zlib = require('node:zlib');
const { binary, inTime, startServer, waitFor } = require('./lib');
const { assertProblem } = require('./register');
const { bundledFiles, bundledPages } = require('../tools/bundle');

const END_LIMIT_MS = 10000;
const TYPES = {
    '.html': 'text/html; charset=utf-8',
    '.js': 'text/javascript; charset=utf-8',
    '.css': 'text/css; charset=utf-8',
    '.svg': 'image/svg+xml',
};
/** What a browser asks for when somebody opens an address. */
const NAVIGATION = { Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' };
const FOR_EVER = 'public, max-age=31536000, immutable';

/** All but the page have an address of their own. */
const page = bundledFiles().find((file) => file.path === '/index.html').bytes;
const files = bundledFiles().filter((file) => file.path !== '/index.html');

/** Content-Security-Policy as {directive: sources}. */
function policyOf(reply) {
    return Object.fromEntries(reply.headers['content-security-policy'].split('; ').map((one) => [one.split(' ')[0], one.split(' ').slice(1).join(' ')]));
}

function assertProtected(reply) {
    assert.deepStrictEqual(policyOf(reply), {
        'default-src': "'none'", 'script-src': "'self'", 'style-src': "'self'", 'img-src': "'self'", 'font-src': "'self'", 'connect-src': "'self'",
        'form-action': "'none'", 'base-uri': "'none'", 'frame-ancestors': "'none'",
    });
    const expected = {
        'x-content-type-options': 'nosniff', 'referrer-policy': 'same-origin', 'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin', vary: 'Accept-Encoding', 'set-cookie': undefined,
    };
    assert.deepStrictEqual(Object.fromEntries(Object.keys(expected).map((name) => [name, reply.headers[name]])), expected);
    for (const feature of ['camera', 'geolocation', 'microphone', 'payment', 'usb']) {
        assert.ok(reply.headers['permissions-policy'].includes(`${feature}=()`), feature);
    }
}

/** The page itself, whatever its status. */
function assertPage(reply, status = 200) {
    assert.strictEqual(reply.status, status);
    assert.strictEqual(reply.headers['content-type'], TYPES['.html']);
    assert.strictEqual(reply.headers['cache-control'], 'no-cache');
    assert.strictEqual(reply.body, page.toString());
    assertProtected(reply);
}

/** What of an answer does not depend on when it was given. */
function lastingHeaders({ headers }) {
    return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'date' && name !== 'x-request-id'));
}

/** All that hangs on one form of a file: as it is, or compressed. Gives its ETag. */
async function checkForm(web, file, encoding, cacheControl) {
    const headers = { 'Accept-Encoding': encoding };
    const reply = await web.expect(200, 'GET', file.path, undefined, headers);
    const isGzip = reply.headers['content-encoding'] === 'gzip';
    assert.ok((isGzip ? zlib.gunzipSync(reply.bytes) : reply.bytes).equals(file.bytes), file.path);
    assert.strictEqual(reply.headers['content-type'], TYPES[path.extname(file.path)] || TYPES['.html']);
    assert.strictEqual(reply.headers['cache-control'], cacheControl);
    assert.strictEqual(Number(reply.headers['content-length']), reply.bytes.length);
    assertProtected(reply);

    const tag = reply.headers.etag;
    assert.match(tag, /^"[\w.]+"$/);
    for (const known of [tag, `"other", ${tag}`, '*']) {
        const again = await web.expect(304, 'GET', file.path, undefined, { ...headers, 'If-None-Match': known });
        assert.strictEqual(again.bytes.length, 0);
        assert.strictEqual(again.headers.etag, tag);
        assert.strictEqual(again.headers['cache-control'], cacheControl);
    }
    await web.expect(200, 'GET', file.path, undefined, { ...headers, 'If-None-Match': '"other"' });

    const head = await web.expect(200, 'HEAD', file.path, undefined, headers);
    assert.strictEqual(head.bytes.length, 0);
    assert.deepStrictEqual(lastingHeaders(head), lastingHeaders(reply));

    // An answer with a header of its own is made anew; it is the same otherwise.
    const own = await web.expect(200, 'GET', file.path, undefined, { ...headers, 'X-Request-Id': 'mine' });
    assert.deepStrictEqual(lastingHeaders(own), lastingHeaders(reply));
    assert.strictEqual(own.headers['x-request-id'], 'mine');
    assert.ok(own.bytes.equals(reply.bytes));
    return { tag, isGzip, length: reply.bytes.length };
}

test('the web interface', async (t) => {
    const server = await startServer(t);
    const web = server.client(undefined, '');

    await t.test('each file is there as it is and compressed, for ever', async () => {
        assert.ok(files.length >= 3, files.map((file) => file.path).join(' '));
        for (const file of files) {
            const identity = await checkForm(web, file, 'identity', FOR_EVER);
            const gzip = await checkForm(web, file, 'br, gzip', FOR_EVER);
            assert.ok(!identity.isGzip);
            assert.ok(gzip.length <= identity.length);
            assert.strictEqual(gzip.isGzip, gzip.length < identity.length, file.path);
            assert.strictEqual(gzip.tag !== identity.tag, gzip.isGzip, 'forms are told apart');
        }
    });

    await t.test('the page is asked for again each time, and sent if it is another one', async () => {
        const front = { path: '/', bytes: page };
        const identity = await checkForm(web, front, 'identity', 'no-cache');
        const gzip = await checkForm(web, front, 'gzip', 'no-cache');
        assert.ok(gzip.isGzip && !identity.isGzip);
        await web.expect(200, 'GET', '/', undefined, { 'Accept-Encoding': 'gzip', 'If-None-Match': identity.tag });
    });

    await t.test('the page names files that are there, and nothing elsewhere', async () => {
        const { body } = await web.get('/');
        const named = [...body.matchAll(/(?:src|href)="([^"]*)"/g)].map((match) => match[1]);
        assert.ok(named.length >= 3, named.join(' '));
        for (const file of named) {
            assert.ok(files.some((one) => one.path === file), file);
        }
        assert.doesNotMatch(body, /<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|https?:/i);
    });

    await t.test('every page has its own address, with whatever is asked', async () => {
        const pages = bundledPages();
        assert.ok(pages.includes('/') && pages.includes('/risks/:id'), pages.join(' '));
        for (const pattern of pages) {
            const address = pattern.replace(/:\w+/g, 'R-12');
            assertPage(await web.get(address, NAVIGATION));
            assertPage(await web.get(`${address}?status=ACTIVE&q=%3Cb%3E`));
            assertProblem(await web.post(address, '{}'), 405);
        }
        assertPage(await web.get('/risks/%C3%A9%20%3Cscript%3E', NAVIGATION));
    });

    await t.test('nobody is asked who they are', async () => {
        for (const headers of [{ Authorization: 'Basic eDp5' }, { Authorization: 'nonsense' }, { Cookie: 'openrisk_session=nonsense' }, { 'Consistency-Token': 'nonsense' }]) {
            assertPage(await web.get('/risks', headers));
        }
    });

    await t.test('what is only read takes GET and HEAD', async () => {
        for (const address of ['/', '/risks', '/risks/R-12', files[0].path]) {
            for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
                const reply = await web.request(method, address);
                assertProblem(reply, 405);
                assert.strictEqual(reply.headers.allow, 'GET, HEAD', `${method} ${address}`);
            }
        }
        assertProblem(await web.request('GET', '/', 'a body'), 413);
    });

    await t.test('where nothing is a browser is shown the page, and a program a problem', async () => {
        const nothing = ['/nowhere', '/risks/', '/risks/R-1/more', '/index.html', '/pages', '/ui/', '/ui/main.js', `${files[0].path}x`, '/risks%20', '/apis', '/favicon.ico'];
        for (const address of nothing) {
            assertPage(await web.get(address, NAVIGATION), 404);
            assertProblem(await web.get(address), 404);
            assertProblem(await web.get(address, { Accept: 'application/json' }), 404);
            assertProblem(await web.request('POST', address, '{}', NAVIGATION), 404);
        }
        const tag = (await web.get('/')).headers.etag;
        assertPage(await web.get('/nowhere', { ...NAVIGATION, 'If-None-Match': tag }), 404);
        assertPage(await web.get('/nowhere', { ...NAVIGATION, 'X-Request-Id': 'mine' }), 404);
        const head = await web.request('HEAD', '/nowhere', undefined, NAVIGATION);
        assert.deepStrictEqual([head.status, head.headers['content-type']], [404, TYPES['.html']]);
    });

    await t.test('the API says what it said', async () => {
        for (const address of ['/api', '/api/', '/api/v1', '/api/v1/', '/api/v2/risks', '/api/v1/nowhere']) {
            assertProblem(await web.get(address, NAVIGATION), 404);
        }
        const refused = await web.get('/api/v1/risks', NAVIGATION);
        assertProblem(refused, 401);
        assert.strictEqual(refused.headers['content-security-policy'], "default-src 'none'; frame-ancestors 'none'");
        assert.strictEqual(refused.headers['cache-control'], 'private, no-cache');
    });

    await t.test('all of it is one row in metrics and log', async () => {
        await web.get('/risks/R-4711?q=private');
        const { body } = await server.ops.get('/metrics');
        assert.match(body, /^openrisk_http_requests_total\{[^}]*route="\/"[^}]*\} [1-9]/m);
        assert.doesNotMatch(body, /R-4711|route="\/(ui|risks)/);
        await waitFor(() => /event=request [^\n]*route=\/ status=200/.test(server.log), 'a line of the log');
        assert.doesNotMatch(server.log, /4711|private/);
    });
});

test('a page that is asked for while the server stops is whole, and ends the connection', async (t) => {
    const server = await startServer(t);
    const script = files.find((file) => file.path.endsWith('.js'));
    const port = Number(new URL(server.url).port);
    const asked = ['/', script.path].map((address) => {
        const socket = net.connect(port, '127.0.0.1');
        const one = { socket, chunks: [] };
        socket.on('data', (chunk) => one.chunks.push(chunk));
        one.closed = new Promise((resolve, reject) => socket.on('error', reject).on('close', resolve));
        // The head is not over yet: its request is under way.
        socket.write(`GET ${address} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: identity\r\n`);
        return one;
    });
    await waitFor(async () => (await server.ops.get('/metrics')).body.match(/^openrisk_http_connections \d/m) && server.client().get('/health'), 'the server to be there');
    server.run.child.kill('SIGTERM');
    const isClosed = () => new Promise((resolve) => {
        const socket = net.connect(port, '127.0.0.1', () => socket.destroy(resolve(false)));
        socket.on('error', () => resolve(true));
    });
    await waitFor(isClosed, 'the server to take nobody more');
    for (const [i, { socket, chunks, closed }] of asked.entries()) {
        socket.write('\r\n');
        await inTime(closed, 'the end of the connection', END_LIMIT_MS);
        const text = Buffer.concat(chunks).toString();
        const [head, body] = [text.slice(0, text.indexOf('\r\n\r\n')), text.slice(text.indexOf('\r\n\r\n') + 4)];
        assert.match(head, /^HTTP\/1\.1 200 /);
        assert.match(head, /^Connection: close$/mi);
        assert.match(head, /^Content-Security-Policy: default-src 'none'; script-src 'self'/mi);
        assert.strictEqual(body, (i === 0 ? page : script.bytes).toString());
    }
    await inTime(server.run.exited, 'the end', END_LIMIT_MS);
    await server.stop();
});

test('a first start names the page where one signs in', async (t) => {
    const server = await startServer(t, { env: { INITIAL_ADMIN_PASSWORD: undefined } });
    assert.match(server.run.stdout, new RegExp(`^ {2}sign in {3}${server.url}/$`, 'm'));
    const elsewhere = await startServer(t, { env: { INITIAL_ADMIN_PASSWORD: undefined, OPENRISK_PUBLIC_URL: 'https://risk.example.org' } });
    assert.match(elsewhere.run.stdout, /^ {2}sign in {3}https:\/\/risk\.example\.org\/$/m);
});

test('a program that was built without the web interface is the API alone, and says so', async (t) => {
    const program = path.join(path.dirname(binary()), 'tests/alone');
    assert.ok(fs.existsSync(program), `no ${program}: run script/build with --tests first`);
    const server = await startServer(t, { program, env: { INITIAL_ADMIN_PASSWORD: undefined } });
    const nobody = server.client(undefined, '');
    assert.match(server.run.stdout, new RegExp(`^ {2}sign in {3}POST ${server.url}/api/v1/auth/login `, 'm'));

    const reply = await nobody.get('/', NAVIGATION);
    assert.strictEqual(reply.status, 200);
    assert.match(reply.headers['content-type'], /^text\/plain\b/);
    assert.match(reply.body, /without its web interface/);
    const named = [...reply.body.matchAll(/\/api\/v1\/\S+/g)].map(([address]) => address);
    assert.ok(named.includes('/api/v1/openapi.json'), named.join(' '));
    for (const address of named) {
        assert.notStrictEqual((await nobody.get(address)).status, 404, address);
    }
    for (const address of ['/risks', '/ui/main.js', '/nowhere']) {
        assertProblem(await nobody.get(address, NAVIGATION), 404);
    }
});
