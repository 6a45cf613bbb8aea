/** Pictures of all pages (pages.js), light and dark, into docs/images/NAME-light.png; called by script/screenshots. */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { startSite } = require('./lib');
const { PAGES, fill, show } = require('./pages');

const IMAGES = path.resolve(__dirname, '../../docs/images');
const SIZE = { width: 1280, height: 800 };
const wanted = process.argv.slice(2);

test('the pictures', async (t) => {
    const pages = PAGES.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
    if (pages.length < Math.max(1, wanted.length)) {
        throw new Error(`there are only ${PAGES.map(({ name }) => name).join(', ')}`);
    }
    const site = await startSite(t);
    await fill(site);
    fs.mkdirSync(IMAGES, { recursive: true });
    for (const one of pages) {
        for (const theme of ['light', 'dark']) {
            const page = await show(site, one, { theme, size: SIZE });
            await page.screenshot({ path: path.join(IMAGES, `${one.name}-${theme}.png`), animations: 'disabled', caret: 'hide' });
            await page.context().close();
        }
    }
    const small = await show(site, PAGES.find(({ name }) => name === 'register'), { size: { width: 360, height: 740 } });
    await small.screenshot({ path: path.join(IMAGES, 'register-small.png'), animations: 'disabled' });
});
