/** Nothing that somebody typed is lost: two who edit the same risk, a reload, another page, a session that has ended. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');

const { makeMitigation, makeRisk } = require('../http/register');
const { assertAccessible, startSite, waitFor } = require('./lib');

/** After so long the page looks anew at what it shows. */
const REFRESH_MS = 11000;

function heading(page, name) {
    return page.getByRole('heading', { level: 1, name });
}

/** A risk that an analyst edits on `page`; `others`: somebody else, by the API. */
async function editing(site, body = {}) {
    const { client } = await site.person('analyst');
    const { client: others, email } = await site.person('admin');
    const risk = await makeRisk(client, { title: 'Shared', description: 'The door is open.', impact: 2, probability: 2, owner: 'Ann', ...body });
    const page = await site.visit('analyst', `/risks/R-${risk.ref}`);
    page.expects(412);
    await heading(page, /Shared/).waitFor();
    await page.keyboard.press('e');
    await page.getByRole('textbox', { name: 'Title' }).waitFor();
    const change = (some) => others.expect(200, 'PATCH', `/risks/${risk.id}`, some);
    const current = async () => (await client.get(`/risks/${risk.id}`)).json;
    return { page, risk, others, email, change, current };
}

const merging = (page) => page.getByRole('dialog', { name: 'Somebody else has changed the same' });
const description = (page) => page.getByRole('textbox', { name: 'Description' });

async function twoEditorsTests(t, site) {
    await t.test('what only one of two has changed is kept by itself', async () => {
        const { page, change, current } = await editing(site);
        await description(page).fill('The door is closed.');
        await change({ owner: 'Bea', impact: 5 });
        await page.keyboard.press('Control+Enter');
        await page.getByText('Saved, with what somebody else has changed meanwhile: Impact, Owner.').waitFor();
        const { description: text, owner, impact, title } = await current();
        assert.deepStrictEqual({ text, owner, impact, title }, { text: 'The door is closed.', owner: 'Bea', impact: 5, title: 'Shared' });
        await page.getByRole('group', { name: 'Owner' }).getByText('Bea').waitFor();
    });

    await t.test('where both have changed the same, both stand side by side, and one chooses', async () => {
        const { page, change, current, email } = await editing(site, { tags: ['old'] });
        await description(page).fill('The door is closed.');
        await page.getByRole('textbox', { name: 'Title' }).fill('Shared by me');
        await page.getByLabel('Owner').fill('Mine');
        await page.getByLabel('Tags').fill('mine');
        await change({ description: 'The gate is open.', title: 'Shared by them', owner: 'Theirs', tags: ['old', 'theirs'], category: 'New' });
        await page.keyboard.press('Control+Enter');
        const dialog = merging(page);
        await dialog.waitFor();
        assert.strictEqual((await current()).title, 'Shared by them', 'nothing is written over');
        const save = dialog.getByRole('button', { name: 'Save' });
        assert.ok(await save.isDisabled(), 'there is nothing to save before all is chosen');
        await dialog.getByText('Changed by them alone, and kept: Category.').waitFor();
        const of = (name) => dialog.getByRole('group', { name, exact: true });
        await of('Title').getByText(email).waitFor();
        await of('Title').getByRole('radio', { name: /Yours/ }).check();
        await of('Owner').getByRole('radio', { name: /Theirs/ }).check();
        await of('Tags').getByRole('radio', { name: /Both/ }).check();
        await of('Description').getByRole('radio', { name: 'Edit the result' }).check();
        assert.strictEqual(await dialog.getByRole('textbox', { name: 'Description' }).inputValue(), 'The door is closed.');
        await dialog.getByRole('textbox', { name: 'Description' }).fill('Door and gate are closed.');
        await assertAccessible(page, 'the merge');
        await page.keyboard.press('Control+Enter');
        await dialog.waitFor({ state: 'detached' });
        await heading(page, /Shared by me/).waitFor();
        await page.getByRole('region', { name: 'Editing' }).waitFor({ state: 'detached' });
        const now = await current();
        assert.deepStrictEqual(
            [now.title, now.owner, now.description, now.category, now.tags],
            ['Shared by me', 'Theirs', 'Door and gate are closed.', 'New', ['old', 'theirs', 'mine']],
        );
    });

    await t.test('and again, when they were quicker once more', async () => {
        const { page, change, current } = await editing(site);
        await description(page).fill('Mine');
        await change({ description: 'Theirs' });
        await page.keyboard.press('Control+Enter');
        await merging(page).getByRole('radio', { name: /Yours/ }).check();
        await change({ description: 'Theirs, again' });
        await page.keyboard.press('Control+Enter');
        await merging(page).getByText('again').waitFor();
        assert.strictEqual((await current()).description, 'Theirs, again');
        await merging(page).getByRole('radio', { name: /Yours/ }).check();
        await page.keyboard.press('Control+Enter');
        await page.getByRole('region', { name: 'Editing' }).waitFor({ state: 'detached' });
        assert.strictEqual((await current()).description, 'Mine');
    });

    await t.test('Esc leads back to the form, with everything in it', async () => {
        const { page, change, current } = await editing(site);
        await description(page).fill('Mine');
        await change({ description: 'Theirs' });
        await page.keyboard.press('Control+Enter');
        await merging(page).waitFor();
        await page.keyboard.press('Escape');
        await merging(page).waitFor({ state: 'detached' });
        assert.strictEqual(await description(page).inputValue(), 'Mine');
        assert.strictEqual((await current()).description, 'Theirs');
    });

    await t.test('one is told before saving; what happens to mitigations is no reason to ask', async () => {
        const { page, risk, others, change, current, email } = await editing(site);
        await description(page).fill('Mine');
        // The draft is there after a reload; from then on the page's clock can be put forward.
        await page.clock.install();
        await page.reload();
        await page.getByRole('region', { name: 'Timeline' }).getByText('Risk created').waitFor();
        await makeMitigation(others, risk.id, { title: 'Elsewhere' });
        await page.clock.fastForward(REFRESH_MS);
        await page.getByText('Elsewhere').first().waitFor();
        const bar = page.getByRole('region', { name: 'Editing' });
        assert.strictEqual(await bar.getByText('meanwhile').count(), 0);
        await change({ description: 'Theirs' });
        await page.clock.fastForward(REFRESH_MS);
        await bar.getByText(`${email} has changed Description meanwhile`).waitFor();
        assert.strictEqual(await description(page).inputValue(), 'Mine');
        assert.strictEqual((await current()).description, 'Theirs');
    });

    await t.test('a mitigation, too', async () => {
        const { page, risk, others } = await editing(site);
        await page.keyboard.press('Escape');
        const made = await makeMitigation(others, risk.id, { title: 'Lock it', assignee: 'Ann' });
        await page.reload();
        await page.getByRole('button', { name: 'Edit “Lock it”' }).click();
        const dialog = page.getByRole('dialog', { name: 'Edit “Lock it”' });
        await dialog.getByLabel('Assignee').fill('Mine');
        await dialog.getByLabel('Cost').fill('5');
        await others.expect(200, 'PATCH', `/mitigations/${made.id}`, { assignee: 'Theirs', status: 'DONE' });
        await page.keyboard.press('Control+Enter');
        await merging(page).getByRole('radio', { name: /Theirs/ }).check();
        await page.keyboard.press('Control+Enter');
        await merging(page).waitFor({ state: 'detached' });
        await page.getByText('Saved').waitFor();
        const { json } = await others.get(`/risks/${risk.id}`);
        assert.deepStrictEqual(json.mitigations.map(({ assignee, status, cost }) => ({ assignee, status, cost })), [{ assignee: 'Theirs', status: 'DONE', cost: 5 }]);
    });
}

async function draftTests(t, site) {
    await t.test('what was typed is here again after a reload, and after a look elsewhere', async () => {
        const { page, risk, change, current } = await editing(site);
        await description(page).fill('Half a sentence');
        await page.reload();
        await page.getByText(/What you typed .* is here again/).waitFor();
        assert.strictEqual(await description(page).inputValue(), 'Half a sentence');
        await page.keyboard.press('g');
        await page.keyboard.press('d');
        await heading(page, 'Dashboard').waitFor();
        await change({ owner: 'Bea' });
        await page.goBack();
        await page.getByText(/What you typed .* is here again/).waitFor();
        assert.strictEqual(await description(page).inputValue(), 'Half a sentence');
        await description(page).fill('A whole sentence.');
        await page.keyboard.press('Control+Enter');
        await page.getByRole('region', { name: 'Editing' }).waitFor({ state: 'detached' });
        const { description: text, owner } = await current();
        assert.deepStrictEqual([text, owner], ['A whole sentence.', 'Bea']);
        await page.reload();
        await heading(page, /Shared/).waitFor();
        assert.strictEqual(await description(page).count(), 0, 'what is saved is no draft');
        assert.strictEqual(await page.evaluate((id) => sessionStorage.getItem(`openrisk.draft.risk.${id}`), risk.id), null);
    });
}

/** End the session of `page` as somebody at another place would. */
async function endSession(site, page) {
    const [cookie] = (await page.context().cookies()).filter(({ name }) => name.includes('session'));
    await site.server.client().expect(204, 'POST', '/auth/logout', undefined, { Cookie: `${cookie.name}=${cookie.value}`, Origin: site.url });
}

async function signInAgain(site, page) {
    const { password, email } = await site.person('analyst');
    const dialog = page.getByRole('dialog', { name: 'Sign in again' });
    await dialog.getByLabel('E-mail').fill(email);
    await dialog.getByLabel('Password').fill(password);
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'detached' });
}

async function sessionTests(t, site) {
    await t.test('a session that ends in the middle of an edit loses no text', async () => {
        const { page, current } = await editing(site);
        page.expects(401);
        await description(page).fill('Typed before the session ended');
        await endSession(site, page);
        await page.keyboard.press('Control+Enter');
        await page.getByRole('dialog', { name: 'Sign in again' }).waitFor();
        assert.strictEqual((await current()).description, 'The door is open.');
        await signInAgain(site, page);
        await page.getByRole('region', { name: 'Editing' }).waitFor({ state: 'detached' });
        assert.strictEqual((await current()).description, 'Typed before the session ended');
    });

    await t.test('nor one that is found to have ended after a reload', async () => {
        const { page, current } = await editing(site);
        page.expects(401);
        await description(page).fill('Typed before the reload');
        await endSession(site, page);
        await page.reload();
        await heading(page, 'Sign in').waitFor();
        const { password, email } = await site.person('analyst');
        await page.getByLabel('E-mail').fill(email);
        await page.getByLabel('Password').fill(password);
        await page.keyboard.press('Enter');
        await page.getByText(/What you typed .* is here again/).waitFor();
        await page.keyboard.press('Control+Enter');
        await page.getByRole('region', { name: 'Editing' }).waitFor({ state: 'detached' });
        assert.strictEqual((await current()).description, 'Typed before the reload');
    });

    await t.test('nor that of a new risk', async () => {
        const page = await site.visit('analyst', '/profile');
        page.expects(401);
        await page.keyboard.press('n');
        const dialog = page.getByRole('dialog', { name: 'New risk' });
        await dialog.getByRole('textbox', { name: 'Title' }).fill('Made at the end of a session');
        await dialog.getByRole('group', { name: 'Impact' }).getByRole('radio', { name: /1/ }).check();
        await dialog.getByRole('group', { name: 'Probability' }).getByRole('radio', { name: /2/ }).check();
        await endSession(site, page);
        await page.keyboard.press('Control+Enter');
        await signInAgain(site, page);
        await heading(page, /Made at the end of a session/).waitFor();
        const { client } = await site.person('analyst');
        assert.strictEqual((await client.get('/risks?q=end+of+a+session')).json.total, 1);
    });

    await t.test('a draft is shown to nobody else', async () => {
        const { page, risk } = await editing(site);
        page.expects(401);
        await description(page).fill('Mine alone');
        await endSession(site, page);
        await page.reload();
        const { email, password } = await site.person('admin');
        await page.getByLabel('E-mail').fill(email);
        await page.getByLabel('Password').fill(password);
        await page.keyboard.press('Enter');
        await heading(page, /Shared/).waitFor();
        assert.strictEqual(await page.getByText('Mine alone').count(), 0);
        assert.strictEqual(await description(page).count(), 0);
        await waitFor(async () => (await page.title()).includes(`R-${risk.ref}`), 'the title');
    });
}

test('those who edit', async (t) => {
    const site = await startSite(t);
    await twoEditorsTests(t, site);
    await draftTests(t, site);
    await sessionTests(t, site);
});
