/** The frame around all pages: signing in and out, the navigation, the palette, the sheet of keys. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');

const { assertAccessible, settled, startSite } = require('./lib');

test('the frame', async (t) => {
    const site = await startSite(t);

    await t.test('a wrong password is refused, the right one leads to the page one wanted', async () => {
        const { email, password } = await site.person('analyst');
        const page = await site.visit(null, '/assets');
        page.expects(401);
        await page.getByLabel('E-mail').fill(email);
        await page.getByLabel('Password').fill('not this one at all');
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.getByRole('alert').getByText(/./).waitFor();
        assert.strictEqual(await page.getByLabel('E-mail').inputValue(), email);
        await page.getByLabel('Password').fill(password);
        await page.keyboard.press('Enter');
        await page.getByRole('heading', { name: 'Assets', level: 1 }).waitFor();
    });

    await t.test('signing out ends the session here and in the other tab', async () => {
        const page = await site.visit('viewer');
        const other = await site.visit('viewer', '/risks', { beside: page });
        await page.getByRole('button', { name: 'Sign out' }).click();
        await page.getByRole('heading', { name: 'Sign in' }).waitFor();
        await other.getByRole('heading', { name: 'Sign in' }).waitFor();
    });

    await t.test('what one person was about to write is not written by another who signs in', async () => {
        const { client } = await site.person('analyst');
        const { json: risk } = await client.expect(201, 'POST', '/risks', { title: 'Theft of laptops', impact: 3, probability: 3 });
        const page = await site.visit('analyst', `/risks/R-${risk.ref}`);
        page.expects(401);
        await settled(page);
        await page.keyboard.press('e');
        await page.getByRole('textbox', { name: 'Title' }).fill('Theft of cars');
        await page.context().clearCookies();
        await page.keyboard.press('Control+Enter');
        const { email, password } = await site.person('admin');
        await page.getByRole('dialog', { name: 'Sign in again' }).waitFor();
        await page.getByLabel('E-mail').fill(email);
        await page.getByLabel('Password').fill(password);
        await page.keyboard.press('Enter');
        await page.getByRole('dialog').waitFor({ state: 'detached' });
        await page.getByText(email).waitFor();
        assert.strictEqual((await client.get(`/risks/R-${risk.ref}`)).json.title, 'Theft of laptops');
    });

    await t.test('nothing in the frame is out of reach, by day and by night', async () => {
        for (const theme of ['light', 'dark']) {
            const page = await site.visit('admin', '/', { theme });
            await settled(page);
            await assertAccessible(page, `dashboard, ${theme}`);
            await page.keyboard.press('?');
            await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
            await assertAccessible(page, `the keys, ${theme}`);
            await page.keyboard.press('Escape');
            await page.keyboard.press('Control+k');
            await page.getByRole('combobox').fill('a');
            await assertAccessible(page, `the palette, ${theme}`);
        }
    });
});
