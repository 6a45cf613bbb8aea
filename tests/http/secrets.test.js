/** No secret is in the log: everything that has one is used, and the log tells of everything. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { startRedis } = require('../tools/redis');
const { ADMIN, startServer, waitFor } = require('./lib');
const { makeRisk } = require('./register');
const { assertKept, noteText } = require('./secrets');

const OPS_TOKEN = 'an ops token of these tests';
const NEW_PASSWORD = 'another horse, another staple';

test('with all settings that are secret, at LOG_LEVEL=debug, the log tells of everything but these', async (t) => {
    const redis = await startRedis();
    t.after(() => redis.stop());
    for (const format of ['logfmt', 'json']) {
        const server = await startServer(t, {
            env: { LOG_LEVEL: 'debug', LOG_FORMAT: format, LOG_HIT_SAMPLE: '1', LOG_SLOW_MS: '1', OPENRISK_OPS_TOKEN: OPS_TOKEN, REDIS_URL: redis.url },
        });
        const admin = await server.signIn();
        const { json: token } = await admin.expect(201, 'POST', '/tokens', { name: 'a script', scope: 'full' });
        const script = server.client(token.token);
        await makeRisk(script);
        await script.expect(200, 'GET', '/risks');
        await script.expect(200, 'GET', '/risks');

        // As a browser does it.
        const { headers } = await server.client().expect(200, 'POST', '/auth/login', ADMIN, { Origin: server.url });
        const cookies = [headers['set-cookie']].flat().map((cookie) => cookie.split(';')[0]).join('; ');
        await server.client().expect(200, 'GET', '/users/me', undefined, { Cookie: cookies });

        // What is refused, and what goes wrong.
        await server.client().expect(401, 'POST', '/auth/login', { email: ADMIN.email, password: 'a wrong password' });
        await server.client(`${token.token.slice(0, -1)}x`).expect(401, 'GET', '/risks');
        await server.client(token.token.toUpperCase()).expect(401, 'GET', `/risks?q=${token.token}`);
        await script.expect(404, 'GET', `/risks/${token.token}`);
        await script.expect(400, 'GET', '/risks', undefined, { 'Consistency-Token': 'made up by somebody' });
        await redis.kill();
        await makeRisk(script);
        await script.expect(200, 'GET', '/risks');
        await redis.start();

        for (const sent of [undefined, OPS_TOKEN, 'some other token that is wrong']) {
            const ops = sent ? { Authorization: `Bearer ${sent}` } : {};
            await server.ops.expect(sent === OPS_TOKEN ? 200 : 401, 'GET', '/metrics', undefined, ops);
        }
        await admin.expect(204, 'POST', '/users/me/password', { current_password: ADMIN.password, new_password: NEW_PASSWORD });
        await waitFor(() => server.log.includes('/users/me/password'), 'the last line of the log');
        await server.stop(); // Which searches.
        assert.match(server.log, format === 'json' ? /"event":"request"/ : / event=request /);
    }
});

test('the first password is printed once, and stands nowhere else', async (t) => {
    const server = await startServer(t, { env: { INITIAL_ADMIN_PASSWORD: '', LOG_LEVEL: 'debug' } });
    const [, password] = /^ {2}password {2}(\S+)$/m.exec(server.run.stdout);
    await server.signIn(ADMIN.email, password);
    await server.stop();
    assert.throws(() => assertKept({ stdout: server.run.stdout, stderr: `x=${password}` }), /the first password is in/);
});

test('the search finds what it searches for', () => {
    noteText('Authorization: Bearer or_0123456789abcdefghij\nCookie: session=0123456789abc; b=2\nConsistency-Token: k1-0123456789');
    for (const secret of ['or_0123456789abcdefghij', '0123456789abc', 'k1-0123456789']) {
        assert.throws(() => assertKept({ stdout: '', stderr: `time=1 event=x text="${secret}"\n` }), /is in what the server has printed/);
    }
    assertKept({ stdout: '', stderr: 'time=1 event=x text=abc\n' });
});
