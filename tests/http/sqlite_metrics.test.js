/** What metrics say of a SQLite database that refuses, or is away. */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { binary, startServer } = require('./lib');
const { UNVERIFIED } = require('./cached');
const { holdWriteLock } = require('./locked');
const { counted, scrapeOf, scrapeWhen, settled } = require('./scraped');

const RISK = { title: 'A risk', impact: 1, probability: 1 };

/** A refused write, and the note of it in the audit log, which is refused, too. */
const BUSY_PER_WRITE = 2;

test('writes that find another writer are counted as busy, one by one', async (t) => {
    const server = await startServer(t, { env: { DB_WRITE_TIMEOUT: '300ms' } });
    const admin = await server.signIn();
    const letGo = await holdWriteLock(t, server);

    await t.test('the other writer is another program', async () => {
        const found = await counted(server, 'openrisk_db_errors_total', 'class', () => admin.expect(503, 'POST', '/risks', RISK));
        assert.deepStrictEqual(found, { busy: BUSY_PER_WRITE });
    });

    await t.test('it is one of the same program, which waits for the other program', async () => {
        const found = await counted(server, 'openrisk_db_errors_total', 'class', async () => {
            const replies = await Promise.all(Array.from({ length: 4 }, () => admin.post('/risks', RISK)));
            assert.deepStrictEqual(replies.map(({ status }) => status), [503, 503, 503, 503]);
        });
        assert.deepStrictEqual(found, { busy: 4 * BUSY_PER_WRITE });
    });

    await letGo();
    const found = await counted(server, 'openrisk_db_errors_total', 'class', () => admin.expect(201, 'POST', '/risks', RISK));
    assert.deepStrictEqual(found, {});
});

test('who waits, who waited in vain, and who could not even wait', async (t) => {
    const server = await startServer(t, {
        env: {
            DB_POOL_MAX: '1',
            DB_POOL_MAX_WAITING: '2',
            DB_POOL_ACQUIRE_TIMEOUT: '3s',
            DB_POOL_LEAK_WARNING: '100ms',
            DB_WRITE_TIMEOUT: '60s',
        },
    });
    const admin = await server.signIn();
    const general = (scrape, name, labels) => scrape.value(`openrisk_db_pool_${name}`, { pool: 'general', ...labels });
    const letGo = await holdWriteLock(t, server);
    const write = admin.post('/risks', RISK);
    await scrapeWhen(server, (scrape) => general(scrape, 'connections', { state: 'in_use' }) === 1, 'the write to begin');
    const asked = Promise.all(Array.from({ length: 5 }, () => admin.expect(503, 'GET', '/users')));
    const full = await scrapeWhen(server, (scrape) => general(scrape, 'waiters') === 2, 'two to wait');
    assert.strictEqual(general(full, 'max_waiters'), 2);
    assert.strictEqual(general(full, 'max_connections'), 1);
    await asked;
    const after = await scrapeWhen(server, (scrape) => general(scrape, 'leaks_total') === 1, 'that it is held long to be noticed');
    assert.deepStrictEqual(
        ['timeouts_total', 'rejected_total', 'waiters', 'open_failures_total'].map((name) => general(after, name)),
        [2, 3, 0, 0],
    );
    const waits = general(after, 'wait_seconds_count');
    await letGo();
    assert.strictEqual((await write).status, 201);
    await admin.expect(200, 'GET', '/users');
    await scrapeWhen(server, (scrape) => general(scrape, 'wait_seconds_count') === waits + 1, 'one who had not to wait');
});

test('while the database is away, db_up is 0, and answers that are not verified are counted', async (t) => {
    const program = path.join(path.dirname(binary()), 'tests/away');
    const server = await startServer(t, { program, env: { CACHE_TTL_STATS: '1h', DB_POOL_ACQUIRE_TIMEOUT: '500ms' } });
    const admin = await server.signIn();
    await admin.expect(200, 'GET', '/stats');
    assert.strictEqual((await scrapeOf(server)).value('openrisk_db_up'), 1);
    const file = path.join(server.folder, 'openrisk.db.away');
    fs.writeFileSync(file, '');
    const limit = (await scrapeOf(server)).value('openrisk_cache_coherence_limit_seconds');
    await scrapeWhen(server, (scrape) => scrape.value('openrisk_db_up') === 0, 'the database to be away');
    await scrapeWhen(server, (scrape) => scrape.value('openrisk_cache_coherence_lag_seconds') > 2 * limit, 'what is known to grow old');

    const before = await settled(server);
    for (let i = 0; i < 3; i++) {
        assert.strictEqual((await admin.expect(200, 'GET', '/stats')).headers['cache-status'], UNVERIFIED);
    }
    const after = await settled(server);
    for (const cache of ['responses', 'sessions']) {
        const of = (scrape) => scrape.value('openrisk_cache_requests_total', { cache, result: 'unverified' });
        assert.strictEqual(of(after) - of(before), 3, cache);
    }
    // Whoever wants to sign in cannot, and it is not their fault.
    const logins = await counted(server, 'openrisk_login_attempts_total', 'result', () => server.client().expect(503, 'POST', '/auth/login', { email: 'a@example.org', password: 'x' }));
    assert.deepStrictEqual(logins, { busy: 1 });

    fs.rmSync(file);
    await scrapeWhen(server, (scrape) => scrape.value('openrisk_db_up') === 1, 'the database to be back');
    await scrapeWhen(server, (scrape) => scrape.value('openrisk_cache_coherence_lag_seconds') < limit, 'what is known to be young');
});
