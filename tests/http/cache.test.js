/**
 * Cached answers as users see them: what is kept and what is not, that a hit is its miss, that equal
 * questions are one, how long an answer lives, and what the settings do.
 */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const { test } = require('node:test');

const { ROOT, cli, startServer, temporaryFolder, waitFor } = require('./lib');
const { UNKNOWN_ID, assertProblem, day, makeMitigation, makeRisk, operationsOf } = require('./register');
const { BYPASS, CACHED, HIT, STORED, assertNotCached, assertWay, commonHeaders, fillRegister, forget, statisticsOf } = require('./cached');

const KEV = fs.readFileSync(`${ROOT}/tests/data/kev.csv`, 'utf8');
const LONG_TTL = { CACHE_TTL_RISKS: '1h', CACHE_TTL_STATS: '1h', CACHE_TTL_MATRIX: '1h', CACHE_TTL_TRENDS: '1h' };

async function keepingTests(t, server, admin, pathOf) {
    const { json: document } = await admin.expect(200, 'GET', '/openapi.json');
    const routes = operationsOf(document).filter((one) => one.method === 'GET').map((one) => one.path);

    await t.test('of these routes they are kept, and of no others', async () => {
        await forget(admin);
        for (const route of routes) {
            const first = await admin.expect(200, 'GET', pathOf(route));
            const second = await admin.expect(200, 'GET', pathOf(route));
            if (route in CACHED) {
                assertWay(first, STORED, route);
                assertWay(second, HIT, route);
            } else {
                assertNotCached(first, route);
                assertNotCached(second, route);
            }
        }
        assert.deepStrictEqual(Object.keys(CACHED).filter((route) => !routes.includes(route)), []);
    });

    await t.test('a hit is its miss: the same bytes and the same headers', async () => {
        await forget(admin);
        for (const route of Object.keys(CACHED)) {
            const miss = await admin.expect(200, 'GET', pathOf(route));
            const hit = await admin.expect(200, 'GET', pathOf(route));
            assertWay(miss, STORED, route);
            assertWay(hit, HIT, route);
            assert.ok(hit.bytes.equals(miss.bytes), route);
            assert.deepStrictEqual(commonHeaders(hit), commonHeaders(miss), route);
            assert.strictEqual(hit.headers['content-length'], String(miss.bytes.length), route);
            assert.strictEqual(hit.headers['cache-control'], 'private, no-cache', route);
            assert.match(miss.headers['x-request-id'], /^[A-Za-z0-9._-]{1,64}$/, route);
            assert.ok(Math.abs(Date.parse(hit.headers.date) - Date.now()) < 60000, hit.headers.date);
        }
    });

    await t.test('a hit has the request id that was sent, and none if there was none or no good one', async () => {
        for (const route of Object.keys(CACHED)) {
            const plain = await admin.expect(200, 'GET', pathOf(route));
            assertWay(plain, HIT, route);
            assert.strictEqual(plain.headers['x-request-id'], undefined, route);
            const named = await admin.expect(200, 'GET', pathOf(route), undefined, { 'X-Request-Id': `the-users.own_${route.length}` });
            assertWay(named, HIT, route);
            assert.strictEqual(named.headers['x-request-id'], `the-users.own_${route.length}`);
            assert.ok(named.bytes.equals(plain.bytes), route);
            assert.deepStrictEqual(commonHeaders(named), commonHeaders(plain), route);
        }
        for (const bad of ['two words', 'x'.repeat(65), 'a/b', 'ä']) {
            const reply = await admin.expect(200, 'GET', '/risks', undefined, { 'X-Request-Id': Buffer.from(bad).toString('latin1') });
            assertWay(reply, HIT, bad);
            assert.strictEqual(reply.headers['x-request-id'], undefined, bad);
        }
    });

    await t.test('HEAD fills the cache for GET, and is answered from it, without a body', async () => {
        await forget(admin);
        for (const route of Object.keys(CACHED)) {
            const missed = await admin.request('HEAD', pathOf(route));
            const get = await admin.expect(200, 'GET', pathOf(route));
            const hit = await admin.request('HEAD', pathOf(route));
            assertWay(missed, STORED, route);
            assertWay(get, HIT, route);
            assertWay(hit, HIT, route);
            for (const head of [missed, hit]) {
                assert.strictEqual(head.status, 200, route);
                assert.strictEqual(head.bytes.length, 0, route);
                assert.deepStrictEqual(commonHeaders(head), commonHeaders(get), route);
            }
        }
    });
}

async function absenceTests(t, admin) {
    await t.test('that a risk is not there is kept, until it is there', async () => {
        const read = (id, status) => admin.expect(status, 'GET', `/risks/${id}`);
        const next = 1 + Math.max(...(await admin.all('/risks')).map((risk) => risk.ref));
        const ways = [
            () => makeRisk(admin, { title: 'Made' }),
            () => admin.expect(200, 'POST', '/import/risks?format=json', { risks: [{ title: 'Imported', impact: 1, probability: 1 }] }),
        ];
        for (const [i, make] of ways.entries()) {
            const id = `R-${next + i}`;
            assertWay(await read(id, 404), STORED);
            const hit = await read(id, 404);
            assertWay(hit, HIT);
            assertProblem(hit, 404);
            await make();
            const found = await read(id, 200);
            assertWay(found, STORED);
            assert.strictEqual(found.json.ref, next + i);
        }
        const { id } = (await read(`R-${next}`, 200)).json;
        await admin.expect(204, 'DELETE', `/risks/${id}`);
        assertWay(await read(id, 404), STORED);
        assertWay(await read(id, 404), HIT);
        await admin.expect(200, 'POST', `/risks/${id}/restore`);
        assertWay(await read(id, 200), STORED);
    });

    await t.test('an unknown asset and what would hang on an unknown risk are kept as well', async () => {
        for (const route of ['/assets/{id}', '/risks/{id}/timeline', '/risks/{id}/mitigations', '/risks/{id}']) {
            const path = route.replace('{id}', UNKNOWN_ID);
            const miss = await admin.get(path);
            const hit = await admin.get(path);
            assertProblem(miss, 404);
            assertWay(miss, STORED, route);
            assertProblem(hit, 404);
            assertWay(hit, HIT, route);
            assert.ok(hit.bytes.equals(miss.bytes));
            assert.deepStrictEqual(commonHeaders(hit), commonHeaders(miss));
        }
    });
}

async function refusalTests(t, server, admin, pathOf) {
    await t.test('what cannot be understood is refused each time anew', async () => {
        const { entries } = (await statisticsOf(admin)).responses;
        for (const route of Object.keys(CACHED)) {
            for (let i = 0; i < 3; i++) {
                const reply = await admin.get(`${pathOf(route)}?nonsense=1`);
                assertProblem(reply, 400, 'nonsense');
                assertNotCached(reply, route);
            }
        }
        const wrongs = ['page=0', 'limit=201', 'sort_by=nothing', 'after=x'].map((query) => `/risks?${query}`);
        for (const wrong of [...wrongs, '/stats/trends?days=0', '/stats/top-risks?limit=x']) {
            for (let i = 0; i < 2; i++) {
                const reply = await admin.get(wrong);
                assertProblem(reply, 400);
                assertNotCached(reply, wrong);
            }
        }
        assert.strictEqual((await statisticsOf(admin)).responses.entries, entries);
    });

    await t.test('nor are other refusals kept: 401, 403, 404 of no route, 405', async () => {
        const nobody = server.client();
        const viewer = await server.as('viewer');
        for (let i = 0; i < 2; i++) {
            const replies = [
                [401, await nobody.get('/risks')],
                [403, await viewer.get('/cache')],
                [404, await viewer.get('/nothing')],
                [405, await viewer.request('PUT', '/risks')],
            ];
            for (const [status, reply] of replies) {
                assertProblem(reply, status);
                assertNotCached(reply, String(status));
            }
        }
    });

    await t.test('a request that found no worker is refused, and the next one is answered', async (t2) => {
        const busy = await startServer(t2, { env: { DB_POOL_MAX: '1', DB_POOL_MAX_WAITING: '0' } });
        const client = await busy.signIn();
        const importer = busy.client(client.token);
        let asked = 0;
        const refused = await waitFor(async () => {
            let isOver = false;
            let reply = {};
            const work = importer.post('/import/risks?format=kev&dry_run=1', KEV, { 'Content-Type': 'text/csv' }).finally(() => (isOver = true));
            while (!isOver && reply.status !== 503) {
                reply = await client.get(`/risks?owner=${++asked}`);
            }
            await work;
            return reply.status === 503 && reply;
        }, 'an answer 503');
        assertProblem(refused, 503);
        assertNotCached(refused);
        assert.match(refused.headers['retry-after'], /^[1-9]/);
        const answered = await waitFor(async () => {
            const reply = await client.get(`/risks?owner=${asked}`);
            return reply.status === 200 && reply;
        }, 'an idle worker');
        assertWay(answered, STORED);
        assertWay(await client.expect(200, 'GET', `/risks?owner=${asked}`), HIT);
    });
}

/** Different ways to ask the same. */
const SAME = [
    ['/risks', '/risks?', '/risks?page=1&limit=20', '/risks?limit=20&page=1', '/risks?sort_by=score', '/risks?sort_dir=desc&sort_by=score&page=1'],
    ['/risks?status=ACTIVE&level=HIGH', '/risks?level=HIGH&status=ACTIVE', '/risks?level=HIGH&status=%41CTIVE&limit=20'],
    ['/risks?q=a%20b', '/risks?q=a+b'],
    ['/stats/trends', '/stats/trends?days=30'],
    ['/stats/top-risks', '/stats/top-risks?limit=10'],
    ['/assets', '/assets?sort_by=name&sort_dir=asc'],
    ['/mitigations', '/mitigations?sort_dir=asc&sort_by=due_date'],
    ['/activity', '/activity?page=1', '/activit%79?limit=20'],
];

async function keyTests(t, admin) {
    await t.test('the same question in other words is the same', async () => {
        await forget(admin);
        for (const [first, ...others] of SAME) {
            const asked = await admin.expect(200, 'GET', first);
            assertWay(asked, STORED, first);
            for (const other of others) {
                const again = await admin.expect(200, 'GET', other);
                assertWay(again, HIT, other);
                assert.ok(again.bytes.equals(asked.bytes), other);
            }
        }
    });

    await t.test('another question is another, however alike', async () => {
        await forget(admin);
        const one = await makeRisk(admin, { title: 'One', owner: 'ann', category: 'bob', tags: ['x=1&tag=y'] });
        const two = await makeRisk(admin, { title: 'Two', owner: 'bob', category: 'ann', tags: ['x', 'y'] });
        const cases = [
            ['/risks?owner=ann&category=bob', [one]],
            ['/risks?owner=bob&category=ann', [two]],
            ['/risks?owner=ann', [one]],
            ['/risks?category=ann', [two]],
            ['/risks?owner=ann&category=ann', []],
            ['/risks?tag=x', [two]],
            ['/risks?tag=x%3D1%26tag%3Dy', [one]],
            ['/risks?owner=ann&limit=1', [one]],
        ];
        for (const way of [STORED, HIT]) {
            for (const [path, risks] of cases) {
                const reply = await admin.expect(200, 'GET', path);
                assertWay(reply, way, path);
                assert.deepStrictEqual(reply.json.items.map((risk) => risk.title), risks.map((risk) => risk.title), path);
            }
            for (const risk of [one, two]) {
                const reply = await admin.expect(200, 'GET', `/risks/${risk.id}`);
                assertWay(reply, way);
                assert.strictEqual(reply.json.title, risk.title);
            }
        }
    });
}

test('cached answers', async (t) => {
    const server = await startServer(t, { env: LONG_TTL });
    const admin = await server.signIn();
    const { pathOf } = await fillRegister(admin);
    await keepingTests(t, server, admin, pathOf);
    await absenceTests(t, admin);
    await refusalTests(t, server, admin, pathOf);
    await keyTests(t, admin);
});

/**
 * Start the server anew so that its clock shows midnight (UTC) `ms` from now. Sessions would be over by
 * then, API tokens are not.
 */
async function startBeforeMidnight(server, ms) {
    await server.stop();
    const dayMs = 86400000;
    server.env.OPENRISK_CLOCK_OFFSET = `${dayMs - (Date.now() % dayMs) - ms}ms`;
    await server.start();
}

test('what was kept before midnight is not given away after it', async (t) => {
    const server = await startServer(t, { env: LONG_TTL });
    const admin = await server.signIn();
    const risk = await makeRisk(admin);
    await makeMitigation(admin, risk.id, { title: 'Due', due_date: day(0) });
    const reader = (await admin.expect(201, 'POST', '/tokens', { name: 'reader' })).json.token;
    const paths = ['/stats/trends?days=1', '/mitigations?overdue=true', '/stats'];
    const overdueOf = ([trend, overdue, stats]) => [trend.json[0].date, overdue.json.total, stats.json.overdue_mitigations];

    // A slow machine may need more time than the first tries leave.
    let client;
    let before;
    for (let ms = 2000; before === undefined && ms <= 60000; ms *= 2) {
        await startBeforeMidnight(server, ms);
        client = server.client(reader);
        const replies = [];
        for (const path of [...paths, ...paths]) {
            replies.push(await client.expect(200, 'GET', path));
        }
        const wasHit = replies.slice(paths.length).every((reply) => reply.headers['x-cache'] === 'HIT');
        before = wasHit && replies[0].json[0].date === day(0) ? overdueOf(replies) : undefined;
    }
    assert.deepStrictEqual(before, [day(0), 0, 0]);

    const first = await waitFor(async () => {
        const reply = await client.expect(200, 'GET', paths[0]);
        return reply.headers['x-cache'] === 'MISS' && reply;
    }, 'midnight', 70000);
    assertWay(first, STORED);
    const others = [];
    for (const path of paths.slice(1)) {
        others.push(await client.expect(200, 'GET', path));
    }
    others.forEach((reply) => assertWay(reply, STORED));
    assert.deepStrictEqual(overdueOf([first, ...others]), [day(1), 1, 1]);
});

test('an answer is kept for its time', async (t) => {
    const server = await startServer(t, { env: { ...LONG_TTL, CACHE_TTL_STATS: '1s' } });
    const admin = await server.signIn();
    const paths = Object.keys(CACHED).filter((route) => !route.includes('{'));
    const short = ['/stats', '/stats/risk-distribution', '/stats/mitigation-metrics', '/stats/top-risks'];
    for (const path of paths) {
        assertWay(await admin.expect(200, 'GET', path), STORED, path);
    }
    const before = (await statisticsOf(admin)).responses.evictions;

    await t.test('of a second: not much less, and never much more', async () => {
        await forget(admin);
        const asked = performance.now();
        assertWay(await admin.expect(200, 'GET', '/stats'), STORED);
        const stored = performance.now();
        let sent;
        await waitFor(async () => {
            sent = performance.now();
            const reply = await admin.expect(200, 'GET', '/stats');
            const isHit = reply.headers['x-cache'] === 'HIT';
            assert.ok(!isHit || sent - stored <= 1150, `a hit ${sent - stored} ms after it was stored`);
            return !isHit;
        }, 'the end of its time');
        // Give or take a tenth, and the coarse clock's few milliseconds.
        assert.ok(performance.now() - asked >= 880, `a miss ${performance.now() - asked} ms after it was asked for`);
        assert.ok((await statisticsOf(admin)).responses.evictions.expired > before.expired);
    });

    await t.test('each kind has its own', async () => {
        await forget(admin);
        for (const path of paths) {
            await admin.expect(200, 'GET', path);
        }
        for (const path of short) {
            await waitFor(async () => (await admin.expect(200, 'GET', path)).headers['x-cache'] === 'MISS', `a miss of ${path}`);
        }
        for (const path of paths.filter((one) => !short.includes(one))) {
            assertWay(await admin.expect(200, 'GET', path), HIT, path);
        }
    });
});

test('CACHE_ENABLED=false: every answer is made anew', async (t) => {
    const server = await startServer(t, { env: { CACHE_ENABLED: 'false' } });
    const admin = await server.signIn();
    const { risk, pathOf } = await fillRegister(admin);

    await t.test('the ready line and GET /cache say so', async () => {
        assert.match(server.run.stdout, /^ready .* cache=none$/m);
        const state = await statisticsOf(admin);
        assert.strictEqual(state.enabled, false);
        for (const part of [state.responses, state.sessions]) {
            assert.strictEqual(part.entries + part.bytes + part.hits + part.loads, 0, JSON.stringify(part));
            assert.strictEqual(part.hit_rate, null);
        }
    });

    await t.test('and each answer does, with ETag and gzip as ever', async () => {
        for (const route of Object.keys(CACHED)) {
            for (let i = 0; i < 2; i++) {
                const plain = await admin.expect(200, 'GET', pathOf(route));
                const tagged = await admin.get(pathOf(route), { 'If-None-Match': plain.headers.etag });
                assertWay(plain, BYPASS, route);
                assertWay(tagged, BYPASS, route);
                assert.strictEqual(tagged.status, 304, route);
                assert.match(plain.headers['x-request-id'], /./);
            }
        }
        const plain = await admin.expect(200, 'GET', `/risks/${risk.id}`);
        const small = await admin.expect(200, 'GET', `/risks/${risk.id}`, undefined, { 'Accept-Encoding': 'gzip' });
        assertWay(small, BYPASS);
        assert.strictEqual(small.headers['content-encoding'], 'gzip');
        assert.ok(small.bytes.length < plain.bytes.length);
        assert.strictEqual(small.body, plain.body);
    });

    await t.test('openrisk serve --warm starts, too', async () => {
        await server.stop();
        server.args = ['--warm'];
        await server.start();
        assertWay(await (await server.signIn()).expect(200, 'GET', '/stats'), BYPASS);
    });
});

test('a wrong CACHE_ setting stops the start with its name, the value and what is allowed', async () => {
    const free = { OPENRISK_LISTEN: '127.0.0.1:0', OPENRISK_OPS_LISTEN: '127.0.0.1:0' };
    const times = ['0', '999ms', '25h', '-5s', '30', 'long'];
    const cases = [
        ['CACHE_ENABLED', ['perhaps', '1', 'TRUE'], /false or true/],
        ['CACHE_MAX_BYTES', ['0', '1023KiB', '65GiB', '-1MiB', '16MB', 'much'], /1MiB to 64GiB \(units: KiB, MiB, GiB/],
        ...['RISKS', 'STATS', 'MATRIX', 'TRENDS'].map((kind) => [`CACHE_TTL_${kind}`, times, /1s to 1d \(units: ms, s, m, h, d\)/]),
        ['CACHE_WAIT_TIMEOUT', ['0', '99ms', '11m', 'soon'], /100ms to 10m/],
    ];
    const folder = temporaryFolder();
    for (const [name, values, allowed] of cases) {
        for (const value of values) {
            const run = await cli(['serve'], { env: { ...free, [name]: value }, cwd: folder });
            assert.strictEqual(run.code, 2, `${name}=${value}: ${run.stdout}${run.stderr}`);
            assert.strictEqual(run.stdout, '');
            assert.ok(run.stderr.includes(name) && run.stderr.includes(`"${value}"`), run.stderr);
            assert.match(run.stderr, allowed);
        }
    }
    assert.deepStrictEqual(fs.readdirSync(folder), []);
    fs.rmSync(folder, { recursive: true });
});
