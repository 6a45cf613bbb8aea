/**
 * deploy/monitoring/docker-compose-monitoring.yaml as far as that can be seen without Docker: what it names is there, every
 * part is pinned, limited, looked at and has its secrets in files; and what can be run without containers is run:
 * make-secrets, the settings with the program, the health check, Redis's and PostgreSQL's part, and Debian's exporters for both.
 */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const { cli, Client, launch, ROOT, startServer, temporaryFolder, waitFor } = require('../http/lib');
const { randomPort } = require('../tools/port');
const { startPostgres } = require('../tools/postgres');
const { parseYaml } = require('../tools/yaml');

const FOLDER = path.join(ROOT, 'deploy/monitoring');
const read = (name) => fs.readFileSync(path.join(FOLDER, name), 'utf8');
const TEXT = read('docker-compose-monitoring.yaml');
const compose = parseYaml(TEXT);
const services = Object.entries(compose.services);

/** The folder that make-secrets fills, gone when test `t` ends. */
function makeSecrets(t) {
    const folder = path.join(temporaryFolder(), 'secrets');
    t.after(() => fs.rmSync(path.dirname(folder), { recursive: true }));
    const said = execFileSync(path.join(FOLDER, 'make-secrets'), [folder], { encoding: 'utf8' });
    const content = (name) => fs.readFileSync(path.join(folder, name), 'utf8');
    return { folder, said, content };
}

/** Start an exporter as its service has it, but for addresses and places, and wait until its metrics have the line `line`. */
async function assertExports(t, program, service, edit, line) {
    const environment = Object.entries(compose.services[service].environment).map(([name, value]) => [name, edit(value)]);
    const port = randomPort();
    const run = launch([`--web.listen-address=127.0.0.1:${port}`], { program, env: Object.fromEntries(environment) });
    t.after(async () => {
        run.child.kill('SIGKILL');
        await run.exited;
    });
    const client = new Client(`http://127.0.0.1:${port}`, undefined, '');
    t.after(() => client.close());
    const page = () => client.get('/metrics').then(({ body }) => body, () => '');
    await waitFor(async () => (await page()).split('\n').includes(line), `${line} of ${program}`);
}

/** Faults by service: a line each. */
function assertEach(check) {
    const faults = services.flatMap(([name, service]) => check(service, name).map((fault) => `${name}: ${fault}`));
    assert.deepStrictEqual(faults, []);
}

test('the parts are those that operators expect', () => {
    const names = ['alertmanager', 'grafana', 'openrisk', 'postgres', 'postgres-exporter', 'prometheus', 'redis', 'redis-exporter'];
    assert.deepStrictEqual(services.map(([name]) => name).sort(), names);
});

test('every part has a pinned version, a health check, a limit of memory, and is started again', () => {
    assertEach(({ image, build, healthcheck, restart, mem_limit: limit }) => [
        ...(build || /:v?\d+\.\d+(\.\d+)?(-[a-z]+)?$/.test(image) ? [] : [`the image is not pinned: ${image}`]),
        ...(healthcheck && healthcheck.test.length > 1 && healthcheck.interval && healthcheck.timeout ? [] : ['no health check']),
        ...(/^\d+m$/.test(limit) ? [] : ['no limit of memory']),
        ...(restart === 'unless-stopped' ? [] : ['is not started again']),
    ]);
});

test('who waits for another waits until that is well', () => {
    assertEach(({ depends_on: others = {} }) => Object.entries(others).flatMap(([other, { condition }]) => [
        ...(compose.services[other] ? [] : [`there is no ${other}`]),
        ...(condition === 'service_healthy' ? [] : [`${other}: ${condition}`]),
    ]));
});

test('ports are published on loopback only, and those of databases and exporters not at all', () => {
    assertEach(({ ports = [] }) => ports.filter((port) => !/^127\.0\.0\.1:\d+:\d+$/.test(port)));
    const published = services.filter(([, { ports }]) => ports).map(([name]) => name);
    assert.deepStrictEqual(published.sort(), ['alertmanager', 'grafana', 'openrisk', 'prometheus']);
});

test('every file that is mounted is there, and every volume has a name', () => {
    const used = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0]));
    const [files, volumes] = [used.filter((one) => one.startsWith('.')), used.filter((one) => !one.startsWith('.'))];
    assert.deepStrictEqual(files.filter((file) => !fs.existsSync(path.join(FOLDER, file))), []);
    assert.deepStrictEqual([...new Set(volumes)].sort(), Object.keys(compose.volumes).sort());
    assert.ok(services.every(([, { volumes: all = [] }]) => all.every((one) => !one.startsWith('.') || one.endsWith(':ro'))));
    const { context, dockerfile } = compose.services.openrisk.build;
    assert.strictEqual(path.resolve(FOLDER, context), ROOT);
    assert.ok(fs.existsSync(path.join(ROOT, dockerfile)));
});

test('every secret is a file that make-secrets makes and git does not keep, and every one is used', (t) => {
    const { folder } = makeSecrets(t);
    for (const [name, { file }] of Object.entries(compose.secrets)) {
        assert.strictEqual(file, `./secrets/${name}`);
        assert.ok(fs.existsSync(path.join(folder, name)), `make-secrets makes no ${name}`);
        execFileSync('git', ['-c', `safe.directory=${ROOT}`, 'check-ignore', '-q', path.join('deploy/monitoring', file)], { cwd: ROOT });
    }
    const used = services.flatMap(([, { secrets = [] }]) => secrets);
    assert.deepStrictEqual([...new Set(used)].sort(), Object.keys(compose.secrets).sort());
    assertEach((service) => [...JSON.stringify(service).matchAll(/\/run\/secrets\/([\w.]+)/g)]
        .map(([, name]) => name)
        .filter((name) => !(service.secrets || []).includes(name)));
});

test('what the configurations take from /run/secrets is given to who reads them', () => {
    for (const [service, file] of [['prometheus', 'prometheus.yml'], ['alertmanager', 'alertmanager.yml']]) {
        const names = [...read(file).replace(/#.*/g, '').matchAll(/run\/secrets\/([\w.]+)/g)].map(([, name]) => name);
        assert.ok(names.length > 0, `${file} has no secret`);
        assert.deepStrictEqual(names.filter((name) => !compose.services[service].secrets.includes(name)), []);
    }
});

test('no password is in the file: variables that have one name a file', () => {
    assertEach(({ environment = {} }) => Object.entries(environment)
        .filter(([name, value]) => /PASS|TOKEN|SECRET/.test(name) && !/_FILE$/.test(name) && value !== '')
        .map(([name]) => name));
    assert.ok(!/\$\{/.test(TEXT), 'a variable with a default may be a password with a default');
    assert.ok(!/:\/\/[^\s/]*:[^\s/]*@/.test(TEXT), 'a URL with a password');
});

test('the targets are parts of it, at ports where they answer', () => {
    const targets = fs.readdirSync(path.join(FOLDER, 'targets')).flatMap((file) => parseYaml(read(`targets/${file}`)).flatMap((one) => one.targets));
    const ports = { openrisk: '2112', 'redis-exporter': '9121', 'postgres-exporter': '9187', alertmanager: '9093', localhost: '9090' };
    assert.deepStrictEqual(targets.sort(), Object.entries(ports).map(([name, port]) => `${name}:${port}`).sort());
});

test('make-secrets makes random ones, keeps what is there, and lets nobody else in', (t) => {
    const one = makeSecrets(t);
    const other = makeSecrets(t);
    const made = ['database_password', 'monitor_password', 'redis_password', 'openrisk_ops_token', 'admin_password', 'grafana_password'];
    const values = made.flatMap((name) => [one.content(name), other.content(name)]);
    assert.ok(values.every((value) => /^[0-9a-f]{32}$/.test(value)), values.join(' '));
    assert.strictEqual(new Set(values).size, values.length);
    assert.strictEqual(fs.statSync(one.folder).mode & 0o777, 0o700);
    const before = made.map(one.content);
    assert.ok(before.every((value) => !one.said.includes(value)), 'it prints a secret');
    execFileSync(path.join(FOLDER, 'make-secrets'), [one.folder]);
    assert.deepStrictEqual(made.map(one.content), before);
});

test('the settings of OpenRisk are settings of the program, with values that it takes', async (t) => {
    const { folder, content } = makeSecrets(t);
    const { environment, command } = compose.services.openrisk;
    assert.deepStrictEqual(command, ['openrisk', 'serve', '--config', '/run/secrets/openrisk.conf']);
    const file = path.join(folder, 'openrisk.conf');
    const { code, stdout, stderr } = await cli(['config', '--config', file], { env: environment });
    assert.strictEqual(code, 0, stderr);
    const lines = Object.fromEntries(stdout.trimEnd().split('\n').map((line) => [line.split(' ')[0], line]));
    for (const name of Object.keys(environment)) {
        assert.match(lines[name] || `there is no setting ${name}`, /environment$/);
    }
    for (const [, name] of content('openrisk.conf').matchAll(/^(\w+)=/gm)) {
        assert.match(lines[name] || `there is no setting ${name}`, /openrisk\.conf line \d+$/, `${name} is not taken from the file: ${lines[name]}`);
    }
    assert.ok(content('openrisk.conf').includes(`OPENRISK_OPS_TOKEN=${content('openrisk_ops_token')}\n`));
});

test('the health check of OpenRisk says whether it is ready', async (t) => {
    const { folder, content } = makeSecrets(t);
    const server = await startServer(t, { engine: 'sqlite', env: { OPENRISK_OPS_TOKEN: content('openrisk_ops_token') } });
    const [, , , script] = compose.services.openrisk.healthcheck.test;
    const { port } = new URL(server.opsUrl);
    const line = script.replace(/\$\$/g, '$').replace('127.0.0.1/2112', `127.0.0.1/${port}`).replace('/run/secrets', folder);
    const check = () => cli(['-c', line], { program: '/bin/bash' });
    assert.strictEqual((await check()).code, 0);
    fs.writeFileSync(path.join(folder, 'openrisk_ops_token'), 'another than the one');
    assert.notStrictEqual((await check()).code, 0);
    fs.writeFileSync(path.join(folder, 'openrisk_ops_token'), content('openrisk.conf').match(/OPS_TOKEN=(.*)/)[1]);
    await server.stop();
    assert.notStrictEqual((await check()).code, 0);
});

test('Redis takes its arguments and its file, and its health check and its exporter know the password', async (t) => {
    const { folder, content } = makeSecrets(t);
    const { command: [program, ...args], healthcheck } = compose.services.redis;
    const port = String(randomPort());
    const inFolder = (text) => text.replace('/run/secrets', folder);
    const redis = launch([...args.map(inFolder), '--port', port, '--bind', '127.0.0.1'], { program, cwd: folder });
    t.after(async () => {
        redis.child.kill('SIGKILL');
        await redis.exited;
    });
    await waitFor(() => /Ready to accept connections/.test(redis.stdout), 'Redis to be ready');
    const ask = (line) => cli(['-c', line], { program: '/bin/sh' });
    const check = inFolder(healthcheck.test[1].replace(/\$\$/g, '$').replace('redis-cli', `redis-cli -p ${port}`));
    assert.strictEqual((await ask(check)).code, 0);
    assert.match((await ask(check.replace(/\| grep.*/, '').replace('PING', 'CONFIG GET maxmemory'))).stdout, /^67108864$/m);
    const here = (text) => inFolder(text).replace('redis://redis:6379', `redis://127.0.0.1:${port}`);
    fs.writeFileSync(path.join(folder, 'redis_exporter.json'), here(content('redis_exporter.json')));
    await assertExports(t, 'prometheus-redis-exporter', 'redis-exporter', here, 'redis_up 1');
    fs.writeFileSync(path.join(folder, 'redis_password'), 'another than the one');
    assert.notStrictEqual((await ask(check)).code, 0);
});

test('the role of the exporter may see how PostgreSQL does, and nothing of the register', async (t) => {
    const { folder, content } = makeSecrets(t);
    const cluster = await startPostgres();
    t.after(() => cluster.stop());
    await cluster.query(cluster.url, 'CREATE TABLE risk (title text)');
    await cluster.query(cluster.url, read('postgres/monitor.sql').replace('/run/secrets', folder));
    const url = new URL(cluster.url);
    [url.username, url.password] = [compose.services['postgres-exporter'].environment.DATA_SOURCE_USER, content('monitor_password')];
    assert.match(await cluster.query(url.href, "SELECT count(*) FROM pg_stat_activity WHERE query <> '<insufficient privilege>'"), /^[1-9]/);
    await assert.rejects(cluster.query(url.href, 'SELECT * FROM risk'), /permission denied/);
    const here = (text) => text.replace('/run/secrets', folder).replace('postgres:5432/openrisk', `${url.host}${url.pathname}`);
    await assertExports(t, 'prometheus-postgres-exporter', 'postgres-exporter', here, 'pg_up 1');
});
