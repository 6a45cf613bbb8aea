/**
 * What is seen of a server while it has load: its metrics before, after and meanwhile, the processors' time; and the
 * writer who goes on all the time, so that the cache has something to forget.
 */
'use strict';

const { cpuOf } = require('../load');

const SAMPLE_MS = 100;
const WRITE_MS = 1000;
/** Results of the cache that are an answer from memory; the others had to be loaded, or waited for who did. */
const HITS = ['hit_l1', 'hit_l2', 'unverified'];

/** The sum of a metric's series that have all these labels, from the text that Prometheus reads; undefined if there is none. */
function metricOf(text, name, labels = {}) {
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    const values = [...text.matchAll(/^([a-z_]+)(?:\{([^}]*)\})? (\S+)$/gm)]
        .filter(([, series, own = '']) => series === name && wanted.every((label) => `,${own},`.includes(`,${label},`)))
        .map((match) => Number(match[3]));
    return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
}

/** Which share of the answers was in the cache, from the metrics before and after; 0 if it was not asked at all. */
function hitRateOf(before, after) {
    const grown = (labels) => {
        const [from, to] = [before, after].map((text) => metricOf(text, 'openrisk_cache_requests_total', { cache: 'responses', ...labels }) || 0);
        return to - from;
    };
    const asked = grown({}) - grown({ result: 'bypass' });
    return asked === 0 ? 0 : HITS.reduce((sum, result) => sum + grown({ result }), 0) / asked;
}

async function metricsOf(server) {
    const { status, body } = await server.ops.get('/metrics');
    if (status !== 200) {
        throw new Error(`GET /metrics: ${status} ${body}`);
    }
    return body;
}

/**
 * Call `act(n)` again and again until stopped, the n-th time at `firstMs` + n × `periodMs`, never twice at once:
 * {stop()}, which gives how often that was, or fails with what `act` has failed with.
 */
function repeat(firstMs, periodMs, act) {
    const began = performance.now();
    let timer, wake;
    let isOver = false;
    const work = (async () => {
        let times = 0;
        for (; !isOver; times++) {
            const due = began + firstMs + times * periodMs;
            await new Promise((resolve) => {
                wake = resolve;
                timer = setTimeout(resolve, Math.max(0, due - performance.now()));
            });
            if (isOver) {
                break;
            }
            await act(times);
        }
        return times;
    })();
    work.catch(() => {}); // stop() tells of it.
    return {
        stop() {
            isOver = true;
            clearTimeout(timer);
            wake();
            return work;
        },
    };
}

/** One write a second, each of another risk, each of which changes what all five endpoints answer. */
function startWriter(client, rows, random) {
    return repeat(WRITE_MS / 2, WRITE_MS, async (times) => {
        const body = { impact: 1 + (times % 5), description: `Looked at again, ${Math.floor(random() * 1e9)}.` };
        await client.expect(200, 'PATCH', `/risks/R-${1 + Math.floor(random() * rows)}`, body);
    });
}

function startSampler(server, samples) {
    return repeat(0, SAMPLE_MS, async () => {
        samples.push(metricOf(await metricsOf(server), 'openrisk_db_pool_connections', { pool: 'general', state: 'in_use' }));
    });
}

/**
 * Do `work`, which makes `requests` requests to a node, and tell what was seen meanwhile: its figures with
 * `connections` and `connections_most` in use, `hit_rate`, `writes`, and the CPU time in µs per request of the node
 * (`cpu`) and of each of `others` ({name: pid}) by its name. The writer's requests are in the CPU times, too.
 */
async function observe(node, others, rows, random, work) {
    const pids = { cpu: node.pid, ...others };
    const cpus = () => Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuOf(pid).total]));
    const samples = [];
    const before = { metrics: await metricsOf(node.server), cpus: cpus() };
    const writer = startWriter(node.client, rows, random);
    const sampler = startSampler(node.server, samples);
    let figures;
    let writes;
    try {
        figures = await work();
    } finally {
        writes = await writer.stop();
        await sampler.stop();
    }
    const after = { metrics: await metricsOf(node.server), cpus: cpus() };
    const perRequest = Object.keys(pids).map((name) => [name, (after.cpus[name] - before.cpus[name]) / figures.requests]);
    return {
        ...figures,
        ...Object.fromEntries(perRequest),
        hit_rate: hitRateOf(before.metrics, after.metrics),
        connections: samples.reduce((sum, count) => sum + count, 0) / samples.length,
        connections_most: Math.max(...samples),
        writes,
    };
}

module.exports = { hitRateOf, metricOf, observe, repeat };
