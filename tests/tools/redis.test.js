/** The tests' own Redis: what it keeps and what it loses, and that nothing of it outlives a test. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');

const { waitFor } = require('../http/lib');
const { assertEndsWithOwner } = require('./owner');
const { isAlive } = require('./process');
const { startProxy } = require('./proxy');
const { startRedis } = require('./redis');
const { connectRedis, decode, encode } = require('./resp');

/** Not in UTF-8, with what ends a line of the protocol. */
const BYTES = Buffer.from([0, 0xff, 0x0d, 0x0a, 0x24, 0x80]);

async function start(t, options) {
    const redis = await startRedis(options);
    t.after(() => redis.stop());
    return redis;
}

function connect(t, url, options) {
    const client = connectRedis(url, options);
    t.after(() => client.close());
    return client;
}

test('a Redis', async (t) => {
    const redis = await start(t, { settings: { maxmemory: '10mb' }, acl: { reader: 'on >a/b@c ~shared:* +@read' } });

    await t.test('is let in to by its URL only, and its password is in nobody’s sight', async (t2) => {
        assert.strictEqual(await redis.command('PING'), 'PONG');
        const url = new URL(redis.url);
        const { password } = url;
        url.password = 'guessed';
        await assert.rejects(connect(t2, url.href).command('PING'), /WRONGPASS/);
        url.password = '';
        await assert.rejects(connect(t2, url.href).command('PING'), /NOAUTH/);
        assert.ok(password.length >= 16);
        assert.ok(!fs.readFileSync(`/proc/${redis.pid}/cmdline`, 'utf8').includes(password));
        assert.strictEqual((await redis.info('server')).process_id, `${redis.pid}`);
    });

    await t.test('has the settings and users asked for, keeps nothing on its own, and does not run as root', async (t2) => {
        assert.deepStrictEqual(await redis.command('CONFIG', 'GET', 'maxmemory'), ['maxmemory', `${10 << 20}`]);
        assert.deepStrictEqual(await redis.command('CONFIG', 'GET', 'save'), ['save', '']);
        assert.deepStrictEqual(await redis.command('CONFIG', 'GET', 'bind'), ['bind', '127.0.0.1']);
        assert.notStrictEqual(fs.statSync(`/proc/${redis.pid}`).uid, 0);
        const reader = connect(t2, redis.urlFor('reader', 'a/b@c'));
        assert.strictEqual(await reader.get('shared:x'), null);
        await assert.rejects(reader.get('other'), /NOPERM/);
        await assert.rejects(reader.set('shared:x', 'v'), /NOPERM/);
    });

    await t.test('lets its keys and values be seen, changed and emptied', async (t2) => {
        await redis.set('a:1', BYTES);
        await redis.set('a:2', 'text', 60000);
        await redis.set('b', '');
        assert.deepStrictEqual(await redis.keys(), ['a:1', 'a:2', 'b']);
        assert.deepStrictEqual(await redis.keys('a:*'), ['a:1', 'a:2']);
        assert.deepStrictEqual(await redis.get('a:1'), BYTES);
        assert.strictEqual(await redis.command('GET', 'a:2'), 'text');
        assert.strictEqual((await redis.get('b')).length, 0);
        assert.strictEqual(await redis.get('c'), null);
        assert.deepStrictEqual(await redis.command('MGET', 'a:2', 'c'), ['text', null]);
        const many = Array.from({ length: 3000 }, (_, i) => `many:${i}`);
        await redis.command('MSET', ...many.flatMap((key) => [key, '']));
        assert.deepStrictEqual(await redis.keys('many:*'), many.sort());
        const left = await redis.pttl('a:2');
        assert.ok(left > 0 && left <= 60000, `${left}`);
        assert.deepStrictEqual([await redis.pttl('b'), await redis.pttl('c')], [-1, -2]);
        const other = connect(t2, redis.urlFor('', redis.password, 3));
        await other.set('elsewhere', '1');
        assert.deepStrictEqual(await other.keys(), ['elsewhere']);
        await redis.flush();
        assert.deepStrictEqual([...(await redis.keys()), ...(await other.keys())], []);
        await assert.rejects(redis.command('NO-SUCH-COMMAND'), /unknown command/);
        await redis.command('CONFIG', 'SET', 'maxmemory', 1);
        await assert.rejects(redis.set('a', 'b'), /OOM/);
        await redis.command('CONFIG', 'SET', 'maxmemory', 10 << 20);
    });

    await t.test('comes back on the same port: empty, with what a snapshot has, or told to', async () => {
        const { port, url } = redis;
        await redis.set('kept', BYTES);
        const snapshot = await redis.snapshot();
        await redis.set('later', '1');
        const { pid } = redis;
        await redis.kill();
        assert.ok(!isAlive(pid));
        await assert.rejects(redis.command('PING'), /ECONNREFUSED/);
        await redis.start();
        assert.deepStrictEqual([await redis.keys(), redis.port, redis.url], [[], port, url]);

        await redis.set('newer', '1');
        await redis.kill();
        redis.restore(snapshot);
        await redis.start();
        assert.deepStrictEqual(await redis.keys(), ['kept']);
        assert.deepStrictEqual(await redis.get('kept'), BYTES);
        assert.throws(() => redis.restore(snapshot), /not be read/);

        await redis.restartEmpty();
        assert.deepStrictEqual(await redis.keys(), []);
        await redis.command('SHUTDOWN', 'NOSAVE').catch(() => {}); // It goes without a word.
        await waitFor(() => !redis.running, 'it to end');
        await redis.start();
        assert.strictEqual(await redis.command('PING'), 'PONG');
    });

    await t.test('answers nothing while it is paused, and all of it later', async (t2) => {
        const hasty = connect(t2, redis.url, { limitMs: 500 });
        assert.strictEqual(await hasty.command('PING'), 'PONG');
        await redis.pause();
        const answer = redis.command('PING');
        await assert.rejects(hasty.command('PING'), /not answered PING within 500 ms/);
        await assert.rejects(hasty.command('PING'), /not answered/); // It is connected anew, by the kernel.
        await redis.resume();
        assert.strictEqual(await answer, 'PONG');
        assert.strictEqual(await hasty.command('PING'), 'PONG');
        await redis.pause();
        await redis.restartEmpty();
        assert.strictEqual(await redis.command('PING'), 'PONG');
    });
});

test('with persistence, if that is asked for, it loses nothing', async (t) => {
    const redis = await start(t, { settings: { appendonly: 'yes', appendfsync: 'always' }, password: '' });
    assert.strictEqual(new URL(redis.url).password, '');
    await redis.set('kept', BYTES);
    await redis.kill();
    await redis.start();
    assert.deepStrictEqual(await redis.get('kept'), BYTES);
    await redis.restartEmpty();
    assert.deepStrictEqual(await redis.keys(), []);
});

test('a setting that Redis does not know is told', async () => {
    await assert.rejects(startRedis({ settings: { 'no-such-setting': '1' } }), /no-such-setting/);
});

test('two do not meet, and the network between can fail', async (t) => {
    const [redis, other] = await Promise.all([start(t), start(t)]);
    assert.notStrictEqual(redis.port, other.port);
    await redis.set('mine', '1');
    assert.deepStrictEqual(await other.keys(), []);

    const proxy = await startProxy('127.0.0.1', redis.port);
    t.after(() => proxy.stop());
    const client = connect(t, proxy.url(redis.url));
    assert.deepStrictEqual(await client.keys(), ['mine']);
    await proxy.latency(60);
    const began = performance.now();
    assert.strictEqual(await client.command('GET', 'mine'), '1');
    assert.ok(performance.now() - began >= 115, `${performance.now() - began} ms`);
    await proxy.stall();
    const answer = client.command('INCR', 'mine');
    assert.strictEqual(await redis.command('GET', 'mine'), '1');
    await proxy.pass();
    assert.strictEqual(await answer, 2);
    await proxy.reset();
    await waitFor(() => client.connection.ended, 'the end of the connection');
    assert.strictEqual(await client.command('GET', 'mine'), '2');
    await proxy.cutAfter(7, 'fromServer', 1); // Amid the answer, behind "+OK" for the password.
    await proxy.reset();
    await waitFor(() => client.connection.ended, 'the end of the connection');
    await assert.rejects(client.command('GET', 'mine'), /closed|ECONNRESET/);
    await proxy.down();
    await assert.rejects(client.command('GET', 'mine'), /ECONNREFUSED/);
    await proxy.pass();
    assert.strictEqual(await client.command('GET', 'mine'), '2');
});

test('replies are read however they are cut', () => {
    const reply = Buffer.from('*5\r\n:-7\r\n$4\r\na\r\nb\r\n$-1\r\n*2\r\n+OK\r\n*-1\r\n-ERR no\r\n+next\r\n');
    const length = reply.length - '+next\r\n'.length;
    for (let end = 0; end < length; end++) {
        assert.strictEqual(decode(reply.subarray(0, end)), undefined, `${end} bytes`);
    }
    const { value, end } = decode(reply);
    assert.strictEqual(end, length);
    assert.deepStrictEqual(value.slice(0, 4), [-7, Buffer.from('a\r\nb'), null, ['OK', null]]);
    assert.strictEqual(value[4].message, 'ERR no');
    assert.throws(() => decode(Buffer.from('HTTP/1.1 200 OK\r\n')), /no reply of Redis/);
    assert.strictEqual(encode(['SET', 'é', BYTES, 5]).toString('latin1'), `*4\r\n$3\r\nSET\r\n$2\r\n\xc3\xa9\r\n$6\r\n${BYTES.toString('latin1')}\r\n$1\r\n5\r\n`);
});

test('a Redis ends with its process', (t) => {
    const started = { file: require.resolve('./redis'), start: 'startRedis', use: "await server.command('PING');" };
    return assertEndsWithOwner(t, started, { 'while it is paused': 'await server.pause();' });
});
