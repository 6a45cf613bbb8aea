/**
 * Load on one server, and what it costs the server: processors, CPU times, the load generators.
 */
'use strict';

const { execFile, execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { promisify } = require('node:util');

const CONNECTIONS = 64;

/** tests/tools/pace.c, of the build that is measured. */
const PACE = path.join(path.dirname(path.resolve(process.env.OPENRISK_BINARY || '')), 'tests/pace');

/** The unit of the times in /proc/PID/stat, on every Linux that Debian knows. */
const TICK_US = 10000;

/** Units of wrk's latencies in ms. */
const UNIT_MS = { us: 0.001, ms: 1, s: 1000, m: 60000 };

/** "0-2,5" → [0, 1, 2, 5] */
function numbersOf(list) {
    return list.split(',').flatMap((range) => {
        const [first, last = first] = range.split('-').map(Number);
        return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
}

/**
 * Give servers and load generators a processor each: what we start from here on runs on the servers',
 * with all its threads and children, and so do we, who only wait while something is measured. Gives
 * the number of the generators' processor.
 */
function shareProcessors() {
    const status = fs.readFileSync('/proc/self/status', 'utf8');
    const [servers, generators] = numbersOf(/^Cpus_allowed_list:\s*(\S+)/m.exec(status)[1]);
    if (generators === undefined) {
        throw new Error('this measurement needs two processors, one for the servers and one for what asks them; here is one');
    }
    try {
        execFileSync('taskset', ['-acp', String(servers), String(process.pid)], { stdio: ['ignore', 'ignore', 'pipe'] });
    } catch (error) {
        throw new Error(`this measurement needs taskset (Debian: util-linux), to give servers a processor of their own: ${error.message}`);
    }
    return generators;
}

/** {parent, user, system} of a process and the children it has outlived, in ticks; undefined if it has ended. */
function statOf(pid) {
    try {
        const fields = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ');
        return { parent: Number(fields[1]), user: Number(fields[11]) + Number(fields[13]), system: Number(fields[12]) + Number(fields[14]) };
    } catch {
        return undefined;
    }
}

/** CPU time in µs, {user, total}, that a process and those below it have used. */
function cpuOf(pid) {
    const stats = new Map();
    for (const name of fs.readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
        stats.set(Number(name), statOf(name));
    }
    const isBelow = (other) => other === pid || (stats.get(other) !== undefined && isBelow(stats.get(other).parent));
    const own = [...stats].filter(([other, stat]) => stat !== undefined && isBelow(other)).map(([, stat]) => stat);
    const user = own.reduce((sum, stat) => sum + stat.user, 0);
    const system = own.reduce((sum, stat) => sum + stat.system, 0);
    return { user: user * TICK_US, total: (user + system) * TICK_US };
}

async function generate(processor, command, args, seconds) {
    const { stdout } = await promisify(execFile)('taskset', ['-c', String(processor), command, ...args], { timeout: (seconds + 20) * 1000 });
    return stdout;
}

function wrkMs(output, share) {
    const [, value, unit] = new RegExp(`^ +${share}% +([\\d.]+)(us|ms|s|m) *$`, 'm').exec(output);
    return Number(value) * UNIT_MS[unit];
}

/**
 * As many requests as the server answers, over 64 connections: {requests, rate, p50 and p99 in ms, cpu and
 * user in µs per request}. `script`: for wrk, which then chooses what to ask for. Fails if one of them is not
 * answered with 2xx.
 */
async function fullLoad(processor, server, route, token, seconds, { connections = CONNECTIONS, script } = {}) {
    const before = cpuOf(server.pid);
    const chosen = script === undefined ? [] : ['-s', script];
    const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '20s', '--latency', ...chosen, '-H', `Authorization: Bearer ${token}`];
    const output = await generate(processor, 'wrk', [...args, `http://127.0.0.1:${server.port}${route}`], seconds);
    const after = cpuOf(server.pid);
    if (/Non-2xx|Socket errors/.test(output)) {
        throw new Error(`${server.name} did not answer everything:\n${output}`);
    }
    const requests = Number(/^ +(\d+) requests in /m.exec(output)[1]);
    return {
        requests,
        rate: Number(/^Requests\/sec: +([\d.]+)/m.exec(output)[1]),
        p50: wrkMs(output, 50),
        p99: wrkMs(output, 99),
        cpu: (after.total - before.total) / requests,
        user: (after.user - before.user) / requests,
    };
}

/** A file in `folder` with a path below /api/v1 in each line, for pace. */
function pathsFile(folder, name, routes) {
    const file = path.join(folder, `${name}.paths`);
    fs.writeFileSync(file, routes.map((route) => `/api/v1${route}\n`).join(''));
    return file;
}

/** A script with which wrk asks for the paths of a file in turn, always from the first one on. */
function scriptFor(file) {
    const script = `${file}.lua`;
    fs.writeFileSync(
        script,
        `local all = {}
        init = function() for path in io.lines("${file}") do all[#all + 1] = wrk.format("GET", path) end end
        local at = 0
        request = function() at = at % #all + 1 return all[at] end\n`,
    );
    return script;
}

/** What tests/tools/pace.c says of a run with these options. */
async function pace(processor, program, server, route, token, { options = [], rate = 0, warmUpSeconds = 0, seconds }) {
    const args = [...options, server.port, route, rate, warmUpSeconds, seconds, `Authorization: Bearer ${token}`].map(String);
    return JSON.parse(await generate(processor, program, args, warmUpSeconds + seconds));
}

/** The same with times in ms. */
function inMs({ requests, starved, mean_us: mean, p50_us: p50, p95_us: p95, p99_us: p99, own_p99_us: own }) {
    return { requests, starved, mean: mean / 1000, p50: p50 / 1000, p95: p95 / 1000, p99: p99 / 1000, own: own / 1000 };
}

/**
 * `rate` requests a second for a path, or for those in a file (`@FILE`) in turn: {requests, mean, p50, p95 and p99 in
 * ms, own: how late the generator itself was (p99), starved: so many found no connection free}. `program`:
 * tests/tools/pace.c. Fails if one is not answered with 200.
 */
async function steadyLoad(processor, program, server, route, token, rate, seconds, { warmUpSeconds = 1 } = {}) {
    return inMs(await pace(processor, program, server, route, token, { rate, warmUpSeconds, seconds }));
}

/** As many requests as `clients` make who ask again as soon as they have an answer: as of steadyLoad(). */
async function closedLoad(processor, program, server, route, token, clients, seconds) {
    return inMs(await pace(processor, program, server, route, token, { options: ['-c', clients], seconds }));
}

/** {starved, began, records} of a run whose records are in a file. */
function recordsOf(file, figures) {
    const began = figures.began_us / 1e6;
    const records = fs.readFileSync(file, 'latin1').trimEnd().split('\n').map((text) => {
        const [due, line, us, delay, level] = text.split(' ').map(Number);
        return { at: due / 1e6 - began, line, ms: us / 1000, delay: delay / 1000, level };
    });
    fs.rmSync(file);
    return { starved: figures.starved, began, records };
}

/**
 * `rate` requests a second for the paths in a file, one after the other: {starved, records: [{at, line, ms, delay,
 * level}]}, see tests/tools/pace.c; `at` is in seconds since the load began, in the order of the answers, and
 * `began` is when that was (process.hrtime, seconds).
 */
async function recordedLoad(processor, program, server, paths, token, rate, seconds) {
    const file = `${paths}.records`;
    return recordsOf(file, await pace(processor, program, server, `@${paths}`, token, { options: ['-o', file], rate, seconds }));
}

/** The paths in a file once, one after the other, by one client: the records, as of recordedLoad(). */
async function onceLoad(processor, program, server, paths, token, count, seconds) {
    const file = `${paths}.records`;
    const options = ['-c', 1, '-n', count, '-o', file];
    const { records } = recordsOf(file, await pace(processor, program, server, `@${paths}`, token, { options, seconds }));
    if (records.length !== count) {
        throw new Error(`${server.name} answered ${records.length} of ${count} requests in ${seconds} s`);
    }
    return records;
}

module.exports = {
    CONNECTIONS, PACE, closedLoad, cpuOf, fullLoad, onceLoad, pathsFile, recordedLoad, scriptFor, shareProcessors, steadyLoad,
};
