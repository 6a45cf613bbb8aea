/** The register: searching, filtering, sorting, paging, and changing many risks at once. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');

const { assertAccessible, settled, startSite, waitFor } = require('./lib');

const THEFT = 'Theft of laptops';
const FIRE = 'Fire in the server room';
const FLOOD = 'Flood in the cellar';
const MADE = [
    { title: THEFT, impact: 4, probability: 5, status: 'ACTIVE', owner: 'Ann', category: 'Physical', tags: ['people'], review_date: '2026-01-02' },
    { title: FIRE, impact: 5, probability: 3, status: 'ACTIVE', owner: 'Ben', category: 'Physical', tags: ['building'], frameworks: ['ISO 27001'] },
    { title: FLOOD, impact: 3, probability: 4, status: 'DRAFT', owner: 'Ann', tags: [] },
    { title: 'Phishing', impact: 2, probability: 2, status: 'CLOSED', tags: ['people'] },
];

function titles(page) {
    return page.locator('main [data-row]').allTextContents();
}

/** Wait until the rows are these, in this order. */
async function rowsAre(page, wanted) {
    let seen = [];
    await waitFor(async () => {
        seen = await titles(page);
        return JSON.stringify(seen) === JSON.stringify(wanted);
    }, `${JSON.stringify(wanted)}, not as at last`).catch((error) => {
        error.message += ` ${JSON.stringify(seen)}`;
        throw error;
    });
}

function queryOf(page) {
    return Object.fromEntries(new URL(page.url()).searchParams);
}

function row(page, title) {
    return page.getByRole('row').filter({ has: page.getByRole('link', { name: title }) });
}

function box(page, title) {
    return row(page, title).getByRole('checkbox');
}

function bar(page) {
    return page.getByRole('region', { name: 'The selected risks' });
}

function notice(page, text) {
    return page.locator('.toast').filter({ hasText: text });
}

async function make(client, risks) {
    const made = [];
    for (const risk of risks) {
        made.push((await client.expect(201, 'POST', '/risks', risk)).json);
    }
    return made;
}

/** Many risks in one request. */
async function makeMany(client, count, of) {
    const risks = Array.from({ length: count }, (_, i) => of(i));
    await client.expect(200, 'POST', '/import/risks?format=json', { format: 'openrisk', version: 1, risks });
}

async function choose(page, filter, value) {
    await page.getByRole('button', { name: 'Add filter' }).click();
    await page.getByRole('listbox').getByRole('option', { name: filter, exact: true }).click();
    await page.getByRole('listbox').getByRole('option', { name: value, exact: true }).click();
}

test('what the register shows', async (t) => {
    const site = await startSite(t);
    const { client: analyst } = await site.person('analyst');
    const { json: asset } = await analyst.expect(201, 'POST', '/assets', { name: 'Data centre', criticality: 'MEDIUM' });
    await make(analyst, MADE.map((risk) => ({ ...risk, asset_ids: risk.title === FIRE ? [asset.id] : [] })));
    const all = [THEFT, FIRE, FLOOD, 'Phishing'];

    await t.test('the rows follow the words as one types, and stay until there are others', async () => {
        const page = await site.visit('viewer', '/risks');
        await rowsAre(page, all);
        const held = [];
        await page.route(/q=fire/, (route) => held.push(route));
        await page.keyboard.press('/');
        await page.keyboard.type('fire');
        await waitFor(() => held.length === 1, `the search ${held.length}`);
        assert.deepStrictEqual(await titles(page), all);
        await page.getByRole('searchbox').fill('flood');
        await rowsAre(page, [FLOOD]);
        const late = page.waitForResponse(/q=fire/);
        await held[0].continue();
        await (await late).finished();
        assert.deepStrictEqual(await titles(page), [FLOOD], 'an answer to words of before is not shown');
        assert.deepStrictEqual(queryOf(page), { q: 'flood' });
        await page.getByRole('searchbox').fill('no such words');
        await page.getByText('No risk is like this').waitFor();
        await page.getByRole('button', { name: 'Clear the search and all filters' }).click();
        await rowsAre(page, all);
        assert.strictEqual(await page.getByRole('searchbox').inputValue(), '');
    });

    await t.test('another page’s "/" leads into the search', async () => {
        const page = await site.visit('viewer', '/profile');
        await page.keyboard.press('/');
        await page.getByRole('heading', { name: 'Register' }).waitFor();
        await page.locator('input[type=search]:focus').waitFor();
        assert.deepStrictEqual(queryOf(page), {});
        await page.keyboard.type('theft');
        await rowsAre(page, [THEFT]);
    });

    await t.test('a filter is chosen by the keyboard alone, Back takes it away, a link brings it', async () => {
        const page = await site.visit('viewer', '/risks');
        await rowsAre(page, all);
        await page.getByRole('button', { name: 'Add filter' }).focus();
        await page.keyboard.press('Enter');
        await page.getByRole('combobox', { name: 'Add filter' }).and(page.locator(':focus')).waitFor();
        await page.keyboard.press('Enter');
        await page.getByRole('combobox', { name: 'Status' }).and(page.locator(':focus')).waitFor();
        await page.keyboard.press('ArrowDown');
        await page.keyboard.press('Enter');
        await rowsAre(page, [THEFT, FIRE]);
        await page.getByRole('button', { name: 'Add filter' }).and(page.locator(':focus')).waitFor();
        await page.keyboard.press('Enter');
        await page.keyboard.press('o');
        await page.keyboard.press('Enter');
        await page.getByRole('listbox').getByRole('option', { name: 'Ben' }).waitFor();
        await page.getByRole('combobox', { name: 'Owner' }).fill('be');
        await page.getByRole('listbox').getByRole('option', { name: 'Ann' }).waitFor({ state: 'detached' });
        await page.keyboard.press('Enter');
        await rowsAre(page, [FIRE]);
        assert.deepStrictEqual(queryOf(page), { status: 'ACTIVE', owner: 'Ben' });

        const other = await site.visit('admin', new URL(page.url()).pathname + new URL(page.url()).search);
        await rowsAre(other, [FIRE]);
        await other.getByRole('button', { name: 'Remove Owner: Ben' }).click();
        await rowsAre(other, [THEFT, FIRE]);
        await other.getByRole('button', { name: 'Clear all' }).click();
        await rowsAre(other, all);

        await page.goBack();
        await rowsAre(page, [THEFT, FIRE]);
        await page.goBack();
        await rowsAre(page, all);
        await page.goForward();
        await rowsAre(page, [THEFT, FIRE]);
        await page.getByRole('button', { name: 'Add filter' }).click();
        await page.getByRole('combobox', { name: 'Add filter' }).and(page.locator(':focus')).waitFor();
        await page.keyboard.press('Escape');
        await page.getByRole('listbox').waitFor({ state: 'detached' });
    });

    await t.test('each filter finds what has the value', async () => {
        const page = await site.visit('viewer', '/risks');
        for (const [filter, value, found] of [['Level', 'Critical', [THEFT]], ['Status', 'Closed', ['Phishing']]]) {
            await choose(page, filter, value);
            await rowsAre(page, found);
            await page.getByRole('button', { name: 'Clear all' }).click();
        }
        for (const [filter, value, found] of [['Category', 'Physical', [THEFT, FIRE]], ['Tag', 'people', [THEFT, 'Phishing']], ['Framework', 'ISO 27001', [FIRE]], ['Asset', 'Data centre', [FIRE]]]) {
            await page.getByRole('button', { name: 'Add filter' }).click();
            await page.getByRole('listbox').getByRole('option', { name: filter, exact: true }).click();
            await page.getByRole('listbox').getByRole('option', { name: value }).click();
            await rowsAre(page, found);
            await page.getByText(`${filter}: ${value}`).waitFor();
            await page.getByRole('button', { name: 'Clear all' }).click();
        }
        for (const [filter, value, found] of [['Lowest score', '15', [THEFT, FIRE]], ['Highest score', '12,5', [FLOOD, 'Phishing']], ['Review before', '2026-01-03', [THEFT]]]) {
            await page.getByRole('button', { name: 'Add filter' }).click();
            await page.getByRole('listbox').getByRole('option', { name: filter, exact: true }).click();
            await page.getByLabel(filter, { exact: true }).fill(value);
            await page.keyboard.press('Enter');
            await rowsAre(page, found);
            await page.getByRole('button', { name: 'Clear all' }).click();
        }
        await rowsAre(page, all);
    });

    await t.test('an asset that a link names is shown by its name', async () => {
        const page = await site.visit('viewer', `/risks?asset_id=${asset.id}&min_score=3`);
        await page.getByText('Asset: Data centre').waitFor();
        await rowsAre(page, [FIRE]);
    });

    await t.test('a link with a filter that means nothing says so, and how to get out', async () => {
        const page = await site.visit('viewer', '/assets');
        page.expects(400);
        await page.goto(`${site.url}/risks?level=ENORMOUS`);
        await page.getByRole('alert').getByText(/level/).waitFor();
        await page.getByRole('button', { name: 'Clear the search and all filters' }).click();
        await rowsAre(page, all);
    });

    await t.test('every column sorts, one way and the other', async () => {
        const page = await site.visit('viewer', '/risks', { size: { width: 1920, height: 900 } });
        await rowsAre(page, all);
        const head = (name) => page.getByRole('columnheader', { name });
        assert.strictEqual(await head('Level').getAttribute('aria-sort'), 'descending');
        const names = await page.getByRole('columnheader').getByRole('button').allTextContents();
        assert.strictEqual(names.length, 10);
        for (const name of names.map((text) => text.replace(/[▲▼]/, ''))) {
            await head(name).getByRole('button').click();
            const first = await head(name).getAttribute('aria-sort');
            await waitFor(async () => await page.getByRole('table').getAttribute('aria-busy') === 'false', name);
            const one = await titles(page);
            assert.strictEqual(one.length, 4, name);
            await head(name).getByRole('button').click();
            assert.notStrictEqual(await head(name).getAttribute('aria-sort'), first);
            await waitFor(async () => await page.getByRole('table').getAttribute('aria-busy') === 'false', name);
            assert.notDeepStrictEqual(await titles(page), one, `${name} turned`);
        }
        await head('Title').getByRole('button').click();
        await rowsAre(page, [...all].sort());
        await page.goBack();
        await head('Updated').and(page.locator('[aria-sort]')).waitFor();
    });

    await t.test('what a viewer may not do is not offered', async () => {
        const page = await site.visit('viewer', '/risks');
        await rowsAre(page, all);
        assert.strictEqual(await page.getByRole('checkbox').count(), 0);
        assert.strictEqual(await page.getByRole('link', { name: 'Import' }).count(), 0);
        await page.keyboard.press('j');
        await page.keyboard.press('x');
        assert.strictEqual(await bar(page).count(), 0);
    });

    await t.test('what is shown can be taken away as a file', async () => {
        const page = await site.visit('viewer', '/risks?tag=people', { downloads: true });
        await rowsAre(page, [THEFT, 'Phishing']);
        const download = page.waitForEvent('download');
        await page.getByRole('link', { name: 'Export this view' }).click();
        const { risks } = JSON.parse(fs.readFileSync(await (await download).path(), 'utf8'));
        assert.deepStrictEqual(risks.map(({ title }) => title), [THEFT, 'Phishing']);
    });

    await t.test('all of it can be reached, by day, by night, on a telephone', async () => {
        for (const [theme, width] of [['light', 1280], ['dark', 360]]) {
            const page = await site.visit('analyst', '/risks?status=ACTIVE', { theme, size: { width, height: 800 } });
            await rowsAre(page, [THEFT, FIRE]);
            await page.keyboard.press('j');
            await page.keyboard.press('x');
            await bar(page).waitFor();
            await assertAccessible(page, `selected, ${theme}`);
            await page.getByRole('button', { name: 'Add filter' }).click();
            await assertAccessible(page, `menu, ${theme}`);
            await page.getByRole('listbox').getByRole('option', { name: 'Owner' }).click();
            await page.getByRole('listbox').getByRole('option').first().waitFor();
            await assertAccessible(page, `finder, ${theme}`);
            await page.keyboard.press('Escape');
            await bar(page).getByRole('button', { name: 'Tags' }).click();
            await assertAccessible(page, `tags, ${theme}`);
            assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
        }
    });
});

test('a register without risks says what to do', async (t) => {
    const site = await startSite(t);
    const page = await site.visit('analyst', '/risks');
    await page.getByText('The register is empty').waitFor();
    await assertAccessible(page, 'empty');
    await page.getByRole('button', { name: 'New risk' }).last().click();
    await page.getByRole('dialog', { name: 'New risk' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('link', { name: 'Import a file' }).click();
    await page.getByRole('heading', { name: 'Import' }).waitFor();
    const seen = await site.visit('viewer', '/risks');
    await seen.getByText('Analysts and administrators add risks.').waitFor();
});

test('many rows', async (t) => {
    const site = await startSite(t);
    const { client } = await site.person('admin');
    await makeMany(client, 260, (i) => ({ title: `Risk ${String(i).padStart(3, '0')}`, impact: 3, probability: 3 }));

    await t.test('page by page, as many on each as one likes', async () => {
        const page = await site.visit('viewer', '/risks?sort_by=title');
        await page.getByText('1–50 of 260').waitFor();
        await page.getByRole('button', { name: 'Next page' }).click();
        await page.getByText('51–100 of 260').waitFor();
        await page.getByRole('link', { name: 'Risk 050' }).waitFor();
        await page.goBack();
        await page.getByRole('link', { name: 'Risk 000' }).waitFor();
        await page.getByRole('combobox', { name: 'Rows' }).selectOption('200');
        await page.getByRole('link', { name: 'Risk 199' }).waitFor();
        await page.goto(`${site.url}/risks?sort_by=title`);
        await page.getByRole('link', { name: 'Risk 199' }).waitFor();
        await page.goto(`${site.url}/risks?sort_by=title&page=9&limit=50`);
        await page.getByText('251–260 of 260').waitFor();
    });

    await t.test('a selection: with the key, a range, over pages, up to 200', async () => {
        const page = await site.visit('analyst', '/risks?sort_by=title&limit=100');
        await page.getByRole('link', { name: 'Risk 000' }).waitFor();
        await page.keyboard.press('j');
        await page.keyboard.press('x');
        await bar(page).getByText('1 selected').waitFor();
        await box(page, 'Risk 004').click({ modifiers: ['Shift'] });
        await bar(page).getByText('5 selected').waitFor();
        await page.keyboard.press('x');
        await bar(page).getByText('4 selected').waitFor();
        assert.strictEqual(await box(page, 'Risk 004').isChecked(), false);
        await page.getByRole('button', { name: 'Next page' }).click();
        await bar(page).getByText('4 selected').waitFor();
        await bar(page).getByText('4 not on this page').waitFor();
        await page.getByRole('checkbox', { name: 'Select all on this page' }).click();
        await bar(page).getByText('104 selected').waitFor();
        await page.getByRole('button', { name: 'Previous page' }).click();
        await page.getByRole('link', { name: 'Risk 000' }).waitFor();
        assert.ok(await box(page, 'Risk 003').isChecked());
        await page.getByRole('checkbox', { name: 'Select all on this page' }).click();
        await bar(page).getByText('200 selected').waitFor();
        await page.getByRole('button', { name: 'Last page' }).click();
        await page.getByRole('link', { name: 'Risk 250' }).waitFor();
        await box(page, 'Risk 250').click();
        await notice(page, 'At most 200 at once').waitFor();
        assert.strictEqual(await box(page, 'Risk 250').isChecked(), false);
        await bar(page).getByRole('button', { name: 'Select none' }).click();
        await bar(page).waitFor({ state: 'detached' });
    });
});

test('many risks are changed at once', async (t) => {
    const site = await startSite(t);
    const { client: admin } = await site.person('admin');
    const { client: analyst } = await site.person('analyst');
    const [theft, fire, flood, phishing] = [...await make(analyst, MADE.slice(0, 3)), ...await make(admin, MADE.slice(3))];
    const now = async (risk) => (await admin.expect(200, 'GET', `/risks/${risk.id}`)).json;
    const open = async (role, some) => {
        const page = await site.visit(role, '/risks');
        for (const { title } of some) {
            await box(page, title).click();
        }
        await bar(page).getByText(`${some.length} selected`).waitFor();
        return page;
    };

    await t.test('to one status, and back', async () => {
        const page = await open('analyst', [theft, flood]);
        await bar(page).getByRole('button', { name: 'Status' }).click();
        await page.getByRole('dialog', { name: 'Status of 2 risks' }).getByLabel('Status').selectOption('Accepted');
        await page.keyboard.press('Control+Enter');
        await notice(page, '2 risks changed').waitFor();
        await row(page, THEFT).getByText('Accepted', { exact: true }).waitFor();
        assert.deepStrictEqual([(await now(theft)).status, (await now(flood)).status], ['ACCEPTED', 'ACCEPTED']);
        await notice(page, '2 risks changed').getByRole('button', { name: 'Undo' }).click();
        await notice(page, 'Undone').waitFor();
        assert.deepStrictEqual([(await now(theft)).status, (await now(flood)).status], ['ACTIVE', 'DRAFT']);
        await row(page, FLOOD).getByText('Draft', { exact: true }).waitFor();
        await bar(page).getByRole('button', { name: 'Owner' }).click();
        await page.getByRole('dialog').getByLabel('Owner').fill('Cleo');
        await page.keyboard.press('Enter');
        await row(page, FLOOD).getByText('Cleo', { exact: true }).waitFor();
    });

    await t.test('tags are added and taken away, the others stay', async () => {
        const page = await open('analyst', [theft, fire]);
        await bar(page).getByRole('button', { name: 'Tags' }).click();
        const dialog = page.getByRole('dialog', { name: 'Tags of 2 risks' });
        await dialog.getByLabel('Add tags').fill('urgent, 2026');
        await dialog.getByRole('checkbox', { name: /people/ }).check();
        await page.keyboard.press('Control+Enter');
        await notice(page, '2 risks changed').waitFor();
        assert.deepStrictEqual([(await now(theft)).tags.sort(), (await now(fire)).tags.sort()], [['2026', 'urgent'], ['2026', 'building', 'urgent']]);
        await notice(page, '2 risks changed').getByRole('button', { name: 'Undo' }).click();
        await notice(page, 'Undone').waitFor();
        assert.deepStrictEqual([(await now(theft)).tags, (await now(fire)).tags], [['people'], ['building']]);
    });

    await t.test('an undo does not go over what somebody else has written since', async () => {
        const page = await open('analyst', [theft, fire]);
        page.expects(412);
        await bar(page).getByRole('button', { name: 'Category' }).click();
        await page.getByRole('dialog').getByLabel('Category').fill('Building');
        await page.keyboard.press('Enter');
        await notice(page, '2 risks changed').waitFor();
        await admin.expect(200, 'PATCH', `/risks/${fire.id}`, { category: 'Theirs' });
        await notice(page, '2 risks changed').getByRole('button', { name: 'Undo' }).click();
        await notice(page, 'Nothing was written').waitFor();
        assert.deepStrictEqual([(await now(theft)).category, (await now(fire)).category], ['Building', 'Theirs']);
    });

    await t.test('nor does a change: it names the risk, and can be sent again', async () => {
        const page = await open('analyst', [theft, fire]);
        page.expects(412);
        await admin.expect(200, 'PATCH', `/risks/${fire.id}`, { status: 'CLOSED' });
        const edit = async () => {
            await bar(page).getByRole('button', { name: 'Status' }).click();
            await page.getByRole('dialog').getByLabel('Status').selectOption('Mitigated');
            await page.keyboard.press('Control+Enter');
        };
        await edit();
        await notice(page, `Somebody else has changed R-${fire.ref} meanwhile`).waitFor();
        assert.strictEqual((await now(theft)).status, 'ACTIVE', 'all or nothing');
        await row(page, FIRE).getByText('Closed', { exact: true }).waitFor();
        await edit();
        await notice(page, '2 risks changed').waitFor();
        assert.strictEqual((await now(fire)).status, 'MITIGATED');
    });

    await t.test('deleted, and brought back', async () => {
        const page = await open('analyst', [theft, flood]);
        await bar(page).getByRole('button', { name: 'Delete' }).click();
        await page.getByRole('dialog', { name: 'Delete 2 risks' }).waitFor();
        await page.keyboard.press('Escape');
        await rowsAre(page, [THEFT, FIRE, FLOOD, 'Phishing']);
        await bar(page).getByRole('button', { name: 'Delete' }).click();
        await page.getByRole('button', { name: 'Delete 2 risks' }).click();
        await rowsAre(page, [FIRE, 'Phishing']);
        await notice(page, '2 risks deleted').getByRole('button', { name: 'Undo' }).click();
        await rowsAre(page, [THEFT, FIRE, FLOOD, 'Phishing']);
        assert.strictEqual((await now(theft)).title, THEFT);
    });

    await t.test('others’ risks stay when an analyst deletes, and that is said before', async () => {
        const page = await open('analyst', [flood, phishing]);
        await bar(page).getByRole('button', { name: 'Delete' }).click();
        await page.getByText('1 created by somebody else stays').waitFor();
        await page.getByRole('button', { name: 'Delete 1 risk' }).click();
        await rowsAre(page, [THEFT, FIRE, 'Phishing']);
        await settled(page);
        await now(phishing);
        await bar(page).getByText('1 selected').waitFor();
    });
});
