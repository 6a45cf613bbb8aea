/** An OpenRisk of our own, when no URL is given: a release build with the KEV catalogue, in a folder that goes with it. */
'use strict';

const { execFileSync, spawn, spawnSync } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { Problem } = require('./problem');

const ROOT = path.resolve(__dirname, '../..');
const KEV = path.join(ROOT, 'tests/data/kev.csv');
const START_LIMIT_MS = 20000;
const STOP_LIMIT_MS = 15000;

/** Settings that a load may be about, and that somebody may therefore give by the environment. Where it listens and keeps its data is ours. */
const SETTINGS = /^(APP_ENV|(CACHE|DB|HTTP|LOG|LOGIN)_\w+|REDIS_\w+|OPENRISK_CLOCK_OFFSET)$/;
const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS'];

/** Is there something to start, or to build it from? What is said here is said before anything else is done. */
function checkProgram() {
    const given = process.env.OPENRISK_BINARY;
    if (given && !fs.existsSync(given)) {
        throw new Problem(`OPENRISK_BINARY is ${given}, and there is no such file`);
    }
}

/** The program: OPENRISK_BINARY, or a release build that is made here. */
function program() {
    if (process.env.OPENRISK_BINARY) {
        return path.resolve(process.env.OPENRISK_BINARY);
    }
    const { status } = spawnSync(path.join(ROOT, 'script/build'), ['--release'], { stdio: ['ignore', 2, 2] });
    if (status !== 0) {
        throw new Problem('script/build --release failed');
    }
    return path.join(ROOT, 'build-release/openrisk');
}

/** What to put before a command so that it ends when we do, also if we are killed; nothing where there is no such thing. */
function endingWithUs() {
    const command = ['setpriv', '--pdeathsig', 'TERM'];
    return spawnSync(command[0], [...command.slice(1), 'true'], { stdio: 'ignore' }).status === 0 ? command : [];
}

class OwnServer {
    constructor() {
        this.file = program();
        this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'openrisk-load-'));
        this.log = path.join(this.folder, 'log');
        this.credentials = { OPENRISK_EMAIL: 'admin@localhost', OPENRISK_PASSWORD: crypto.randomBytes(18).toString('base64url') };
        this.atExit = () => this.remove();
        process.on('exit', this.atExit);
        const chosen = Object.entries(process.env).filter(([name]) => INHERITED.includes(name) || SETTINGS.test(name));
        this.env = {
            APP_ENV: 'production',
            ...Object.fromEntries(chosen),
            OPENRISK_LISTEN: '127.0.0.1:0',
            OPENRISK_OPS_LISTEN: '127.0.0.1:0',
            DATABASE_URL: `sqlite:${this.folder}/openrisk.db`,
            INITIAL_ADMIN_EMAIL: this.credentials.OPENRISK_EMAIL,
            INITIAL_ADMIN_PASSWORD: this.credentials.OPENRISK_PASSWORD,
        };
    }

    /** What it was started with that was not as always. */
    get settings() {
        return Object.entries(this.env).filter(([name]) => SETTINGS.test(name)).map(([name, value]) => `${name}=${/PASSWORD|URL/.test(name) ? '…' : value}`);
    }

    async start() {
        try {
            execFileSync(this.file, ['import', KEV, '--format', 'kev'], { env: this.env, cwd: this.folder, stdio: ['ignore', 'ignore', 'pipe'] });
        } catch (error) {
            throw new Problem(`openrisk import: ${String(error.stderr || error.message).trim().split('\n')[0]}`);
        }
        // In a process group of its own, so that Ctrl-C does not end it before k6 has cleaned up; and not without us.
        const log = fs.openSync(this.log, 'a');
        const [file, ...args] = [...endingWithUs(), this.file, 'serve'];
        this.child = spawn(file, args, { env: this.env, cwd: this.folder, stdio: ['ignore', 'pipe', log], detached: true });
        fs.closeSync(log);
        this.exited = new Promise((resolve) => this.child.on('close', resolve));
        let stdout = '';
        let timer;
        const ready = await new Promise((resolve) => {
            this.child.stdout.on('data', (chunk) => {
                stdout += chunk;
                const match = /^ready listen=(\S+) ops=(\S+)/m.exec(stdout);
                if (match !== null) {
                    resolve(match);
                }
            });
            this.exited.then(() => resolve(undefined));
            timer = setTimeout(() => resolve(undefined), START_LIMIT_MS);
        });
        clearTimeout(timer);
        if (ready === undefined) {
            throw new Problem(`openrisk serve did not get ready: ${fs.readFileSync(this.log, 'utf8').trim().split('\n').at(-1)}`);
        }
        [, this.origin, this.opsUrl] = ready;
    }

    async stop() {
        if (this.child !== undefined && this.child.exitCode === null) {
            this.child.kill('SIGTERM');
            const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_LIMIT_MS);
            await this.exited;
            clearTimeout(timer);
        }
        this.remove();
    }

    /** At once, also when this process is told to end. */
    remove() {
        process.removeListener('exit', this.atExit);
        if (this.child !== undefined) {
            this.child.kill('SIGKILL');
        }
        fs.rmSync(this.folder, { recursive: true, force: true });
    }
}

async function startOwnServer() {
    const server = new OwnServer();
    try {
        await server.start();
    } catch (error) {
        await server.stop();
        throw error;
    }
    return server;
}

module.exports = { ROOT, checkProgram, startOwnServer };
