/**
 * A fast client: requests as bytes over one connection that is kept alive, several of them under way at a time.
 *
 *   const pipeline = await connectPipeline(server.url);
 *   const [first, second] = await pipeline.ask([get('/', { token }), requestOf('PATCH', '/api/v1/risks/1', { token, body: { title: 'x' } })]);
 *   first.status; first.header('etag');     // bodies are not kept
 *   pipeline.close();
 */
'use strict';

const assert = require('node:assert');
const net = require('node:net');

const END_OF_HEAD = Buffer.from('\r\n\r\n');

/** {bytes, isHead} for ask(). */
function requestOf(method, target, { token, body, headers = {} } = {}) {
    const lines = [`${method} ${target} HTTP/1.1`, 'Host: localhost', ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
    if (token !== undefined) {
        lines.push(`Authorization: Bearer ${token}`);
    }
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    if (text !== undefined) {
        lines.push('Content-Type: application/json', `Content-Length: ${Buffer.byteLength(text)}`);
    }
    return { bytes: `${lines.join('\r\n')}\r\n\r\n${text || ''}`, isHead: method === 'HEAD' };
}

class Answer {
    constructor(head) {
        this.head = head;
        this.status = Number(head.slice(9, 12));
    }

    /** By its name in any case; undefined if it is not there. */
    header(name) {
        const [, value] = new RegExp(`^${name}: *(.*?) *$`, 'im').exec(this.head) || [];
        return value;
    }

    /** Of the body that follows. */
    length(isHead) {
        if (isHead || this.status === 204 || this.status === 304) {
            return 0;
        }
        const length = Number(this.header('content-length'));
        assert.ok(Number.isInteger(length), `no length: ${this.head}`);
        return length;
    }
}

class Pipeline {
    constructor(socket) {
        this.socket = socket;
        this.rest = Buffer.alloc(0);
        this.asked = []; // of isHead, in their order
        this.answers = [];
        socket.on('data', (chunk) => this.take(chunk));
        socket.on('error', (error) => this.fail(error));
        socket.on('close', () => this.fail(new Error(`the connection was closed, ${this.asked.length} requests have no answer`)));
    }

    take(chunk) {
        this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
        let at = 0;
        while (this.asked.length > 0) {
            const end = this.rest.indexOf(END_OF_HEAD, at);
            if (end < 0) {
                break;
            }
            const answer = new Answer(this.rest.toString('latin1', at, end));
            const next = end + END_OF_HEAD.length + answer.length(this.asked[0]);
            if (next > this.rest.length) {
                break;
            }
            at = next;
            this.asked.shift();
            this.answers.push(answer);
        }
        this.rest = this.rest.subarray(at);
        if (this.asked.length === 0 && this.done) {
            const { done, answers } = this;
            this.done = undefined;
            this.answers = [];
            done.resolve(answers);
        }
    }

    fail(error) {
        if (this.done) {
            this.done.reject(error);
        }
    }

    /** All at once; the answers, in their order. One call at a time. */
    ask(requests) {
        assert.ok(!this.done);
        this.asked.push(...requests.map(({ isHead }) => isHead));
        return new Promise((resolve, reject) => {
            this.done = { resolve, reject };
            this.socket.write(requests.map(({ bytes }) => bytes).join(''));
        });
    }

    close() {
        this.socket.destroy();
    }
}

function connectPipeline(url) {
    const { hostname, port } = new URL(url);
    return new Promise((resolve, reject) => {
        const socket = net.connect(Number(port), hostname, () => {
            socket.removeListener('error', reject);
            socket.setNoDelay(true);
            resolve(new Pipeline(socket));
        });
        socket.on('error', reject);
    });
}

module.exports = { connectPipeline, requestOf };
