/** script/bench refuses what it cannot do in one line, with the exit code 2, before it builds or measures anything. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
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

test('script/bench refuses what it does not understand', async (t) => {
    for (const [name, args] of Object.entries(REFUSED)) {
        await t.test(name, () => {
            const { status, stdout, stderr } = spawnSync(path.join(ROOT, 'script/bench'), args, { encoding: 'utf8', timeout: 5000 });
            assert.strictEqual(status, 2, stderr);
            assert.strictEqual(stdout, '');
            assert.match(stderr, /^script\/bench: [^\n]+\n$/);
        });
    }
});
