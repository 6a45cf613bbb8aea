/**
 * Many clients, PostgreSQL, and what disturbs: connections that break all the time, and another server
 * that writes to the same register. Nobody is shown what an acknowledged write has changed as it was, and
 * no version goes back, for all who ask the same server; a write at another server is seen within a second.
 */
'use strict';

const assert = require('node:assert');
const path = require('node:path');
const { test } = require('node:test');

const { FULL, binary, cli, startServer, waitFor } = require('../http/lib');
const { HIT } = require('../http/cached');
const { makeRisks } = require('../http/register');
const { createDatabase, startBehindProxy } = require('./proxied');
const { assertSettled, assertWhole, pools } = require('./state');

const OPERATIONS = FULL ? 200000 : 20000;
const HISTORY_LIMIT_MS = (FULL ? 15 : 3) * 60000;
const RUNS_MAX = 10;
const RISKS = 24;
const RESET_EVERY_MS = 500;
const SEEN_LIMIT_MS = 1000;
const ENV = { DB_POOL_MAX: '10', DB_POOL_MAX_WAITING: '200' };

/** `client history` to its end (tests/tools/client/): its figures, and the faults that it shows. */
async function runHistory(server, token, ids, seed) {
    const program = path.join(path.dirname(binary()), 'tests/client');
    const args = ['history', '--url', server.url, '--token', token, '--risks', ids.join(','), '--operations', String(OPERATIONS), '--seed', String(seed)];
    const { stdout, stderr } = await cli(args, { program, limitMs: HISTORY_LIMIT_MS });
    const [line] = /^history: .*$/m.exec(stdout) || assert.fail(`${stdout}${stderr}`);
    const figures = Object.fromEntries([...line.matchAll(/(\w+)=([\d.]+)/g)].map(([, name, value]) => [name, Number(value)]));
    return { line, figures, faults: stdout.split('\n').filter((one) => one.startsWith('fault: ')) };
}

/** The same, once more and again until there is enough of what it is about: on a busy machine there are many hits to one write. */
async function runHistories(server, token, ids, seed, isEnough) {
    const all = { runs: 0, line: '', figures: {}, faults: [] };
    do {
        const { line, figures, faults } = await runHistory(server, token, ids, seed + 100 * all.runs);
        all.runs++;
        all.line = all.line === '' ? line : `${all.line}; ${line}`;
        all.faults.push(...faults);
        Object.entries(figures).forEach(([name, value]) => (all.figures[name] = (all.figures[name] || 0) + value));
    } while (all.runs < RUNS_MAX && !isEnough(all.figures));
    return all;
}

test(`${OPERATIONS} requests while all connections to PostgreSQL are reset every ${RESET_EVERY_MS} ms`, async (t) => {
    const { server, proxy } = await startBehindProxy(t, ENV);
    const admin = await server.signIn();
    const ids = await makeRisks(admin, RISKS);
    const { jobs } = (await pools(admin)).general;
    let resets = 0;
    const running = runHistories(server, admin.token, ids, 4, ({ refused }) => resets >= 4 && refused > 0);
    await waitFor(async () => (await pools(admin)).general.jobs > jobs + 4 * RISKS, 'the client to know its risks');
    const timer = setInterval(() => {
        proxy.reset();
        resets++;
    }, RESET_EVERY_MS);
    t.after(() => clearInterval(timer));
    const { runs, line, figures, faults } = await running;
    clearInterval(timer);
    t.diagnostic(`figure: ${line}; ${resets} resets`);
    assert.strictEqual(figures.operations, runs * OPERATIONS);
    assert.deepStrictEqual([figures.stale, figures.backwards], [0, 0], faults.join('\n'));
    // A deletion that was answered with 503 may have taken effect, and there is nothing to delete when it is tried again.
    assert.deepStrictEqual(faults.filter((one) => !/^fault: (DELETE|PATCH|POST) \/api\/v1\/mitigations\/.*status 404/.test(one)), []);
    assert.ok(resets >= 4 && figures.refused > 0 && figures.hits > OPERATIONS / 50, 'there was something to disturb');
    await assertSettled(server, admin);
    await assertWhole(server);
});

test('two servers with one database', async (t) => {
    const DATABASE_URL = await createDatabase(t);
    const [one, other] = [await startServer(t, { env: { ...ENV, DATABASE_URL } }), await startServer(t, { env: { ...ENV, DATABASE_URL } })];
    const here = await one.signIn();
    const there = other.client(here.token); // Sessions are in the database.
    const ids = await makeRisks(here, RISKS);

    await t.test(`what one has acknowledged is seen by who asks the other within ${SEEN_LIMIT_MS} ms`, async (t) => {
        const times = [];
        for (let i = 0; i < 20; i++) {
            const [writer, reader] = i % 2 ? [here, there] : [there, here];
            const route = `/risks/${ids[i]}`;
            await waitFor(async () => (await reader.expect(200, 'GET', route)).headers['cache-status'] === HIT, 'a kept answer');
            const { json } = await writer.expect(200, 'PATCH', route, { owner: `seen ${i}` });
            const acknowledged = performance.now();
            // What is asked for within the second may show either; what is asked for after it, the write.
            const asked = await waitFor(async () => {
                const sent = performance.now();
                const { version } = (await reader.expect(200, 'GET', route)).json;
                assert.ok(version === json.version || sent < acknowledged + SEEN_LIMIT_MS, `version ${version} ${Math.round(sent - acknowledged)} ms after ${json.version}`);
                return version === json.version && sent;
            }, 'the write to be seen');
            times.push(Math.max(0, asked - acknowledged));
        }
        times.sort((a, b) => a - b);
        t.diagnostic(`figure: a write is seen at the other server after ${Math.round(times[times.length >> 1])} ms (median), ${Math.round(times.at(-1))} ms at most`);
    });

    await t.test(`${OPERATIONS} requests at each, for the same risks`, async (t) => {
        const hasWritten = ({ writes }) => writes > OPERATIONS / 200;
        const both = await Promise.all([runHistories(one, here.token, ids, 7, hasWritten), runHistories(other, here.token, ids, 8, hasWritten)]);
        for (const { runs, line, figures, faults } of both) {
            t.diagnostic(`figure: ${line}`);
            assert.strictEqual(figures.operations, runs * OPERATIONS);
            assert.deepStrictEqual([figures.stale, figures.backwards, figures.errors, figures.refused], [0, 0, 0, 0], faults.join('\n'));
            assert.ok(figures.hits > OPERATIONS / 50 && hasWritten(figures), line);
        }
    });

    await assertSettled(one, here, [there]);
    await assertWhole(one);
});
