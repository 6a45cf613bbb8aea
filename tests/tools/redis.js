/**
 * A Redis of the tests' own: a server with a temporary folder, on a port of 127.0.0.1.
 *
 *   const redis = await startRedis({ settings: { maxmemory: '4mb' } });
 *   const server = await startServer(t, { env: { REDIS_URL: redis.url } });
 *   await redis.command('DBSIZE');        // and keys(), get(), set(), …: see resp.js
 *   await redis.pause();                  // SIGSTOP; resume() lets it go on
 *   const old = await redis.snapshot();
 *   await redis.kill();                   // SIGKILL: without persistence all is lost
 *   redis.restore(old);
 *   await redis.start();                  // on the same port, with what was in the snapshot
 *   await redis.restartEmpty();
 *   await redis.stop();                   // and nothing of it is left
 *
 * `settings`: lines of redis.conf by their names, over those below. `password`: by default a random
 * one, since everyone on this machine can reach 127.0.0.1; '' for none. `acl`: further users, such as
 * { reader: 'on >secret ~* +@read' }.
 *
 * Nothing of it outlives this process. On its exit the server is ended; and should the process be
 * killed, the kernel ends it (setpriv --pdeathsig), and only the folder stays behind. It does not run
 * as root. It reads its settings from standard input, so nobody sees the password in its arguments.
 */
'use strict';

const assert = require('node:assert');
const { spawn } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { randomPort } = require('./port');
const { childrenOf, isAlive, processOf, signal, unprivileged, waitFor, waitInPlace } = require('./process');
const { connectRedis } = require('./resp');

const HOST = '127.0.0.1';
const START_LIMIT_MS = 30000;
const STOP_LIMIT_MS = 10000;
const PORT_ATTEMPTS = 20;
const SETTINGS = {
    bind: HOST,
    save: '',
    appendonly: 'no',
    daemonize: 'no',
    loglevel: 'notice', // So that it says when it is ready.
    'set-proc-title': 'no',
};
/** What of resp.js is there on the server's object, too. */
const COMMANDS = ['command', 'raw', 'keys', 'get', 'set', 'pttl', 'flush', 'info'];

/** A value in redis.conf. */
function quoted(text) {
    return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}

class OwnRedis {
    constructor({ settings, password, acl }) {
        this.password = password;
        this.settings = { ...SETTINGS, ...settings };
        this.acl = acl;
        this.user = unprivileged();
        this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'openrisk-test-redis-'));
        this.logFile = path.join(this.folder, 'log');
        this.dumpFile = path.join(this.folder, 'dump.rdb');
        this.running = false;
        fs.writeFileSync(this.logFile, '', { mode: 0o600 });
        fs.chownSync(this.folder, this.user.uid, this.user.gid);
        this.endAtExit = () => this.endInPlace();
        process.on('exit', this.endAtExit);
    }

    /** redis.conf */
    configuration(port) {
        const lines = Object.entries({ ...this.settings, port, dir: quoted(this.folder) }).map(([name, value]) => `${name} ${value === '' ? '""' : value}`);
        if (this.password !== '') {
            lines.push(`requirepass ${quoted(this.password)}`);
        }
        lines.push(...Object.entries(this.acl).map(([name, rules]) => `user ${name} ${rules}`));
        return `${lines.join('\n')}\n`;
    }

    /** What the server has logged. */
    get log() {
        return fs.readFileSync(this.logFile, 'utf8');
    }

    get pid() {
        return this.child && this.child.pid;
    }

    get url() {
        return this.urlFor('', this.password);
    }

    /** As one of its users. `database`: its number. */
    urlFor(user, password, database = 0) {
        const who = password === '' ? '' : `${encodeURIComponent(user)}:${encodeURIComponent(password)}@`;
        return `redis://${who}${HOST}:${this.port}${database === 0 ? '' : `/${database}`}`;
    }

    /** Start, also again after kill(), and wait until it answers. */
    async start() {
        for (let attempt = 1; this.port === undefined; attempt++) {
            const port = randomPort();
            if (await this.tryStart(port)) {
                this.port = port;
                this.client = connectRedis(this.url);
                return;
            }
            assert.ok(attempt < PORT_ATTEMPTS && /Address already in use/.test(this.log), `Redis does not start:\n${this.log}`);
        }
        if (!this.running) {
            assert.ok(await this.tryStart(this.port), `Redis does not start again:\n${this.log.slice(-4000)}`);
        }
    }

    /** Did it start? If not, it has ended. */
    async tryStart(port) {
        const began = this.log.length;
        const log = fs.openSync(this.logFile, 'a');
        // A group of its own: Ctrl-C at a terminal is for us, and we end it then.
        const options = { cwd: this.folder, detached: true, stdio: ['pipe', log, log], env: { PATH: process.env.PATH } };
        const child = spawn('setpriv', [...this.user.args, '--pdeathsig=KILL', 'redis-server', '-'], options);
        this.child = child;
        fs.closeSync(log);
        child.unref();
        let ended = false;
        child.on('error', () => (ended = true));
        child.on('exit', () => {
            ended = true;
            this.running = this.running && this.child !== child; // Also by SHUTDOWN.
        });
        child.stdin.on('error', () => {}); // It may have ended already.
        child.stdin.end(this.configuration(port));
        // It names its process, and it says so only when it has loaded what it has.
        const ready = new RegExp(`^${this.pid}:M .*Ready to accept connections`, 'm');
        await waitFor(() => ended || ready.test(this.log.slice(began)), `Redis to start:\n${this.log.slice(-4000)}`, START_LIMIT_MS);
        this.running = !ended;
        return this.running;
    }

    /** SIGKILL. */
    async kill() {
        this.killInPlace();
    }

    killInPlace() {
        const { pid } = this;
        if (pid !== undefined && isAlive(pid)) {
            const all = [...childrenOf(pid), pid]; // It may be saving, by a child.
            all.forEach((one) => signal(one, 'SIGKILL'));
            assert.ok(waitInPlace(() => !all.some(isAlive), STOP_LIMIT_MS), 'processes of Redis do not end');
        }
        this.running = false;
        if (this.client) {
            this.client.close(); // Its connection has ended, whether that was noticed or not.
        }
    }

    /** SIGSTOP: connections are taken by the kernel, and nothing is answered. */
    async pause() {
        signal(this.pid, 'SIGSTOP');
        await waitFor(() => /[TZX]/.test(processOf(this.pid).state), 'Redis to pause', STOP_LIMIT_MS);
        assert.ok(isAlive(this.pid), 'there is no Redis that could pause');
    }

    /** SIGCONT. */
    async resume() {
        signal(this.pid, 'SIGCONT');
        await waitFor(() => processOf(this.pid).state !== 'T', 'Redis to go on', STOP_LIMIT_MS);
        assert.ok(isAlive(this.pid), 'there is no Redis that could go on');
    }

    /** All that is in it now, for restore(). */
    async snapshot() {
        await this.command('SAVE');
        const snapshot = fs.readFileSync(this.dumpFile);
        if (this.settings.save === '') {
            fs.rmSync(this.dumpFile); // Without persistence it starts empty.
        }
        return snapshot;
    }

    /** The next start() begins with it. */
    restore(snapshot) {
        assert.ok(!this.running, 'it would not be read, and may be overwritten');
        fs.writeFileSync(this.dumpFile, snapshot, { mode: 0o600 });
        fs.chownSync(this.dumpFile, this.user.uid, this.user.gid);
    }

    async restartEmpty() {
        await this.kill();
        fs.rmSync(this.dumpFile, { force: true });
        fs.rmSync(path.join(this.folder, 'appendonlydir'), { recursive: true, force: true });
        await this.start();
    }

    /** For good, with its folder. */
    async stop() {
        process.removeListener('exit', this.endAtExit);
        this.endInPlace();
    }

    endInPlace() {
        this.killInPlace();
        fs.rmSync(this.folder, { recursive: true, force: true });
    }
}

for (const name of COMMANDS) {
    OwnRedis.prototype[name] = function ask(...args) {
        return this.client[name](...args);
    };
}

async function startRedis({ settings = {}, password = crypto.randomBytes(12).toString('hex'), acl = {} } = {}) {
    const redis = new OwnRedis({ settings, password, acl });
    try {
        await redis.start();
    } catch (error) {
        await redis.stop();
        throw error;
    }
    return redis;
}

module.exports = { startRedis };
