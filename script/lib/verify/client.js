/**
 * Asking over HTTP, with nothing but node: no answer is a NoAnswer that says why in a few words.
 *
 *   const client = new Client('https://risk.example.org/api/v1', { timeoutMs: 10000, insecure: false });
 *   const reply = await client.get('/stats', { Authorization: `Bearer ${token}` });
 *   reply.status, reply.headers, reply.bytes (as they came), reply.text (not compressed), reply.json (or undefined)
 */
'use strict';

const http = require('node:http');
const https = require('node:https');
const zlib = require('node:zlib');

/** Answers that are larger are not looked at: none of OpenRisk's is. */
const ANSWER_MAX = 64 << 20;

class NoAnswer extends Error {}

const REASONS = {
    ECONNREFUSED: 'connection refused',
    ECONNRESET: 'the connection was closed before an answer came',
    ENOTFOUND: 'there is no such host',
    EAI_AGAIN: 'the name of the host cannot be looked up',
    EHOSTUNREACH: 'there is no way to this host',
    ENETUNREACH: 'there is no way to this network',
    ETIMEDOUT: 'no connection in time',
    EPROTO: 'it does not speak TLS; is it http:// rather than https://?',
    ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS; is it http:// rather than https://?',
    ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS; is it http:// rather than https://?',
    DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is its own; --insecure believes it',
    SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is of nobody who is known here; --insecure believes it',
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is of nobody who is known here; --insecure believes it',
    ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is of another host; --insecure believes it',
    CERT_HAS_EXPIRED: 'its certificate has expired; --insecure believes it',
};

/** What an error of node says, in words. */
function reasonOf(error) {
    if (REASONS[error.code]) {
        return REASONS[error.code];
    }
    if (/^HPE_/.test(error.code || '')) {
        return 'what came is not HTTP; is it https:// rather than http://?';
    }
    return error.message || error.code || String(error);
}

function parsed(text, type) {
    if (!/json/.test(type || '')) {
        return undefined;
    }
    try {
        return JSON.parse(text);
    } catch {
        return undefined;
    }
}

class Client {
    constructor(base, { timeoutMs, insecure = false }) {
        this.base = new URL(base);
        this.timeoutMs = timeoutMs;
        this.http = this.base.protocol === 'https:' ? https : http;
        this.options = this.base.protocol === 'https:' ? { rejectUnauthorized: !insecure } : {};
        this.agent = new this.http.Agent({ ...this.options, keepAlive: true });
    }

    /** `body`: a string as it is, anything else as JSON. */
    async request(method, route, { body, headers = {}, timeoutMs = this.timeoutMs } = {}) {
        // A server may close a connection just when it is used again. Asking once more is right only for what changes nothing;
        // so whatever else is sent has a connection of its own.
        const asks = method === 'GET';
        for (let attempt = 1; ; attempt++) {
            const request = this.start(method, route, body, headers, asks && attempt === 1);
            try {
                return await this.answerOf(request, method, route, timeoutMs);
            } catch (error) {
                if (!(asks && request.reusedSocket && attempt === 1 && error instanceof NoAnswer)) {
                    throw error;
                }
            }
        }
    }

    start(method, route, body, headers, keep) {
        const all = { ...headers };
        let bytes;
        if (body !== undefined) {
            bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
            all['Content-Type'] = all['Content-Type'] || 'application/json';
            all['Content-Length'] = bytes.length;
        }
        const target = new URL(this.base.href.replace(/\/$/, '') + route);
        const request = this.http.request(target, { ...this.options, method, headers: all, agent: keep ? this.agent : false });
        request.end(bytes);
        return request;
    }

    answerOf(request, method, route, timeoutMs) {
        return new Promise((resolve, reject) => {
            const fail = (why) => {
                reject(new NoAnswer(`${method} ${this.base.origin}${this.base.pathname.replace(/\/$/, '')}${route}: ${why}`));
                request.destroy();
            };
            const timer = setTimeout(() => fail(`no answer within ${timeoutMs / 1000} s`), timeoutMs);
            request.on('close', () => clearTimeout(timer));
            request.on('error', (error) => fail(reasonOf(error)));
            request.on('response', (response) => {
                const chunks = [];
                let size = 0;
                response.on('data', (chunk) => {
                    size += chunk.length;
                    if (size > ANSWER_MAX) {
                        fail('the answer has no end');
                    }
                    chunks.push(chunk);
                });
                response.on('error', (error) => fail(reasonOf(error)));
                response.on('end', () => {
                    try {
                        resolve(this.replyOf(response, Buffer.concat(chunks)));
                    } catch (error) {
                        fail(`the answer cannot be decompressed: ${error.message}`);
                    }
                });
            });
        });
    }

    replyOf({ statusCode, headers }, bytes) {
        const isGzip = headers['content-encoding'] === 'gzip' && bytes.length > 0;
        const plain = isGzip ? zlib.gunzipSync(bytes) : bytes;
        const text = plain.toString('utf8');
        return { status: statusCode, headers, bytes, plain, text, json: parsed(text, headers['content-type']) };
    }

    get(route, headers, timeoutMs) {
        return this.request('GET', route, { headers, timeoutMs });
    }

    close() {
        this.agent.destroy();
    }
}

module.exports = { Client, NoAnswer };
