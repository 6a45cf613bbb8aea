/**
 * What holds for every page, by day and by night, on a telephone and on a large screen: axe finds nothing serious,
 * nothing sticks out at the side. And, as for all tests here: no console error, no request elsewhere, nothing moves.
 */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');

const { assertAccessible, startSite } = require('./lib');
const { PAGES, fill, show } = require('./pages');

const VIEWS = [
    { theme: 'light', size: { width: 1280, height: 800 } },
    { theme: 'dark', size: { width: 360, height: 740 }, language: 'fr-FR' },
    { theme: 'light', size: { width: 3840, height: 2160 } },
];

/** Those of its texts that a page in English has in common with one in French are names. */
async function assertFits(page, what) {
    const { width, wide } = await page.evaluate(() => {
        const { clientWidth: width } = document.documentElement;
        const inScroller = (element) => element.closest('.scroll, dialog, .toasts, .skip, .unseen') !== null;
        const wide = [...document.querySelectorAll('body *')].filter((element) => element.getBoundingClientRect().right > width + 1 && !inScroller(element));
        return { width: document.documentElement.scrollWidth - width, wide: wide.slice(0, 3).map((element) => element.outerHTML.slice(0, 120)) };
    });
    assert.deepStrictEqual({ isWider: width > 0, wide }, { isWider: false, wide: [] }, `${what} is wider than the window`);
}

test('every page', async (t) => {
    const site = await startSite(t);
    await fill(site);
    for (const one of PAGES) {
        for (const view of VIEWS) {
            const what = `${one.name}, ${view.theme}, ${view.size.width} px`;
            await t.test(what, async () => {
                const page = await show(site, one, view);
                await assertFits(page, what);
                await assertAccessible(page, what);
            });
        }
    }
});
