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
const WRITERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'INSERT INTO %'";

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

/** A copy that is writing its rows just now. */
async function startCopy({ from, to, cluster }) {
    const run = launch(['copy', '--from', from, '--to', to]);
    let exited = false;
    run.exited.finally(() => (exited = true));
    await waitFor(async () => exited || (await cluster.query(to, `SELECT count(*) ${WRITERS}`)) !== '0', 'the copy to write');
    assert.ok(!exited, `the copy ended before it could be disturbed: ${run.stdout}${run.stderr}`);
    return run;
}

async function assertUntouched({ to, cluster }) {
    const left = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    assert.strictEqual(await cluster.query(to, left), '0');
}

test('what ends a copy half-way', async (t) => {
    const sides = await makeSides(t);

    await t.test('Ctrl-C: nothing is in the target', async () => {
        const run = await startCopy(sides);
        run.child.kill('SIGINT');
        assert.strictEqual((await inTime(run.exited, 'ending after SIGINT', 10000)).code, 1, run.stderr);
        assert.match(run.stderr, /stopped; nothing was changed/);
        await assertUntouched(sides);
    });

    await t.test('a lost connection: nothing is in the target, and it is told', async () => {
        const run = await startCopy(sides);
        await sides.cluster.query(sides.to, `SELECT pg_terminate_backend(pid) ${WRITERS}`);
        assert.strictEqual((await inTime(run.exited, 'ending without a connection', 10000)).code, 3, run.stderr);
        assert.match(run.stderr, /^openrisk: target: /m);
        await assertUntouched(sides);
    });

    await t.test('SIGKILL: nothing is in the target, and the next copy fills it', async () => {
        const run = await startCopy(sides);
        run.child.kill('SIGKILL');
        await run.exited;
        await waitFor(async () => (await sides.cluster.query(sides.to, `SELECT count(*) ${WRITERS}`)) === '0', 'PostgreSQL to notice');
        await assertUntouched(sides);
        assert.strictEqual(summaryOf(await copy(sides.from, sides.to)).rows.risk, 1404);
        const check = await cli(['check'], { env: { DATABASE_URL: sides.to } });
        assert.strictEqual(check.code, 0, check.stdout);
    });
});

test('a server that is started on the target meanwhile waits, and serves the copy', async (t) => {
    const sides = await makeSides(t);
    const made = await cli(['user', 'add', 'ann@example.org', '--role', 'admin', '--password-stdin'], {
        env: { DATABASE_URL: sides.from },
        input: 'a password for tests only\n',
    });
    assert.strictEqual(made.code, 0, made.stderr);
    const run = await startCopy(sides);
    const server = await startServer(t, { env: { DATABASE_URL: sides.to } });
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
