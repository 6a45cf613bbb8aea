/** Each scenario of load/ for seconds, with the real k6 on a real server; and that they say so when something does not hold: faults.test.js. */
'use strict';

const assert = require('node:assert');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { ADMIN, ROOT, waitFor } = require('../http/lib');
const { childrenOf, isAlive } = require('../tools/process');
const { filledServer, folderOf, load, plainProgram, run, whyNoK6 } = require('./loading');

const READ_ONLY = ['baseline', 'stress', 'spike', 'slo'];
const ENDPOINTS = ['risk', 'risk_matrix', 'risks', 'search', 'stats', 'top_risks', 'trends'];

/** All went well, and was looked at. */
function assertPassed({ code, stdout, stderr, result }) {
    assert.strictEqual(code, 0, `${stdout}${stderr}`);
    assert.strictEqual(result.verdict, 'passed');
    assert.deepStrictEqual(result.thresholds.filter(({ samples, verdict }) => !(samples > 0) || verdict !== 'ok'), []);
    assert.strictEqual(result.errors, 0);
    assert.strictEqual(result.hit_rate.verdict, 'agree');
    assert.strictEqual(result.hit_rate.counted.lookups, result.hit_rate.told.lookups, 'nobody else used this server');
}

/** The page shows what there is to show, and asks nobody for anything. */
function assertReport({ report, summary, stdout, result }) {
    assert.ok(stdout.startsWith(summary));
    assert.ok(!/(src|href|url\(|@import|<script|<link)/.test(report), 'the page fetches something');
    assert.ok(report.match(/<svg /g).length >= 4, 'the page lacks charts');
    assert.match(report, new RegExp(`<p class="verdict ${result.verdict}">`));
    for (const { metric, condition } of result.thresholds) {
        assert.ok(report.includes(`<td>${metric}</td><td>${condition.replace(/</g, '&lt;').replace(/>/g, '&gt;')}</td>`), metric);
    }
    for (const told of [result.command, result.versions.k6, result.machine.cpu.replace(/&/g, '&amp;'), 'OPENRISK_LOAD_LATENCY_FACTOR=50', 'DURATION_SCALE=0.01']) {
        assert.ok(report.includes(told), `the page does not tell ${told}`);
    }
    assert.match(summary, /relaxed by OPENRISK_LOAD_LATENCY_FACTOR=50/);
    assert.match(report, /relaxed by OPENRISK_LOAD_LATENCY_FACTOR=50/);
}

const without = whyNoK6();

test('the scenarios', { skip: without }, async (t) => {
    const server = await filledServer(t);
    const admin = await server.signIn();

    for (const scenario of READ_ONLY) {
        await t.test(`${scenario} asks for everything, and everything holds`, async (t2) => {
            await admin.expect(200, 'DELETE', '/cache');
            const ended = await run(t2, [scenario], { target: server });
            assertPassed(ended);
            assertReport(ended);
            const { result } = ended;
            assert.deepStrictEqual(result.endpoints.map(({ name }) => name), ENDPOINTS);
            assert.ok(result.hit_rate.measured > 0.75);
            assert.ok(result.hit_rate.told.rate < result.hit_rate.measured, 'only the warm-up has missed');
            assert.ok(result.stale_reads.looked_at > 0);
            assert.strictEqual(result.slices.all.reduce((sum, { requests }) => sum + requests, 0), result.all.requests);
            assert.ok(Math.abs(result.series.reduce((sum, { rate }) => sum + rate, 0) / result.series.length - result.all.rate) < 0.05 * result.all.rate);
            t2.diagnostic(`figure: ${scenario}: ${result.all.requests} requests, ${result.all.rate.toFixed(0)} a second, k6 kept ${result.generator.processors_busy.toFixed(2)} processors busy`);
        });
    }

    await t.test('slo keeps its rate', async (t2) => {
        const { code, stdout, result } = await run(t2, ['slo'], { target: server, env: { OPENRISK_LOAD_RATE: '40' } });
        assert.strictEqual(code, 0, stdout);
        assert.strictEqual(result.settings.rate, 40);
        assert.ok(Math.abs(result.all.rate - 40) < 4, `${result.all.rate}`);
        assert.ok(result.thresholds.some(({ metric, samples }) => metric === 'dropped_iterations' && samples > 100));
    });

    await t.test('stampede asks a thousand times at once, and one of them loads', async (t2) => {
        const ended = await run(t2, ['stampede'], { target: server });
        assertPassed(ended);
        assertReport(ended);
        const { result } = ended;
        assert.strictEqual(result.all.requests, 1000);
        assert.strictEqual(result.thresholds.find(({ metric }) => metric === 'stampede_loads').value, 1);
    });

    await t.test('mixed looks at versions everywhere, and leaves nothing behind', async (t2) => {
        const before = await admin.expect(200, 'GET', '/stats');
        const ended = await run(t2, ['mixed'], { target: server });
        assertPassed(ended);
        assertReport(ended);
        const { result } = ended;
        assert.deepStrictEqual(result.endpoints.map(({ name }) => name), [...ENDPOINTS, 'write']);
        const writes = result.endpoints.find(({ name }) => name === 'write').requests;
        assert.ok(Math.abs(writes / result.all.requests - 0.05) < 0.01, `${writes} of ${result.all.requests}`);
        assert.ok(result.stale_reads.looked_at > result.all.requests, 'lists are looked into');
        assert.deepStrictEqual((await admin.expect(200, 'GET', '/risks?tag=load-test')).json.items, []);
        assert.deepStrictEqual((await admin.expect(200, 'GET', '/assets?q=load')).json.items.filter(({ type }) => type === 'load test'), []);
        assert.deepStrictEqual((await admin.expect(200, 'GET', '/stats')).json, before.json);
    });

    await t.test('a token is enough, and one that may only read for what only reads', async (t2) => {
        const expires = new Date(Date.now() + 3600e3).toISOString();
        const { json } = await admin.expect(201, 'POST', '/tokens', { name: 'load', scope: 'read', expires_at: expires });
        const env = { OPENRISK_TOKEN: json.token, OPENRISK_EMAIL: '', OPENRISK_PASSWORD: '' };
        const read = await run(t2, ['baseline'], { target: server, env: { ...env, DURATION_SCALE: '0.008' } });
        assert.strictEqual(read.code, 0, read.stdout);
        assert.ok(![read.stdout, read.report, JSON.stringify(read.result)].some((text) => text.includes(json.token)), 'the token is told');
        const wrote = await run(t2, ['mixed'], { target: server, env });
        assert.strictEqual(wrote.code, 2);
        assert.match(wrote.stderr, /^script\/load: k6 gave up: POST \/assets gave 403, not 201: .*\n$/);
    });

    await t.test('an interrupt ends a day of soak early, cleans up, and is no success', async (t2) => {
        const output = path.join(folderOf(t2), 'result');
        const env = { ...process.env, OPENRISK_EMAIL: ADMIN.email, OPENRISK_PASSWORD: ADMIN.password, OPENRISK_OPS_URL: server.opsUrl };
        const child = spawn(path.join(ROOT, 'script/load'), ['soak', server.url, '--output', output], { env, stdio: ['ignore', 'pipe', 'pipe'] });
        t2.after(() => child.kill('SIGKILL'));
        const ended = new Promise((resolve) => child.on('close', resolve));
        const made = () => admin.expect(200, 'GET', '/risks?tag=load-test').then(({ json }) => json.items);
        const tokens = async () => (await admin.expect(200, 'GET', '/tokens')).json.items.filter(({ name }) => name === 'load test');
        await waitFor(async () => (await made()).some(({ version }) => version > 1), 'a risk to be written', 20000);
        // Sessions end after twelve hours; this outlives the load.
        const [token] = await tokens();
        assert.ok(Date.parse(token.expires_at) > Date.now() + 24 * 3600e3, token.expires_at);
        child.kill('SIGINT');
        assert.strictEqual(await ended, 1);
        const result = JSON.parse(fs.readFileSync(path.join(output, 'result.json'), 'utf8'));
        assert.ok(result.failures.includes('interrupted'), result.failures.join('\n'));
        assert.ok(!result.failures.some((failure) => /left behind/.test(failure)), 'k6 has cleaned up itself');
        assert.deepStrictEqual(await made(), []);
        assert.deepStrictEqual(await tokens(), []);
    });
});

test('killed, it takes k6 and its server with it', { skip: without }, async (t) => {
    const folder = folderOf(t);
    const env = { ...process.env, OPENRISK_BINARY: plainProgram(), TMPDIR: folder };
    const child = spawn(path.join(ROOT, 'script/load'), ['spike', '--output', path.join(folder, 'result')], { env, stdio: 'ignore' });
    t.after(() => child.kill('SIGKILL'));
    const children = await waitFor(() => childrenOf(child.pid).length >= 2 && childrenOf(child.pid), 'k6 and the server', 20000);
    child.kill('SIGKILL');
    await waitFor(() => !children.some(isAlive), 'both to end', 20000);
});

test('without a URL it starts a server of its own, and nothing of it stays', { skip: without }, async (t) => {
    const folder = folderOf(t);
    fs.mkdirSync(path.join(folder, 'tmp'));
    const env = { DURATION_SCALE: '0.008', OPENRISK_LOAD_LATENCY_FACTOR: '50', OPENRISK_BINARY: plainProgram(), TMPDIR: path.join(folder, 'tmp') };
    const { code, stdout, stderr } = await load(['baseline'], { env, cwd: folder });
    assert.strictEqual(code, 0, `${stdout}${stderr}`);
    assert.deepStrictEqual(fs.readdirSync(path.join(folder, 'tmp')), []);
    const [name] = fs.readdirSync(path.join(folder, 'load-results'));
    assert.match(name, /^baseline-\d{8}-\d{6}$/);
    const result = JSON.parse(fs.readFileSync(path.join(folder, 'load-results', name, 'result.json'), 'utf8'));
    assert.strictEqual(result.hit_rate.verdict, 'agree');
    assert.strictEqual(result.is_own, true);
    assert.deepStrictEqual(result.server_settings, ['APP_ENV=production']);
    const compared = await load(['compare', `load-results/${name}`, `load-results/${name}`], { cwd: folder });
    assert.strictEqual(compared.code, 0, compared.stderr);
    assert.match(compared.stdout, /B is the same as A/);
});
