/** Users and roles, and everybody's own API tokens. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');

const { assertAccessible, settled, startSite } = require('./lib');

/** Whether one can sign in like this: the status of the answer. */
async function signIn(site, email, password) {
    return (await site.server.client().post('/auth/login', { email, password })).status;
}

async function userOf(admin, email) {
    return (await admin.get('/users?limit=200')).json.items.find((user) => user.email === email);
}

test('users', async (t) => {
    const site = await startSite(t);
    const { client: admin, email: adminEmail } = await site.person('admin');

    await t.test('one is added with a password that is made and shown once', async () => {
        const page = await site.visit('admin', '/users');
        await page.getByRole('button', { name: 'New user' }).click();
        const dialog = page.getByRole('dialog');
        await dialog.getByLabel('E-mail').fill('not an address');
        await dialog.getByText('This is not an e-mail address').waitFor();
        assert.ok(await dialog.getByRole('button', { name: 'Add' }).isDisabled());
        await dialog.getByLabel('E-mail').fill('made@example.org');
        await dialog.getByLabel('Name').fill('Made Up');
        await dialog.getByLabel('Role').selectOption('analyst');
        await page.keyboard.press('Control+Enter');
        const shown = page.getByRole('dialog', { name: 'Password · made@example.org' });
        const password = await shown.getByLabel('Password').inputValue();
        assert.match(password, /^([a-z2-9]{4}-){4}[a-z2-9]{4}$/);
        await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
        await shown.getByRole('button', { name: 'Copy' }).click();
        await shown.getByText('Copied.').waitFor();
        assert.strictEqual(await page.evaluate(() => navigator.clipboard.readText()), password);
        await assertAccessible(page, 'a password that is shown once');
        await shown.getByRole('button', { name: 'I have kept it' }).click();
        await page.getByRole('row', { name: /Made Up.*made@example.org.*Analyst.*Active.*Never/ }).waitFor();
        assert.strictEqual(await page.getByText(password).count(), 0);
        assert.strictEqual(await signIn(site, 'made@example.org', password), 200);
    });

    await t.test('or with one that is typed; an address that is taken is refused beside it', async () => {
        const page = await site.visit('admin', '/users');
        page.expects(409);
        await page.getByRole('button', { name: 'New user' }).click();
        const dialog = page.getByRole('dialog');
        await dialog.getByLabel('E-mail').fill('made@example.org');
        await dialog.getByLabel('Make a password').uncheck();
        await dialog.getByLabel('Password', { exact: false }).last().fill('too short');
        assert.ok(await dialog.getByRole('button', { name: 'Add' }).isDisabled());
        await dialog.locator('input[type=password]').fill('typed by hand, long enough');
        await dialog.getByRole('button', { name: 'Add' }).click();
        await dialog.getByText('another user has it already').waitFor();
        await dialog.getByLabel('E-mail').fill('typed@example.org');
        await dialog.getByRole('button', { name: 'Add' }).click();
        await dialog.waitFor({ state: 'detached' });
        assert.strictEqual(await signIn(site, 'typed@example.org', 'typed by hand, long enough'), 200);
    });

    await t.test('the last administrator stays, and is told why', async () => {
        const page = await site.visit('admin', '/users?role=admin');
        page.expects(409);
        const own = page.getByRole('row', { name: new RegExp(`${adminEmail}.*you`) });
        await own.waitFor();
        assert.strictEqual(await page.getByRole('table', { name: 'Users' }).getByRole('row').count(), 2, 'its head, and one administrator');
        await own.getByRole('button', { name: adminEmail, exact: true }).click();
        await page.getByRole('dialog').getByLabel('Role').selectOption('viewer');
        await page.keyboard.press('Control+Enter');
        await page.getByRole('dialog').getByText('This is the last active administrator.').waitFor();
        await page.keyboard.press('Escape');
        await own.getByRole('button', { name: 'Delete' }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
        await page.getByRole('dialog').getByText('This is the last active administrator.').waitFor();
        assert.strictEqual((await userOf(admin, adminEmail)).role, 'admin');
    });

    await t.test('role and access are changed; of two who do so, the second is asked', async () => {
        const page = await site.visit('admin', '/users');
        page.expects(412);
        await page.getByRole('button', { name: 'Made Up' }).click();
        const dialog = page.getByRole('dialog');
        await dialog.getByLabel('Role').selectOption('viewer');
        await dialog.getByText('Reads and exports everything').waitFor();
        const { id } = await userOf(admin, 'made@example.org');
        await admin.expect(200, 'PATCH', `/users/${id}`, { role: 'admin', full_name: 'Renamed' });
        await page.keyboard.press('Control+Enter');
        await dialog.getByRole('row', { name: 'Role Administrator Viewer' }).waitFor();
        await dialog.getByRole('row', { name: 'Name Renamed –' }).waitFor();
        await dialog.getByLabel('Access').selectOption({ label: 'Switched off' });
        await dialog.getByRole('button', { name: 'Save mine' }).click();
        await page.getByRole('row', { name: /Renamed.*Viewer.*Switched off/ }).waitFor();
        const { role, is_active: isActive, full_name: name } = await userOf(admin, 'made@example.org');
        assert.deepStrictEqual([role, isActive, name], ['viewer', false, 'Renamed']);
    });

    await t.test('a new password ends the old one; who is removed cannot sign in', async () => {
        const page = await site.visit('admin', '/users');
        await page.getByRole('button', { name: 'Set password of typed@example.org' }).click();
        await page.getByRole('dialog').getByText('Ends their sessions and API tokens.').waitFor();
        await page.keyboard.press('Control+Enter');
        const shown = page.getByRole('dialog', { name: 'Password · typed@example.org' });
        const password = await shown.getByLabel('Password').inputValue();
        await shown.getByRole('button', { name: 'I have kept it' }).click();
        assert.deepStrictEqual([await signIn(site, 'typed@example.org', 'typed by hand, long enough'), await signIn(site, 'typed@example.org', password)], [401, 200]);
        await page.getByRole('button', { name: 'Delete typed@example.org' }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
        await page.getByText('typed@example.org is deleted.').waitFor();
        await page.getByRole('row', { name: /typed@example.org/ }).waitFor({ state: 'detached' });
        assert.strictEqual(await signIn(site, 'typed@example.org', password), 401);
    });

    await t.test('an API token is shown once, does what its scope lets it, and ends when it is revoked', async () => {
        const page = await site.visit('analyst', '/tokens');
        await page.getByText('You have no API tokens').waitFor();
        await page.getByRole('button', { name: 'New token' }).click();
        const dialog = page.getByRole('dialog');
        await dialog.getByLabel('Name').fill('dashboard');
        await dialog.getByLabel('Ends').fill('2001-01-01');
        await dialog.getByText('A day from tomorrow on').waitFor();
        assert.ok(await dialog.getByRole('button', { name: 'Add' }).isDisabled());
        await dialog.getByLabel('Ends').fill(new Date(Date.now() + 5 * 86400000).toISOString().slice(0, 10));
        await assertAccessible(page, 'a new token');
        await page.keyboard.press('Control+Enter');
        const shown = page.getByRole('dialog', { name: 'Token · dashboard' });
        const client = site.server.client(await shown.getByLabel('Token').inputValue());
        await shown.getByRole('button', { name: 'I have kept it' }).click();
        await client.expect(200, 'GET', '/risks');
        await client.expect(403, 'POST', '/risks', { title: 'Theft', impact: 1, probability: 1 });
        await page.getByRole('row', { name: /dashboard Read only .* in 4 days/ }).waitFor();
        await page.getByRole('button', { name: 'Delete dashboard' }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
        await page.getByText('You have no API tokens').waitFor();
        await client.expect(401, 'GET', '/risks');
    });

    await t.test('others are told for whom this is, and nothing is out of reach', async () => {
        const viewer = await site.visit('viewer', '/users');
        await viewer.getByText('This page is for administrators').waitFor();
        for (const theme of ['light', 'dark']) {
            const page = await site.visit('admin', '/users', { theme });
            await settled(page);
            await page.getByText('What the roles may do').click();
            await page.getByText('Also deletes what others added').waitFor();
            await assertAccessible(page, `users, ${theme}`);
            await page.getByRole('button', { name: 'New user' }).click();
            await page.getByRole('dialog').getByLabel('Make a password').uncheck();
            await assertAccessible(page, `a new user, ${theme}`);
        }
    });
});
