/** What metrics say of Redis: its memory, the breaker before it, how it answers, and what is wrong with it. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { startServer, waitFor } = require('./lib');
const { SECOND, STORED, assertWay } = require('./cached');
const { makeRisk } = require('./register');
const { startRedis } = require('../tools/redis');
const { changes, scrapeOf, scrapeWhen, settled } = require('./scraped');

const MIB = 1024 * 1024;
const USED = 'openrisk_redis_used_memory_bytes';
const MAX = 'openrisk_redis_max_memory_bytes';
const BREAKER = 'openrisk_redis_breaker_state';
const ENV = { REDIS_TIMEOUT: '10s', CACHE_TTL_STATS: '1h' };

async function ownRedis(t, options) {
    const redis = await startRedis(options);
    t.after(() => redis.stop());
    return redis;
}

/** Its one state; it must be one. */
function stateOf(scrape) {
    const states = scrape.find(BREAKER).filter(({ value }) => value !== 0);
    assert.strictEqual(states.length, 1, JSON.stringify(states));
    assert.strictEqual(states[0].value, 1);
    return states[0].labels.state;
}

function untilClosed(server) {
    return scrapeWhen(server, (scrape) => stateOf(scrape) === 'closed', 'the breaker to be closed');
}

/** What has been counted of the second level since `before`. */
function levelSince(before, after) {
    return {
        commands: changes(before, after, 'openrisk_redis_command_duration_seconds_count', ({ command }) => command),
        answers: changes(before, after, 'openrisk_cache_l2_requests_total', ({ result }) => result),
        errors: changes(before, after, 'openrisk_cache_l2_errors_total', ({ op }) => op),
        results: changes(before, after, 'openrisk_cache_requests_total', ({ cache, result }) => `${cache} ${result}`),
    };
}

test('Redis in the metrics', async (t) => {
    const redis = await ownRedis(t);
    const server = await startServer(t, { env: { ...ENV, REDIS_URL: redis.url } });
    let admin = await server.signIn();
    await makeRisk(admin);

    await t.test('its memory: what is used, and 0 for no maximum', async () => {
        const scrape = await scrapeWhen(server, (now) => now.value(USED) > 0, 'Redis to tell');
        assert.strictEqual(scrape.value(MAX), 0);
        assert.strictEqual(stateOf(scrape), 'closed');
        const said = Number(/^used_memory:(\d+)/m.exec(String(await redis.command('INFO', 'memory')))[1]);
        assert.ok(Math.abs(scrape.value(USED) - said) < MIB, `${scrape.value(USED)} of ${said}`);
    });

    await t.test('its maximum, when one is set', async () => {
        await redis.command('CONFIG', 'SET', 'maxmemory', 32 * MIB);
        await scrapeWhen(server, (now) => now.value(MAX) === 32 * MIB, 'the maximum to be seen');
    });

    await t.test('an answer is asked for and left there: a get and a set', async () => {
        const before = await settled(server);
        assertWay(await admin.expect(200, 'GET', '/stats'), STORED);
        await scrapeWhen(server, (now) => now.sum('openrisk_redis_command_duration_seconds_count') === before.sum('openrisk_redis_command_duration_seconds_count') + 2, 'both to be answered');
        const { commands, answers, errors, results } = levelSince(before, await settled(server));
        assert.deepStrictEqual({ commands, answers, errors }, { commands: { get: 1, set: 1 }, answers: { miss: 1 }, errors: {} });
        assert.strictEqual(results['responses miss'], 1);
    });

    await t.test('a node that has it from there counts a hit of the second level', async () => {
        await server.stop();
        await server.start();
        admin = server.client(admin.token);
        await untilClosed(server);
        const before = await settled(server);
        assertWay(await admin.expect(200, 'GET', '/stats'), SECOND);
        const { commands, answers, errors, results } = levelSince(before, await settled(server));
        assert.deepStrictEqual({ commands, answers, errors }, { commands: { get: 1 }, answers: { hit: 1 }, errors: {} });
        assert.strictEqual(results['responses hit_l2'], 1);
        assert.strictEqual(results['responses miss'], undefined);
    });

    await t.test('what somebody has put there is refused, and counted', async () => {
        const [key] = await redis.keys();
        await redis.set(key, 'nothing of ours', 60000);
        await server.stop();
        await server.start();
        admin = server.client(admin.token);
        await untilClosed(server);
        const before = await settled(server);
        assertWay(await admin.expect(200, 'GET', '/stats'), STORED);
        assert.deepStrictEqual(levelSince(before, await settled(server)).errors, { refused: 1 });
    });
});

test('a Redis that stalls, and one that is away', async (t) => {
    const redis = await ownRedis(t);
    const server = await startServer(t, { env: { ...ENV, REDIS_TIMEOUT: '100ms', REDIS_URL: redis.url } });
    const admin = await server.signIn();
    await scrapeWhen(server, (now) => now.value(USED) > 0, 'Redis to tell');

    await t.test('reads that were not answered in time are counted', async () => {
        const before = await settled(server);
        await redis.pause();
        assertWay(await admin.expect(200, 'GET', '/stats'), STORED);
        const after = await settled(server);
        await redis.resume();
        assert.strictEqual(levelSince(before, after).errors.get_timeout, 1);
        await untilClosed(server);
    });

    await t.test('the breaker opens, what is asked for meanwhile is not asked there, and nobody knows of its memory', async () => {
        await redis.kill();
        let page = 0;
        await waitFor(async () => {
            await admin.expect(200, 'GET', `/risks?limit=${++page}`);
            return stateOf(await scrapeOf(server)) === 'open';
        }, 'the breaker to open');
        const scrape = await scrapeWhen(server, (now) => now.value('openrisk_cache_l2_errors_total', { op: 'connect' }) > 0, 'a connection to be tried in vain');
        assert.ok(Number.isNaN(scrape.value(USED)) && Number.isNaN(scrape.value(MAX)));
        await waitFor(async () => {
            const before = await scrapeOf(server);
            await admin.expect(200, 'GET', `/risks?limit=${++page}`);
            return levelSince(before, await settled(server)).answers.not_asked === 1;
        }, 'an answer that Redis is not asked for');
    });

    await t.test('and it is closed when Redis is back', async () => {
        await redis.start();
        const seen = new Set();
        const back = await scrapeWhen(server, (now) => {
            seen.add(stateOf(now));
            return stateOf(now) === 'closed' && now.value(USED) > 0;
        }, 'Redis to be back');
        assert.strictEqual(back.value(MAX), 0);
        assert.ok([...seen].every((state) => ['open', 'half_open', 'closed'].includes(state)), [...seen].join());
    });
});

test('a Redis that does not tell of its memory is used all the same', async (t) => {
    const redis = await ownRedis(t, { acl: { app: 'on >secret ~* +@all -info' } });
    const server = await startServer(t, { env: { ...ENV, REDIS_URL: redis.urlFor('app', 'secret') } });
    const admin = await server.signIn();
    await untilClosed(server);
    const before = await settled(server);
    for (let i = 0; i < 5; i++) {
        await makeRisk(admin); // so that the next one is a miss
        assertWay(await admin.expect(200, 'GET', '/stats'), STORED);
    }
    const after = await settled(server);
    const { answers, errors } = levelSince(before, after);
    assert.deepStrictEqual({ answers, errors }, { answers: { miss: 5 }, errors: {} });
    assert.strictEqual(stateOf(after), 'closed');
    assert.ok(Number.isNaN(after.value(USED)) && Number.isNaN(after.value(MAX)));
    // It was asked once, and that was refused; the connection is the first one.
    const statistics = String(await redis.command('INFO', 'commandstats'));
    assert.match(statistics, /^cmdstat_info:.*\brejected_calls=1\b/m);
    assert.match(statistics, /^cmdstat_auth:calls=2,/m); // one is ours
});
