/**
 * What people, files and sources have written stays text, wherever it is shown: HTML does not become elements,
 * "javascript:" does not become a link, what a spreadsheet would run is shown as it is.
 */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');

const { settled, startSite } = require('./lib');

const HTML = '<img src=x onerror="globalThis.owned=1"><b>bold</b><script>globalThis.owned=1</script>';
const LINK = 'javascript:globalThis.owned=1';
const FORMULA = '=HYPERLINK("http://evil.example","x")';
const NASTY = [HTML, LINK, FORMULA, '{{constructor.constructor("globalThis.owned=1")()}}', '\u202Egnp.exe', '"><svg onload=globalThis.owned=1>'];

test('what others wrote stays text', async (t) => {
    const site = await startSite(t);
    const { client: analyst } = await site.person('analyst');
    const { client: admin } = await site.person('admin');
    const { json: asset } = await analyst.expect(201, 'POST', '/assets', { name: HTML, type: LINK, owner: FORMULA });
    const { json: first } = await analyst.expect(201, 'POST', '/risks', {
        title: HTML, description: `${LINK}\n${NASTY.join('\n')}`, impact: 5, probability: 5, owner: LINK, category: HTML, tags: [HTML.slice(0, 60), FORMULA], frameworks: [LINK],
        source: HTML, external_id: LINK, asset_ids: [asset.id], custom_fields: { [LINK]: HTML, link: LINK },
    });
    for (const title of NASTY.slice(1)) {
        await analyst.expect(201, 'POST', '/risks', { title, impact: 3, probability: 3, owner: title.slice(0, 200) });
    }
    const { json: plan } = await analyst.expect(201, 'POST', `/risks/${first.id}/mitigations`, { title: HTML, description: LINK, assignee: HTML, due_date: '2020-01-01' });
    await analyst.expect(201, 'POST', `/mitigations/${plan.id}/subactions`, { title: HTML });
    await analyst.expect(200, 'PATCH', `/risks/${first.id}`, { description: HTML });
    await admin.expect(201, 'POST', '/users', { email: 'x@example.org', full_name: HTML, role: 'viewer', password: 'a password for tests only' });
    await admin.expect(201, 'POST', '/tokens', { name: HTML, scope: 'read', expires_at: new Date(Date.now() + 86400000).toISOString() });

    const page = await site.visit('admin');
    const asIs = page.getByText(HTML, { exact: false });
    for (const to of ['/', '/risks', `/risks/R-${first.ref}`, '/assets', `/assets/${asset.id}`, '/users', '/tokens', '/audit', '/operations', `/risks?${new URLSearchParams({ owner: LINK, category: HTML })}`, `/risks?${new URLSearchParams({ q: HTML })}`]) {
        await t.test(to.slice(0, 40), async () => {
            await page.goto(site.url + to);
            await page.getByRole('heading', { level: 1 }).waitFor();
            await settled(page);
            if (!/audit|operations|q=/.test(to)) {
                await asIs.first().waitFor();
            }
            const found = await page.evaluate(() => ({
                owned: globalThis.owned,
                elements: [...document.querySelectorAll('main img, main script, [onerror], [onload], main b')].filter((one) => one.matches(':not(b)') || one.textContent === 'bold').length,
                links: [...document.querySelectorAll('a[href]')].map((link) => link.getAttribute('href')).filter((href) => !href.startsWith('/') && !href.startsWith('#')),
            }));
            assert.deepStrictEqual(found, { owned: undefined, elements: 0, links: [] });
        });
    }

    await t.test('in the palette, in a notice, in the title of the window', async () => {
        await page.goto(`${site.url}/risks/R-${first.ref}`);
        await asIs.first().waitFor();
        assert.ok((await page.title()).includes('<img'));
        await page.keyboard.press('Control+k');
        await page.getByRole('combobox').fill('onerror');
        await page.getByRole('option').filter({ hasText: 'onerror' }).first().waitFor();
        assert.strictEqual(await page.evaluate(() => globalThis.owned), undefined);
    });
});
