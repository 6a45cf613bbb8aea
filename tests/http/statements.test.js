/** What a request costs: as many statements with 500 risks as with 5, and few. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { ENGINE, startServer, waitFor } = require('./lib');
const { makeAsset, makeMitigation, makeRisk } = require('./register');

const MOST = 12;

/** The log's "event=request" lines as objects. */
function requestsIn(log) {
    return log
        .split('\n')
        .filter((line) => / event=request /.test(line))
        .map((line) => Object.fromEntries([...line.matchAll(/(\w+)=("(?:[^"\\]|\\.)*"|\S+)/g)].map(([, name, value]) => [name, value])));
}

/**
 * A client whose requests are counted, for the server writes a request's line when the client has its
 * answer already: the n-th line is that of the n-th request.
 */
async function countingClient(server) {
    const client = await server.signIn();
    const request = client.request.bind(client);
    client.sent = 1; // The sign-in.
    client.request = (...args) => {
        client.sent++;
        return request(...args);
    };
    return client;
}

/** What the server logged of one request: {statements, round_trips, …}. */
async function costOf(server, client, method, route, body) {
    const reply = await client.request(method, route, body);
    assert.ok(reply.status < 300, `${method} ${route}: ${reply.status} ${reply.body}`);
    const line = await waitFor(() => requestsIn(server.log)[client.sent - 1], `the log line of ${method} ${route}`);
    assert.match(line.statements || '', /^\d+$/, JSON.stringify(line));
    assert.match(line.round_trips || '', /^\d+$/, JSON.stringify(line));
    return { statements: Number(line.statements), trips: Number(line.round_trips) };
}

async function statementsFor(...request) {
    return (await costOf(...request)).statements;
}

test('a fixed number of statements per request', async (t) => {
    const server = await startServer(t, { env: { CACHE_ENABLED: 'false' } });
    const admin = await countingClient(server);
    const asset = await makeAsset(admin, { name: 'Everywhere' });
    const fill = async (count) => {
        for (let i = 0; i < count; i++) {
            const body = { impact: 1 + (i % 5), asset_ids: [asset.id], tags: ['one', 'two'], category: 'c' };
            const risk = await makeRisk(admin, body);
            if (i % 5 === 0) {
                await makeMitigation(admin, risk.id, { due_date: '2020-01-01' });
            }
        }
    };
    await fill(5);
    const first = (await admin.get('/risks?sort_by=created_at&sort_dir=asc&limit=1')).json.items[0];
    await admin.expect(201, 'POST', `/risks/${first.id}/mitigations`, { title: 'x' });
    const requests = [
        ['GET', '/risks'],
        ['GET', '/risks?limit=200'],
        ['GET', '/risks?limit=200&q=risk&tag=one&sort_by=title'],
        ['GET', `/risks?asset_id=${asset.id}&limit=100&page=1`],
        ['GET', '/risks/values?member=tag'],
        ['GET', `/risks/${first.id}`],
        ['GET', `/risks/${first.id}/timeline`],
        ['GET', `/risks/${first.id}/mitigations`],
        ['GET', '/mitigations?overdue=true&limit=200'],
        ['GET', '/assets'],
        ['GET', `/assets/${asset.id}`],
        ['GET', '/stats'],
        ['GET', '/stats/risk-matrix'],
        ['GET', '/stats/trends?days=365'],
        ['GET', '/stats/risk-distribution'],
        ['GET', '/stats/mitigation-metrics'],
        ['GET', '/stats/top-risks?limit=50'],
        ['GET', '/activity?limit=200'],
        ['GET', '/audit-logs?limit=200'],
        ['GET', '/users'],
        ['GET', '/tokens'],
    ];
    // The smaller of two: now and then a request also notes when its token was last used.
    const count = async () => {
        const counts = {};
        for (const [method, route] of requests) {
            const one = await statementsFor(server, admin, method, route);
            counts[`${method} ${route}`] = Math.min(one, await statementsFor(server, admin, method, route));
        }
        return counts;
    };
    const few = await count();

    await t.test('with 5 risks it is small', async () => {
        for (const [request, statements] of Object.entries(few)) {
            assert.ok(statements >= 1 && statements <= MOST, `${request}: ${statements}`);
        }
    });

    await t.test('with 500 risks it is the same', async () => {
        await fill(495);
        assert.deepStrictEqual(await count(), few);
    });
});

test('a hit needs no statement, a miss the same number plus one for the generations', async (t) => {
    const server = await startServer(t, { env: { LOG_HIT_SAMPLE: '1', CACHE_TTL_RISKS: '1h', CACHE_TTL_STATS: '1h' } });
    const plain = await startServer(t, { env: { CACHE_ENABLED: 'false' } });
    const admin = await countingClient(server);
    const uncached = await countingClient(plain);
    await statementsFor(server, admin, 'GET', '/users/me'); // From now on the session is known.
    for (const route of ['/risks', '/stats', '/stats/trends', '/assets', '/activity']) {
        const without = await statementsFor(plain, uncached, 'GET', route);
        const miss = await statementsFor(server, admin, 'GET', route);
        const hit = await statementsFor(server, admin, 'GET', route);
        const ofTheToken = 1;
        assert.deepStrictEqual([miss, hit], [without - ofTheToken + 1, 0], route);
    }
});

/**
 * What is known without an answer is asked for together, see store/postgres_wire.h. A list with
 * filters waits for its count, which decides in which form it is read, then for its rows; and that of risks for
 * what hangs on them, which it asks for by their numbers. Whoever is not known yet costs one more.
 */
test('a request waits for the database as often as it must', async (t) => {
    const server = await startServer(t, { env: { LOG_HIT_SAMPLE: '1' } });
    const admin = await countingClient(server);
    const asset = await makeAsset(admin, { name: 'Everywhere' });
    const risk = await makeRisk(admin, { asset_ids: [asset.id] });
    await makeMitigation(admin, risk.id, {});
    await costOf(server, admin, 'GET', '/users/me'); // From now on the session is known.
    const expected = {
        [`/risks/${risk.id}`]: 1,
        [`/risks/${risk.ref}`]: 1,
        '/risks/values?q=a': 1,
        '/stats': 1,
        '/stats/risk-matrix': 1,
        '/stats/trends?days=365': 1,
        '/stats/top-risks': 1,
        '/risks': 2,
        '/risks?q=risk': 3,
        '/mitigations': 1,
        '/assets': 1,
        '/activity': 1,
        '/mitigations?status=DONE': 2,
        [`/risks/${risk.id}/timeline`]: 3,
    };
    const found = {};
    for (const route of Object.keys(expected)) {
        for (let i = 0; i < 2; i++) {
            await makeRisk(admin, { asset_ids: [asset.id] }); // So that no answer is kept.
            found[route] = (await costOf(server, admin, 'GET', route)).trips;
        }
    }
    const none = Object.fromEntries(Object.keys(expected).map((route) => [route, 0]));
    assert.deepStrictEqual(found, ENGINE === 'postgres' ? expected : none);
});
