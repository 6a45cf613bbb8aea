/**
 * Measures the web interface as a person meets it, in Debian's Chromium: how long until the first view is complete, and
 * from a key or a click until what it asks for is on the screen; called by script/bench.
 *
 * The times are the page's own (performance.now()), from the start of the navigation, or from the key, to the frame in
 * which the new content is drawn. A first view has a browser that has never been here; the next one has its files.
 * The kinds take turns. The limit holds for the median.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { ADMIN, temporaryFolder } = require('../http/lib');
const { launchChromium, signedIn } = require('./chromium');
const { writeKev } = require('./generate-kev');
const { addJson, options, printTable, quantile, runAll, runMain, serverWith } = require('./measure');

const FIRST_VIEW_LIMIT_MS = 300;

/** In the page: `until(selector)` is the time of the frame that has it. */
function watchFrames() {
    globalThis.until = (selector) => new Promise((resolve) => {
        const look = () => (document.querySelector(selector) ? requestAnimationFrame(() => resolve(performance.now())) : requestAnimationFrame(look));
        look();
    });
    // From the key that is pressed next to the frame after the list has become another.
    globalThis.afterInput = (kind, isThere) => new Promise((resolve) => {
        addEventListener(kind, () => {
            const began = performance.now();
            const before = document.querySelector('main').innerHTML;
            const look = () => (isThere(before) ? resolve(performance.now() - began) : requestAnimationFrame(look));
            requestAnimationFrame(look);
        }, { capture: true, once: true });
    });
}

async function view(context, server, to, selector) {
    const page = await context.newPage();
    await page.addInitScript(watchFrames);
    await page.goto(server.url + to);
    const ms = await page.evaluate((wanted) => globalThis.until(wanted), selector);
    return { page, ms };
}

/** Milliseconds from `act` to other rows in the list. */
async function toOtherRows(page, kind, act) {
    const took = page.evaluate((name) => globalThis.afterInput(name, () => {
        const now = [...document.querySelectorAll('main [data-row]')].map((row) => row.textContent).join();
        globalThis.rowsBefore ??= now;
        if (now === '' || now === globalThis.rowsBefore) {
            return false;
        }
        globalThis.rowsBefore = undefined;
        return true;
    }), kind);
    await act();
    return took;
}

/** One of each kind: {name: ms}. */
async function round(browser, server, words) {
    const storageState = await signedIn(server, ADMIN.email, ADMIN.password);
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, storageState });
    const figures = {};
    const first = await view(context, server, '/', '.uplot canvas');
    figures['first view: dashboard'] = first.ms;
    await first.page.close();
    const second = await view(context, server, '/', '.uplot canvas');
    figures['next view: dashboard'] = second.ms;
    await second.page.close();
    const { page, ms } = await view(context, server, '/risks', 'main [data-row]');
    figures['next view: register'] = ms;
    const search = page.getByRole('searchbox');
    figures['search: from the last key'] = await toOtherRows(page, 'input', () => search.fill(words));
    await toOtherRows(page, 'input', () => search.fill(''));
    figures['sort by title'] = await toOtherRows(page, 'click', () => page.getByRole('button', { name: 'Title' }).click());
    figures['next page'] = await toOtherRows(page, 'click', () => page.getByRole('button', { name: 'Next page' }).click());
    const opened = page.evaluate(() => globalThis.afterInput('click', () => document.querySelector('h1 .ref, .page-head .ref') !== null));
    await page.locator('main [data-row]').nth(3).click();
    figures['open a risk'] = await opened;
    await context.close();
    return figures;
}

async function main() {
    const { rows, rounds, json } = options(process.argv.slice(2), { rows: 100000, rounds: 15, json: undefined });
    const cleanUps = [];
    try {
        const folder = temporaryFolder();
        cleanUps.push(() => fs.rmSync(folder, { recursive: true }));
        const file = path.join(folder, 'kev.csv');
        writeKev(file, rows);
        const { server } = await serverWith(cleanUps, file);
        const browser = await launchChromium();
        cleanUps.push(() => browser.close());
        const taken = [];
        for (let i = -1; i < rounds; i++) {
            const figures = await round(browser, server, ['sharepoint', 'apache', 'kernel', 'router'][(i + 4) % 4]);
            if (i >= 0) {
                taken.push(figures);
            }
        }
        const results = Object.keys(taken[0]).map((name) => {
            const sorted = taken.map((figures) => figures[name]).sort((a, b) => a - b);
            const limit = name === 'first view: dashboard' ? FIRST_VIEW_LIMIT_MS : undefined;
            return { name: `interface: ${name}`, unit: 'ms', limit, median: quantile(sorted, 0.5), worst: sorted[sorted.length - 1] };
        });
        console.log(`\nThe web interface with ${rows} risks, medians of ${rounds} rounds, in ms`);
        printTable(['', 'median', 'worst', 'limit'], results.map(({ name, median, worst, limit }) => [
            name.replace('interface: ', ''), median.toFixed(0), worst.toFixed(0), limit === undefined ? '' : String(limit),
        ]));
        if (json) {
            addJson(json, results);
        }
        if (results.some(({ median, limit }) => median > limit)) {
            process.exitCode = 1;
        }
    } finally {
        await runAll(cleanUps);
    }
}

runMain(main);
