/** Whole ways through the product, as those who use it go them. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const path = require('node:path');

const { settled, startSite, waitFor } = require('./lib');

const KEV = path.resolve(__dirname, '../data/kev.csv');

function heading(page, name) {
    return page.getByRole('heading', { level: 1, name });
}

/** The first password is one that somebody else has seen. */
async function choosePassword(page, given, own) {
    await heading(page, 'Choose your password').waitFor();
    for (const [i, text] of [given, own, own].entries()) {
        await page.locator('input[type=password]').nth(i).fill(text);
    }
    await page.keyboard.press('Enter');
}

test('a newcomer: from the first start to a mitigation', async (t) => {
    const site = await startSite(t, { env: { INITIAL_ADMIN_EMAIL: undefined, INITIAL_ADMIN_PASSWORD: undefined } });
    const [, email] = /^ +e-mail +(\S+)$/m.exec(site.server.run.stdout);
    const [, printed] = /^ +password +(\S+)$/m.exec(site.server.run.stdout);
    assert.match(site.server.run.stdout, new RegExp(`${site.url}/?\\s`), 'the first start names the page');
    const page = await site.visit(null);

    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password').fill(printed);
    await page.keyboard.press('Enter');
    await choosePassword(page, printed, 'a sentence that only I know');
    await heading(page, 'Dashboard').waitFor();

    await page.getByRole('main').getByRole('link', { name: 'Import' }).first().click();
    await page.locator('input[type=file]').setInputFiles(KEV);
    await page.getByRole('heading', { name: 'What would change' }).waitFor();
    await page.getByRole('button', { name: 'Import', exact: true }).click();
    await page.getByRole('heading', { name: 'Imported' }).waitFor();

    await page.getByRole('link', { name: 'Show them in the register' }).click();
    await page.getByRole('button', { name: 'Add filter' }).click();
    await page.getByRole('listbox').getByRole('option', { name: 'Level' }).click();
    await page.getByRole('listbox').getByRole('option', { name: 'Critical' }).click();
    await page.waitForURL(/level=CRITICAL/);
    await page.getByText('of 1,404').first().waitFor();
    const row = page.locator('main [data-row]').first();
    const title = (await row.textContent()).trim();
    await row.click();
    await heading(page, title.replace(/^R-\d+\s*/, '')).waitFor();

    await page.getByRole('button', { name: 'Add a mitigation' }).click();
    const form = page.getByRole('dialog').or(page.locator('form')).filter({ has: page.getByRole('textbox', { name: 'Title' }) }).last();
    await form.getByRole('textbox', { name: 'Title' }).fill('Patch this week');
    await page.keyboard.press('Control+Enter');
    await page.getByText('Patch this week').first().waitFor();

    const dashboard = page.getByRole('navigation').getByRole('link', { name: 'Dashboard' });
    await dashboard.click();
    await page.getByRole('link', { name: 'Impact 4, probability 5: 1,111 risks' }).waitFor();
    await page.getByRole('link', { name: 'Impact 5, probability 5: 293 risks' }).waitFor();
    await page.locator('.uplot canvas').first().waitFor();
    const today = page.getByRole('region', { name: 'Trend' }).getByRole('row').nth(1);
    await page.getByRole('button', { name: 'As a table' }).click();
    await today.getByText('1,404').first().waitFor();

    // It is patched: less probable, and no longer critical.
    await page.goBack();
    await page.goBack();
    await page.getByText('Patch this week').first().waitFor();
    await page.keyboard.press('e');
    await page.getByRole('group', { name: /^Probability/ }).getByRole('radio', { name: /^1/ }).check({ force: true });
    await page.keyboard.press('Control+Enter');
    await page.getByRole('button', { name: 'Save' }).waitFor({ state: 'detached' });
    await dashboard.click();
    await page.getByRole('link', { name: 'Impact 5, probability 5: 292 risks' }).waitFor();
    await page.getByRole('link', { name: 'Impact 5, probability 1: 1 risk' }).waitFor();
    await page.getByRole('button', { name: 'As a table' }).click();
    await today.getByText('1,403').first().waitFor();
});

test('an auditor sees everything and can change nothing', async (t) => {
    const site = await startSite(t);
    const { client } = await site.person('analyst');
    const { json: risk } = await client.expect(201, 'POST', '/risks', { title: 'Theft of laptops', impact: 4, probability: 3 });
    await client.expect(200, 'PATCH', `/risks/${risk.id}`, { status: 'MITIGATED' });
    const page = await site.visit('viewer', '/risks', { downloads: true });
    await page.getByRole('link', { name: /Theft/ }).waitFor();
    for (const name of [/new risk/i, /^import$/i, /delete/i, /^edit/i]) {
        assert.strictEqual(await page.getByRole('main').getByRole('button', { name }).count(), 0, String(name));
    }
    await page.keyboard.press('n');
    assert.strictEqual(await page.getByRole('dialog').count(), 0);
    await page.getByRole('link', { name: /Theft/ }).click();
    await page.getByText('Mitigated').first().waitFor();
    await page.getByText(/status/i).first().waitFor();
    for (const name of [/delete/i, /^edit/i, /mitigation/i]) {
        assert.strictEqual(await page.getByRole('main').getByRole('button', { name }).count(), 0, String(name));
    }
    await page.keyboard.press('e');
    assert.strictEqual(await page.getByRole('textbox').count(), 0);
    for (const to of ['/users', '/audit', '/operations']) {
        await page.goto(site.url + to);
        await page.getByText('This page is for administrators').waitFor();
    }
    await page.goto(`${site.url}/risks`);
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: /export/i }).click();
    assert.match((await download).suggestedFilename(), /^openrisk-.*\.json$/);
});

test('an administrator lets somebody in, and out', async (t) => {
    const site = await startSite(t);
    const page = await site.visit('admin', '/users');
    await page.getByRole('button', { name: /add|new/i }).first().click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('E-mail').fill('nora@example.org');
    await dialog.getByLabel(/name/i).first().fill('Nora');
    await dialog.getByLabel(/role/i).selectOption('analyst');
    await dialog.getByRole('checkbox', { name: /password/i }).uncheck();
    await dialog.locator('input[type=password], input[autocomplete=new-password]').first().fill('a password for Nora only');
    await page.keyboard.press('Control+Enter');
    await page.getByRole('cell', { name: 'nora@example.org' }).waitFor();

    const hers = await site.visit(null);
    await hers.getByLabel('E-mail').fill('nora@example.org');
    await hers.getByLabel('Password').fill('a password for Nora only');
    await hers.keyboard.press('Enter');
    await heading(hers, 'Dashboard').waitFor();
    hers.expects(401);

    const { client } = await site.person('admin');
    const { json: users } = await client.expect(200, 'GET', '/users');
    const nora = users.items.find(({ email }) => email === 'nora@example.org');
    await client.expect(200, 'PATCH', `/users/${nora.id}`, { is_active: false });
    // Whatever is asked for next, by her or by the page itself, finds the session ended.
    await hers.keyboard.press('g');
    await hers.keyboard.press('r');
    await hers.getByRole('dialog', { name: 'Sign in again' }).waitFor();
    await hers.getByRole('button', { name: 'Leave' }).click();
    await heading(hers, 'Sign in').waitFor();

    await page.goto(`${site.url}/audit`);
    await page.getByText('nora@example.org').first().waitFor();
    await page.goto(`${site.url}/operations`);
    await waitFor(async () => /\d/.test(await page.getByRole('main').textContent()), 'figures');
});
