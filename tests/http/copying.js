/** What tests of `openrisk copy` share. */
'use strict';

const assert = require('node:assert');

const { cli } = require('./lib');

/** Run `openrisk copy`, which must succeed. */
async function copy(from, to) {
    const run = await cli(['copy', '--from', from, '--to', to]);
    assert.strictEqual(run.code, 0, run.stdout + run.stderr);
    return run;
}

/** What it says: {rows: {risk: 1404, …}, all, seconds}. */
function summaryOf({ stdout }) {
    const rows = Object.fromEntries([...stdout.matchAll(/^(\w+) +(\d+)$/gm)].map(([, table, count]) => [table, Number(count)]));
    const [, all, seconds] = /^copied (\d+) rows in (\d+\.\d+) s/m.exec(stdout);
    assert.strictEqual(Object.values(rows).reduce((sum, count) => sum + count, 0), Number(all));
    return { rows, all, seconds };
}

module.exports = { copy, summaryOf };
