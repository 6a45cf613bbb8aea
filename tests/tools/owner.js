/** What a test starts must end with the process that has started it, however that ends. */
'use strict';

const assert = require('node:assert');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');

const { waitFor } = require('../http/lib');
const { isAlive } = require('./process');

const ENDINGS = { 'at its end': '', 'by process.exit()': 'process.exit();', 'by an error': 'throw new Error();' };

/** A process that has started a server and then does `ending`: {child, exited, pid, folder}, the latter two of the server. */
async function startOwner(t, { file, start, use = '' }, ending) {
    const script = `
        require(${JSON.stringify(file)}).${start}().then(async (server) => {
            ${use}
            console.log(JSON.stringify({ pid: server.pid, folder: server.folder }));
            ${ending}
        });`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    const exited = once(child, 'exit');
    t.after(() => child.kill('SIGKILL'));
    const [line] = await once(child.stdout, 'data');
    return { child, exited, ...JSON.parse(line) };
}

/**
 * `started`: {file, start, use}: `start`, a function of the module in `file`, gives a `server` with a pid and a folder, and
 * `use` is code that does something with it. `endings`: further ways by which its owner ends, as code.
 */
async function assertEndsWithOwner(t, started, endings = {}) {
    for (const [how, ending] of Object.entries({ ...ENDINGS, ...endings })) {
        await t.test(how, async (t2) => {
            const { exited, pid, folder } = await startOwner(t2, started, ending);
            await exited;
            assert.ok(!isAlive(pid), 'the server');
            assert.ok(!fs.existsSync(folder), 'the folder');
        });
    }

    await t.test('also by SIGKILL', async (t2) => {
        const { child, pid, folder } = await startOwner(t2, started, 'setInterval(() => {}, 1000);');
        assert.ok(isAlive(pid));
        child.kill('SIGKILL');
        await waitFor(() => !isAlive(pid), 'the server to end');
        fs.rmSync(folder, { recursive: true }); // Which nobody else could do.
    });
}

module.exports = { assertEndsWithOwner };
