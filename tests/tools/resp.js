/**
 * A client of Redis, for tests that look at it or tamper with it.
 *
 *   const client = connectRedis('redis://:password@127.0.0.1:6379/0');
 *   await client.command('CONFIG', 'GET', 'maxmemory'); // ['maxmemory', '0']
 *   for (const key of await client.keys('openrisk:*')) {
 *       const value = await client.get(key);            // a Buffer, or null
 *       await client.set(key, value.subarray(1), await client.pttl(key));
 *   }
 *   client.close();
 *
 * It connects when it is asked something and again after its connection was lost. What is not
 * answered within `limitMs` fails, and so does all that is under way when the connection ends.
 */
'use strict';

const assert = require('node:assert');
const net = require('node:net');

const LIMIT_MS = 10000;

/** A command as bytes. Arguments are texts, numbers or Buffers. */
function encode(args) {
    const parts = args.map((one) => (Buffer.isBuffer(one) ? one : Buffer.from(String(one))));
    return Buffer.concat([
        Buffer.from(`*${parts.length}\r\n`),
        ...parts.flatMap((part) => [Buffer.from(`$${part.length}\r\n`), part, Buffer.from('\r\n')]),
    ]);
}

/** The reply that begins at `start`: {value, end}; undefined if it is not all there yet. An error is a value, too. */
function decode(bytes, start = 0) {
    const lineEnd = bytes.indexOf('\r\n', start);
    if (lineEnd < 0) {
        return undefined;
    }
    const line = bytes.toString('utf8', start + 1, lineEnd);
    const end = lineEnd + 2;
    switch (bytes.toString('latin1', start, start + 1)) {
        case '+':
            return { value: line, end };
        case '-':
            return { value: new Error(line), end };
        case ':':
            return { value: Number(line), end };
        case '$': {
            const bodyEnd = end + Number(line);
            if (bodyEnd < end) {
                return { value: null, end };
            }
            return bytes.length < bodyEnd + 2 ? undefined : { value: bytes.subarray(end, bodyEnd), end: bodyEnd + 2 };
        }
        case '*':
            return Number(line) < 0 ? { value: null, end } : decodeItems(bytes, end, Number(line));
        default:
            throw new Error(`this is no reply of Redis: ${bytes.toString('latin1', start, start + 80)}`);
    }
}

function decodeItems(bytes, start, count) {
    const value = [];
    let end = start;
    while (value.length < count) {
        const item = decode(bytes, end);
        if (item === undefined) {
            return undefined;
        }
        value.push(item.value);
        end = item.end;
    }
    return { value, end };
}

/** Buffers as texts. */
function texts(value) {
    if (Array.isArray(value)) {
        return value.map(texts);
    }
    return Buffer.isBuffer(value) ? value.toString() : value;
}

/** One connection. Answers come in the order of the questions. */
class Connection {
    constructor(host, port, limitMs) {
        this.limitMs = limitMs;
        this.waiting = []; // {resolve, reject, timer}
        this.received = Buffer.alloc(0);
        this.socket = net.connect({ host, port, noDelay: true });
        this.socket.on('data', (chunk) => this.take(chunk));
        this.socket.on('error', (error) => this.fail(error));
        this.socket.on('close', () => this.fail(new Error('Redis has closed the connection')));
        this.socket.unref(); // Nobody's end waits for it, unless an answer is waited for.
    }

    ask(args) {
        return new Promise((resolve, reject) => {
            const late = () => this.fail(new Error(`Redis has not answered ${args[0]} within ${this.limitMs} ms`));
            this.waiting.push({ resolve, reject, timer: setTimeout(late, this.limitMs) });
            this.socket.write(encode(args));
        });
    }

    take(chunk) {
        this.received = Buffer.concat([this.received, chunk]);
        try {
            for (let reply; (reply = decode(this.received)) !== undefined;) {
                this.received = this.received.subarray(reply.end);
                this.answer(reply.value);
            }
        } catch (error) {
            this.fail(error);
        }
    }

    answer(value) {
        const { resolve, reject, timer } = this.waiting.shift();
        clearTimeout(timer);
        if (value instanceof Error) {
            reject(value);
        } else {
            resolve(value);
        }
    }

    fail(error) {
        this.ended = true;
        this.socket.destroy();
        while (this.waiting.length > 0) {
            this.answer(error);
        }
    }
}

class RedisClient {
    constructor(url, limitMs) {
        const { protocol, hostname, port, username, password, pathname } = new URL(url);
        assert.ok(protocol === 'redis:' && hostname !== '', `${url} is no URL of a Redis`);
        this.host = hostname.replace(/^\[|\]$/g, '');
        this.port = Number(port || 6379);
        this.limitMs = limitMs;
        this.greeting = [];
        if (password !== '') {
            this.greeting.push(['AUTH', ...[username, password].filter((one) => one !== '').map(decodeURIComponent)]);
        }
        if (pathname.length > 1) {
            this.greeting.push(['SELECT', pathname.slice(1)]);
        }
    }

    /** The reply, with Buffers for what Redis keeps as bytes. An error of Redis rejects. */
    async raw(...args) {
        if (!this.connection || this.connection.ended) {
            const connection = new Connection(this.host, this.port, this.limitMs);
            this.connection = connection;
            this.greeted = Promise.all(this.greeting.map((command) => connection.ask(command)));
            this.greeted.catch((error) => connection.fail(error)); // Not let in: the next one tries anew.
        }
        const answer = this.connection.ask(args);
        answer.catch(() => {}); // That it was not let in says more.
        await this.greeted;
        return answer;
    }

    /** The reply, as texts and numbers. */
    async command(...args) {
        return texts(await this.raw(...args));
    }

    /** All keys that match, sorted. */
    async keys(pattern = '*') {
        const found = new Set();
        let cursor = '0';
        do {
            const [next, keys] = await this.command('SCAN', cursor, 'MATCH', pattern, 'COUNT', 1000);
            keys.forEach((key) => found.add(key));
            cursor = next;
        } while (cursor !== '0');
        return [...found].sort();
    }

    /** A Buffer, or null. */
    get(key) {
        return this.raw('GET', key);
    }

    /** `value`: a text or a Buffer; for `ttlMs`, else for ever. */
    async set(key, value, ttlMs) {
        await this.raw('SET', key, value, ...(ttlMs > 0 ? ['PX', ttlMs] : []));
    }

    /** For how many ms it is still kept; -1: for ever; -2: there is none. */
    pttl(key) {
        return this.raw('PTTL', key);
    }

    /** Everything in all databases is gone. */
    async flush() {
        await this.raw('FLUSHALL', 'SYNC');
    }

    /** What INFO says, by name: {used_memory: '1234', …}. */
    async info(section = 'default') {
        const text = await this.command('INFO', section);
        return Object.fromEntries([...text.matchAll(/^(\w+):(.*)$/gm)].map(([, name, value]) => [name, value]));
    }

    close() {
        if (this.connection) {
            this.connection.fail(new Error('the client was closed'));
        }
    }
}

function connectRedis(url, { limitMs = LIMIT_MS } = {}) {
    return new RedisClient(url, limitMs);
}

module.exports = { connectRedis, decode, encode };
