/** What tests of the command line share: how one sees that a command failed or succeeded. */
'use strict';

const assert = require('node:assert');

/** The command must have failed as `code` says, with a message that matches and nothing else. */
function assertFails(run, code, message) {
    assert.strictEqual(run.code, code, `${run.stdout}\n${run.stderr}`);
    assert.match(run.stderr, /^openrisk: /m);
    assert.match(run.stderr, message);
    assert.strictEqual(run.stdout, '');
}

async function succeed(server, args, options) {
    const run = await server.cli(args, options);
    assert.strictEqual(run.code, 0, `openrisk ${args.join(' ')}: ${run.stderr}`);
    return run;
}

module.exports = { assertFails, succeed };
