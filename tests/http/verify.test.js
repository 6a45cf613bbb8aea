/**
 * script/verify against a real server with a Redis: it passes when all is well, and however it ends, nothing of what it made is
 * left. That each check fails when it should: sqlite_verify.test.js. Prometheus and the others: tests/monitoring/verify.test.js.
 */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { CHECKS } = require('../../script/lib/verify/checks');
const { ADMIN, launch, waitFor } = require('./lib');
const { AS_ADMIN, OPS_TOKEN, SCRIPT, assertFails, assertOk, beginVerify, isElsewhere, leavesNothing, startVerified, unaltered, verify } = require('./verified');

test('script/verify', async (t) => {
    const { redis, server, admin, proxy } = await startVerified(t);
    t.after(() => proxy.stop());
    const ops = { OPENRISK_OPS_TOKEN: OPS_TOKEN };
    const byToken = { OPENRISK_TOKEN: admin.token, ...ops };
    const redisCommands = ['--redis-stop', `kill -STOP ${redis.pid}`, '--redis-start', `kill -CONT ${redis.pid}`];

    await t.test('passes when all is well', async () => {
        const file = path.join(server.folder, 'verified.json');
        const args = ['--ops', server.opsUrl, ...redisCommands, '--json', file, server.url];
        const result = await leavesNothing(server, admin, () => verify(args, { ...AS_ADMIN, ...ops }));
        const expected = CHECKS.filter((check) => !isElsewhere(check)).map(({ name }) => name);
        const { lines } = result;
        assert.deepStrictEqual(Object.keys(lines), CHECKS.map(({ name }) => name));
        assertOk(result, expected);
        assert.deepStrictEqual([result.passed, result.failed, result.skipped, result.code], [expected.length, 0, CHECKS.length - expected.length, 0]);
        const written = JSON.parse(fs.readFileSync(file, 'utf8'));
        assert.deepStrictEqual(written.checks.map(({ name }) => name), CHECKS.map(({ name }) => name));
        assert.deepStrictEqual([written.url, written.as, written.passed, written.failed, written.left_behind], [server.url, 'admin', expected.length, 0, []]);
        for (const secret of [ADMIN.password, admin.token, OPS_TOKEN, 'or_']) {
            assert.ok(!`${result.stdout}${result.stderr}${JSON.stringify(written)}`.includes(secret), 'it shows a secret');
        }
    });

    await t.test('an answer that is lost leaves nothing behind', async () => {
        for (const [method, route, name] of [['POST', '/risks', 'gzip'], ['POST', '/users', 'viewer'], ['POST', '/tokens', 'read-token']]) {
            proxy.alter = async (request, forward) => {
                const reply = await forward(request);
                return request.method === method && request.path.endsWith(route) && reply.status === 201 ? undefined : reply;
            };
            await assertFails(server, admin, name, /connection was closed/, [proxy.url], byToken);
        }
    });

    /** What is still there of one run: {risks: [id], tokens, users}. It is removed. */
    const takeLeft = async () => {
        const found = {
            risks: (await admin.get('/risks?q=openrisk-verify')).json.items,
            tokens: (await admin.get('/tokens')).json.items.filter(({ name }) => name.startsWith('openrisk-verify')),
            users: (await admin.get('/users')).json.items.filter(({ email }) => email.endsWith('@openrisk-verify.invalid')),
        };
        for (const [kind, items] of Object.entries(found)) {
            found[kind] = items.map(({ id }) => id);
            for (const id of found[kind]) {
                await admin.expect(204, 'DELETE', `/${kind}/${id}`);
            }
        }
        return found;
    };

    await t.test('what cannot be removed is named', async () => {
        proxy.alter = (request, forward) => (request.method === 'DELETE' ? { status: 503, headers: {}, body: '' } : forward(request));
        const result = await verify(['--only', 'gzip,wrong-password,read-token', proxy.url], byToken);
        proxy.alter = unaltered;
        assert.deepStrictEqual([result.code, result.failed], [1, 0], result.stdout);
        assert.strictEqual(result.left.length, 3, result.stdout);
        for (const [kind, ids] of Object.entries(await takeLeft())) {
            assert.strictEqual(ids.length, 1);
            assert.ok(result.left.some((text) => text.startsWith(`${kind.slice(0, -1)} ${ids[0]} `) && text.includes('503')), result.left.join('\n'));
        }
    });

    await t.test('a server that goes away meanwhile is not waited for again and again', async () => {
        let isGone = false;
        const silence = new Promise(() => {});
        proxy.alter = (request, forward) => {
            isGone = isGone || request.method === 'PATCH';
            return isGone ? silence : forward(request);
        };
        const result = await verify(['--timeout', '1', proxy.url], byToken);
        proxy.alter = unaltered;
        assert.deepStrictEqual([result.code, result.failed], [1, 1], result.stdout);
        assert.match(result.lines['cached-stats'].detail, /no answer within 1 s/);
        assert.strictEqual(result.lines['cached-risks'].detail, 'OpenRisk does not answer any more');
        const { risks, users } = await takeLeft();
        assert.deepStrictEqual([risks.length, users.length, result.left.length], [1, 1, 2], result.stdout);
        assert.ok([...risks, ...users].every((id) => result.left.some((text) => text.includes(id))), result.stdout);
    });

    await t.test('a second Ctrl-C ends it at once, and it tells what to look for', async () => {
        let run;
        const silence = new Promise(() => {});
        proxy.alter = async (request, forward) => {
            if (request.method === 'DELETE') {
                run.child.kill('SIGINT');
                return silence;
            }
            const reply = await forward(request);
            if (request.method === 'PATCH') {
                run.child.kill('SIGINT');
                await waitFor(() => run.stderr.includes('SIGINT'), 'the signal to be seen');
            }
            return reply;
        };
        run = beginVerify(['--only', 'gzip,not-modified', proxy.url], byToken);
        const { code, stderr } = await run.ended;
        proxy.alter = unaltered;
        assert.strictEqual(code, 130);
        const [, mark] = /what is left is called openrisk-verify (verify[0-9a-f]+)\n$/.exec(stderr);
        assert.strictEqual((await admin.get(`/risks?q=${mark}`)).json.total, 1);
        assert.strictEqual((await takeLeft()).risks.length, 1);
    });

    for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]]) {
        await t.test(`${signal} in the middle leaves nothing behind`, async () => {
            for (const at of [/ POST .*\/risks$/, / POST .*\/users$/, / POST .*\/tokens$/, / PATCH /]) {
                let run;
                let sent = 0;
                proxy.alter = async (request, forward) => {
                    const reply = await forward(request);
                    // The body of the first one, with which it only looks what it may, makes nothing.
                    if (at.test(` ${request.method} ${request.path}`) && reply.status < 300 && sent++ === 0) {
                        run.child.kill(signal);
                        await waitFor(() => run.stderr.includes(signal), 'the signal to be seen');
                    }
                    return reply;
                };
                const result = await leavesNothing(server, admin, () => {
                    run = beginVerify([proxy.url], { ...AS_ADMIN, ...ops });
                    return run.ended;
                });
                assert.ok(sent > 0);
                assert.strictEqual(result.code, code, result.stdout + result.stderr);
                assert.match(result.stdout, /^\d+ passed, 0 failed, \d+ skipped$/m);
                assert.ok(!result.lines['pool-state'], 'it went on');
            }
            proxy.alter = unaltered;
        });
    }

    await t.test('Ctrl-C while Redis is stopped starts it again', async () => {
        const stopped = path.join(server.folder, 'stopped');
        let run;
        proxy.alter = async (request, forward) => {
            if (fs.existsSync(stopped) && !run.stderr.includes('SIGINT')) {
                run.child.kill('SIGINT');
                await waitFor(() => run.stderr.includes('SIGINT'), 'the signal to be seen');
            }
            return forward(request);
        };
        const result = await leavesNothing(server, admin, () => {
            run = beginVerify(['--only', 'redis', '--redis-stop', `touch '${stopped}'`, '--redis-start', `rm '${stopped}'`, proxy.url], byToken);
            return run.ended;
        });
        proxy.alter = unaltered;
        assert.strictEqual(result.code, 130);
        assert.ok(!fs.existsSync(stopped), 'Redis was not started again');
        assert.deepStrictEqual(result.left, []);
    });

    await t.test('who reads its lines may leave', async () => {
        await leavesNothing(server, admin, async () => {
            // Bash waits for both, and the reader is gone before the first line.
            const run = launch(['-c', '"$0" "$1" | true; echo ${PIPESTATUS[0]}', SCRIPT, server.url], { program: 'bash', env: byToken });
            await run.exited;
            assert.strictEqual(run.stdout, '0\n', run.stderr);
        });
    });

    await t.test('an account that may do less sees less, and is told why', async () => {
        for (const role of ['analyst', 'viewer']) {
            const person = await server.as(role);
            const result = await leavesNothing(server, admin, () => verify([server.url], { OPENRISK_TOKEN: person.token }));
            assert.strictEqual(result.code, 0, result.stdout);
            assert.strictEqual(result.failed, 0);
            const skipped = Object.entries(result.lines).filter(([, { result: is }]) => is === 'SKIP').map(([name]) => name);
            assert.ok(skipped.includes('viewer') && skipped.includes('pool-state'), result.stdout);
            assert.strictEqual(skipped.includes('cached-stats'), role === 'viewer');
            assert.match(result.lines.viewer.detail, /needs an administrator/);
        }
        const { token, id } = (await admin.expect(201, 'POST', '/tokens', { name: 'reads', scope: 'read' })).json;
        const result = await leavesNothing(server, admin, () => verify([server.url], { OPENRISK_TOKEN: token }));
        assert.strictEqual(result.failed, 0, result.stdout);
        assert.match(result.lines['write-seen'].detail, /needs an account that may write/);
        assert.strictEqual(result.lines['pool-state'].result, 'ok');
        await admin.expect(204, 'DELETE', `/tokens/${id}`);
    });

});
