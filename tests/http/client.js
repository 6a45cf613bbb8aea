/**
 * Starts the client for large counts (tests/tools/client/), which is built beside the program under
 * test; `client --help` tells what it does.
 */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { binary, cli } = require('./lib');

/**
 * Run `client MODE …` against a server; all must be well. Gives the figures that it prints, by name,
 * and has tests/run.js print them too.
 */
async function runClient(t, server, mode, args, limitMs = 120000) {
    const program = path.join(path.dirname(binary()), 'tests/client');
    assert.ok(fs.existsSync(program), `no ${program}: run script/build with --tests first`);
    const { code, stdout, stderr } = await cli([mode, '--url', server.url, ...args], { program, limitMs });
    const figures = stdout.split('\n').find((line) => line.startsWith(`${mode}: `));
    if (figures) {
        t.diagnostic(`figure: ${figures}`);
    }
    assert.strictEqual(code, 0, `${stdout}${stderr}`);
    return Object.fromEntries([...figures.matchAll(/(\w+)=([\d.]+)/g)].map(([, name, value]) => [name, Number(value)]));
}

module.exports = { runClient };
