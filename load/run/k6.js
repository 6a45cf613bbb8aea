/** The load generator: where it is, how it is built, and one run of it. */
'use strict';

const { execFileSync, spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');

const { Problem } = require('./problem');
const { ROOT } = require('./server');

/** The oldest that the scripts are tested with. */
const OLDEST = [0, 48];

/**
 * What is built with which Go, the newest first. k6 v0.49 says that Go 1.19 will do, but one of its packages needs 1.20; so Debian 12's
 * own Go builds v0.48.
 */
const BUILDS = [
    { go: [1, 24], version: 'v1.4.2' },
    { go: [1, 23], version: 'v1.2.3' },
    { go: [1, 20], version: 'v0.49.0' },
    { go: [1, 19], version: 'v0.48.0' },
];
const HOW = 'install k6 (https://k6.io) or Go 1.19 or newer, with which it is built (Debian: golang-go)';

function isAtLeast([major, minor], [leastMajor, leastMinor]) {
    return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}

/** What a program says of its version: {text, numbers: [major, minor]}, or undefined if there is no such program. */
function versionOf(program, args, pattern) {
    let text;
    try {
        text = execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 3000 }).split('\n')[0];
    } catch {
        return undefined;
    }
    const match = pattern.exec(text);
    return match === null ? undefined : { text: match[0], numbers: [Number(match[1]), Number(match[2])] };
}

const k6Version = (program) => versionOf(program, ['version'], /v(\d+)\.(\d+)\.\d+\S*/);
const goVersion = () => versionOf('go', ['version'], /go(\d+)\.(\d+)[.\w]*/);

function findInPath(name) {
    return (process.env.PATH || '').split(path.delimiter).filter(Boolean).map((folder) => path.join(folder, name)).find((file) => {
        try {
            fs.accessSync(file, fs.constants.X_OK);
            return fs.statSync(file).isFile();
        } catch {
            return false;
        }
    });
}

/**
 * {file, version} of the k6 to use, which may still have to be built: then `build` says with what. Throws a Problem if there is
 * none, and none can be made.
 */
function findK6() {
    const file = findInPath('k6');
    if (file !== undefined) {
        const version = k6Version(file);
        if (version === undefined) {
            throw new Problem(`${file} does not say which version it is; is it k6?`);
        }
        if (!isAtLeast(version.numbers, OLDEST)) {
            throw new Problem(`${file} is ${version.text}, which is too old: v${OLDEST.join('.')} or newer is needed; without it in the PATH one is built`);
        }
        return { file, version: version.text };
    }
    const go = goVersion();
    if (go === undefined) {
        throw new Problem(`there is no k6: ${HOW}`);
    }
    const build = BUILDS.find((one) => isAtLeast(go.numbers, one.go));
    if (build === undefined) {
        throw new Problem(`there is no k6, and ${go.text} is too old to build one: ${HOW}`);
    }
    const cache = process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache');
    const folder = path.join(cache, 'openrisk', `k6-${build.version}`);
    return { file: path.join(folder, 'k6'), version: build.version, folder, go: go.text };
}

/** Build it, unless that has been done: once, outside of the checkout. It gets its name when all of it is there. */
function provideK6(k6) {
    if (k6.folder === undefined || fs.existsSync(k6.file)) {
        return;
    }
    process.stderr.write(`script/load: building k6 ${k6.version} with ${k6.go} once, into ${k6.folder}; this takes some minutes\n`);
    fs.mkdirSync(k6.folder, { recursive: true });
    const fresh = fs.mkdtempSync(path.join(k6.folder, 'new-'));
    try {
        const env = { ...process.env, GOBIN: fresh, GOTOOLCHAIN: 'local' };
        execFileSync('go', ['install', `go.k6.io/k6@${k6.version}`], { env, cwd: fresh, stdio: ['ignore', 'ignore', 'pipe'] });
        fs.renameSync(path.join(fresh, 'k6'), k6.file);
    } catch (error) {
        const lines = String(error.stderr || error.message).trim().split('\n').filter((line) => !/^go: downloading/.test(line));
        throw new Problem(`k6 could not be built: ${lines[0]}`);
    } finally {
        fs.rmSync(fresh, { recursive: true, force: true });
    }
}

/** CPU seconds of a process so far, or undefined. */
function cpuSecondsOf(pid) {
    try {
        const fields = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ');
        return (Number(fields[11]) + Number(fields[12])) / 100;
    } catch {
        return undefined;
    }
}

/** Of k6's own log: the line that says why it gave up, without what is about its scripts. */
function reasonOf(log) {
    const errors = [...log.matchAll(/level=error msg="((?:[^"\\]|\\.)*)"/g)].map(([, text]) => text.replace(/\\n[^]*/, '').replace(/\\"/g, '"'));
    const aborted = errors.map((text) => /openrisk: (.*)/.exec(text)).find((match) => match !== null);
    return aborted ? aborted[1] : errors[0] || log.trim().split('\n').at(-1) || 'it said nothing';
}

/**
 * Run a scenario. `onPoint(metric, {time, value, tags})` gets each sample of request_duration, errors and cache_hit, and each stale read, as they come:
 * a stream, for they are too many to be kept in a file. Gives {code, summary, cpuSeconds, signal}; `summary` is undefined if k6 wrote none.
 */
async function runK6(k6, scenario, env, folder, onPoint, onStart = () => {}) {
    const summaryFile = path.join(folder, 'k6.json');
    const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^K6_|^OPENRISK_(EMAIL|PASSWORD|TOKEN)$/.test(name)));
    const child = spawn(k6.file, ['run', '--quiet', '--no-color', '--address', '', '--out', 'json=-', path.join(ROOT, `load/${scenario}.js`)], {
        env: { ...clean, ...env, OPENRISK_LOAD_SUMMARY: summaryFile, K6_NO_USAGE_REPORT: 'true', K6_AUTO_EXTENSION_RESOLUTION: 'false' },
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true, // A second SIGINT, the terminal's besides ours, would end it without its teardown.
    });
    const endWithUs = () => child.kill('SIGKILL');
    process.on('exit', endWithUs);
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text) => (log = `${log}${text}`.slice(-1e6)));
    readline.createInterface({ input: child.stdout, crlfDelay: Infinity }).on('line', (line) => {
        const match = /"metric":"(request_duration|errors|cache_hit|stale_reads)"/.exec(line);
        // There are many reads that are not stale, and their number is in the summary.
        if (match !== null && line.includes('"type":"Point"') && !(match[1] === 'stale_reads' && line.includes('"value":0,'))) {
            const { data } = JSON.parse(line);
            onPoint(match[1], { time: Date.parse(data.time), value: data.value, tags: data.tags });
        }
    });
    let cpuSeconds;
    const timer = setInterval(() => (cpuSeconds = cpuSecondsOf(child.pid) ?? cpuSeconds), 100);
    onStart(child);
    const { code, signal } = await new Promise((resolve, reject) => {
        child.on('error', reject);
        child.on('close', (exitCode, exitSignal) => resolve({ code: exitCode, signal: exitSignal }));
    });
    clearInterval(timer);
    process.removeListener('exit', endWithUs);
    fs.writeFileSync(path.join(folder, 'k6.log'), log);
    const summary = fs.existsSync(summaryFile) ? JSON.parse(fs.readFileSync(summaryFile, 'utf8')) : undefined;
    return { code, signal, summary, cpuSeconds, reason: reasonOf(log) };
}

module.exports = { BUILDS, findK6, provideK6, runK6 };
