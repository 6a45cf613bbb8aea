/** openrisk copy: a register moves to another database, and nobody there sees a difference. */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { sharedPostgres } = require('../tools/postgres');
const { assertFails } = require('./command');
const { copy, summaryOf } = require('./copying');
const { ENGINE, ROOT, cli, startServer, temporaryFolder } = require('./lib');
const { makeAsset, makeMitigation, makeRisk } = require('./register');

const KEV_FILE = path.join(ROOT, 'tests/data/kev.csv');

/** The engines of the databases it moves to, one after the other. */
const WAY = ENGINE === 'sqlite' ? ['sqlite'] : ['sqlite', 'postgres', 'postgres'];

/** What people look at. The users' answers are part of it, but not what each sign-in changes. */
const QUESTIONS = [
    '/risks?limit=200',
    '/risks?limit=200&page=4&sort_by=title&sort_dir=asc',
    '/risks?q=windows&limit=50',
    '/risks?q=zz',
    '/risks?tag=by-hand',
    '/risks?status=CLOSED',
    '/risks/1',
    '/risks/7/timeline',
    '/activity',
    '/assets?limit=200',
    '/mitigations?limit=200',
    '/stats',
    '/stats/risk-matrix',
    '/stats/trends?days=30',
    '/stats/top-risks',
    '/stats/risk-distribution',
    '/stats/mitigation-metrics',
    '/users',
    '/audit-logs?limit=100',
];

async function answers(client) {
    const all = {};
    for (const question of QUESTIONS) {
        all[question] = (await client.expect(200, 'GET', question)).json;
    }
    return all;
}

async function exported(server) {
    const { code, stdout, stderr } = await server.cli(['export']);
    assert.strictEqual(code, 0, stderr);
    const register = JSON.parse(stdout);
    assert.ok(register.exported_at);
    delete register.exported_at;
    return register;
}

/** The catalogue, corrections by hand, users, a token: {server, token, answers, register}. */
async function makeHouse(t) {
    const server = await startServer(t);
    const admin = await server.signIn();
    const analyst = await server.as('analyst');
    await server.as('viewer');
    assert.strictEqual((await server.cli(['import', KEV_FILE, '--format', 'kev'])).code, 0);
    await analyst.expect(200, 'PATCH', '/risks/7', { title: 'Corrected – by hand', tags: ['by-hand'], owner: '' });
    await analyst.expect(200, 'PATCH', '/risks/9', { status: 'CLOSED' });
    await admin.expect(204, 'DELETE', '/risks/11');
    const asset = await makeAsset(analyst, { name: 'Straße 7', criticality: 'CRITICAL' });
    const risk = await makeRisk(analyst, { title: 'On its own', custom_fields: { a: '\\ " %' }, asset_ids: [asset.id] });
    const mitigation = await makeMitigation(analyst, risk.id, { cost: 12, due_date: '2031-01-01' });
    await analyst.expect(201, 'POST', `/mitigations/${mitigation.id}/subactions`, { title: 'First' });
    const { token } = (await admin.expect(201, 'POST', '/tokens', { name: 'cron', scope: 'full' })).json;
    return { server, token, session: analyst.token, answers: await answers(server.client(token)), register: await exported(server) };
}

/** Serve the copy: all is as it was, and work goes on there. */
async function assertMoved(t, house, url) {
    const server = await startServer(t, { env: { DATABASE_URL: url } });
    const client = server.client(house.token);
    const found = await answers(client);
    for (const question of QUESTIONS) {
        assert.deepStrictEqual(found[question], house.answers[question], question);
    }
    assert.deepStrictEqual(await exported(server), house.register);
    assert.strictEqual((await server.client(house.session).expect(200, 'GET', '/users/me')).json.role, 'analyst');
    const check = await server.cli(['check']);
    assert.strictEqual(check.code, 0, check.stdout);
    return { server, client };
}

/** What a person does next is numbered on from there. */
async function assertWorkGoesOn(house, { server, client }) {
    const before = house.answers['/risks?limit=200'].total;
    const risk = await makeRisk(client, { title: 'The first one here' });
    assert.strictEqual(risk.ref, house.register.risks.reduce((most, { ref }) => Math.max(most, ref), 0) + 1);
    await client.expect(200, 'PATCH', '/risks/7', { title: 'Corrected again' });
    const { items } = (await client.expect(200, 'GET', '/risks/7/timeline')).json;
    assert.strictEqual(items.length, house.answers['/risks/7/timeline'].items.length + 1);
    assert.strictEqual((await client.get('/risks')).json.total, before + 1);
    const again = await server.cli(['import', KEV_FILE, '--format', 'kev']);
    assert.match(again.stdout, /^0 imported, 0 updated/);
    assert.strictEqual((await server.cli(['check'])).code, 0);
}

/** An empty database of an engine, which goes when test `t` ends: its URL. */
async function newDatabase(t, engine, folder, number) {
    if (engine === 'sqlite') {
        return `sqlite:${path.join(folder, `home ${number}/register.db`)}`;
    }
    const cluster = await sharedPostgres();
    const url = await cluster.createDatabase();
    t.after(() => cluster.dropDatabase(url));
    return url;
}

test('a register moves house', async (t) => {
    const house = await makeHouse(t);
    const folder = temporaryFolder();
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
    const source = house.server.env.DATABASE_URL;
    const epochs = new Set([await house.server.sql("SELECT value FROM meta WHERE name = 'epoch'")]);
    let [from, before, last] = [source, ENGINE];

    for (const [number, engine] of WAY.entries()) {
        const to = await newDatabase(t, engine, folder, number);
        await t.test(`from ${before} to ${engine}: all is there, and told`, async (inner) => {
            const run = await copy(from, to);
            const { rows, all, seconds } = summaryOf(run);
            assert.strictEqual(rows.risk, 1405);
            assert.strictEqual(rows.account, 3);
            assert.strictEqual(/a server is using the source/.test(run.stdout), from === source);
            assert.doesNotMatch(run.stdout + run.stderr, /\r|\x1b/, 'a progress bar without a terminal');
            inner.diagnostic(`figure: copy from ${before} to ${engine}: ${all} rows in ${seconds} s`);
        });

        await t.test(`from ${before} to ${engine}: the copy answers as the source did`, async (inner) => {
            const { server } = await assertMoved(inner, house, to);
            epochs.add(await server.sql("SELECT value FROM meta WHERE name = 'epoch'"));
            assert.strictEqual(epochs.size, number + 2, 'each copy has an epoch of its own');
        });
        [from, before, last] = [to, engine, to];
    }

    await t.test('work goes on there, and the source is as it was', async (inner) => {
        await assertWorkGoesOn(house, await assertMoved(inner, house, last));
        assert.deepStrictEqual(await exported(house.server), house.register);
    });

    await t.test('a second copy into it is refused', async () => {
        const run = await cli(['copy', '--from', source, '--to', last]);
        assertFails(run, 1, /target: it is not empty: it has 3 users and 1406 risks/);
    });
});
