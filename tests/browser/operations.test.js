/** What an operator sees without any other tool. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');

const { assertAccessible, settled, startSite, waitFor } = require('./lib');

/** Where all figures are. */
function places(page) {
    return page.locator('.tile, .routes, .health').evaluateAll((elements) => elements.map((element) => {
        const { left, top, width, height } = element.getBoundingClientRect();
        return [left, top + scrollY, width, height].map(Math.round).join();
    }));
}

/** Answer GET /health with this for a while. */
async function say(page, status, health) {
    await page.route('**/api/v1/health', (route) => route.fulfill({ status, contentType: 'application/json', body: JSON.stringify(health) }));
}

test('operations', async (t) => {
    const site = await startSite(t);
    const { client: admin } = await site.person('admin');

    await t.test('the figures come by themselves, and do not move what is there', async () => {
        const page = await site.visit('admin', '/operations');
        await page.getByText('all is well').waitFor();
        await page.getByText(/answers in [\d.]+ ms/).waitFor();
        const requests = page.locator('.tile').filter({ hasText: 'Requests' }).locator('b');
        await waitFor(() => admin.get('/risks').then(async () => /^[\d.]+\/s$/.test(await requests.textContent())), 'the first figures', 20000);
        await page.getByRole('row', { name: /GET \/risks [1-9]/ }).waitFor();
        await waitFor(async () => Number.parseInt(await page.locator('.tile').filter({ hasText: 'From the cache' }).locator('b').textContent(), 10) > 50, 'a hit rate');
        const before = await places(page);
        const text = await page.locator('main').textContent();
        await waitFor(async () => await page.locator('main').textContent() !== text, 'other figures');
        assert.deepStrictEqual(await places(page), before);
    });

    await t.test('routes are sorted by how busy or how slow they are, as the address says', async () => {
        const page = await site.visit('admin', '/operations');
        await page.getByRole('button', { name: 'Busiest', pressed: true }).waitFor();
        await page.getByRole('button', { name: 'Slowest' }).click();
        await page.getByRole('button', { name: 'Slowest', pressed: true }).waitFor();
        await page.getByRole('link', { name: '5 min', exact: true }).click();
        await page.waitForURL('**/operations?minutes=5&sort=slow');
        await page.getByRole('row', { name: /POST \/auth\/login/ }).first().waitFor();
        const took = (await page.locator('.routes tbody tr td:last-child').allTextContents()).map((text) => Number.parseFloat(text) * (/\d s$/.test(text) ? 1000 : 1));
        assert.deepStrictEqual(took, [...took].sort((a, b) => b - a));
    });

    await t.test('all that is cached is forgotten, once one is sure', async () => {
        const page = await site.visit('admin', '/operations');
        const before = (await admin.get('/cache')).json.generations;
        await page.getByRole('button', { name: 'Forget all cached answers' }).click();
        await page.keyboard.press('Escape');
        assert.deepStrictEqual((await admin.get('/cache')).json.generations, before);
        await page.getByRole('button', { name: 'Forget all cached answers' }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Forget all cached answers' }).click();
        await page.getByText('All cached answers are forgotten.').waitFor();
        const after = (await admin.get('/cache')).json.generations;
        assert.ok(Object.keys(before).every((scope) => after[scope] > before[scope]), JSON.stringify({ before, after }));
    });

    await t.test('a part that is not well is named, with what to do', async () => {
        const page = await site.visit('admin', '/operations');
        page.expects(503);
        const { json: health } = await admin.get('/health');
        health.checks.pool = { ...health.checks.pool, status: 'DEGRADED', verdict: 'exhausted', in_use: 4, waiting: 7 };
        await say(page, 200, { ...health, status: 'DEGRADED', checks: { ...health.checks, redis: { status: 'DOWN', breaker: 'open', for_ms: 65000 } } });
        await page.getByText('it works, with less than it should have').waitFor();
        await page.getByText('4 of 4 in use, 7 waiting').waitFor();
        await page.getByText(/then raise DB_POOL_MAX/).waitFor();
        await page.getByText('has not answered for 65 s').waitFor();
        await assertAccessible(page, 'health, degraded');
        await say(page, 503, { ...health, status: 'DOWN', checks: { ...health.checks, database: { status: 'DOWN', checked_ms_ago: 5 } } });
        await page.getByText('it cannot do its work').waitFor();
        await page.getByText(/See whether it runs/).waitFor();
        // What is to be done makes room for itself.
        await page.evaluate(() => globalThis.shifts.splice(0));
    });

    await t.test('others are told for whom this is, and nothing is out of reach', async () => {
        const analyst = await site.visit('analyst', '/operations');
        await analyst.getByText('This page is for administrators').waitFor();
        for (const theme of ['light', 'dark']) {
            const page = await site.visit('admin', '/operations', { theme });
            await settled(page);
            await assertAccessible(page, `operations, ${theme}`);
        }
    });
});
