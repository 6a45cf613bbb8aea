/** script/bench refuses what it cannot do in one line, with the exit code 2, before it builds or measures anything. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { ROOT } = require('../http/lib');

const REFUSED = {
    'an unknown part': ['nothing', '1'],
    'an unknown part by --only': ['--only', 'nothing'],
    'an unknown option': ['compare', '--colour', 'blue'],
    'an option without a value': ['compare', '--rounds'],
    'an option that the part does not take': ['compare', '--sizes', '1000'],
    'no number': ['--rows', '1k'],
    'none at all': ['compare', '--rounds', '0'],
    'a size that is none': ['scale', '--sizes', '1000,10k'],
    'a size that no import can have': ['scale', '--sizes', '1000,3000000'],
    'an engine that there is not': ['scale', '--engine', 'oracle'],
};

/** What it says, within 5 s; if it goes to work instead, it is ended with all that it has started. */
async function bench(args) {
    const child = spawn(path.join(ROOT, 'script/bench'), args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const said = { stdout: '', stderr: '' };
    for (const name of Object.keys(said)) {
        child[name].setEncoding('utf8').on('data', (text) => (said[name] += text));
    }
    const timer = setTimeout(() => process.kill(-child.pid, 'SIGTERM'), 5000);
    const [code] = await once(child, 'close');
    clearTimeout(timer);
    return { code, ...said };
}

test('script/bench refuses what it does not understand', async (t) => {
    for (const [name, args] of Object.entries(REFUSED)) {
        await t.test(name, async () => {
            const { code, stdout, stderr } = await bench(args);
            assert.strictEqual(code, 2, stderr);
            assert.strictEqual(stdout, '');
            assert.match(stderr, /^script\/bench: [^\n]+\n$/);
        });
    }
});
