/** A server that goes away and returns: what is on the screen stays, what was typed stays, and it goes on by itself. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');

const { settled, startSite, waitFor } = require('./lib');

test('a server that goes away and returns', async (t) => {
    // The same port again.
    const site = await startSite(t);
    site.server.env.OPENRISK_LISTEN = new URL(site.url).host;
    const { client } = await site.person('analyst');
    const { json: risk } = await client.expect(201, 'POST', '/risks', { title: 'Flood in the cellar', impact: 4, probability: 4 });
    const page = await site.visit('analyst', `/risks/R-${risk.ref}`);
    page.expects('away', 503);
    await settled(page);
    await page.keyboard.press('e');
    await page.getByRole('textbox', { name: 'Title' }).fill('Flood in the archive');

    await site.server.kill();
    await page.keyboard.press('Control+Enter');
    await page.getByText('The server does not answer. Trying again').waitFor();
    assert.strictEqual(await page.getByRole('textbox', { name: 'Title' }).inputValue(), 'Flood in the archive');

    await site.server.start();
    await page.getByText('The server answers again.').waitFor();
    await page.getByText('The server does not answer. Trying again').waitFor({ state: 'detached' });
    await page.keyboard.press('Control+Enter');
    await page.getByRole('heading', { level: 1, name: /Flood in the archive/ }).waitFor();
    const admin = await site.server.signIn();
    await waitFor(async () => (await admin.get(`/risks/R-${risk.ref}`)).json.title === 'Flood in the archive', 'the change to be there');

    // Whoever comes while it is away is served as soon as it is back.
    await page.goto(`${site.url}/risks`);
    await page.getByRole('link', { name: /Flood/ }).waitFor();
    await site.server.kill();
    await page.getByRole('link', { name: 'Assets' }).click();
    await page.getByRole('heading', { level: 1, name: 'Assets' }).waitFor();
    await page.getByText('The server does not answer. Trying again').first().waitFor();
    await site.server.start();
    await page.getByText('No assets', { exact: false }).or(page.getByRole('table')).first().waitFor();
});
