/** All pages of the interface, with what is in them when they are full: for pictures, and for what must hold on each. */
'use strict';

const { demo } = require('../tools/demo');
const { settled } = require('./lib');

/** `to`: its address; `ready`: what is there when it is complete; `act`: what else is to be done first. */
const PAGES = [
    { name: 'sign-in', role: null, to: '/', ready: (page) => page.locator('input[type=password]') },
    { name: 'dashboard', to: '/?days=90', ready: (page) => page.locator('.uplot canvas') },
    { name: 'register', to: '/risks', ready: (page) => page.locator('main [data-row]') },
    { name: 'register-filtered', to: '/risks?status=ACTIVE&level=HIGH', ready: (page) => page.locator('main [data-row]') },
    { name: 'import', to: '/risks/import', ready: (page) => page.locator('main .button, main button') },
    { name: 'risk', to: '/risks/R-1', ready: (page) => page.getByText('Immutable backups') },
    { name: 'risk-edit', to: '/risks/R-1', ready: (page) => page.getByText('Immutable backups'), act: (page) => page.keyboard.press('e') },
    { name: 'new-risk', to: '/risks', ready: (page) => page.locator('main [data-row]'), act: (page) => page.keyboard.press('n') },
    { name: 'assets', to: '/assets', ready: (page) => page.getByRole('link', { name: 'Payroll' }) },
    { name: 'asset', to: '/assets/01900000-0001-7000-8000-000000000001', ready: (page) => page.getByRole('heading', { name: /Customer portal/ }) },
    { name: 'users', to: '/users', ready: (page) => page.getByText('analyst-') },
    { name: 'tokens', to: '/tokens', ready: (page) => page.getByText('nightly import') },
    { name: 'audit', to: '/audit', ready: (page) => page.locator('main tbody tr') },
    { name: 'operations', to: '/operations', ready: (page) => page.locator('main table') },
    { name: 'profile', to: '/profile', ready: (page) => page.getByRole('heading', { level: 1 }) },
    { name: 'palette', to: '/', ready: (page) => page.locator('.uplot canvas'), act: async (page) => {
        await page.keyboard.press('Control+k');
        await page.getByRole('combobox').fill('backup');
        await page.getByRole('option', { name: /Backups cannot be restored/ }).waitFor();
    } },
    { name: 'keys', to: '/', ready: (page) => page.locator('.uplot canvas'), act: (page) => page.keyboard.press('?') },
    { name: 'no-such-page', to: '/no/such/page', status: 404, ready: (page) => page.getByRole('heading', { level: 1 }) },
];

/** The demo's register, users of each role, a token: so that no page is empty. */
async function fill(site) {
    const { client: admin } = await site.person('admin');
    await site.person('analyst');
    await site.person('viewer');
    await admin.expect(200, 'POST', '/import/risks?format=json', demo());
    await admin.expect(201, 'POST', '/tokens', { name: 'nightly import', scope: 'full', expires_at: new Date(Date.now() + 90 * 86400000).toISOString() });
}

/** Show one of PAGES, complete. */
async function show(site, { role = 'admin', to, ready, act, status }, options) {
    const page = await site.visit(role, to, { ...options, expects: status ? [status] : [] });
    await ready(page).first().waitFor();
    await act?.(page);
    await settled(page);
    return page;
}

module.exports = { PAGES, fill, show };
