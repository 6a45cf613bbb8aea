/** The samples of a run as they come, and what they were over time. */
'use strict';

const { meanOf, quantile } = require('./figures');

const SERIES_MAX = 120;
const SLICES = 10;

/** Samples of one metric: when, and how much. */
class Samples {
    constructor() {
        this.times = [];
        this.values = [];
    }

    add(time, value) {
        this.times.push(time);
        this.values.push(value);
    }

    /** The values in `count` equal parts of the time between two moments. */
    parts(from, to, count) {
        const parts = Array.from({ length: count }, () => []);
        this.times.forEach((time, index) => {
            const part = Math.floor(((time - from) / (to - from || 1)) * count);
            if (part >= 0 && part <= count) {
                parts[Math.min(part, count - 1)].push(this.values[index]);
            }
        });
        return parts;
    }
}

function figuresOf(values) {
    if (values.length === 0) {
        return { requests: 0 };
    }
    const sorted = [...values].sort((a, b) => a - b);
    return { requests: values.length, mean: meanOf(sorted), p50: quantile(sorted, 0.5), p95: quantile(sorted, 0.95), p99: quantile(sorted, 0.99) };
}

class Recorder {
    constructor() {
        this.all = new Samples();
        this.endpoints = new Map();
        this.errors = new Samples();
        this.hits = new Samples();
        this.stale = {};
    }

    take(metric, { time, value, tags }) {
        if (metric === 'stale_reads') {
            this.stale[tags.endpoint] = (this.stale[tags.endpoint] || 0) + value;
        } else if (metric === 'errors') {
            this.errors.add(time, value);
        } else if (metric === 'cache_hit') {
            this.hits.add(time, value);
        } else {
            this.all.add(time, value);
            if (!this.endpoints.has(tags.endpoint)) {
                this.endpoints.set(tags.endpoint, new Samples());
            }
            this.endpoints.get(tags.endpoint).add(time, value);
        }
    }

    /** From the first measured request to the last. */
    get span() {
        let [from, to] = [Infinity, -Infinity];
        for (const time of this.all.times) {
            from = Math.min(from, time);
            to = Math.max(to, time);
        }
        return [from, to];
    }

    /** For charts: [{second, rate, p50, p95, errors, hit_rate}]. */
    series() {
        const [from, to] = this.span;
        if (!(to > from)) {
            return [];
        }
        const seconds = (to - from) / 1000;
        const count = Math.max(1, Math.min(SERIES_MAX, Math.floor(seconds)));
        const [errors, hits] = [this.errors.parts(from, to, count), this.hits.parts(from, to, count)];
        return this.all.parts(from, to, count).map((values, index) => {
            const { requests, p50 = null, p95 = null } = figuresOf(values);
            return {
                second: ((index + 0.5) * seconds) / count,
                rate: (requests * count) / seconds,
                p50,
                p95,
                errors: errors[index].reduce((sum, value) => sum + value, 0),
                hit_rate: hits[index].length > 0 ? meanOf(hits[index]) : null,
            };
        });
    }

    /** For comparisons: the same figures in ten parts of the time, of all and of each endpoint. */
    slices() {
        const [from, to] = this.span;
        const of = (samples) => samples.parts(from, to, SLICES).map(figuresOf);
        return { all: of(this.all), ...Object.fromEntries([...this.endpoints].map(([name, samples]) => [name, of(samples)])) };
    }
}

module.exports = { Recorder };
