/** What is wrong with the question to script/load is said in one line, within five seconds, with exit code 2. */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { test } = require('node:test');

const { ADMIN, startServer } = require('../http/lib');
const { folderOf, load, plainProgram } = require('./loading');

const LIMIT_MS = 5000;
const WHO = { OPENRISK_EMAIL: ADMIN.email, OPENRISK_PASSWORD: ADMIN.password };

/** A folder for the PATH with programs that print something, and with what script/load itself needs. */
function programs(t, printed = {}) {
    const folder = folderOf(t);
    for (const name of ['bash', 'dirname']) {
        const file = ['/usr/bin', '/bin'].map((place) => path.join(place, name)).find((one) => fs.existsSync(one));
        fs.symlinkSync(file, path.join(folder, name));
    }
    fs.symlinkSync(process.execPath, path.join(folder, 'node'));
    for (const [name, text] of Object.entries(printed)) {
        fs.writeFileSync(path.join(folder, name), `#!/bin/bash\necho '${text}'\n`, { mode: 0o755 });
    }
    return folder;
}

async function listen(t, server) {
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    return `http://127.0.0.1:${server.address().port}`;
}

async function closedPort() {
    const server = net.createServer();
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address();
    await new Promise((resolve) => server.close(resolve));
    return port;
}

test('bad input', async (t) => {
    const PATH = programs(t, { k6: 'k6 v1.4.2 (go1.26.0, linux/amd64)' });
    const cwd = folderOf(t);
    const server = await startServer(t, { engine: 'sqlite', program: plainProgram() });

    /** The one line that is said. */
    async function refused(args, expected, env = {}) {
        const { code, stdout, stderr } = await load(args, { env: { PATH, ...env }, cwd, limitMs: LIMIT_MS });
        assert.match(stderr, /^script\/load: [^\n]+\n$/, `${args.join(' ')}\n${stdout}`);
        assert.match(stderr, expected);
        assert.strictEqual(code, 2, stderr);
        assert.strictEqual(stdout, '');
        assert.deepStrictEqual(fs.readdirSync(cwd), [], 'nothing is left of it');
    }

    await t.test('of words', async () => {
        await refused([], /which scenario\? there are baseline, stress, spike, slo, stampede, mixed, soak, and compare/);
        await refused(['basline'], /there is no scenario 'basline'; there are baseline, /);
        await refused(['baseline', server.url, 'more'], /'more' is one argument too many/);
        await refused(['baseline', '--fast'], /'--fast' is unknown/);
        await refused(['baseline', '--output'], /'--output' is unknown, or lacks its value/);
        await refused(['baseline', '--minutes', '3'], /--minutes is for soak/);
        await refused(['soak', '--minutes', 'many'], /--minutes must be a number above 0, not 'many'/);
        await refused(['baseline', '--output', PATH], /is there already, and not empty/);
    });

    await t.test('of numbers', async () => {
        for (const value of ['fast', '0', '-1', '1e3', 'NaN', '1,5']) {
            await refused(['baseline'], new RegExp(`DURATION_SCALE must be a number above 0, not '${value}'`), { DURATION_SCALE: value });
        }
        await refused(['slo'], /OPENRISK_LOAD_RATE must be a whole number, not '0.5'/, { OPENRISK_LOAD_RATE: '0.5' });
        await refused(['slo'], /OPENRISK_LOAD_LATENCY_FACTOR must be a number above 0/, { OPENRISK_LOAD_LATENCY_FACTOR: 'x' });
    });

    await t.test('of the URL', async () => {
        await refused(['baseline', 'staging'], /'staging' is no URL; one looks like http:/, WHO);
        await refused(['baseline', 'localhost:8080'], /'localhost:8080' is no URL; one begins with http/, WHO);
        await refused(['baseline', 'ftp://127.0.0.1'], /is no URL/, WHO);
        await refused(['baseline', `${server.url}/api/v1`], /only http:\/\/HOST:PORT, without '\/api\/v1'/, WHO);
        await refused(['baseline', 'http://me:secret@127.0.0.1'], /holds a name or a password, which others can see/, WHO);
        const tooLong = `${'a'.repeat(64)}.invalid`; // So that nobody on the network is asked for it.
        await refused(['baseline', `http://${tooLong}`], /\.invalid: (there is no host of this name|the name of the host cannot be looked up)/, WHO);
    });

    await t.test('of who is asked: nobody, somebody who is silent or hangs up, somebody else', async (t2) => {
        await refused(['baseline', `http://127.0.0.1:${await closedPort()}`], /nothing listens there; is the server running\?/, WHO);
        const open = new Set();
        const silent = await listen(t2, net.createServer((socket) => open.add(socket)));
        t2.after(() => open.forEach((socket) => socket.destroy()));
        await refused(['baseline', silent], /no answer in time/, WHO);
        const closing = await listen(t2, net.createServer((socket) => socket.destroy()));
        await refused(['baseline', closing], /closed|hang up/, WHO);
        const other = await listen(t2, http.createServer((request, response) => response.writeHead(404).end('<html>')));
        await refused(['baseline', other], /is not OpenRisk: GET \/api\/v1\/health gave 404/, WHO);
        await refused(['baseline', server.opsUrl], /is not OpenRisk/, WHO);
        const down = await listen(t2, http.createServer((request, response) => response.writeHead(503).end('{"status":"DOWN","version":"1"}')));
        await refused(['baseline', down], /is DOWN: /, WHO);
    });

    await t.test('of who asks', async () => {
        await refused(['baseline', server.url], /set OPENRISK_EMAIL and OPENRISK_PASSWORD, or OPENRISK_TOKEN/);
        await refused(['baseline', server.url], /refuses OPENRISK_EMAIL \(admin@example.org\) with OPENRISK_PASSWORD: 401/, { ...WHO, OPENRISK_PASSWORD: 'wrong password' });
        await refused(['baseline', server.url], /refuses OPENRISK_TOKEN: 401/, { OPENRISK_TOKEN: 'or_made_up' });
        const viewer = await server.as('viewer');
        await refused(['mixed', server.url], /this scenario writes, and a viewer may only read/, { OPENRISK_TOKEN: viewer.token });
        await refused(['soak', server.url], /this scenario writes/, { OPENRISK_TOKEN: viewer.token });
    });

    await t.test('of the ops address, where it is needed', async () => {
        await refused(['soak', server.url], /a soak looks at what the server takes, and OPENRISK_OPS_URL does not say where/, WHO);
        await refused(['soak', server.url], /\/metrics: nothing listens there/, { ...WHO, OPENRISK_OPS_URL: `http://127.0.0.1:${await closedPort()}` });
        await refused(['soak', server.url], /\/metrics is not that of OpenRisk: 404/, { ...WHO, OPENRISK_OPS_URL: server.url });
        await refused(['baseline', server.url], /'nowhere' is no OPENRISK_OPS_URL/, { ...WHO, OPENRISK_OPS_URL: 'nowhere' });
    });

    await t.test('of k6', async (t2) => {
        const withPrograms = (printed) => ({ ...WHO, PATH: programs(t2, printed) });
        await refused(['baseline', server.url], /k6 is v0\.43\.1, which is too old: v0\.48 or newer is needed/, withPrograms({ k6: 'k6 v0.43.1 (go1.19.8, linux/amd64)' }));
        await refused(['baseline', server.url], /does not say which version it is; is it k6\?/, withPrograms({ k6: 'hello' }));
        await refused(['baseline', server.url], /there is no k6: install k6 \(https:\/\/k6\.io\) or Go 1\.19 or newer/, withPrograms({}));
        await refused(['baseline', server.url], /there is no k6, and go1\.15\.15 is too old to build one: install k6/, withPrograms({ go: 'go version go1.15.15 linux/amd64' }));
        await refused(['baseline'], /OPENRISK_BINARY is \/no\/such\/program, and there is no such file/, { OPENRISK_BINARY: '/no/such/program', PATH });
    });

    await t.test('of what is compared', async (t2) => {
        await refused(['compare', 'a'], /compare needs two results/);
        await refused(['compare', 'a', 'b'], /there is no result in a/);
        const folder = folderOf(t2);
        for (const [name, text] of [['text', 'hello'], ['json', '{}'], ['null', 'null']]) {
            fs.writeFileSync(path.join(folder, name), text);
            await refused(['compare', path.join(folder, name), path.join(folder, name)], /is not a result of script\/load/);
        }
    });
});
