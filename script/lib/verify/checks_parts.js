/** The parts of it: database, pool, Redis, and what the listener for operators tells. */
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { CACHED } = require('./checks_cache');
const { Failure, Skip, expect, expectStatus, until } = require('./check');

const METRICS_PAGE = path.resolve(__dirname, '../../../docs/metrics.md');
const SETTLE_LIMIT_MS = 3000;
const BREAKER_LIMIT_MS = 30000;
const SAMPLES = 5;
const COUNTED = 3;

async function health(run) {
    const reply = await run.person().get('/health');
    expect(reply.json && reply.json.checks, `GET /health: ${reply.status}, and no checks`);
    return reply.json;
}

async function healthOf(run, part) {
    const { status, checks } = await health(run);
    const one = checks[part];
    if (part === 'redis' && !one) {
        throw new Skip('no Redis is configured');
    }
    expect(one && one.status === 'UP', `${one ? one.status : 'not there'}${one && one.breaker ? `, its breaker is ${one.breaker}` : ''}; all in all ${status}`);
    return one;
}

/** The highest of several samples: behind a balancer each may be of another node. */
async function heldLong(run) {
    const samples = [];
    for (let i = 0; i < SAMPLES; i++) {
        const { json } = expectStatus(await run.me.get('/pool'), 200, 'GET /pool');
        samples.push(Math.max(...Object.values(json).map((pool) => pool.held_long)));
    }
    return Math.max(...samples);
}

async function poolState(run) {
    const wrong = ({ json }) => Object.entries(json).find(([, pool]) => pool.verdict !== 'ok' || pool.in_use > pool.max_open || pool.cannot_open_for_ms !== null);
    let reply;
    const isWell = async () => {
        reply = expectStatus(await run.me.get('/pool'), 200, 'GET /pool');
        return wrong(reply) === undefined;
    };
    await until(isWell, SETTLE_LIMIT_MS, () => `the pool ${wrong(reply)[0]}: ${wrong(reply)[1].verdict}, ${wrong(reply)[1].in_use} of ${wrong(reply)[1].max_open} in use`);
    const long = await heldLong(run);
    expect(long <= run.heldLong, `${long - run.heldLong} requests held a connection too long while this ran; the log says which (connection_held_long)`);
    const { in_use: busy, open, max_open: most } = reply.json.general;
    return `${busy} in use, ${open} open, at most ${most}${long > 0 ? `; since its start ${long} held one for long, an import or a leak` : ''}`;
}

// The listener for operators

function ofOperators(run, client, route) {
    const token = run.options.opsToken;
    return client.get(route, token ? { Authorization: `Bearer ${token}` } : {});
}

async function alive(run, route, word) {
    for (const client of run.ops) {
        const reply = expectStatus(await ofOperators(run, client, route), 200, `${client.base.host}${route}`);
        expect(reply.text.trim() === word, `${client.base.host}${route}: ${JSON.stringify(reply.text.trim().slice(0, 80))} instead of ${word}`);
    }
    return run.ops.map(({ base }) => base.host).join(', ');
}

/** {types: Map of names, samples: [{name, labels, value}]} */
function readMetrics(text) {
    const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
    const samples = [...text.matchAll(/^([a-z]\w*)(?:\{(.*)\})? (\S+)$/gm)].map(([, name, labels = '', value]) => {
        return { name, labels: Object.fromEntries([...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, is]) => [key, is])), value: Number(value) };
    });
    return { types, samples };
}

async function metricsOf(run, client) {
    return readMetrics(expectStatus(await ofOperators(run, client, '/metrics'), 200, `${client.base.host}/metrics`).text);
}

/** Of a histogram's samples, the histogram. */
function familyOf(name, kinds) {
    const stem = name.replace(/_(bucket|sum|count)$/, '');
    return kinds.get(stem) === 'histogram' ? stem : name;
}

async function metricsComplete(run) {
    const rows = [...fs.readFileSync(METRICS_PAGE, 'utf8').matchAll(/^\| `(\w+)` \| (\w+) \|/gm)];
    const kinds = new Map(rows.map(([, name, kind]) => [name, kind]));
    for (const client of run.ops) {
        const { types, samples } = await metricsOf(run, client);
        const there = new Set(samples.map(({ name }) => familyOf(name, kinds)));
        const missing = [...kinds].filter(([name, kind]) => !there.has(name) || types.get(name) !== kind).map(([name]) => name);
        expect(missing.length === 0, `${client.base.host} lacks ${missing.join(', ')}, or they are of another kind than docs/metrics.md says`);
        const unknown = [...there, ...types.keys()].filter((name) => /^openrisk_/.test(name) && !kinds.has(name));
        expect(unknown.length === 0, `${client.base.host} has ${[...new Set(unknown)].join(', ')}, of which docs/metrics.md knows nothing`);
    }
    return `${kinds.size} metrics, and no other of OpenRisk's`;
}

/** A refusal that hardly anybody else provokes, so that what is counted is what was asked. */
async function metricsCount(run) {
    const count = async () => {
        let sum = 0;
        for (const client of run.ops) {
            const { samples } = await metricsOf(run, client);
            const found = samples.filter(({ name, labels }) => name === 'openrisk_http_requests_total' && labels.route === '/api/v1/stats/top-risks' && labels.method === 'GET' && labels.status === '400');
            expect(found.length === 1, `${client.base.host} does not count GET /api/v1/stats/top-risks with status 400`);
            sum += found[0].value;
        }
        return sum;
    };
    const before = await count();
    for (let i = 0; i < COUNTED; i++) {
        expectStatus(await run.me.get('/stats/top-risks?limit=0'), 400, 'GET /stats/top-risks?limit=0');
    }
    let after = before;
    // With some of the nodes given, those alone are counted.
    await until(async () => (after = await count()) > before, SETTLE_LIMIT_MS, `${COUNTED} requests were made, and none is counted; is --ops of the same server?`);
    return `${COUNTED} requests made, ${after - before} counted`;
}

async function metricsVersion(run) {
    const { version } = await health(run);
    for (const client of run.ops) {
        const { samples } = await metricsOf(run, client);
        const found = samples.filter(({ name }) => name === 'openrisk_build_info');
        expect(found.length === 1 && found[0].labels.version === version, `${client.base.host} is version ${found.map(({ labels }) => labels.version)}, /health says ${version}`);
    }
    return version;
}

// Redis

/** Reads of all five after a write, for which Redis would be asked, and none of which may fail. */
async function work(run, when) {
    const { version, id } = await run.touch();
    for (const route of Object.values(CACHED)) {
        expectStatus(await run.me.get(route), 200, `GET ${route} ${when}`);
    }
    const { json } = expectStatus(await run.me.get(`/risks/${id}`), 200, `GET of a risk ${when}`);
    expect(json && json.version >= version, `${when} a risk is older than what was acknowledged`);
}

/** Each look is after some work, since a breaker moves only when something is asked. */
async function workUntil(run, isUp, when) {
    let rounds = 0;
    const look = async () => {
        await work(run, when);
        rounds++;
        const { redis } = (await health(run)).checks;
        return redis && (redis.status === 'UP') === isUp;
    };
    await until(look, BREAKER_LIMIT_MS, `${when} /health says that Redis is ${isUp ? 'not ' : ''}UP`);
    return rounds;
}

async function redisFallback(run) {
    await healthOf(run, 'redis').catch((error) => {
        throw error instanceof Skip ? new Failure('no Redis is configured') : error;
    });
    await run.risk();
    const { redisStop, redisStart } = run.options;
    const undo = { what: `Redis is to be started again with "${redisStart}"`, run: () => run.command(redisStart) };
    run.undo.push(undo);
    await run.command(redisStop);
    let rounds = await workUntil(run, false, 'without Redis');
    rounds += 1;
    await work(run, 'without Redis');
    await undo.run();
    run.undo = run.undo.filter((one) => one !== undo);
    rounds += await workUntil(run, true, 'with Redis back');
    return `${rounds} writes and ${rounds * 6} reads, and none failed; Redis is used again`;
}

module.exports = {
    heldLong,
    health: [
        { name: 'health-database', needs: [], about: '`/health`: the database answers', run: async (run) => `answers in ${(await healthOf(run, 'database')).latency_us} µs` },
        { name: 'health-pool', needs: [], about: '`/health`: connections are to be had', run: async (run) => `verdict ${(await healthOf(run, 'pool')).verdict}` },
        { name: 'health-redis', needs: [], about: '`/health`: Redis answers, if there is one', run: async (run) => `its breaker is ${(await healthOf(run, 'redis')).breaker}` },
        { name: 'livez', needs: ['ops'], about: '`/livez` of each node', run: (run) => alive(run, '/livez', 'alive') },
        { name: 'readyz', needs: ['ops'], about: '`/readyz` of each node, not degraded', run: (run) => alive(run, '/readyz', 'ready') },
    ],
    checks: [
        { name: 'pool-state', needs: ['admin'], about: '`/pool`: the verdict is ok, and no connection was held too long while this ran', run: poolState },
        { name: 'metrics-complete', needs: ['ops'], about: 'every metric of [Metrics](metrics.md) is told, and no other of OpenRisk\'s', run: metricsComplete },
        { name: 'metrics-count', needs: ['ops'], about: 'requests are counted', run: metricsCount },
        { name: 'metrics-version', needs: ['ops'], about: 'each node is of the version that `/health` says', run: metricsVersion },
        { name: 'redis-fallback', needs: ['write', 'redis'], about: 'no request fails while Redis is stopped, and it is used again when it is back', run: redisFallback },
    ],
};
