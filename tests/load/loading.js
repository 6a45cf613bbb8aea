/** What the tests of script/load share: running it, with a k6 that is there or a pretended one, and the server it is put on. */
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');

const { findK6 } = require('../../load/run/k6');
const { ADMIN, ROOT, cli, startServer, temporaryFolder } = require('../http/lib');
const { importFile } = require('../tools/measure');

/** Times are no measure here: other tests run beside, and the machine may be anyone's. That limits of time are kept is tested with a slow server. */
const FACTOR = '50';
const SECONDS_SCALE = '0.01';
const LIMIT_MS = 60000;

/** Why tests that need k6 cannot run, or undefined. script/test has built it before, if that is possible. */
function whyNoK6() {
    try {
        const { file } = findK6();
        return fs.existsSync(file) ? undefined : 'NO LOAD WAS TESTED: k6 is not built; script/load k6 says why';
    } catch (error) {
        return `NO LOAD WAS TESTED: ${error.message}`;
    }
}

/** A folder that goes with test `t`. */
function folderOf(t) {
    const folder = temporaryFolder();
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
    return folder;
}

/** `script/load …` to its end: {code, stdout, stderr}. */
function load(args, { env, limitMs = LIMIT_MS, cwd } = {}) {
    const inherited = Object.fromEntries(['XDG_CACHE_HOME', 'PATH', 'HOME'].filter((name) => process.env[name]).map((name) => [name, process.env[name]]));
    return cli(args, { program: path.join(ROOT, 'script/load'), env: { ...inherited, ...env }, limitMs, cwd });
}

/** A run of a scenario for seconds: {code, stdout, stderr, result, report, summary}. `target`: a server of tests, or none. */
async function run(t, args, { target, env = {}, url } = {}) {
    const output = path.join(folderOf(t), 'result');
    const known = target === undefined ? {} : { OPENRISK_EMAIL: ADMIN.email, OPENRISK_PASSWORD: ADMIN.password, OPENRISK_OPS_URL: target.opsUrl };
    const [scenario, ...rest] = args;
    const where = target === undefined ? [] : [url || target.url];
    const settings = { DURATION_SCALE: SECONDS_SCALE, OPENRISK_LOAD_LATENCY_FACTOR: FACTOR, OPENRISK_BINARY: plainProgram(), ...known, ...env };
    const ended = await load([scenario, ...where, '--output', output, ...rest], { env: settings });
    const read = (name) => (fs.existsSync(path.join(output, name)) ? fs.readFileSync(path.join(output, name), 'utf8') : undefined);
    const result = read('result.json');
    return { ...ended, output, result: result && JSON.parse(result), report: read('report.html'), summary: read('summary.txt') };
}

/** The one without sanitizers, for its times are nobody's. */
function plainProgram() {
    return path.join(ROOT, 'build/openrisk');
}

/** A server that holds the KEV catalogue. */
async function filledServer(t, options = {}) {
    const server = await startServer(t, { engine: 'sqlite', program: plainProgram(), ...options });
    await server.stop();
    await importFile(server, path.join(ROOT, 'tests/data/kev.csv'));
    await server.start();
    return server;
}

/**
 * Something between k6 and a server that tampers with answers: `tamper(request, answer)` gives what is sent instead, {status, headers,
 * body}, or null for none at all: the connection ends. Gives its URL.
 */
async function startTamperer(t, origin, tamper) {
    const agent = new http.Agent({ keepAlive: true });
    const proxy = http.createServer((request, response) => {
        const chunks = [];
        request.on('data', (chunk) => chunks.push(chunk));
        request.on('end', () => {
            const { 'accept-encoding': _, ...headers } = request.headers;
            const onward = http.request(`${origin}${request.url}`, { method: request.method, headers, agent }, (answer) => {
                const parts = [];
                answer.on('data', (chunk) => parts.push(chunk));
                answer.on('end', async () => {
                    const all = { status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) };
                    const sent = await tamper(request, all);
                    if (sent === null) {
                        request.socket.destroy();
                        return;
                    }
                    response.writeHead(sent.status, { ...sent.headers, 'content-length': sent.body.length });
                    response.end(sent.body);
                });
            });
            onward.on('error', () => request.socket.destroy());
            onward.end(Buffer.concat(chunks));
        });
    });
    await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    t.after(() => {
        agent.destroy();
        proxy.closeAllConnections?.();
        proxy.close();
    });
    return `http://127.0.0.1:${proxy.address().port}`;
}

module.exports = { filledServer, folderOf, load, plainProgram, run, startTamperer, whyNoK6 };
