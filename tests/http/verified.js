/** What tests of script/verify need: running it, reading what it says, and counting what there is before and after. */
'use strict';

const assert = require('node:assert');
const path = require('node:path');

const { startAltering } = require('../tools/altering');
const { startRedis } = require('../tools/redis');
const { ADMIN, ROOT, cli, launch, startServer } = require('./lib');
const { makeRisks } = require('./register');

const SCRIPT = path.join(ROOT, 'script/verify');
const AS_ADMIN = { OPENRISK_EMAIL: ADMIN.email, OPENRISK_PASSWORD: ADMIN.password };
const LIMIT_MS = 120000;
const OPS_TOKEN = 'a-token-for-those-who-operate-it';
/** Of a server. Not the 50 ms for Redis of a machine that has nothing else to do: its breaker must not open by itself. */
const ENV = { OPENRISK_OPS_TOKEN: OPS_TOKEN, REDIS_TIMEOUT: '500ms', LOGIN_BURST: '1000' };
const ELSEWHERE = ['prometheus', 'alertmanager', 'grafana'];

/** Is it a check of something else than OpenRisk? */
const isElsewhere = ({ needs }) => needs.some((need) => ELSEWHERE.includes(need));
/** Of an altering proxy that alters nothing. */
const unaltered = (request, forward) => forward(request);

/** What is looked at: a server with a Redis and some risks, an administrator of it, and an altering proxy, which the caller stops. */
async function startVerified(t) {
    const redis = await startRedis();
    t.after(() => redis.stop());
    const server = await startServer(t, { env: { ...ENV, REDIS_URL: redis.url } });
    const admin = await server.signIn();
    await makeRisks(admin, 30);
    const proxy = await startAltering([server.url]);
    return { redis, server, admin, proxy };
}

/** {code, lines: {NAME: {result, detail}}, passed, failed, skipped, left, stdout, stderr} of what it has printed. */
function read({ code, stdout, stderr }) {
    const lines = [...stdout.matchAll(/^(ok|FAIL|SKIP) +([a-z-]+) +(.*)$/gm)].map(([, result, name, detail]) => [name, { result, detail }]);
    const [, passed, failed, skipped] = (/^(\d+) passed, (\d+) failed, (\d+) skipped\n$/m.exec(stdout) || []).map(Number);
    const left = [...stdout.matchAll(/^left behind: (.*)$/gm)].map(([, what]) => what);
    return { code, lines: Object.fromEntries(lines), passed, failed, skipped, left, stdout, stderr };
}

async function verify(args, env = AS_ADMIN) {
    return read(await cli(args, { program: SCRIPT, env, limitMs: LIMIT_MS }));
}

/** It is under way: what launch() gives, and `ended`, as above. */
function beginVerify(args, env = AS_ADMIN) {
    const run = launch(args, { program: SCRIPT, env });
    run.ended = run.exited.then(({ code }) => read({ code, stdout: run.stdout, stderr: run.stderr }));
    return run;
}

/** How many risks, users, API tokens and sessions there are. `admin` asks the server itself, through no proxy. */
async function holdings(server, admin, bySessions) {
    const risks = (await admin.expect(200, 'GET', '/risks?limit=1')).json.total;
    const users = (await admin.expect(200, 'GET', '/users?limit=1')).json.total;
    const tokens = (await admin.expect(200, 'GET', '/tokens')).json.items.length;
    const sessions = bySessions ? Number(await server.sql('SELECT count(*) FROM token')) : 'not counted';
    return { risks, users, tokens, sessions };
}

/** What `step` does leaves nothing behind. Gives its result. To count sessions takes its time. */
async function leavesNothing(server, admin, step, bySessions = true) {
    const before = await holdings(server, admin, bySessions);
    const result = await step();
    assert.deepStrictEqual(await holdings(server, admin, bySessions), before, result && result.stdout);
    return result;
}

/** The checks `names` have passed. */
function assertOk(result, names) {
    const others = names.filter((name) => !result.lines[name] || result.lines[name].result !== 'ok');
    assert.deepStrictEqual(others, [], `${result.stdout}\n${result.stderr}`);
}

/** The check `name` fails and `says` so, and nothing is left behind. */
async function assertFails(server, admin, name, says, args, env) {
    const result = await leavesNothing(server, admin, () => verify(['--only', name, ...args], env), env.OPENRISK_TOKEN === undefined);
    assert.ok(result.lines[name], result.stdout + result.stderr);
    assert.strictEqual(result.lines[name].result, 'FAIL', result.stdout);
    assert.match(result.lines[name].detail, says);
    assert.strictEqual(result.code, 1);
    assert.ok(result.failed >= 1);
}

module.exports = { AS_ADMIN, ENV, OPS_TOKEN, SCRIPT, assertFails, assertOk, beginVerify, isElsewhere, leavesNothing, startVerified, unaltered, verify };
