/** What metrics say of a PostgreSQL that refuses, takes too long, or is gone. */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, test } = require('node:test');

const { ROOT, startServer, waitFor } = require('./lib');
const { startPostgres } = require('../tools/postgres');
const { changes, counted, scrapeOf, scrapeWhen, settled } = require('./scraped');

const ERRORS = 'openrisk_db_errors_total';
const RISK = { title: 'A risk', impact: 1, probability: 1 };

let cluster; // this file's alone, so that it may be killed
before(async () => (cluster = await startPostgres()));
after(() => cluster.stop());

async function start(t, env) {
    return startServer(t, { env: { DATABASE_URL: await cluster.createDatabase(), ...env } });
}

/** Somebody who has done `sql` and stays in the transaction; gives a function that ends them. */
async function hold(url, sql) {
    const session = cluster.query(url, `BEGIN; ${sql}; SELECT pg_sleep(600)`).catch((error) => assert.match(error.message, /terminat/));
    const held = `FROM pg_stat_activity WHERE datname = '${new URL(url).pathname.slice(1)}' AND query LIKE '%pg_sleep(600)%' AND wait_event = 'PgSleep'`;
    await waitFor(async () => (await cluster.query(url, `SELECT count(*) ${held}`)) === '1', 'the lock');
    return async () => {
        await cluster.query(url, `SELECT pg_terminate_backend(pid) ${held}`);
        await session;
    };
}

test('a write behind another writer is counted as busy', async (t) => {
    const server = await start(t, { DB_WRITE_TIMEOUT: '300ms' });
    const admin = await server.signIn();
    const [, key] = /WRITER_LOCK "(\d+)"/.exec(fs.readFileSync(path.join(ROOT, 'src/store/postgres.c'), 'utf8'));
    const letGo = await hold(server.env.DATABASE_URL, `SELECT pg_advisory_xact_lock(${key})`);
    const found = await counted(server, ERRORS, 'class', () => admin.expect(503, 'POST', '/risks', RISK));
    assert.deepStrictEqual(found, { busy: 1 });
    await letGo();
    assert.deepStrictEqual(await counted(server, ERRORS, 'class', () => admin.expect(201, 'POST', '/risks', RISK)), {});
});

test('a statement that takes too long is counted as a timeout', async (t) => {
    const server = await start(t, { DB_STATEMENT_TIMEOUT: '300ms' });
    const admin = await server.signIn();
    const letGo = await hold(server.env.DATABASE_URL, 'LOCK TABLE risk IN ACCESS EXCLUSIVE MODE');
    const before = await settled(server);
    const found = await counted(server, ERRORS, 'class', () => admin.expect(503, 'GET', '/risks'));
    assert.deepStrictEqual(found, { timeout: 1 });
    const failures = changes(before, await settled(server), 'openrisk_cache_load_failures_total', ({ cache }) => cache);
    assert.deepStrictEqual(failures, { responses: 1 });
    await letGo();
    assert.deepStrictEqual(await counted(server, ERRORS, 'class', () => admin.expect(200, 'GET', '/risks')), {});
});

test('while PostgreSQL is gone, db_up is 0, and lost connections are counted', async (t) => {
    const server = await start(t, { DB_POOL_ACQUIRE_TIMEOUT: '500ms' });
    const admin = await server.signIn();
    await admin.expect(200, 'GET', '/users');
    const earlier = await settled(server);
    assert.strictEqual(earlier.value('openrisk_db_up'), 1);
    assert.strictEqual(earlier.sum(ERRORS), 0);
    await cluster.kill();
    const gone = await scrapeWhen(server, (scrape) => scrape.value('openrisk_db_up') === 0, 'PostgreSQL to be missed');
    assert.ok(gone.value(ERRORS, { class: 'unavailable' }) > 0);
    await admin.expect(503, 'GET', '/users');
    const logins = await counted(server, 'openrisk_login_attempts_total', 'result', () => server.client().expect(503, 'POST', '/auth/login', { email: 'a@example.org', password: 'x' }));
    assert.deepStrictEqual(logins, { busy: 1 });
    const closed = await waitFor(async () => {
        await admin.expect(503, 'GET', '/users');
        const scrape = await scrapeOf(server);
        return scrape.sum('openrisk_db_pool_open_failures_total') > 0 && scrape;
    }, 'connections to be tried in vain');
    assert.ok(closed.sum('openrisk_db_pool_closed_total', { reason: 'broken' }) + closed.sum('openrisk_db_pool_closed_total', { reason: 'check' }) > 0);
    await cluster.start();
    await scrapeWhen(server, (scrape) => scrape.value('openrisk_db_up') === 1, 'PostgreSQL to be back');
    await waitFor(async () => (await admin.get('/users')).status === 200, 'the pool to have connections again');
    const back = await settled(server);
    assert.strictEqual(back.sum(ERRORS), back.value(ERRORS, { class: 'unavailable' }));
});
