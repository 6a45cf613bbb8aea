/**
 * What a test over HTTP needs: a server of its own, clients, the command line, raw sockets.
 *
 *   const { test } = require('node:test');
 *   const assert = require('node:assert');
 *   const { startServer } = require('./lib');
 *
 *   test('a risk can be read by its ref', async (t) => {
 *       const server = await startServer(t);
 *       const analyst = await server.as('analyst');
 *       const made = await analyst.post('/risks', { title: 'Theft', impact: 3, probability: 2 });
 *       assert.strictEqual(made.status, 201);
 *       const read = await analyst.get(`/risks/${made.json.ref}`);
 *       assert.strictEqual(read.json.title, 'Theft');
 *   });
 *
 * The server gets a fresh folder, free ports and no setting from the outside. When the test ends it
 * is stopped, must exit with code 0 and must not have printed a sanitizer's report, nor any password, token or
 * cookie that a client of this file has used or got: see secrets.js. Its log is written by a thread of its own, so
 * a line may come a little after what it tells of: wait for it. It is complete when the server has ended. A file whose
 * tests can share a server starts it in one `test` and makes the cases its subtests (`await t.test`).
 *
 * All of them run with both engines: OPENRISK_TEST_ENGINE=postgres node tests/http/risks.test.js. A file
 * that is about one engine says so by its name: sqlite_….test.js, postgres_….test.js (see tests/run.js).
 */
'use strict';

const assert = require('node:assert');
const { execFileSync, spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const zlib = require('node:zlib');

const { sharedPostgres } = require('../tools/postgres');
const { assertKept, noteAnswer, noteRequest, noteSettings, noteText } = require('./secrets');

const ROOT = path.resolve(__dirname, '../..');
const ADMIN = { email: 'admin@example.org', password: 'correct horse battery staple' };
const USER_PASSWORD = 'a password for tests only';
const START_LIMIT_MS = 20000;
const STOP_LIMIT_MS = 15000;
const SANITIZER_REPORT = /(Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer|runtime error:/;

/** Is this the run that takes its time (`script/test --full`)? */
const FULL = process.env.OPENRISK_TEST_FULL === '1';

/** The engine that servers of tests have: "sqlite" or "postgres". */
const ENGINE = process.env.OPENRISK_TEST_ENGINE || 'sqlite';

/** What SQLite answers to one statement, as psql prints it. Python's is there wherever Meson is. */
const ASK_SQLITE = `
import sqlite3, sys
for row in sqlite3.connect("file:" + sys.argv[1] + "?mode=rw", uri=True, isolation_level=None, timeout=10).execute(sys.argv[2]):
    print("|".join("" if cell is None else str(cell) for cell in row))
`;

/** The program under test. */
function binary() {
    const candidates = [process.env.OPENRISK_BINARY, `${ROOT}/build-asan/openrisk`, `${ROOT}/build/openrisk`];
    const found = candidates.find((file) => file && fs.existsSync(file));
    assert.ok(found, 'no openrisk program: run script/build first, or set OPENRISK_BINARY');
    return path.resolve(found);
}

/** Poll until `condition()` gives something true, and give that back; fail after `limitMs`. */
async function waitFor(condition, what, limitMs = 10000) {
    const deadline = Date.now() + limitMs;
    for (;;) {
        const value = await condition();
        if (value) {
            return value;
        }
        assert.ok(Date.now() < deadline, `waited ${limitMs} ms in vain for ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
}

/** The result of `promise`, or a failure that says what did not come in time. */
function inTime(promise, what, limitMs) {
    let timer;
    const limit = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${what} took more than ${limitMs} ms`)), limitMs);
    });
    return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

function temporaryFolder() {
    return fs.mkdtempSync(path.join(os.tmpdir(), 'openrisk-test-'));
}

/**
 * A program under way, openrisk if no other is named: `stdout` and `stderr` grow; `exited` gives
 * {code, signal}.
 */
function launch(args, { program = binary(), env = {}, cwd, input } = {}) {
    const inherited = {};
    for (const name of ['PATH', 'HOME', 'TMPDIR', 'ASAN_OPTIONS', 'UBSAN_OPTIONS', 'LSAN_OPTIONS', 'TSAN_OPTIONS']) {
        if (process.env[name] !== undefined) {
            inherited[name] = process.env[name];
        }
    }
    const child = spawn(program, args, { cwd, env: { ...inherited, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    const run = { child, stdout: '', stderr: '' };
    const killWithUs = () => child.kill('SIGKILL');
    process.on('exit', killWithUs);
    child.stdout.setEncoding('utf8').on('data', (text) => (run.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (run.stderr += text));
    child.stdin.on('error', () => {}); // A program that does not read its input may be gone already.
    child.stdin.end(input);
    run.exited = new Promise((resolve, reject) => {
        child.on('error', reject);
        child.on('close', (code, signal) => {
            process.removeListener('exit', killWithUs);
            resolve({ code, signal });
        });
    });
    return run;
}

function assertNoReport(run) {
    assert.ok(!SANITIZER_REPORT.test(run.stderr), `a sanitizer reports:\n${run.stderr}`);
}

/** Someone who talks to the server over kept-alive connections. Paths are below /api/v1. */
class Client {
    constructor(url, token, prefix = '/api/v1') {
        this.url = new URL(url);
        this.token = token;
        this.prefix = prefix;
        this.agent = new http.Agent({ keepAlive: true });
    }

    /**
     * `body`: undefined for none, a string or Buffer as it is, anything else as JSON.
     * Gives {status, headers, bytes, body, json}: `bytes` as they came, the others of what they were
     * before they were compressed; `json` is undefined when the answer is no JSON.
     */
    request(method, route, body, headers = {}) {
        const all = {};
        if (this.token) {
            all.Authorization = `Bearer ${this.token}`;
        }
        let bytes;
        if (body !== undefined) {
            bytes = typeof body === 'string' || Buffer.isBuffer(body) ? Buffer.from(body) : Buffer.from(JSON.stringify(body));
            all['Content-Type'] = 'application/json';
            all['Content-Length'] = bytes.length;
        }
        Object.assign(all, headers);
        noteRequest(all, bytes);
        const options = {
            host: this.url.hostname,
            port: this.url.port,
            method,
            path: this.prefix + route,
            headers: all,
            agent: this.agent,
        };
        return new Promise((resolve, reject) => {
            const request = http.request(options, (response) => {
                const chunks = [];
                response.on('data', (chunk) => chunks.push(chunk));
                response.on('error', reject);
                response.on('end', () => {
                    const received = Buffer.concat(chunks);
                    const isGzip = response.headers['content-encoding'] === 'gzip' && received.length > 0;
                    const text = (isGzip ? zlib.gunzipSync(received) : received).toString('utf8');
                    const isJson = /json/.test(response.headers['content-type'] || '') && text !== '';
                    noteAnswer(response.headers, text);
                    resolve({
                        status: response.statusCode,
                        headers: response.headers,
                        bytes: received,
                        body: text,
                        json: isJson ? JSON.parse(text) : undefined,
                    });
                });
            });
            request.on('error', reject);
            request.end(bytes);
        });
    }

    get(route, headers) {
        return this.request('GET', route, undefined, headers);
    }

    post(route, body, headers) {
        return this.request('POST', route, body, headers);
    }

    patch(route, body, headers) {
        return this.request('PATCH', route, body, headers);
    }

    delete(route, headers) {
        return this.request('DELETE', route, undefined, headers);
    }

    /** As the methods above, and the status must be `status`: what a test's preparation uses. */
    async expect(status, method, route, body, headers) {
        const reply = await this.request(method, route, body, headers);
        assert.strictEqual(reply.status, status, `${method} ${route}: ${reply.status} ${reply.body}`);
        return reply;
    }

    /** All items of a list that is read on with `after=`. */
    async all(route) {
        const items = [];
        const separator = route.includes('?') ? '&' : '?';
        let after = '';
        for (;;) {
            const page = await this.expect(200, 'GET', `${route}${separator}limit=200${after}`);
            items.push(...page.json.items);
            if (!page.json.next) {
                return items;
            }
            after = `&after=${encodeURIComponent(page.json.next)}`;
        }
    }

    close() {
        this.agent.destroy();
    }
}

class Server {
    constructor(folder, databaseUrl, { env, args = [], program }) {
        this.folder = folder;
        this.args = args;
        this.program = program;
        this.env = {
            OPENRISK_LISTEN: '127.0.0.1:0',
            OPENRISK_OPS_LISTEN: '127.0.0.1:0',
            DATABASE_URL: databaseUrl,
            INITIAL_ADMIN_EMAIL: ADMIN.email,
            INITIAL_ADMIN_PASSWORD: ADMIN.password,
            ...env,
        };
        this.clients = [];
        this.users = 0;
    }

    /** Start (again, after stop() or kill()) and wait until it is ready. */
    async start() {
        const began = process.hrtime.bigint();
        noteSettings(this.env);
        this.run = launch(['serve', ...this.args], { env: this.env, cwd: this.folder, program: this.program });
        this.running = true;
        let exited = false;
        this.run.exited.finally(() => (exited = true)).catch(() => {});
        const ready = await waitFor(
            () => {
                assert.ok(!exited, `the server ended before it was ready:\n${this.run.stderr}`);
                return /^ready listen=(\S+) ops=(\S+)(?: plain=(\S+))?/m.exec(this.run.stdout);
            },
            'the line "ready listen=…"',
            START_LIMIT_MS,
        );
        this.readyMs = Number(process.hrtime.bigint() - began) / 1e6;
        [, this.url, this.opsUrl, this.plainUrl] = ready;
        this.ops = this.client(undefined, '', this.opsUrl);
    }

    /** What it has logged so far. */
    get log() {
        return this.run.stderr;
    }

    get pid() {
        return this.run.child.pid;
    }

    /** A client with this token, or with none. */
    client(token, prefix, url = this.url) {
        const client = new Client(url, token, prefix);
        this.clients.push(client);
        return client;
    }

    /** Sign in; by default as the first admin. The client's `user` is who it is. */
    async signIn(email = ADMIN.email, password = ADMIN.password) {
        const client = this.client();
        const reply = await client.expect(200, 'POST', '/auth/login', { email, password });
        client.token = reply.json.token;
        client.user = reply.json.user;
        client.password = password;
        if (email === ADMIN.email) {
            this.adminToken = client.token;
        }
        return client;
    }

    /** A new user of this role ("viewer", "analyst", "admin"), signed in. */
    async as(role) {
        const admin = await this.signIn();
        const email = `${role}-${++this.users}@example.org`;
        const body = { email, full_name: `${role} ${this.users}`, role, password: USER_PASSWORD };
        await admin.expect(201, 'POST', '/users', body);
        const client = await this.signIn(email, USER_PASSWORD);
        if (client.user.must_change_password) {
            const changed = { current_password: USER_PASSWORD, new_password: `${USER_PASSWORD}, changed` };
            await client.expect(204, 'POST', '/users/me/password', changed);
            return this.signIn(email, changed.new_password);
        }
        return client;
    }

    /**
     * Run `openrisk …` with this server's settings: {code, stdout, stderr}. What it wrote is seen by
     * the running server within a second; with `sees` this waits until it has looked.
     */
    async cli(args, { input, env, limitMs, sees = true } = {}) {
        const result = await cli(args, { input, limitMs, cwd: this.folder, env: { ...this.env, ...env } });
        if (sees && this.running && this.adminToken) {
            await this.look();
        }
        return result;
    }

    /**
     * What its database answers to one statement of SQL: a line per row, its columns between `|`. The
     * program does not know of what is written so, and SQLite refuses it while the program writes.
     */
    async sql(statement) {
        const url = this.env.DATABASE_URL;
        if (isPostgres(url)) {
            return (await sharedPostgres()).query(url, statement);
        }
        const args = ['-c', ASK_SQLITE, url.slice('sqlite:'.length), statement];
        return execFileSync('python3', args, { encoding: 'utf8' }).trimEnd();
    }

    /** All that its database holds, to be searched for what must not be there: SQLite's files, PostgreSQL's dump. */
    async contents() {
        if (isPostgres(this.env.DATABASE_URL)) {
            return Buffer.from(await (await sharedPostgres()).dump(this.env.DATABASE_URL));
        }
        return Buffer.concat(fs.readdirSync(this.folder).map((name) => fs.readFileSync(path.join(this.folder, name))));
    }

    /** The URL of a copy of its database as it is now, which goes when test `t` ends. */
    async copyDatabase(t) {
        const url = this.env.DATABASE_URL;
        if (isPostgres(url)) {
            const cluster = await sharedPostgres();
            const copy = await cluster.copyDatabase(url);
            t.after(() => cluster.dropDatabase(copy));
            return copy;
        }
        const folder = temporaryFolder();
        t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
        const { code, stderr } = await this.cli(['backup', path.join(folder, 'copy.db')]);
        assert.strictEqual(code, 0, stderr);
        return `sqlite:${path.join(folder, 'copy.db')}`;
    }

    /** Wait until the server has read the generations of its database once more. */
    async look() {
        const began = Date.now();
        const client = this.client(this.adminToken);
        await waitFor(async () => {
            const { status, json } = await client.get('/cache');
            return status !== 200 || !json.enabled || json.age_ms < Date.now() - began;
        }, 'the server to look at its database');
        client.close();
    }

    /**
     * Send bytes on a connection of their own and collect what comes back, until the server closes
     * or `until(text)` holds. Gives {text, closed}; fails when neither happens within `limitMs`.
     */
    raw(bytes, { until = () => false, limitMs = 10000 } = {}) {
        const { hostname, port } = new URL(this.url);
        const socket = net.connect(Number(port), hostname);
        let text = '';
        const ended = new Promise((resolve, reject) => {
            socket.on('error', (error) => (error.code === 'ECONNRESET' ? resolve({ text, closed: true }) : reject(error)));
            socket.on('close', () => resolve({ text, closed: true }));
            socket.on('data', (chunk) => {
                text += chunk.toString('latin1');
                if (until(text)) {
                    resolve({ text, closed: false });
                }
            });
        });
        noteText(bytes.toString('latin1'));
        socket.write(bytes);
        return inTime(ended, `the answer to ${JSON.stringify(bytes.toString().slice(0, 60))}`, limitMs).finally(() => socket.destroy());
    }

    forgetClients() {
        this.running = false;
        this.clients.forEach((client) => client.close());
        this.clients = [];
    }

    /** SIGTERM; the server must end in time, with code 0 and no sanitizer's report. */
    async stop() {
        this.run.child.kill('SIGTERM');
        try {
            const { code, signal } = await inTime(this.run.exited, 'ending after SIGTERM', STOP_LIMIT_MS);
            assertNoReport(this.run);
            assertKept(this.run);
            assert.strictEqual(code, 0, `the server ended with ${code ?? signal}:\n${this.run.stderr}`);
        } finally {
            this.run.child.kill('SIGKILL');
            this.forgetClients();
        }
    }

    /** SIGKILL: the power plug. */
    async kill() {
        this.run.child.kill('SIGKILL');
        await this.run.exited;
        assertNoReport(this.run);
        assertKept(this.run);
        this.forgetClients();
    }
}

function isPostgres(url) {
    return /^postgres(ql)?:/.test(url);
}

/** The URL of a new database; one of SQLite is in the folder, and goes with it. */
async function createDatabase(folder, engine) {
    return engine === 'postgres' ? (await sharedPostgres()).createDatabase() : `sqlite:${path.join(folder, 'openrisk.db')}`;
}

/**
 * A server with a new database, stopped and cleared away when test `t` ends. `args`: of `serve`;
 * `program`: instead of the one that all tests are for, such as tests/tools/twin.c, which serves the
 * same database once more at `plainUrl`; `engine`: instead of the one of this run. A DATABASE_URL in
 * `env` is that of the test, which clears it away itself.
 */
async function startServer(t, { engine = ENGINE, ...options } = {}) {
    const folder = temporaryFolder();
    const own = options.env && options.env.DATABASE_URL ? undefined : await createDatabase(folder, engine);
    const server = new Server(folder, own, options);
    t.after(async () => {
        if (server.running) {
            await server.stop();
        }
        fs.rmSync(folder, { recursive: true, force: true });
        if (own && isPostgres(own)) {
            await (await sharedPostgres()).dropDatabase(own);
        }
    });
    await server.start();
    return server;
}

/**
 * Run `openrisk …`, or the other program that is named, to its end: {code, stdout, stderr}. Without
 * `env` it sees no settings at all.
 */
async function cli(args, { program = binary(), input, env, cwd, limitMs = 60000 } = {}) {
    const run = launch(args, { program, input, env, cwd });
    try {
        const { code } = await inTime(run.exited, `${path.basename(program)} ${args.join(' ')}`, limitMs);
        assertNoReport(run);
        noteText(run.stdout);
        return { code, stdout: run.stdout, stderr: run.stderr };
    } finally {
        run.child.kill('SIGKILL');
    }
}

module.exports = { ADMIN, ENGINE, FULL, ROOT, Client, binary, cli, inTime, launch, startServer, temporaryFolder, waitFor };
