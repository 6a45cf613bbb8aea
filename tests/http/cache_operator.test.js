/**
 * What an operator sees of the cache and does to it: its figures, making it outdated, warming it up, and
 * its limits.
 */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { startServer, waitFor } = require('./lib');
const { assertProblem, makeAsset, makeRisk, randomOf } = require('./register');
const { CACHED, COLLAPSED, HIT, PASSED_BY, STORED, assertNotCached, assertWay, fillRegister, forget, statisticsOf } = require('./cached');

const MIB = 1 << 20;
const LONG_TTL = { CACHE_TTL_RISKS: '1h', CACHE_TTL_STATS: '1h', CACHE_TTL_MATRIX: '1h', CACHE_TTL_TRENDS: '1h' };
const DEFAULT_VIEWS = Object.keys(CACHED).filter((route) => !route.includes('{'));

/** By how much the counters of `after` are above those of `before`. */
function risen(before, after) {
    const counters = ['hits', 'misses', 'coalesced', 'loads', 'load_failures', 'stores', 'too_large', 'late'];
    return Object.fromEntries(counters.map((name) => [name, after[name] - before[name]]));
}

function assertSound(part) {
    const asked = part.hits + part.misses;
    assert.ok(part.bytes > 0 && part.bytes <= part.max_bytes, JSON.stringify(part));
    assert.strictEqual(part.misses, part.loads + part.coalesced, JSON.stringify(part));
    assert.strictEqual(part.hit_rate, asked === 0 ? null : Math.floor((100 * part.hits) / asked) / 100);
    assert.strictEqual(part.loading + part.waiting, 0, JSON.stringify(part));
}

test('GET /cache', async (t) => {
    const server = await startServer(t, { env: LONG_TTL });
    const admin = await server.signIn();
    const { pathOf } = await fillRegister(admin);

    await t.test('tells how a new server begins: on, empty, fresh', async () => {
        assert.match(server.run.stdout, /^ready .* cache=memory$/m);
        const state = await statisticsOf(admin);
        assert.strictEqual(state.enabled, true);
        assert.strictEqual(state.responses.entries, 0);
        assert.strictEqual(state.responses.max_bytes, 16 * MIB);
        assert.strictEqual(state.responses.hit_rate, null);
        assert.ok(state.age_ms >= 0 && state.age_ms <= 1000, `${state.age_ms} ms`);
        assertSound(state.responses);
        assertSound(state.sessions);
    });

    await t.test('counts each request once: a hit, or a miss that was loaded', async () => {
        const { responses: before } = await statisticsOf(admin);
        const routes = Object.keys(CACHED);
        for (let i = 0; i < 4; i++) {
            for (const route of routes) {
                await admin.expect(200, 'GET', pathOf(route));
            }
        }
        const { responses: after } = await statisticsOf(admin);
        const misses = routes.length;
        assert.deepStrictEqual(risen(before, after), {
            hits: 3 * misses, misses, coalesced: 0, loads: misses, load_failures: 0, stores: misses, too_large: 0, late: 0,
        });
        assert.strictEqual(after.entries, before.entries + misses);
        assert.ok(after.bytes > before.bytes);
        assert.strictEqual(after.hit_rate, 0.75);
        assertSound(after);
    });

    await t.test('counts those who asked for the same at the same time by what their answers say', async () => {
        const clients = Array.from({ length: 20 }, () => server.client(admin.token));
        await Promise.all(clients.map((client) => client.expect(200, 'GET', '/users/me')));
        const { responses: before } = await statisticsOf(admin);
        const ways = {};
        const bodies = new Set();
        for (let i = 0; i < 20; i++) {
            const replies = await Promise.all(clients.map((client) => client.expect(200, 'GET', `/risks?limit=${100 + i}`)));
            for (const reply of replies) {
                const way = reply.headers['cache-status'];
                assertWay(reply, way);
                ways[way] = (ways[way] || 0) + 1;
                bodies.add(reply.json.limit);
            }
        }
        const { [HIT]: hits = 0, [STORED]: loads = 0, [COLLAPSED]: coalesced = 0, ...others } = ways;
        assert.deepStrictEqual(others, {});
        assert.strictEqual(loads, 20);
        assert.strictEqual(bodies.size, 20);
        const { responses: after } = await statisticsOf(admin);
        assert.deepStrictEqual(risen(before, after), {
            hits, misses: loads + coalesced, coalesced, loads, load_failures: 0, stores: loads, too_large: 0, late: 0,
        });
        assertSound(after);
    });

    await t.test('is never cached itself, and is for admins', async () => {
        assertNotCached(await admin.expect(200, 'GET', '/cache'));
        assertProblem(await (await server.as('analyst')).get('/cache'), 403);
        assertProblem(await server.client().get('/cache'), 401);
    });
});

/** Read each cached route: the names of those that come from the cache. */
async function hitsOf(client, pathOf) {
    const hits = [];
    for (const route of Object.keys(CACHED)) {
        const reply = await client.expect(200, 'GET', pathOf(route));
        assertWay(reply, reply.headers['x-cache'] === 'HIT' ? HIT : STORED, route);
        hits.push(...(reply.headers['x-cache'] === 'HIT' ? [route] : []));
    }
    return hits;
}

test('DELETE /cache', async (t) => {
    const server = await startServer(t, { env: LONG_TTL });
    const admin = await server.signIn();
    const { pathOf } = await fillRegister(admin);
    const filled = async () => {
        await hitsOf(admin, pathOf);
        assert.deepStrictEqual(await hitsOf(admin, pathOf), Object.keys(CACHED));
    };

    await t.test('makes all outdated, and answers the new generations', async () => {
        await filled();
        const before = await statisticsOf(admin);
        const generations = await forget(admin);
        assert.deepStrictEqual((await statisticsOf(admin)).generations, generations);
        assert.deepStrictEqual(Object.keys(generations), Object.keys(before.generations));
        for (const [scope, generation] of Object.entries(generations)) {
            assert.ok(generation > before.generations[scope], scope);
        }
        assert.deepStrictEqual(await hitsOf(admin, pathOf), []);
        const { evictions } = (await statisticsOf(admin)).responses;
        assert.strictEqual(evictions.outdated, before.responses.evictions.outdated + Object.keys(CACHED).length);
    });

    for (const scope of ['risks', 'assets', 'accounts']) {
        await t.test(`?scope=${scope} makes outdated what depends on it, and nothing else`, async () => {
            await filled();
            const { generations: before } = await statisticsOf(admin);
            const after = await forget(admin, scope);
            const raised = Object.keys(after).filter((name) => after[name] !== before[name]);
            assert.deepStrictEqual(raised, [scope]);
            assert.deepStrictEqual(await hitsOf(admin, pathOf), Object.keys(CACHED).filter((route) => !CACHED[route].includes(scope)));
        });
    }

    await t.test('is in the audit log', async () => {
        await forget(admin, 'risks');
        await forget(admin);
        const action = encodeURIComponent('DELETE /cache');
        const { items } = (await admin.expect(200, 'GET', `/audit-logs?action=${action}&limit=2`)).json;
        const { email } = admin.user;
        assert.deepStrictEqual(items.map((one) => [one.target, one.result, one.actor]), [['', 'ok', email], ['risks', 'ok', email]]);
    });

    await t.test('of what there is not is refused, and by others, and makes nothing outdated', async () => {
        const readOnly = (await admin.expect(201, 'POST', '/tokens', { name: 'reader', scope: 'read' })).json.token;
        const refusals = [
            [400, await admin.delete('/cache?scope=everything'), 'scope'],
            [400, await admin.delete('/cache?scope='), 'scope'],
            [400, await admin.delete('/cache?scope=risks&scope=assets'), 'scope'],
            [400, await admin.delete('/cache?only=risks'), 'only'],
            [403, await (await server.as('analyst')).delete('/cache')],
            [403, await (await server.as('viewer')).delete('/cache?scope=risks')],
            [403, await server.client(readOnly).delete('/cache')],
            [401, await server.client().delete('/cache')],
        ];
        await filled();
        const { generations } = await statisticsOf(admin);
        for (const [status, reply, field] of refusals) {
            assertProblem(reply, status, field);
        }
        assert.deepStrictEqual((await statisticsOf(admin)).generations, generations);
        assert.deepStrictEqual(await hitsOf(admin, pathOf), Object.keys(CACHED));
    });
});

test('openrisk serve --warm', async (t) => {
    const server = await startServer(t, { env: LONG_TTL });
    const admin = await server.signIn();
    await fillRegister(admin);
    const firstReadings = async (args) => {
        await server.stop();
        server.args = args;
        await server.start();
        const client = await server.signIn();
        const replies = [];
        for (const route of DEFAULT_VIEWS) {
            replies.push([route, await client.expect(200, 'GET', route)]);
        }
        return replies;
    };

    await t.test('without it the first reading of each view is a miss', async () => {
        for (const [route, reply] of await firstReadings([])) {
            assertWay(reply, STORED, route);
        }
        assert.doesNotMatch(server.log, /event=warm/);
    });

    await t.test('with it the first reading of each view is a hit, and right', async () => {
        const cold = await firstReadings([]);
        const warm = await firstReadings(['--warm']);
        for (const [i, [route, reply]] of warm.entries()) {
            assertWay(reply, HIT, route);
            assert.strictEqual(reply.body, cold[i][1].body, route);
        }
        await waitFor(() => new RegExp(`event=warm answers=${DEFAULT_VIEWS.length} `).test(server.log), 'the line of the log');
    });
});

/** Risks whose list of 200 is larger than an entry may be: {risks, bodyOf(number)}. */
function longRisks(count) {
    const random = randomOf(1);
    const words = () => Array.from({ length: 250 }, () => random.below(2 ** 32).toString(36)).join(' ');
    return Array.from({ length: count }, (_, i) => ({ title: `Risk ${i + 1}`, impact: 1 + (i % 5), probability: 3, description: words() }));
}

test('CACHE_MAX_BYTES=1MiB', async (t) => {
    const server = await startServer(t, { env: { ...LONG_TTL, CACHE_MAX_BYTES: '1MiB' } });
    const admin = await server.signIn();
    const risks = longRisks(200);
    await admin.expect(200, 'POST', '/import/risks?format=json', { risks });

    await t.test('an answer that is larger than a quarter of it passes by, each time anew', async () => {
        const before = (await statisticsOf(admin)).responses;
        const times = 4;
        for (let i = 0; i < times; i++) {
            const reply = await admin.expect(200, 'GET', '/risks?limit=200');
            assert.ok(reply.bytes.length > 300000, `${reply.bytes.length}`);
            assertWay(reply, PASSED_BY);
            assert.strictEqual(reply.json.items.length, 200);
            const known = await admin.get('/risks?limit=200', { 'If-None-Match': reply.headers.etag });
            assert.strictEqual(known.status, 304);
            assertWay(known, PASSED_BY);
        }
        const after = (await statisticsOf(admin)).responses;
        assert.strictEqual(after.too_large - before.too_large, 2 * times);
        assert.strictEqual(after.entries, before.entries);
        assertSound(after);
    });

    await t.test('however much is asked for, it is never more, and every answer is right', async () => {
        const order = (await admin.all('/risks?sort_by=created_at&sort_dir=asc')).map((risk) => risk.id);
        const random = randomOf(2);
        const ways = {};
        for (let i = 0; i < 600; i++) {
            const limit = 1 + random.below(20);
            const page = 1 + random.below(Math.floor(200 / limit));
            const list = await admin.expect(200, 'GET', `/risks?sort_by=created_at&sort_dir=asc&limit=${limit}&page=${page}`);
            assert.deepStrictEqual(list.json.items.map((risk) => risk.id), order.slice((page - 1) * limit, page * limit));
            const ref = 1 + random.below(200);
            const item = await admin.expect(200, 'GET', `/risks/R-${ref}`);
            assert.deepStrictEqual([item.json.ref, item.json.description], [ref, risks[ref - 1].description]);
            for (const reply of [list, item]) {
                ways[reply.headers['cache-status']] = (ways[reply.headers['cache-status']] || 0) + 1;
            }
            if (i % 10 === 0) {
                assertSound((await statisticsOf(admin)).responses);
            }
        }
        const { responses } = await statisticsOf(admin);
        assertSound(responses);
        assert.strictEqual(responses.max_bytes, MIB);
        assert.ok(responses.bytes > 0.75 * MIB, `${responses.bytes} bytes are kept`);
        assert.ok(responses.evictions.capacity > 100, JSON.stringify(responses.evictions));
        assert.deepStrictEqual(Object.keys(ways).sort(), [STORED, HIT].sort());
    });

    await t.test('a write is seen in a full cache as in any other', async () => {
        for (let ref = 1; ref <= 20; ref++) {
            const path = `/risks/R-${ref}`;
            const { json: risk } = await admin.expect(200, 'GET', path);
            await admin.expect(200, 'PATCH', path, { owner: `owner of ${ref}` });
            const fresh = await admin.expect(200, 'GET', path);
            assertWay(fresh, STORED);
            assert.strictEqual(fresh.json.owner, `owner of ${ref}`);
            assert.strictEqual(fresh.json.version, risk.version + 1);
        }
    });
});

test('what is in the cache when the server stops is given back', async (t) => {
    const server = await startServer(t);
    const admin = await server.signIn();
    await makeRisk(admin);
    await makeAsset(admin, { name: 'Asset' });
    for (const route of [...DEFAULT_VIEWS, '/risks/R-1', '/risks/R-2']) {
        await admin.get(route);
        await admin.get(route, { 'Accept-Encoding': 'gzip' });
    }
    assert.ok((await statisticsOf(admin)).responses.entries > 0);
    await server.stop(); // A sanitizer would report what leaks.
});
