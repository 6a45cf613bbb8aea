/** One risk: read, edited where it stands, its score, its assets, mitigations and timeline; and a new one. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const path = require('node:path');

const { makeAsset, makeMitigation, makeRisk, randomOf } = require('../http/register');
const { assertAccessible, settled, startSite, waitFor } = require('./lib');

const ESBUILD = path.resolve(__dirname, '../../ui/node_modules/esbuild');
const SCORE = path.resolve(__dirname, '../../ui/src/score.ts');
const CRITICALITIES = ['LOW', 'MEDIUM', 'HIGH', 'CRITICAL'];

/** The group of a member on the page. */
function member(page, name) {
    return page.getByRole('group', { name, exact: true });
}

function heading(page, name) {
    return page.getByRole('heading', { level: 1, name });
}

function mitigation(page, title) {
    return page.getByRole('listitem', { name: title, exact: true });
}

/** What the next PATCH says, and what it names as its version. */
async function patched(page, act) {
    const [request] = await Promise.all([page.waitForRequest((one) => one.method() === 'PATCH'), act()]);
    return { body: request.postDataJSON(), version: (await request.allHeaders())['if-match'] };
}

async function editingTests(t, site) {
    const { client } = await site.person('analyst');
    const risk = await makeRisk(client, {
        title: 'Theft of laptops', description: 'They hold\nmuch.', impact: 4, probability: 3, owner: 'Ann', tags: ['office'], custom_fields: { floor: 3, known: true },
    });
    const current = async () => (await client.get(`/risks/${risk.id}`)).json;
    const page = await site.visit('analyst', `/risks/R-${risk.ref}`);
    await heading(page, /Theft of laptops/).waitFor();

    await t.test('a member is edited where it stands; only it is sent, with the version one saw', async () => {
        await member(page, 'Owner').getByText('Ann').click();
        const owner = page.getByRole('combobox', { name: 'Owner' });
        await owner.and(page.locator(':focus')).waitFor();
        await owner.fill('Bea');
        const { body, version } = await patched(page, () => page.keyboard.press('Control+Enter'));
        assert.deepStrictEqual(body, { owner: 'Bea' });
        assert.strictEqual(version, '"1"');
        await member(page, 'Owner').getByText('Bea').waitFor();
        assert.strictEqual((await current()).owner, 'Bea');
    });

    await t.test('E opens all of it, the first member has the focus, Esc closes it and saves nothing', async () => {
        await page.keyboard.press('e');
        const title = page.getByRole('textbox', { name: 'Title' });
        await title.and(page.locator(':focus')).waitFor();
        await title.fill('Theft of all laptops');
        await page.keyboard.press('Escape');
        await heading(page, 'Theft of laptops').waitFor();
        assert.strictEqual(await title.count(), 0);
        assert.strictEqual((await current()).title, 'Theft of laptops');
        await page.getByRole('button', { name: 'Take it up again' }).click();
        assert.strictEqual(await title.inputValue(), 'Theft of all laptops');
        await page.getByRole('button', { name: /^Save/ }).click();
        await heading(page, 'Theft of all laptops').waitFor();
        await title.waitFor({ state: 'detached' });
        assert.strictEqual((await current()).title, 'Theft of all laptops');
    });

    await t.test('what is wrong is said while one types, beside the field, and is not sent', async () => {
        await page.keyboard.press('e');
        const title = page.getByRole('textbox', { name: 'Title' });
        await title.fill('');
        await page.getByText('This is needed').waitFor();
        assert.strictEqual(await title.getAttribute('aria-invalid'), 'true');
        assert.match(await page.evaluate((element) => document.getElementById(element.getAttribute('aria-describedby')).textContent, await title.elementHandle()), /needed/);
        await page.getByRole('textbox', { name: 'Description' }).focus();
        await page.keyboard.press('Control+Enter');
        await title.and(page.locator(':focus')).waitFor();
        await title.fill('x'.repeat(301));
        await page.getByText('At most 300 characters').waitFor();
        await title.fill('x'.repeat(300));
        await page.getByText('At most 300 characters').waitFor({ state: 'detached' });
        assert.strictEqual(await title.getAttribute('aria-invalid'), null);
        await page.keyboard.press('Escape');
        assert.strictEqual((await current()).title, 'Theft of all laptops');
    });

    await t.test('what the server alone can know stands beside its field, too', async () => {
        await member(page, 'Tags').getByRole('button').click();
        await page.route('**/api/v1/risks/*', (route) => (route.request().method() === 'PATCH'
            ? route.fulfill({ status: 422, json: { title: 'no', detail: 'tags: no', errors: [{ field: 'tags', message: 'this tag is not liked' }] } }) : route.fallback()));
        page.expects(422);
        await page.getByLabel('Tags').fill('odd');
        await page.keyboard.press('Control+Enter');
        await page.getByText('this tag is not liked').waitFor();
        await page.unroute('**/api/v1/risks/*');
        await page.keyboard.press('Escape');
    });

    await t.test('words, days, lists and fields of one’s own', async () => {
        await page.keyboard.press('e');
        await page.getByLabel('Status').selectOption('Mitigated');
        await page.getByLabel('Treatment').selectOption('Avoid');
        await page.getByLabel('Review date').fill('2030-02-28');
        await page.getByLabel('Tags').fill('mobile,travel');
        await page.getByRole('button', { name: 'Remove office' }).click();
        await page.getByLabel('Frameworks').fill('ISO 27001');
        await page.getByRole('textbox', { name: 'floor' }).fill('4');
        await page.getByRole('combobox', { name: 'known' }).selectOption('No');
        await page.getByRole('button', { name: 'Add a field' }).click();
        await page.getByRole('textbox', { name: 'Name' }).last().fill('building');
        await page.getByRole('textbox', { name: 'building' }).fill('B');
        const { body } = await patched(page, () => page.keyboard.press('Control+Enter'));
        assert.deepStrictEqual(body, {
            status: 'MITIGATED', treatment: 'AVOID', review_date: '2030-02-28', tags: ['mobile', 'travel'], frameworks: ['ISO 27001'],
            custom_fields: { floor: 4, known: false, building: 'B' },
        });
        await member(page, 'Custom fields').getByText('building').waitFor();
        await member(page, 'Review date').getByText('28 Feb 2030').waitFor();
        await member(page, 'Description').getByRole('button').click();
        await page.getByRole('textbox', { name: 'Description' }).fill('');
        assert.deepStrictEqual((await patched(page, () => page.keyboard.press('Control+Enter'))).body, { description: null });
    });

    await t.test('the link can be copied', async () => {
        await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
        await page.getByRole('button', { name: 'Copy link' }).click();
        await page.getByText('The link is copied.').waitFor();
        assert.strictEqual(await page.evaluate(() => navigator.clipboard.readText()), `${site.url}/risks/R-${risk.ref}`);
    });
}

async function scoreTests(t, site) {
    const { client } = await site.person('analyst');
    const assets = [];
    for (let i = 0; i < 12; i++) {
        assets.push(await makeAsset(client, { name: `Scored ${i}`, criticality: CRITICALITIES[i % 4] }));
    }

    await t.test('the score as it is explained is the server’s, with any assets, halves too', async () => {
        const source = require(ESBUILD).buildSync({ entryPoints: [SCORE], format: 'cjs', write: false }).outputFiles[0].text;
        const own = { exports: {} };
        new Function('module', 'exports', source)(own, own.exports);
        const random = randomOf(8);
        let halves = 0;
        for (let i = 0; i < 150; i++) {
            const some = assets.filter(() => random.below(4) === 0);
            const [impact, probability] = [1 + random.below(5), 1 + random.below(5)];
            const made = await makeRisk(client, { impact, probability, asset_ids: some.map(({ id }) => id) });
            const { score, level } = own.exports.explain(impact, probability, some.map(({ criticality }) => criticality));
            assert.deepStrictEqual({ score, level }, { score: made.score, level: made.level }, `${impact} × ${probability}, ${some.length} assets`);
            const sum = some.reduce((all, { criticality }) => all + { LOW: 80, MEDIUM: 100, HIGH: 125, CRITICAL: 150 }[criticality], 0);
            halves += some.length > 0 && (2 * impact * probability * sum) % (2 * some.length) === some.length ? 1 : 0;
        }
        t.diagnostic(`figure: 150 scores compared, ${halves} of them halves`);
        assert.ok(halves > 0);
    });

    await t.test('each asset’s criticality and factor stand in a table; a change is seen at once', async () => {
        // 1 × 1 × (1 + 1.25) / 2 = 1.125: rounded up.
        const made = await makeRisk(client, { title: 'Half', impact: 1, probability: 1, asset_ids: [assets[1].id, assets[2].id] });
        const page = await site.visit('analyst', `/risks/${made.id}`);
        const score = page.getByRole('region', { name: 'Score explained' });
        await score.getByText(/Low\s*1\.13$/).waitFor();
        assert.strictEqual(made.score, 1.13);
        await score.getByRole('row', { name: 'Scored 1 Medium 1' }).waitFor();
        await score.getByRole('row', { name: 'Scored 2 High 1.25' }).waitFor();
        await score.getByRole('row', { name: 'Mean 1.125' }).waitFor();
        await page.keyboard.press('e');
        await page.getByRole('group', { name: 'Impact' }).getByRole('radio', { name: /5/ }).check();
        await page.getByRole('group', { name: 'Probability' }).getByRole('radio', { name: /4/ }).check();
        await score.getByText(/Critical\s*22\.5$/).waitFor();
        await page.getByRole('region', { name: 'Editing' }).getByText(/Critical\s*22\.5$/).waitFor();
        await page.getByRole('button', { name: 'Remove Scored 2' }).click();
        await score.getByText(/Critical\s*20$/).waitFor();
        await page.getByRole('button', { name: 'Remove Scored 1' }).click();
        await score.getByRole('table').waitFor({ state: 'detached' });
        await page.keyboard.press('Control+Enter');
        await page.getByRole('region', { name: 'Editing' }).waitFor({ state: 'detached' });
        const { json } = await client.get(`/risks/${made.id}`);
        assert.deepStrictEqual([json.score, json.level, json.assets], [20, 'CRITICAL', []]);
    });
}

async function assetTests(t, site) {
    const { client } = await site.person('analyst');
    await makeAsset(client, { name: 'Payroll service', criticality: 'HIGH' });
    const risk = await makeRisk(client, { title: 'Leak' });
    const page = await site.visit('analyst', `/risks/R-${risk.ref}`);
    const panel = page.getByRole('region', { name: 'Assets' });

    await t.test('assets are found by a part of their name, or made', async () => {
        await panel.getByRole('button', { name: 'Edit Assets' }).click();
        await page.getByRole('combobox', { name: 'Assets' }).fill('payroll');
        await page.getByRole('option', { name: /Payroll service/ }).waitFor();
        await page.keyboard.press('Enter');
        await page.getByRole('combobox', { name: 'Assets' }).fill('Safe');
        await page.getByRole('option', { name: 'New asset “Safe”' }).click();
        await panel.getByRole('button', { name: 'Remove Safe' }).waitFor();
        const before = (await client.get(`/risks/${risk.id}`)).json.assets;
        assert.deepStrictEqual(before, [], 'nothing is saved before one saves');
        await page.keyboard.press('Control+Enter');
        await panel.getByRole('link', { name: 'Payroll service' }).waitFor();
        await panel.getByRole('link', { name: 'Safe' }).waitFor();
        const { json } = await client.get(`/risks/${risk.id}`);
        assert.deepStrictEqual(json.assets.map(({ name }) => name).sort(), ['Payroll service', 'Safe']);
    });
}

async function mitigationTests(t, site) {
    const { client } = await site.person('analyst');
    const risk = await makeRisk(client, { title: 'Fire' });
    const page = await site.visit('analyst', `/risks/R-${risk.ref}`);
    const read = async () => (await client.get(`/risks/${risk.id}`)).json.mitigations;

    await t.test('a mitigation is added, changed, deleted, and the deletion undone', async () => {
        await page.getByText('Nothing is planned yet').waitFor();
        await page.getByRole('button', { name: 'Add a mitigation' }).click();
        const dialog = page.getByRole('dialog');
        await page.keyboard.press('Control+Enter');
        await dialog.getByText('This is needed').waitFor();
        await dialog.getByRole('textbox', { name: 'Title' }).fill('Sprinklers');
        await dialog.getByLabel('Assignee').fill('Bob');
        await dialog.getByLabel('Due date').fill('2020-05-01');
        await dialog.getByLabel('Cost').fill('1.5');
        await dialog.getByText('A whole number from 0').waitFor();
        await dialog.getByLabel('Cost').fill('12000');
        await page.keyboard.press('Control+Enter');
        await mitigation(page, 'Sprinklers').getByText('Overdue: 1 May 2020').waitFor();
        await mitigation(page, 'Sprinklers').getByText('12,000').waitFor();
        await page.getByRole('button', { name: 'Edit “Sprinklers”' }).click();
        await dialog.getByLabel('Status').selectOption('In progress');
        const { body, version } = await patched(page, () => page.keyboard.press('Control+Enter'));
        assert.deepStrictEqual([body, version], [{ status: 'IN_PROGRESS' }, '"1"']);
        await mitigation(page, 'Sprinklers').getByText('In progress').waitFor();
        await page.getByRole('button', { name: 'Delete “Sprinklers”' }).click();
        await dialog.getByRole('button', { name: 'Delete' }).click();
        await page.getByText('Nothing is planned yet').waitFor();
        assert.deepStrictEqual(await read(), []);
        await page.getByRole('button', { name: 'Undo' }).click();
        await mitigation(page, 'Sprinklers').waitFor();
        assert.strictEqual((await read())[0].assignee, 'Bob');
    });

    await t.test('steps are added, ticked at once, renamed and deleted; the progress follows', async () => {
        const one = mitigation(page, 'Sprinklers');
        await one.getByRole('button', { name: 'Add a step to “Sprinklers”' }).click();
        for (const title of ['Ask for offers', 'Build']) {
            await page.getByRole('textbox', { name: 'Add a step' }).fill(title);
            await page.keyboard.press('Enter');
            await one.getByRole('checkbox', { name: title }).waitFor();
        }
        let release;
        const held = new Promise((resolve) => { release = resolve; });
        await page.route('**/subactions/*', async (route) => { await held; await route.fallback(); });
        await one.getByRole('checkbox', { name: 'Build' }).click();
        await one.getByRole('progressbar').and(page.locator('[aria-valuenow="50"]')).waitFor();
        assert.ok(await one.getByRole('checkbox', { name: 'Build' }).isChecked());
        assert.deepStrictEqual((await read())[0].progress, 0, 'the server does not know yet');
        release();
        await waitFor(async () => (await read())[0].progress === 50, 'the server to know');
        await page.unroute('**/subactions/*');
        await one.getByRole('button', { name: 'Edit “Build”' }).click();
        await page.getByRole('textbox', { name: 'Edit' }).fill('Build it');
        await page.keyboard.press('Enter');
        await one.getByRole('checkbox', { name: 'Build it' }).waitFor();
        await one.getByRole('button', { name: 'Delete “Ask for offers”' }).click();
        await one.getByRole('progressbar').and(page.locator('[aria-valuenow="100"]')).waitFor();
        assert.deepStrictEqual((await read())[0].sub_actions.map(({ title }) => title), ['Build it']);
    });

    await t.test('a tick that is refused is taken back', async () => {
        const one = mitigation(page, 'Sprinklers');
        page.expects(500);
        await page.route('**/subactions/*', (route) => route.fulfill({ status: 500, json: { title: 'a fault', detail: 'a fault of the test' } }));
        await one.getByRole('checkbox', { name: 'Build it' }).click();
        await page.getByText('a fault of the test').waitFor();
        await waitFor(() => one.getByRole('checkbox', { name: 'Build it' }).isChecked(), 'it is as it was');
        await page.unroute('**/subactions/*');
    });

    await t.test('a progress that was set by hand stays', async () => {
        const one = mitigation(page, 'Sprinklers');
        await page.getByRole('button', { name: 'Edit “Sprinklers”' }).click();
        await page.getByRole('dialog').getByLabel('Progress').fill('30');
        await page.keyboard.press('Control+Enter');
        await one.getByRole('progressbar').and(page.locator('[aria-valuenow="30"]')).waitFor();
        await one.getByRole('checkbox', { name: 'Build it' }).click();
        await waitFor(async () => !(await read())[0].sub_actions[0].completed, 'the tick to arrive');
        assert.strictEqual((await read())[0].progress, 30);
        await one.getByRole('progressbar').and(page.locator('[aria-valuenow="30"]')).waitFor();
    });
}

async function timelineTests(t, site) {
    const { client } = await site.person('analyst');
    const risk = await makeRisk(client, { title: 'Watched', description: `${'All is well here. '.repeat(20)}One word.` });
    await makeMitigation(client, risk.id, { title: 'Look again' });
    await client.expect(200, 'PATCH', `/risks/${risk.id}`, { description: `${'All is well here. '.repeat(20)}Two words.`, status: 'ACCEPTED', tags: ['seen'] });
    const page = await site.visit('viewer', `/risks/R-${risk.ref}`);
    const timeline = page.getByRole('region', { name: 'Timeline' });

    await t.test('the timeline tells each write in words, the newest first', async () => {
        await timeline.getByText('Risk created').waitFor();
        const writes = timeline.locator('ol > li');
        assert.strictEqual(await writes.count(), 3);
        const newest = await writes.first().innerText();
        assert.match(newest, /^Changed by analyst-\S+@example\.org/);
        assert.match(newest, /Status: Active → Accepted/);
        assert.strictEqual(await writes.first().locator('ins').last().textContent(), 'added: seen');
        assert.ok(newest.length < 400, `a long text is not told whole: ${newest}`);
        assert.match(await writes.first().locator('del').first().innerText(), /One/);
        assert.match(await writes.nth(1).innerText(), /Mitigation added “Look again”/);
    });

    await t.test('and reads on', async () => {
        for (let i = 0; i < 45; i++) {
            await client.expect(200, 'PATCH', `/risks/${risk.id}`, { owner: `Owner ${i}` });
        }
        await page.reload();
        const writes = timeline.locator('ol > li');
        for (const count of [20, 40, 48]) {
            await waitFor(async () => (await writes.count()) === count, `${count} writes`);
            if (count < 48) {
                await timeline.getByRole('button', { name: 'Older changes' }).click();
            }
        }
        await timeline.getByText('Risk created').waitFor();
        assert.strictEqual(await timeline.getByRole('button', { name: 'Older changes' }).count(), 0);
    });
}

async function newTests(t, site) {
    const { client } = await site.person('analyst');
    await makeAsset(client, { name: 'Vault', criticality: 'CRITICAL' });
    await makeRisk(client, { owner: 'Known owner', category: 'Known category' });
    const page = await site.visit('analyst', '/profile');
    const dialog = page.getByRole('dialog', { name: 'New risk' });

    await t.test('N, a title, two steps, Ctrl+Enter: there it is', async () => {
        await page.keyboard.press('n');
        await dialog.getByRole('textbox', { name: 'Title' }).and(page.locator(':focus')).waitFor();
        await page.keyboard.press('Control+Enter');
        await dialog.getByText('This is needed').nth(2).waitFor();
        await page.keyboard.type('Gold is stolen');
        await dialog.getByRole('group', { name: 'Impact' }).getByRole('radio', { name: /4/ }).check();
        await dialog.getByRole('group', { name: 'Probability' }).getByRole('radio', { name: /3/ }).check();
        await dialog.getByText(/Medium\s*12$/).waitFor();
        await dialog.getByRole('combobox', { name: 'Assets' }).fill('vau');
        await dialog.getByRole('option', { name: /Vault/ }).click();
        await dialog.getByText(/High\s*18$/).waitFor();
        await dialog.getByLabel('Tags').fill('gold');
        await waitFor(() => dialog.locator('option[value="Known owner"]').count(), 'known owners are offered');
        await page.keyboard.press('Control+Enter');
        await heading(page, /Gold is stolen/).waitFor();
        const { items } = (await client.get('/risks?q=gold')).json;
        assert.deepStrictEqual(items.map(({ title, score, tags }) => ({ title, score, tags })), [{ title: 'Gold is stolen', score: 18, tags: ['gold'] }]);
        assert.strictEqual(new URL(page.url()).pathname, `/risks/R-${items[0].ref}`);
    });

    await t.test('Esc keeps what was typed for the next time', async () => {
        await page.keyboard.press('n');
        await dialog.getByRole('textbox', { name: 'Title' }).fill('Silver');
        await page.keyboard.press('Escape');
        await dialog.waitFor({ state: 'detached' });
        await page.keyboard.press('n');
        await dialog.getByText(/What you typed .* is here again/).waitFor();
        assert.strictEqual(await dialog.getByRole('textbox', { name: 'Title' }).inputValue(), 'Silver');
        await dialog.getByRole('button', { name: 'Discard it' }).click();
        assert.strictEqual(await dialog.getByRole('textbox', { name: 'Title' }).inputValue(), '');
    });

    await t.test('one after the other', async () => {
        for (const title of ['First of two', 'Second of two']) {
            await dialog.getByRole('textbox', { name: 'Title' }).fill(title);
            await dialog.getByRole('group', { name: 'Impact' }).getByRole('radio', { name: /1/ }).check();
            await dialog.getByRole('group', { name: 'Probability' }).getByRole('radio', { name: /2/ }).check();
            await dialog.getByRole('button', { name: 'Create and another' }).click();
            await waitFor(async () => (await dialog.getByRole('textbox', { name: 'Title' }).inputValue()) === '', 'an empty form');
            assert.strictEqual(await dialog.getByRole('radio', { checked: true }).count(), 0);
        }
        assert.strictEqual((await client.get('/risks?q=of+two')).json.total, 2);
        await page.keyboard.press('Escape');
    });
}

async function goneTests(t, site) {
    const { client } = await site.person('analyst');
    const risk = await makeRisk(client, { title: 'Passing' });
    const foreign = await makeRisk((await site.person('admin')).client, { title: 'Of the administrator' });

    await t.test('a deletion can be undone, at once and later', async () => {
        const page = await site.visit('analyst', `/risks/R-${risk.ref}`);
        page.expects(404);
        await page.getByRole('button', { name: 'Delete', exact: true }).click();
        await page.getByText(`R-${risk.ref} is deleted.`).waitFor();
        assert.strictEqual(new URL(page.url()).pathname, '/risks');
        assert.strictEqual((await client.get(`/risks/${risk.id}`)).status, 404);
        await page.getByRole('button', { name: 'Undo' }).click();
        await heading(page, /Passing/).waitFor();
        await client.expect(204, 'DELETE', `/risks/${risk.id}`);
        await page.reload();
        await page.getByText('This risk is deleted').waitFor();
        await page.getByRole('button', { name: 'Restore this risk' }).click();
        await heading(page, /Passing/).waitFor();
        assert.strictEqual((await client.get(`/risks/${risk.id}`)).status, 200);
    });

    await t.test('who may not delete sees no such button, and no restoring either', async () => {
        const page = await site.visit('analyst', `/risks/R-${foreign.ref}`);
        page.expects(404);
        await heading(page, /Of the administrator/).waitFor();
        assert.strictEqual(await page.getByRole('button', { name: 'Delete', exact: true }).count(), 0);
        await (await site.person('admin')).client.expect(204, 'DELETE', `/risks/${foreign.id}`);
        await page.reload();
        await page.getByText('This risk is deleted').waitFor();
        await page.getByRole('main').getByRole('link', { name: 'Register' }).waitFor();
        await settled(page);
        assert.strictEqual(await page.getByRole('button', { name: 'Restore this risk' }).count(), 0);
    });

    await t.test('what never was is told as such', async () => {
        const page = await site.visit('analyst', '/profile');
        page.expects(404);
        await page.goto(`${site.url}/risks/R-99999`);
        await page.getByText('There is no such page').waitFor();
        await page.getByRole('main').getByRole('link', { name: 'Register' }).click();
        await heading(page, 'Register').waitFor();
    });
}

async function lookTests(t, site) {
    const { client } = await site.person('analyst');
    const asset = await makeAsset(client, { name: 'Seen', criticality: 'HIGH' });
    const risk = await makeRisk(client, { title: 'Looked at', description: 'Some\ntext', tags: ['a'], custom_fields: { k: 'v' }, asset_ids: [asset.id], review_date: '2020-01-01' });
    const made = await makeMitigation(client, risk.id, { title: 'Do it', due_date: '2020-01-01', progress: 20 });
    await client.expect(201, 'POST', `/mitigations/${made.id}/subactions`, { title: 'A step' });

    await t.test('a viewer reads all and can change nothing', async () => {
        const page = await site.visit('viewer', `/risks/R-${risk.ref}`);
        await settled(page);
        assert.deepStrictEqual(await page.getByRole('main').getByRole('button').allTextContents(), ['Copy link']);
        assert.ok(await page.getByRole('checkbox', { name: 'A step' }).isDisabled());
        await member(page, 'Description').click();
        await page.keyboard.press('e');
        assert.strictEqual(await page.getByRole('main').getByRole('textbox').count(), 0);
    });

    await t.test('nothing is out of reach, by day and by night', async () => {
        for (const [theme, language] of [['light', 'en-GB'], ['dark', 'fr-FR']]) {
            const page = await site.visit('analyst', `/risks/R-${risk.ref}`, { theme, language });
            await settled(page);
            await assertAccessible(page, `risk, ${theme}`);
            await page.keyboard.press('e');
            await page.locator('.edit-bar').waitFor();
            await assertAccessible(page, `editing, ${theme}`);
            await page.keyboard.press('Escape');
            await page.keyboard.press('n');
            await page.getByRole('dialog').waitFor();
            await page.keyboard.press('Control+Enter');
            await assertAccessible(page, `a new risk, ${theme}`);
            await page.keyboard.press('Escape');
            await page.getByRole('button', { name: /Add a mitigation|Ajouter une mesure/ }).click();
            await page.getByRole('dialog').waitFor();
            await assertAccessible(page, `a mitigation, ${theme}`);
            await page.keyboard.press('Escape');
        }
    });
}

test('a risk', async (t) => {
    const site = await startSite(t);
    await editingTests(t, site);
    await scoreTests(t, site);
    await assetTests(t, site);
    await mitigationTests(t, site);
    await timelineTests(t, site);
    await newTests(t, site);
    await goneTests(t, site);
    await lookTests(t, site);
});
