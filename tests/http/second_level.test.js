/**
 * The second level as users see it: a node that was started again begins warm; what anybody has done to the
 * values in Redis is never served; another build, another register and another time read nothing of it; and
 * there is nothing in it that lets anyone in.
 */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const zlib = require('node:zlib');

const { ADMIN, binary, cli, startServer, temporaryFolder, waitFor } = require('./lib');
const { connectRedis } = require('../tools/resp');
const { startRedis } = require('../tools/redis');
const { UNKNOWN_ID, assertProblem, makeRisk, makeRisks } = require('./register');
const { CACHED, HIT, SECOND, STORED, assertWay, commonHeaders, fillRegister, statisticsOf } = require('./cached');

const MINUTE_MS = 60000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Its day is part of what is asked, so it is noon on all nodes of these tests, or some minutes later. */
const NOON_MS = DAY_MS / 2 - (Date.now() % DAY_MS);
const ENV = {
    OPENRISK_CLOCK_OFFSET: `${NOON_MS}ms`,
    REDIS_TIMEOUT: '10s', // These tests are not about time, and the machine may be busy.
    CACHE_TTL_RISKS: '1h',
    CACHE_TTL_STATS: '1h',
    CACHE_TTL_MATRIX: '1h',
    CACHE_TTL_TRENDS: '1h',
};
const FLIPS = 40;
/* A value: a head, in it the lengths of its key and of its content, the key, the content, a seal (src/cache/second.h). */
const [KEY_LENGTH_AT, HEAD_BYTES, SEAL_BYTES] = [16, 24, 32];

async function ownRedis(t) {
    const redis = await startRedis();
    t.after(() => redis.stop());
    return redis;
}

const startWith = (t, redis, env) => startServer(t, { env: { ...ENV, REDIS_URL: redis.url, ...env } });

/** The node is one that has just been started, and has asked Redis something: the client goes on there. */
async function restart(server, { token }) {
    await server.stop();
    await server.start();
    await joined(server);
    return server.client(token);
}

async function joined(server) {
    const client = server.client();
    await waitFor(async () => (await client.get('/health')).json.checks.redis.breaker === 'closed', 'the node to have its Redis');
    client.close();
}

/** Ask what is not kept anywhere: the answer, and the name that it is stored under. */
async function store(redis, client, route, status = 200) {
    const before = new Set(await redis.keys());
    const reply = await client.expect(status, 'GET', route);
    assertWay(reply, STORED, route);
    const name = await waitFor(async () => (await redis.keys()).find((key) => !before.has(key)), `${route} to be in Redis`);
    return { route, reply, name };
}

function assertSame(reply, first, what) {
    assert.strictEqual(reply.status, first.status, what);
    assert.ok(reply.bytes.equals(first.bytes), what);
    assert.deepStrictEqual(commonHeaders(reply), commonHeaders(first), what);
}

async function levelOf(client) {
    return (await statisticsOf(client)).second_level;
}

test('a node that is started again begins with what was known', async (t) => {
    const redis = await ownRedis(t);
    const server = await startWith(t, redis);
    let admin = await server.signIn();
    await joined(server);
    const { pathOf } = await fillRegister(admin);
    const questions = [
        ...Object.keys(CACHED).map((route) => [200, pathOf(route)]),
        [200, '/risks?limit=7&sort_by=title'],
        [200, '/stats/trends?days=3'],
        [404, `/risks/${UNKNOWN_ID}`],
        [404, `/assets/${UNKNOWN_ID}`],
        [404, `/risks/${UNKNOWN_ID}/timeline`],
    ];
    const firsts = new Map();
    for (const [status, route] of questions) {
        const { reply: plain } = await store(redis, admin, route, status);
        firsts.set(route, { plain, small: await admin.expect(status, 'GET', route, undefined, { 'Accept-Encoding': 'gzip' }) });
    }

    await t.test('the first answer of each route is that of the second level: the same bytes, headers and forms', async () => {
        admin = await restart(server, admin);
        for (const [status, route] of questions) {
            const { plain, small } = firsts.get(route);
            const first = await admin.expect(status, 'GET', route);
            assertWay(first, SECOND, route);
            assertSame(first, plain, route);
            const hit = await admin.expect(status, 'GET', route, undefined, { 'Accept-Encoding': 'gzip' });
            assertWay(hit, HIT, route);
            assertSame(hit, small, route);
            if (status === 404) {
                assertProblem(first, 404);
            } else {
                assert.strictEqual((await admin.get(route, { 'If-None-Match': plain.headers.etag })).status, 304, route);
            }
        }
        const { second_level: level, responses } = await statisticsOf(admin);
        const { hits, misses, refused, expired, errors } = level;
        assert.deepStrictEqual({ hits, misses, refused, expired, errors }, { hits: questions.length, misses: 0, refused: 0, expired: 0, errors: 0 });
        assert.deepStrictEqual([responses.second_hits, responses.loads], [questions.length, 0]);
    });

    await t.test('and so is the first that is asked for compressed', async () => {
        admin = await restart(server, admin);
        for (const [status, route] of questions) {
            const first = await admin.expect(status, 'GET', route, undefined, { 'Accept-Encoding': 'gzip' });
            assertWay(first, SECOND, route);
            assertSame(first, firsts.get(route).small, route);
        }
        const some = firsts.get(pathOf('/risks/{id}'));
        assert.strictEqual(some.small.headers['content-encoding'], 'gzip');
        assert.ok(zlib.gunzipSync(some.small.bytes).equals(some.plain.bytes));
    });

    await t.test('who asks first is asked for a token, and may not do more than before', async () => {
        const viewer = await server.as('viewer');
        const again = await restart(server, viewer);
        assertProblem(await server.client().get('/risks?limit=7&sort_by=title'), 401);
        assertWay(await again.get('/risks?limit=7&sort_by=title'), SECOND);
        assertProblem(await again.get('/cache'), 403);
        admin = server.client(admin.token);
    });
});

test('a write makes the old names unreachable', async (t) => {
    const redis = await ownRedis(t);
    const server = await startWith(t, redis);
    let admin = await server.signIn();
    await joined(server);
    const { risk } = await fillRegister(admin);
    const old = await store(redis, admin, `/risks/${risk.id}`);
    const assets = await store(redis, admin, '/assets?limit=9');
    const { misses } = await levelOf(admin);

    await admin.expect(200, 'PATCH', `/risks/${risk.id}`, { owner: 'somebody else' });
    const now = await store(redis, admin, `/risks/${risk.id}`);
    assert.strictEqual(now.reply.json.owner, 'somebody else');
    assert.strictEqual((await levelOf(admin)).misses, misses + 1);
    const [oldParts, parts] = [old.name, now.name].map((name) => name.split(':'));
    assert.deepStrictEqual([parts[3] === oldParts[3], parts[4]], [false, oldParts[4]], 'another generation of the same question');
    assert.ok(await redis.get(old.name), 'nothing is deleted there');

    admin = await restart(server, admin);
    const again = await admin.get(`/risks/${risk.id}`);
    assertWay(again, SECOND);
    assertSame(again, now.reply);
    const untouched = await admin.get('/assets?limit=9');
    assertWay(untouched, SECOND, 'no asset was written');
    assertSame(untouched, assets.reply);
});

/** What can be done to a value: by its name, bytes → bytes. */
function alterations() {
    const flip = (at) => (bytes) => {
        const altered = Buffer.from(bytes);
        altered[at(bytes)] ^= 1;
        return altered;
    };
    const keyLength = (bytes) => bytes.readUInt32LE(KEY_LENGTH_AT);
    const parts = {
        'its mark': () => 0,
        'its form': () => 4,
        'its expiry': () => 14,
        'the length of its key': () => KEY_LENGTH_AT,
        'its length': () => 20,
        'its key, at the beginning': () => HEAD_BYTES,
        'its key, at the end': (bytes) => HEAD_BYTES + keyLength(bytes) - 2,
        'its version': (bytes) => HEAD_BYTES + keyLength(bytes),
        'its status': (bytes) => HEAD_BYTES + keyLength(bytes) + 8,
        'its body': (bytes) => HEAD_BYTES + keyLength(bytes) + 100,
        'the end of its body': (bytes) => bytes.length - SEAL_BYTES - 1,
        'its seal': (bytes) => bytes.length - SEAL_BYTES,
        'the end of its seal': (bytes) => bytes.length - 1,
    };
    const all = Object.entries(parts).map(([name, at]) => [`a bit of ${name} is another`, flip(at)]);
    for (let i = 0; i < FLIPS; i++) {
        all.push([`a bit at ${i} of ${FLIPS} is another`, flip((bytes) => Math.floor((i / FLIPS) * bytes.length))]);
    }
    for (const [name, lengthOf] of Object.entries({
        'a byte is missing': (bytes) => bytes.length - 1,
        'its seal is missing': (bytes) => bytes.length - SEAL_BYTES,
        'half of it is there': (bytes) => bytes.length >> 1,
        'a head and a seal are there': () => HEAD_BYTES + SEAL_BYTES,
        'its head is there': () => HEAD_BYTES,
        'a byte is there': () => 1,
        'it is empty': () => 0,
    })) {
        all.push([name, (bytes) => bytes.subarray(0, lengthOf(bytes))]);
    }
    all.push(['a byte is added', (bytes) => Buffer.concat([bytes, Buffer.from('x')])]);
    all.push(['it is something else', () => Buffer.from('{"status": "made up"}'.repeat(20))]);
    return all;
}

test('what was done to values in Redis is not served', async (t) => {
    const redis = await ownRedis(t);
    const server = await startWith(t, redis);
    let admin = await server.signIn();
    await joined(server);
    const ids = await makeRisks(admin, 12);
    let question = 0;
    const storeAny = () => store(redis, admin, `/risks?limit=${1 + (question++ % 200)}&sort_by=${['title', 'score'][Math.floor(question / 200)]}`);

    /** After a restart each of these is loaded anew, rightly, and counted; and then it is in Redis, rightly. */
    async function assertLoadedAnew(some, counter) {
        admin = await restart(server, admin);
        let before = (await levelOf(admin))[counter];
        for (const { route, reply, what } of some) {
            const now = await admin.expect(reply.status, 'GET', route);
            assertWay(now, STORED, what);
            assertSame(now, reply, what);
            const after = (await levelOf(admin))[counter];
            assert.strictEqual(after, before + 1, `${counter} after: ${what}`);
            before = after;
        }
        await waitFor(async () => (await levelOf(admin)).writing === 0, 'the answers to be in Redis');
        admin = await restart(server, admin);
        for (const { route, reply, what } of some) {
            const now = await admin.expect(reply.status, 'GET', route);
            assertWay(now, SECOND, what);
            assertSame(now, reply, what);
        }
    }

    await t.test('altered, cut off, emptied', async () => {
        const some = [];
        for (const [what, alter] of alterations()) {
            const stored = await storeAny();
            const bytes = await redis.get(stored.name);
            const altered = alter(bytes);
            assert.ok(!altered.equals(bytes), what);
            await redis.set(stored.name, altered, MINUTE_MS);
            some.push({ ...stored, what });
        }
        await assertLoadedAnew(some, 'refused');
        t.diagnostic(`figure: ${some.length} altered values refused`);
    });

    await t.test('of another type', async () => {
        const some = [];
        for (const [what, ...command] of [['a list', 'LPUSH', 'x'], ['a set', 'SADD', 'x'], ['a hash', 'HSET', 'x', 'y']]) {
            const stored = await storeAny();
            await redis.command('DEL', stored.name);
            await redis.command(command[0], stored.name, ...command.slice(1));
            some.push({ ...stored, what });
        }
        await assertLoadedAnew(some, 'errors');
    });

    await t.test('swapped between two names', async () => {
        const [one, other] = [await store(redis, admin, `/risks/${ids[0]}`), await store(redis, admin, `/risks/${ids[1]}`)];
        const values = [await redis.get(one.name), await redis.get(other.name)];
        await redis.set(one.name, values[1], MINUTE_MS);
        await redis.set(other.name, values[0], MINUTE_MS);
        await assertLoadedAnew([{ ...one, what: 'the one' }, { ...other, what: 'the other' }], 'refused');
    });

    await t.test('copied to the name of a newer generation', async () => {
        const old = await store(redis, admin, `/risks/${ids[2]}`);
        await admin.expect(200, 'PATCH', `/risks/${ids[2]}`, { owner: 'the newer one' });
        const now = await store(redis, admin, `/risks/${ids[2]}`);
        await redis.set(now.name, await redis.get(old.name), MINUTE_MS);
        await assertLoadedAnew([{ ...now, what: 'an old value under the new name' }], 'refused');
    });

    await t.test('made by another register for the same question', async (t) => {
        const ours = await store(redis, admin, '/risks?limit=199');
        const otherServer = await startWith(t, redis);
        let other = await otherServer.signIn();
        await joined(otherServer);
        await makeRisk(other, { title: 'Of the other register' });
        const theirs = await store(redis, other, '/risks?limit=199');
        assert.ok(!theirs.reply.bytes.equals(ours.reply.bytes));

        // As near as it can be: all that a name shows is that of ours.
        await otherServer.stop();
        const epoch = await server.sql("SELECT value FROM meta WHERE name = 'epoch'");
        await otherServer.sql(`UPDATE meta SET value = '${epoch}' WHERE name = 'epoch'`);
        for (const scope of ['accounts', 'assets', 'risks']) {
            const generation = await server.sql(`SELECT generation FROM cache_generation WHERE scope = '${scope}'`);
            await otherServer.sql(`UPDATE cache_generation SET generation = ${generation} WHERE scope = '${scope}'`);
        }
        await otherServer.start();
        await joined(otherServer);
        other = otherServer.client(other.token);
        const near = await store(redis, other, '/risks?limit=199');
        assert.deepStrictEqual(near.name.split(':').slice(0, 4), ours.name.split(':').slice(0, 4));
        assert.notStrictEqual(near.name, ours.name, 'what is asked is hashed with a secret');

        for (const [what, { name }] of [['theirs under our name', theirs], ['one of the same generations', near]]) {
            await redis.set(ours.name, await redis.get(name), MINUTE_MS);
            await assertLoadedAnew([{ ...ours, what }], 'refused');
        }
    });
});

/** A copy of the program that differs in its build id alone. */
function anotherBuild(t) {
    const folder = temporaryFolder();
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
    const bytes = fs.readFileSync(binary());
    const note = Buffer.from('040000001400000003000000474e5500', 'hex'); // "GNU", of type 3, of 20 bytes (elf(5))
    const at = bytes.indexOf(note);
    assert.ok(at > 0 && bytes.indexOf(note, at + 1) < 0, 'the note of the build id is there, once');
    bytes[at + note.length] ^= 1;
    const program = path.join(folder, 'openrisk');
    fs.writeFileSync(program, bytes, { mode: 0o755 });
    return program;
}

test('another build of the program reads nothing of it, nor the first what that has stored', async (t) => {
    const redis = await ownRedis(t);
    const server = await startWith(t, redis);
    let admin = await server.signIn();
    await joined(server);
    await makeRisks(admin, 3);
    const first = await store(redis, admin, '/risks?limit=9');

    server.program = anotherBuild(t);
    admin = await restart(server, admin);
    const other = await store(redis, admin, '/risks?limit=9');
    assertSame(other.reply, first.reply);
    const [, build, epoch, generations, hash] = first.name.split(':');
    const [, otherBuild, ...rest] = other.name.split(':');
    assert.notStrictEqual(otherBuild, build);
    assert.deepStrictEqual(rest, [epoch, generations, hash]);
    const late = await store(redis, admin, '/risks?limit=8');
    assert.strictEqual((await levelOf(admin)).refused, 0, 'they are not even looked at');

    server.program = undefined;
    admin = await restart(server, admin);
    assertWay(await admin.get('/risks?limit=9'), SECOND);
    assertWay(await admin.get(late.route), STORED);
});

test('a value whose time is over is not served, though Redis still has it', async (t) => {
    const redis = await ownRedis(t);
    const server = await startWith(t, redis, { CACHE_TTL_RISKS: '5m' });
    let admin = await server.signIn();
    await joined(server);
    await makeRisks(admin, 3);
    const stored = await store(redis, admin, '/risks?limit=9');
    const left = await redis.pttl(stored.name);
    assert.ok(left > 0 && left <= 5 * MINUTE_MS, `Redis keeps it for ${left} ms`);
    await redis.command('PERSIST', stored.name);

    server.env.OPENRISK_CLOCK_OFFSET = `${NOON_MS + 4 * MINUTE_MS}ms`;
    admin = await restart(server, admin);
    assertWay(await admin.get(stored.route), SECOND, 'a minute is left');

    server.env.OPENRISK_CLOCK_OFFSET = `${NOON_MS + 6 * MINUTE_MS}ms`;
    admin = await restart(server, admin);
    const again = await admin.get(stored.route);
    assertWay(again, STORED);
    assertSame(again, stored.reply);
    const { expired, refused, hits, misses } = await levelOf(admin);
    assert.deepStrictEqual({ expired, refused, hits, misses }, { expired: 1, refused: 0, hits: 0, misses: 1 });
});

test('nothing that lets anyone in is ever in Redis', async (t) => {
    const redis = await ownRedis(t);
    const server = await startWith(t, redis);
    const admin = await server.signIn();
    await joined(server);
    const { pathOf } = await fillRegister(admin);
    const clients = [admin, await server.as('viewer'), await server.as('analyst'), await server.as('admin')];
    clients.push(server.client((await admin.expect(201, 'POST', '/tokens', { name: 'for a program' })).json.token));
    let last;
    for (const route of Object.keys(CACHED).map(pathOf)) {
        for (const client of clients) {
            last = await client.expect(200, 'GET', route);
        }
    }
    for (const route of ['/users', '/users/me', '/tokens', '/audit?limit=9']) {
        await admin.get(route);
    }
    assertWay(last, HIT);
    await waitFor(async () => (await redis.keys()).length >= Object.keys(CACHED).length && (await levelOf(admin)).writing === 0, 'all answers to be in Redis');

    assert.deepStrictEqual(Object.keys(await redis.info('keyspace')), ['db0'], 'all is in the one database');
    const names = await redis.keys();
    const values = await Promise.all(names.map((name) => redis.get(name)));
    const contents = Buffer.concat([Buffer.from(names.join()), ...values]);
    assert.ok(contents.includes('Read by many.'), 'answers are there, to be read');
    const hashes = (await server.sql('SELECT hash FROM token')).split('\n');
    const secrets = await server.sql('SELECT password_hash FROM account');
    const emails = (await server.sql('SELECT email FROM account')).split('\n');
    assert.ok(hashes.length >= clients.length && emails.length >= 4);
    // Who has written is shown by the history of what was written, and nowhere else.
    const readers = emails.filter((email) => email !== ADMIN.email);
    for (const secret of [...clients.map(({ token }) => token), ...hashes, ...hashes.map((hash) => Buffer.from(hash, 'hex')), ...secrets.split('\n'), ...readers]) {
        assert.ok(secret.length > 8 && !contents.includes(secret), `${secret} is in Redis`);
    }
    const written = values.filter((value) => value.includes(ADMIN.email)).map((value) => value.toString('latin1', HEAD_BYTES).split('\x1f')[0]);
    assert.deepStrictEqual(written.sort(), ['/activity', '/risks/{id}/timeline']);
    assert.ok(names.every((name) => /^openrisk:[0-9a-f]{32}:[0-9a-f]{16}:[0-9a-f]+(\.[0-9a-f]+)+:[0-9a-f]{32}$/.test(name)), names.join());
});

test('a second level needs a first: Redis without a cache is refused at the start', async (t) => {
    const redis = await ownRedis(t);
    const folder = temporaryFolder();
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
    const common = { CACHE_ENABLED: 'false', DATABASE_URL: `sqlite:${folder}/openrisk.db`, OPENRISK_LISTEN: '127.0.0.1:0', OPENRISK_OPS_LISTEN: '127.0.0.1:0' };
    for (const [name, value] of [['REDIS_URL', redis.url], ['REDIS_HOST', '127.0.0.1']]) {
        const { code, stdout, stderr } = await cli(['serve'], { cwd: folder, env: { ...common, [name]: value } });
        assert.strictEqual(code, 2, stdout + stderr);
        assert.match(stderr, new RegExp(`${name}.*CACHE_ENABLED=false`));
        assert.ok(!(stdout + stderr).includes(redis.password), 'the password is shown');
    }
    const client = connectRedis(redis.url);
    assert.deepStrictEqual(await client.keys(), []);
    client.close();
});
