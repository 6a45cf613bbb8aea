/**
 * Runs a scenario of this folder and says what it has shown; called by script/load, whose first lines tell how.
 *
 * What can be wrong with the question is found before anything is built or started, so that it is said at once.
 */
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const { compare, compareText, readResult } = require('./run/compare');
const { findK6, provideK6, runK6 } = require('./run/k6');
const { Ops, buildOf } = require('./run/metrics');
const { Problem } = require('./run/problem');
const { Recorder } = require('./run/record');
const { reportOf } = require('./run/report');
const { resultOf, textOf } = require('./run/result');
const { checkProgram, startOwnServer } = require('./run/server');
const { Watch } = require('./run/soak');
const { checkTarget, originOf, removeLeftovers } = require('./run/target');

const SCENARIOS = ['baseline', 'stress', 'spike', 'slo', 'stampede', 'mixed', 'soak'];
const WRITING = ['mixed', 'soak'];
const SOAK_SECONDS = 24 * 3600;
const SECRETS = ['OPENRISK_EMAIL', 'OPENRISK_PASSWORD', 'OPENRISK_TOKEN'];
const NUMBERS = ['DURATION_SCALE', 'OPENRISK_LOAD_RATE', 'OPENRISK_LOAD_LATENCY_FACTOR', 'OPENRISK_NODES'];

/** {scenario, url, minutes, output} or {compared: [A, B]} or {wantsK6: true} */
function questionOf(argv) {
    const words = [];
    const options = {};
    for (let i = 0; i < argv.length; i++) {
        const name = argv[i].replace(/^--/, '');
        if (!argv[i].startsWith('-')) {
            words.push(argv[i]);
        } else if (['--minutes', '--output'].includes(argv[i]) && argv[i + 1] !== undefined) {
            options[name] = argv[++i];
        } else {
            throw new Problem(`'${argv[i]}' is unknown, or lacks its value; see the first lines of the script`);
        }
    }
    const [scenario, ...rest] = words;
    if (scenario === 'k6' && rest.length === 0) {
        return { wantsK6: true };
    }
    if (scenario === 'compare') {
        if (rest.length !== 2) {
            throw new Problem('compare needs two results: script/load compare A B');
        }
        return { compared: rest };
    }
    if (!SCENARIOS.includes(scenario)) {
        const what = scenario === undefined ? 'which scenario?' : `there is no scenario '${scenario}';`;
        throw new Problem(`${what} there are ${SCENARIOS.join(', ')}, and compare`);
    }
    if (rest.length > 1) {
        throw new Problem(`'${rest[1]}' is one argument too many`);
    }
    if (options.minutes !== undefined && scenario !== 'soak') {
        throw new Problem('--minutes is for soak; DURATION_SCALE shortens the others');
    }
    return { scenario, url: rest[0], ...options };
}

function checkNumbers(env) {
    for (const name of NUMBERS) {
        const text = env[name];
        if (text !== undefined && text !== '' && !(/^\d*\.?\d+$/.test(text) && Number(text) > 0)) {
            throw new Problem(`${name} must be a number above 0, not '${text}'`);
        }
    }
    for (const name of ['OPENRISK_LOAD_RATE', 'OPENRISK_NODES']) {
        if (env[name] && !/^\d+$/.test(env[name])) {
            throw new Problem(`${name} must be a whole number, not '${env[name]}'`);
        }
    }
}

/** What k6 gets to know, besides who signs in. */
function settingsOf({ scenario, minutes }, env) {
    if (minutes !== undefined && !(Number(minutes) > 0)) {
        throw new Problem(`--minutes must be a number above 0, not '${minutes}'`);
    }
    const scale = minutes === undefined ? env.DURATION_SCALE : ((minutes * 60) / SOAK_SECONDS).toFixed(9).replace(/0+$/, '');
    const seconds = scenario === 'soak' ? SOAK_SECONDS * Number(scale || 1) : undefined;
    return { seconds, env: { DURATION_SCALE: scale || '1' } };
}

/** A new folder for the result. It is there before the load is, so that an hour is not measured for nothing. */
function folderFor(scenario, output) {
    const stamp = new Date().toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
    const folder = path.resolve(output || path.join('load-results', `${scenario}-${stamp}`));
    if (fs.existsSync(folder) && (!fs.statSync(folder).isDirectory() || fs.readdirSync(folder).length > 0)) {
        throw new Problem(`${folder} is there already, and not empty`);
    }
    try {
        fs.mkdirSync(folder, { recursive: true });
    } catch (error) {
        throw new Problem(`no result can be kept in ${folder}: ${error.message}`);
    }
    return folder;
}

/** How this was asked for, without secrets. */
function commandOf(argv, env) {
    const given = NUMBERS.filter((name) => env[name]).map((name) => `${name}=${env[name]}`);
    return [...given, 'script/load', ...argv].join(' ');
}

/** The ops listeners, when they can be asked: {ops}, or {why} not. A soak is nothing without. */
async function opsOf(env, own, isNeeded) {
    const urls = own ? own.opsUrl : env.OPENRISK_OPS_URL;
    if (!urls) {
        const why = 'OPENRISK_OPS_URL does not say where /metrics is';
        if (isNeeded) {
            throw new Problem(`a soak looks at what the server takes, and ${why}`);
        }
        return { why };
    }
    const ops = new Ops(urls, own ? undefined : env.OPENRISK_OPS_TOKEN);
    try {
        await ops.read();
    } catch (error) {
        if (isNeeded) {
            throw error;
        }
        return { why: error.message };
    }
    return { ops };
}

/** What k6 complains of, besides thresholds, which are judged one by one. */
function complaintsOf({ code, signal, log }) {
    const errors = log.split('\n').filter((line) => /level=error/.test(line) && !/thresholds on metrics/.test(line));
    const complaints = errors.length > 0 ? [`k6 told of ${errors.length} errors, the first: ${errors[0].slice(0, 300)}`] : [];
    if (code !== 0 && code !== 99) {
        complaints.push(`k6 ended with ${signal || code} before its time`);
    }
    return complaints;
}

/** The load itself, with what is looked at before, meanwhile and after. */
async function put({ scenario, k6, url, credentials, settings, folder, ops, onStart }) {
    const recorder = new Recorder();
    const watch = settings.seconds === undefined ? undefined : new Watch(ops, settings.seconds * 1000);
    const marker = `loadtest${crypto.randomBytes(6).toString('hex')}`;
    const before = ops ? await ops.read() : undefined;
    const began = new Date().toISOString();
    watch?.begin();
    const env = { ...credentials, ...settings.env, OPENRISK_URL: url, OPENRISK_LOAD_MARKER: marker };
    const run = await runK6(k6, scenario, env, folder, (metric, point) => recorder.take(metric, point), onStart);
    watch?.end();
    const after = ops ? await ops.read() : undefined;
    const left = WRITING.includes(scenario) ? await removeLeftovers(url, credentials, marker) : 0;
    if (run.summary === undefined || recorder.all.times.length === 0) {
        throw new Problem(`k6 gave up: ${run.reason}`);
    }
    run.complaints = complaintsOf({ ...run, log: fs.readFileSync(path.join(folder, 'k6.log'), 'utf8') });
    if (left > 0) {
        run.complaints.push(`${left} risks and assets of the load test were left behind by its teardown; they are deleted now`);
    }
    return { run, recorder, began, watch, scrapes: ops ? [before, after] : undefined };
}

/** Files and text for the operator; gives the exit code. */
function tell(result, folder) {
    const text = textOf(result);
    fs.writeFileSync(path.join(folder, 'result.json'), `${JSON.stringify(result, null, 1)}\n`);
    fs.writeFileSync(path.join(folder, 'summary.txt'), text);
    fs.writeFileSync(path.join(folder, 'report.html'), reportOf(result));
    fs.rmSync(path.join(folder, 'k6.json'), { force: true });
    process.stdout.write(`${text}summary.txt, result.json and report.html are in ${path.relative(process.cwd(), folder) || '.'}\n`);
    return result.verdict === 'passed' ? 0 : 1;
}

/** One interrupt ends the load, and k6 still cleans up; another ends everything. */
function interrupter() {
    const state = { isInterrupted: false, child: undefined };
    const interrupt = () => {
        if (state.isInterrupted) {
            process.exit(130);
        }
        state.isInterrupted = true;
        state.child?.kill('SIGINT');
    };
    ['SIGINT', 'SIGTERM', 'SIGHUP'].forEach((name) => process.on(name, interrupt));
    return state;
}

async function measure(question, argv) {
    const { env } = process;
    checkNumbers(env);
    const settings = settingsOf(question, env);
    const { scenario } = question;
    const [writes, needsOps] = [WRITING.includes(scenario), scenario === 'soak'];
    const given = Object.fromEntries(SECRETS.filter((name) => env[name]).map((name) => [name, env[name]]));
    const k6 = findK6();
    const origin = question.url === undefined ? undefined : originOf(question.url);
    if (origin === undefined) {
        checkProgram();
    } else {
        await checkTarget(origin, given, writes);
        await opsOf(env, undefined, needsOps);
    }
    const folder = folderFor(scenario, question.output);
    provideK6(k6);
    const interrupted = interrupter();
    const own = origin === undefined ? await startOwnServer() : undefined;
    try {
        const credentials = own ? own.credentials : given;
        const url = own ? own.origin : origin;
        const { version } = await checkTarget(url, credentials, writes);
        const { ops, why } = await opsOf(env, own, needsOps);
        if (why !== undefined) {
            process.stderr.write(`script/load: THE HIT RATE IS NOT COMPARED with what the server counts: ${why}\n`);
        }
        const onStart = (child) => {
            interrupted.child = child;
            if (interrupted.isInterrupted) {
                child.kill('SIGINT');
            }
        };
        const { run, recorder, began, watch, scrapes } = await put({ scenario, k6, url, credentials, settings, folder, ops, onStart });
        if (interrupted.isInterrupted) {
            run.complaints.push('interrupted');
        }
        const { growth, failures = [] } = watch?.judge(recorder.span) || {};
        run.complaints.push(...failures);
        const facts = {
            command: commandOf(argv, env),
            url,
            is_own: own !== undefined,
            is_local: own !== undefined || /^(127\.|localhost$|\[::1\])/.test(new URL(url).hostname),
            began,
            versions: { openrisk: version, ...(scrapes ? buildOf(scrapes[1]) : {}), k6: k6.version, node: process.version },
            server_settings: own ? own.settings : [],
            ...(growth ? { growth } : {}),
        };
        return tell(resultOf({ run, recorder, scrapes, why, facts }), folder);
    } finally {
        await own?.stop();
    }
}

async function main(argv) {
    const question = questionOf(argv);
    if (question.compared !== undefined) {
        const found = compare(...question.compared.map(readResult));
        process.stdout.write(compareText(found));
        return found.verdict === 'worse' ? 1 : 0;
    }
    if (question.wantsK6) {
        const k6 = findK6();
        provideK6(k6);
        process.stdout.write(`${k6.file} ${k6.version}\n`);
        return 0;
    }
    return measure(question, argv);
}

main(process.argv.slice(2)).then(
    (code) => process.exit(code),
    (error) => {
        process.stderr.write(`script/load: ${error instanceof Problem ? error.message : error.stack}\n`);
        process.exit(2);
    },
);
