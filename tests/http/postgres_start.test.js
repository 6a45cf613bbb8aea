/** Starting on PostgreSQL: what is wrong is said in one line, and what is not ours stays as it is. */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const { after, test } = require('node:test');

const { randomPort } = require('../tools/port');
const { sharedPostgres } = require('../tools/postgres');
const { assertFails } = require('./command');
const { Client, cli, inTime, launch, startServer, temporaryFolder, waitFor } = require('./lib');

const SECRET = 'hushmum';
const LISTEN = { OPENRISK_LISTEN: '127.0.0.1:0', OPENRISK_OPS_LISTEN: '127.0.0.1:0' };

const folder = temporaryFolder();
after(() => fs.rmSync(folder, { recursive: true, force: true }));

function run(args, url) {
    return cli(args, { env: { ...LISTEN, DATABASE_URL: url, LOG_LEVEL: 'debug' }, cwd: folder, limitMs: 30000 });
}

/** `url` with other parts: {port: '1'}. */
function changed(url, parts) {
    return Object.assign(new URL(url), parts).href;
}

async function databaseFor(t) {
    const cluster = await sharedPostgres();
    const url = await cluster.createDatabase();
    t.after(() => cluster.dropDatabase(url));
    return { cluster, url, sql: (statement) => cluster.query(url, statement) };
}

function tablesIn(sql) {
    return sql(`SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class
                WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'`);
}

test('a server that cannot be used is named by its setting, with the reason and without the password', async (t) => {
    const { url } = await databaseFor(t);
    const { password } = new URL(url);
    for (const [parts, reason] of [
        [{ hostname: 'no-such-host.invalid' }, /could not translate host name "no-such-host\.invalid"/],
        [{ port: '1' }, /port 1 failed: Connection refused/],
        [{ pathname: 'no_such_database' }, /database "no_such_database" does not exist/],
        [{ username: 'no_such_user' }, /password authentication failed for user "no_such_user"/],
        [{ password: SECRET }, /password authentication failed for user/],
        [{ search: 'sslmode=require' }, /server does not support SSL, but SSL was required/],
        [{ search: 'sslmode=sometimes' }, /invalid sslmode value: "sometimes"/],
        [{ search: 'target_session_attrs=standby' }, /server is not in hot standby mode/],
    ]) {
        const result = await run(['serve'], changed(url, parts));
        assertFails(result, 3, reason);
        assert.match(result.stderr, /^openrisk: DATABASE_URL: cannot be used: [^\n]+\n$/);
        assert.ok(!result.stderr.includes(password) && !result.stderr.includes(SECRET), result.stderr);
    }
});

test('no part of a password is ever shown, however it is written', async (t) => {
    const { url } = await databaseFor(t);
    const { host, pathname } = new URL(url);
    const server = `${host}${pathname}`;
    for (const wrong of [
        `postgres://openrisk:${SECRET}@${server}`,
        `postgres://openrisk:hush@mum@${server}`,
        `postgres://openrisk:hush/mum@${server}`,
        `postgres://openrisk:12/mum@${server}`,
        `postgres://openrisk:hush#mum@${server}`,
        `postgres://openrisk:hush?mum@${server}`,
        `postgres://openrisk:hush:mum@${server}`,
        `postgres://openrisk:hush%zzmum@${server}`,
        `postgres://openrisk:${SECRET}`,
        `postgres:/openrisk:${SECRET}@${server}`,
        `postgresql:openrisk:${SECRET}@${server}`,
        `mysql://openrisk:${SECRET}@${server}`,
        `openrisk:${SECRET}@${server}`,
        `host=127.0.0.1 password=${SECRET}`,
        `postgres://openrisk@${server}?password=${SECRET}`,
        `postgres://openrisk@${server}?sslpassword=hush&password=mum&connect_timeout=3`,
        `postgres://openrisk@${server}?pass%77ord=${SECRET}`,
        `postgres://openrisk@${server}?nonsense=1&PASSWORD=${SECRET}`,
    ]) {
        for (const command of ['config', 'serve', 'check']) {
            const { code, stdout, stderr } = await run([command], wrong);
            assert.ok(!/hush|mum/.test(stdout + stderr), `${command} with ${wrong} says ${stdout}${stderr}`);
            assert.ok(command === 'config' || code !== 0, wrong);
        }
    }
});

test('what is no password is shown', async () => {
    for (const [url, shown] of [
        ['postgres://openrisk@db.example.org/risks', undefined],
        ['postgres://one:5432,two:5433/risks?target_session_attrs=read-write', undefined],
        ['postgres://[::1]:5432/risks', undefined],
        ['postgres://db.example.org/risks?user=me&password=x&sslmode=require', 'postgres://db.example.org/risks?user=me&password=***&sslmode=require'],
        ['postgresql://me:x@db.example.org:5432/risks?sslmode=require', 'postgresql://me:***@db.example.org:5432/risks?sslmode=require'],
    ]) {
        const { stdout } = await run(['config'], url);
        assert.match(stdout, /^DATABASE_URL +\S+ /m);
        assert.strictEqual(/^DATABASE_URL +(\S+) /m.exec(stdout)[1], shown || url);
    }
});

test('a database of another encoding is refused', async (t) => {
    const { cluster, url, sql } = await databaseFor(t);
    const name = `${new URL(url).pathname.slice(1)}_latin1`;
    await sql(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`);
    t.after(() => cluster.dropDatabase(changed(url, { pathname: name })));
    assertFails(await run(['serve'], changed(url, { pathname: name })), 3, /^openrisk: DATABASE_URL: is a database with the encoding LATIN1; create it with ENCODING 'UTF8'$/m);
});

test("another program's database is refused and left as it is", async (t) => {
    for (const table of ['meta (a int)', 'meta (name text, value text)', 'cache_generation (a int)']) {
        const { sql, url } = await databaseFor(t);
        await sql(`CREATE TABLE ${table}`);
        const before = await tablesIn(sql);
        for (const command of ['serve', 'check']) {
            assertFails(await run([command], url), 1, /^openrisk: DATABASE_URL: the database belongs to another program/);
        }
        assert.strictEqual(await tablesIn(sql), before);
    }
});

test('a migration that fails leaves nothing', async (t) => {
    const { sql, url } = await databaseFor(t);
    await sql('CREATE TABLE audit_log (theirs int)');
    assertFails(await run(['serve'], url), 1, /^openrisk: DATABASE_URL: the database cannot be brought to schema 1, and is as it was; the log says why$/m);
    assert.strictEqual(await tablesIn(sql), 'audit_log');
    await sql('DROP TABLE audit_log');
    await startServer(t, { env: { DATABASE_URL: url } });
});

test('a schema that is newer than the program stops every command', async (t) => {
    const { sql, url } = await databaseFor(t);
    const server = await startServer(t, { env: { DATABASE_URL: url } });
    await server.stop();
    await sql("UPDATE meta SET value = '999' WHERE name = 'schema'");
    for (const args of [['serve'], ['check'], ['export'], ['user', 'list']]) {
        assertFails(await run(args, url), 1, /^openrisk: DATABASE_URL: the database has schema 999, this program knows up to \d+: use a newer openrisk/m);
    }
});

test('eight servers that start on an empty database make it once', async (t) => {
    const { sql, url } = await databaseFor(t);
    const servers = await Promise.all(Array.from({ length: 8 }, () => startServer(t, { env: { DATABASE_URL: url } })));
    assert.strictEqual(await sql('SELECT count(*) FROM account'), '1');
    assert.strictEqual(await sql("SELECT count(*) FROM audit_log WHERE action = 'openrisk serve'"), '1');
    // A session that one of them gave is known to all: they have the same key.
    const { token } = await servers[0].signIn();
    for (const server of servers) {
        await server.client(token).expect(201, 'POST', '/risks', { title: 'Shared', impact: 1, probability: 1 });
        await (await server.signIn()).expect(200, 'GET', '/risks/R-1');
    }
    assert.strictEqual(await sql('SELECT count(*) FROM risk'), '8');
    await Promise.all(servers.map((server) => server.stop())); // Then their logs are complete.
    const migrated = servers.flatMap((server) => server.log.match(/event=migrated schema=1 /g) || []);
    assert.strictEqual(migrated.length, 1);
});

test("backup and restore are SQLite's, and say what to use instead", async (t) => {
    const { url } = await databaseFor(t);
    for (const [command, use] of [['backup', /pg_dump/], ['restore', /pg_restore/]]) {
        assertFails(await run([command, `${folder}/file.db`], url), 1, use);
    }
});

test('it is not ready before there is an administrator', async (t) => {
    const { url, sql } = await databaseFor(t);
    const first = await startServer(t, { env: { DATABASE_URL: url } });
    await first.stop();
    await sql('TRUNCATE account CASCADE');
    const key = /WRITER_LOCK "(\d+)"/.exec(fs.readFileSync(`${__dirname}/../../src/store/postgres.c`, 'utf8'))[1];
    const locks = async (granted) => Number(await sql(`SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted = ${granted}`));
    const ended = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted";
    const held = sql(`SELECT pg_advisory_lock(${key}), pg_sleep(60)`).catch(() => {});
    await waitFor(async () => (await locks(true)) === 1, 'the lock of writers');

    const ops = `127.0.0.1:${randomPort()}`;
    const run = launch(['serve'], { env: { ...LISTEN, OPENRISK_OPS_LISTEN: ops, DATABASE_URL: url, DB_WRITE_TIMEOUT: '60s' }, cwd: folder });
    try {
        await waitFor(async () => (await locks(false)) === 1, 'it to make the administrator');
        const client = new Client(`http://${ops}`, undefined, '');
        const { status, body } = await client.get('/readyz');
        assert.deepStrictEqual([status, body], [503, 'not ready: starting\n']);
        assert.doesNotMatch(run.stdout, /ready/);
        await sql(ended);
        await held;
        await waitFor(() => /^ready /m.test(run.stdout), 'the ready line');
        assert.strictEqual((await client.get('/readyz')).status, 200);
        client.close();
    } finally {
        run.child.kill('SIGKILL');
        await inTime(run.exited, 'openrisk serve', 20000);
    }
});
