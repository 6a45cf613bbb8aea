/**
 * Under load: what is counted is what the clients saw, to the last request; and whoever scrapes meanwhile always gets
 * everything, and never a counter that went back.
 */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { ENGINE, FULL, startServer } = require('./lib');
const { UNKNOWN_ID, makeRisks, randomOf } = require('./register');
const { COLLAPSED, HIT, PASSED_BY, STORED } = require('./cached');
const { assertHistogramsHold, assertNoneWentBack, readExposition } = require('../tools/exposition');
const { connectPipeline, requestOf } = require('../tools/pipeline');
const { REQUESTS, changes, scrapeOf, settled } = require('./scraped');

const COUNT = ENGINE === 'postgres' && !FULL ? 30000 : 100000;
const CONNECTIONS = 8;
const AT_A_TIME = 16;
const RISKS = 20;
/** One write in so many requests, so that there are misses, too. */
const WRITE_EACH = 400;
/** What an answer says of the cache, as it is counted. */
const RESULTS = { [HIT]: 'hit_l1', [STORED]: 'miss', [PASSED_BY]: 'miss', [COLLAPSED]: 'coalesced' };
const API = '/api/v1';

/** What can be asked, and by which route that is counted: [route and method, request]. */
function kindsOf({ token, viewer, ids, random, tags, turn }) {
    const id = ids[turn % ids.length];
    const [risk, risks] = ['/api/v1/risks/{id}', '/api/v1/risks'];
    return {
        hit: () => [`GET ${risk}`, requestOf('GET', `${API}/risks/${id}`, { token })],
        list: () => [`GET ${risks}`, requestOf('GET', `${API}/risks?limit=${1 + random.below(5)}`, { token })],
        figures: () => ['GET /api/v1/stats', requestOf('GET', `${API}/stats`, { token: viewer })],
        same: () => [`GET ${risk}`, requestOf('GET', `${API}/risks/${id}`, { token, headers: { 'If-None-Match': tags.get(id) || '"none"' } }), id],
        head: () => [`GET ${risk}`, requestOf('HEAD', `${API}/risks/${id}`, { token })],
        gone: () => [`GET ${risk}`, requestOf('GET', `${API}/risks/${UNKNOWN_ID}`, { token })],
        nowhere: () => ['none none', requestOf('GET', `${API}/nowhere/${turn}`, { token })],
        odd: () => ['none none', requestOf('PUT', `${API}/risks`, { token })],
        wrong: () => [`GET ${risks}`, requestOf('GET', `${API}/risks?limit=x`, { token })],
        nobody: () => [`GET ${risks}`, requestOf('GET', `${API}/risks`)],
        forbidden: () => ['GET /api/v1/users', requestOf('GET', `${API}/users`, { token: viewer })],
        health: () => ['GET /api/v1/health', requestOf('GET', `${API}/health`)],
        page: () => ['GET /', requestOf('GET', '/')],
        write: () => [`PATCH ${risk}`, requestOf('PATCH', `${API}/risks/${id}`, { token, body: { owner: `owner ${turn}` } })],
        invalid: () => [`PATCH ${risk}`, requestOf('PATCH', `${API}/risks/${id}`, { token, body: { impact: 9 } })],
    };
}

/** Most of what is asked is kept; a little of everything else. */
const MIX = [
    ...Array(30).fill('hit'), ...Array(6).fill('list'), ...Array(6).fill('figures'), ...Array(12).fill('same'), ...Array(4).fill('head'),
    'gone', 'nowhere', 'odd', 'wrong', 'nobody', 'forbidden', 'health', 'page',
];

class Counts {
    constructor() {
        this.statuses = {};
        this.results = {};
        this.durations = {};
    }

    add(route, answer) {
        const raise = (counts, name) => (counts[name] = (counts[name] || 0) + 1);
        raise(this.statuses, `${route} ${answer.status}`);
        raise(this.durations, route);
        const way = answer.header('cache-status');
        if (way !== undefined) {
            assert.ok(RESULTS[way], way);
            assert.strictEqual(answer.header('x-cache'), way === HIT ? 'HIT' : 'MISS');
            raise(this.results, RESULTS[way]);
        }
    }
}

/** One connection, until all have asked so often together. */
async function askOn(pipeline, whole, seed) {
    const random = randomOf(seed);
    const tags = new Map();
    while (whole.left > 0) {
        const count = Math.min(AT_A_TIME, whole.left);
        whole.left -= count;
        const asked = Array.from({ length: count }, () => {
            const turn = whole.turn++;
            const kind = turn % WRITE_EACH === 0 ? random.of(['write', 'write', 'invalid']) : random.of(MIX);
            return kindsOf({ ...whole.who, random, tags, turn })[kind]();
        });
        const answers = await pipeline.ask(asked.map(([, request]) => request));
        answers.forEach((answer, i) => {
            const [route, , id] = asked[i];
            whole.counts.add(route, answer);
            if (id !== undefined && answer.header('etag') !== undefined) {
                tags.set(id, answer.header('etag'));
            }
        });
    }
}

/** Scrape, and scrape again, until `isOver()`: {times in ms, bytes}. */
async function scrapeOn(server, isOver) {
    const times = [];
    let before = await scrapeOf(server);
    while (!isOver()) {
        const began = performance.now();
        const reply = await server.ops.get('/metrics');
        times.push(performance.now() - began);
        assert.strictEqual(reply.status, 200, reply.body);
        assert.match(reply.body, /\nprocess_threads \d+\n$/);
        const scrape = readExposition(reply.body);
        assertNoneWentBack(before, scrape);
        assertHistogramsHold(scrape);
        before = scrape;
    }
    return { times: times.sort((a, b) => a - b), bytes: before.text.length };
}

test(`${COUNT} requests are counted exactly, and every scrape meanwhile is whole`, async (t) => {
    const server = await startServer(t);
    const admin = await server.signIn();
    const viewer = await server.as('viewer');
    const ids = await makeRisks(admin, RISKS);
    await viewer.expect(200, 'GET', '/stats');
    const whole = { left: COUNT, turn: 0, counts: new Counts(), who: { token: admin.token, viewer: viewer.token, ids } };
    const pipelines = await Promise.all(Array.from({ length: CONNECTIONS }, () => connectPipeline(server.url)));
    t.after(() => pipelines.forEach((pipeline) => pipeline.close()));
    const before = await settled(server);

    let isOver = false;
    const began = performance.now();
    const scraping = scrapeOn(server, () => isOver);
    const asking = Promise.all(pipelines.map((pipeline, i) => askOn(pipeline, whole, i + 1))).finally(() => (isOver = true));
    const [, scrapes] = await Promise.all([asking, scraping]);
    const seconds = (performance.now() - began) / 1000;
    const after = await settled(server);
    const { statuses, results, durations } = whole.counts;

    await t.test('there was something of everything', () => {
        const seen = Object.keys(statuses).map((name) => name.split(' ').pop());
        assert.deepStrictEqual([...new Set(seen)].sort(), ['200', '304', '400', '401', '403', '404', '405', '422']);
        assert.ok(results.miss > 10 && results.hit_l1 > COUNT / 2, JSON.stringify(results));
        assert.strictEqual(Object.values(statuses).reduce((sum, count) => sum + count), COUNT);
    });

    await t.test('by route, method and status', () => {
        assert.deepStrictEqual(changes(before, after, REQUESTS, ({ route, method, status }) => `${method} ${route} ${status}`), statuses);
    });

    await t.test('by what the cache did', () => {
        const of = ({ cache, result }) => `${cache} ${result}`;
        const found = Object.entries(changes(before, after, 'openrisk_cache_requests_total', of)).filter(([name]) => name.startsWith('responses'));
        assert.deepStrictEqual(Object.fromEntries(found), Object.fromEntries(Object.entries(results).map(([name, count]) => [`responses ${name}`, count])));
    });

    await t.test('in the histograms', () => {
        const of = ({ route, method }) => `${method} ${route}`;
        assert.deepStrictEqual(changes(before, after, 'openrisk_http_request_duration_seconds_count', of), durations);
        const spent = after.sum('openrisk_http_request_duration_seconds_sum') - before.sum('openrisk_http_request_duration_seconds_sum');
        assert.ok(spent > 0 && spent < seconds * CONNECTIONS * AT_A_TIME, `${spent} s`);
    });

    await t.test('and nothing else was', () => {
        for (const metric of ['openrisk_http_rejected_total', 'openrisk_login_attempts_total', 'openrisk_db_errors_total']) {
            assert.strictEqual(after.sum(metric), before.sum(metric), metric);
        }
        assert.ok(after.value('openrisk_http_connections') >= CONNECTIONS);
        assert.ok(after.value('process_cpu_seconds_total') > before.value('process_cpu_seconds_total'));
    });

    t.diagnostic(`figure: ${COUNT} requests in ${seconds.toFixed(1)} s: ${Object.entries(results).map(([name, count]) => `${name} ${count}`).join(', ')}`);
    const { times, bytes } = scrapes;
    assert.ok(times.length > 10, `${times.length} scrapes`);
    t.diagnostic(`figure: ${times.length} scrapes of ${Math.round(bytes / 1024)} KiB meanwhile, in ${times[times.length >> 1].toFixed(1)} ms by the median, ${times[times.length - 1].toFixed(1)} ms at most`);
});
