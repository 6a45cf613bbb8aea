/**
 * Who may no longer, may no longer at any node: signed out, revoked, deactivated, of another role, of another
 * password. And a crowd at all nodes that wants what none of them has costs each of them one load.
 */
'use strict';

const assert = require('node:assert');
const net = require('node:net');
const { test } = require('node:test');

const { waitFor } = require('../http/lib');
const { HIT, statisticsOf } = require('../http/cached');
const { makeRisks } = require('../http/register');
const { sharedPostgres } = require('../tools/postgres');
const { createDatabase } = require('./proxied');
const { startNodes, startSecond } = require('./several');

const LIMIT_MS = 1000; // L
const SEEN_LIMIT_MS = 5000;
const CROWD = 1000;
const CROWD_TURNS = 5;
const CROWD_ROUTE = '/risks?limit=200&sort_by=title';
const PASSWORD = 'a password for tests only';

/** What ends, and how, at the first node; what then the answer is to somebody who asks another one for `route`. */
const ENDS = {
    'signed out': { status: 401, end: ({ user }) => user.expect(204, 'POST', '/auth/logout') },
    'token revoked': { status: 401, end: ({ admin, apiToken }) => admin.expect(204, 'DELETE', `/tokens/${apiToken}`), isApiToken: true },
    deactivated: { status: 401, end: ({ admin, id }) => admin.expect(200, 'PATCH', `/users/${id}`, { is_active: false }) },
    'of another role': { status: 403, route: '/users', role: 'admin', end: ({ admin, id }) => admin.expect(200, 'PATCH', `/users/${id}`, { role: 'viewer' }) },
    'of another password': {
        status: 401,
        end: ({ elsewhere }) => elsewhere.expect(204, 'POST', '/users/me/password', { current_password: PASSWORD, new_password: `${PASSWORD}, another` }),
        needsOther: true,
    },
};

/** Somebody whom all nodes know well, and what is needed to end that. */
async function makeKnown(nodes, admin, serial, { role = 'viewer', route = '/risks', isApiToken, needsOther }) {
    const email = `${serial}@example.org`;
    const { id } = (await admin.expect(201, 'POST', '/users', { email, full_name: 'Somebody', role, password: PASSWORD })).json;
    let apiToken;
    let user;
    if (isApiToken) {
        const { json } = await admin.expect(201, 'POST', '/tokens', { name: email });
        apiToken = json.id;
        user = nodes[0].client(json.token);
    } else {
        user = await nodes[0].signIn(email, PASSWORD);
    }
    const elsewhere = needsOther ? await nodes[0].signIn(email, PASSWORD) : undefined;
    const others = nodes.slice(1).map((node) => node.client(user.token));
    for (const client of others) {
        const isKept = async () => route !== '/risks' || (await client.expect(200, 'GET', route)).headers['cache-status'] === HIT;
        await client.expect(200, 'GET', route);
        await waitFor(isKept, 'the user to be known and the answer to be kept');
    }
    return { admin, id, user, elsewhere, others, apiToken, route };
}

/** End it at the first node; how long it takes until the others say so, ms, the longest. */
async function timeToEnd(known, { end, status }) {
    await end(known);
    const acknowledged = performance.now();
    const times = await Promise.all(known.others.map((client) => waitFor(async () => {
        const sent = performance.now();
        const reply = await client.get(known.route);
        assert.ok(reply.status === status || reply.status === 200, `${reply.status} ${reply.body}`);
        assert.ok(reply.status === status || sent - acknowledged <= LIMIT_MS, `still let in ${Math.round(sent - acknowledged)} ms later`);
        return reply.status === status && Math.max(0.01, sent - acknowledged);
    }, 'the end to be seen', SEEN_LIMIT_MS)));
    return Math.max(...times);
}

async function startThree(t, env) {
    const [url, redis] = [await createDatabase(t), await startSecond(t)];
    const nodes = await startNodes(t, { urls: url, redis, env: { DB_POOL_MAX_WAITING: String(2 * CROWD), HTTP_MAX_CONNECTIONS: String(2 * CROWD), ...env } });
    const admin = await nodes[0].signIn();
    nodes.forEach((node) => (node.adminToken = admin.token));
    return { url, nodes, admin };
}

test('who may no longer, may no longer at any node within a second; at once with a token', async (t) => {
    const { url, nodes, admin } = await startThree(t);
    let serial = 0;
    for (const [what, kind] of Object.entries(ENDS)) {
        await t.test(`${what}: with a Consistency-Token the next request is refused`, async () => {
            const known = await makeKnown(nodes, admin, `user-${++serial}`, kind);
            const token = (await kind.end(known)).headers['consistency-token'];
            assert.ok(token, 'the answer carries a token');
            for (const client of known.others) {
                const reply = await client.get(known.route, { 'Consistency-Token': token });
                assert.strictEqual(reply.status, kind.status, reply.body);
            }
        });
    }
    for (const bell of ['with the bell', 'without the bell']) {
        if (bell === 'without the bell') {
            await (await sharedPostgres()).query(url, 'ALTER TABLE cache_generation DISABLE TRIGGER ring');
        }
        await t.test(`within a second, ${bell}`, async (t) => {
            const times = [];
            for (const [what, kind] of Object.entries(ENDS)) {
                times.push(`${what} ${Math.round(await timeToEnd(await makeKnown(nodes, admin, `user-${++serial}`, kind), kind))}`);
            }
            t.diagnostic(`figure: ms until all nodes say so, ${bell}: ${times.join(', ')}`);
        });
    }
});

test('CACHE_CONSISTENCY=strict: who may no longer is refused with the next request at any node', async (t) => {
    const { url, nodes, admin } = await startThree(t, { CACHE_CONSISTENCY: 'strict' });
    await (await sharedPostgres()).query(url, 'ALTER TABLE cache_generation DISABLE TRIGGER ring');
    let serial = 0;
    for (const [what, kind] of Object.entries(ENDS)) {
        await t.test(what, async () => {
            const known = await makeKnown(nodes, admin, `user-${++serial}`, kind);
            await kind.end(known);
            for (const client of known.others) {
                assert.strictEqual((await client.get(known.route)).status, kind.status);
            }
        });
    }
});

/** A connection that stands, on which one request after the other can be sent. */
async function stand(t, { hostname, port }) {
    const socket = net.connect(Number(port), hostname);
    t.after(() => socket.destroy());
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    socket.setNoDelay(true);
    return (request) => new Promise((resolve, reject) => {
        let text = '';
        const take = (chunk) => {
            text += chunk.toString('latin1');
            const begin = text.indexOf('\r\n\r\n') + 4;
            const [, length] = /^content-length: (\d+)\r$/im.exec(text.slice(0, begin)) || [];
            if (length !== undefined && text.length === begin + Number(length)) {
                socket.removeListener('data', take);
                resolve({ status: Number(text.split(' ')[1]), body: text.slice(begin) });
            }
        };
        socket.on('data', take);
        socket.once('error', reject);
        socket.write(request);
    });
}

test(`${CROWD} clients at three nodes that want what none of them has cost three loads at most`, async (t) => {
    const { nodes, admin } = await startThree(t);
    const [id] = await makeRisks(admin, 50);
    const askers = await Promise.all(Array.from({ length: CROWD }, (_, i) => stand(t, new URL(nodes[i % nodes.length].url))));
    const request = `GET /api/v1${CROWD_ROUTE} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${admin.token}\r\n\r\n`;
    const clients = nodes.map((node) => node.client(admin.token));
    const sum = async (name) => (await Promise.all(clients.map(statisticsOf))).reduce((all, { responses }) => all + responses[name], 0);
    const shown = [];
    for (let turn = 0; turn < CROWD_TURNS; turn++) {
        await admin.expect(200, 'PATCH', `/risks/${id}`, { owner: `turn ${turn}` });
        for (const [i, node] of nodes.entries()) {
            await clients[i].expect(200, 'GET', '/assets'); // Who asks is known.
            await node.look();
        }
        const [loads, second] = [await sum('loads'), await sum('second_hits')];
        const answers = await Promise.all(askers.map((ask) => ask(request)));
        const more = await sum('loads') - loads;
        shown.push(`${more} and ${await sum('second_hits') - second}`);
        assert.ok(answers.every(({ status }) => status === 200), `statuses ${[...new Set(answers.map(({ status }) => status))]}`);
        assert.strictEqual(new Set(answers.map(({ body }) => body)).size, 1, 'one body');
        assert.ok(answers[0].body.includes(`"turn ${turn}"`), 'that shows the last write');
        assert.ok(more <= nodes.length, `${more} loads`);
    }
    t.diagnostic(`figure: ${CROWD} clients at ${nodes.length} nodes, one cold key: loads, and answers from Redis, in ${CROWD_TURNS} turns: ${shown.join('; ')}`);
});
