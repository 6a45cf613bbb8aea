/** The log: a line per request, sampled hits, slow statements; and nobody waits for who reads it. */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const { test } = require('node:test');

const { ADMIN, Client, ENGINE, binary, inTime, launch, startServer, waitFor } = require('./lib');
const { makeRisk } = require('./register');

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const KEPT = { CACHE_TTL_RISKS: '1h', HTTP_LOOPS: '1' };
const FIELDS = ['time', 'level', 'event', 'id', 'method', 'route', 'status', 'us', 'cache', 'statements', 'statement_us', 'round_trips', 'result', 'user'];
const NUMBERS = ['status', 'us', 'statements', 'statement_us', 'round_trips'];

/** A line of logfmt as an object; numbers are numbers. */
function readLogfmt(line) {
    const items = [...line.matchAll(/(?:^| )(\w+)=("(?:[^"\\]|\\.)*"|[^" ]*)(?= |$)/g)];
    assert.strictEqual(items.map(([item]) => item).join(''), line, 'a line is its items');
    return Object.fromEntries(items.map(([, name, text]) => {
        const value = text.replace(/^"(.*)"$/, '$1');
        return [name, /^-?\d+$/.test(value) ? Number(value) : value];
    }));
}

const READERS = { logfmt: readLogfmt, json: JSON.parse };

/** All whole lines of a log. */
function linesOf(server, format = 'logfmt') {
    return server.log.split('\n').slice(0, -1).map(READERS[format]);
}

const requestsOf = (...log) => linesOf(...log).filter(({ event }) => event === 'request');

/** The line of the request with this id, when it has come. */
function lineOf(server, id, format) {
    return waitFor(() => requestsOf(server, format).find((line) => line.id === id), `the line of ${id}`);
}

for (const format of Object.keys(READERS)) {
    test(`each request has a line of what it was: ${format}`, async (t) => {
        const server = await startServer(t, { env: { LOG_FORMAT: format, LOG_HIT_SAMPLE: '1' } });
        const admin = await server.signIn();
        const risk = await makeRisk(admin);
        const check = async (reply, expected) => {
            const line = await lineOf(server, reply.headers['x-request-id'], format);
            assert.deepStrictEqual(Object.keys(line).slice(0, FIELDS.length), FIELDS);
            NUMBERS.forEach((name) => assert.ok(Number.isInteger(line[name]) && line[name] >= 0, `${name}: ${line[name]}`));
            assert.match(line.time, /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
            assert.ok(Math.abs(Date.parse(line.time) - Date.now()) < 60000);
            const all = { status: reply.status, ...expected };
            assert.deepStrictEqual(Object.fromEntries(Object.keys(all).map((name) => [name, line[name]])), all);
            return line;
        };
        const { id: user } = admin.user;
        const id = (name) => ({ 'X-Request-Id': name });

        await t.test('reads: a miss, a hit, a hit with an id of its own, 304', async () => {
            const miss = await admin.expect(200, 'GET', `/risks/${risk.id}`);
            const known = { level: 'info', method: 'GET', route: '/api/v1/risks/{id}', result: 'ok', user, traceparent: undefined };
            const line = await check(miss, { ...known, cache: 'miss' });
            assert.ok(line.statements > 0 && line.sample === undefined);
            await check(await admin.get(`/risks/${risk.id}`, id('mine-1')), { ...known, id: 'mine-1', cache: 'hit_l1', statements: 0, sample: 1 });
            const headers = { ...id('mine-2'), 'If-None-Match': miss.headers.etag };
            await check(await admin.get(`/risks/${risk.id}`, headers), { ...known, id: 'mine-2', status: 304, cache: 'hit_l1' });
            // One without an id is sent as it lies in the cache, and has none.
            assert.strictEqual((await admin.get(`/risks/${risk.id}`)).headers['x-request-id'], undefined);
            await waitFor(() => requestsOf(server, format).some((line2) => line2.id === '-' && line2.cache === 'hit_l1'), 'the line of a shared hit');
        });

        await t.test('writes and refusals, by their routes and never by their paths', async () => {
            await check(await admin.post('/risks', { title: 'x', impact: 1, probability: 1 }), { level: 'info', method: 'POST', route: '/api/v1/risks', status: 201, user, cache: '-' });
            await check(await admin.post('/risks', { title: 'x', impact: 9, probability: 1 }), { level: 'info', status: 422, result: 'invalid' });
            await check(await admin.get('/risks/R-999'), { status: 404, route: '/api/v1/risks/{id}', result: 'not_found' });
            await check(await server.client().get('/risks'), { status: 401, result: 'unauthenticated', user: '-' });
            await check(await admin.get('/no/such?secret=1'), { status: 404, route: 'none' });
            await check(await admin.delete('/stats'), { status: 405, route: 'none', method: 'DELETE' });
            await check(await server.client(undefined, '').get('/', id('mine-3')), { status: 200, route: '/', user: '-' });
            assert.doesNotMatch(server.log, /such|secret=/);
        });

        await t.test('a traceparent is there if it is one', async () => {
            await check(await admin.get('/users/me', { traceparent: TRACE }), { traceparent: TRACE });
            const others = [
                TRACE.toUpperCase(), `${TRACE}-00`, TRACE.slice(0, -1), `${TRACE}0`, `01${TRACE.slice(2)}`, `ff${TRACE.slice(2)}`, TRACE.replaceAll('-', '_'),
                `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, `00-4bf92f3577b34da6a3ce929d0e0e4736-${'0'.repeat(16)}-01`, TRACE.replace('4b', 'g4'), 'x" event=forged',
            ];
            for (const traceparent of others) {
                await check(await admin.get('/users/me', { traceparent }), { traceparent: undefined });
            }
            assert.doesNotMatch(server.log, /forged/);
        });

        await t.test('an id that is none is not taken', async () => {
            const reply = await admin.get('/users/me', id('a b'));
            assert.notStrictEqual(reply.headers['x-request-id'], 'a b');
            await check(reply, { route: '/api/v1/users/me' });
        });

        await server.stop();
        const lines = linesOf(server, format);
        assert.ok(['stopping', 'stopped'].every((event) => lines.some((line) => line.event === event)), 'the log is complete');
        assert.strictEqual(lines.at(-1).event, 'stopped');
    });
}

test('one in so many hits has a line', async (t) => {
    const hit = async (sample, count) => {
        const server = await startServer(t, { env: { ...KEPT, LOG_HIT_SAMPLE: String(sample) } });
        const admin = await server.signIn();
        await admin.expect(200, 'GET', '/risks');
        for (let i = 0; i < count; i++) {
            const reply = await admin.expect(200, 'GET', '/risks');
            assert.strictEqual(reply.headers['x-cache'], 'HIT');
        }
        await server.stop();
        const lines = requestsOf(server);
        assert.deepStrictEqual(lines.filter(({ cache }) => cache !== 'hit_l1').map(({ route }) => route), ['/api/v1/auth/login', '/api/v1/risks']);
        return lines.filter(({ cache }) => cache === 'hit_l1').map((line) => line.sample);
    };

    await t.test('one in ten', async () => assert.deepStrictEqual(await hit(10, 109), Array(10).fill(10)));
    await t.test('all', async () => assert.deepStrictEqual(await hit(1, 7), Array(7).fill(1)));
    await t.test('none', async () => assert.deepStrictEqual(await hit(0, 200), []));
});

test('levels', async (t) => {
    const server = await startServer(t, { env: { LOG_LEVEL: 'warn', LOG_HIT_SAMPLE: '1' } });
    const admin = await server.signIn();
    await admin.expect(200, 'GET', '/risks');
    await admin.expect(404, 'GET', '/risks/R-999');
    await server.stop();
    assert.strictEqual(server.log, '', 'what goes well is below warn');
});

test('many refusals in a second are counted, and none is lost', async (t) => {
    const server = await startServer(t, { env: { LOGIN_BURST: '1', HTTP_LOOPS: '1' } });
    const wrong = { email: 'nobody@example.org', password: 'not the right one' };
    const client = server.client();
    let limited = 0;
    for (let i = 0; i < 200; i++) {
        const { status } = await client.post('/auth/login', wrong);
        limited += Number(status === 429);
    }
    assert.ok(limited > 100);
    const told = () => linesOf(server).filter(({ event }) => event === 'requests_not_logged');
    await waitFor(async () => {
        await client.get('/health'); // The next second's requests tell of what was left out.
        return told().length > 0;
    }, 'the sum');
    await server.stop();
    const logged = requestsOf(server).filter(({ status }) => status === 429);
    assert.ok(logged.every(({ level }) => level === 'info') && logged.length < limited, `${logged.length} of ${limited}`);
    told().forEach((line) => {
        assert.strictEqual(line.level, 'warn');
        assert.deepStrictEqual([line.status_503, line.status_429], [0, line.count]);
    });
    assert.strictEqual(told().reduce((sum, { count }) => sum + count, logged.length), limited);
});

test('a statement that takes too long is in the log with its name, and with no value', async (t) => {
    const server = await startServer(t, { env: { LOG_SLOW_MS: '50' } });
    const admin = await server.signIn();
    // Each row of this table takes its time from now on.
    if (ENGINE === 'postgres') {
        await server.sql("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.2); RETURN NEW; END'");
        await server.sql('CREATE TRIGGER slow BEFORE INSERT ON asset FOR EACH ROW EXECUTE FUNCTION slow()');
    } else {
        await server.sql('CREATE VIEW counting AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000) SELECT i FROM n');
        await server.sql('CREATE TRIGGER slow BEFORE INSERT ON asset BEGIN SELECT sum(i) FROM counting; END');
    }
    const took = async (client, name) => {
        const began = performance.now();
        await client.expect(201, 'POST', '/assets', { name, criticality: 'HIGH' });
        return performance.now() - began;
    };
    const wholeMs = await took(admin, 'Hush-hush');
    // A busy disk may be slow, too.
    const line = await waitFor(() => linesOf(server).find(({ event, query }) => event === 'slow_query' && query === 'asset_insert'), 'the line of the log');
    assert.deepStrictEqual([line.level, Object.keys(line).join()], ['warn', 'time,level,event,query,ms']);
    assert.ok(line.ms >= 50 && line.ms <= wholeMs, `${line.ms} of ${wholeMs}`);
    await server.stop();
    assert.doesNotMatch(server.log, /Hush/);

    await t.test('0: none is', async () => {
        server.env.LOG_SLOW_MS = '0';
        await server.start();
        await took(await server.signIn(), 'Another');
        await server.stop();
        assert.doesNotMatch(server.log, /slow_query/);
    });
});

/** Bytes that wait in the pipe are read on when the stream is resumed. */
const stopReading = (server) => server.run.child.stderr.pause();
const readAgain = (server) => server.run.child.stderr.resume();

test('a server answers while nobody reads its log, and then says what is missing', async (t) => {
    const count = 10000;
    const server = await startServer(t, { env: { LOG_HIT_SAMPLE: '1', CACHE_TTL_RISKS: '1h' } });
    const admin = await server.signIn();
    await admin.expect(200, 'GET', '/risks');
    await waitFor(() => requestsOf(server).length === 2, 'the first lines');
    stopReading(server);
    const clients = Array.from({ length: 8 }, () => server.client(admin.token));
    let answered = 0;
    await Promise.all(clients.map(async (client) => {
        for (let i = 0; i < count / clients.length; i++) {
            const { status } = await client.get('/risks');
            answered += Number(status === 200);
        }
    }));
    assert.strictEqual(answered, count);
    readAgain(server);
    const dropped = () => linesOf(server).filter(({ event }) => event === 'log_dropped');
    await waitFor(() => dropped().length > 0, 'the drops to be told');
    await server.stop();
    const missing = dropped().reduce((sum, { lines }) => sum + lines, 0);
    const hits = requestsOf(server).filter(({ cache }) => cache === 'hit_l1').length;
    t.diagnostic(`figure: ${hits} of ${count} lines were written, ${missing} are told as dropped`);
    assert.ok(dropped().every(({ level }) => level === 'warn') && missing > 0);
    assert.strictEqual(hits + missing, count);
});

test('a server whose log nobody reads ends in time, and well', async (t) => {
    const server = await startServer(t, { env: { LOG_HIT_SAMPLE: '1', SHUTDOWN_TIMEOUT: '4s' } });
    const admin = await server.signIn();
    stopReading(server);
    await waitFor(async () => {
        for (let i = 0; i < 100; i++) {
            await admin.expect(200, 'GET', '/risks');
        }
        return /^openrisk_log_lines_total\{result="dropped"\} [1-9]/m.test((await server.ops.get('/metrics')).body);
    }, 'the writer to be stuck', 60000);
    const ended = new Promise((resolve) => server.run.child.on('exit', resolve));
    server.run.child.kill('SIGTERM');
    assert.strictEqual(await inTime(ended, 'ending', 15000), 0);
    readAgain(server);
    await server.stop();
});

test('without a standard error it serves, and no other file takes its place', async (t) => {
    const server = await startServer(t);
    await server.stop();
    const run = launch(['-c', 'exec "$0" serve 2>&-', binary()], { program: '/bin/sh', env: server.env, cwd: server.folder });
    t.after(() => run.child.kill('SIGKILL'));
    const [, url, opsUrl] = await waitFor(() => /^ready listen=(\S+) ops=(\S+)/m.exec(run.stdout), 'the line "ready listen=…"', 20000);
    const client = new Client(url);
    client.token = (await client.expect(200, 'POST', '/auth/login', ADMIN)).json.token;
    await makeRisk(client);
    const { body } = await new Client(opsUrl, undefined, '').get('/metrics');
    assert.match(body, /^openrisk_log_lines_total\{result="written"\} 0$/m);
    assert.match(body, /^openrisk_log_lines_total\{result="dropped"\} [1-9]/m);
    assert.strictEqual(fs.readlinkSync(`/proc/${run.child.pid}/fd/2`), '/dev/null');
    client.close();
    run.child.kill('SIGTERM');
    assert.strictEqual((await inTime(run.exited, 'ending', 15000)).code, 0);
    const { code, stdout, stderr } = await server.cli(['check'], { sees: false });
    assert.strictEqual(code, 0, stdout + stderr);
});
