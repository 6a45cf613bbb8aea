/** The dashboard: what it says of the register, and where each figure, cell and row leads. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');

const { makeMitigation, makeRisk } = require('../http/register');
const { demo } = require('../tools/demo');
const { assertAccessible, settled, startSite, waitFor } = require('./lib');

const HOSTILE = '<img src=x onerror=alert(1)> javascript:alert(2)';
const SETTLE_MS = 16000; // more than the dashboard's own EVERY_MS

const regionOf = (page, name) => page.getByRole('region', { name, exact: true });
const numberIn = (text) => Number(/[\d,]+/.exec(text)[0].replaceAll(',', ''));
const queryOf = (page) => new URL(page.url()).search;

/** The chart is there and has been drawn. */
async function drawn(page) {
    await page.locator('.uplot canvas').nth(1).waitFor();
    await settled(page);
}

/** How many risks the register has behind this link. */
async function countBehind(client, link) {
    const address = new URL(await link.getAttribute('href'), 'http://any');
    assert.strictEqual(address.pathname, '/risks');
    return (await client.expect(200, 'GET', `/risks${address.search || '?'}${address.search ? '&' : ''}limit=1`)).json.total;
}

async function emptyTests(t, site) {
    await t.test('an empty register tells what to do first, to those who may do it', async () => {
        for (const theme of ['light', 'dark']) {
            const page = await site.visit('analyst', '/', { theme });
            await page.getByText('The register is empty').waitFor();
            await assertAccessible(page, `empty, ${theme}`);
            assert.strictEqual(await page.getByRole('link', { name: 'Import a file' }).getAttribute('href'), '/risks/import');
            await page.getByRole('button', { name: 'New risk' }).click();
            await page.getByRole('dialog', { name: 'New risk' }).waitFor();
        }
        const page = await site.visit('viewer');
        await page.getByText('The register is empty').waitFor();
        await page.mayMove();
        assert.strictEqual(await page.locator('main').getByRole('button').count(), 0);
        assert.strictEqual(await page.locator('main').getByRole('link').count(), 0);
    });

    await t.test('the first risk shows by itself, on its first day', async () => {
        const first = await site.visit('viewer');
        await first.context().clock.install();
        const page = await site.visit('viewer', '/', { beside: first });
        await page.getByText('The register is empty').waitFor();
        await page.mayMove();
        await first.mayMove();
        const { client } = await site.person('analyst');
        await makeRisk(client, { title: 'The first one', impact: 5, probability: 4 });
        await page.clock.fastForward(SETTLE_MS);
        await drawn(page);
        await page.getByText('The history begins today').waitFor();
        assert.match(await page.locator('.read-out').innerText(), /Score\s+20[^]*Critical\s*1/);
        const rows = await site.visit('viewer', '/?trend=table&days=365');
        await rows.getByRole('cell', { name: '20', exact: true }).waitFor();
        assert.strictEqual(await regionOf(rows, 'Trend').getByRole('row').count(), 2);
    });
}

async function figureTests(t, site) {
    const { client } = await site.person('admin');

    await t.test('each key figure leads to as many risks as it says', async () => {
        const page = await site.visit('viewer');
        await drawn(page);
        const cards = await regionOf(page, 'Key figures').getByRole('listitem').all();
        const seen = [];
        for (const card of cards) {
            const link = card.getByRole('link');
            if (await link.count() === 0 || await link.getAttribute('href') === '#overdue') {
                continue;
            }
            seen.push(await link.innerText());
            assert.strictEqual(await countBehind(client, link), numberIn(await card.innerText()), seen.at(-1));
        }
        assert.deepStrictEqual(seen.map((text) => text.replace(/\s+/g, ' ').replace(/[^A-Za-z ]/g, '').trim()), ['Risks', 'High and critical', 'Mitigated', 'Critical', 'High', 'Medium', 'Low']);
        await page.getByRole('link', { name: 'High and critical' }).click();
        await page.getByRole('heading', { name: 'Register', level: 1 }).waitFor();
        assert.strictEqual(queryOf(page), '?min_score=15&open=true');
    });

    await t.test('the global score says what it means', async () => {
        const page = await site.visit('viewer');
        await drawn(page);
        const { json } = await client.get('/stats');
        const card = regionOf(page, 'Key figures').getByRole('listitem').filter({ hasText: 'Global score' });
        assert.match(await card.innerText(), new RegExp(`${json.global_risk_score} / 100[^]*Mean:[^]*Medium`));
    });

    await t.test('the overdue ones are listed, with their risks', async () => {
        const page = await site.visit('viewer');
        await drawn(page);
        const { json } = await client.get('/mitigations?overdue=true');
        await page.getByRole('link', { name: 'Overdue', exact: true }).click();
        assert.strictEqual(await page.evaluate(() => document.activeElement.id), 'overdue');
        const rows = regionOf(page, 'Overdue mitigations').getByRole('listitem');
        assert.strictEqual(await rows.count(), json.total);
        for (const [i, { title, risk }] of json.items.entries()) {
            assert.strictEqual(await rows.nth(i).getByRole('link', { name: title }).getAttribute('href'), `/risks/R-${risk.ref}`);
            assert.match(await rows.nth(i).innerText(), /Overdue:/);
        }
    });

    await t.test('the top risks come in their order; J and Enter lead to them', async () => {
        const page = await site.visit('viewer');
        await drawn(page);
        const { json } = await client.get('/stats/top-risks?limit=8');
        const links = await regionOf(page, 'Top risks').getByRole('listitem').getByRole('link').allInnerTexts();
        assert.deepStrictEqual(links, json.map(({ ref, title }) => `R-${ref} ${title}`));
        await page.keyboard.press('j');
        await page.keyboard.press('j');
        await page.keyboard.press('Enter');
        await page.waitForURL(`**/risks/R-${json[1].ref}`);
    });
}

async function matrixTests(t, site) {
    const { client } = await site.person('admin');

    await t.test('the matrix is a table whose cells count what is behind them', async () => {
        const page = await site.visit('viewer');
        await drawn(page);
        const table = page.getByRole('table', { name: 'Risk matrix' });
        assert.deepStrictEqual((await table.getByRole('rowheader').allInnerTexts()).map((text) => text.replace(/\s+/g, ' ')), ['Impact 5 Very high', 'Impact 4 High', 'Impact 3 Medium', 'Impact 2 Low', 'Impact 1 Very low']);
        assert.strictEqual(await table.getByRole('columnheader', { name: /^Probability \d/ }).count(), 5);
        const { json } = await client.get('/stats/risk-matrix');
        let total = 0;
        for (let impact = 5; impact >= 1; impact--) {
            for (let probability = 1; probability <= 5; probability++) {
                const count = json.find((cell) => cell.impact === impact && cell.probability === probability)?.count ?? 0;
                const told = count === 1 ? '1 risk' : `${count} risks`;
                const link = table.getByRole('link', { name: `Impact ${impact}, probability ${probability}: ${told}`, exact: true });
                assert.strictEqual(await countBehind(client, link), count);
                total += count;
            }
        }
        assert.ok(total > 15);
        await table.getByRole('link', { name: /^Impact 5, probability 4/ }).click();
        await page.getByRole('heading', { name: 'Register', level: 1 }).waitFor();
        assert.strictEqual(queryOf(page), '?impact=5&probability=4&open=true');
    });

    await t.test('it is one stop of Tab, and the arrow keys go from cell to cell', async () => {
        const page = await site.visit('viewer');
        await drawn(page);
        const focused = () => page.evaluate(() => document.activeElement.innerText);
        await regionOf(page, 'Key figures').getByRole('link').last().focus();
        await page.keyboard.press('Tab');
        assert.match(await focused(), /Impact 5, probability 1:/);
        for (const [key, expected] of [['ArrowDown', '4, probability 1'], ['ArrowRight', '4, probability 2'], ['End', '4, probability 5'], ['ArrowRight', '4, probability 5'],
            ['ArrowUp', '5, probability 5'], ['ArrowUp', '5, probability 5'], ['Home', '5, probability 1'], ['ArrowLeft', '5, probability 1']]) {
            await page.keyboard.press(key);
            assert.match(await focused(), new RegExp(`Impact ${expected}:`), key);
        }
        await page.keyboard.press('End');
        await page.keyboard.press('Tab');
        assert.strictEqual(await focused(), '7 days');
        await page.keyboard.press('Shift+Tab');
        assert.match(await focused(), /Impact 5, probability 5:/);
        await page.keyboard.press('Enter');
        await page.getByRole('heading', { name: 'Register', level: 1 }).waitFor();
        assert.strictEqual(queryOf(page), '?impact=5&probability=5&open=true');
    });
}

/** What the read-out says, as figures: {date, score, critical, high, medium, low}. */
async function readOut(page) {
    const text = (await page.locator('.read-out').innerText()).replace(/\s+/g, ' ');
    const [, date, ...figures] = /^(.+?) Score (\d+) .*?Critical (\d+) .*?High (\d+) .*?Medium (\d+) .*?Low (\d+)$/.exec(text);
    const [score, critical, high, medium, low] = figures.map(Number);
    return { date, score, critical, high, medium, low };
}

/** The same of a day of the API. */
function toldOf({ date, score, critical, high, medium, low }) {
    const shown = new Date(`${date}T00:00:00Z`).toLocaleDateString('en-GB', { timeZone: 'UTC', dateStyle: 'medium' });
    return { date: shown, score, critical, high, medium, low };
}

/** The colours that are in a chart's picture. */
async function coloursOf(page) {
    return page.locator('.uplot canvas').nth(1).evaluate((canvas) => {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        const found = new Set();
        for (let at = 0; at < data.length; at += 4) {
            if (data[at + 3] === 255) {
                found.add(`${data[at]},${data[at + 1]},${data[at + 2]}`);
            }
        }
        return [...found];
    });
}

async function trendTests(t, site) {
    const { client } = await site.person('admin');
    const days = async (count) => (await client.get(`/stats/trends?days=${count}`)).json;

    await t.test('the days shown are in the address, and Back goes back to those before', async () => {
        const page = await site.visit('viewer');
        await drawn(page);
        const nav = page.getByRole('navigation', { name: 'Days shown' });
        assert.strictEqual(await nav.locator('[aria-current]').innerText(), '30 days');
        await nav.getByRole('link', { name: '90 days' }).click();
        await page.waitForURL('**/?days=90');
        const slider = page.getByRole('slider');
        await waitFor(async () => await slider.getAttribute('aria-valuemax') === '89', '90 days');
        await page.goBack();
        await waitFor(async () => await slider.getAttribute('aria-valuemax') === '29', '30 days again');
        const other = await site.visit('viewer', '/?days=7');
        await drawn(other);
        assert.strictEqual(await other.getByRole('slider').getAttribute('aria-valuemax'), '6');
        const nonsense = await site.visit('viewer', '/?days=8');
        await drawn(nonsense);
        assert.strictEqual(await nonsense.getByRole('slider').getAttribute('aria-valuemax'), '29');
    });

    await t.test('the keys move through the days, which are read out', async () => {
        const all = await days(90);
        const page = await site.visit('viewer', '/?days=90');
        await drawn(page);
        assert.deepStrictEqual(await readOut(page), toldOf(all.at(-1)));
        assert.strictEqual(await page.locator('.read-out').getAttribute('aria-live'), 'polite');
        const slider = page.getByRole('slider', { name: 'Trend: choose a day' });
        await slider.focus();
        for (const [key, index] of [['ArrowLeft', 88], ['ArrowLeft', 87], ['ArrowRight', 88], ['Home', 0], ['ArrowLeft', 0], ['ArrowRight', 1], ['End', 89]]) {
            await page.keyboard.press(key);
            assert.deepStrictEqual(await readOut(page), toldOf(all[index]), key);
            assert.strictEqual(await slider.getAttribute('aria-valuetext'), toldOf(all[index]).date);
        }
        await page.keyboard.press('Home');
        await slider.evaluate((element) => element.blur());
        assert.deepStrictEqual(await readOut(page), toldOf(all.at(-1)));
    });

    await t.test('the pointer does the same', async () => {
        const all = await days(30);
        const page = await site.visit('viewer');
        await drawn(page);
        const plot = await page.locator('.u-over').nth(1).boundingBox();
        for (const index of [0, 11, 29]) {
            await page.mouse.move(plot.x + (plot.width - 1) * (index / 29), plot.y + 20);
            await waitFor(async () => (await readOut(page)).date === toldOf(all[index]).date, `the day ${index}`);
            assert.deepStrictEqual(await readOut(page), toldOf(all[index]));
        }
        await page.mouse.move(plot.x + plot.width / 2, plot.y + 20);
        await page.mouse.move(5, 5);
        await waitFor(async () => (await readOut(page)).date === toldOf(all.at(-1)).date, 'today');
    });

    await t.test('it is drawn in the colours of the day or the night, and as wide as there is room', async () => {
        const page = await site.visit('viewer');
        await page.mayMove(); // the window will have another size
        await drawn(page);
        const soft = () => page.locator('.read-out .level').evaluateAll((levels) => levels.map((level) => getComputedStyle(level).backgroundColor.replace(/[^\d,]/g, '')));
        const shows = async () => {
            const colours = await coloursOf(page);
            return (await soft()).every((one) => colours.includes(one));
        };
        await waitFor(shows, 'the colours of the day');
        const byDay = await soft();
        await page.emulateMedia({ colorScheme: 'dark' });
        await waitFor(async () => (await soft())[0] !== byDay[0] && shows(), 'the colours of the night');
        const width = () => page.locator('.uplot').nth(1).evaluate((plot) => plot.getBoundingClientRect().width);
        const before = await width();
        await page.setViewportSize({ width: 900, height: 800 });
        await waitFor(async () => await width() !== before, 'another width');
        const room = await page.locator('.canvases').evaluate((box) => box.clientWidth);
        await waitFor(async () => await width() === room, 'the width of its room');
    });

    await t.test('as a table it says the same, newest first', async () => {
        const all = await days(7);
        const page = await site.visit('viewer', '/?days=7');
        await drawn(page);
        await page.getByRole('button', { name: 'As a table' }).click();
        await page.waitForURL('**/?days=7&trend=table');
        await regionOf(page, 'Trend').getByRole('table').waitFor();
        const rows = await regionOf(page, 'Trend').getByRole('row').evaluateAll((trs) => trs.slice(1).map((tr) => [...tr.cells].map((cell) => cell.innerText)));
        assert.deepStrictEqual(rows, all.reverse().map((one) => [toldOf(one).date, one.score, one.critical, one.high, one.medium, one.low, one.total].map(String)));
        for (const theme of ['light', 'dark']) {
            await page.emulateMedia({ colorScheme: theme });
            await assertAccessible(page, `the table, ${theme}`);
        }
    });

    await t.test('without the chart\'s part there is the table', async () => {
        const page = await site.visit('viewer', '/profile');
        page.expects('away');
        await page.route('**/ui/dashboard-plot*', (route) => route.abort());
        await page.getByRole('link', { name: 'Dashboard' }).click();
        await page.getByText('The chart could not be loaded').waitFor();
        assert.strictEqual(await regionOf(page, 'Trend').getByRole('row').count(), 31);
    });
}

async function activityTests(t, site) {
    const { client: admin, email } = await site.person('admin');

    await t.test('what was done is told in sentences, one for each write', async () => {
        const risk = await makeRisk(admin, { title: HOSTILE, impact: 2, probability: 2 });
        const at = `/risks/${risk.id}`;
        const ref = `R-${risk.ref} ${HOSTILE}`;
        const expected = [`${email} added ${ref}`];
        const doing = async (sentence, method, path, body) => {
            const { json } = await admin.request(method, path, body);
            expected.unshift(`${email} ${sentence}`);
            return json;
        };
        await doing(`changed ${ref}: Status Active → Mitigated`, 'PATCH', at, { status: 'MITIGATED' });
        await doing(`changed ${ref}: Owner None → Ann`, 'PATCH', at, { owner: 'Ann' });
        await doing(`changed ${ref}: Description`, 'PATCH', at, { description: 'Long' });
        await doing(`changed ${ref}: Owner Ann → None`, 'PATCH', at, { owner: null });
        await doing(`changed ${ref}: Impact 2 → 3 · Score 4 → 6`, 'PATCH', at, { impact: 3 });
        const wall = await doing(`changed ${ref}: Mitigation added “Build a wall”`, 'POST', `${at}/mitigations`, { title: 'Build a wall' });
        await doing(`changed ${ref}: Status (Build a wall) Planned → Done`, 'PATCH', `/mitigations/${wall.id}`, { status: 'DONE' });
        await doing(`changed ${ref}: Mitigation deleted “Build a wall”`, 'DELETE', `/mitigations/${wall.id}`);
        const others = [await makeRisk(admin, { title: 'One of many' }), await makeRisk(admin, { title: 'Another of many' })];
        expected.unshift(`${email} added R-${others[0].ref} One of many`);
        expected.unshift(`${email} added R-${others[1].ref} Another of many`);
        await doing('changed 2 risks', 'POST', '/risks/bulk', { ids: others.map(({ id }) => id), set: { owner: 'Bo' } });
        const page = await site.visit('viewer');
        await drawn(page);
        const rows = regionOf(page, 'Recent activity').getByRole('listitem');
        const told = (await rows.locator('p').allInnerTexts()).map((text) => text.replace(/\s+/g, ' '));
        assert.deepStrictEqual(told.slice(0, expected.length), expected);
        assert.strictEqual(await rows.nth(1).getByRole('link').getAttribute('href'), `/risks/R-${others[1].ref}`);
        await admin.expect(204, 'DELETE', at);
    });

    await t.test('a risk that is deleted is named, but not linked', async () => {
        const page = await site.visit('viewer');
        await drawn(page);
        const row = regionOf(page, 'Recent activity').getByRole('listitem').first();
        assert.ok((await row.innerText()).startsWith(`${email} deleted R-`));
        assert.strictEqual(await row.getByRole('link').count(), 0);
    });

    await t.test('in French too', async () => {
        const page = await site.visit('viewer', '/', { language: 'fr-FR' });
        await drawn(page);
        const told = (await regionOf(page, 'Activité récente').getByRole('listitem').allInnerTexts()).map((text) => text.replace(/\s+/g, ' '));
        assert.ok(told.some((sentence) => sentence.includes(`${email} a modifié 2 risques`)), JSON.stringify(told));
        assert.ok(told.some((sentence) => sentence.includes(' : Impact 2 → 3 · Score 4 → 6')), JSON.stringify(told));
    });

    await t.test('what others do shows by itself', async () => {
        const first = await site.visit('viewer');
        await first.context().clock.install();
        const page = await site.visit('viewer', '/', { beside: first });
        await drawn(page);
        const { json } = await admin.get('/stats');
        const { id } = await makeRisk(admin, { title: 'Just now', impact: 5, probability: 5 });
        await makeMitigation(admin, id, { title: 'Should have been done', due_date: '2026-01-01' });
        await page.clock.fastForward(SETTLE_MS);
        await regionOf(page, 'Top risks').getByText('Just now').waitFor();
        await regionOf(page, 'Recent activity').getByText('Just now').first().waitFor();
        await regionOf(page, 'Overdue mitigations').getByText('Should have been done').waitFor();
        await regionOf(page, 'Key figures').getByRole('listitem').filter({ hasText: 'closed ones too' }).getByText(String(json.total_risks + 1)).waitFor();
    });
}

test('the dashboard', async (t) => {
    const site = await startSite(t);
    await emptyTests(t, site);
    const { client } = await site.person('admin');
    await client.expect(200, 'POST', '/import/risks?format=json', demo());
    await figureTests(t, site);
    await matrixTests(t, site);
    await trendTests(t, site);
    await activityTests(t, site);
});
