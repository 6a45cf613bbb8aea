/** The tests' own PostgreSQL: what is acknowledged outlives the power plug, and nothing outlives a test. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');

const { waitFor } = require('../http/lib');
const { assertEndsWithOwner } = require('./owner');
const { isAlive, startPostgres } = require('./postgres');

test('a cluster', async (t) => {
    const cluster = await startPostgres({ settings: { max_connections: 20 } });
    t.after(() => cluster.stop());

    await t.test('is reached by its URL only, with UTF-8, text in the order of bytes, and the settings asked for', async () => {
        const shown = await cluster.query(cluster.url, 'SHOW server_encoding; SHOW lc_collate; SHOW listen_addresses; SHOW max_connections; SHOW synchronous_commit');
        assert.deepStrictEqual(shown.split('\n'), ['UTF8', 'C.UTF-8', '127.0.0.1', '20', 'on']);
        const url = new URL(cluster.url);
        url.password = 'guessed';
        await assert.rejects(cluster.query(url.href, 'SELECT 1'), /password authentication failed/);
    });

    await t.test('makes databases that know nothing of each other, and drops them in use', async () => {
        const [one, other] = await Promise.all([cluster.createDatabase(), cluster.createDatabase()]);
        await cluster.query(one, 'CREATE TABLE t (x text); CREATE EXTENSION pg_trgm');
        assert.strictEqual(await cluster.query(other, "SELECT to_regclass('t') IS NULL"), 't');
        const user = cluster.query(one, 'SELECT pg_sleep(60)').catch((error) => error.message);
        const count = () => cluster.query(cluster.url, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%sleep(60)'");
        await waitFor(async () => (await count()) === '1', 'the user');
        await cluster.dropDatabase(one);
        assert.match(await user, /terminating connection|closed the connection/);
        await assert.rejects(cluster.query(one, 'SELECT 1'), /does not exist/);
        await cluster.dropDatabase(other);
    });

    await t.test('copies a database as it is', async () => {
        const one = await cluster.createDatabase();
        await cluster.query(one, "CREATE TABLE t (x text); INSERT INTO t VALUES ('it''s'), (NULL)");
        const copy = await cluster.copyDatabase(one);
        await cluster.query(one, 'DELETE FROM t');
        assert.strictEqual(await cluster.query(copy, 'SELECT * FROM t'), "it's");
        assert.strictEqual(await cluster.query(copy, 'SELECT count(*) FROM t'), '2');
    });

    await t.test('loses nothing by SIGKILL and comes back on the same port; a restart is told to clients', async () => {
        const url = await cluster.createDatabase();
        await cluster.query(url, 'CREATE TABLE t (x integer)');
        for (let i = 1; i <= 3; i++) {
            const { pid } = cluster;
            await cluster.query(url, `INSERT INTO t VALUES (${i})`);
            await cluster.kill();
            assert.ok(!isAlive(pid));
            await assert.rejects(cluster.query(url, 'SELECT 1'), /refused/);
            await cluster.start();
            assert.strictEqual(await cluster.query(url, 'SELECT count(*) FROM t'), `${i}`);
        }
        const user = cluster.query(url, 'SELECT pg_sleep(60)').catch((error) => error.message);
        await waitFor(() => cluster.query(url, "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%sleep(60)'"), 'the user');
        await cluster.shutDown();
        assert.match(await user, /administrator command/);
        await cluster.start();
        assert.strictEqual(await cluster.query(url, 'SELECT count(*) FROM t'), '3');
    });
});

test('two clusters do not meet', async (t) => {
    const clusters = await Promise.all([startPostgres(), startPostgres()]);
    t.after(() => Promise.all(clusters.map((cluster) => cluster.stop())));
    assert.notStrictEqual(clusters[0].port, clusters[1].port);
    await clusters[0].kill();
    assert.strictEqual(await clusters[1].query(clusters[1].url, 'SELECT 1'), '1');
});

test('a cluster ends with its process', (t) => assertEndsWithOwner(t, { file: require.resolve('./postgres'), start: 'startPostgres' }));
