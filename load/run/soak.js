/** Looks at what the servers take while a soak is under way, and judges whether any of it grows. */
'use strict';

const { SERIES, growthOf } = require('./growth');
const { sumOf } = require('./metrics');
const { Problem } = require('./problem');

const SAMPLES_WANTED = 1440;
const INTERVAL_MIN_MS = 100;
const INTERVAL_MAX_MS = 60000;

/** Looks that may fail, of all, before the series is not worth judging. */
const GAPS_MAX = 0.05;

class Watch {
    constructor(ops, durationMs) {
        this.ops = ops;
        this.intervalMs = Math.max(INTERVAL_MIN_MS, Math.min(INTERVAL_MAX_MS, durationMs / SAMPLES_WANTED));
        this.samples = []; // {second, servers: [{name: value}]}
        this.failed = 0;
        this.problems = [];
    }

    begin() {
        this.began = Date.now();
        this.look();
    }

    async look() {
        const at = Date.now();
        try {
            this.take((at - this.began) / 1000, await this.ops.read());
        } catch (error) {
            this.failed++;
            this.lastFailure = error.message;
        }
        if (!this.isOver) {
            this.timer = setTimeout(() => this.look(), Math.max(0, at + this.intervalMs - Date.now()));
        }
    }

    take(second, scrapes) {
        const servers = scrapes.map((samples) => ({
            ...Object.fromEntries(SERIES.map(({ name, metric, scale }) => [name, sumOf(samples, metric) / scale])),
            started: sumOf(samples, 'process_start_time_seconds'),
        }));
        const absent = SERIES.filter(({ name }) => servers.some((server) => Number.isNaN(server[name])));
        if (absent.length > 0) {
            throw new Problem(`/metrics has no ${absent.map(({ metric }) => metric).join(', ')}`);
        }
        const before = this.samples.at(-1);
        servers.forEach(({ started }, index) => {
            if (before !== undefined && before.servers[index].started !== started) {
                this.problems.push(`${this.ops.origins[index]} was started again after ${second.toFixed(0)} s: what it takes began anew`);
            }
        });
        this.samples.push({ second, servers });
    }

    end() {
        this.isOver = true;
        clearTimeout(this.timer);
    }

    /** {growth: [{name, server, unit, points, …}], failures}, of the time from when to when the load was on: [from, to] in ms. */
    judge(span) {
        const [from, to] = span.map((time) => (time - this.began) / 1000);
        const samples = this.samples.filter(({ second }) => second >= from && second <= to);
        const failures = [...this.problems];
        const looks = this.samples.length + this.failed;
        if (looks === 0 || this.failed > looks * GAPS_MAX) {
            failures.push(`/metrics gave no answer for ${this.failed} of ${looks} looks: ${this.lastFailure}`);
        }
        const growth = this.ops.origins.flatMap((server, index) => SERIES.map(({ name, unit, perDay, atLeast }) => {
            const points = samples.map(({ second, servers }) => [second - from, servers[index][name]]);
            const found = growthOf(points, { perDay, atLeast });
            return {
                name, server, unit, points, enough: found.enough, grows: found.grows, samples: found.samples,
                per_day: found.perDay, within: found.within, added: found.added, line: found.line,
                tolerated: { per_day: perDay, at_least: atLeast },
            };
        }));
        for (const one of growth) {
            if (!one.enough) {
                failures.push(`${one.name}: only ${one.samples} samples in the second half; soak for longer`);
            } else if (one.grows) {
                failures.push(`${one.name} of ${one.server} grows by ${one.per_day.toFixed(1)} ± ${one.within.toFixed(1)}${one.unit && ` ${one.unit}`} a day`);
            }
        }
        return { growth, failures };
    }
}

module.exports = { Watch };
