/** The import: nothing is written before it was looked at, and what is written is what was looked at. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');

const { temporaryFolder } = require('../http/lib');
const { assertAccessible, startSite, waitFor } = require('./lib');

const KEV = path.resolve(__dirname, '../data/kev.csv');
const HEAD = 'cveID,vendorProject,product,vulnerabilityName,dateAdded,shortDescription,requiredAction,dueDate,knownRansomwareCampaignUse,notes,cwes';

function kevRow(cve, { name = 'Some Vulnerability', added = '2025-08-25' } = {}) {
    return `${cve},Vendor,Product,${name},${added},What it is,Patch,2025-09-15,Unknown,,CWE-1`;
}

function file(name, text) {
    return { name, mimeType: 'application/octet-stream', buffer: Buffer.from(text) };
}

function kevFile(name, rows) {
    return file(name, `${[HEAD, ...rows].join('\n')}\n`);
}

function jsonFile(name, risks) {
    return file(name, JSON.stringify({ format: 'openrisk', version: 1, risks }));
}

async function choose(page, what) {
    await page.keyboard.press('Shift'); // who chooses has touched something: from here on things may move
    await page.locator('input[type=file]').setInputFiles(what);
}

function importButton(page) {
    return page.getByRole('button', { name: 'Import', exact: true });
}

/** What the counts say: {New: '3', …}. */
async function counts(page) {
    const found = await page.locator('.counts > div').evaluateAll((all) => all.map((one) => [one.querySelector('dt').textContent, one.querySelector('dd').textContent]));
    return Object.fromEntries(found);
}

test('a file is looked at and then imported', async (t) => {
    const site = await startSite(t, { env: { IMPORT_MAX_BYTES: '2MiB' } });
    const { client } = await site.person('admin');
    const total = async () => (await client.expect(200, 'GET', '/risks')).json.total;

    await t.test('the KEV catalogue, and once more', async () => {
        const page = await site.visit('analyst', '/risks/import');
        await choose(page, KEV);
        await page.getByRole('heading', { name: 'What would change' }).waitFor();
        assert.deepStrictEqual(await counts(page), { New: '1,404', Changed: '0', Unchanged: '0', 'Left out': '0' });
        assert.strictEqual(await page.getByLabel('Format').inputValue(), 'kev');
        assert.strictEqual(await total(), 0, 'nothing is written yet');
        await importButton(page).click();
        await page.getByRole('heading', { name: 'Imported' }).waitFor();
        assert.strictEqual(await total(), 1404);
        await page.getByRole('link', { name: 'Show them in the register' }).click();
        await page.getByText('of 1,404').waitFor();

        await page.goBack();
        await choose(page, KEV);
        await page.getByText('All of it is in the register already').waitFor();
        assert.deepStrictEqual(await counts(page), { New: '0', Changed: '0', Unchanged: '1,404', 'Left out': '0' });
        assert.ok(await importButton(page).isDisabled());
    });

    await t.test('a file with bad rows is refused with all reasons, or its good rows are taken', async () => {
        const before = await total();
        const page = await site.visit('analyst', '/risks/import');
        page.expects(422);
        await choose(page, kevFile('bad.csv', [kevRow('CVE-1999-10001'), kevRow('no number'), kevRow('CVE-1999-10002', { added: '2025-02-30' })]));
        await page.getByRole('heading', { name: 'The file is refused' }).waitFor();
        const rows = await page.getByRole('region', { name: '2 refusals' }).getByRole('row').allInnerTexts();
        assert.deepStrictEqual(rows.slice(1).map((text) => text.split('\t').slice(0, 2)), [['2', 'cveID'], ['3', 'dateAdded']]);
        assert.ok(await importButton(page).isDisabled());
        await page.getByLabel('Leave refused rows out').check();
        await page.getByRole('heading', { name: 'What would change' }).waitFor();
        assert.deepStrictEqual(await counts(page), { New: '1', Changed: '0', Unchanged: '0', 'Left out': '2' });
        assert.strictEqual(await total(), before);
        await importButton(page).click();
        await page.getByRole('heading', { name: 'Imported' }).waitFor();
        assert.strictEqual(await total(), before + 1);
    });

    await t.test('a file that is cut off is refused whatever is left out', async () => {
        const page = await site.visit('analyst', '/risks/import');
        page.expects(422);
        await choose(page, file('cut.csv', fs.readFileSync(KEV, 'utf8').slice(0, 100000)));
        await page.getByLabel('Leave refused rows out').check();
        await page.getByText('Its rows cannot be told apart').waitFor();
        await page.getByText(/is the file truncated/).waitFor();
        assert.ok(await importButton(page).isDisabled());
    });

    await t.test('of a thousand refusals and more, how many there are is told', async () => {
        const page = await site.visit('analyst', '/risks/import');
        page.expects(422);
        await choose(page, kevFile('worse.csv', Array.from({ length: 1200 }, (_, i) => kevRow(`bad ${i}`))));
        await page.getByRole('region', { name: '1,200 refusals; the first 1,000 are shown' }).waitFor();
        assert.strictEqual(await page.getByRole('region').getByRole('row').count(), 1001);
    });

    await t.test('what the format is, is seen in the file, not in its name; or one says it', async () => {
        const page = await site.visit('analyst', '/risks/import');
        page.expects(422);
        await choose(page, jsonFile('list.csv', [{ title: 'From a file', impact: 3, probability: 2 }]));
        await page.getByRole('heading', { name: 'What would change' }).waitFor();
        assert.strictEqual(await page.getByLabel('Format').inputValue(), 'json');
        await choose(page, file('what.json', 'something,else\n1,2\n'));
        await page.getByText('Not recognised').waitFor({ state: 'attached' });
        assert.ok(await importButton(page).isDisabled());
        await page.getByLabel('Format').selectOption('CISA KEV (CSV)');
        await page.getByRole('heading', { name: 'The file is refused' }).waitFor();
        await page.getByRole('cell', { name: 'vulnerabilityName', exact: true }).waitFor();
    });

    await t.test('deleted risks come back only if one says so', async () => {
        const risk = { title: 'Gone', impact: 3, probability: 2, source: 'list', external_id: 'g' };
        const { client: analyst } = await site.person('analyst');
        const { json: made } = await analyst.expect(201, 'POST', '/risks', risk);
        await analyst.expect(204, 'DELETE', `/risks/${made.id}`);
        const page = await site.visit('analyst', '/risks/import');
        await choose(page, jsonFile('list.json', [risk]));
        await page.getByRole('heading', { name: 'What would change' }).waitFor();
        assert.strictEqual((await counts(page))['Left out'], '1');
        await page.getByLabel('Bring deleted risks back').check();
        await waitFor(async () => (await counts(page))['Left out'] === '0', 'the other count');
        await importButton(page).click();
        await page.getByRole('heading', { name: 'Imported' }).waitFor();
        await analyst.expect(200, 'GET', `/risks/${made.id}`);
    });

    await t.test('a file that is too large is not taken, and how large one may be is said', async () => {
        const page = await site.visit('analyst', '/risks/import');
        page.expects(413);
        await choose(page, file('large.json', `{"x":"${'x'.repeat(9 * 1024 * 1024)}"}`));
        await page.getByRole('heading', { name: '9 MiB is more than this server takes' }).waitFor();
        await page.getByText('2097152 bytes').waitFor();
        assert.ok(await importButton(page).isDisabled());
    });

    await t.test('what is written is what was looked at, also if the file has changed since', async () => {
        const folder = temporaryFolder();
        t.after(() => fs.rmSync(folder, { recursive: true }));
        const name = path.join(folder, 'list.json');
        fs.writeFileSync(name, jsonFile('', [{ title: 'As looked at', impact: 3, probability: 2 }]).buffer);
        const page = await site.visit('analyst', '/risks/import');
        await choose(page, name);
        await page.getByRole('heading', { name: 'What would change' }).waitFor();
        fs.writeFileSync(name, jsonFile('', [{ title: 'Changed', impact: 3, probability: 2 }]).buffer);
        await importButton(page).click();
        await page.getByRole('heading', { name: 'Imported' }).waitFor();
        const { json } = await client.expect(200, 'GET', '/risks?q=as%20looked%20at');
        assert.strictEqual(json.total, 1);
    });

    await t.test('it can be stopped before it is written', async () => {
        const before = await total();
        const page = await site.visit('analyst', '/risks/import');
        page.expects('ERR_ABORTED');
        await page.route(/import\/risks/, () => {}); // as a network that takes its time
        await choose(page, jsonFile('list.json', [{ title: 'Never', impact: 3, probability: 2 }]));
        await page.getByRole('progressbar').waitFor();
        await page.getByRole('button', { name: 'Stop' }).click();
        await page.getByText('Stopped. Nothing was written.').waitFor();
        assert.strictEqual(await total(), before);
        await page.unroute(/import\/risks/);
        await page.getByRole('button', { name: 'Try again' }).click();
        await page.getByRole('heading', { name: 'What would change' }).waitFor();
    });

    await t.test('a session that ends in between is renewed, and the import goes on', async () => {
        const page = await site.visit('analyst', '/risks/import');
        page.expects(401);
        await choose(page, jsonFile('list.json', [{ title: 'After the break', impact: 3, probability: 2 }]));
        await page.getByRole('heading', { name: 'What would change' }).waitFor();
        await page.context().clearCookies();
        await importButton(page).click();
        const { email, password } = await site.person('analyst');
        const dialog = page.getByRole('dialog', { name: 'Sign in again' });
        await dialog.getByLabel('E-mail').fill(email);
        await dialog.getByLabel('Password').fill(password);
        await page.keyboard.press('Enter');
        await page.getByRole('heading', { name: 'Imported' }).waitFor();
        assert.strictEqual((await client.expect(200, 'GET', '/risks?q=after%20the%20break')).json.total, 1);
    });

    await t.test('a file is dropped on the page', async () => {
        const page = await site.visit('analyst', '/risks/import');
        const data = await page.evaluateHandle((text) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([text], 'dropped.json'));
            return transfer;
        }, jsonFile('', [{ title: 'Dropped', impact: 3, probability: 2 }]).buffer.toString());
        await page.dispatchEvent('main h1', 'dragover', { dataTransfer: data });
        await page.dispatchEvent('main h1', 'drop', { dataTransfer: data });
        await page.getByText('dropped.json, ').waitFor();
        await page.getByRole('heading', { name: 'What would change' }).waitFor();
        assert.strictEqual((await counts(page)).New, '1');
    });

    await t.test('all of it can be reached, by day, by night, on a telephone', async () => {
        for (const [theme, width] of [['light', 1280], ['dark', 360]]) {
            const page = await site.visit('analyst', '/risks/import', { theme, size: { width, height: 800 } });
            page.expects(422);
            await assertAccessible(page, `no file, ${theme}`);
            await choose(page, kevFile('bad.csv', Array.from({ length: 30 }, (_, i) => kevRow(`bad ${i}`))));
            await page.getByRole('region', { name: '30 refusals' }).waitFor();
            await assertAccessible(page, `refused, ${theme}`);
        }
        const page = await site.visit('viewer', '/risks/import');
        await page.getByText('Analysts and administrators import files.').waitFor();
        assert.strictEqual(await page.locator('input[type=file]').count(), 0);
    });
});
