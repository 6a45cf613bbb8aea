/** The assets: found, sorted, added, changed by two at once, deleted, by those who may. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');

const { assertAccessible, settled, startSite, waitFor } = require('./lib');

/** What is in the list, top down. */
function names(page) {
    return page.locator('main tbody th a').allTextContents();
}

async function assertNames(page, expected) {
    await waitFor(async () => (await names(page)).join() === expected.join(), `the list ${expected}`).catch(async (error) => {
        assert.deepStrictEqual(await names(page), expected, error.message);
    });
}

async function add(client, asset, risks = 0) {
    const { json } = await client.expect(201, 'POST', '/assets', asset);
    for (let i = 0; i < risks; i++) {
        await client.expect(201, 'POST', '/risks', { title: `Risk ${i + 1} of ${asset.name}`, impact: 4, probability: 3, asset_ids: [json.id] });
    }
    return json;
}

test('assets', async (t) => {
    const site = await startSite(t);
    const { client: admin } = await site.person('admin');
    const { client: analyst } = await site.person('analyst');

    await t.test('an empty list says what to do, and an asset is added from it', async () => {
        const page = await site.visit('analyst', '/assets');
        await page.getByText('There are no assets yet').waitFor();
        await page.getByRole('button', { name: 'New asset' }).click();
        const dialog = page.getByRole('dialog', { name: 'New asset' });
        const add = dialog.getByRole('button', { name: 'Add' });
        assert.ok(await add.isDisabled());
        await dialog.getByLabel('Name').fill('x'.repeat(301));
        await dialog.getByText('At most 300 characters').waitFor();
        assert.ok(await add.isDisabled());
        await dialog.getByLabel('Name').fill('<img src=x onerror=alert(1)>');
        await dialog.getByLabel('Type').fill('service');
        await dialog.getByLabel('Criticality').selectOption('HIGH');
        await page.keyboard.press('Control+Enter');
        await page.getByRole('heading', { level: 1, name: '<img src=x onerror=alert(1)>' }).waitFor();
        await page.getByText('No risk names this asset').waitFor();
        const { json } = await analyst.get('/assets');
        assert.deepStrictEqual([json.total, json.items[0].type, json.items[0].criticality, json.items[0].owner], [1, 'service', 'HIGH', null]);
        await analyst.expect(204, 'DELETE', `/assets/${json.items[0].id}`);
    });

    const portal = await add(admin, { name: 'Portal', type: 'service', criticality: 'CRITICAL', owner: 'Web team' }, 2);
    const payroll = await add(analyst, { name: 'Payroll', type: 'service', criticality: 'MEDIUM' }, 1);
    await add(analyst, { name: 'Archive', type: 'database', criticality: 'CRITICAL' });

    await t.test('what is typed and chosen is in the address, which shows the same again', async () => {
        const page = await site.visit('viewer', '/assets');
        await assertNames(page, ['Archive', 'Payroll', 'Portal']);
        await page.keyboard.press('/');
        await page.keyboard.type('p');
        await assertNames(page, ['Payroll', 'Portal']);
        await page.keyboard.type('a');
        await assertNames(page, ['Payroll']);
        await page.waitForURL('**/assets?q=pa');
        await page.reload();
        await assertNames(page, ['Payroll']);
        assert.strictEqual(await page.getByLabel('Search by name').inputValue(), 'pa');
        await page.getByLabel('Search by name').fill('zzz');
        await page.getByText('Nothing is like this').waitFor();
        await page.getByRole('link', { name: 'Clear the filters' }).click();
        await assertNames(page, ['Archive', 'Payroll', 'Portal']);
        assert.strictEqual(await page.getByLabel('Search by name').inputValue(), '');
        await page.getByLabel('Criticality').selectOption('CRITICAL');
        await assertNames(page, ['Archive', 'Portal']);
        await page.getByLabel('Type').selectOption('database');
        await assertNames(page, ['Archive']);
        await page.goBack();
        await assertNames(page, ['Archive', 'Portal']);
        assert.strictEqual(await page.getByLabel('Type').inputValue(), '');
    });

    await t.test('a column’s head sorts, and says how', async () => {
        const page = await site.visit('viewer', '/assets');
        const head = (name) => page.getByRole('columnheader', { name });
        assert.strictEqual(await head('Name').getAttribute('aria-sort'), 'ascending');
        await head('Risks').getByRole('button').click();
        await assertNames(page, ['Portal', 'Payroll', 'Archive']);
        assert.strictEqual(await head('Risks').getAttribute('aria-sort'), 'descending');
        assert.strictEqual(await head('Name').getAttribute('aria-sort'), null);
        await head('Risks').getByRole('button').click();
        await assertNames(page, ['Archive', 'Payroll', 'Portal']);
        assert.strictEqual(await head('Risks').getAttribute('aria-sort'), 'ascending');
        await page.keyboard.press('j');
        await page.keyboard.press('j');
        await page.keyboard.press('Enter');
        await page.getByRole('heading', { level: 1, name: 'Payroll' }).waitFor();
    });

    await t.test('another criticality says that the risks are scored anew', async () => {
        const page = await site.visit('analyst', `/assets/${payroll.id}`);
        await page.getByRole('row', { name: /Risk 1 of Payroll Medium 12/ }).waitFor();
        assert.strictEqual(await page.getByRole('link', { name: 'in the register' }).getAttribute('href'), `/risks?asset_id=${payroll.id}`);
        await page.keyboard.press('e');
        const dialog = page.getByRole('dialog', { name: 'Edit Payroll' });
        await dialog.getByLabel('Criticality').selectOption('HIGH');
        await dialog.getByText('1 risk will be scored anew').waitFor();
        await dialog.getByRole('button', { name: 'Save' }).click();
        await page.getByText('Saved', { exact: true }).waitFor();
        await page.getByRole('row', { name: /Risk 1 of Payroll High 15/ }).waitFor();
    });

    await t.test('of two who change the same, the second sees what the first did, and is asked', async () => {
        const page = await site.visit('admin', `/assets/${portal.id}`);
        page.expects(412);
        await page.getByRole('button', { name: 'Edit' }).click();
        const dialog = page.getByRole('dialog');
        await dialog.getByLabel('Owner').fill('Mine');
        await analyst.expect(200, 'PATCH', `/assets/${portal.id}`, { owner: 'Theirs', type: 'portal' });
        await dialog.getByRole('button', { name: 'Save' }).click();
        await dialog.getByRole('row', { name: 'Owner Theirs Mine' }).waitFor();
        await dialog.getByRole('row', { name: 'Type portal –' }).waitFor();
        assert.strictEqual((await admin.get(`/assets/${portal.id}`)).json.owner, 'Theirs', 'nothing is written before the answer');
        assert.strictEqual(await dialog.getByLabel('Type').inputValue(), 'portal');
        await assertAccessible(page, 'two editors');
        await dialog.getByRole('button', { name: 'Save mine' }).click();
        await dialog.waitFor({ state: 'detached' });
        await page.getByText('Mine', { exact: true }).waitFor();
        const { json } = await admin.get(`/assets/${portal.id}`);
        assert.deepStrictEqual([json.owner, json.type], ['Mine', 'portal']);

        await page.getByRole('button', { name: 'Edit' }).click();
        await dialog.getByLabel('Owner').fill('Mine again');
        await analyst.expect(200, 'PATCH', `/assets/${portal.id}`, { owner: 'Theirs again' });
        await page.keyboard.press('Control+Enter');
        await dialog.getByRole('button', { name: 'Drop what I typed' }).click();
        assert.strictEqual(await dialog.getByLabel('Owner').inputValue(), 'Theirs again');
        await page.keyboard.press('Escape');
        await dialog.waitFor({ state: 'detached' });
        assert.strictEqual((await admin.get(`/assets/${portal.id}`)).json.owner, 'Theirs again');
    });

    await t.test('a name that another asset has is refused beside the name', async () => {
        const page = await site.visit('analyst', `/assets/${payroll.id}`);
        page.expects(409);
        await page.getByRole('button', { name: 'Edit' }).click();
        await page.getByRole('dialog').getByLabel('Name').fill('portal');
        await page.keyboard.press('Control+Enter');
        await page.getByRole('dialog').getByText('another asset has it already').waitFor();
    });

    await t.test('who may not, is not asked; who may, is asked before it goes', async () => {
        const viewer = await site.visit('viewer', '/assets');
        await assertNames(viewer, ['Archive', 'Payroll', 'Portal']);
        assert.strictEqual(await viewer.locator('main').getByRole('button', { name: /New|Edit|Delete/ }).count(), 0);
        const page = await site.visit('analyst', `/assets/${portal.id}`);
        await page.getByRole('button', { name: 'Edit' }).waitFor();
        assert.strictEqual(await page.getByRole('button', { name: 'Delete' }).count(), 0);
        await page.goto(`${site.url}/assets/${payroll.id}`);
        await page.getByRole('button', { name: 'Delete' }).click();
        await page.getByRole('dialog').getByText('1 risk loses it and is scored anew.').waitFor();
        await page.keyboard.press('Escape');
        await admin.expect(200, 'GET', `/assets/${payroll.id}`);
        await page.getByRole('button', { name: 'Delete' }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
        await page.getByText('Payroll is deleted.').waitFor();
        await assertNames(page, ['Archive', 'Portal']);
        page.expects(404);
        await page.goto(`${site.url}/assets/${payroll.id}`);
        await page.locator('main').getByRole('link', { name: 'Assets' }).click();
        await assertNames(page, ['Archive', 'Portal']);
    });

    await t.test('nothing is out of reach, by day and by night', async () => {
        for (const theme of ['light', 'dark']) {
            const page = await site.visit('admin', `/assets/${portal.id}`, { theme });
            await settled(page);
            await assertAccessible(page, `an asset, ${theme}`);
            await page.keyboard.press('e');
            await assertAccessible(page, `an asset’s form, ${theme}`);
            await page.goto(`${site.url}/assets`);
            await assertNames(page, ['Archive', 'Portal']);
            await assertAccessible(page, `assets, ${theme}`);
        }
    });
});
