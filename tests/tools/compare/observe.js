/**
 * What is seen of a server while it has load: its metrics before and after, its pool meanwhile, the processors' time; and
 * the writer who goes on all the time, so that the cache has something to forget.
 */
'use strict';

const { readExposition } = require('../exposition');
const { cpuOf } = require('../load');

const SAMPLE_MS = 100;
const WRITE_MS = 1000;
/** Results of the cache that are an answer from memory; the others had to be loaded, or waited for who did. */
const HITS = ['hit_l1', 'hit_l2', 'unverified'];

/** Which share of the answers was in the cache, from the metrics before and after; 0 if it was not asked at all. */
function hitRateOf(before, after) {
    const countIn = (scrape, labels) => scrape.sum('openrisk_cache_requests_total', { cache: 'responses', ...labels });
    const grown = (labels) => countIn(after, labels) - countIn(before, labels);
    const asked = grown({}) - grown({ result: 'bypass' });
    return asked === 0 ? 0 : HITS.reduce((sum, result) => sum + grown({ result }), 0) / asked;
}

async function metricsOf(server) {
    return readExposition((await server.ops.expect(200, 'GET', '/metrics')).body);
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

/**
 * GET /pool tells the same number as openrisk_db_pool_connections of /metrics, which is a few milliseconds' work for the
 * server: ten times a second, that would be seen in its CPU time.
 */
function startSampler(client, samples) {
    return repeat(0, SAMPLE_MS, async () => {
        samples.push((await client.expect(200, 'GET', '/pool')).json.general.in_use);
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
    node.server.run.stderr = ''; // A line of each request that is no hit is much to keep.
    const metricsBefore = await metricsOf(node.server);
    const before = cpus();
    const writer = startWriter(node.client, rows, random);
    const sampler = startSampler(node.client, samples);
    let figures;
    let writes;
    try {
        figures = await work();
    } finally {
        writes = await writer.stop();
        await sampler.stop();
    }
    const after = cpus();
    const perRequest = Object.keys(pids).map((name) => [name, (after[name] - before[name]) / figures.requests]);
    return {
        ...figures,
        ...Object.fromEntries(perRequest),
        hit_rate: hitRateOf(metricsBefore, await metricsOf(node.server)),
        connections: samples.reduce((sum, count) => sum + count, 0) / samples.length,
        connections_most: Math.max(...samples),
        writes,
    };
}

module.exports = { hitRateOf, observe, repeat };
