/**
 * PostgreSQL is restored from an older copy of its data, below nodes that know, and a Redis that holds, what was
 * written since: nobody is shown any of that lost future. And what strict consistency says while it is away.
 */
'use strict';

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { inspect } = require('node:util');
const { after, before, test } = require('node:test');

const { Client, startServer, waitFor } = require('../http/lib');
const { HIT, UNVERIFIED, statisticsOf } = require('../http/cached');
const { assertProblem, makeAsset, makeRisks } = require('../http/register');
const { startPostgres } = require('../tools/postgres');
const { SECOND, assertAgree, startNodes, startSecond } = require('./several');

const RISKS = 12;
const FUTURE_WRITES = 10;
const READERS_EACH = 4;
const LIMIT_MS = 1000; // L
const AT_ONCE_MS = 1000; // far less than any wait for a database
const SETTLE_LIMIT_MS = 10000;
const HELD_MS = 1200;
const AFTER_MS = 1000;
const LOST = 'of the lost future';

let cluster; // this file's alone, so that it may be set back
before(async () => (cluster = await startPostgres({ settings: { max_prepared_transactions: 2 } })));
after(() => cluster.stop());

const pass = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A copy of all of its data, taken while it is down, which putBack() makes its data again. */
async function takeCopy() {
    const copy = path.join(cluster.folder, 'copy');
    fs.rmSync(copy, { recursive: true, force: true });
    await cluster.shutDown();
    execFileSync('cp', ['-a', cluster.data, copy]);
    await cluster.start();
    return async () => {
        await cluster.kill();
        fs.rmSync(cluster.data, { recursive: true });
        execFileSync('cp', ['-a', copy, cluster.data]);
    };
}

function generations(url) {
    return cluster.query(url, 'SELECT scope, generation FROM cache_generation ORDER BY scope').then((text) =>
        Object.fromEntries(text.split('\n').map((line) => [line.split('|')[0], BigInt(line.split('|')[1])])));
}

/**
 * Nobody can bump a generation, not even to lift it over what was known: a transaction holds them. It is
 * prepared, so it is part of a copy.
 */
const hold = (url) => cluster.query(url, "BEGIN; SELECT FROM cache_generation FOR UPDATE; PREPARE TRANSACTION 'held'");
const letGo = (url) => cluster.query(url, "ROLLBACK PREPARED 'held'");

/**
 * A register at three nodes, and a copy of it; then a future that all of them, and Redis, know well. With
 * `isHeld` nobody can write to what is put back, until letGo().
 */
async function makeFuture(t, { isHeld = false } = {}) {
    const [url, redis] = [await cluster.createDatabase(), await startSecond(t)];
    const nodes = await startNodes(t, { urls: url, redis });
    const admin = await nodes[0].signIn();
    const asset = await makeAsset(admin, { name: 'An asset' });
    const ids = await makeRisks(admin, RISKS);
    const routes = [
        '/risks', '/risks?limit=200', '/risks?sort_by=title', '/stats', '/stats/risk-matrix', '/assets', `/assets/${asset.id}`, '/activity',
        `/risks?owner=${encodeURIComponent(LOST)}`, `/risks/${ids[0]}/timeline`, ...ids.map((id) => `/risks/${id}`),
    ];
    const readAll = async () => {
        for (const node of nodes) {
            await node.look();
            await Promise.all(routes.map((route) => node.client(admin.token).get(route)));
        }
    };
    nodes.forEach((node) => (node.adminToken = admin.token));
    await readAll();
    if (isHeld) {
        await hold(url);
    }
    const putBack = await takeCopy();
    if (isHeld) {
        await letGo(url);
    }
    const writesAgain = async (node) => (await node.client(admin.token).patch(`/assets/${asset.id}`, { owner: 'x' })).status === 200;
    await Promise.all(nodes.map((node) => waitFor(() => writesAgain(node), `${node.name} to come back`, SETTLE_LIMIT_MS)));

    // Each step of it is read everywhere, so that values of every generation are in Redis.
    for (let i = 0; i < FUTURE_WRITES; i++) {
        const body = { owner: LOST, title: `${LOST}, ${i}` };
        await nodes[i % nodes.length].client(admin.token).expect(200, 'PATCH', `/risks/${ids[i % RISKS]}`, body);
        await readAll();
    }
    await admin.expect(200, 'PATCH', `/assets/${asset.id}`, { name: LOST });
    const made = (await admin.expect(201, 'POST', '/risks', { title: LOST, impact: 5, probability: 5 })).json;
    routes.push(`/risks/${made.id}`);
    const stranger = await nodes[1].signIn();
    await readAll();
    await Promise.all(nodes.map((node) => node.client(stranger.token).expect(200, 'GET', '/risks')));
    const shown = await admin.expect(200, 'GET', `/risks/${ids[0]}`);
    assert.ok(shown.body.includes(LOST) && shown.headers['cache-status'] === HIT, 'it is kept');
    return { url, redis, nodes, admin, asset, ids, made, routes, stranger, putBack, known: await generations(url) };
}

/** Ask all the time, and note what came: {sent, node, route, status, isUnverified, isLost}. */
function keepAsking({ nodes, admin, routes }) {
    const answers = [];
    let isStopping = false;
    const turns = nodes.flatMap((node) => Array.from({ length: READERS_EACH }, async (_, i) => {
        const client = new Client(node.url, admin.token);
        for (let turn = i; !isStopping; turn++) {
            const [sent, route] = [performance.now(), routes[turn % routes.length]];
            const reply = await client.get(route).catch((error) => ({ status: 0, headers: {}, body: error.message }));
            const { status, headers, body } = reply;
            answers.push({ sent, node: node.name, route, status, way: headers['cache-status'], isUnverified: headers['cache-status'] === UNVERIFIED, isLost: body.includes(LOST) });
            await pass(5);
        }
        client.close();
    }));
    return async () => {
        isStopping = true;
        await Promise.all(turns);
        return answers;
    };
}

/** What holds when nodes and database have settled, however it came. */
async function assertForgotten(t, { url, nodes, admin, ids, made, routes, stranger, known }) {
    for (const [i, node] of nodes.entries()) {
        const client = node.client(admin.token);
        for (const route of routes) {
            const { status, body, headers } = await client.get(route);
            assert.ok(!body.includes(LOST) || status === 404, `${route} at ${node.name}, ${headers['cache-status']}: ${body}`);
        }
        assertProblem(await client.get(`/risks/${made.id}`), 404);
        assertProblem(await node.client(stranger.token).get('/risks'), 401);
        // Writes go on, and what they made is read under the generations that they made.
        const { json, headers } = await client.expect(200, 'PATCH', `/risks/${ids[i]}`, { owner: `after, ${i}` });
        assert.strictEqual(json.version, 2);
        for (const other of nodes) {
            for (const route of routes) {
                const { status, body } = await other.client(admin.token).get(route, { 'Consistency-Token': headers['consistency-token'] });
                assert.ok(!body.includes(LOST) || status === 404, `${route} at ${other.name}: ${body}`);
            }
            const read = await other.client(admin.token).expect(200, 'GET', `/risks/${ids[i]}`, undefined, { 'Consistency-Token': headers['consistency-token'] });
            assert.strictEqual(read.json.owner, `after, ${i}`);
        }
    }
    await admin.expect(200, 'DELETE', '/cache'); // A write to everything.
    const now = await generations(url);
    for (const scope of Object.keys(known)) {
        assert.ok(now[scope] > known[scope], `${scope}: ${now[scope]}, and ${known[scope]} was known`);
    }
    const ways = await assertAgree(t, { nodes, url, token: admin.token, routes });
    assert.ok(ways[SECOND] > 0, JSON.stringify(ways));
}

test('restored from an older copy while the nodes run', async (t) => {
    const all = await makeFuture(t, { isHeld: true });
    const { nodes, admin, routes, redis, url, known } = all;
    const stop = keepAsking(all);
    t.after(stop);
    const values = (await redis.keys('openrisk:*')).length;
    const killed = performance.now();
    await all.putBack();
    await cluster.start();
    const started = performance.now();
    await Promise.all(nodes.map((node) => waitFor(() => node.log.includes('event=database_went_back'), `${node.name} to notice`, SETTLE_LIMIT_MS)));
    const noticed = performance.now();
    await pass(HELD_MS);
    await letGo(url);
    const released = performance.now();
    const isSettled = async (node) => {
        const { status, headers } = await node.client(admin.token).get(routes[0]);
        return performance.now() > killed + LIMIT_MS && status === 200 && headers['cache-status'] === HIT; // Until then it may be of before.
    };
    await Promise.all(nodes.map((node) => waitFor(() => isSettled(node), `${node.name} to keep answers again`, SETTLE_LIMIT_MS)));
    const settled = performance.now();
    const lifted = await generations(url);
    await pass(AFTER_MS);
    const answers = await stop();

    const later = answers.filter(({ sent }) => sent > killed + LIMIT_MS);
    const count = (those) => answers.filter(those).length;
    t.diagnostic(`figure: PostgreSQL back with ${FUTURE_WRITES + 2} writes less after ${Math.round(started - killed)} ms, all nodes had noticed ${Math.round(noticed - started)} ms later, and settled ${Math.round(settled - released)} ms after they could lift the generations; ${values} values were in Redis`);
    t.diagnostic(`figure: of ${answers.length} answers ${count(({ sent, isLost, isUnverified }) => sent > killed && isLost && isUnverified)} showed the lost future unverified, ${count(({ status }) => status === 503)} were refused, ${later.filter(({ sent }) => sent > settled).length} came after that`);
    const wrong = later.filter(({ isLost, isUnverified, route, status }) => isLost && !isUnverified && !(route.includes('owner=') && status === 404));
    assert.deepStrictEqual(wrong.slice(0, 3), [], `${wrong.length} answers of the lost future`);
    assert.deepStrictEqual(answers.filter(({ sent, isLost, isUnverified }) => sent > noticed && (isLost && isUnverified)).slice(0, 3), [], 'not even unverified, once it is noticed');
    assert.deepStrictEqual(answers.filter(({ sent, isUnverified, status }) => sent > settled && (isUnverified || ![200, 404].includes(status))).slice(0, 3), []);
    assert.ok(Object.keys(known).every((scope) => lifted[scope] > known[scope]), `lifted over what was known, without a write: ${inspect(lifted)}, ${inspect(known)}`);
    for (const node of nodes) {
        const times = node.log.split('event=database_went_back').length - 1;
        assert.strictEqual(times, 1, `${node.name} says ${times} times that the database went back`);
    }
    await assertForgotten(t, all);
    await nodes[1].stop();
    await nodes[1].start();
    await assertAgree(t, { nodes, url, token: admin.token, routes });
});

test('restored from an older copy while the nodes are down, and Redis is not', async (t) => {
    const all = await makeFuture(t);
    const { nodes, redis } = all;
    await Promise.all(nodes.map((node) => node.stop()));
    const values = (await redis.keys('openrisk:*')).length;
    await all.putBack();
    await cluster.start();
    await Promise.all(nodes.map((node) => node.start()));
    all.admin = nodes[0].client(all.admin.token);
    await assertForgotten(t, all);
    const figures = await Promise.all(nodes.map((node) => statisticsOf(node.client(all.admin.token))));
    t.diagnostic(`figure: restored while the nodes were down: ${values} values of the lost future and before it were in Redis; second-level hits since: ${figures.map(({ responses }) => responses.second_hits).join(', ')}`);
});

test('CACHE_CONSISTENCY=strict: without PostgreSQL 503 at once, without Redis all is well', async (t) => {
    const [url, redis] = [await cluster.createDatabase(), await startSecond(t)];
    const server = await startServer(t, { env: { DATABASE_URL: url, REDIS_URL: redis.url, CACHE_CONSISTENCY: 'strict' } });
    const admin = await server.signIn();
    const [id] = await makeRisks(admin, 1);
    await waitFor(async () => (await admin.expect(200, 'GET', `/risks/${id}`)).headers['cache-status'] === HIT, 'a kept answer');
    await redis.kill();
    for (let i = 0; i < 20; i++) {
        const { json } = await admin.expect(200, 'PATCH', `/risks/${id}`, { owner: `${i}` });
        assert.strictEqual((await admin.expect(200, 'GET', `/risks/${id}`)).json.version, json.version);
    }
    await cluster.kill();
    let longest = 0;
    for (let i = 0; i < 20; i++) {
        const began = performance.now();
        const reply = await admin.get(`/risks/${id}`);
        longest = Math.max(longest, performance.now() - began);
        assertProblem(reply, 503);
        assert.match(reply.headers['retry-after'] || '', /^[1-9]\d*$/);
    }
    t.diagnostic(`figure: strict, and PostgreSQL is dead: refused after ${longest.toFixed(1)} ms at most`);
    assert.ok(longest < AT_ONCE_MS, `${longest} ms`);
    await cluster.start();
    await waitFor(async () => (await admin.get(`/risks/${id}`)).status === 200, 'an answer after its return', SETTLE_LIMIT_MS);
});
