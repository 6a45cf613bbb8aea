/**
 * What a test in the browser needs: a server of its own, Debian's Chromium, and people who have signed in.
 *
 *   const { test } = require('node:test');
 *   const { startSite } = require('./lib');
 *
 *   test('a risk is found by its title', async (t) => {
 *       const site = await startSite(t);
 *       const page = await site.visit('analyst', '/risks');
 *       await page.getByRole('searchbox').fill('theft');
 *       await page.getByRole('link', { name: 'Theft' }).waitFor();
 *   });
 *
 * What holds for every page is looked at for every page, when its test ends: no request has left for another server,
 * nothing was written to the console as an error or warning, no exception was left, nothing moved while the page loaded. A test that has the
 * server refuse something says so: page.expects(412). Elements are found as people find them, by role and name.
 */
'use strict';

const assert = require('node:assert');
const { after } = require('node:test');
const fs = require('node:fs');
const path = require('node:path');

const { startServer, waitFor } = require('../http/lib');
const { launchChromium, MODULES, signedIn } = require('../tools/chromium');

const AXE = fs.readFileSync(path.join(MODULES, 'axe-core/axe.min.js'), 'utf8');

const STEP_LIMIT_MS = 15000;
const NO_SHIFT = 0.001;
let browser;
after(() => browser?.close());

/** One Chromium for all tests of a file. */
async function theBrowser() {
    browser ??= await launchChromium();
    return browser;
}

/** In the page, before its own scripts: how far things moved before anybody touched anything. */
function watchShifts() {
    globalThis.shifts = [];
    const observer = new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) {
            // Notices of what others do come by themselves.
            if (entry.sources.length > 0 && entry.sources.every(({ node }) => node?.closest?.('.notices, .toasts'))) {
                continue;
            }
            const what = entry.sources.map(({ node }) => node?.outerHTML?.slice(0, 80) ?? node?.textContent);
            globalThis.shifts.push({ by: entry.value, what });
        }
    });
    observer.observe({ type: 'layout-shift', buffered: true });
    globalThis.stopWatching = () => observer.disconnect();
    for (const input of ['keydown', 'pointerdown']) {
        addEventListener(input, globalThis.stopWatching, { capture: true, once: true });
    }
}

class Site {
    constructor(t, server) {
        this.t = t;
        this.server = server;
        this.people = new Map();
        this.ends = [];
    }

    get url() {
        return this.server.url;
    }

    /** The person of this role: {client, email, password}. Made when first asked for. */
    async person(role) {
        if (!this.people.has(role)) {
            const client = role === 'admin' ? await this.server.signIn() : await this.server.as(role);
            this.people.set(role, { client, email: client.user.email, password: client.password });
        }
        return this.people.get(role);
    }

    /** The state of a browser in which the person of this role has signed in. */
    async signedIn(role) {
        const { email, password } = await this.person(role);
        return signedIn(this.server, email, password);
    }

    /**
     * A page at `to`, seen by the person of this role ("admin", "analyst", "viewer"; null: nobody) in a browser of
     * their own, or in that of another page (`beside`).
     */
    async visit(role, to = '/', { theme = 'light', language = 'en-GB', size = { width: 1280, height: 800 }, beside, downloads = false, expects = [] } = {}) {
        const context = beside ? beside.context() : await (await theBrowser()).newContext({
            colorScheme: theme, locale: language, viewport: size, acceptDownloads: downloads, reducedMotion: 'reduce',
            storageState: role === null ? undefined : await this.signedIn(role),
        });
        context.setDefaultTimeout(STEP_LIMIT_MS);
        const page = await context.newPage();
        this.watch(page);
        page.expects(...expects);
        await page.addInitScript(watchShifts);
        await page.goto(this.url + to);
        await page.getByRole('heading', { level: 1 }).waitFor();
        return page;
    }

    /** Notes all that must not happen; looked at when the test ends. */
    watch(page) {
        const expected = new Set();
        const faults = [];
        // From here on it moves because the register does: others write into it.
        page.mayMove = () => page.evaluate(() => globalThis.stopWatching());
        page.expects = (...statuses) => statuses.forEach((status) => expected.add(String(status)));
        page.on('console', (message) => {
            const refusal = /Failed to load resource: .*?(status of (\d+)|net::(\w+))/.exec(message.text());
            // (That a canvas is read often is what a test does.)
            if (['error', 'warning'].includes(message.type()) && !message.text().includes('willReadFrequently') && !(refusal && expected.has(refusal[2] ?? 'away'))) {
                faults.push(`console: ${message.text()} (${message.location().url})`);
            }
        });
        page.on('pageerror', (error) => faults.push(`exception: ${error.stack}`));
        page.on('request', (request) => {
            if (!request.url().startsWith(`${this.url}/`) && !/^(data|blob):/.test(request.url())) {
                faults.push(`a request to ${request.url()}`);
            }
        });
        this.ends.push(async () => {
            const shifts = await page.evaluate(() => globalThis.shifts).catch(() => []);
            const at = page.url();
            await page.context().close();
            assert.deepStrictEqual(faults, []);
            const moved = shifts.reduce((all, { by }) => all + by, 0);
            assert.ok(moved < NO_SHIFT, `${at} moved by ${moved}: ${JSON.stringify(shifts)}`);
        });
    }

    /** Close the pages and tell what was wrong with them; before the server goes. */
    async end() {
        const results = await Promise.allSettled(this.ends.map((end) => end()));
        results.filter(({ status }) => status === 'rejected').forEach(({ reason }) => {
            throw reason;
        });
    }
}

/** Start a server for test `t`; its settings as in tests/http/lib.js. */
async function startSite(t, settings) {
    let site;
    t.after(async () => {
        try {
            await site?.end();
        } catch (error) {
            // The hooks after one that fails are not called, and a server that stays would keep this process.
            await site.server.stop();
            throw error;
        }
    });
    site = new Site(t, await startServer(t, settings));
    return site;
}

/** What axe finds serious or critical (WCAG 2.2 A and AA, and good practice): must be nothing. */
async function assertAccessible(page, what) {
    await page.evaluate(AXE);
    const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
    const serious = found.violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
    const told = serious.map(({ id, help, nodes }) => `${id}: ${help}\n    ${nodes.slice(0, 5).map(({ html, any }) => `${html.slice(0, 160)} ${any[0]?.message ?? ''}`).join('\n    ')}`);
    assert.deepStrictEqual(told, [], `${what}: ${told.join('\n')}`);
}

/** The page has come to rest: nothing is loading. */
async function settled(page) {
    await page.waitForFunction(() => !document.querySelector('.loading'));
}

module.exports = { assertAccessible, settled, startSite, theBrowser, waitFor };
