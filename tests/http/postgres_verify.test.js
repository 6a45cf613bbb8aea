/** script/verify against three nodes on one PostgreSQL and one Redis, behind a balancer that gives each request to the next. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { CHECKS } = require('../../script/lib/verify/checks');
const { startAltering } = require('../tools/altering');
const { startRedis } = require('../tools/redis');
const { startServer } = require('./lib');
const { makeRisks } = require('./register');
const { AS_ADMIN, ENV, OPS_TOKEN, assertOk, isElsewhere, leavesNothing, verify } = require('./verified');

test('several nodes pass, each of which must have seen what another one has done', async (t) => {
    const redis = await startRedis();
    t.after(() => redis.stop());
    const first = await startServer(t, { env: { ...ENV, REDIS_URL: redis.url } });
    const env = { ...ENV, REDIS_URL: redis.url, DATABASE_URL: first.env.DATABASE_URL };
    const nodes = [first, await startServer(t, { env }), await startServer(t, { env })];
    const admin = await first.signIn();
    await makeRisks(admin, 30);
    const balancer = await startAltering(nodes.map(({ url }) => url));
    t.after(() => balancer.stop());
    const args = [...nodes.flatMap(({ opsUrl }) => ['--ops', opsUrl]), '--redis-stop', `kill -STOP ${redis.pid}`, '--redis-start', `kill -CONT ${redis.pid}`];
    const ops = { OPENRISK_OPS_TOKEN: OPS_TOKEN };

    const result = await leavesNothing(first, admin, () => verify([...args, balancer.url], { ...AS_ADMIN, ...ops }));
    assertOk(result, CHECKS.filter((check) => !isElsewhere(check)).map(({ name }) => name));
    assert.strictEqual(result.code, 0);
    assert.strictEqual(result.lines.livez.detail.split(', ').length, nodes.length);
    assert.match(result.lines['metrics-count'].detail, /^3 requests made, 3 counted$/);
});
