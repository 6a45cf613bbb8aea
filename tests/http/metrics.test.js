/**
 * /metrics: all that the table names and nothing else, from the start; with labels that no client can add to; and
 * what other pages say too, says the same there.
 */
'use strict';

const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const { test } = require('node:test');

const { ENGINE, cli, startServer, waitFor } = require('./lib');
const { UNKNOWN_ID, makeRisk, operationsOf } = require('./register');
const { assertHistogramsHold, assertNoneWentBack } = require('../tools/exposition');
const { REQUESTS, changes, scrapeOf, settled } = require('./scraped');

/** For a path and for texts that must not get into a label. */
const STRANGE = 'strange-4f1a';
const TOKEN = 'a-token-for-the-operators';

function assertSameSeries(scrape, first, when) {
    assert.deepStrictEqual([...scrape.series.keys()], [...first.series.keys()], when);
}

/** Ask a route for all that it can be asked, well and badly. */
async function askAll(client, nobody, { method, path }) {
    const route = path.replace(/\{\w+\}/g, UNKNOWN_ID);
    const isWrite = method !== 'GET';
    await nobody.request(method, route, isWrite ? {} : undefined);
    await client.request(method, route, isWrite ? {} : undefined);
    await client.request(method, `${route}?${STRANGE}=1`, isWrite ? {} : undefined);
    await client.request(method, path.replace(/\{\w+\}/g, STRANGE), isWrite ? '{' : undefined);
    await client.request(method, route, isWrite ? '<a/>' : undefined, isWrite ? { 'Content-Type': 'text/xml' } : { 'If-None-Match': '"x"' });
    await client.request('HEAD', route);
    for (const odd of ['PUT', 'OPTIONS', 'TRACE']) {
        await client.request(odd, route);
    }
}

test('what /metrics says', async (t) => {
    const server = await startServer(t);
    const first = await scrapeOf(server);

    await t.test('is every metric of the program, and no other', async () => {
        const { stdout } = await cli(['metrics']);
        const listed = stdout.trimEnd().split('\n').map((line) => line.split(/\s+/).slice(0, 2));
        assert.deepStrictEqual([...first.metrics.values()].map(({ name, type }) => [name, type]), listed);
    });

    await t.test('is what Prometheus reads, without a warning', async () => {
        const reply = await server.ops.get('/metrics');
        assert.match(reply.headers['content-type'], /^text\/plain; version=0\.0\.4\b/);
        const run = spawnSync('promtool', ['check', 'metrics'], { input: reply.body, encoding: 'utf8' });
        assert.strictEqual(run.error, undefined);
        assert.deepStrictEqual([run.status, run.stdout, run.stderr], [0, '', '']);
    });

    await t.test('has nothing counted before anything was asked', () => {
        assert.strictEqual(first.sum(REQUESTS), 0);
        assert.strictEqual(first.sum('openrisk_login_attempts_total'), 0);
        assert.strictEqual(first.sum('openrisk_http_rejected_total'), 0);
        assert.strictEqual(first.value('openrisk_db_up'), 1);
        assert.strictEqual(first.value('openrisk_build_info', { store: ENGINE }), 1);
        assert.ok(first.find('openrisk_build_info')[0].labels.version !== '');
    });

    await t.test('names the routes of the API by their patterns', async () => {
        const document = (await server.client().get('/openapi.json')).json;
        const paths = operationsOf(document).map(({ method, path }) => `${method} /api/v1${path}`);
        const labels = first.find(REQUESTS, { status: '200' }).map(({ labels: { method, route } }) => `${method} ${route}`);
        assert.deepStrictEqual(labels.sort(), [...paths, 'GET /', 'none none'].sort());
    });

    await t.test('has the same series whatever is asked, and never a path', async () => {
        const admin = await server.signIn();
        const { items } = (await admin.get('/users')).json;
        assert.strictEqual(items.length, 1);
        const document = (await admin.get('/openapi.json')).json;
        const before = await settled(server);
        assertSameSeries(before, first, 'after a sign-in');
        for (const operation of operationsOf(document)) {
            // Whoever signs out is known no more.
            await askAll(operation.path === '/auth/logout' ? await server.signIn() : admin, server.client(), operation);
        }
        for (const route of [`/${STRANGE}`, `/risks/${STRANGE}/${STRANGE}`, `/${STRANGE}?${STRANGE}`, '/', '']) {
            await admin.get(route);
            await admin.post(route, {});
            await server.client(undefined, '').get(route);
        }
        await server.raw(`BREW /${STRANGE} HTTP/1.1\r\nHost: ${STRANGE}\r\n\r\n`);
        await server.raw(`GET /${STRANGE}/../x HTTP/1.1\r\nHost: x\r\n\r\n`);
        const after = await settled(server);
        assertSameSeries(after, first, 'after everything was asked');
        assertNoneWentBack(before, after);
        assertHistogramsHold(after);
        assert.ok(!after.text.includes(STRANGE) && !after.text.includes(UNKNOWN_ID));
        const found = changes(before, after, REQUESTS, ({ method, route }) => `${method} ${route}`);
        for (const { labels: { method, route } } of after.find(REQUESTS, { status: '200' })) {
            assert.ok(found[`${method} ${route}`] > 0, `${method} ${route} was asked`);
        }
        assert.strictEqual(after.sum(REQUESTS, { status: 'other' }), 0);
        assert.strictEqual(after.sum(REQUESTS, { status: '500' }), 0);
    });
});

test('requests are told apart by route, method and status', async (t) => {
    const server = await startServer(t);
    const admin = await server.signIn();
    const risk = await makeRisk(admin);
    const before = await settled(server);
    const { etag } = (await admin.get(`/risks/${risk.id}`)).headers;
    await admin.expect(304, 'GET', `/risks/${risk.id}`, undefined, { 'If-None-Match': etag });
    await admin.expect(200, 'HEAD', `/risks/${risk.id}`);
    await admin.expect(404, 'GET', `/risks/${UNKNOWN_ID}`);
    await admin.expect(200, 'PATCH', `/risks/${risk.id}`, { title: 'Other' });
    await admin.expect(412, 'PATCH', `/risks/${risk.id}`, { title: 'Old' }, { 'If-Match': etag });
    await admin.expect(422, 'POST', '/risks', { title: '' });
    await admin.expect(400, 'POST', '/risks', '{');
    await admin.expect(415, 'POST', '/risks', 'x', { 'Content-Type': 'text/plain' });
    await admin.expect(405, 'PUT', '/risks', {});
    await admin.expect(404, 'GET', '/no/such/thing');
    await server.client().expect(401, 'GET', '/risks');
    await server.client(undefined, '').expect(200, 'GET', '/');
    await admin.expect(204, 'DELETE', `/risks/${risk.id}`);
    const after = await settled(server);
    const name = ({ route, method, status }) => `${method} ${route} ${status}`;
    assert.deepStrictEqual(changes(before, after, REQUESTS, name), {
        'GET /api/v1/risks/{id} 200': 2,
        'GET /api/v1/risks/{id} 304': 1,
        'GET /api/v1/risks/{id} 404': 1,
        'PATCH /api/v1/risks/{id} 200': 1,
        'PATCH /api/v1/risks/{id} 412': 1,
        'DELETE /api/v1/risks/{id} 204': 1,
        'POST /api/v1/risks 422': 1,
        'POST /api/v1/risks 400': 1,
        'POST /api/v1/risks 415': 1,
        'GET /api/v1/risks 401': 1,
        'GET / 200': 1,
        'none none 405': 1,
        'none none 404': 1,
    });
    assert.deepStrictEqual(
        changes(before, after, 'openrisk_http_request_duration_seconds_count', ({ route, method }) => `${method} ${route}`),
        {
            'GET /api/v1/risks/{id}': 4,
            'PATCH /api/v1/risks/{id}': 2,
            'DELETE /api/v1/risks/{id}': 1,
            'POST /api/v1/risks': 3,
            'GET /api/v1/risks': 1,
            'GET /': 1,
            'none none': 2,
        },
    );
});

test('what the pool and the cache say of themselves is in the metrics, too', async (t) => {
    const server = await startServer(t, { env: { HTTP_MAX_CONNECTIONS: '77' } });
    const admin = await server.signIn();
    await makeRisk(admin);
    for (let i = 0; i < 3; i++) {
        await admin.expect(200, 'GET', '/stats');
        await admin.expect(200, 'GET', '/risks');
    }
    await makeRisk(admin);
    await admin.expect(200, 'GET', '/stats'); // another one in the place of what is outdated

    await t.test('GET /pool', async () => {
        // Neither of the two uses a connection, but one may be opened meanwhile.
        const poolLines = ({ text }) => text.match(/^openrisk_db_pool_.*$/gm).join('\n');
        const { scrape, pools } = await waitFor(async () => {
            const before = await scrapeOf(server);
            const { json } = await admin.expect(200, 'GET', '/pool');
            const isQuiet = before.sum('openrisk_db_pool_connections', { state: 'in_use' }) === 0;
            return isQuiet && poolLines(before) === poolLines(await scrapeOf(server)) && { scrape: before, pools: json };
        }, 'the pool to be at rest');
        for (const [pool, now] of Object.entries(pools)) {
            const value = (name, labels) => scrape.value(`openrisk_db_pool_${name}`, { pool, ...labels });
            assert.strictEqual(value('connections', { state: 'idle' }), now.idle);
            assert.strictEqual(value('connections', { state: 'opening' }), now.opening);
            assert.strictEqual(scrape.sum('openrisk_db_pool_connections', { pool }), now.open + now.opening);
            assert.strictEqual(value('max_connections'), now.max_open);
            assert.strictEqual(value('max_waiters'), now.max_waiting);
            assert.strictEqual(value('waiters'), now.waiting);
            assert.strictEqual(value('timeouts_total'), now.timed_out);
            assert.strictEqual(value('rejected_total'), now.refused);
            assert.strictEqual(value('opened_total'), now.opened);
            assert.strictEqual(value('open_failures_total'), now.open_failures);
            assert.strictEqual(value('leaks_total'), now.held_long);
            assert.strictEqual(value('wait_seconds_count'), now.wait.count);
            assert.strictEqual(Math.floor((1e6 * value('wait_seconds_sum')) / Math.max(now.wait.count, 1)), now.wait.mean_us);
            for (const [reason, count] of Object.entries(now.closed)) {
                assert.strictEqual(value('closed_total', { reason }), count, reason);
            }
        }
        assert.ok(pools.general.wait.count > 0 && pools.password.wait.count === 1, JSON.stringify(pools));
    });

    await t.test('GET /cache', async () => {
        const caches = (await admin.expect(200, 'GET', '/cache')).json;
        const scrape = await settled(server);
        for (const cache of ['responses', 'sessions']) {
            const now = caches[cache];
            const value = (name, labels) => scrape.value(`openrisk_cache_${name}`, { cache, ...labels });
            assert.strictEqual(value('bytes'), now.bytes);
            assert.strictEqual(value('max_bytes'), now.max_bytes);
            assert.strictEqual(value('entries'), now.entries);
            assert.strictEqual(value('load_failures_total'), now.load_failures);
            for (const [reason, count] of Object.entries(now.evictions)) {
                assert.strictEqual(value('evictions_total', { reason }), count, reason);
            }
            assert.strictEqual(value('requests_total', { result: 'hit_l1' }), now.hits);
            assert.strictEqual(value('requests_total', { result: 'unverified' }), now.unverified);
            assert.strictEqual(value('requests_total', { result: 'coalesced' }), now.coalesced);
        }
        assert.strictEqual(scrape.value('openrisk_cache_requests_total', { cache: 'responses', result: 'hit_l1' }), 4);
        assert.strictEqual(scrape.value('openrisk_cache_requests_total', { cache: 'responses', result: 'miss' }), 3);
        assert.strictEqual(scrape.sum('openrisk_cache_evictions_total', { cache: 'responses' }), 1);
        assert.strictEqual(scrape.value('openrisk_cache_load_duration_seconds_count', { cache: 'responses' }), caches.responses.loads);
        const lag = scrape.value('openrisk_cache_coherence_lag_seconds');
        assert.ok(lag >= 0 && lag < 30, `${lag} s`);
        assert.strictEqual(scrape.value('openrisk_cache_coherence_limit_seconds'), 0.98);
    });

    await t.test('connections and statements', async () => {
        const before = await settled(server);
        assert.strictEqual(before.value('openrisk_http_max_connections'), 77);
        assert.ok(before.value('openrisk_http_connections') >= 1);
        await makeRisk(admin);
        const after = await settled(server);
        const found = changes(before, after, 'openrisk_db_query_duration_seconds_count', ({ query }) => query);
        assert.strictEqual(found.begin_write, 1, JSON.stringify(found));
        assert.strictEqual(found.commit, 1, JSON.stringify(found));
        assert.ok(Object.keys(found).length > 5, JSON.stringify(found));
        assert.ok(after.sum('openrisk_db_query_duration_seconds_sum') > before.sum('openrisk_db_query_duration_seconds_sum'));
    });

    await t.test('the process', async () => {
        const scrape = await scrapeOf(server);
        const fields = fs.readFileSync(`/proc/${server.pid}/status`, 'utf8');
        const threads = Number(/^Threads:\s+(\d+)/m.exec(fields)[1]);
        assert.ok(Math.abs(scrape.value('process_threads') - threads) <= 2, `${threads} threads`);
        const began = scrape.value('process_start_time_seconds');
        assert.ok(Math.abs(began - Date.now() / 1000) < 600, String(began));
        assert.ok(scrape.value('process_open_fds') < scrape.value('process_max_fds'));
    });
});

test('without a cache nothing is said to be in one', async (t) => {
    const server = await startServer(t, { env: { CACHE_ENABLED: 'false' } });
    const admin = await server.signIn();
    await admin.expect(200, 'GET', '/stats');
    await admin.expect(200, 'GET', '/stats');
    const scrape = await settled(server);
    assert.deepStrictEqual(
        Object.fromEntries(scrape.find('openrisk_cache_requests_total', { cache: 'responses' }).map(({ labels, value }) => [labels.result, value])),
        { hit_l1: 0, hit_l2: 0, unverified: 0, miss: 0, coalesced: 0, bypass: 2 },
    );
    assert.strictEqual(scrape.sum('openrisk_cache_max_bytes'), 0);
    assert.ok(Number.isNaN(scrape.value('openrisk_cache_coherence_lag_seconds')));
    assert.strictEqual(scrape.sum('openrisk_redis_breaker_state'), 0);
    assert.ok(Number.isNaN(scrape.value('openrisk_redis_used_memory_bytes')));
});

test('the operators\' listener', async (t) => {
    const server = await startServer(t, { env: { OPENRISK_OPS_TOKEN: TOKEN } });
    const operator = server.client(TOKEN, '', server.opsUrl);
    const stranger = server.client('another-token', '', server.opsUrl);

    await t.test('wants its token', async () => {
        for (const client of [server.ops, stranger]) {
            const reply = await client.get('/metrics');
            assert.strictEqual(reply.status, 401);
            assert.doesNotMatch(reply.body, /openrisk_/);
        }
        const { status, body } = await operator.get('/metrics');
        assert.strictEqual(status, 200);
        assert.match(body, /\nprocess_threads \d+\n$/);
    });

    await t.test('answers GET and HEAD only', async () => {
        const whole = await operator.get('/metrics');
        const head = await operator.request('HEAD', '/metrics');
        assert.strictEqual(head.status, 200);
        assert.strictEqual(head.headers['content-type'], whole.headers['content-type']);
        assert.strictEqual(head.body, '');
        for (const method of ['POST', 'PUT', 'DELETE']) {
            assert.strictEqual((await operator.request(method, '/metrics')).status, 405, method);
        }
        assert.strictEqual((await operator.get('/metric')).status, 404);
    });

    await t.test('says that the server lives and is ready', async () => {
        for (const route of ['/livez', '/readyz']) {
            assert.strictEqual((await operator.get(route)).status, 200, route);
        }
        assert.strictEqual((await operator.get('/readyz')).body, 'ready\n');
    });

    await t.test('counts nothing of itself', async () => {
        const { body } = await operator.get('/metrics');
        assert.match(body, /^openrisk_http_requests_in_flight 0$/m);
        assert.doesNotMatch(body, /^openrisk_http_requests_total\{[^}]*\} [1-9]/m);
    });
});
