/**
 * A network that can be told to fail, between a program and a server such as PostgreSQL.
 *
 *   const proxy = await startProxy('127.0.0.1', 5432);
 *   const server = await startServer(t, { env: { DATABASE_URL: proxy.url(databaseUrl) } });
 *   await proxy.down();               // closes all connections and refuses new ones
 *   await proxy.latency(20);          // all goes on, each way 20 ms later
 *   await proxy.stall();              // takes connections and bytes, and passes none on
 *   await proxy.cutAfter(100, 'fromServer', 1); // ends the next connection after 100 bytes of the server
 *   await proxy.pass();               // all is well; what was held back goes on
 *   await proxy.reset();              // RST to all that are connected; the mode stays
 *   proxy.open, proxy.accepted, proxy.cuts, proxy.bytes.fromServer, proxy.bytes.toServer
 *   await proxy.stop();
 *
 * Each mode replaces the one before. Connections that are there when cutAfter() is called are left
 * alone. The order of bytes is kept in all modes, and an end of stream is passed on like bytes are.
 */
'use strict';

const assert = require('node:assert');
const net = require('node:net');

const { randomPort } = require('./port');

const HOST = '127.0.0.1';
const PORT_ATTEMPTS = 20;
const DIRECTIONS = ['fromServer', 'toServer'];

function resetSocket(socket) {
    // Node learned to in 18.3; without, what is unread makes the kernel do the same most of the time.
    (socket.resetAndDestroy || socket.destroy).call(socket);
}

/** One direction of a connection: what comes out of `source` goes into `target`. */
class Lane {
    constructor(proxy, direction, source, target) {
        this.proxy = proxy;
        this.direction = direction;
        this.source = source;
        this.target = target;
        this.waiting = []; // {chunk, due}; the chunk of an end of stream is null
        this.bytes = 0; // passed on so far
        this.left = Infinity; // bytes until the cut
        this.cut = () => {};
        this.isBlocked = false; // the target takes no more just now
        source.on('data', (chunk) => this.take(chunk));
        source.on('end', () => this.take(null));
        target.on('drain', () => {
            this.isBlocked = false;
            this.pump();
        });
        target.on('close', () => clearTimeout(this.timer));
    }

    take(chunk) {
        this.waiting.push({ chunk, due: Date.now() + this.proxy.delayMs });
        this.pump();
    }

    /** Pass on what may go now; look again when the mode changes, the target has room or time comes. */
    pump() {
        clearTimeout(this.timer);
        while (this.waiting.length > 0 && !this.isBlocked && !this.proxy.isStalled && this.left > 0) {
            const waitMs = this.proxy.delayMs > 0 ? this.waiting[0].due - Date.now() : 0;
            if (waitMs > 0) {
                this.timer = setTimeout(() => this.pump(), waitMs);
                break;
            }
            this.send(this.waiting.shift().chunk);
        }
        // Nothing is read that cannot go on, so the one who sends it feels it, as on a real network.
        if (this.isBlocked || this.proxy.isStalled || this.left === 0) {
            this.source.pause();
        } else {
            this.source.resume();
        }
    }

    send(chunk) {
        if (chunk === null) {
            this.target.end();
            return;
        }
        const part = chunk.subarray(0, Math.min(chunk.length, this.left));
        this.left -= part.length;
        this.bytes += part.length;
        this.proxy.bytes[this.direction] += part.length;
        this.isBlocked = !this.target.write(part);
        if (this.left === 0) {
            this.cut();
        }
    }
}

/** A client's connection and the one to the server that belongs to it. */
class Link {
    constructor(proxy, client) {
        this.proxy = proxy;
        this.client = client;
        this.server = net.connect({ ...proxy.target, allowHalfOpen: true });
        this.lanes = {
            toServer: new Lane(proxy, 'toServer', client, this.server),
            fromServer: new Lane(proxy, 'fromServer', this.server, client),
        };
        for (const [socket, other] of [[client, this.server], [this.server, client]]) {
            socket.setNoDelay(true);
            socket.on('error', () => resetSocket(other));
            // Either may outlive the other, and what nobody ends would keep this process from its end.
            proxy.sockets.add(socket);
            socket.on('close', () => proxy.sockets.delete(socket));
        }
        client.on('close', () => proxy.links.delete(this));
        this.pump();
    }

    cutAfter(bytes, direction) {
        const lane = this.lanes[direction];
        lane.left = bytes;
        lane.cut = () => {
            this.proxy.cuts++;
            lane.target.once('close', () => lane.source.destroy());
            lane.target.destroySoon(); // Once it has the bytes that it is to have.
        };
        if (bytes === 0) {
            lane.cut();
        }
    }

    pump() {
        Object.values(this.lanes).forEach((lane) => lane.pump());
    }

    reset() {
        resetSocket(this.server);
        resetSocket(this.client);
    }
}

class Proxy {
    constructor(target) {
        this.target = target;
        this.links = new Set();
        this.sockets = new Set();
        this.accepted = 0;
        this.cuts = 0;
        this.bytes = { fromServer: 0, toServer: 0 };
        this.setMode({});
    }

    /** How many clients are connected. */
    get open() {
        return this.links.size;
    }

    /** The same database, through here. */
    url(databaseUrl) {
        const url = new URL(databaseUrl);
        url.hostname = HOST;
        url.port = this.port;
        return url.href;
    }

    setMode({ isStalled = false, delayMs = 0, cut }) {
        this.isStalled = isStalled;
        this.delayMs = delayMs;
        this.cut = cut;
        this.links.forEach((link) => link.pump());
    }

    async listen() {
        if (this.listener) {
            return;
        }
        const listener = net.createServer({ allowHalfOpen: true }, (client) => this.accept(client));
        for (let attempt = 1; ; attempt++) {
            const port = this.port || randomPort();
            const error = await new Promise((resolve) => {
                listener.once('error', resolve);
                listener.listen({ host: HOST, port, backlog: 1024 }, () => resolve(undefined));
            });
            if (error === undefined) {
                this.port = port;
                this.listener = listener;
                return;
            }
            assert.ok(error.code === 'EADDRINUSE' && !this.port && attempt < PORT_ATTEMPTS, error);
        }
    }

    accept(client) {
        this.accepted++;
        const link = new Link(this, client);
        this.links.add(link);
        if (this.cut && this.cut.times-- > 0) {
            link.cutAfter(this.cut.bytes, this.cut.direction);
        }
    }

    async pass() {
        this.setMode({});
        await this.listen();
    }

    async latency(ms) {
        this.setMode({ delayMs: ms });
        await this.listen();
    }

    async stall() {
        this.setMode({ isStalled: true });
        await this.listen();
    }

    /** `direction`: "fromServer" or "toServer"; `times`: of how many connections, by default of all new ones. */
    async cutAfter(bytes, direction, times = Infinity) {
        assert.ok(DIRECTIONS.includes(direction), direction);
        this.setMode({ cut: { bytes, direction, times } });
        await this.listen();
    }

    async reset() {
        this.links.forEach((link) => link.reset());
    }

    async down() {
        const { listener } = this;
        if (listener) {
            this.listener = undefined;
            const closed = new Promise((resolve) => listener.close(resolve));
            this.sockets.forEach((socket) => socket.destroy());
            await closed;
        }
    }

    async stop() {
        await this.down();
        this.sockets.forEach((socket) => socket.destroy());
    }
}

async function startProxy(host, port) {
    const proxy = new Proxy({ host, port: Number(port) });
    await proxy.listen();
    return proxy;
}

module.exports = { startProxy };
