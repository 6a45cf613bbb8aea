/** openrisk copy into PostgreSQL: what ends it half-way leaves nothing there, and secrets stay so. */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { sharedPostgres } = require('../tools/postgres');
const { assertFails } = require('./command');
const { copy, summaryOf } = require('./copying');
const { ROOT, cli, inTime, launch, startServer, temporaryFolder, waitFor } = require('./lib');

const KEV_FILE = path.join(ROOT, 'tests/data/kev.csv');
const OURS = 'FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND ';
const HELD = `${OURS} application_name = 'openrisk' AND wait_event_type = 'Lock'`;
const HOLDER = `${OURS} query LIKE '%pg_sleep(600)%'`;

/** What somebody else does so that a copy must wait half-way: while it makes the schema, or while it writes the last rows. */
const HOLDS = {
    'the schema': 'BEGIN; CREATE TABLE audit_log (x INTEGER)',
    'the rows': 'BEGIN; LOCK TABLE audit_log IN EXCLUSIVE MODE',
};

/** A register in a file, and an empty database: {from, to, cluster}. */
async function makeSides(t) {
    const folder = temporaryFolder();
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
    const from = `sqlite:${path.join(folder, 'register.db')}`;
    const run = await cli(['import', KEV_FILE, '--format', 'kev'], { env: { DATABASE_URL: from } });
    assert.strictEqual(run.code, 0, run.stderr);
    const cluster = await sharedPostgres();
    const to = await cluster.createDatabase();
    t.after(() => cluster.dropDatabase(to));
    return { from, to, cluster };
}

const ask = ({ cluster, to }, sql) => cluster.query(to, sql);
const some = async (sides, sql) => (await ask(sides, `SELECT count(*) ${sql}`)) !== '0';

/** How many rows each table has; '' while there are none. */
async function contents(sides) {
    const tables = await ask(sides, "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname");
    const counts = tables.split('\n').filter((name) => name).map((name) => `SELECT '${name}', count(*) FROM ${name};`);
    return (await ask(sides, counts.join('\n'))) + (await ask(sides, tables.includes('meta') ? 'SELECT * FROM meta ORDER BY name' : ''));
}

/** The schema, and nothing in it but what the first start puts there. */
async function makeSchema(sides) {
    await copy(sides.from, sides.to);
    const full = "SELECT string_agg(relname, ', ') FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname NOT IN ('meta', 'cache_generation', 'counter')";
    await ask(sides, `TRUNCATE ${await ask(sides, full)}`);
}

/** A copy that waits half-way: {run, release()}. */
async function startCopy(sides, hold) {
    const holder = ask(sides, `${hold}; SELECT pg_sleep(600)`).catch(() => {});
    await waitFor(() => some(sides, HOLDER), 'the lock', 30000);
    const run = launch(['copy', '--from', sides.from, '--to', sides.to], { env: { DB_WRITE_TIMEOUT: '60s' } });
    let exited = false;
    run.exited.finally(() => (exited = true));
    await waitFor(async () => exited || some(sides, HELD), 'the copy to wait', 30000);
    assert.ok(!exited, `the copy ended before it could be disturbed: ${run.stdout}${run.stderr}`);
    const release = async () => {
        await ask(sides, `SELECT pg_terminate_backend(pid) ${HOLDER}`);
        await holder;
    };
    return { run, release };
}

for (const [where, hold] of Object.entries(HOLDS)) {
    test(`what ends a copy while it writes ${where} leaves nothing in the target`, async (t) => {
        const sides = await makeSides(t);
        if (where === 'the rows') {
            await makeSchema(sides);
        }
        const before = await contents(sides);

        await t.test('Ctrl-C', async () => {
            const { run, release } = await startCopy(sides, hold);
            run.child.kill('SIGINT');
            await release();
            assert.strictEqual((await inTime(run.exited, 'ending after SIGINT', 30000)).code, 1, run.stdout + run.stderr);
            assert.match(run.stderr, /stopped; nothing was changed/);
            assert.strictEqual(await contents(sides), before);
        });

        await t.test('a lost connection, which is told', async () => {
            const { run, release } = await startCopy(sides, hold);
            await ask(sides, `SELECT pg_terminate_backend(pid) ${HELD}`);
            assert.strictEqual((await inTime(run.exited, 'ending without a connection', 30000)).code, 3, run.stdout + run.stderr);
            assert.match(run.stderr, /^openrisk: target: /m);
            await release();
            assert.strictEqual(await contents(sides), before);
        });

        await t.test('SIGKILL; and the next copy fills it', async () => {
            const { run, release } = await startCopy(sides, hold);
            run.child.kill('SIGKILL');
            await run.exited;
            await release();
            await waitFor(async () => !(await some(sides, `${OURS} application_name = 'openrisk'`)), 'PostgreSQL to notice', 30000);
            assert.strictEqual(await contents(sides), before);
            assert.strictEqual(summaryOf(await copy(sides.from, sides.to)).rows.risk, 1404);
            const check = await cli(['check'], { env: { DATABASE_URL: sides.to } });
            assert.strictEqual(check.code, 0, check.stdout);
        });
    });
}

test('a server that is started on the target meanwhile waits, and serves the copy', async (t) => {
    const sides = await makeSides(t);
    const made = await cli(['user', 'add', 'ann@example.org', '--role', 'admin', '--password-stdin'], {
        env: { DATABASE_URL: sides.from },
        input: 'a password for tests only\n',
    });
    assert.strictEqual(made.code, 0, made.stderr);
    const { run, release } = await startCopy(sides, HOLDS['the schema']);
    const starting = startServer(t, { env: { DATABASE_URL: sides.to } });
    await waitFor(async () => (await ask(sides, `SELECT count(*) ${HELD}`)) === '2', 'the server to wait', 15000);
    await release();
    const server = await starting;
    assert.strictEqual((await run.exited).code, 0, run.stderr);
    const ann = await server.signIn('ann@example.org', 'a password for tests only');
    assert.strictEqual((await ann.get('/risks')).json.total, 1404);
    assert.deepStrictEqual((await ann.get('/users')).json.items.map(({ email }) => email), ['ann@example.org']);
});

test('passwords are never printed', async (t) => {
    const { from, to } = await makeSides(t);
    const { password } = new URL(to);
    const wrong = new URL(to);
    wrong.password = 'a-wrong-secret';
    const runs = [
        [3, await cli(['copy', '--from', from, '--to', wrong.href])],
        [3, await cli(['copy', '--from', wrong.href, '--to', from])],
        [3, await cli(['copy', '--from', from, '--to', 'postgres://ann:a-wrong-secret@127.0.0.1:1/x'])],
        [0, await cli(['copy', '--from', from, '--to', to])],
        [1, await cli(['copy', '--from', from, '--to', to])],
        [1, await cli(['copy', '--from', to, '--to', to])],
    ];
    for (const [code, { stdout, stderr, code: found }] of runs) {
        assert.strictEqual(found, code, stdout + stderr);
        assert.ok(!(stdout + stderr).includes(password), stdout + stderr);
        assert.doesNotMatch(stdout + stderr, /a-wrong-secret/);
    }
    assert.match(runs[3][1].stdout, /:\*\*\*@127\.0\.0\.1/);
    assertFails(runs[5][1], 1, /it is the source itself/);
});
