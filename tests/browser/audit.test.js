/** The audit log, as an auditor reads it. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');

const { assertAccessible, settled, startSite } = require('./lib');

test('the audit log', async (t) => {
    const site = await startSite(t);
    const { client: admin, email: adminEmail } = await site.person('admin');
    const { client: analyst, email: analystEmail } = await site.person('analyst');
    const { client: viewer, email: viewerEmail } = await site.person('viewer');
    const { json: risk } = await analyst.expect(201, 'POST', '/risks', { title: 'Theft', impact: 1, probability: 1 });
    await viewer.expect(403, 'POST', '/risks', { title: '<b>Theft</b>', impact: 1, probability: 1 });
    for (let i = 0; i < 55; i++) {
        await admin.expect(201, 'POST', '/assets', { name: `Asset ${i}` });
    }

    const rows = (page) => page.locator('main tbody tr');

    await t.test('what was refused stands out, by word too; the exact time is at hand', async () => {
        const page = await site.visit('admin', `/audit?actor=${encodeURIComponent(viewerEmail)}&action=POST+%2Frisks`);
        await rows(page).first().waitFor();
        assert.strictEqual(await rows(page).count(), 1);
        await page.getByRole('row', { name: /POST \/risks Not allowed.*this needs the role analyst or admin/ }).waitFor();
        assert.strictEqual(await page.locator('tr.refused').count(), 1);
        const { at } = (await admin.get(`/audit-logs?actor=${encodeURIComponent(viewerEmail)}&action=POST+%2Frisks`)).json.items[0];
        assert.strictEqual(await page.locator('tbody time').getAttribute('title'), at);
    });

    await t.test('filters are typed, chosen and clicked, and are in the address', async () => {
        const page = await site.visit('admin', '/audit');
        await page.getByLabel('Who').pressSequentially(analystEmail);
        await page.getByRole('row', { name: new RegExp(`${analystEmail} POST /risks Done`) }).waitFor();
        await page.waitForFunction((email) => [...document.querySelectorAll('main tbody th')].every((cell) => cell.textContent === email), analystEmail);
        await page.getByRole('link', { name: 'POST /risks' }).click();
        await page.waitForURL((url) => url.searchParams.get('actor') === analystEmail && url.searchParams.get('action') === 'POST /risks');
        await page.waitForFunction(() => document.querySelectorAll('main tbody tr').length === 1);
        assert.strictEqual(await page.getByRole('link', { name: risk.id }).getAttribute('href'), `/risks/${risk.id}`);
        await page.getByLabel('Result').selectOption('denied');
        await page.getByText('Nothing is like this').waitFor();
        await page.getByRole('link', { name: 'Clear the filters' }).click();
        await rows(page).nth(49).waitFor();
        await page.getByLabel('Result').selectOption('denied');
        await page.waitForFunction(() => document.querySelectorAll('main tbody tr').length === 1);
        await page.goBack();
        await rows(page).nth(49).waitFor();
    });

    await t.test('days are those of whoever reads, both included', async () => {
        const page = await site.visit('admin', '/audit');
        const day = (later) => page.evaluate((later) => {
            const date = new Date();
            date.setDate(date.getDate() + later);
            return [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, '0')).join('-');
        }, later);
        await page.getByLabel('From day').fill(await day(-1));
        await page.getByLabel('To day').fill(await day(1));
        await rows(page).first().waitFor();
        await page.getByLabel('From day').fill(await day(1));
        await page.getByText('Nothing is like this').waitFor();
        await page.goto(`${site.url}/audit?until=${await day(-1)}`);
        await page.getByText('Nothing is like this').waitFor();
    });

    await t.test('it goes on page by page', async () => {
        const page = await site.visit('admin', `/audit?actor=${encodeURIComponent(adminEmail)}&action=POST+%2Fassets`);
        await page.getByText('1–50 of 55').waitFor();
        await page.getByRole('button', { name: 'Next page' }).click();
        await page.getByText('51–55 of 55').waitFor();
        assert.strictEqual(await rows(page).count(), 5);
    });

    await t.test('others are told for whom this is, and nothing is out of reach', async () => {
        const analyst = await site.visit('analyst', '/audit');
        await analyst.getByText('This page is for administrators').waitFor();
        for (const theme of ['light', 'dark']) {
            const page = await site.visit('admin', '/audit?result=denied', { theme });
            await settled(page);
            await assertAccessible(page, `the audit log, ${theme}`);
        }
    });
});
