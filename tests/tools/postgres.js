/**
 * A PostgreSQL of the tests' own: a cluster in a temporary folder, on a port of 127.0.0.1.
 *
 *   const cluster = await startPostgres({ settings: { max_connections: 50 } });
 *   const url = await cluster.createDatabase();
 *   await cluster.query(url, 'SELECT 1'); // '1'
 *   await cluster.kill();                 // the power plug
 *   await cluster.start();                // the same data on the same port
 *   await cluster.dropDatabase(url);
 *   await cluster.stop();                 // and nothing of it is left
 *
 * `attachPostgres(url)` gives the databases of a cluster that someone else has started, and
 * `sharedPostgres()` those of the run's one (OPENRISK_TEST_POSTGRES), or of one for this process.
 *
 * Nothing of it outlives this process. On its exit the cluster is ended; and should the process be
 * killed, the kernel ends it (setpriv --pdeathsig), and only the folder stays behind.
 *
 * PostgreSQL refuses to run as root; then it runs as `nobody`. Connections need a password, for a
 * superuser of a database may run programs, and everyone on this machine can reach 127.0.0.1. A write
 * that was acknowledged is with the kernel, so no SIGKILL loses it; only a disk is not waited for.
 */
'use strict';

const assert = require('node:assert');
const { spawn, spawnSync } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { randomPort } = require('./port');
const { childrenOf, isAlive, processOf, signal, unprivileged, waitFor, waitInPlace } = require('./process');

const USER = 'openrisk';
const START_LIMIT_MS = 60000;
const STOP_LIMIT_MS = 10000;
const PORT_ATTEMPTS = 20;
const PROGRAMS = ['/usr/lib/postgresql/15/bin', ...(process.env.PATH || '').split(':')];
const SETTINGS = {
    listen_addresses: '127.0.0.1',
    max_connections: 300,
    shared_buffers: '128MB',
    autovacuum: 'on',
    fsync: 'off',
    full_page_writes: 'off',
    synchronous_commit: 'on',
    dynamic_shared_memory_type: 'mmap', // In the data's folder, where a SIGKILL leaves nothing over.
    log_line_prefix: '%m [%p] %d ',
};

/** A program of PostgreSQL, by its path. */
function programPath(name) {
    const folder = PROGRAMS.find((one) => one !== '' && fs.existsSync(path.join(one, name)));
    assert.ok(folder, `there is no ${name}: run script/dependencies test`);
    return path.join(folder, name);
}

/** The settings by which PostgreSQL's programs find a database: unlike arguments, nobody else sees them. */
function environmentFor(url) {
    const { protocol, hostname, port, username, password, pathname } = new URL(url);
    assert.ok(protocol === 'postgres:' && hostname !== '', `${url} is no URL of a server`); // Else libpq looks for one.
    return {
        PATH: process.env.PATH,
        LC_ALL: 'C.UTF-8',
        PGHOST: hostname,
        PGPORT: port || '5432',
        PGUSER: decodeURIComponent(username),
        PGPASSWORD: decodeURIComponent(password),
        PGDATABASE: decodeURIComponent(pathname.slice(1)),
        PGCONNECT_TIMEOUT: '10',
    };
}

/** Run a client of PostgreSQL on the database of `url`: what it prints. */
function runClient(program, args, url, input = '') {
    const child = spawn(programPath(program), args, { env: environmentFor(url), stdio: ['pipe', 'pipe', 'pipe'] });
    let [output, errors] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (errors += text));
    child.stdin.on('error', () => {}); // It may have ended already, for want of a server.
    child.stdin.end(input);
    return new Promise((resolve, reject) => {
        child.on('error', reject);
        child.on('close', (code) => {
            if (code === 0) {
                resolve(output);
            } else {
                reject(new Error(`${program} ${input.slice(0, 200)}: ${errors}`));
            }
        });
    });
}

/** The databases of a cluster. `url`: that of one of its superusers, in the database `postgres`. */
class Postgres {
    constructor(url) {
        this.url = url;
    }

    /** A new, empty database: its URL. */
    async createDatabase() {
        const name = `test_${crypto.randomBytes(8).toString('hex')}`;
        await this.query(this.url, `CREATE DATABASE ${name} TEMPLATE template0`);
        const url = new URL(this.url);
        url.pathname = name;
        return url.href;
    }

    /** Also while someone uses it. */
    async dropDatabase(url) {
        await this.query(this.url, `DROP DATABASE IF EXISTS ${new URL(url).pathname.slice(1)} WITH (FORCE)`);
    }

    /** A new database with what is in that of `url` now, also while someone uses it. */
    async copyDatabase(url) {
        const copy = await this.createDatabase();
        await this.query(copy, await this.dump(url));
        return copy;
    }

    /** All that is in a database, as the SQL that makes it. */
    dump(url) {
        return runClient('pg_dump', ['--no-owner'], url);
    }

    /** What psql prints for `sql`: a line per row, its columns between `|`. */
    async query(url, sql) {
        return (await runClient('psql', ['-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', '-f', '-'], url, `${sql}\n`)).trimEnd();
    }
}

class OwnPostgres extends Postgres {
    constructor(settings) {
        super();
        this.settings = { ...SETTINGS, ...settings };
        this.user = unprivileged();
        this.password = crypto.randomBytes(12).toString('hex');
        this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'openrisk-test-postgres-'));
        this.data = path.join(this.folder, 'data');
        this.logFile = path.join(this.folder, 'log');
        this.endAtExit = () => this.endInPlace();
        process.on('exit', this.endAtExit);
    }

    /** setpriv's arguments to run a program of PostgreSQL that ends with this process. */
    argumentsFor(program, args) {
        return [...this.user.args, '--pdeathsig=QUIT', programPath(program), ...args];
    }

    initialise() {
        const secret = path.join(this.folder, 'password');
        fs.writeFileSync(secret, this.password, { mode: 0o600 });
        fs.writeFileSync(this.logFile, '', { mode: 0o600 });
        [this.folder, secret, this.logFile].forEach((file) => fs.chownSync(file, this.user.uid, this.user.gid));
        const args = ['-D', this.data, '-U', USER, '-A', 'scram-sha-256', `--pwfile=${secret}`, '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'];
        const run = spawnSync('setpriv', this.argumentsFor('initdb', args), { cwd: this.folder, encoding: 'utf8' });
        assert.strictEqual(run.status, 0, `initdb failed: ${run.error || run.stderr}`);
        fs.rmSync(secret);
        this.settings.unix_socket_directories = `"${this.folder}"`;
    }

    /** What the server has logged. */
    get log() {
        return fs.readFileSync(this.logFile, 'utf8');
    }

    get pid() {
        return this.child && this.child.pid;
    }

    /** Start, also again after kill() or shutDown(), and wait until connections are accepted. */
    async start() {
        for (let attempt = 1; this.port === undefined; attempt++) {
            const port = randomPort();
            if (await this.tryStart(port)) {
                this.port = port;
                this.url = `postgres://${USER}:${this.password}@127.0.0.1:${port}/postgres`;
                return;
            }
            assert.ok(attempt < PORT_ATTEMPTS && /could not bind/.test(this.log), `PostgreSQL does not start:\n${this.log}`);
        }
        if (!this.running) {
            assert.ok(await this.tryStart(this.port), `PostgreSQL does not start again:\n${this.log.slice(-4000)}`);
        }
    }

    /** Did it start? If not, it has ended. */
    async tryStart(port) {
        const settings = Object.entries({ ...this.settings, port }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
        const log = fs.openSync(this.logFile, 'a');
        // A group of its own: Ctrl-C at a terminal is for us, and we end it then.
        const options = { cwd: this.folder, detached: true, stdio: ['ignore', log, log], env: { PATH: process.env.PATH } };
        this.child = spawn('setpriv', this.argumentsFor('postgres', ['-D', this.data, ...settings]), options);
        fs.closeSync(log);
        this.child.unref();
        let ended = false;
        this.child.on('error', () => (ended = true));
        this.child.on('exit', () => (ended = true));
        await waitFor(() => ended || this.isReady(), `PostgreSQL to start:\n${this.log.slice(-4000)}`, START_LIMIT_MS);
        this.running = !ended;
        return this.running;
    }

    /** As pg_ctl finds out: the server's file has its process in the first line and its state in the eighth. */
    isReady() {
        try {
            const lines = fs.readFileSync(path.join(this.data, 'postmaster.pid'), 'utf8').split('\n');
            return Number(lines[0]) === this.pid && (lines[7] || '').trim() === 'ready';
        } catch {
            return false;
        }
    }

    /** SIGKILL to the server and all its processes: the power plug. */
    async kill() {
        this.killInPlace();
        this.running = false;
    }

    killInPlace() {
        const { pid } = this;
        signal(pid, 'SIGSTOP'); // So that it starts no more while its children are looked up.
        waitInPlace(() => /[TZX]/.test(processOf(pid).state), STOP_LIMIT_MS);
        const all = [...childrenOf(pid), pid];
        const lockFile = path.join(this.data, 'postmaster.pid');
        const [segment] = fs.existsSync(lockFile) ? /\d+$/.exec(fs.readFileSync(lockFile, 'utf8').split('\n')[6] || '') || [] : [];
        all.forEach((one) => signal(one, 'SIGKILL'));
        assert.ok(waitInPlace(() => !all.some(isAlive), STOP_LIMIT_MS), 'processes of PostgreSQL do not end');
        // What the power plug would have taken along: the memory by which the next server sees whether
        // there is another one, and a process id that somebody else may have by then.
        if (segment !== undefined) {
            spawnSync('ipcrm', ['-m', segment]);
        }
        fs.rmSync(lockFile, { force: true });
    }

    /** In good order, as an operator restarts it: clients are told, the data is kept for start(). */
    async shutDown() {
        const { pid } = this;
        signal(pid, 'SIGINT');
        await waitFor(() => !isAlive(pid), 'PostgreSQL to end', STOP_LIMIT_MS);
        this.running = false;
    }

    /** For good, with its folder. */
    async stop() {
        process.removeListener('exit', this.endAtExit);
        this.endInPlace();
    }

    endInPlace() {
        const { pid } = this;
        if (this.running || (pid !== undefined && isAlive(pid))) {
            const all = [...childrenOf(pid), pid];
            signal(pid, 'SIGQUIT'); // At once; there is nothing to be kept.
            if (!waitInPlace(() => !all.some(isAlive), STOP_LIMIT_MS)) {
                this.killInPlace();
            }
        }
        this.running = false;
        fs.rmSync(this.folder, { recursive: true, force: true });
    }
}

/** `settings`: of postgresql.conf, over those above. */
async function startPostgres({ settings = {} } = {}) {
    const cluster = new OwnPostgres(settings);
    try {
        cluster.initialise();
        await cluster.start();
    } catch (error) {
        await cluster.stop();
        throw error;
    }
    return cluster;
}

function attachPostgres(url) {
    return new Postgres(url);
}

let shared;

/** The cluster for all tests of this run; without one, for all of this process. */
function sharedPostgres() {
    const url = process.env.OPENRISK_TEST_POSTGRES;
    shared = shared || (url ? Promise.resolve(attachPostgres(url)) : startPostgres());
    return shared;
}

module.exports = { attachPostgres, environmentFor, isAlive, programPath, sharedPostgres, startPostgres };
