/**
 * A proxy for HTTP that can be told to alter what is asked and answered.
 *
 *   const proxy = await startAltering([server.url]);          // with several, each request goes to the next
 *   proxy.alter = async (request, forward) => {
 *       const reply = await forward(request);                 // {status, headers, body}, the body as text, not compressed
 *       return { ...reply, body: reply.body.replace('1', '2') };
 *   };
 *   … proxy.url …
 *   await proxy.stop();
 *
 * `request`: {method, path, headers, body}. Without `alter` all goes on unchanged. An alteration that gives nothing closes the
 * connection without an answer. `proxy.targets` may be changed.
 */
'use strict';

const http = require('node:http');
const https = require('node:https');
const zlib = require('node:zlib');

const HOST = '127.0.0.1';
/** Of a hop, not of the message; and the length, which may be another one then. */
const HOPS = ['connection', 'keep-alive', 'transfer-encoding', 'content-length'];

function without(headers, names) {
    return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name.toLowerCase())));
}

async function bodyOf(stream) {
    const chunks = [];
    for await (const chunk of stream) {
        chunks.push(chunk);
    }
    return Buffer.concat(chunks);
}

class Altering {
    constructor(targets) {
        this.targets = targets;
        this.count = 0;
        this.alter = (request, forward) => forward(request);
        this.agent = new http.Agent({ keepAlive: true });
        this.forward = this.forward.bind(this);
    }

    async listen(tls) {
        const serve = (request, response) => this.serve(request, response).catch(() => response.destroy());
        this.server = tls ? https.createServer(tls, serve) : http.createServer(serve);
        await new Promise((resolve) => this.server.listen(0, HOST, resolve));
        this.url = `${tls ? 'https' : 'http'}://${HOST}:${this.server.address().port}`;
    }

    async serve(incoming, outgoing) {
        const { method, url, headers } = incoming;
        const body = (await bodyOf(incoming)).toString('utf8');
        const reply = await this.alter({ method, path: url, headers: without(headers, HOPS), body }, this.forward);
        if (reply === undefined) {
            outgoing.destroy();
            return;
        }
        const isGzip = reply.headers['content-encoding'] === 'gzip' && reply.status !== 304 && reply.body !== '';
        const bytes = isGzip ? zlib.gzipSync(reply.body) : Buffer.from(reply.body);
        outgoing.writeHead(reply.status, { ...without(reply.headers, HOPS), ...(reply.status === 304 || reply.status === 204 ? {} : { 'content-length': bytes.length }) });
        outgoing.end(bytes);
    }

    forward({ method, path, headers, body }) {
        const target = this.targets[this.count++ % this.targets.length];
        const length = body === '' && method === 'GET' ? {} : { 'content-length': Buffer.byteLength(body) };
        const options = { method, headers: { ...headers, ...length }, agent: method === 'GET' ? this.agent : false };
        return new Promise((resolve, reject) => {
            const request = http.request(new URL(path, target), options, async (response) => {
                const bytes = await bodyOf(response).catch(reject);
                const plain = response.headers['content-encoding'] === 'gzip' && bytes.length > 0 ? zlib.gunzipSync(bytes) : bytes;
                resolve({ status: response.statusCode, headers: response.headers, body: plain.toString('utf8') });
            });
            request.on('error', reject);
            request.end(body);
        });
    }

    async stop() {
        this.server.closeAllConnections();
        this.agent.destroy();
        await new Promise((resolve) => this.server.close(resolve));
    }
}

/** `tls`: {key, cert}, to be asked by https. */
async function startAltering(targets, { tls } = {}) {
    const proxy = new Altering(targets);
    await proxy.listen(tls);
    return proxy;
}

module.exports = { startAltering };
