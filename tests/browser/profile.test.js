/** Oneself, and the settings of this browser. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');

const { assertAccessible, settled, startSite } = require('./lib');

const back = (page) => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);

test('the profile', async (t) => {
    const site = await startSite(t);

    await t.test('the name is changed, everywhere at once', async () => {
        const page = await site.visit('viewer', '/profile');
        await page.getByLabel('Name').fill('Vera View');
        await page.getByRole('button', { name: 'Save' }).click();
        await page.getByText('Saved', { exact: true }).waitFor();
        await page.locator('.who').getByText('Vera View').waitFor();
        page.expects(412);
        const { client, email } = await site.person('viewer');
        await client.expect(200, 'PATCH', '/users/me', { full_name: 'From elsewhere' });
        await page.getByLabel('Name').fill('Vera');
        await page.getByRole('button', { name: 'Save' }).click();
        await page.getByRole('row', { name: 'Name From elsewhere Vera' }).waitFor();
        await page.getByRole('button', { name: 'Save mine' }).click();
        await page.locator('.who').getByText('Vera', { exact: true }).waitFor();
        assert.strictEqual((await client.get('/users/me')).json.full_name, 'Vera');
        assert.ok(await page.locator('main').getByText(email).isVisible());
    });

    await t.test('colours and language are chosen, and stay', async () => {
        const page = await site.visit('viewer', '/profile');
        const light = await back(page);
        await page.getByLabel('Dark').check();
        assert.notStrictEqual(await back(page), light);
        await page.getByLabel('Français').check();
        await page.getByRole('heading', { level: 1, name: 'Profil et réglages' }).waitFor();
        await page.reload();
        await page.getByRole('heading', { level: 1, name: 'Profil et réglages' }).waitFor();
        assert.notStrictEqual(await back(page), light);
        assert.strictEqual(await page.getAttribute('html', 'lang'), 'fr');
        await page.getByLabel('Comme le système').check();
        assert.strictEqual(await back(page), light);
    });

    await t.test('single keys are switched off; the list of keys is one click away', async () => {
        const page = await site.visit('analyst', '/profile');
        await page.getByRole('button', { name: 'Keyboard shortcuts' }).click();
        const sheet = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
        await sheet.waitFor();
        await page.keyboard.press('Escape');
        await sheet.waitFor({ state: 'detached' });
        await page.getByLabel('Shortcuts of single keys').uncheck();
        await page.keyboard.press('?');
        assert.strictEqual(await page.getByRole('dialog').count(), 0);
        await page.keyboard.press('n');
        assert.strictEqual(await page.getByRole('dialog').count(), 0);
        await page.keyboard.press('Control+k');
        await page.getByRole('dialog', { name: 'Search and commands' }).waitFor();
        await page.keyboard.press('Escape');
        await page.getByLabel('Shortcuts of single keys').check();
        await page.keyboard.press('?');
        await sheet.waitFor();
    });

    await t.test('the password is changed by whoever knows the old one', async () => {
        const { client, email, password } = await site.person('analyst');
        const next = 'a much better password';
        const page = await site.visit('analyst', '/profile');
        page.expects(401, 403, 422);
        await page.getByLabel('Current password').fill('this is not it at all');
        await page.getByLabel('New password', { exact: false }).first().fill(next);
        await page.getByLabel('New password, again').fill(next);
        await page.getByRole('button', { name: 'Change the password' }).click();
        await page.locator('.password .error').getByText(/./).waitFor();
        await page.getByLabel('Current password').fill(password);
        await page.getByRole('button', { name: 'Change the password' }).click();
        await page.getByText('Your password is changed').waitFor();
        await page.locator('.who').waitFor();
        assert.strictEqual((await client.get('/users/me')).status, 401, 'the other session has ended');
        const login = (password) => site.server.client().post('/auth/login', { email, password });
        assert.deepStrictEqual([(await login(password)).status, (await login(next)).status], [401, 200]);
    });

    await t.test('nothing is out of reach, by day and by night', async () => {
        for (const theme of ['light', 'dark']) {
            const page = await site.visit('viewer', '/profile', { theme });
            await settled(page);
            await assertAccessible(page, `the profile, ${theme}`);
        }
    });
});
