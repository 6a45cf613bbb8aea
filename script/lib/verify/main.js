/** script/verify: its first lines tell what it does. The table of checks is in checks.js, what a check is in check.js. */
'use strict';

const fs = require('node:fs');

const { NoAnswer } = require('./client');
const { CHECKS, markdown } = require('./checks');
const { heldLong } = require('./checks_parts');
const { NEEDS, Skip } = require('./check');
const { Usage, readOptions } = require('./options');
const { Interrupted, Run } = require('./run');

/** Whether anybody is there must be known soon, however patient the checks are. */
const FIRST_LIMIT_MS = 3000;
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
const WORDS = { passed: 'ok', failed: 'FAIL', skipped: 'SKIP' };

/** There is nothing that could be verified. */
class Hopeless extends Error {}

async function first(run, method, route, body, token) {
    const timeoutMs = Math.min(FIRST_LIMIT_MS, run.options.timeoutMs);
    try {
        return await run.send(method, route, { body, token, timeoutMs });
    } catch (error) {
        throw error instanceof NoAnswer ? new Hopeless(error.message) : error;
    }
}

/** Is it an OpenRisk, and could somebody sign in? Else it says so in one line. */
async function find(run) {
    const { url } = run.options;
    const { status, json, headers } = await first(run, 'GET', '/health');
    if (!json || !json.version || !json.checks) {
        const where = headers.location ? `; it sends you to ${headers.location}` : '';
        throw new Hopeless(`${url}: somebody answers (${status}), but that is no OpenRisk${where}`);
    }
    if (json.status === 'DOWN') {
        throw new Hopeless(`${url}: OpenRisk ${json.version} answers, but it is DOWN: its database is away`);
    }
    run.version = json.version;
}

async function signIn(run) {
    const { token, email, password } = run.options;
    if (token) {
        run.me = run.person(token);
        return;
    }
    const { status, json, headers } = await first(run, 'POST', '/auth/login', { email, password });
    if (status === 401) {
        throw new Hopeless(`${email} cannot sign in: the e-mail address or the password is wrong (OPENRISK_EMAIL, OPENRISK_PASSWORD)`);
    }
    if (status !== 200 || !json || !json.token) {
        const wait = headers['retry-after'] ? `; again in ${headers['retry-after']} s` : '';
        throw new Hopeless(`${email} cannot sign in: ${status} ${(json && json.error) || 'without a token'}${wait}`);
    }
    run.signedIn = true;
    run.session = json;
    run.me = run.person(json.token);
}

/** What the account may do. That a token may only read is told by a refusal: this body makes no risk. */
async function learn(run) {
    const { status, json } = await first(run, 'GET', '/users/me', undefined, run.me.token);
    if (status !== 200 || !json || !json.role) {
        const why = status === 401 && !run.signedIn ? 'it is unknown, expired or revoked (OPENRISK_TOKEN)' : `${status} ${(json && json.error) || ''}`;
        throw new Hopeless(`who signed in is refused: ${why}`);
    }
    if (json.must_change_password) {
        throw new Hopeless(`${json.email} must change the password first (POST /users/me/password)`);
    }
    run.user = json;
    run.isAdmin = json.role === 'admin';
    run.mayWrite = (await first(run, 'POST', '/risks', {}, run.me.token)).status !== 403;
}

/** {result, detail} */
async function perform(run, check) {
    if (run.isGone) {
        return { result: 'skipped', detail: 'OpenRisk does not answer any more' };
    }
    const missing = check.needs.filter((need) => !NEEDS[need].has(run));
    if (missing.length > 0) {
        return { result: 'skipped', detail: `needs ${missing.map((need) => NEEDS[need].text).join(' and ')}` };
    }
    try {
        return { result: 'passed', detail: await check.run(run) };
    } catch (error) {
        if (error instanceof Interrupted || run.interrupted) {
            throw new Interrupted();
        }
        run.isGone = error instanceof NoAnswer && !(await run.answers());
        return { result: error instanceof Skip ? 'skipped' : 'failed', detail: error.message };
    }
}

async function verify(run, results) {
    const { only } = run.options;
    const wanted = CHECKS.filter(({ name }) => !only || only.some((start) => name.startsWith(start)));
    const width = Math.max(...wanted.map(({ name }) => name.length));
    run.heldLong = run.isAdmin ? await heldLong(run).catch(() => 0) : 0; // What is wrong there, a check says.
    for (const check of wanted) {
        const began = Date.now();
        const { result, detail } = await perform(run, check);
        results.push({ name: check.name, result, detail, ms: Date.now() - began });
        console.log(`${WORDS[result].padEnd(4)} ${check.name.padEnd(width)}  ${detail.replace(/\s+/g, ' ')}`);
    }
}

function watchSignals(run) {
    for (const [signal, code] of Object.entries(SIGNALS)) {
        process.on(signal, () => {
            if (run.interrupted) {
                run.undo.forEach(({ what }) => console.error(`script/verify: ${what}`));
                console.error(`script/verify: ended without clearing away; what is left is called ${run.name}`);
                process.exit(code);
            }
            run.interrupted = signal;
            console.error(`script/verify: ${signal}; it removes what it has made, and ends`);
        });
    }
}

function save({ json: file, url }, members) {
    if (file !== undefined) {
        fs.writeFileSync(file, `${JSON.stringify({ url, ...members }, null, 2)}\n`);
    }
}

/** What a run came to: the last line, the file, the exit code. */
function finish(run, results, startedAt) {
    const count = (wanted) => results.filter(({ result }) => result === wanted).length;
    const sums = { passed: count('passed'), failed: count('failed'), skipped: count('skipped') };
    console.log(`${sums.passed} passed, ${sums.failed} failed, ${sums.skipped} skipped`);
    const who = run.user && run.user.role;
    save(run.options, { version: run.version, started_at: startedAt, as: who, interrupted: Boolean(run.interrupted), ...sums, checks: results, left_behind: run.left });
    if (run.interrupted) {
        return SIGNALS[run.interrupted];
    }
    return sums.failed > 0 || run.left.length > 0 ? 1 : 0;
}

async function main() {
    const options = readOptions(process.argv.slice(2), process.env);
    if (options.list) {
        console.log(markdown());
        return 0;
    }
    const startedAt = new Date().toISOString();
    const run = new Run(options);
    const results = [];
    watchSignals(run);
    try {
        await find(run);
        await signIn(run);
        await learn(run);
        const { host } = new URL(options.url);
        console.log(`OpenRisk ${run.version} at ${host}, as ${run.user.role}${run.mayWrite ? '' : ' who may only read'}; what is made is called ${run.name}`);
        await verify(run, results);
    } catch (error) {
        if (!(error instanceof Interrupted)) {
            save(options, { started_at: startedAt, error: error.message });
            throw error;
        }
    } finally {
        await run.clear();
        run.left.forEach((left) => console.log(`left behind: ${left}`));
    }
    return finish(run, results, startedAt);
}

// Who reads the lines may be gone (a pipe into head). What was made is removed all the same.
process.stdout.on('error', () => {});

main().then(
    (code) => (process.exitCode = code),
    (error) => {
        const expected = error instanceof Usage || error instanceof Hopeless || error instanceof NoAnswer;
        console.error(`script/verify: ${expected ? error.message : error.stack}`);
        process.exitCode = error instanceof Usage ? 2 : 1;
    },
);
