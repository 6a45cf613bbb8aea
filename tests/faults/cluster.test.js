/**
 * script/cluster from outside: everything comes up behind one address, a part that is gone is said to be gone and
 * missed as little as can be, and at the end nothing is left. One cluster for all cases, in their order.
 */
'use strict';

const assert = require('node:assert');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, test } = require('node:test');

const { ROOT, Client, binary, cli, waitFor } = require('../http/lib');
const { UNVERIFIED } = require('../http/cached');
const { makeRisk } = require('../http/register');
const { attachPostgres, isAlive } = require('../tools/postgres');

const SCRIPT = path.join(ROOT, 'script/cluster');
const PARTS = ['postgres', 'redis', 'node1', 'node2', 'node3', 'haproxy'];
const NODES = PARTS.filter((name) => name.startsWith('node'));
const ADMIN = 'admin@localhost';
const PASSWORD = 'a password for tests only';
const READERS = 8;
const READS_EACH = 50;
const FROZEN_LIMIT_MS = 10000;
const HELD_S = 3; // longer than the balancer needs to see that a node is not ready

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'openrisk-test-cluster-'));
const clients = [];
let balancer;
let token;
let watcher;

function script(...args) {
    const env = { OPENRISK_BINARY: binary() };
    return cli([...args, '--data', folder], { program: SCRIPT, env, limitMs: 120000 });
}

async function succeed(...args) {
    const { code, stdout, stderr } = await script(...args);
    assert.strictEqual(code, 0, `script/cluster ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
}

/** What `status` prints: {code, parts: {NAME: {state, pid, address, says}}}. */
async function status() {
    const { code, stdout, stderr } = await script('status');
    const lines = [...stdout.matchAll(/^(\w+) +(running|stopped) +(\d*) +(127\.0\.0\.1:\d+) *(.*)$/gm)];
    const parts = Object.fromEntries(lines.map(([, name, state, pid, address, says]) => [name, { state, pid: Number(pid), address, says }]));
    assert.deepStrictEqual(Object.keys(parts), PARTS, stdout + stderr);
    return { code, parts };
}

function clientOf(address, own = token) {
    const client = new Client(`http://${address}`, own);
    clients.push(client);
    return client;
}

/** The processes that have the folder among their arguments. */
function processes() {
    return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
        try {
            const line = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0/g, ' ');
            return line.includes(folder) && Number(pid) !== watcher.pid ? [line] : [];
        } catch {
            return []; // It has ended.
        }
    });
}

/** Many readers at once through the balancer, each on a connection of its own: the statuses that were not 200. */
async function readMuch(route) {
    const statuses = await Promise.all(Array.from({ length: READERS }, async () => {
        const client = clientOf(balancer);
        const seen = [];
        for (let i = 0; i < READS_EACH; i++) {
            seen.push((await client.get(`${route}&page=${1 + (i % 5)}`)).status);
        }
        return seen;
    }));
    return statuses.flat().filter((one) => one !== 200);
}

// The cluster outlives the script, so it would outlive this process. Someone waits for our end, however it comes.
before(() => {
    const end = 'read -r; "$0" down --purge --data "$1"; rm -rf "$1"';
    watcher = spawn('bash', ['-c', end, SCRIPT, folder], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
});
after(async () => {
    clients.forEach((client) => client.close());
    watcher.stdin.end();
    await new Promise((resolve) => watcher.on('close', resolve));
});

test('up starts everything, and says where to sign in', async (t) => {
    const began = performance.now();
    const shown = await succeed('up', '--port', '0');
    t.diagnostic(`figure: script/cluster up, the first time: ${((performance.now() - began) / 1000).toFixed(1)} s`);
    const { code, parts } = await status();
    assert.strictEqual(code, 0);
    assert.deepStrictEqual(PARTS.map((name) => parts[name].state), PARTS.map(() => 'running'));
    assert.strictEqual(parts.haproxy.says, '3 of 3 nodes UP');
    assert.match(parts.node2.says, /^ready.*, version \d+\.\d+/);
    balancer = parts.haproxy.address;
    assert.ok(shown.includes(`http://${balancer}/`), shown);

    const [, file] = /password in (\S+)/.exec(shown);
    assert.strictEqual(fs.statSync(file).mode & 0o777, 0o600);
    const admin = clientOf(balancer, undefined);
    const signIn = async (password) => (await admin.expect(200, 'POST', '/auth/login', { email: ADMIN, password })).json.token;
    const given = fs.readFileSync(file, 'utf8').trim();
    admin.token = await signIn(given);
    await admin.expect(204, 'POST', '/users/me/password', { current_password: given, new_password: PASSWORD });
    token = await signIn(PASSWORD);
});

test('nobody else can read what it has written', () => {
    const open = fs.readdirSync(folder).filter((name) => (fs.statSync(path.join(folder, name)).mode & 0o077) !== 0);
    assert.deepStrictEqual(open, []);
});

test('what is written through the balancer can be read on every node', async () => {
    const { parts } = await status();
    const risk = await makeRisk(clientOf(balancer), { title: 'Seen by all' });
    for (const name of NODES) {
        const { json } = await clientOf(parts[name].address).expect(200, 'GET', `/risks/${risk.id}`);
        assert.strictEqual(json.title, 'Seen by all');
    }
});

test('a second up changes nothing', async () => {
    const { parts } = await status();
    await succeed('up');
    assert.deepStrictEqual((await status()).parts, parts);
    const { code, stderr } = await script('up', '--nodes', '2');
    assert.strictEqual(code, 1);
    assert.match(stderr, /has 3 nodes/);
});

test('when a node dies, reads and new writes go on, and status says so', async () => {
    const { parts } = await status();
    const reading = readMuch('/risks?limit=1');
    process.kill(parts.node2.pid, 'SIGKILL');
    assert.deepStrictEqual(await reading, []);
    for (let i = 0; i < 10; i++) {
        await makeRisk(clientOf(balancer), { title: `Without node2, ${i}` });
    }
    await waitFor(async () => (await status()).parts.haproxy.says === '2 of 3 nodes UP', 'the balancer to miss a node');
    const { code, parts: left } = await status();
    assert.strictEqual(code, 1);
    assert.strictEqual(left.node2.state, 'stopped');
    assert.strictEqual(left.node1.pid, parts.node1.pid);

    await succeed('start', 'node2');
    assert.strictEqual((await status()).code, 0);
});

test('a node that answers nothing any more keeps no reader waiting', async () => {
    const { parts } = await status();
    const began = performance.now();
    const reading = readMuch('/risks?limit=1');
    process.kill(parts.node3.pid, 'SIGSTOP');
    try {
        assert.deepStrictEqual(await reading, []);
        assert.ok(performance.now() - began < FROZEN_LIMIT_MS, 'the balancer goes on without it');
        const { code, parts: left } = await status();
        assert.strictEqual(code, 1);
        assert.strictEqual(left.node3.says, 'does not answer');
        assert.strictEqual(left.haproxy.says, '2 of 3 nodes UP');
    } finally {
        process.kill(parts.node3.pid, 'SIGCONT');
    }
    await waitFor(async () => (await status()).code === 0, 'the node to be well again');
});

test('what a node has begun when it is told to stop gets its answer', async () => {
    const { parts } = await status();
    const password = fs.readFileSync(path.join(folder, 'postgres.password'), 'utf8');
    const url = `postgres://postgres:${password}@${parts.postgres.address}/openrisk`;
    const database = attachPostgres(url);
    const writer = clientOf(balancer);
    const holding = database.query(url, `BEGIN; LOCK TABLE risk; SELECT pg_sleep(${HELD_S}); COMMIT`);
    await waitFor(async () => (await database.query(url, 'SELECT count(*) FROM pg_stat_activity WHERE wait_event = \'PgSleep\'')) === '1', 'the lock');
    const writing = makeRisk(writer, { title: 'Begun before the end' });
    await waitFor(async () => (await database.query(url, 'SELECT count(*) > 0 FROM pg_locks WHERE NOT granted')) === 't', 'the write to wait');
    NODES.forEach((name) => process.kill(parts[name].pid, 'SIGTERM'));
    assert.strictEqual((await writing).title, 'Begun before the end');
    await holding;
    await waitFor(async () => NODES.every((name) => !isAlive(parts[name].pid)), 'the nodes to end');
    await succeed('up');
});

test('nodes can be restarted one after another, and nobody notices', async () => {
    let isDone = false;
    const writers = Array.from({ length: 4 }, async () => {
        const client = clientOf(balancer);
        for (let i = 0; !isDone; i++) {
            await makeRisk(client, { title: `Meanwhile ${i}` });
            await client.expect(200, 'GET', '/risks?limit=1');
        }
    });
    try {
        for (const name of NODES) {
            await succeed('restart', name);
        }
    } finally {
        isDone = true;
    }
    await Promise.all(writers);
    assert.strictEqual((await status()).code, 0);
});

test('without the database the balancer gives what the nodes still have', async () => {
    const { parts } = await status();
    const route = '/risks?limit=7';
    for (const name of NODES) {
        await clientOf(parts[name].address).expect(200, 'GET', route);
    }
    await succeed('kill', 'postgres');
    await waitFor(async () => (await status()).parts.haproxy.says === '0 of 3 nodes UP', 'the nodes to miss the database');
    const reply = await clientOf(balancer).expect(200, 'GET', route);
    assert.strictEqual(reply.headers['cache-status'], UNVERIFIED);
    assert.strictEqual((await status()).code, 1);
    await succeed('start', 'postgres');
    assert.strictEqual((await status()).code, 0);
});

test('without any node the balancer says so as the program would', async () => {
    for (const name of NODES) {
        await succeed('stop', name);
    }
    const reply = await clientOf(balancer).expect(503, 'GET', '/health');
    assert.match(reply.headers['content-type'], /^application\/problem\+json/);
    assert.strictEqual(reply.headers['retry-after'], '1');
    assert.strictEqual(reply.json.status, 503);
    await succeed('up');
    assert.strictEqual((await status()).code, 0);
});

test('down ends everything, and up finds all again', async () => {
    const { parts } = await status();
    const { total } = (await clientOf(balancer).expect(200, 'GET', '/risks')).json;
    clients.splice(0).forEach((client) => client.close());
    await succeed('down');
    assert.deepStrictEqual(processes(), []);
    const { code, parts: ended } = await status();
    assert.strictEqual(code, 1);
    assert.deepStrictEqual(PARTS.map((name) => ended[name].state), PARTS.map(() => 'stopped'));

    await succeed('up');
    const addresses = (all) => PARTS.map((name) => all[name].address);
    assert.deepStrictEqual(addresses((await status()).parts), addresses(parts));
    assert.strictEqual((await clientOf(balancer).expect(200, 'GET', '/risks')).json.total, total);
});

test('a process that has got the number of a part is left alone', async (t) => {
    const other = spawn('sleep', ['1000']);
    t.after(() => other.kill('SIGKILL'));
    await succeed('stop', 'redis');
    fs.writeFileSync(path.join(folder, 'redis.pid'), `${other.pid}\n`);
    assert.strictEqual((await status()).parts.redis.state, 'stopped');
    await succeed('stop', 'redis');
    await succeed('kill', 'redis');
    await succeed('start', 'redis');
    assert.notStrictEqual((await status()).parts.redis.pid, other.pid);
    assert.strictEqual(other.exitCode ?? other.signalCode, null);
});

test('it takes and clears away no folder but its own', async (t) => {
    const foreign = fs.mkdtempSync(path.join(os.tmpdir(), 'openrisk-test-cluster-'));
    t.after(() => fs.rmSync(foreign, { recursive: true }));
    fs.writeFileSync(path.join(foreign, 'mine'), '');
    for (const args of [['up', '--port', '0'], ['down', '--purge']]) {
        const { code } = await cli([...args, '--data', foreign], { program: SCRIPT, env: { OPENRISK_BINARY: binary() } });
        assert.strictEqual(code, 1, args.join(' '));
    }
    assert.deepStrictEqual(fs.readdirSync(foreign), ['mine']);
});

test('down --purge leaves nothing', async () => {
    for (const name of NODES) {
        const log = fs.readFileSync(path.join(folder, `${name}.log`), 'utf8');
        assert.ok(!/Sanitizer|runtime error:/.test(log), log);
    }
    await succeed('down', '--purge');
    assert.deepStrictEqual(processes(), []);
    assert.strictEqual(fs.existsSync(folder), false);
});
