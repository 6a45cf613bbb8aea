/**
 * script/monitoring from outside: it watches a real OpenRisk with its Redis and its PostgreSQL, says what is not well, and at
 * the end nothing of it is left, and nothing else has been touched.
 */
'use strict';

const assert = require('node:assert');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');

const { ROOT, cli, startServer, waitFor } = require('../http/lib');
const { isAlive } = require('../tools/process');
const { startWebhook } = require('../tools/prometheus');
const { startRedis } = require('../tools/redis');
const { createDatabase } = require('./proxied');

const SCRIPT = path.join(ROOT, 'script/monitoring');
const TOKEN = 'a-token-for-those-who-operate-it';
const PARTS = ['alertmanager', 'redis_exporter', 'postgres_exporter', 'prometheus'];
const LIMIT_MS = 120000;
const GUESSES = 150; // of passwords in 10 minutes; 100 are allowed

/** A folder, and script/monitoring for it. What it starts outlives it, so someone waits for our end, however it comes. */
function prepare(t) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'openrisk-test-monitoring-'));
    const end = 'read -r; "$0" down --purge --data "$1"; rm -rf "$1"';
    const watcher = spawn('bash', ['-c', end, SCRIPT, folder], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    t.after(async () => {
        watcher.stdin.end();
        await new Promise((resolve) => watcher.on('close', resolve));
    });
    const script = (args, env) => cli([...args, '--data', folder], { program: SCRIPT, env, limitMs: LIMIT_MS });
    return { folder, script };
}

/** What `status` prints: {code, parts: {NAME: {state, pid, address, says}}, targets: {JOB: "up" | "DOWN"}, stdout}. */
function read({ code, stdout, stderr }) {
    const parts = [...stdout.matchAll(/^(\w+) +(running|stopped) +(\d*) +(127\.0\.0\.1:\d+) *(.*)$/gm)];
    const targets = [...stdout.matchAll(/^(\w+) +(127\.0\.0\.1:\d+) +(up|DOWN)$/gm)];
    assert.ok(parts.length > 0, stdout + stderr);
    return {
        code,
        stdout,
        parts: Object.fromEntries(parts.map(([, name, state, pid, address, says]) => [name, { state, pid: Number(pid), address, says }])),
        targets: Object.fromEntries(targets.map(([, job, , is]) => [job, is])),
    };
}

function get(url) {
    return new Promise((resolve, reject) => {
        http.get(url, (response) => {
            let text = '';
            response.setEncoding('utf8').on('data', (chunk) => (text += chunk));
            response.on('end', () => resolve(text));
        }).on('error', reject);
    });
}

test('up, status and down', async (t) => {
    const redis = await startRedis({ password: 'with "quotes" and \\' });
    t.after(() => redis.stop());
    const database = await createDatabase(t);
    const server = await startServer(t, { env: { DATABASE_URL: database, REDIS_URL: redis.url, OPENRISK_OPS_TOKEN: TOKEN } });
    const webhook = await startWebhook();
    t.after(() => webhook.stop());
    const { folder, script } = prepare(t);
    const env = { REDIS_URL: redis.url, DATABASE_URL: database, OPENRISK_OPS_TOKEN: TOKEN };
    const instance = new URL(server.opsUrl).host;
    const args = ['up', '--port', '0', '--openrisk', instance, '--webhook', webhook.url];
    let first;

    await t.test('up starts all of it, with the shipped rules', async (t2) => {
        const began = performance.now();
        const up = await script(args, env);
        t2.diagnostic(`figure: script/monitoring up ${((performance.now() - began) / 1000).toFixed(1)} s, most of which is the first interval`);
        assert.strictEqual(up.code, 0, up.stdout + up.stderr);
        first = read(await script(['status']));
        assert.deepStrictEqual(Object.keys(first.parts), PARTS);
        assert.deepStrictEqual(PARTS.map((name) => first.parts[name].state), PARTS.map(() => 'running'));
        assert.deepStrictEqual(first.targets, { alertmanager: 'up', openrisk: 'up', postgres: 'up', prometheus: 'up', redis: 'up' });
        assert.strictEqual(first.parts.redis_exporter.says, 'Redis answers it');
        assert.strictEqual(first.parts.postgres_exporter.says, 'PostgreSQL answers it');
        const { data } = JSON.parse(await get(`http://${first.parts.prometheus.address}/api/v1/rules`));
        assert.ok(data.groups.some(({ name }) => name === 'openrisk_slo'));
        for (const file of ['prometheus.yml', 'alerts.yml']) {
            assert.strictEqual(
                fs.readFileSync(path.join(folder, 'etc/prometheus', file), 'utf8'),
                fs.readFileSync(path.join(ROOT, 'deploy/monitoring', file), 'utf8'),
            );
        }
    });

    await t.test('no password is among the arguments, and nobody else can read the files', () => {
        const url = new URL(database);
        for (const { pid } of Object.values(first.parts)) {
            const line = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8');
            for (const secret of [redis.password, TOKEN, decodeURIComponent(url.password)]) {
                assert.ok(secret === '' || !line.includes(secret), line);
            }
        }
        const open = fs.readdirSync(folder).filter((name) => (fs.statSync(path.join(folder, name)).mode & 0o077) !== 0);
        assert.deepStrictEqual(open, []);
    });

    await t.test('all of it listens on loopback only', () => {
        const inodes = new Set(Object.values(first.parts).flatMap(({ pid }) => fs.readdirSync(`/proc/${pid}/fd`).map((fd) => {
            const [, inode] = /^socket:\[(\d+)\]$/.exec(fs.readlinkSync(`/proc/${pid}/fd/${fd}`)) || [];
            return inode;
        })));
        const lines = ['tcp', 'tcp6', 'udp', 'udp6'].flatMap((name) => fs.readFileSync(`/proc/net/${name}`, 'utf8').trim().split('\n').slice(1));
        const listening = lines.map((line) => line.trim().split(/\s+/)).filter((words) => words[3] === '0A' || words[3] === '07').filter((words) => inodes.has(words[9]));
        assert.strictEqual(listening.length, PARTS.length);
        assert.deepStrictEqual(listening.filter((words) => !words[1].startsWith('0100007F:')), []);
    });

    await t.test('a second up changes nothing, and one with other settings is refused', async () => {
        assert.strictEqual((await script(['up'])).code, 0);
        assert.deepStrictEqual(read(await script(['status'])).parts, first.parts);
        const other = await script(['up', '--openrisk', '127.0.0.1:1']);
        assert.deepStrictEqual([other.code, other.stderr], [1, 'script/monitoring: it runs with other settings; to change them: script/monitoring down, and up again\n']);
    });

    await t.test('status says which alerts fire', async () => {
        const client = server.client();
        for (let i = 0; i < GUESSES; i++) {
            await client.post('/auth/login', { email: 'admin@example.org', password: `guess ${i}` });
        }
        const [alert] = await waitFor(async () => /^ {2}LoginFailures .*$/m.exec((await script(['status'])).stdout), 'the alert', LIMIT_MS);
        assert.match(alert, /severity="warning"/);
        assert.strictEqual(read(await script(['status'])).code, 1);
    });

    await t.test('a part that is gone is said to be gone, and up brings it back', async () => {
        process.kill(first.parts.alertmanager.pid, 'SIGKILL');
        await waitFor(() => !isAlive(first.parts.alertmanager.pid), 'its end');
        const { code, parts } = read(await script(['status']));
        assert.deepStrictEqual([code, parts.alertmanager.state], [1, 'stopped']);
        assert.strictEqual((await script(['up'])).code, 0);
        const { parts: again } = read(await script(['status']));
        assert.deepStrictEqual([again.alertmanager.state, again.alertmanager.address], ['running', first.parts.alertmanager.address]);
        assert.strictEqual(again.prometheus.pid, first.parts.prometheus.pid);
        first = { parts: again };
    });

    await t.test('a Redis and an OpenRisk that are gone are missed', async () => {
        await redis.kill();
        assert.strictEqual(read(await script(['status'])).parts.redis_exporter.says, 'Redis does not answer it');
        await server.stop();
        await waitFor(async () => read(await script(['status'])).targets.openrisk === 'DOWN', 'its absence to be seen', 30000);
        assert.strictEqual(read(await script(['status'])).code, 1);
    });

    await t.test('down ends what it started, and keeps what was recorded', async () => {
        const { code, stderr } = await script(['down']);
        assert.strictEqual(code, 0, stderr);
        assert.deepStrictEqual(Object.values(first.parts).filter(({ pid }) => isAlive(pid)), []);
        assert.ok(fs.existsSync(path.join(folder, 'prometheus')));
        assert.deepStrictEqual(read(await script(['status'])).parts.prometheus.state, 'stopped');
        assert.strictEqual((await script(['down', '--purge'])).code, 0);
        assert.ok(!fs.existsSync(folder));
    });
});

test('what it cannot do it says in one line', async (t) => {
    const { folder, script } = prepare(t);
    const cases = [
        [['status'], {}, /there is no monitoring in .*; script\/monitoring up makes one/, 1],
        [['down'], {}, /there is no monitoring in/, 1],
        [['up', '--port', '65536'], {}, /--port: 0 to 65535/, 2],
        [['up', '--port', 'x'], {}, /--port: 0 to 65535/, 2],
        [['up', '--openrisk', 'here'], {}, /--openrisk: HOST:PORT/, 2],
        [['up', '--webhook', 'ftp://x/'], {}, /--webhook: a URL/, 2],
        [['up'], { REDIS_URL: 'redis:secret' }, /REDIS_URL: redis:\/\//, 2],
        [['up'], { DATABASE_URL: 'mysql:secret' }, /DATABASE_URL: postgres:\/\//, 2],
    ];
    for (const [args, env, message, expected] of cases) {
        const { code, stdout, stderr } = await script(args, env);
        assert.match(stderr, /^script\/monitoring: [^\n]*\n$/, args.join(' '));
        assert.match(stderr, message);
        assert.doesNotMatch(stderr, /secret/);
        assert.deepStrictEqual([code, stdout], [expected, '']);
    }
    fs.writeFileSync(path.join(folder, 'somebody’s'), '');
    assert.match((await script(['up'])).stderr, /is not empty, and no folder of script\/monitoring/);
    fs.rmSync(path.join(folder, 'somebody’s'));

    const taken = await startWebhook();
    t.after(() => taken.stop());
    const { code, stderr } = await script(['up', '--port', new URL(taken.url).port]);
    assert.match(stderr, /^script\/monitoring: port \d+ is taken by somebody else; give another one with --port/m);
    assert.strictEqual(code, 1);
});
