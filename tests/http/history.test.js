/** What happened, as recorded: the timeline, the activity, the trend, the audit log. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { ADMIN, startServer } = require('./lib');
const { UNKNOWN_ID, assertProblem, day, makeAsset, makeMitigation, makeRisk } = require('./register');

async function restartAt(server, offset) {
    await server.stop();
    server.env.OPENRISK_CLOCK_OFFSET = offset;
    await server.start();
    return server.signIn();
}

test('a risk raised from 6 to 20 three days ago and closed today', async (t) => {
    const server = await startServer(t, { env: { OPENRISK_CLOCK_OFFSET: '-4d' } });
    let admin = await server.signIn();
    const risk = await makeRisk(admin, { title: 'Watched', impact: 2, probability: 3 });
    admin = await restartAt(server, '-3d');
    await admin.expect(200, 'PATCH', `/risks/${risk.id}`, { impact: 4, probability: 5 });
    admin = await restartAt(server, '0');
    await admin.expect(200, 'PATCH', `/risks/${risk.id}`, { status: 'CLOSED' });

    await t.test('shows exactly that in the trend, day by day', async () => {
        const { json } = await admin.expect(200, 'GET', '/stats/trends?days=6');
        const none = { score: 100, total: 0, critical: 0, high: 0, medium: 0, low: 0 };
        const low = { ...none, score: 76, total: 1, low: 1 };
        const critical = { ...none, score: 20, total: 1, critical: 1 };
        assert.deepStrictEqual(json, [
            { date: day(-5), ...none },
            { date: day(-4), ...low },
            { date: day(-3), ...critical },
            { date: day(-2), ...critical },
            { date: day(-1), ...critical },
            { date: day(0), ...none },
        ]);
    });

    await t.test('and in its timeline, newest first, with the days on which it happened', async () => {
        const writes = writesOf((await admin.expect(200, 'GET', `/risks/${risk.id}/timeline`)).json.items);
        assert.deepStrictEqual(writes.map((write) => write.at.slice(0, 10)), [day(0), day(-3), day(-4)]);
        assert.deepStrictEqual(writes[0].changes, { status: ['ACTIVE', 'CLOSED'] });
        assert.deepStrictEqual(writes[1].changes, { impact: [2, 4], probability: [3, 5], score: [6, 20] });
    });

    await t.test('and openrisk check finds the figures in agreement', async () => {
        const { code, stdout, stderr } = await server.cli(['check']);
        assert.strictEqual(code, 0, stdout + stderr);
    });

    await t.test('also after a delete and a restore', async () => {
        await admin.expect(204, 'DELETE', `/risks/${risk.id}`);
        await admin.expect(200, 'POST', `/risks/${risk.id}/restore`);
        await admin.expect(200, 'PATCH', `/risks/${risk.id}`, { status: 'ACTIVE' });
        const { json } = await admin.get('/stats/trends?days=2');
        assert.deepStrictEqual(json.map((row) => row.total), [1, 1]);
        assert.strictEqual((await server.cli(['check'])).code, 0);
    });
});

/**
 * A timeline tells one item per changed member. Here the items of one write are put together:
 * {at, actor, actor_id, action, version, changes: {member: [from, to]}, text}.
 */
function writesOf(items) {
    const writes = [];
    for (const { member, from, to, subject, ...write } of items) {
        const last = writes.at(-1);
        const same = last && last.version === write.version && (last.risk || {}).id === (write.risk || {}).id;
        const entry = same ? last : { ...write, changes: {}, text: '' };
        if (!same) {
            writes.push(entry);
        }
        entry.text += JSON.stringify({ member, subject, from, to });
        if (member !== null) {
            entry.changes[member] = [from, to];
        }
    }
    return writes;
}

async function timelineTests(t, server) {
    const analyst = await server.as('analyst');
    const admin = await server.signIn();
    const writes = async (risk) => writesOf((await analyst.expect(200, 'GET', `/risks/${risk.id}/timeline`)).json.items);
    const newest = async (risk) => (await writes(risk))[0];

    await t.test('each entry says who, when and what from what to what', async () => {
        const risk = await makeRisk(analyst, { tags: ['a'], review_date: '2027-01-01', custom_fields: { a: 1 } });
        await admin.expect(200, 'PATCH', `/risks/${risk.id}`, {
            title: 'New title',
            owner: 'Bo',
            tags: ['a', 'b'],
            review_date: null,
            custom_fields: { a: 2 },
            treatment: 'AVOID',
        });
        const entry = await newest(risk);
        assert.strictEqual(entry.actor, ADMIN.email);
        assert.strictEqual(entry.actor_id, admin.user.id);
        assert.ok(Math.abs(Date.parse(entry.at) - Date.now()) < 60000, entry.at);
        assert.deepStrictEqual(entry.changes, {
            title: ['A risk', 'New title'],
            owner: [null, 'Bo'],
            tags: [['a'], ['a', 'b']],
            review_date: ['2027-01-01', null],
            custom_fields: [{ a: 1 }, { a: 2 }],
            treatment: ['MITIGATE', 'AVOID'],
        });
    });

    await t.test('a PATCH that changes nothing makes no entry', async () => {
        const risk = await makeRisk(analyst);
        await analyst.expect(200, 'PATCH', `/risks/${risk.id}`, { title: risk.title });
        assert.strictEqual((await writes(risk)).length, 1);
        assert.strictEqual((await analyst.get(`/risks/${risk.id}/timeline`)).json.total, 1);
    });

    await t.test('making, deleting, restoring and bulk changes are entries', async () => {
        const risk = await makeRisk(analyst);
        await analyst.expect(204, 'DELETE', `/risks/${risk.id}`);
        await analyst.expect(200, 'POST', `/risks/${risk.id}/restore`);
        await analyst.expect(200, 'POST', '/risks/bulk', { ids: [risk.id], set: { owner: 'Cy', status: 'ACCEPTED' } });
        const all = await writes(risk);
        assert.deepStrictEqual(all.map((write) => write.action), ['updated', 'restored', 'deleted', 'created']);
        assert.deepStrictEqual(all[0].changes, { owner: [null, 'Cy'], status: ['ACTIVE', 'ACCEPTED'] });
    });

    await t.test('links to assets, mitigations and their steps are entries of their risk', async () => {
        const risk = await makeRisk(analyst, { impact: 4, probability: 4 });
        const asset = await makeAsset(analyst, { name: 'Timeline asset', criticality: 'HIGH' });
        await analyst.expect(200, 'PATCH', `/risks/${risk.id}`, { asset_ids: [asset.id] });
        const linked = await newest(risk);
        assert.deepStrictEqual(linked.changes.score, [16, 20]);
        assert.deepStrictEqual(linked.changes.assets, [[], ['Timeline asset']]);

        const mitigation = await makeMitigation(analyst, risk.id, { title: 'Build a wall' });
        assert.match((await newest(risk)).text, /Build a wall/);
        await analyst.expect(200, 'PATCH', `/mitigations/${mitigation.id}`, { status: 'DONE' });
        assert.match((await newest(risk)).text, /"DONE"/);
        await analyst.expect(201, 'POST', `/mitigations/${mitigation.id}/subactions`, { title: 'Buy bricks' });
        assert.match((await newest(risk)).text, /Buy bricks/);
        await analyst.expect(204, 'DELETE', `/mitigations/${mitigation.id}`);
        assert.match((await newest(risk)).text, /Build a wall/);
        assert.strictEqual((await writes(risk)).length, 6);
    });

    await t.test('an import is an entry with its doer', async () => {
        const before = (await analyst.get('/activity')).json.items[0];
        const data = await analyst.expect(200, 'GET', '/export/risks.json');
        await analyst.expect(200, 'POST', '/import/risks?format=json', data.body);
        assert.deepStrictEqual((await analyst.get('/activity')).json.items[0], before, 'nothing new, no entry');
    });

    await t.test('the activity is all timelines together, newest first, in pages', async () => {
        const risk = await makeRisk(analyst, { title: 'Seen in the activity' });
        await analyst.expect(200, 'PATCH', `/risks/${risk.id}`, { impact: 5 });
        const { json } = await analyst.expect(200, 'GET', '/activity?limit=2');
        const two = writesOf(json.items);
        assert.strictEqual(two.length, 2);
        assert.deepStrictEqual(two[0].changes.impact, [2, 5]);
        for (const write of two) {
            assert.deepStrictEqual(write.risk, { id: risk.id, ref: risk.ref, title: 'Seen in the activity' });
        }
        const times = (await analyst.get('/activity?limit=200')).json.items.map((entry) => entry.at);
        assert.deepStrictEqual(times, [...times].sort().reverse());
        assert.ok((await analyst.get('/activity?limit=2')).json.next);
        assertProblem(await analyst.get('/activity?nope=1'), 400, 'nope');
        assertProblem(await analyst.get(`/activity?risk_ref=${risk.ref}`), 400, 'risk_ref');
        assertProblem(await analyst.get(`/risks/${UNKNOWN_ID}/timeline`), 404);
    });
}

test('what is due today is overdue tomorrow, by the clock alone', async (t) => {
    const server = await startServer(t);
    const admin = await server.signIn();
    const risk = await makeRisk(admin);
    await makeMitigation(admin, risk.id, { due_date: day(0) });
    assert.strictEqual((await admin.get('/stats')).json.overdue_mitigations, 0);
    assert.strictEqual((await admin.get('/mitigations?overdue=true')).json.total, 0);
    const later = await restartAt(server, '1d');
    assert.strictEqual((await later.get('/stats')).json.overdue_mitigations, 1);
    assert.strictEqual((await later.get('/mitigations?overdue=true')).json.total, 1);
    assert.strictEqual((await later.get('/stats/mitigation-metrics')).json.overdue, 1);
    const trend = (await later.get('/stats/trends?days=2')).json;
    assert.deepStrictEqual(trend.map((row) => [row.date, row.total]), [[day(0), 1], [day(1), 1]]);
});

test('timeline and activity', async (t) => {
    const server = await startServer(t);
    await timelineTests(t, server);
    await t.test('openrisk check finds nothing to say', async () => {
        const { code, stdout } = await server.cli(['check']);
        assert.strictEqual(code, 0, stdout);
    });
});

test('the audit log', async (t) => {
    const server = await startServer(t, { env: { OPENRISK_TRUSTED_PROXIES: '127.0.0.1' } });
    const admin = await server.signIn();
    const analyst = await server.as('analyst');
    const viewer = await server.as('viewer');
    const logged = async (query = '') => (await admin.expect(200, 'GET', `/audit-logs?limit=200${query}`)).json.items;
    const newest = async (query) => (await logged(query))[0];

    await t.test('says who did what to what, when, from where and with what result', async () => {
        const risk = await makeRisk(analyst);
        const entry = await newest(`&actor=${encodeURIComponent(analyst.user.email)}`);
        assert.strictEqual(entry.actor, analyst.user.email);
        assert.strictEqual(entry.actor_id, analyst.user.id);
        assert.match(entry.action, /POST.*\/risks/);
        assert.ok([risk.id, `R-${risk.ref}`].some((name) => entry.target.includes(name)), entry.target);
        assert.strictEqual(entry.address, '127.0.0.1');
        assert.strictEqual(entry.result, 'ok');
        assert.ok(Math.abs(Date.parse(entry.at) - Date.now()) < 60000);
    });

    await t.test('names the client behind a trusted proxy', async () => {
        const body = { title: 'x', impact: 1, probability: 1 };
        await analyst.expect(201, 'POST', '/risks', body, { 'X-Forwarded-For': '203.0.113.7' });
        assert.strictEqual((await newest(`&actor=${encodeURIComponent(analyst.user.email)}`)).address, '203.0.113.7');
    });

    await t.test('does not believe a client that is no proxy', async (t2) => {
        const direct = await startServer(t2);
        const other = await direct.signIn();
        await other.expect(201, 'POST', '/risks', { title: 'x', impact: 1, probability: 1 }, { 'X-Forwarded-For': '203.0.113.7' });
        const [entry] = (await other.get('/audit-logs')).json.items;
        assert.strictEqual(entry.address, '127.0.0.1');
    });

    await t.test('tells of imports, also of refused ones', async () => {
        await analyst.expect(422, 'POST', '/import/risks?format=json', { risks: [{ title: 5 }] });
        const entry = await newest();
        assert.match(entry.action, /POST.*\/import/);
        assert.strictEqual(entry.result, 'invalid');
        assert.strictEqual(entry.actor, analyst.user.email);
    });

    await t.test('tells sign-ins, failed ones too, also of users who do not exist', async () => {
        await server.client().post('/auth/login', { ...ADMIN, password: 'wrong' });
        const failed = await newest();
        assert.match(failed.action, /login/);
        assert.notStrictEqual(failed.result, 'ok');
        assert.ok(JSON.stringify(failed).includes(ADMIN.email));
        await server.client().post('/auth/login', { email: 'ghost@example.org', password: 'wrong' });
        assert.ok(JSON.stringify(await newest()).includes('ghost@example.org'));
        await server.signIn();
        const signedIn = await newest();
        assert.match(signedIn.action, /login/);
        assert.strictEqual(signedIn.result, 'ok');
        assert.ok(!JSON.stringify(await logged()).includes('wrong"'));
    });

    await t.test('tells what was refused for want of permission', async () => {
        await viewer.post('/risks', { title: 'x', impact: 1, probability: 1 });
        const entry = await newest(`&actor=${encodeURIComponent(viewer.user.email)}`);
        assert.match(entry.action, /POST.*\/risks/);
        assert.strictEqual(entry.result, 'denied');
    });

    await t.test('tells of users, tokens and passwords without any secret', async () => {
        const { json: token } = await analyst.expect(201, 'POST', '/tokens', { name: 'audited' });
        await analyst.expect(204, 'DELETE', `/tokens/${token.id}`);
        const actions = (await logged(`&actor=${encodeURIComponent(analyst.user.email)}`)).map((entry) => entry.action);
        assert.match(actions[0], /DELETE.*\/tokens/);
        assert.match(actions[1], /POST.*\/tokens/);
        const { body } = await admin.get('/audit-logs?limit=200');
        assert.ok(!body.includes(token.token) && !body.includes(ADMIN.password));
    });

    await t.test('can be filtered and read page by page', async () => {
        const all = await logged();
        const denied = await logged('&result=denied');
        assert.ok(denied.length > 0 && denied.length < all.length);
        assert.deepStrictEqual(denied, all.filter((entry) => entry.result === 'denied'));
        const { action } = all[3];
        assert.deepStrictEqual(await logged(`&action=${encodeURIComponent(action)}`), all.filter((entry) => entry.action === action));
        const since = all[2].at;
        assert.deepStrictEqual(await logged(`&since=${since}`), all.filter((entry) => entry.at >= since));
        assert.deepStrictEqual(await logged(`&until=${since}`), all.filter((entry) => entry.at < since));
        const read = [];
        for (let after = ''; after !== null;) {
            const { json } = await admin.expect(200, 'GET', `/audit-logs?limit=4${after}`);
            read.push(...json.items);
            after = json.next ? `&after=${encodeURIComponent(json.next)}` : null;
        }
        assert.deepStrictEqual(read, all);
        assertProblem(await admin.get('/audit-logs?since=yesterday'), 400, 'since');
        assertProblem(await admin.get('/audit-logs?nope=1'), 400, 'nope');
    });

    await t.test('cannot be changed by anyone', async () => {
        for (const method of ['POST', 'DELETE', 'PATCH', 'PUT']) {
            assertProblem(await admin.request(method, '/audit-logs'), 405);
        }
    });

    await t.test('tells what commands did', async () => {
        const { code } = await server.cli(['user', 'role', analyst.user.email, '--role', 'viewer']);
        assert.strictEqual(code, 0);
        const entry = await newest();
        assert.match(entry.actor, /command line/);
        assert.ok(JSON.stringify(entry).includes(analyst.user.email) || entry.target.includes(analyst.user.id), JSON.stringify(entry));
    });
});
