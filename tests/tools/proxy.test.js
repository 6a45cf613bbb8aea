/** The network that fails when it is told to: what passes, what does not, and that it is as before afterwards. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const crypto = require('node:crypto');
const net = require('node:net');

const { waitFor } = require('../http/lib');
const { startProxy } = require('./proxy');

/** A server that sends back what it receives: {port, sockets, received}. */
async function startEcho(t, { port = 0 } = {}) {
    const echo = { sockets: new Set(), received: 0 };
    const listener = net.createServer((socket) => {
        echo.sockets.add(socket);
        socket.on('data', (chunk) => (echo.received += chunk.length));
        socket.on('error', () => {});
        socket.on('close', () => echo.sockets.delete(socket));
        socket.pipe(socket);
    });
    await new Promise((resolve) => listener.listen(port, '127.0.0.1', resolve));
    echo.port = listener.address().port;
    echo.stop = () => {
        listener.close();
        echo.sockets.forEach((socket) => socket.destroy());
    };
    t.after(echo.stop);
    return echo;
}

/** Someone who is connected: {socket, length, received, ended, closed, error}; `length` is that of `received`. */
async function connect(t, port) {
    const socket = net.connect(Number(port), '127.0.0.1');
    const chunks = [];
    const client = { socket, length: 0, ended: false, closed: false, error: undefined };
    Object.defineProperty(client, 'received', { get: () => Buffer.concat(chunks) });
    socket.on('data', (chunk) => {
        chunks.push(chunk);
        client.length += chunk.length;
    });
    socket.on('end', () => (client.ended = true));
    socket.on('close', () => (client.closed = true));
    t.after(() => socket.destroy());
    await new Promise((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('error', reject);
    });
    socket.on('error', (error) => (client.error = error.code));
    return client;
}

async function exchange(client, text) {
    const before = client.length;
    client.socket.write(text);
    await waitFor(() => client.length >= before + text.length, `the echo of ${text.length} bytes`);
    assert.strictEqual(client.received.subarray(before).toString(), text);
}

async function start(t) {
    const echo = await startEcho(t);
    const proxy = await startProxy('127.0.0.1', echo.port);
    t.after(() => proxy.stop());
    return { echo, proxy };
}

test('all goes through, is counted, and ends on both sides', async (t) => {
    const { echo, proxy } = await start(t);
    const client = await connect(t, proxy.port);
    const bytes = crypto.randomBytes(5 << 20);
    client.socket.end(bytes);
    await waitFor(() => client.closed, 'the end');
    assert.ok(client.ended && client.received.equals(bytes));
    assert.deepStrictEqual(proxy.bytes, { fromServer: bytes.length, toServer: bytes.length });
    assert.strictEqual(proxy.accepted, 1);
    await waitFor(() => proxy.open === 0 && echo.sockets.size === 0, 'nothing to be left over');
});

test('a URL goes through the proxy', async (t) => {
    const { proxy } = await start(t);
    const url = proxy.url('postgres://who:p%40ss@127.0.0.1:5432/name?sslmode=disable');
    assert.strictEqual(url, `postgres://who:p%40ss@127.0.0.1:${proxy.port}/name?sslmode=disable`);
});

test('down closes all and refuses new ones; then it is back on the same port', async (t) => {
    const { echo, proxy } = await start(t);
    const client = await connect(t, proxy.port);
    await exchange(client, 'before');
    const { port } = proxy;
    await proxy.down();
    await waitFor(() => client.closed && echo.sockets.size === 0, 'both sides to be closed');
    await assert.rejects(connect(t, port), { code: 'ECONNREFUSED' });
    assert.strictEqual(proxy.open, 0);
    await proxy.pass();
    assert.strictEqual(proxy.port, port);
    await exchange(await connect(t, port), 'after');
});

test('latency delays each way and keeps the order; without it all is sent at once', async (t) => {
    const { proxy } = await start(t);
    const client = await connect(t, proxy.port);
    const delayMs = 60;
    await proxy.latency(delayMs);
    for (const text of ['one ', 'two ', 'three']) {
        const began = performance.now();
        await exchange(client, text);
        assert.ok(performance.now() - began >= 2 * delayMs - 5, `${performance.now() - began} ms`);
    }
    await proxy.latency(3600000);
    client.socket.write('a');
    await waitFor(() => proxy.bytes.toServer === 13 && client.socket.bytesWritten === 14, 'it to be on its way');
    client.socket.end('b');
    await proxy.pass();
    await waitFor(() => client.closed, 'the end');
    assert.strictEqual(client.received.toString(), 'one two threeab');
});

test('what is delayed arrives, although the server has closed already', async (t) => {
    const listener = net.createServer({ allowHalfOpen: true }, (socket) => socket.resume().on('end', () => socket.end('goodbye')));
    await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
    t.after(() => listener.close());
    const proxy = await startProxy('127.0.0.1', listener.address().port);
    t.after(() => proxy.stop());
    await proxy.latency(50);
    const client = await connect(t, proxy.port);
    client.socket.end();
    await waitFor(() => client.closed, 'the end');
    assert.strictEqual(client.received.toString(), 'goodbye');
});

test('reset reaches both sides, and new connections are taken', async (t) => {
    const { echo, proxy } = await start(t);
    const clients = await Promise.all([connect(t, proxy.port), connect(t, proxy.port)]);
    await Promise.all(clients.map((client) => exchange(client, 'before')));
    const errors = [...echo.sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    await proxy.reset();
    await waitFor(() => clients.every((client) => client.closed), 'the clients to notice');
    clients.forEach((client) => assert.strictEqual(client.error, 'ECONNRESET'));
    assert.deepStrictEqual(await Promise.all(errors), [true, true]);
    await exchange(await connect(t, proxy.port), 'after');
});

test('a stall passes nothing on, not even an end, and takes new connections; later all comes in order', async (t) => {
    const { echo, proxy } = await start(t);
    const old = await connect(t, proxy.port);
    await exchange(old, 'before ');
    await proxy.latency(3600000);
    old.socket.write('on its way ');
    await exchange(await connect(t, echo.port), 'direct');
    await proxy.stall();
    const fresh = await connect(t, proxy.port);
    await waitFor(() => proxy.open === 2, 'it to be accepted');
    old.socket.write('during ');
    fresh.socket.end('fresh');
    // Whatever could get through would be there before this, which takes another way.
    await exchange(await connect(t, echo.port), 'direct');
    assert.strictEqual(echo.received, 'before directdirect'.length);
    assert.ok(!old.closed && !fresh.closed && !fresh.ended);
    await proxy.pass();
    old.socket.write('after');
    await waitFor(() => old.received.toString() === 'before on its way during after', 'all of the old one');
    await waitFor(() => fresh.closed, 'the end of the new one');
    assert.strictEqual(fresh.received.toString(), 'fresh');
});

test('in a stall nobody can send without end', async (t) => {
    const { proxy } = await start(t);
    const client = await connect(t, proxy.port);
    await proxy.stall();
    const text = 'x'.repeat(32 << 20);
    client.socket.end(text);
    await exchange(await connect(t, proxy.target.port), text); // In this time that would be through, too.
    assert.ok(client.socket.writableLength > 0, 'all of it was taken');
    await proxy.pass();
    await waitFor(() => client.closed, 'the end');
    assert.strictEqual(client.length, text.length);
});

test('a cut comes after exactly so many bytes, for as many connections as were asked for', async (t) => {
    const { echo, proxy } = await start(t);
    const text = '0123456789';
    const old = await connect(t, proxy.port);
    await exchange(old, text);
    for (const bytes of [0, 1, 9, 10]) {
        for (const direction of ['fromServer', 'toServer']) {
            const received = echo.received;
            await proxy.cutAfter(bytes, direction, 1);
            const client = await connect(t, proxy.port);
            client.socket.write(text);
            await waitFor(() => client.closed, `the cut after ${bytes} bytes ${direction}`);
            if (direction === 'fromServer') {
                assert.strictEqual(client.received.toString(), text.slice(0, bytes));
            } else {
                await waitFor(() => echo.sockets.size === 1, 'the server to notice');
                assert.strictEqual(echo.received - received, bytes);
            }
            const next = await connect(t, proxy.port);
            await exchange(next, text);
            next.socket.destroy();
            await exchange(old, text);
            await waitFor(() => echo.sockets.size === 1, 'only the old connection to be left');
        }
    }
    assert.strictEqual(proxy.cuts, 8);
});

test('where nobody listens, a client is told at once', async (t) => {
    const { echo, proxy } = await start(t);
    echo.stop();
    const client = await connect(t, proxy.port);
    await waitFor(() => client.closed, 'the end');
    assert.strictEqual(proxy.open, 0);
});
