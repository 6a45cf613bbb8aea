/** Debian's Chromium, driven by playwright-core, which script/ui --tests installs. */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');

const MODULES = path.resolve(__dirname, '../../ui/node_modules');

/** Its headless shell draws the same, and takes half the time. */
function launchChromium() {
    assert.ok(fs.existsSync(path.join(MODULES, 'playwright-core')), 'there is no playwright-core: script/ui --tests installs it');
    const { chromium } = require(path.join(MODULES, 'playwright-core'));
    const executablePath = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'].find((file) => fs.existsSync(file));
    assert.ok(executablePath, 'there is no Chromium: script/dependencies test installs it');
    return chromium.launch({ executablePath, args: process.getuid() === 0 ? ['--no-sandbox'] : [] });
}

/** The state of a browser in which this person has signed in to `server`. */
async function signedIn(server, email, password) {
    const { hostname, origin } = new URL(server.url);
    const reply = await server.client().expect(200, 'POST', '/auth/login', { email, password }, { Origin: origin });
    const [, name, value] = /^([^=]+)=([^;]+)/.exec([reply.headers['set-cookie']].flat().find((text) => text.includes('session')));
    return {
        cookies: [{ name, value, domain: hostname, path: '/', expires: -1, httpOnly: true, secure: false, sameSite: 'Strict' }],
        origins: [{ origin, localStorage: [{ name: 'openrisk.signed-in', value: '1' }] }],
    };
}

module.exports = { launchChromium, MODULES, signedIn };
