/** Mitigations and their sub-actions: progress, what is overdue, lists. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { startServer } = require('./lib');
const { UNKNOWN_ID, assertProblem, day, makeMitigation, makeRisk } = require('./register');

/** A mitigation as its risk's page shows it. */
async function readMitigation(client, { id, risk_id: riskId }) {
    const { json } = await client.expect(200, 'GET', `/risks/${riskId}`);
    return json.mitigations.find((one) => one.id === id);
}

async function addSteps(client, mitigation, titles) {
    for (const title of titles) {
        await client.expect(201, 'POST', `/mitigations/${mitigation.id}/subactions`, { title });
    }
    return (await readMitigation(client, mitigation)).sub_actions;
}

async function recordTests(t, server, analyst, risk) {
    await t.test('a new mitigation needs only a title, and its risk shows it', async () => {
        const reply = await analyst.expect(201, 'POST', `/risks/${risk.id}/mitigations`, { title: 'Patch' });
        const { id, created_at: created, updated_at: updated, ...rest } = reply.json;
        assert.ok(Date.parse(created) && updated === created);
        assert.deepStrictEqual(rest, {
            risk_id: risk.id,
            title: 'Patch',
            description: null,
            assignee: null,
            status: 'PLANNED',
            progress: 0,
            due_date: null,
            cost: 0,
            mitigation_time: 0,
            created_by: analyst.user.id,
            version: 1,
            sub_actions: [],
        });
        assert.deepStrictEqual(await readMitigation(analyst, reply.json), reply.json);
        const list = (await analyst.expect(200, 'GET', `/risks/R-${risk.ref}/mitigations`)).json;
        assert.deepStrictEqual(list.items, [reply.json]);
        assert.ok(id);
    });

    await t.test('what was sent is what is read, and a PATCH changes only the members present', async () => {
        const body = {
            title: 'Replace',
            description: 'In two\nsteps',
            assignee: 'Ann',
            status: 'IN_PROGRESS',
            progress: 40,
            due_date: day(30),
            cost: 12000,
            mitigation_time: 5,
        };
        const made = await makeMitigation(analyst, risk.id, body);
        for (const [name, value] of Object.entries(body)) {
            assert.deepStrictEqual(made[name], value, name);
        }
        const patched = await analyst.expect(200, 'PATCH', `/mitigations/${made.id}`, { assignee: null, cost: 7 });
        const { updated_at: _, ...after } = patched.json;
        const { updated_at: __, ...before } = made;
        assert.deepStrictEqual(after, { ...before, assignee: null, cost: 7, version: 2 });
    });

    await t.test('of two editors the second is told 412', async () => {
        const made = await makeMitigation(analyst, risk.id);
        const first = { 'If-Match': '"1.0000000000000000"' };
        await analyst.expect(200, 'PATCH', `/mitigations/${made.id}`, { title: 'First' }, first);
        assertProblem(await analyst.patch(`/mitigations/${made.id}`, { title: 'Second' }, first), 412);
        assertProblem(await analyst.delete(`/mitigations/${made.id}`, first), 412);
        assert.strictEqual((await readMitigation(analyst, made)).title, 'First');
    });

    await t.test('a deleted mitigation is gone with its steps', async () => {
        const made = await makeMitigation(analyst, risk.id);
        const [step] = await addSteps(analyst, made, ['one']);
        await analyst.expect(204, 'DELETE', `/mitigations/${made.id}`);
        assert.strictEqual(await readMitigation(analyst, made), undefined);
        assertProblem(await analyst.patch(`/mitigations/${made.id}`, { title: 'x' }), 404);
        assertProblem(await analyst.patch(`/mitigations/${made.id}/subactions/${step.id}`, { completed: true }), 404);
        assertProblem(await analyst.delete(`/mitigations/${made.id}`), 404);
    });

    await t.test('unknown risks, mitigations and steps are 404', async () => {
        const made = await makeMitigation(analyst, risk.id);
        const other = await makeMitigation(analyst, risk.id);
        const [step] = await addSteps(analyst, made, ['one']);
        assertProblem(await analyst.post(`/risks/${UNKNOWN_ID}/mitigations`, { title: 'x' }), 404);
        assertProblem(await analyst.get(`/risks/${UNKNOWN_ID}/mitigations`), 404);
        assertProblem(await analyst.post(`/mitigations/${UNKNOWN_ID}/subactions`, { title: 'x' }), 404);
        assertProblem(await analyst.patch(`/mitigations/${made.id}/subactions/${UNKNOWN_ID}`, { completed: true }), 404);
        assertProblem(await analyst.patch(`/mitigations/${other.id}/subactions/${step.id}`, { completed: true }), 404);
        assertProblem(await analyst.delete(`/mitigations/${other.id}/subactions/${step.id}`), 404);
    });
}

async function progressTests(t, analyst, risk) {
    const progressOf = async (made) => (await readMitigation(analyst, made)).progress;
    const complete = (made, step, completed = true) =>
        analyst.expect(200, 'PATCH', `/mitigations/${made.id}/subactions/${step.id}`, { completed });

    await t.test('progress follows the steps: completed, added, reopened, deleted', async () => {
        const made = await makeMitigation(analyst, risk.id);
        const steps = await addSteps(analyst, made, ['one', 'two', 'three']);
        assert.deepStrictEqual(steps.map((step) => [step.title, step.completed]), [['one', false], ['two', false], ['three', false]]);
        assert.strictEqual(await progressOf(made), 0);
        await complete(made, steps[0]);
        assert.strictEqual(await progressOf(made), 33);
        await complete(made, steps[1]);
        assert.strictEqual(await progressOf(made), 66);
        await analyst.expect(204, 'DELETE', `/mitigations/${made.id}/subactions/${steps[2].id}`);
        assert.strictEqual(await progressOf(made), 100);
        await complete(made, steps[0], false);
        assert.strictEqual(await progressOf(made), 50);
        await analyst.expect(201, 'POST', `/mitigations/${made.id}/subactions`, { title: 'four', completed: true });
        assert.strictEqual(await progressOf(made), 66);
    });

    await t.test('progress that was set by hand stays as it is', async () => {
        const made = await makeMitigation(analyst, risk.id);
        const steps = await addSteps(analyst, made, ['one', 'two']);
        await analyst.expect(200, 'PATCH', `/mitigations/${made.id}`, { progress: 10 });
        await complete(made, steps[0]);
        assert.strictEqual(await progressOf(made), 10);
        const second = await makeMitigation(analyst, risk.id, { progress: 80 });
        await addSteps(analyst, second, ['one']);
        assert.strictEqual(await progressOf(second), 80);
    });

    await t.test('a step can be renamed without touching whether it is done', async () => {
        const made = await makeMitigation(analyst, risk.id);
        const [step] = await addSteps(analyst, made, ['one']);
        await complete(made, step);
        await analyst.expect(200, 'PATCH', `/mitigations/${made.id}/subactions/${step.id}`, { title: 'uno' });
        const [after] = (await readMitigation(analyst, made)).sub_actions;
        assert.strictEqual(after.title, 'uno');
        assert.strictEqual(after.completed, true);
    });

    await t.test('each change counts the version of the mitigation up, so that others notice', async () => {
        const made = await makeMitigation(analyst, risk.id);
        const [step] = await addSteps(analyst, made, ['one']);
        const before = (await readMitigation(analyst, made)).version;
        await complete(made, step);
        assert.ok((await readMitigation(analyst, made)).version > before);
    });

    await t.test('the risk\'s ETag changes with its mitigations', async () => {
        const other = await makeRisk(analyst);
        const first = (await analyst.get(`/risks/${other.id}`)).headers.etag;
        const made = await makeMitigation(analyst, other.id);
        const second = (await analyst.get(`/risks/${other.id}`)).headers.etag;
        await addSteps(analyst, made, ['one']);
        const third = (await analyst.get(`/risks/${other.id}`)).headers.etag;
        assert.strictEqual(new Set([first, second, third]).size, 3);
    });
}

async function listTests(t, server) {
    const analyst = await server.as('analyst');
    const risk = await makeRisk(analyst, { title: 'With many' });
    const bodies = [
        { title: 'late', due_date: day(-1), assignee: 'List' },
        { title: 'late but done', due_date: day(-1), status: 'DONE', assignee: 'List' },
        { title: 'today', due_date: day(0), assignee: 'List' },
        { title: 'soon', due_date: day(1), status: 'IN_PROGRESS', assignee: 'List' },
        { title: 'some day', status: 'IN_PROGRESS', assignee: 'List' },
        { title: 'late, of nobody', due_date: day(-400) },
    ];
    for (const body of bodies) {
        await makeMitigation(analyst, risk.id, body);
    }
    const titles = async (query) => {
        const { json } = await analyst.expect(200, 'GET', `/mitigations?limit=200&${query}`);
        return json.items.map((item) => item.title).sort();
    };

    await t.test('each item names its risk', async () => {
        const { json } = await analyst.expect(200, 'GET', '/mitigations?assignee=List&limit=1');
        assert.deepStrictEqual(json.items[0].risk, { id: risk.id, ref: risk.ref, title: 'With many' });
    });

    await t.test('overdue is what was due before today and is not done', async () => {
        assert.deepStrictEqual(await titles('overdue=true&assignee=List'), ['late']);
        assert.deepStrictEqual(await titles('overdue=true'), ['late', 'late, of nobody']);
        assert.deepStrictEqual(await titles('overdue=false&assignee=List'), ['late but done', 'some day', 'soon', 'today']);
    });

    await t.test('filters by status and assignee work alone and together', async () => {
        assert.deepStrictEqual(await titles('assignee=List&status=IN_PROGRESS'), ['some day', 'soon']);
        assert.deepStrictEqual(await titles('status=DONE'), ['late but done']);
        assert.strictEqual((await titles('assignee=List')).length, 5);
        assert.deepStrictEqual(await titles('assignee=Nobody'), []);
        for (const [query, name] of [['status=done', 'status'], ['overdue=maybe', 'overdue'], ['nope=1', 'nope'], ['limit=0', 'limit']]) {
            assertProblem(await analyst.get(`/mitigations?${query}`), 400, name);
        }
    });

    await t.test('what was overdue is not any more when it is done or moved', async () => {
        const [late] = (await analyst.get('/mitigations?overdue=true&assignee=List')).json.items;
        const count = async () => (await analyst.expect(200, 'GET', '/stats')).json.overdue_mitigations;
        const before = await count();
        await analyst.expect(200, 'PATCH', `/mitigations/${late.id}`, { status: 'DONE' });
        assert.deepStrictEqual(await titles('overdue=true&assignee=List'), []);
        assert.strictEqual(await count(), before - 1);
        await analyst.expect(200, 'PATCH', `/mitigations/${late.id}`, { status: 'PLANNED', due_date: day(5) });
        assert.strictEqual(await count(), before - 1);
        await analyst.expect(200, 'PATCH', `/mitigations/${late.id}`, { due_date: day(-5) });
        assert.strictEqual(await count(), before);
    });

    await t.test('pages and next lead through the list', async () => {
        const whole = (await analyst.get('/mitigations?limit=200')).json;
        const read = [];
        for (let after = ''; after !== null;) {
            const { json } = await analyst.expect(200, 'GET', `/mitigations?limit=3${after}`);
            read.push(...json.items);
            after = json.next ? `&after=${encodeURIComponent(json.next)}` : null;
        }
        assert.deepStrictEqual(read, whole.items);
        assert.strictEqual(whole.total, whole.items.length);
    });

    await t.test('the mitigations of a deleted risk are not listed until it is restored', async () => {
        const before = await titles('');
        await analyst.expect(204, 'DELETE', `/risks/${risk.id}`);
        assert.deepStrictEqual(await titles('assignee=List'), []);
        assert.strictEqual((await analyst.get('/stats')).json.overdue_mitigations, 0);
        const { items } = (await analyst.get('/mitigations')).json;
        for (const item of items) {
            assert.notStrictEqual(item.risk_id, risk.id);
        }
        await analyst.expect(200, 'POST', `/risks/${risk.id}/restore`);
        assert.deepStrictEqual(await titles(''), before);
    });
}

test('mitigations', async (t) => {
    const server = await startServer(t);
    const analyst = await server.as('analyst');
    const risk = await makeRisk(analyst);
    await recordTests(t, server, analyst, risk);
    await progressTests(t, analyst, risk);
    await listTests(t, server);
    await t.test('openrisk check finds nothing to say', async () => {
        const { code, stdout } = await server.cli(['check']);
        assert.strictEqual(code, 0, stdout);
    });
});
