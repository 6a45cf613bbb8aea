/** What servers tell of themselves on /metrics, as far as a load is concerned. */
'use strict';

const { Problem } = require('./problem');
const { causeOf, originOf, request } = require('./target');

/** The samples of Prometheus' text format: [{name, labels, value}]. */
function samplesOf(text) {
    const samples = [];
    for (const line of text.split('\n')) {
        const match = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
        if (match === null) {
            continue;
        }
        const labels = {};
        for (const [, name, value] of (match[2] || '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
            labels[name] = value;
        }
        samples.push({ name: match[1], labels, value: Number(match[3]) });
    }
    return samples;
}

/** The sum of a metric over all of its labels that are as wanted; undefined if there is none. */
function sumOf(samples, name, wanted = {}) {
    const chosen = samples.filter((one) => one.name === name && Object.entries(wanted).every(([key, value]) => one.labels[key] === value));
    return chosen.length === 0 ? undefined : chosen.reduce((sum, { value }) => sum + value, 0);
}

/**
 * The ops listeners of all servers behind the URL: `urls` has commas between them. `read()` gives the samples of each; it
 * rejects with a Problem.
 */
class Ops {
    constructor(urls, token) {
        this.origins = urls.split(',').map((url) => originOf(url.trim(), 'OPENRISK_OPS_URL'));
        this.token = token;
    }

    async read() {
        const deadline = Date.now() + 2000;
        return Promise.all(this.origins.map(async (origin) => {
            let answer;
            try {
                answer = await request(`${origin}/metrics`, { token: this.token, deadline });
            } catch (error) {
                throw new Problem(`${origin}/metrics: ${causeOf(error)}`);
            }
            if (answer.status === 401) {
                throw new Problem(`${origin}/metrics refuses OPENRISK_OPS_TOKEN`);
            }
            const samples = samplesOf(answer.text);
            if (answer.status !== 200 || sumOf(samples, 'openrisk_cache_requests_total') === undefined) {
                throw new Problem(`${origin}/metrics is not that of OpenRisk: ${answer.status}`);
            }
            return samples;
        }));
    }
}

const HITS = ['hit_l1', 'hit_l2', 'unverified'];

/** How often answers were looked for in the cache, and were there, of all servers. */
function lookupsOf(servers) {
    const of = (result) => servers.reduce((sum, samples) => sum + (sumOf(samples, 'openrisk_cache_requests_total', { cache: 'responses', ...result }) || 0), 0);
    return { lookups: of({}), hits: HITS.reduce((sum, result) => sum + of({ result }), 0) };
}

/** {commit, store} of the first server. */
function buildOf([samples]) {
    const info = samples.find(({ name }) => name === 'openrisk_build_info');
    return info === undefined ? {} : { commit: info.labels.commit, store: info.labels.store };
}

module.exports = { Ops, buildOf, lookupsOf, samplesOf, sumOf };
