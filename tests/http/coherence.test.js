/**
 * Many clients at once are told the truth and cost little: nothing that an acknowledged write has
 * changed is shown as it was, no version goes back, a crowd that wants one answer causes one load,
 * and who leaves before the answer is forgotten.
 */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');

const { kevLines } = require('../tools/generate-kev');
const { runClient } = require('./client');
const { FULL, ROOT, startServer, waitFor } = require('./lib');
const { makeRisks } = require('./register');

const OPERATIONS = FULL ? 1000000 : 100000;
const HISTORY_LIMIT_MS = (FULL ? 18 : 4) * 60000;
const CONNECTIONS = 64;
const RISKS = 24;
const HERD = 1000;
const CROWD_PATH = '/risks?limit=200&sort_by=title';

test(`${OPERATIONS} requests of ${CONNECTIONS} connections: what was acknowledged is seen, no version goes back`, async (t) => {
    const server = await startServer(t, { env: { DB_POOL_MAX_WAITING: String(2 * CONNECTIONS) } });
    const [admin, analyst, viewer] = [await server.signIn(), await server.as('analyst'), await server.as('viewer')];
    const ids = await makeRisks(admin, RISKS);
    const figures = await runClient(t, server, 'history', [
        '--token', admin.token, '--tokens', `${analyst.token},${viewer.token}`, '--risks', ids.join(','),
        '--connections', String(CONNECTIONS), '--operations', String(OPERATIONS), '--writers', '8', '--seed', '20',
    ], HISTORY_LIMIT_MS);
    assert.strictEqual(figures.operations, OPERATIONS);
    assert.strictEqual(figures.stale + figures.backwards + figures.errors + figures.refused, 0);
    assert.ok(figures.writes > OPERATIONS / 200, 'there were writes'); // Fewer where a disk is slow.
    assert.ok(figures.not_modified > 0, 'there were answers 304');
    assert.ok(figures.hits > OPERATIONS / 50, 'answers came from the cache');
    assert.strictEqual((await server.cli(['check'])).code, 0);
});

/** A server with one worker, where everybody may wait for long, and a client whose session it knows. */
async function startNarrowServer(t, more = {}) {
    const env = {
        DB_POOL_MAX: '1',
        DB_POOL_MAX_WAITING: String(2 * HERD),
        DB_POOL_ACQUIRE_TIMEOUT: '60s',
        CACHE_WAIT_TIMEOUT: '60s',
        HTTP_MAX_CONNECTIONS: String(2 * HERD),
        ...more,
    };
    const server = await startServer(t, { env });
    const admin = await server.signIn();
    await makeRisks(admin, RISKS);
    return { server, admin };
}

/** The processor time that a server has used, in ms. */
function usedMs(server) {
    const [, afterName] = fs.readFileSync(`/proc/${server.pid}/stat`, 'utf8').split(') ');
    const [user, system] = afterName.split(' ').slice(11, 13).map(Number);
    return 10 * (user + system);
}

/**
 * Give the worker an import that keeps it busy for a second or more, and wait until it is at it: the
 * server uses more processor time than reading the body takes. What this gives waits until it is done.
 */
async function occupyWorker(server, token) {
    const kev = fs.readFileSync(path.join(ROOT, 'tests/data/kev.csv'), 'utf8');
    const request = http.request(`${server.url}/api/v1/import/risks?format=kev&dry_run`, {
        method: 'POST',
        agent: false,
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'text/csv' },
    });
    const answered = once(request, 'response');
    request.end([...kevLines(20000, 1, kev)].join(''));
    await once(request, 'finish');
    const usedBefore = usedMs(server);
    await waitFor(() => usedMs(server) > usedBefore + 100, 'the worker to be busy');
    return async () => {
        const [response] = await answered;
        response.resume();
        assert.strictEqual(response.statusCode, 200);
    };
}

async function cacheFigures(client) {
    return (await client.expect(200, 'GET', '/cache')).json.responses;
}

function herd(t, server, token, ...more) {
    const args = ['--token', token, '--path', `/api/v1${CROWD_PATH}`, '--connections', String(HERD), ...more];
    return runClient(t, server, 'herd', args);
}

test(`${HERD} clients that want the same answer while it is not there cause one load`, async (t) => {
    const { server, admin } = await startNarrowServer(t);
    const before = await cacheFigures(admin);
    const workerDone = await occupyWorker(server, admin.token);
    const figures = await herd(t, server, admin.token);
    await workerDone();
    assert.strictEqual(figures.answers, HERD);
    assert.strictEqual(figures.bodies, 1);
    assert.strictEqual(figures.stored, 1);
    assert.strictEqual(figures.hit + figures.collapsed, HERD - 1);
    assert.ok(figures.collapsed > HERD / 2, 'they came while it was not there');
    assert.strictEqual((await cacheFigures(admin)).loads - before.loads, 1);
});

test(`${HERD} clients that leave while their request waits are forgotten; the load is kept`, async (t) => {
    const { server, admin } = await startNarrowServer(t);
    const openFiles = () => fs.readdirSync(`/proc/${server.pid}/fd`).length;
    const before = await cacheFigures(admin);
    const openBefore = openFiles();
    const workerDone = await occupyWorker(server, admin.token);
    await herd(t, server, admin.token, '--leave');
    await workerDone();
    await waitFor(() => openFiles() <= openBefore + 2, 'the connections to be closed');
    const isHit = async () => (await admin.expect(200, 'GET', CROWD_PATH)).headers['x-cache'] === 'HIT';
    await waitFor(isHit, 'the load to be kept');
    assert.strictEqual((await cacheFigures(admin)).loads - before.loads, 1);
    await server.stop();
});

test(`${HERD} clients with one token that the server does not know yet, or not any more: one asks who that is`, async (t) => {
    // They must not all stand in the line before the worker: it has room for four.
    const { server, admin } = await startNarrowServer(t, { DB_POOL_MAX_WAITING: '4', CACHE_TTL_RISKS: '1h' });
    await admin.expect(200, 'GET', CROWD_PATH);
    const tokenKnownTo = {
        nobody: async () => (await server.signIn()).token,
        'nobody any more': async () => {
            await admin.expect(200, 'DELETE', '/cache?scope=accounts');
            return admin.token;
        },
        'nobody, and its use is to be noted': async () => (await admin.expect(201, 'POST', '/tokens', { name: 'crowd' })).json.token,
    };
    for (const [who, prepare] of Object.entries(tokenKnownTo)) {
        const token = await prepare();
        const busy = await server.signIn();
        const workerDone = await occupyWorker(server, busy.token);
        const figures = await herd(t, server, token);
        await workerDone();
        assert.strictEqual(figures.answers, HERD, who);
        assert.strictEqual(figures.hit, HERD, who);
    }
});
