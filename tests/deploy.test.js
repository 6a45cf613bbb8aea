/**
 * deploy/cluster/ as far as that can be seen without Docker: the settings that it gives are settings that the
 * program has and takes, HAProxy reads its configuration, and who asks a node whether it is ready gets an answer.
 * That script/cluster works is shown by tests/faults/cluster.test.js.
 */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { ROOT, cli, startServer, temporaryFolder } = require('./http/lib');

const FOLDER = path.join(ROOT, 'deploy/cluster');
const SECRET = '0123456789abcdef';

function read(name) {
    return fs.readFileSync(path.join(FOLDER, name), 'utf8');
}

/** The NAMEs for which a text has ${NAME}, also with a default or a message. */
function placesOf(text) {
    return [...new Set([...text.matchAll(/\$\{([A-Z_]+)/g)].map((match) => match[1]))];
}

/** The settings of the nodes in compose.yaml, as Docker would give them. */
function composeSettings() {
    const [, block] = /environment: &settings\n((?: {4}.*\n)+?)(?= {2}\S)/.exec(read('compose.yaml'));
    const pairs = [...block.matchAll(/^ {4}([A-Z_]+): "?(.*?)"?$/gm)].map(([, name, value]) => [
        name,
        value.replace(/\$\{[A-Z_]+:-([^}]*)\}/g, '$1').replace(/\$\{[A-Z_]+:\?[^}]*\}/g, SECRET),
    ]);
    return Object.fromEntries(pairs);
}

/** What `openrisk config` says: {NAME: its origin}. */
function originsOf(stdout) {
    return Object.fromEntries(stdout.trimEnd().split('\n').map((line) => [line.split(' ')[0], line]));
}

test('the settings in compose.yaml are settings of the program, with values that it takes', async () => {
    const settings = composeSettings();
    assert.ok(Object.keys(settings).length > 8, Object.keys(settings).join(' '));
    const { code, stdout, stderr } = await cli(['config'], { env: settings });
    assert.strictEqual(code, 0, stderr);
    const origins = originsOf(stdout);
    for (const name of Object.keys(settings)) {
        assert.match(origins[name] || `there is no setting ${name}`, /environment$/);
    }
});

test('what compose.yaml takes from .env is in .env.example', () => {
    const example = [...read('.env.example').matchAll(/^([A-Z_]+)=/gm)].map((match) => match[1]);
    assert.deepStrictEqual(placesOf(read('compose.yaml')).sort(), example.sort());
});

test('the nodes of script/cluster get settings that the program takes', async (t) => {
    const folder = temporaryFolder();
    t.after(() => fs.rmSync(folder, { recursive: true }));
    const given = { LISTEN: '127.0.0.1:1', OPS_LISTEN: '127.0.0.1:2', DATABASE: '127.0.0.1:3', REDIS: '127.0.0.1:4', NODES: '3' };
    const text = read('openrisk.conf').replace(/^#.*\n/gm, '').replace(/\$\{([A-Z_]+)\}/g, (_, name) => given[name] || SECRET);
    const file = path.join(folder, 'node.conf');
    fs.writeFileSync(file, text);
    const { code, stderr } = await cli(['config', '--config', file]); // It refuses names that it does not know.
    assert.strictEqual(code, 0, stderr);
});

test('script/cluster has a value for every place in its templates', () => {
    const script = fs.readFileSync(path.join(ROOT, 'script/cluster'), 'utf8');
    for (const template of ['openrisk.conf', 'redis.conf', 'postgresql.conf', 'haproxy.cfg']) {
        const [filled] = new RegExp(`fill ${template.replace('.', '\\.')}(?:[^\\n]*\\\\\\n)*[^\\n]*`).exec(script);
        for (const name of placesOf(read(template))) {
            assert.ok(filled.includes(` ${name}=`), `${template} wants ${name}`);
        }
    }
});

test('HAProxy takes its configuration, and asks nodes whether they are ready', async () => {
    const env = { PATH: `${process.env.PATH}:/usr/sbin`, BALANCER_BIND: '127.0.0.1:8080', BALANCER_SOCKET: '/tmp/socket', OPENRISK_OPS_TOKEN: SECRET };
    assert.deepStrictEqual(placesOf(read('haproxy.cfg')).sort(), Object.keys(env).filter((name) => name !== 'PATH').sort());
    const { code, stderr } = await cli(['-c', '-f', 'haproxy.cfg', '-f', 'haproxy-nodes.cfg'], { program: haproxy(), env, cwd: FOLDER });
    assert.strictEqual(code, 0, stderr);
    // That the names of compose.yaml are not known here is all that it may find.
    const warnings = stderr.split('\n').filter((line) => /WARNING|ALERT/.test(line) && !/could not resolve address 'node\d'/.test(line));
    assert.deepStrictEqual(warnings, []);
    assert.match(read('haproxy.cfg'), /http-check send meth GET uri \/readyz /);
    const services = [...read('compose.yaml').matchAll(/^ {2}(node\d):/gm)].map((match) => match[1]);
    for (const backend of ['nodes from ready', 'alive from alive']) {
        const [, servers] = new RegExp(`backend ${backend}\\n((?: .*\\n)+)`).exec(read('haproxy-nodes.cfg'));
        assert.deepStrictEqual([...servers.matchAll(/server (node\d) \1:8080 check port 2112$/gm)].map((match) => match[1]), services);
    }
});

test('the health check in compose.yaml says whether a node is ready', async (t) => {
    const server = await startServer(t, { engine: 'sqlite', env: { OPENRISK_OPS_TOKEN: SECRET } });
    const [, block] = /test:\n(?: {6}- .*\n)* {6}- \|\n((?: {8}.*\n)+)/.exec(read('compose.yaml'));
    assert.match(block, /GET \/readyz /);
    const { port } = new URL(server.opsUrl);
    const line = block.replace(/\$\$/g, '$').replace('127.0.0.1/2112', `127.0.0.1/${port}`);
    const check = (token) => cli(['-c', line], { program: '/bin/bash', env: { OPENRISK_OPS_TOKEN: token } });
    assert.strictEqual((await check(SECRET)).code, 0);
    assert.notStrictEqual((await check('another than the one')).code, 0);
    await server.stop();
    assert.notStrictEqual((await check(SECRET)).code, 0);
});

test('the image has what the program is built from, and the libraries that it runs with', () => {
    const lines = read('Dockerfile').replace(/\\\n/g, ' ').split('\n');
    for (const line of lines.filter((one) => /^COPY (?!--)/.test(one))) {
        for (const source of line.split(' ').slice(1, -1)) {
            assert.ok(fs.existsSync(path.join(ROOT, source)), line);
        }
    }
    const installed = lines.find((line) => line.includes('apt-get install')).match(/\b(?:lib|zlib)\S+/g);
    const needed = [...fs.readFileSync(path.join(ROOT, 'script/dependencies'), 'utf8').matchAll(/^ +library \S+ \|\| echo (\S+)-dev$/gm)]
        .map((match) => match[1])
        .filter((name) => name !== 'libcmocka');
    assert.ok(needed.length > 5, needed.join(' '));
    assert.deepStrictEqual(needed.filter((name) => !installed.some((one) => one.startsWith(name))), []);
});

function haproxy() {
    const found = ['/usr/sbin', ...(process.env.PATH || '').split(':')].map((folder) => path.join(folder, 'haproxy')).find((file) => fs.existsSync(file));
    assert.ok(found, 'there is no haproxy: run script/dependencies test');
    return found;
}
