/** openrisk copy: a register moves to another database, and nobody there sees a difference. */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { kevLines } = require('../tools/generate-kev');
const { ROOT, cli, launch, inTime, startServer, temporaryFolder, waitFor } = require('./lib');
const { makeAsset, makeMitigation, makeRisk } = require('./register');

const KEV_FILE = path.join(ROOT, 'tests/data/kev.csv');
const MANY = 10000;

/** What people look at. The users' answers are part of it, but not what each sign-in changes. */
const QUESTIONS = [
    '/risks?limit=200',
    '/risks?limit=200&page=4&sort_by=title&sort_dir=asc',
    '/risks?q=windows&limit=50',
    '/risks?q=zz',
    '/risks?tag=by-hand',
    '/risks?status=CLOSED',
    '/risks/1',
    '/risks/7/timeline',
    '/activity',
    '/assets?limit=200',
    '/mitigations?limit=200',
    '/stats',
    '/stats/risk-matrix',
    '/stats/trends?days=30',
    '/stats/top-risks',
    '/stats/risk-distribution',
    '/stats/mitigation-metrics',
    '/users',
    '/audit-logs?limit=100',
];

async function answers(client) {
    const all = {};
    for (const question of QUESTIONS) {
        all[question] = (await client.expect(200, 'GET', question)).json;
    }
    return all;
}

async function exported(server) {
    const { code, stdout, stderr } = await server.cli(['export']);
    assert.strictEqual(code, 0, stderr);
    const register = JSON.parse(stdout);
    assert.ok(register.exported_at);
    delete register.exported_at;
    return register;
}

async function succeed(args, options) {
    const run = await cli(args, options);
    assert.strictEqual(run.code, 0, `openrisk ${args.join(' ')}: ${run.stdout}${run.stderr}`);
    return run;
}

function assertFails(run, code, message) {
    assert.strictEqual(run.code, code, `${run.stdout}\n${run.stderr}`);
    assert.match(run.stderr, /^openrisk: /m);
    assert.match(run.stderr, message);
    assert.strictEqual(run.stdout, '');
}

/** The catalogue, corrections by hand, users, a token: {server, token, answers, register}. */
async function makeHouse(t) {
    const server = await startServer(t);
    const admin = await server.signIn();
    const analyst = await server.as('analyst');
    await server.as('viewer');
    assert.strictEqual((await server.cli(['import', KEV_FILE, '--format', 'kev'])).code, 0);
    await analyst.expect(200, 'PATCH', '/risks/7', { title: 'Corrected – by hand', tags: ['by-hand'], owner: '' });
    await analyst.expect(200, 'PATCH', '/risks/9', { status: 'CLOSED' });
    await admin.expect(204, 'DELETE', '/risks/11');
    const asset = await makeAsset(analyst, { name: 'Straße 7', criticality: 'CRITICAL' });
    const risk = await makeRisk(analyst, { title: 'On its own', custom_fields: { a: '\\ " %' }, asset_ids: [asset.id] });
    const mitigation = await makeMitigation(analyst, risk.id, { cost: 12, due_date: '2031-01-01' });
    await analyst.expect(201, 'POST', `/mitigations/${mitigation.id}/subactions`, { title: 'First' });
    const { token } = (await admin.expect(201, 'POST', '/tokens', { name: 'cron', scope: 'full' })).json;
    return { server, token, session: analyst.token, answers: await answers(server.client(token)), register: await exported(server) };
}

/** Serve the copy: all is as it was, and work goes on there. */
async function assertMoved(t, house, url) {
    const server = await startServer(t, { env: { DATABASE_URL: url } });
    const client = server.client(house.token);
    const found = await answers(client);
    for (const question of QUESTIONS) {
        assert.deepStrictEqual(found[question], house.answers[question], question);
    }
    assert.deepStrictEqual(await exported(server), house.register);
    assert.strictEqual((await server.client(house.session).expect(200, 'GET', '/users/me')).json.role, 'analyst');
    const check = await server.cli(['check']);
    assert.strictEqual(check.code, 0, check.stdout);
    return { server, client };
}

/** What a person does next is numbered on from there. */
async function assertWorkGoesOn(house, { server, client }) {
    const before = house.answers['/risks?limit=200'].total;
    const risk = await makeRisk(client, { title: 'The first one here' });
    assert.strictEqual(risk.ref, house.register.risks.reduce((most, { ref }) => Math.max(most, ref), 0) + 1);
    await client.expect(200, 'PATCH', '/risks/7', { title: 'Corrected again' });
    const { items } = (await client.expect(200, 'GET', '/risks/7/timeline')).json;
    assert.strictEqual(items.length, house.answers['/risks/7/timeline'].items.length + 1);
    assert.strictEqual((await client.get('/risks')).json.total, before + 1);
    const again = await server.cli(['import', KEV_FILE, '--format', 'kev']);
    assert.match(again.stdout, /^0 imported, 0 updated/);
    assert.strictEqual((await server.cli(['check'])).code, 0);
}

function summaryOf({ stdout }) {
    const rows = Object.fromEntries([...stdout.matchAll(/^(\w+) +(\d+)$/gm)].map(([, table, count]) => [table, Number(count)]));
    const [, all, seconds] = /^copied (\d+) rows in (\d+\.\d+) s/m.exec(stdout);
    assert.strictEqual(Object.values(rows).reduce((sum, count) => sum + count, 0), Number(all));
    return { rows, all, seconds };
}

test('a register moves house', async (t) => {
    const house = await makeHouse(t);
    const folder = temporaryFolder();
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
    const source = house.server.env.DATABASE_URL;
    const target = `sqlite:${path.join(folder, 'new/home.db')}`;

    await t.test('the copy tells what it copied, and that the source is being served', async (inner) => {
        const run = await succeed(['copy', '--from', source, '--to', target]);
        const { rows, all, seconds } = summaryOf(run);
        assert.strictEqual(rows.risk, 1405);
        assert.strictEqual(rows.account, 3);
        assert.match(run.stdout, /a server is using the source/);
        assert.doesNotMatch(run.stdout + run.stderr, /\r|\x1b/, 'a progress bar without a terminal');
        inner.diagnostic(`figure: copy sqlite to sqlite: ${all} rows in ${seconds} s`);
    });

    await t.test('the copy answers as the source did, and work goes on', async (inner) => {
        const moved = await assertMoved(inner, house, target);
        assertFails(await cli(['copy', '--from', source, '--to', target]), 3, /in use by the server with process id \d+/);
        await assertWorkGoesOn(house, moved);
    });

    await t.test('a second copy into it is refused', async () => {
        assertFails(await cli(['copy', '--from', source, '--to', target]), 1, /target: it is not empty: it has 3 users and 1406 risks/);
    });

    await t.test('a source that nobody serves is copied without a warning', async () => {
        const run = await succeed(['copy', '--from', target, '--to', `sqlite:${path.join(folder, 'third.db')}`]);
        assert.doesNotMatch(run.stdout, /a server is using/);
    });
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
    const startCopy = async () => {
        const run = launch(args);
        // Rows go from memory into the log beside the file while they are written.
        await waitFor(() => fs.existsSync(`${file}-wal`), 'the copy to have begun');
        return run;
    };

    for (const signal of ['SIGINT', 'SIGTERM']) {
        await t.test(`${signal}: the target is gone again`, async () => {
            const run = await startCopy();
            run.child.kill(signal);
            const { code } = await inTime(run.exited, `ending after ${signal}`, 10000);
            assert.strictEqual(code, 1, run.stdout + run.stderr);
            assert.match(run.stderr, /stopped; nothing was changed/);
            assert.deepStrictEqual(fs.readdirSync(folder), before);
        });
    }

    await t.test('SIGKILL: the target is empty still, and the next copy fills it', async () => {
        const run = await startCopy();
        run.child.kill('SIGKILL');
        await run.exited;
        const { rows } = summaryOf(await succeed(args));
        assert.strictEqual(rows.risk, MANY);
        const check = await cli(['check'], { env: { DATABASE_URL: `sqlite:${file}` } });
        assert.strictEqual(check.code, 0, check.stdout);
    });
});
