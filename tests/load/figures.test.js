/** The arithmetic of script/load: what grows and what does not, when two results differ, and where k6 is taken from. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { lineChart } = require('../../load/run/charts');
const { compare, compareText } = require('../../load/run/compare');
const { lineThrough, meanWithin, quantile, t95 } = require('../../load/run/figures');
const { growthOf } = require('../../load/run/growth');
const { lookupsOf, samplesOf, sumOf } = require('../../load/run/metrics');
const { randomOf } = require('../tools/generate-kev');

const DAY = 86400;
const TOLERATED = { perDay: 16, atLeast: 2 };

/** Noise with memory: each step keeps `kept` of the one before, as the memory of a process does. */
function noiseOf(seed, { size = 1, kept = 0 } = {}) {
    const random = randomOf(seed);
    let value = 0;
    return () => (value = kept * value + size * (random() + random() + random() - 1.5));
}

function seriesOf(of, { count = 1440, seconds = 60 } = {}) {
    return Array.from({ length: count }, (_, index) => [index * seconds, of(index * seconds)]);
}

test('a line through points is the one that is there, and its interval holds it', () => {
    const exact = lineThrough([[0, 1], [1, 3], [2, 5], [3, 7]]);
    assert.deepStrictEqual([exact.slope, exact.offset, exact.within], [2, 1, 0]);
    // Worked out by hand: slope 0.6, residuals −0.2, 0.4, −0.2, … of y = 2, 3, 3, 4 at 0 … 3.
    const rough = lineThrough([[0, 2], [1, 3], [2, 3], [3, 4]]);
    assert.ok(Math.abs(rough.slope - 0.6) < 1e-12);
    assert.ok(Math.abs(rough.within - 4.303 * Math.sqrt(0.2 / 2 / 5)) < 1e-12);
    assert.strictEqual(lineThrough([[0, 1], [1, 2]]).within, Infinity);
    // Of a hundred lines with noise about 95 intervals hold the slope.
    let held = 0;
    for (let seed = 1; seed <= 100; seed++) {
        const noise = noiseOf(seed);
        const { slope, within } = lineThrough(Array.from({ length: 30 }, (_, x) => [x, 0.1 * x + noise()]));
        held += Number(Math.abs(slope - 0.1) <= within);
    }
    assert.ok(held >= 88 && held < 100, `${held} of 100`);
});

test('quantiles and means', () => {
    assert.strictEqual(quantile([1, 2, 3, 4, 5], 0.5), 3);
    assert.strictEqual(quantile([1, 2], 0.95), 1.95);
    assert.strictEqual(t95(9), 2.262);
    assert.strictEqual(t95(11), 2.228);
    assert.strictEqual(t95(1e6), 1.98);
    const { mean, within } = meanWithin([1, 2, 3]);
    assert.ok(mean === 2 && Math.abs(within - 9.925 / Math.sqrt(3)) < 1e-9);
});

test('what grows is found: by steps, in a line, or hidden in noise', () => {
    const noise = noiseOf(1, { size: 0.5, kept: 0.9 });
    const growing = {
        'in a line': (second) => 100 + (30 * second) / DAY,
        'in noise': (second) => 100 + (40 * second) / DAY + noise(),
        'by steps of 4': (second) => 100 + 4 * Math.floor((10 * second) / DAY),
        'after a time': (second) => 100 + 40 * Math.max(0, second / DAY - 0.3),
    };
    for (const [name, of] of Object.entries(growing)) {
        const found = growthOf(seriesOf(of), TOLERATED);
        assert.ok(found.grows, `${name}: ${JSON.stringify(found)}`);
    }
    const { perDay } = growthOf(seriesOf(growing['in a line']), TOLERATED);
    assert.ok(Math.abs(perDay - 30) < 1e-6, `${perDay}`);
});

test('what does not grow is not accused: level, warming up, waves, less, and what is tolerated', () => {
    const fine = {
        level: () => 100,
        'warming up': (second) => 100 + 80 * (1 - Math.exp(-second / 3600)),
        waves: (second) => 100 + 10 * Math.sin(second / 500),
        less: (second) => 200 - (50 * second) / DAY,
        'a little': (second) => 100 + (15 * second) / DAY,
    };
    for (const [name, of] of Object.entries(fine)) {
        const found = growthOf(seriesOf(of), TOLERATED);
        assert.ok(found.enough && !found.grows, `${name}: ${JSON.stringify(found)}`);
    }
    // By chance a few of hundred series with memory may look like growth; without the averaging in blocks it would be most of them.
    let accused = 0;
    for (let seed = 1; seed <= 100; seed++) {
        const noise = noiseOf(seed, { size: 4, kept: 0.98 });
        accused += Number(growthOf(seriesOf(() => 100 + noise()), { perDay: 0, atLeast: 0 }).grows);
    }
    assert.ok(accused < 15, `${accused} of 100`);
});

test('minutes do not make a leak of one page of memory, and too few samples make nothing', () => {
    const second = growthOf(seriesOf((at) => 100 + 0.01 * at, { count: 100, seconds: 1 }), TOLERATED);
    assert.ok(second.enough && second.perDay > 800 && !second.grows);
    assert.ok(growthOf(seriesOf((at) => 100 + 0.1 * at, { count: 100, seconds: 1 }), TOLERATED).grows);
    assert.deepStrictEqual(growthOf(seriesOf((at) => at, { count: 20 }), TOLERATED), { enough: false, grows: false, samples: 10 });
});

test('metrics are read as they are written', () => {
    const samples = samplesOf('# HELP a b\nopenrisk_cache_requests_total{cache="responses",result="hit_l1"} 7\nopenrisk_cache_requests_total{cache="responses",result="miss"} 3\n'
        + 'openrisk_cache_requests_total{cache="sessions",result="hit_l1"} 99\nx{a="q\\"}{,"} 1e3\ny NaN\n');
    assert.deepStrictEqual(lookupsOf([samples, samples]), { lookups: 20, hits: 14 });
    assert.strictEqual(sumOf(samples, 'x'), 1000);
    assert.ok(Number.isNaN(sumOf(samples, 'y')));
    assert.strictEqual(sumOf(samples, 'z'), undefined);
});

/** A result whose latency is `mean` in each of ten parts, give or take `noise`. */
function resultWith({ mean = 10, noise = 0.05, seed = 1, rate = 50, hits = 0.9, errors = 0, stale = 0, scenario = 'baseline' } = {}) {
    const random = noiseOf(seed, { size: noise });
    const slices = Array.from({ length: 10 }, () => {
        const value = mean * Math.exp(random());
        return { requests: 100, mean: value, p50: value, p95: 2 * value, p99: 3 * value };
    });
    const latency = { requests: 1000, mean, p50: mean, p95: 2 * mean, p99: 3 * mean, max: 4 * mean };
    return {
        format: 1, scenario, verdict: 'passed', url: 'http://127.0.0.1:1', is_own: true, versions: { openrisk: '1', k6: 'v1' }, machine: { cpu: 'c', processors: 2 },
        settings: { duration_scale: 1, rate: null }, server_settings: [], all: { ...latency, rate }, endpoints: [{ name: 'risks', ...latency }],
        slices: { all: slices, risks: slices }, errors, dropped_iterations: 0, stale_reads: { stale, looked_at: 100 }, hit_rate: { measured: hits },
    };
}

test('two results of the same are the same, and what is more than noise is told', () => {
    const verdictOf = (a, b) => compare(resultWith(a), resultWith({ seed: 2, ...b })).verdict;
    assert.strictEqual(verdictOf({}, {}), 'same');
    assert.strictEqual(verdictOf({}, { mean: 10.5 }), 'same', 'within the tolerance');
    assert.strictEqual(verdictOf({ noise: 1.5 }, { noise: 1.5, mean: 13 }), 'same', 'within the noise');
    assert.strictEqual(verdictOf({ mean: 0.1 }, { mean: 0.2 }), 'same', 'nobody feels a tenth of a millisecond');
    assert.strictEqual(verdictOf({}, { mean: 13 }), 'worse');
    assert.strictEqual(verdictOf({ mean: 13 }, {}), 'better');
    assert.strictEqual(verdictOf({}, { hits: 0.8 }), 'worse');
    assert.strictEqual(verdictOf({}, { hits: 0.95 }), 'better');
    assert.strictEqual(verdictOf({}, { rate: 40 }), 'worse');
    assert.strictEqual(verdictOf({}, { errors: 0.01 }), 'worse');
    assert.strictEqual(verdictOf({}, { stale: 1 }), 'worse');
    assert.strictEqual(verdictOf({}, { mean: 5, hits: 0.8 }), 'worse', 'what is better makes up for nothing');
    const short = resultWith({ mean: 20, seed: 2 });
    Object.values(short.slices).flat().forEach((slice) => (slice.requests = 50));
    const byName = Object.fromEntries(compare(resultWith({}), short).rows.map(({ name, verdict }) => [name, verdict]));
    assert.deepStrictEqual([byName['risks mean, ms'], byName['risks p95, ms'], byName['risks p99, ms']], ['worse', 'worse', 'too few'], 'p99 of fifty is one of them');
    assert.throws(() => verdictOf({}, { scenario: 'spike' }), /one is of baseline, the other of spike/);
});

test('a comparison shows both sides, and what else differs', () => {
    const slower = { ...resultWith({ mean: 20, seed: 2 }), versions: { openrisk: '2', k6: 'v1' } };
    const text = compareText(compare(resultWith({}), slower));
    assert.match(text, /^risks p95, ms +20\.0 +40\.0 +\+100 % +WORSE$/m);
    assert.match(text, /^hit rate +90\.00 % +90\.00 % +0\.00 points *$/m);
    assert.match(text, /^differs, OpenRisk: 1 \| 2$/m);
    assert.match(text, /\nB is worse than A\n$/);
});

test('a chart escapes its texts, has gaps, and does without samples', () => {
    const svg = lineChart({ title: '<a & "b">', unit: 'ms', lines: [{ name: 'x', points: [[0, 1], [1, null], [2, 3]] }] });
    assert.ok(!svg.includes('<a &') && svg.includes('&lt;a &amp; &quot;b&quot;&gt;'));
    assert.strictEqual(svg.match(/M[\d.]+ [\d.]+/g).length, 2);
    assert.ok(!/NaN|Infinity/.test(svg));
    assert.match(lineChart({ title: 't', unit: '', lines: [{ name: 'x', points: [] }] }), /No samples/);
    assert.ok(!/NaN|Infinity/.test(lineChart({ title: 't', unit: '', zero: false, lines: [{ name: 'x', points: [[0, 5], [1, 5]] }] })));
});
