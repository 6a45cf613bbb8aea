/** Ports for what must come back on the same one. */
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');

const LEAST = 15000;

/**
 * A port of which nobody knows whether it is free: try it, and another one if it is not. It is below
 * those that the kernel gives to whoever asks for any, so nobody gets it while its owner is down.
 */
function randomPort() {
    const [given] = fs.readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/).map(Number);
    return crypto.randomInt(LEAST, given > LEAST + 1000 ? given : 65536);
}

module.exports = { randomPort };
