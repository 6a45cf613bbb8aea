/** Servers whose way to PostgreSQL can be disturbed. */
'use strict';

const { startServer } = require('../http/lib');
const { sharedPostgres } = require('../tools/postgres');
const { startProxy } = require('../tools/proxy');

/** A database of its own, until the test ends: its URL. */
async function createDatabase(t) {
    const cluster = await sharedPostgres();
    const url = await cluster.createDatabase();
    t.after(() => cluster.dropDatabase(url));
    return url;
}

/** A server that reaches its new database, at `url`, through a proxy. */
async function startBehindProxy(t, env) {
    const url = await createDatabase(t);
    const { hostname, port } = new URL(url);
    const proxy = await startProxy(hostname, port);
    t.after(() => proxy.stop());
    const server = await startServer(t, { env: { ...env, DATABASE_URL: proxy.url(url) } });
    return { server, proxy, url };
}

module.exports = { createDatabase, startBehindProxy };
