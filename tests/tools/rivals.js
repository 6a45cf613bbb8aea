/**
 * The servers that OpenRisk's cached answers are compared with, each made to send the same bytes: nginx
 * by `return 200`, Varnish as a hit, and tests/tools/bare.c. They are plain processes in temporary
 * folders on free ports of the loopback, run as whoever runs us; no service of the system is
 * used or touched.
 */
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { inTime, temporaryFolder, waitFor } = require('../http/lib');

const START_LIMIT_MS = 30000;
const STOP_LIMIT_MS = 15000;

/** nginx gives up on a word of its configuration that has 4,096 bytes. */
const NGINX_WORD_BYTES = 4000;

/** What every server says by itself. */
const OWN_HEADERS = ['date', 'content-length', 'connection', 'keep-alive', 'server'];

/** Servers of Debian are in a folder that users need not have in their PATH. */
const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

function freePort() {
    return new Promise((resolve, reject) => {
        const server = net.createServer();
        server.on('error', reject);
        server.listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });
}

/**
 * One answer as it is on the wire: {status, headers: [[name, value] …], header(name), body (bytes), size
 * (head and body)}. The request is the one that the load generators send.
 */
function answerOf(port, route, token) {
    const got = new Promise((resolve, reject) => {
        const socket = net.connect(port, '127.0.0.1');
        let bytes = Buffer.alloc(0);
        socket.on('error', reject);
        socket.on('close', () => reject(new Error(`GET ${route}: the connection was closed before the answer was complete`)));
        socket.on('data', (chunk) => {
            bytes = Buffer.concat([bytes, chunk]);
            const end = bytes.indexOf('\r\n\r\n');
            if (end < 0) {
                return;
            }
            const [first, ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
            const headers = lines.map((line) => /^([^:]+): *(.*)$/.exec(line).slice(1));
            const header = (name) => headers.find(([other]) => other.toLowerCase() === name)?.[1];
            const size = end + 4 + Number(header('content-length'));
            if (bytes.length >= size) {
                resolve({ status: Number(first.split(' ')[1]), headers, header, body: bytes.subarray(end + 4), size: bytes.length });
                socket.destroy();
            }
        });
        socket.write(`GET ${route} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    });
    return inTime(got, `GET ${route}`, 10000);
}

/** The headers of an answer that another server must be told to send. */
function foreignHeaders(answer) {
    return answer.headers.filter(([name]) => !OWN_HEADERS.includes(name.toLowerCase()));
}

/** Start a program; it is stopped by `cleanUps`, and when we end in another way. */
function start(cleanUps, command, args) {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PATH } });
    const run = { pid: child.pid, output: '', ended: false };
    // SIGTERM and not SIGKILL: nginx and Varnish have children of their own to stop.
    const terminate = () => child.kill('SIGTERM');
    process.on('exit', terminate);
    child.stdout.on('data', (chunk) => (run.output += chunk));
    child.stderr.on('data', (chunk) => (run.output += chunk));
    const exited = new Promise((resolve) => {
        child.on('error', (error) => {
            run.output += error.message;
            resolve();
        });
        child.on('close', resolve);
    }).then(() => {
        run.ended = true;
        process.removeListener('exit', terminate);
    });
    cleanUps.push(() => {
        terminate();
        return inTime(exited, `ending ${command}`, STOP_LIMIT_MS);
    });
    return run;
}

/** Wait until something is true of a program that has been started and still runs. */
function waitUntilReady(run, name, condition) {
    const check = () => {
        if (run.ended) {
            throw new Error(`${name} ended before it was ready:\n${run.output}`);
        }
        return condition();
    };
    return waitFor(check, `${name} to be ready`, START_LIMIT_MS);
}

function waitUntilAnswering(run, name, port, route, token) {
    return waitUntilReady(run, name, () => answerOf(port, route, token).catch(() => undefined));
}

function temporary(cleanUps) {
    const folder = temporaryFolder();
    cleanUps.push(() => fs.rmSync(folder, { recursive: true, force: true }));
    return folder;
}

/** A text of bytes as a word between single quotes. `$` would begin a variable, and cannot be escaped. */
function quoted(text) {
    return `'${text.replace(/[\\']/g, '\\$&').replaceAll('$', '${dollar}')}'`;
}

/** The bytes, as latin1, in pieces that fit into a word of nginx's configuration. */
function piecesOf(body) {
    const pieces = [''];
    for (const character of body.toString('latin1')) {
        const last = pieces.length - 1;
        if (quoted(pieces[last] + character).length > NGINX_WORD_BYTES) {
            pieces.push(character);
        } else {
            pieces[last] += character;
        }
    }
    return pieces;
}

/**
 * One piece is the fastest that nginx knows: a constant. A longer body is put together from constants,
 * which costs nginx one copy of it for each answer; no other way is left to `return`.
 */
function nginxConfig(answer, port) {
    const pieces = piecesOf(answer.body).map(quoted);
    const maps = pieces.length === 1 ? [] : pieces.map((piece, index) => `map '' $piece_${index} { default ${piece}; }`);
    const text = pieces.length === 1 ? pieces[0] : `"${pieces.map((_, index) => `$piece_${index}`).join('')}"`;
    const headers = foreignHeaders(answer).filter(([name]) => name.toLowerCase() !== 'content-type');
    const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    return `
daemon off;
worker_processes 1;
pid nginx.pid;
${process.getuid() === 0 ? 'user root;' : ''}
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_requests 1000000000;
    ${kinds.map((kind) => `${kind}_temp_path ${kind};`).join(' ')}
    geo $dollar { default '$'; }
    ${maps.join('\n    ')}
    server {
        listen 127.0.0.1:${port};
        default_type ${quoted(answer.header('content-type'))};
        ${headers.map(([name, value]) => `add_header ${name} ${quoted(value)};`).join('\n        ')}
        location / { return 200 ${text}; }
    }
}
`;
}

async function startNginx(cleanUps, answer, route, token) {
    const folder = temporary(cleanUps);
    const port = await freePort();
    fs.writeFileSync(path.join(folder, 'nginx.conf'), nginxConfig(answer, port), 'latin1');
    const run = start(cleanUps, 'nginx', ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr']);
    await waitUntilAnswering(run, 'nginx', port, route, token);
    return { name: 'nginx', port, pid: run.pid };
}

/** The rules of Debian's varnishd, but answers to whoever brings a token are kept, and for as long as we measure. */
function varnishRules(port) {
    return `vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "${port}"; }
sub vcl_recv { return (hash); }
sub vcl_backend_response { set beresp.ttl = 1d; return (deliver); }
`;
}

async function startVarnish(cleanUps, nginx, route, token) {
    const folder = temporary(cleanUps);
    const port = await freePort();
    const rules = path.join(folder, 'rules.vcl');
    fs.writeFileSync(rules, varnishRules(nginx.port));
    const args = ['-F', '-j', 'none', '-n', path.join(folder, 'work'), '-f', rules, '-a', `127.0.0.1:${port}`, '-T', 'none', '-s', 'malloc,64m'];
    const run = start(cleanUps, 'varnishd', args);
    await waitUntilAnswering(run, 'varnishd', port, route, token);
    const { headers, header } = await answerOf(port, route, token);
    // A hit names two requests: this one, and the one that fetched.
    if (!/^\d+ \d+$/.test(header('x-varnish'))) {
        throw new Error(`Varnish does not answer with a hit: ${JSON.stringify(headers)}`);
    }
    return { name: 'Varnish', port, pid: run.pid };
}

async function startBare(cleanUps, program, answer) {
    const file = path.join(temporary(cleanUps), 'body');
    fs.writeFileSync(file, answer.body);
    const headers = foreignHeaders(answer).map(([name, value]) => `${name}: ${value}`);
    const run = start(cleanUps, program, ['0', file, ...headers]);
    const ready = await waitUntilReady(run, program, () => /^ready listen=\S+:(\d+)$/m.exec(run.output));
    return { name: 'bare libmicrohttpd', port: Number(ready[1]), pid: run.pid };
}

module.exports = { answerOf, startBare, startNginx, startVarnish };
