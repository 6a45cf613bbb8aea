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

test('a newcomer: from the first start to a mitigation', async (t) => {
    const site = await startSite(t, { env: { INITIAL_ADMIN_EMAIL: undefined, INITIAL_ADMIN_PASSWORD: undefined } });
    const [, email] = /^ +e-mail +(\S+)$/m.exec(site.server.run.stdout);
    const [, printed] = /^ +password +(\S+)$/m.exec(site.server.run.stdout);
    assert.match(site.server.run.stdout, new RegExp(`${site.url}/?\\s`), 'the first start names the page');
    const page = await site.visit(null);

    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password').fill(printed);
    await page.keyboard.press('Enter');
    await heading(page, 'Choose your password').waitFor();
    await page.getByLabel('Current password').fill(printed);
    await page.getByLabel('New password', { exact: true }).fill('a sentence that only I know');
    await page.getByLabel('New password, again').fill('a sentence that only I know');
    await page.keyboard.press('Enter');
    await heading(page, 'Dashboard').waitFor();

    await page.getByRole('main').getByRole('link', { name: 'Import' }).first().click();
    await page.locator('input[type=file]').setInputFiles(KEV);
    await page.getByText(/1,404/).first().waitFor();
    await page.getByRole('button', { name: /^Import/ }).click();
    await page.getByRole('link', { name: /register/i }).last().waitFor();

    await page.goto(`${site.url}/risks?level=CRITICAL`);
    await page.getByText('of 1,404').first().waitFor();
    const row = page.locator('main [data-row]').first();
    const title = (await row.textContent()).trim();
    await row.click();
    await heading(page, title.replace(/^R-\d+\s*/, '')).waitFor();

    await page.getByRole('button', { name: /add.*mitigation|new mitigation|plan.*mitigation/i }).click();
    const form = page.getByRole('dialog').or(page.locator('form')).filter({ has: page.getByRole('textbox', { name: 'Title' }) }).last();
    await form.getByRole('textbox', { name: 'Title' }).fill('Patch this week');
    await page.keyboard.press('Control+Enter');
    await page.getByText('Patch this week').first().waitFor();

    await page.getByRole('navigation').getByRole('link', { name: 'Dashboard' }).click();
    await page.getByRole('link', { name: /Impact 4, probability 5.*1,111/i }).waitFor();
    await page.getByRole('link', { name: /Impact 5, probability 5.*293/i }).waitFor();
    await settled(page);
    await page.locator('.uplot canvas').waitFor();
    await page.getByText('1,404').first().waitFor();
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
    await dialog.getByLabel(/password/i).first().fill('a password for Nora only');
    await page.keyboard.press('Control+Enter');
    await page.getByRole('cell', { name: 'nora@example.org' }).waitFor();

    const hers = await site.visit(null);
    await hers.getByLabel('E-mail').fill('nora@example.org');
    await hers.getByLabel('Password').fill('a password for Nora only');
    await hers.keyboard.press('Enter');
    await heading(hers, /Dashboard|Choose your password/).waitFor();
    if (await heading(hers, 'Choose your password').count() > 0) {
        await hers.getByLabel('Current password').fill('a password for Nora only');
        await hers.getByLabel('New password', { exact: true }).fill('another one for Nora');
        await hers.getByLabel('New password, again').fill('another one for Nora');
        await hers.keyboard.press('Enter');
        await heading(hers, 'Dashboard').waitFor();
    }
    hers.expects(401);

    const { client } = await site.person('admin');
    const { json: users } = await client.expect(200, 'GET', '/users');
    const nora = users.items.find(({ email }) => email === 'nora@example.org');
    await client.expect(200, 'PATCH', `/users/${nora.id}`, { is_active: false });
    await hers.getByRole('navigation').getByRole('link', { name: 'Register' }).click();
    await hers.getByRole('dialog', { name: 'Sign in again' }).waitFor();
    await hers.getByRole('button', { name: 'Leave' }).click();
    await heading(hers, 'Sign in').waitFor();

    await page.goto(`${site.url}/audit`);
    await page.getByText('nora@example.org').first().waitFor();
    await page.goto(`${site.url}/operations`);
    await waitFor(async () => /\d/.test(await page.getByRole('main').textContent()), 'figures');
});
