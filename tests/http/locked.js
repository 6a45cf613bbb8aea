/** Somebody else who writes to the server's SQLite file, and does not let go. */
'use strict';

const { spawn } = require('node:child_process');

const { waitFor } = require('./lib');

/** Another program that writes, until its input ends. */
const HOLD_WRITE_LOCK = `
import sqlite3, sys
database = sqlite3.connect("file:" + sys.argv[1] + "?mode=rw", uri=True, isolation_level=None, timeout=10)
database.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
database.execute("ROLLBACK")
`;

/** Hold the lock of the server's file; gives a function that lets go of it. */
async function holdWriteLock(t, server) {
    const file = server.env.DATABASE_URL.slice('sqlite:'.length);
    const child = spawn('python3', ['-c', HOLD_WRITE_LOCK, file], { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(() => child.kill('SIGKILL'));
    [child, child.stdin, child.stdout].forEach((one) => one.unref()); // Should a test fail, this keeps nobody; its input ends with us.
    const exited = new Promise((resolve) => child.on('exit', resolve));
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (said += text));
    await waitFor(() => said.includes('held'), 'the lock');
    return () => {
        child.stdin.end();
        return exited;
    };
}

module.exports = { holdWriteLock };
