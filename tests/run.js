/**
 * Runs all tests and counts their cases: unit tests and fuzz replays by Meson, in each build folder,
 * then the files tests/…/*.test.js by node's runner, against the program built with sanitizers; those
 * over HTTP with SQLite and once more with PostgreSQL ("postgres tests/http/…"); with --full both also
 * against the one built with ThreadSanitizer.
 *
 * A file that is about one engine says so by its name, tests/http/sqlite_….test.js or
 * tests/http/postgres_….test.js, and runs with that one only. One PostgreSQL is started for all of
 * them, if a selected test needs it; its URL is in OPENRISK_TEST_POSTGRES.
 * Called by script/test, which builds before.
 *   node tests/run.js [--full] [PATTERN …]
 */
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { startPostgres } = require('./tools/postgres');

const ROOT = path.resolve(__dirname, '..');
const FULL = process.argv.includes('--full');
const PATTERNS = process.argv.slice(2).filter((argument) => argument !== '--full');
const FILE_LIMIT_MS = (FULL ? 20 : 5) * 60 * 1000;
const END_LIMIT_MS = 20000;
const SHOWN_LINES = 60;
const ENVIRONMENT = {
    ...process.env,
    ASAN_OPTIONS: 'detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1',
    UBSAN_OPTIONS: 'print_stacktrace=1',
    TSAN_OPTIONS: `second_deadlock_stack=1:suppressions=${ROOT}/tests/tsan.supp`,
    OPENRISK_TEST_FULL: FULL ? '1' : '',
    OPENRISK_TEST_ENGINE: 'sqlite',
    OPENRISK_BINARY: path.join(ROOT, 'build-asan/openrisk'),
};
const FOLDERS = FULL ? ['build', 'build-asan', 'build-clang', 'build-tsan'] : ['build', 'build-asan'];

const total = { passed: 0, failed: 0, skipped: 0 };

function wanted(name) {
    return PATTERNS.length === 0 || PATTERNS.some((pattern) => name.includes(pattern));
}

/**
 * Add a program's counts to the total and say them in a line, with the figures that it has taken
 * (lines "# figure: …") below; on failure with what it printed.
 */
function report(name, count, seconds, output) {
    for (const kind of Object.keys(total)) {
        total[kind] += count[kind];
    }
    const parts = [`${count.passed} passed`];
    if (count.failed > 0) {
        parts.push(`${count.failed} FAILED`);
    }
    if (count.skipped > 0) {
        parts.push(`${count.skipped} SKIPPED`);
    }
    console.log(`${count.failed > 0 ? 'FAIL' : 'ok  '} ${name.padEnd(44)} ${parts.join(', ').padEnd(12)} ${seconds.toFixed(1)} s`);
    for (const skipped of new Set(output.match(/^ *ok .*# SKIP.*$|^\[  SKIPPED \] [^\d].*$/gm))) {
        console.log(`     ${skipped.trim()}`);
    }
    for (const [, figure] of output.matchAll(/^ *# figure: (.*)$/gm)) {
        console.log(`     ${figure}`);
    }
    if (count.failed > 0) {
        console.log(shortened(output).replace(/^/gm, '     '));
    }
}

/** What a failed test printed, without the cases that went well and without the middle of much. */
function shortened(output) {
    const failures = output.replace(/^( *)ok \d.*\n(?:\1  ---\n[^]*?\1  \.\.\.\n)?/gm, '');
    const lines = failures.split('\n').filter((line) => !/^\[ RUN|^\[ {7}OK|^ *# Subtest|^ *$/.test(line));
    const left = lines.length - 2 * SHOWN_LINES;
    return (left <= 0 ? lines : [...lines.slice(0, SHOWN_LINES), `… ${left} lines …`, ...lines.slice(-SHOWN_LINES)]).join('\n');
}

/**
 * The cases of a unit test by what cmocka printed; a program that prints none, such as a replay, is
 * one case. What began and neither passed nor was skipped has failed: it may have crashed.
 */
function countUnit(output, succeeded) {
    const sum = (pattern) => [...output.matchAll(pattern)].reduce((all, match) => all + Number(match[1]), 0);
    const cases = sum(/^\[=+\] Running (\d+) test/gm);
    const skipped = sum(/^\[  SKIPPED \] (\d+) test/gm);
    const passed = cases > 0 ? [...output.matchAll(/^\[       OK \]/gm)].length : Number(succeeded);
    const failed = Math.max(cases - passed - skipped, succeeded ? 0 : 1);
    return { passed, failed, skipped };
}

/**
 * The cases of a node test by its TAP: the innermost results. A result is preceded by the results of
 * its subtests, one level further in; it counts itself only if it had none, or if it failed although
 * they passed.
 */
function countTap(output, succeeded) {
    const count = { passed: 0, failed: 0, skipped: 0 };
    const inner = []; // per level: the failures among results not yet claimed by a parent, or undefined
    for (const line of output.split('\n')) {
        const match = /^( *)(not )?ok \d+(.*)$/.exec(line);
        if (match === null) {
            continue;
        }
        const level = match[1].length / 4;
        const failed = match[2] !== undefined;
        const subtests = inner[level + 1];
        inner.length = level + 1;
        inner[level] = (inner[level] || 0) + Number(failed);
        if (subtests !== undefined && (!failed || subtests > 0)) {
            continue;
        }
        count[failed ? 'failed' : /# SKIP/i.test(match[3]) ? 'skipped' : 'passed']++;
    }
    if (!succeeded && count.failed === 0) {
        count.failed = 1;
    }
    return count;
}

/**
 * Has node said that all cases of a file went well? Then only its own end is missing, and that sometimes does not
 * come: it has nothing left to do, and hangs (nodejs/node#54918). That is told, and fails nothing.
 */
function isOver(output) {
    return /^# fail 0$[^]*^# cancelled 0$[^]*^# duration_ms /m.test(output);
}

/** Run a program in a process group of its own to its end or `limitMs`: {code, output}. */
function run(command, args, limitMs, env = ENVIRONMENT) {
    return new Promise((resolve, reject) => {
        const child = spawn(command, args, { cwd: ROOT, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
        let output = '';
        const endGroup = () => {
            try {
                process.kill(-child.pid, 'SIGKILL');
            } catch {
                // It has ended already.
            }
        };
        const timer = setTimeout(() => {
            output += `\nended because it took more than ${limitMs / 1000} s\n`;
            endGroup();
        }, limitMs);
        process.on('exit', endGroup);
        let overTimer, endedByUs = false;
        child.stdout.on('data', (chunk) => {
            output += chunk;
            if (overTimer === undefined && isOver(output)) {
                overTimer = setTimeout(() => {
                    output += `\n# figure: node did not end within ${END_LIMIT_MS / 1000} s after its last case, and was ended\n`;
                    endedByUs = true;
                    endGroup();
                }, END_LIMIT_MS);
            }
        });
        child.stderr.on('data', (chunk) => (output += chunk));
        child.on('error', reject);
        child.on('close', (code) => {
            clearTimeout(timer);
            clearTimeout(overTimer);
            process.removeListener('exit', endGroup);
            resolve({ code: endedByUs ? 0 : code, output });
        });
    });
}

/** The tests that Meson knows in a build folder. */
function mesonTests(folder) {
    const known = JSON.parse(fs.readFileSync(path.join(ROOT, folder, 'meson-info/intro-tests.json'), 'utf8'));
    return known.filter((test) => folder !== 'build-tsan' || isUnit(test));
}

function isUnit(test) {
    return test.suite.some((suite) => suite.endsWith(':unit'));
}

async function runMeson(folder) {
    const tests = mesonTests(folder);
    if (!tests.some(isUnit)) {
        report(`${folder}: no unit tests`, { passed: 0, failed: 1, skipped: 0 }, 0, 'Was it set up without cmocka?');
    }
    const names = tests.map((test) => test.name).filter((name) => wanted(`${folder}/${name}`));
    if (names.length === 0) {
        return;
    }
    const log = path.join(ROOT, folder, 'meson-logs/testlog.json');
    fs.rmSync(log, { force: true });
    const meson = await run('meson', ['test', '-C', folder, '--no-rebuild', ...names], FILE_LIMIT_MS);
    const lines = fs.existsSync(log) ? fs.readFileSync(log, 'utf8').trim().split('\n') : [];
    const results = lines.map((line) => JSON.parse(line));
    if (results.length !== names.length) {
        report(`${folder}: not all of ${names.length}`, { passed: 0, failed: 1, skipped: 0 }, 0, meson.output);
    }
    for (const result of results) {
        const output = `${result.stdout || ''}\n${result.stderr || ''}`;
        const name = `${folder}/${result.name.replace(/^.* \/ /, '')}`;
        report(name, countUnit(output, result.result === 'OK'), result.duration, `${result.result}\n${output}`);
    }
}

function nodeTests(folder) {
    return fs
        .readdirSync(path.join(ROOT, folder), { withFileTypes: true, recursive: false })
        .flatMap((entry) => {
            const name = `${folder}/${entry.name}`;
            return entry.isDirectory() ? nodeTests(name) : name.endsWith('.test.js') ? [name] : [];
        })
        .sort();
}

/** What node runs: the files of `folder` with an engine and settings; `prefix` is for the report. */
function nodeRuns() {
    const runs = [
        { prefix: '', folder: 'tests', engine: 'sqlite' },
        { prefix: 'postgres ', folder: 'tests/http', engine: 'postgres' },
    ];
    if (FULL) {
        // Threads of the whole program, with the short counts.
        const env = { OPENRISK_TEST_FULL: '', OPENRISK_BINARY: path.join(ROOT, 'build-tsan/openrisk') };
        runs.push({ prefix: 'build-tsan ', folder: 'tests/http', engine: 'sqlite', env });
        runs.push({ prefix: 'build-tsan postgres ', folder: 'tests/http', engine: 'postgres', env });
    }
    const isFor = (engine, file) => {
        const [, only] = /^tests\/http\/(sqlite|postgres)_\w+\.test\.js$/.exec(file) || [];
        return only === undefined || only === engine;
    };
    return runs.map((one) => ({
        ...one,
        files: nodeTests(one.folder).filter((file) => isFor(one.engine, file) && wanted(`${one.prefix}${file}`)),
    }));
}

/** One file more at a time than there are processors: most of them wait for something half of their time. */
async function runNode({ prefix, files, engine, env }) {
    const left = [...files];
    const work = async () => {
        while (left.length > 0) {
            const file = left.shift();
            const began = Date.now();
            const all = { ...ENVIRONMENT, OPENRISK_TEST_ENGINE: engine, ...env };
            const { code, output } = await run(process.execPath, ['--test-reporter=tap', file], FILE_LIMIT_MS, all);
            report(`${prefix}${file}`, countTap(output, code === 0), (Date.now() - began) / 1000, output);
        }
    };
    await Promise.all([...os.cpus(), undefined].map(work));
}

/** Does a selected test need PostgreSQL? Those of faults choose their engine themselves. */
function needsPostgres(runs) {
    const units = FOLDERS.flatMap((folder) => mesonTests(folder).map((test) => `${folder}/${test.name}`).filter(wanted));
    return units.some((name) => /_postgres(_|$)/.test(name))
        || runs.some(({ engine, files }) => files.some((file) => engine === 'postgres' || file.startsWith('tests/faults/')));
}

/** The cluster for all tests. Without it those that need one fail, each by itself. */
async function providePostgres() {
    try {
        const cluster = await startPostgres();
        ENVIRONMENT.OPENRISK_TEST_POSTGRES = cluster.url;
        return cluster;
    } catch (error) {
        ENVIRONMENT.OPENRISK_TEST_POSTGRES = 'postgres://not.started@127.0.0.1:1/none';
        report('PostgreSQL', { passed: 0, failed: 1, skipped: 0 }, 0, error.message);
        return undefined;
    }
}

async function main() {
    const runs = nodeRuns();
    const cluster = needsPostgres(runs) ? await providePostgres() : undefined;
    try {
        for (const folder of FOLDERS) {
            await runMeson(folder);
        }
        for (const one of runs) {
            await runNode(one);
        }
    } finally {
        if (cluster) {
            await cluster.stop();
        }
    }
    if (total.passed + total.failed + total.skipped === 0) {
        console.error(`No test has a name with ${PATTERNS.join(' or ')} in it.`);
        process.exitCode = 1;
    }
    const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
    console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
    if (total.failed > 0) {
        process.exitCode = 1;
    }
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));
