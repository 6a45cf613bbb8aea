/**
 * Each check of script/verify fails when its subject is broken: a proxy between alters what is asked and answered
 * (verify_faults.js). And what is wrong with a call of it is said at once. None of it depends on the database.
 */
'use strict';

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { test } = require('node:test');

const { CHECKS, markdown } = require('../../script/lib/verify/checks');
const { startAltering } = require('../tools/altering');
const { ROOT, cli, startServer, temporaryFolder } = require('./lib');
const { AS_ADMIN, ENV, OPS_TOKEN, SCRIPT, assertFails, isElsewhere, leavesNothing, startVerified, unaltered, verify } = require('./verified');
const { FAULTS, OPS_FAULTS } = require('./verify_faults');

const SOON_MS = 5000;

test('script/verify finds', async (t) => {
    const { server, admin, proxy } = await startVerified(t);
    const opsProxy = await startAltering([server.opsUrl]);
    t.after(() => Promise.all([proxy.stop(), opsProxy.stop()]));
    const byToken = { OPENRISK_TOKEN: admin.token, OPENRISK_OPS_TOKEN: OPS_TOKEN };

    await t.test('each check has a fault that it must find', () => {
        const known = [...Object.keys(FAULTS), ...Object.keys(OPS_FAULTS), 'redis-fallback'].sort();
        assert.deepStrictEqual(known, CHECKS.filter((check) => !isElsewhere(check)).map(({ name }) => name).sort());
    });

    const fails = (name, says, args, env = byToken) => assertFails(server, admin, name, says, args, env);

    for (const [name, faults] of Object.entries(FAULTS)) {
        for (const [what, alterOf, says] of faults) {
            await t.test(`${name} fails if ${what}`, async () => {
                proxy.alter = alterOf(admin.token);
                const env = name === 'sign-in' ? AS_ADMIN : byToken;
                await fails(name, says, [proxy.url], env).finally(() => (proxy.alter = unaltered));
            });
        }
    }
    for (const [name, faults] of Object.entries(OPS_FAULTS)) {
        for (const [what, alterOf, says] of faults) {
            await t.test(`${name} fails if ${what}`, async () => {
                opsProxy.alter = alterOf();
                await fails(name, says, ['--ops', opsProxy.url, server.url]).finally(() => (opsProxy.alter = unaltered));
            });
        }
    }

    await t.test('the listener for operators wants its token', async () => {
        await fails('readyz', /401/, ['--ops', server.opsUrl, server.url], { ...byToken, OPENRISK_OPS_TOKEN: 'another one, and long enough' });
    });

    await t.test('redis-fallback fails if requests do without Redis, and starts it again', async () => {
        const stopped = path.join(server.folder, 'stopped');
        proxy.alter = async (request, forward) => {
            const reply = await forward(request);
            return fs.existsSync(stopped) && request.path.endsWith('/stats') ? { ...reply, status: 503 } : reply;
        };
        await fails('redis-fallback', /without Redis: 503/, ['--redis-stop', `touch '${stopped}'`, '--redis-start', `rm '${stopped}'`, proxy.url]);
        assert.ok(!fs.existsSync(stopped), 'Redis was not started again');
        proxy.alter = unaltered;
        await fails('redis-fallback', /ended with 7: no such thing/, ['--redis-stop', 'echo no such thing >&2; exit 7', '--redis-start', 'true', server.url]);
    });

});

test('script/verify, called in a way that cannot work', async (t) => {
    const server = await startServer(t, { env: ENV });
    const admin = await server.signIn();
    const proxy = await startAltering([server.url]);
    t.after(() => proxy.stop());
    const byToken = { OPENRISK_TOKEN: admin.token };

    await t.test('through TLS, if its certificate is believed', async (t) => {
        const folder = temporaryFolder();
        t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
        const file = path.join(folder, 'tls');
        execFileSync('openssl', ['req', '-new', '-x509', '-days', '2', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
            '-subj', '/CN=localhost', '-keyout', `${file}.key`, '-out', `${file}.crt`], { stdio: 'ignore' });
        const secure = await startAltering([server.url], { tls: { key: fs.readFileSync(`${file}.key`), cert: fs.readFileSync(`${file}.crt`) } });
        t.after(() => secure.stop());
        const refused = await verify([secure.url], byToken);
        assert.deepStrictEqual([refused.code, refused.stdout], [1, '']);
        assert.match(refused.stderr, /^script\/verify: .*certificate.*--insecure.*\n$/);
        const result = await leavesNothing(server, admin, () => verify(['--insecure', secure.url], byToken));
        assert.deepStrictEqual([result.code, result.failed], [0, 0], result.stdout);
    });

    await t.test('what makes no sense is one line, soon', async (t) => {
        const other = http.createServer((request, response) => response.end('hello'));
        const silent = http.createServer(() => {});
        for (const one of [other, silent]) {
            await new Promise((resolve) => one.listen(0, '127.0.0.1', resolve));
            t.after(() => {
                one.closeAllConnections();
                one.close();
            });
        }
        const port = (one) => `http://127.0.0.1:${one.address().port}`;
        const away = async (request, forward) => {
            const reply = await forward(request);
            return { ...reply, status: 503, body: reply.body.replace('"UP"', '"DOWN"') };
        };
        const added = await server.cli(['user', 'add', 'new@example.org', '--role', 'admin', '--generate']);
        const newcomer = { OPENRISK_EMAIL: 'new@example.org', OPENRISK_PASSWORD: /^password: (\S+)$/m.exec(added.stdout)[1] };
        const cases = [
            [['http://127.0.0.1:1'], byToken, 1, /connection refused/],
            [['http://nowhere.invalid'], byToken, 1, /no such host|cannot be looked up/],
            [[port(other)], byToken, 1, /no OpenRisk/],
            [[port(silent)], byToken, 1, /no answer within 3 s/],
            [[server.url.replace('http:', 'https:')], byToken, 1, /does not speak TLS/],
            [[server.url], { ...AS_ADMIN, OPENRISK_PASSWORD: 'wrong' }, 1, /the password is wrong/],
            [[server.url], { OPENRISK_TOKEN: 'or_nobody' }, 1, /OPENRISK_TOKEN/],
            [[server.url], {}, 2, /OPENRISK_EMAIL and OPENRISK_PASSWORD, or OPENRISK_TOKEN/],
            [['risk.example.org'], byToken, 2, /begins with http/],
            [['--ops'], byToken, 2, /--ops wants a value/],
            [['--fast', server.url], byToken, 2, /no option --fast/],
            [['--timeout', 'long', server.url], byToken, 2, /--timeout/],
            [['--only', 'nothing', server.url], byToken, 2, /no check begins with "nothing"/],
            [['--redis-stop', 'true', server.url], byToken, 2, /both or none/],
            [['--json', '/nowhere/x', server.url], byToken, 2, /cannot be written/],
            [[server.url, server.url], byToken, 2, /there is a URL already/],
            [[server.url.replace('//', '//me:secret@')], byToken, 2, /^(?!.*secret).*environment/],
            [[server.url], newcomer, 1, /must change the password/],
            [[proxy.url], byToken, 1, /it is DOWN/, away],
        ];
        for (const [args, env, code, says, alter] of cases) {
            proxy.alter = alter || unaltered;
            const began = Date.now();
            const result = await verify(args, env);
            assert.ok(Date.now() - began < SOON_MS, `${args} took ${Date.now() - began} ms`);
            assert.strictEqual(result.code, code, `${args}: ${result.stdout}${result.stderr}`);
            assert.match(result.stderr, says);
            assert.match(result.stderr, /^script\/verify: [^\n]+\n$/);
            assert.strictEqual(result.stdout, '');
        }
    });

    await t.test('and says so in the file, too', async () => {
        const file = path.join(server.folder, 'verified.json');
        const { code } = await verify(['--json', file, 'http://127.0.0.1:1'], byToken);
        assert.strictEqual(code, 1);
        const { url, error, passed } = JSON.parse(fs.readFileSync(file, 'utf8'));
        assert.deepStrictEqual([url, passed], ['http://127.0.0.1:1', undefined]);
        assert.match(error, /connection refused/);
    });

    await t.test('without a node, or with an old one, it says what it needs', async (t) => {
        const folder = temporaryFolder();
        t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
        for (const name of ['bash', 'dirname']) {
            fs.symlinkSync(execFileSync('which', [name], { encoding: 'utf8' }).trim(), path.join(folder, name));
        }
        const call = () => cli([server.url], { program: SCRIPT, env: { ...byToken, PATH: folder } });
        const none = await call();
        assert.deepStrictEqual([none.code, none.stdout], [1, '']);
        assert.match(none.stderr, /^script\/verify: needs node, version 18 or newer[^\n]*apt-get install nodejs\n$/);
        fs.writeFileSync(path.join(folder, 'node'), '#!/bin/sh\necho v16.20.2\n', { mode: 0o755 });
        const old = await call();
        assert.deepStrictEqual([old.code, old.stdout], [1, '']);
        assert.match(old.stderr, /^script\/verify: needs node, version 18 or newer; this is 16\.20\.2 [^\n]*\n$/);
    });

    await t.test('and tells how it is called', async () => {
        const help = await cli(['--help'], { program: SCRIPT });
        assert.deepStrictEqual([help.code, help.stderr], [0, '']);
        assert.match(help.stdout, /script\/verify \[OPTION …\] URL/);
        const bare = await cli([], { program: SCRIPT });
        assert.deepStrictEqual([bare.code, bare.stdout, bare.stderr], [2, '', help.stdout]);
    });
});

test('the page about it has the table of checks as it is', () => {
    const page = fs.readFileSync(path.join(ROOT, 'docs/staging-checklist.md'), 'utf8');
    assert.ok(page.includes(`\n${markdown()}\n`), `docs/staging-checklist.md: put what script/verify --list prints\n${markdown()}`);
});
