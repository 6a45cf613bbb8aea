/** What must hold of a server's connections to PostgreSQL, of its health and of its register after a fault. */
'use strict';

const assert = require('node:assert');

const { ADMIN, waitFor } = require('../http/lib');

const SETTLE_LIMIT_MS = 20000;

async function pools(admin) {
    return (await admin.expect(200, 'GET', '/pool')).json;
}

/** The pools of a server, when nobody uses them any more. */
function waitForRest(admin) {
    const isAtRest = (pool) => pool.in_use + pool.waiting + pool.opening === 0 && pool.idle === pool.open && pool.idle <= pool.max_idle;
    return waitFor(async () => {
        const now = await pools(admin);
        return Object.values(now).every(isAtRest) && now;
    }, 'the pools to be at rest', SETTLE_LIMIT_MS);
}

/** That an idle connection is dead is found out when somebody needs one. */
async function useConnections(server, admin) {
    const login = server.client();
    await Promise.all([login.post('/auth/login', ADMIN), ...Array.from({ length: 10 }, () => admin.get('/users/me'))]);
    login.close();
}

/**
 * No connection has leaked, by the server's own count and by PostgreSQL's. Gives GET /pool. `admins`: those of
 * other servers with the same database.
 */
async function assertSettled(server, admin, admins = []) {
    await waitForRest(admin);
    const name = new URL(server.env.DATABASE_URL).pathname.slice(1);
    const seen = `SELECT count(*), count(*) FILTER (WHERE state LIKE 'idle in%') FROM pg_stat_activity WHERE application_name = 'openrisk' AND datname = '${name}'`;
    let last;
    const doAgree = async () => {
        await useConnections(server, admin);
        const all = await Promise.all([admin, ...admins].map(waitForRest));
        const open = all.reduce((sum, { general, password }) => sum + general.open + password.open + 1, 0); // one more is the watch's
        last = `${open} by the servers' count, ${await server.sql(seen)} by PostgreSQL's`;
        return last === `${open} by the servers' count, ${open}|0 by PostgreSQL's`;
    };
    await waitFor(doAgree, 'PostgreSQL and the servers to count as many connections', SETTLE_LIMIT_MS).catch((error) => {
        error.message += `: ${last}`;
        throw error;
    });
    const all = await waitForRest(admin);
    for (const pool of Object.values(all)) {
        const closed = Object.values(pool.closed).reduce((sum, count) => sum + count, 0);
        assert.strictEqual(pool.opened - closed, pool.open, JSON.stringify(pool));
        assert.strictEqual(pool.verdict, 'ok');
        assert.strictEqual(pool.cannot_open_for_ms, null);
    }
    return all;
}

/** The register is whole, and holds what was acknowledged. */
async function assertWhole(server, load) {
    const { code, stdout, stderr } = await server.cli(['check']);
    assert.strictEqual(code, 0, `${stdout}${stderr}`);
    if (load) {
        await load.truth.compare(server);
    }
}

async function healthOf(server) {
    const { status, json } = await server.client().get('/health');
    return { status, database: json.checks.database.status, pool: json.checks.pool };
}

module.exports = { assertSettled, assertWhole, healthOf, pools };
