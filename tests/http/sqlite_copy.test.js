/** openrisk copy and files: what is refused, what is in use, and that no failure leaves anything behind. */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { kevLines } = require('../tools/generate-kev');
const { assertFails } = require('./command');
const { copy, summaryOf } = require('./copying');
const { ROOT, cli, inTime, launch, startServer, waitFor } = require('./lib');
const { makeRisk } = require('./register');

const KEV_FILE = path.join(ROOT, 'tests/data/kev.csv');
const MANY = 10000;

test('a target that is being served is refused', async (t) => {
    const [server, other] = [await startServer(t), await startServer(t)];
    const run = await cli(['copy', '--from', server.env.DATABASE_URL, '--to', other.env.DATABASE_URL]);
    assertFails(run, 3, /in use by the server with process id \d+/);
});

test('what cannot be copied is refused, and leaves nothing behind', async (t) => {
    const server = await startServer(t);
    await makeRisk(await server.signIn());
    const source = server.env.DATABASE_URL;
    const { folder } = server;
    const before = fs.readdirSync(folder);
    const other = `sqlite:${path.join(folder, 'other.db')}`;
    fs.symlinkSync(path.join(folder, 'openrisk.db'), path.join(folder, 'link.db'));
    const cases = [
        [['--from', source], 2, /--to is missing/],
        [['--to', other], 2, /--from is missing/],
        [['--from', source, '--to', other, '--database', source], 2, /--database/],
        [['--from', 'mysql://u:secret@h/x', '--to', other], 2, /--from: is not understood/],
        [['--from', source, '--to', 'oracle:u:secret@h'], 2, /--to: is not understood/],
        [['--from', `sqlite:${folder}/none.db`, '--to', other], 1, /there is no database .*none\.db/],
        [['--from', source, '--to', source], 1, /the same database/],
        [['--from', source, '--to', `sqlite:${folder}/link.db`], 1, /the same database/],
        [['--from', source, '--to', `sqlite:${folder}/no/such/folder.db`], 3, /cannot make the folder/],
    ];
    for (const [args, code, message] of cases) {
        const run = await cli(['copy', ...args], { cwd: folder });
        assertFails(run, code, message);
        assert.doesNotMatch(run.stderr, /secret/);
    }
    fs.writeFileSync(path.join(folder, 'empty.db'), '');
    assertFails(await cli(['copy', '--from', `sqlite:${folder}/empty.db`, '--to', other]), 1, /source: there is no OpenRisk database/);
    const foreign = path.join(folder, 'diary.db');
    fs.writeFileSync(foreign, 'dear diary, '.repeat(1000));
    assertFails(await cli(['copy', '--from', source, '--to', `sqlite:${foreign}`]), 3, /diary\.db/);
    assert.ok(fs.readFileSync(foreign, 'utf8').startsWith('dear diary'));
    const beside = /^(link|empty|diary)\.db(\.lock|-wal|-shm)?$/;
    assert.deepStrictEqual(fs.readdirSync(folder).filter((name) => !beside.test(name)), before);
});

test('a copy that is interrupted leaves nothing', async (t) => {
    const server = await startServer(t);
    const { folder } = server;
    await server.signIn();
    const text = [...kevLines(MANY, 3, fs.readFileSync(KEV_FILE, 'utf8'))].join('');
    assert.strictEqual((await server.cli(['import', '-', '--format', 'kev'], { input: text })).code, 0);
    const before = fs.readdirSync(folder);
    const file = path.join(folder, 'home.db');
    const args = ['copy', '--from', server.env.DATABASE_URL, '--to', `sqlite:${file}`];
    /** A copy that a signal ended half-way. One that was faster than the signal is made once more. */
    const endCopy = async (signal) => {
        for (let attempt = 1; ; attempt++) {
            const run = launch(args);
            let exited = false;
            run.exited.finally(() => (exited = true));
            await waitFor(() => exited || fs.existsSync(`${file}-wal`), 'the copy to have begun', 30000);
            run.child.kill(signal);
            const { code } = await inTime(run.exited, `ending after ${signal}`, 30000);
            if (code !== 0) {
                return { code, stderr: run.stderr };
            }
            assert.ok(attempt < 20, 'no signal came in time');
            fs.readdirSync(folder).filter((name) => !before.includes(name)).forEach((name) => fs.rmSync(path.join(folder, name)));
        }
    };

    for (const signal of ['SIGINT', 'SIGTERM']) {
        await t.test(`${signal}: the target is gone again`, async () => {
            const { code, stderr } = await endCopy(signal);
            assert.strictEqual(code, 1, stderr);
            assert.match(stderr, /stopped; nothing was changed/);
            assert.deepStrictEqual(fs.readdirSync(folder), before);
        });
    }

    await t.test('SIGKILL: the target is empty still, and the next copy fills it', async () => {
        await endCopy('SIGKILL');
        const { rows } = summaryOf(await copy(server.env.DATABASE_URL, `sqlite:${file}`));
        assert.strictEqual(rows.risk, MANY);
        const check = await cli(['check'], { env: { DATABASE_URL: `sqlite:${file}` } });
        assert.strictEqual(check.code, 0, check.stdout);
    });
});
