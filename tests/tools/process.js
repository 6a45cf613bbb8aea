/** Servers that tests start and end: what the kernel knows of them, signals, waiting. */
'use strict';

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');

/** As whom a server runs, since root is more than it needs: {uid, gid, args}, the last for setpriv. */
function unprivileged() {
    if (process.getuid() !== 0) {
        return { uid: process.getuid(), gid: process.getgid(), args: [] };
    }
    const idOf = (option) => Number(execFileSync('id', [option, 'nobody'], { encoding: 'utf8' }));
    const [uid, gid] = [idOf('-u'), idOf('-g')];
    return { uid, gid, args: [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'] };
}

/** What the kernel says of a process: {state: 'S', parent}; of one that is not there, the state X. */
function processOf(pid) {
    try {
        const [state, parent] = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
        return { state, parent: Number(parent) };
    } catch {
        return { state: 'X' };
    }
}

/** One that has ended and that nobody has waited for is not, unless it has threads that still hold its sockets. */
function isAlive(pid) {
    const { state } = processOf(pid);
    return state === 'Z' ? threadsOf(pid) > 1 : state !== 'X';
}

function threadsOf(pid) {
    try {
        return fs.readdirSync(`/proc/${pid}/task`).length;
    } catch {
        return 0;
    }
}

function childrenOf(parent) {
    return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => processOf(pid).parent === parent);
}

function signal(pid, name) {
    try {
        process.kill(pid, name);
    } catch (error) {
        assert.strictEqual(error.code, 'ESRCH', error);
    }
}

/** Wait without letting anything else happen, for the exit of this process cannot wait otherwise. */
function waitInPlace(condition, limitMs) {
    const clock = new Int32Array(new SharedArrayBuffer(4));
    for (const deadline = Date.now() + limitMs; !condition() && Date.now() < deadline;) {
        Atomics.wait(clock, 0, 0, 5);
    }
    return condition();
}

async function waitFor(condition, what, limitMs) {
    for (const deadline = Date.now() + limitMs; !condition();) {
        assert.ok(Date.now() < deadline, `waited ${limitMs} ms in vain for ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
}

module.exports = { childrenOf, isAlive, processOf, signal, unprivileged, waitFor, waitInPlace };
