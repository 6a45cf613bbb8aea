/**
 * What no log may hold: every password, token and cookie that the clients of a test file use or get.
 * lib.js notes them as they go by, and searches for them in all that a server has printed when it ends.
 */
'use strict';

const assert = require('node:assert');

/** Value → what it is. */
const secrets = new Map();

/** Shorter ones are made up by tests to be refused, and stand in any text by chance. */
const LEAST_CHARACTERS = 10;
const TOKEN = /\bor_[0-9a-z]{20,}/g;
const PRINTED_PASSWORD = /^ {2}password {2}(\S+)$/m;

function note(value, what) {
    if (typeof value === 'string' && value.length >= LEAST_CHARACTERS) {
        secrets.set(value, what);
    }
}

/** `a=1; b=2`, or one that is set, with what follows it. */
function noteCookies(text) {
    for (const [, name, value] of text.matchAll(/([\w-]+)=([^;\s]+)/g)) {
        if (!/^(Path|Max-Age|SameSite|Expires)$/i.test(name)) {
            note(value, `the cookie ${name}`);
        }
    }
}

/** Tokens that stand in any text, and headers as they go over the wire. */
function noteText(text) {
    for (const [token] of text.matchAll(TOKEN)) {
        note(token, 'a token');
    }
    for (const [, token] of text.matchAll(/^(?:Authorization: *Bearer|Consistency-Token:) +(\S+)/gim)) {
        note(token, 'a token');
    }
    for (const [, cookies] of text.matchAll(/^(?:Set-)?Cookie:(.*)$/gim)) {
        noteCookies(cookies);
    }
}

function noteHeaders(headers) {
    for (const [name, value] of Object.entries(headers)) {
        noteText([value].flat().map((one) => `${name}: ${one}`).join('\n'));
    }
}

function noteRequest(headers, body) {
    noteHeaders(headers);
    for (const [, member, value] of (body || '').toString().matchAll(/"(\w*password|token)": *("(?:[^"\\]|\\.)*")/g)) {
        try {
            note(JSON.parse(value), `a ${member}`);
        } catch {
            // A test of what is no JSON.
        }
    }
    noteText((body || '').toString());
}

function noteAnswer(headers, body) {
    noteHeaders(headers);
    noteText(body);
}

/** Of a server: its environment. */
function noteSettings(env) {
    for (const [name, value] of Object.entries(env)) {
        if (/PASSWORD$|TOKEN$/.test(name)) {
            note(value, name);
        }
        const password = /_URL$/.test(name) && /^\w+:\/\/[^/@]*:([^/@]+)@/.exec(value);
        if (password) {
            note(password[1], `the password of ${name}`);
            note(decodeURIComponent(password[1]), `the password of ${name}`);
        }
    }
}

/** Only the first administrator's password is printed, once, on standard output. */
function assertKept({ stdout, stderr }) {
    const printed = PRINTED_PASSWORD.exec(stdout);
    if (printed && !/^as in/.test(printed[1])) {
        note(printed[1], 'the first password');
    }
    const all = stderr + stdout.replace(PRINTED_PASSWORD, '');
    for (const [value, what] of secrets) {
        assert.ok(!all.includes(value), `${what} is in what the server has printed: …${around(all, value)}…`);
    }
}

function around(text, value) {
    const at = text.indexOf(value);
    return text.slice(Math.max(0, at - 200), at + value.length + 100);
}

module.exports = { assertKept, noteAnswer, noteRequest, noteSettings, noteText };
