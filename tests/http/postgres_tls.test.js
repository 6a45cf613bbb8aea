/** Connections to PostgreSQL over TLS: what `sslmode` says is what happens. */
'use strict';

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { after, before, test } = require('node:test');
const tls = require('node:tls');

const { startPostgres } = require('../tools/postgres');
const { assertFails } = require('./command');
const { cli, startServer, temporaryFolder } = require('./lib');

const LISTEN = { OPENRISK_LISTEN: '127.0.0.1:0', OPENRISK_OPS_LISTEN: '127.0.0.1:0' };
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

let folder;
let cluster;

/** A certificate that signs itself, for localhost: its file; the key is beside it. */
function makeCertificate(name) {
    const file = path.join(folder, name);
    execFileSync('openssl', ['req', '-new', '-x509', '-days', '2', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
        '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', `${file}.key`, '-out', `${file}.crt`], { stdio: 'ignore' });
    return file;
}

/** The server's key must belong to the user it runs as. */
function giveToServer(file) {
    const { uid, gid } = fs.statSync(cluster.data);
    const given = path.join(cluster.folder, path.basename(file));
    fs.copyFileSync(file, given);
    fs.chmodSync(given, 0o600);
    fs.chownSync(given, uid, gid);
    return given;
}

before(async () => {
    folder = temporaryFolder();
    const file = makeCertificate('server');
    makeCertificate('other');
    cluster = await startPostgres();
    await cluster.shutDown();
    Object.assign(cluster.settings, { ssl: 'on', ssl_cert_file: giveToServer(`${file}.crt`), ssl_key_file: giveToServer(`${file}.key`) });
    await cluster.start();
});

after(async () => {
    await cluster.stop();
    fs.rmSync(folder, { recursive: true, force: true });
});

/** The URL of a new database, with parameters; by name, for a certificate is given to a name. */
async function databaseUrl(parameters) {
    const url = new URL(await cluster.createDatabase());
    url.hostname = 'localhost';
    Object.entries(parameters).forEach(([name, value]) => url.searchParams.set(name, value));
    return url.href;
}

function root(name) {
    return path.join(folder, `${name}.crt`);
}

test('connections are encrypted as sslmode says', async (t) => {
    for (const [parameters, wanted] of [
        [{}, 't'], // libpq's default is "prefer".
        [{ sslmode: 'disable' }, 'f'],
        [{ sslmode: 'require' }, 't'],
        [{ sslmode: 'verify-full', sslrootcert: root('server') }, 't'],
    ]) {
        await t.test(JSON.stringify(parameters.sslmode || 'without'), async (t) => {
            const url = await databaseUrl(parameters);
            await startServer(t, { env: { DATABASE_URL: url } });
            const name = new URL(url).pathname.slice(1);
            const sql = `SELECT string_agg(DISTINCT ssl::text, ' '), count(*) > 0 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                         WHERE datname = '${name}' AND application_name = 'openrisk'`;
            assert.strictEqual(await cluster.query(cluster.url, sql), `${wanted === 't'}|t`);
        });
    }
});

test('a server whose certificate does not belong to it is refused', async () => {
    for (const [parameters, reason] of [
        [{ sslmode: 'verify-full', sslrootcert: root('other') }, /certificate verify failed/],
        [{ sslmode: 'verify-full', sslrootcert: path.join(folder, 'none.crt') }, /root certificate file ".*none\.crt" does not exist/],
        [{ sslmode: 'verify-full', sslrootcert: root('server'), host: '127.0.0.1' }, /server certificate for "localhost" .*does not match host name "127\.0\.0\.1"/],
    ]) {
        const run = await cli(['serve'], { cwd: folder, env: { ...LISTEN, DATABASE_URL: await databaseUrl(parameters) } });
        assertFails(run, 3, reason);
        assert.match(run.stderr, /^openrisk: DATABASE_URL: cannot be used: [^\n]+\n$/);
    }
});

/**
 * TLS in front of a server without: it writes records as large as TLS allows, as newer servers and
 * other programs between the two do.
 */
function startTerminator(t) {
    const secure = tls.createSecureContext({ cert: fs.readFileSync(root('server')), key: fs.readFileSync(path.join(folder, 'server.key')) });
    const server = net.createServer((socket) => {
        socket.once('data', (request) => {
            assert.ok(request.equals(SSL_REQUEST));
            socket.write('S');
            const inside = new tls.TLSSocket(socket, { isServer: true, secureContext: secure });
            const behind = net.connect(cluster.port, '127.0.0.1');
            [inside, behind, socket].forEach((one) => one.on('error', () => inside.destroy() && behind.destroy()));
            inside.pipe(behind);
            // Gathered first, so that a record is full.
            let waiting = [];
            behind.on('data', (chunk) => {
                waiting.push(chunk);
                if (waiting.length === 1) {
                    setImmediate(() => setTimeout(() => {
                        inside.write(Buffer.concat(waiting));
                        waiting = [];
                    }, 2));
                }
            });
            behind.on('end', () => inside.end());
        });
    });
    t.after(() => server.close());
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));
}

test('records of any size are read to their end', async (t) => {
    const port = await startTerminator(t);
    const url = new URL(await databaseUrl({ sslmode: 'require' }));
    url.port = port;
    url.hostname = '127.0.0.1';
    const server = await startServer(t, { env: { DATABASE_URL: url.href, CACHE_ENABLED: 'false' } });
    const admin = await server.signIn();
    for (let i = 0; i < 60; i++) {
        await admin.expect(201, 'POST', '/risks', { title: `Risk ${i}`, impact: 1, probability: 1, description: 'x'.repeat(173 * i) });
    }
    for (let limit = 1; limit <= 60; limit++) {
        const { json } = await admin.expect(200, 'GET', `/risks?limit=${limit}`);
        assert.strictEqual(json.items.length, limit);
    }
});
