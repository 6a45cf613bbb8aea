/** The command line: help, exit codes, settings, users, tokens, import, check. */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { kevLines } = require('../tools/generate-kev');
const { assertFails, succeed } = require('./command');
const { ADMIN, ROOT, cli, startServer, temporaryFolder } = require('./lib');
const { makeRisk } = require('./register');

const COMMANDS = ['serve', 'import', 'export', 'user', 'token', 'backup', 'restore', 'copy', 'check', 'config', 'version'];
const PASSWORD = 'set on the command line';
const KEV_FILE = path.join(ROOT, 'tests/data/kev.csv');

test('help', async (t) => {
    await t.test('openrisk --help names every command', async () => {
        for (const argument of ['--help', '-h', 'help']) {
            const run = await cli([argument]);
            assert.strictEqual(run.code, 0);
            for (const command of COMMANDS) {
                assert.match(run.stdout, new RegExp(`^ +${command} `, 'm'));
            }
        }
    });

    await t.test('each command tells how it is used, and touches nothing', async () => {
        const folder = temporaryFolder();
        for (const command of COMMANDS) {
            const run = await cli([command, '--help'], { cwd: folder });
            assert.strictEqual(run.code, 0, command);
            assert.match(run.stdout, new RegExp(`^Usage: openrisk ${command}`));
            assert.match(run.stdout, /Exit codes/);
            assert.strictEqual(run.stderr, '');
        }
        assert.deepStrictEqual(fs.readdirSync(folder), []);
        fs.rmSync(folder, { recursive: true });
    });

    await t.test('serve --help names the settings', async () => {
        const { stdout } = await cli(['serve', '--help']);
        for (const name of ['DATABASE_URL', 'OPENRISK_LISTEN', 'INITIAL_ADMIN_EMAIL', 'LOG_LEVEL']) {
            assert.ok(stdout.includes(name), name);
        }
    });

    await t.test('version is one line', async () => {
        for (const argument of ['version', '--version']) {
            assert.match((await cli([argument])).stdout, /^openrisk \d+\.\d+\.\d+\S*( .*)?\n$/);
        }
    });
});

test('wrong usage exits with 2 and says what to do', async () => {
    const cases = [
        [[], /--help/],
        [['fly'], /fly/],
        [['serve', '--fast'], /--fast/],
        [['serve', 'now'], /now/],
        [['import'], /FILE/],
        [['import', 'x', '--format', 'xml'], /format/],
        [['import', 'x', '--format'], /--format/],
        [['user'], /ACTION/],
        [['user', 'dance'], /dance/],
        [['user', 'add'], /EMAIL/],
        [['user', 'add', 'x@example.org', '--role', 'root', '--password-stdin'], /role|root/],
        [['token', 'create'], /--user/],
        [['backup'], /FILE/],
        [['copy', '--from', 'sqlite:x'], /--to/],
        [['check', '--database'], /--database/],
    ];
    const folder = temporaryFolder();
    for (const [args, message] of cases) {
        assertFails(await cli(args, { cwd: folder, input: 'x\n' }), 2, message);
    }
    assert.deepStrictEqual(fs.readdirSync(folder), [], 'and it leaves nothing behind');
    fs.rmSync(folder, { recursive: true });
});

test('settings', async (t) => {
    const folder = temporaryFolder();
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
    const file = path.join(folder, 'risk.conf');
    const lineOf = (text, name) => text.split('\n').find((line) => line.startsWith(`${name} `) || line.startsWith(`${name}=`));

    await t.test('config prints each setting, its value and where it came from', async () => {
        fs.writeFileSync(file, '# a comment\nLOG_LEVEL=warn\nLOGIN_BURST = "7"\n');
        const run = await cli(['config', '--config', file], { env: { LOGIN_BURST: '8', APP_ENV: 'production' } });
        assert.strictEqual(run.code, 0, run.stderr);
        assert.match(lineOf(run.stdout, 'LOG_LEVEL'), /warn.*risk\.conf line 2/);
        assert.match(lineOf(run.stdout, 'LOGIN_BURST'), /8.*environment/);
        assert.match(lineOf(run.stdout, 'DB_WRITE_TIMEOUT'), /5s.*default/);
        assert.match(lineOf(run.stdout, 'DB_POOL_ACQUIRE_TIMEOUT'), /1s.*production/);
    });

    await t.test('config never prints a secret', async () => {
        const env = { INITIAL_ADMIN_PASSWORD: 'a very secret thing', OPENRISK_OPS_TOKEN: 'another secret thing' };
        const run = await cli(['config'], { env });
        assert.strictEqual(run.code, 0, run.stderr);
        assert.doesNotMatch(run.stdout + run.stderr, /secret/);
    });

    await t.test('a wrong value stops every command with its name, the value and what is allowed', async () => {
        const cases = [
            ['LOG_LEVEL', 'loud', /debug.*error/],
            ['PORT', 'http', /65535/],
            ['PORT', '65536', /65535/],
            ['OPENRISK_LISTEN', 'everywhere', /127\.0\.0\.1:8080/],
            ['LOGIN_BURST', '0', /1 to/],
            ['LOGIN_DRAIN', '5 minutes', /ms, s, m, h, d/],
            ['HTTP_BODY_BUDGET', '1', /MiB/],
            ['DATABASE_URL', 'mysql://x', /sqlite:PATH/],
            ['OPENRISK_PUBLIC_URL', 'risk.example.org', /https:\/\/HOST/],
            ['OPENRISK_TRUSTED_PROXIES', 'localhost', /addresses/],
            ['INITIAL_ADMIN_EMAIL', 'nobody', /e-mail/],
        ];
        for (const [name, value, allowed] of cases) {
            for (const command of ['serve', 'check']) {
                const run = await cli([command], { env: { [name]: value }, cwd: folder });
                assertFails(run, 2, new RegExp(name));
                assert.ok(run.stderr.includes(value), run.stderr);
                assert.match(run.stderr, allowed);
            }
        }
        assert.ok(!fs.existsSync(path.join(folder, 'openrisk-data')));
    });

    await t.test('a file that says something unknown, twice or not at all is refused with its line', async () => {
        const cases = [
            ['LOG_LEVEL=info\nNOPE=1\n', /line 2.*NOPE|NOPE.*line 2/],
            ['LOG_LEVEL\n', /line 1/],
            ['LOG_LEVEL=info\nLOG_LEVEL=warn\n', /twice/],
        ];
        for (const [text, message] of cases) {
            fs.writeFileSync(file, text);
            assertFails(await cli(['config', '--config', file]), 2, message);
        }
        assertFails(await cli(['config', '--config', path.join(folder, 'none')]), 2, /none/);
    });
});

test('users and tokens from the command line', async (t) => {
    const server = await startServer(t);
    const input = `${PASSWORD}\n`;

    await t.test('a user that is added can sign in to the running server at once', async () => {
        await succeed(server, ['user', 'add', 'Cli@Example.org', '--role', 'analyst', '--name', 'From CLI', '--password-stdin'], { input });
        const user = await server.signIn('cli@example.org', PASSWORD);
        assert.strictEqual(user.user.role, 'analyst');
        assert.strictEqual(user.user.full_name, 'From CLI');
        const { stdout } = await succeed(server, ['user', 'list']);
        assert.match(stdout, /cli@example\.org.*analyst|analyst.*cli@example\.org/);
        assert.ok(stdout.includes(ADMIN.email));
        assert.ok(!stdout.includes('argon2'));
    });

    await t.test('twice the same user, a weak password or an unknown user fail and say why', async () => {
        assertFails(await server.cli(['user', 'add', 'cli@example.org', '--password-stdin'], { input }), 1, /cli@example\.org|email/);
        assertFails(await server.cli(['user', 'add', 'weak@example.org', '--password-stdin'], { input: 'short\n' }), 1, /12/);
        assertFails(await server.cli(['user', 'passwd', 'ghost@example.org', '--password-stdin'], { input }), 1, /ghost@example\.org/);
        assertFails(await server.cli(['user', 'add', 'noterminal@example.org'], { input }), 2, /--password-stdin|terminal/);
    });

    await t.test('passwd sets a password and ends the user\'s sessions on the running server', async () => {
        const user = await server.signIn('cli@example.org', PASSWORD);
        await succeed(server, ['user', 'passwd', 'cli@example.org', '--password-stdin'], { input: 'another one, better\n' });
        assert.strictEqual((await user.get('/users/me')).status, 401);
        await server.signIn('cli@example.org', 'another one, better');
    });

    await t.test('a generated password is printed once and must be changed', async () => {
        const { stdout } = await succeed(server, ['user', 'add', 'gen@example.org', '--generate']);
        const [, password] = /([a-zA-Z0-9-]{20,})\s*$/m.exec(stdout);
        assert.strictEqual((await server.signIn('gen@example.org', password)).user.must_change_password, true);
    });

    await t.test('role, deactivate and activate act on the running server at once', async () => {
        const user = await server.as('viewer');
        await succeed(server, ['user', 'role', user.user.email, '--role', 'analyst']);
        await makeRisk(user);
        await succeed(server, ['user', 'deactivate', user.user.email]);
        assert.strictEqual((await user.get('/risks')).status, 401);
        await succeed(server, ['user', 'activate', user.user.email]);
        assertFails(await server.cli(['user', 'deactivate', ADMIN.email]), 1, /admin/);
    });

    await t.test('a token that is created works on the running server until it is revoked', async () => {
        const args = ['--user', ADMIN.email];
        const { stdout } = await succeed(server, ['token', 'create', ...args, '--name', 'cron', '--scope', 'read', '--days', '2']);
        const [token] = /or_[0-9A-Za-z]+/.exec(stdout);
        const client = server.client(token);
        await client.expect(200, 'GET', '/risks');
        assert.strictEqual((await client.post('/risks', { title: 'x', impact: 1, probability: 1 })).status, 403);
        const list = (await succeed(server, ['token', 'list', ...args])).stdout;
        assert.match(list, /cron/);
        assert.ok(!list.includes(token));
        const [id] = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(list);
        await succeed(server, ['token', 'revoke', id, ...args]);
        assert.strictEqual((await client.get('/risks')).status, 401);
        assertFails(await server.cli(['token', 'revoke', id, ...args]), 1, new RegExp(`${id}|token`));
    });
});

test('import from the command line', async (t) => {
    const server = await startServer(t);
    const admin = await server.signIn();

    await t.test('a dry run changes nothing, the import is seen by the running server, again is nothing new', async () => {
        const dry = await succeed(server, ['import', KEV_FILE, '--format', 'kev', '--dry-run']);
        assert.match(dry.stdout, /1,?404/);
        assert.strictEqual((await admin.get('/risks')).json.total, 0);
        const run = await succeed(server, ['import', KEV_FILE, '--format', 'kev']);
        assert.match(run.stdout, /1,?404/);
        assert.doesNotMatch(run.stdout + run.stderr, /\r|\x1b/, 'a progress bar without a terminal');
        assert.strictEqual((await admin.get('/risks')).json.total, 1404);
        assert.strictEqual((await admin.get('/stats')).json.total_risks, 1404);
        const again = await succeed(server, ['import', KEV_FILE, '--format', 'kev']);
        assert.match(again.stdout, /unchanged.*1,?404|1,?404.*unchanged/s);
    });

    await t.test('standard input is a file, too', async () => {
        await succeed(server, ['import', '-', '--format', 'kev'], { input: fs.readFileSync(KEV_FILE, 'utf8') });
    });

    await t.test('a refused file exits with 1 and names row, column and reason', async () => {
        const file = path.join(server.folder, 'bad.csv');
        const text = fs.readFileSync(KEV_FILE, 'utf8').split('\n').slice(0, 4).join('\n').replace('2025-09-15', '2025-09-31');
        fs.writeFileSync(file, `${text.replaceAll('CVE-20', 'CVE-30')}\n`);
        const run = await server.cli(['import', file, '--format', 'kev']);
        assert.strictEqual(run.code, 1, run.stdout);
        assert.match(run.stderr, /row \d+|:\d+/);
        assert.match(run.stderr, /dueDate/);
        assert.strictEqual((await admin.get('/risks')).json.total, 1404);
        assertFails(await server.cli(['import', path.join(server.folder, 'none.csv'), '--format', 'kev']), 1, /none\.csv/);
    });

    await t.test('more than 10,000 risks: the total of a filter says that it is not exact', async () => {
        const text = [...kevLines(9000, 3, fs.readFileSync(KEV_FILE, 'utf8'))].join('');
        let importing = true;
        const importer = succeed(server, ['import', '-', '--format', 'kev'], { input: text }).finally(() => (importing = false));
        const totals = new Set();
        while (importing) {
            totals.add((await admin.expect(200, 'GET', '/risks?limit=1')).json.total);
        }
        await importer;
        totals.delete(1404);
        totals.delete(10404);
        assert.deepStrictEqual([...totals], [], 'it is seen whole or not at all');
        const all = (await admin.get('/risks')).json;
        assert.strictEqual(all.total, 10404);
        assert.strictEqual(all.total_is_exact, true);
        const filtered = (await admin.get('/risks?status=ACTIVE')).json;
        assert.strictEqual(filtered.total_is_exact, false);
        assert.ok(filtered.total >= 10000 && filtered.total <= 10404, `${filtered.total}`);
        const { items } = (await admin.get('/risks?status=ACTIVE&page=52&limit=200')).json;
        assert.strictEqual(items.length, 200);
        assert.strictEqual((await server.cli(['check'])).code, 0);
    });
});

test('check finds what does not agree', async (t) => {
    const server = await startServer(t);
    await makeRisk(await server.signIn(), { title: 'Edited behind the back', impact: 4, probability: 4 });
    assert.strictEqual((await server.cli(['check'])).code, 0);
    await server.stop();
    await server.sql("UPDATE risk SET status = 'CLOSED' WHERE title = 'Edited behind the back'");
    const run = await server.cli(['check']);
    assert.strictEqual(run.code, 1, run.stdout + run.stderr);
    assert.match(run.stdout + run.stderr, /tally|figure|status/i);
    await server.start();
});
