/** Every shortcut of the table does what it says, and none does anything while one types. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

const { settled, startSite } = require('./lib');

const LOAD = path.resolve(__dirname, '../../ui/load.mjs');

/** As playwright names it: "Mod+K" is Control+k, "G D" two presses. */
async function press(page, keys) {
    for (const key of keys.split(' ')) {
        await page.keyboard.press(key.replace('Mod', 'Control').replace(/\b([A-Z])$/, (letter) => letter.toLowerCase()));
    }
}

function heading(page, name) {
    return page.getByRole('heading', { level: 1, name });
}

function dialog(page, name) {
    return page.getByRole('dialog', { name });
}

async function makeRisks(site) {
    const { client } = await site.person('analyst');
    for (const [title, impact, probability] of [['Theft of laptops', 5, 5], ['Flood in the cellar', 4, 4], ['Lost keys', 2, 2]]) {
        await client.expect(201, 'POST', '/risks', { title, impact, probability });
    }
}

/**
 * What each does, tried from a page of its own: `at` the page before, `before` what is done there, `after` what is
 * there then. The key is pressed in between.
 */
const EFFECTS = {
    palette: { after: (page) => page.getByRole('combobox').waitFor() },
    new: { after: (page) => dialog(page, 'New risk').waitFor() },
    search: { after: (page) => page.locator('input[type=search]:focus').waitFor() },
    help: { after: (page) => dialog(page, 'Keyboard shortcuts').waitFor() },
    goDashboard: { at: '/assets', after: (page) => heading(page, 'Dashboard').waitFor() },
    goRegister: { after: (page) => heading(page, 'Register').waitFor() },
    goAssets: { after: (page) => heading(page, 'Assets').waitFor() },
    next: { at: '/risks', after: (page) => page.locator('[data-row]:focus', { hasText: 'Theft' }).waitFor() },
    previous: {
        at: '/risks',
        before: async (page) => {
            await page.keyboard.press('j');
            await page.keyboard.press('j');
            await page.locator('[data-row]:focus', { hasText: 'Flood' }).waitFor();
        },
        after: (page) => page.locator('[data-row]:focus', { hasText: 'Theft' }).waitFor(),
    },
    open: {
        at: '/risks',
        before: (page) => page.keyboard.press('j'),
        after: (page) => heading(page, /Theft/).waitFor(),
    },
    select: {
        at: '/risks',
        before: (page) => page.keyboard.press('j'),
        after: (page) => page.locator('tr', { hasText: 'Theft' }).getByRole('checkbox', { checked: true }).waitFor(),
    },
    edit: { at: '/risks/R-1', after: (page) => page.getByRole('textbox', { name: 'Title' }).waitFor() },
    close: {
        at: '/risks/R-1',
        before: async (page) => {
            await page.keyboard.press('e');
            await page.getByRole('textbox', { name: 'Title' }).fill('Something else');
        },
        after: async (page, site) => {
            await page.getByRole('textbox', { name: 'Title' }).waitFor({ state: 'detached' });
            assert.strictEqual((await (await site.person('analyst')).client.get('/risks/R-1')).json.title, 'Theft of laptops');
        },
    },
    submit: {
        at: '/risks/R-3',
        before: async (page) => {
            await page.keyboard.press('e');
            await page.getByRole('textbox', { name: 'Title' }).fill('Keys lost');
        },
        after: (page) => heading(page, /Keys lost/).waitFor(),
    },
};

test('the keys', async (t) => {
    const { load } = await import(pathToFileURL(LOAD).href);
    const { shortcuts } = await load('src/shortcuts.ts');
    const site = await startSite(t);
    await makeRisks(site);
    const page = await site.visit('analyst');
    const show = async (at) => {
        await page.goto(site.url + at);
        await page.getByRole('heading', { level: 1 }).waitFor();
        await settled(page);
    };

    await t.test('each of the table is tried here', () => {
        assert.deepStrictEqual(Object.keys(EFFECTS).sort(), shortcuts.map(({ name }) => name).sort());
    });

    for (const { name, keys } of shortcuts) {
        for (const alternative of keys) {
            await t.test(`${alternative}: ${name}`, async () => {
                const { at = '/', before, after } = EFFECTS[name];
                await show(at);
                await before?.(page);
                await press(page, alternative);
                await after(page, site);
            });
        }
    }

    await t.test('none of them does anything while one types', async () => {
        await show('/risks');
        const search = page.getByRole('searchbox');
        const typed = 'ngdgrgajkxe?/';
        await search.pressSequentially(typed);
        assert.strictEqual(await search.inputValue(), typed);
        assert.strictEqual(new URL(page.url()).pathname, '/risks');
        assert.strictEqual(await page.getByRole('dialog').count(), 0);
        await show('/risks/R-2');
        await page.keyboard.press('e');
        const title = page.getByRole('textbox', { name: 'Title' });
        await title.fill('');
        await title.pressSequentially(typed);
        assert.strictEqual(await title.inputValue(), typed);
        assert.strictEqual(new URL(page.url()).pathname, '/risks/R-2');
    });

    await t.test('in a dialog only its own keys count', async () => {
        await show('/risks');
        await page.keyboard.press('?');
        await dialog(page, 'Keyboard shortcuts').waitFor();
        await page.keyboard.press('n');
        await page.keyboard.press('g');
        await page.keyboard.press('d');
        assert.strictEqual(await page.getByRole('dialog').count(), 1);
        assert.strictEqual(new URL(page.url()).pathname, '/risks');
        await page.keyboard.press('Escape');
        await dialog(page, 'Keyboard shortcuts').waitFor({ state: 'detached' });
    });

    await t.test('single keys can be switched off; the others stay', async () => {
        await page.evaluate(() => localStorage.setItem('openrisk.settings', JSON.stringify({ keys: false })));
        await show('/');
        await page.keyboard.press('n');
        await page.keyboard.press('?');
        assert.strictEqual(await page.getByRole('dialog').count(), 0);
        await page.keyboard.press('Control+k');
        await page.getByRole('combobox').waitFor();
    });

    await t.test('the palette finds risks by ref and words, assets, and does commands', async () => {
        const { client } = await site.person('analyst');
        await client.expect(201, 'POST', '/assets', { name: 'Payroll server' });
        await show('/');
        await page.keyboard.press('Control+k');
        const box = page.getByRole('combobox');
        await box.fill('R-2');
        await page.getByRole('option', { name: /Flood/ }).waitFor();
        await box.fill('payroll');
        await page.getByRole('option', { name: 'Payroll server' }).waitFor();
        await box.fill('lapt');
        await page.getByRole('option', { name: /Theft of laptops/ }).waitFor();
        await page.keyboard.press('Enter');
        await heading(page, /Theft/).waitFor();
        await page.keyboard.press('Control+k');
        await box.fill('dark');
        await page.keyboard.press('Enter');
        await page.waitForFunction(() => document.documentElement.dataset.theme === 'dark');
    });
});
