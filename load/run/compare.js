/**
 * Two results side by side, with a verdict. Each run is cut into ten parts of equal time, and a part is compared with the part of the other run in which
 * the load was the same. Latency is better or worse if
 * - there are requests enough in each part to know the figure at all (REQUESTS_MIN),
 * - the ten ratios agree: the 99 % interval of their mean (of logarithms) does not hold 1; there are some two dozen of these figures, so with
 *   95 % one of them would differ by chance, and
 * - the difference matters: more than TOLERANCE, and more than LEAST_MS.
 * All else is the noise of two runs of the same. The ten parts do not know how much a machine differs from one day to the
 * next; that is what the tolerance is for.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { meanWithin } = require('./figures');
const { Problem } = require('./problem');
const { ms, percent, table } = require('./result');

const TOLERANCE = 0.1;
const LEAST_MS = { mean: 0.5, p95: 1, p99: 2 };
const REQUESTS_MIN = { mean: 5, p95: 20, p99: 100 };
const RATE_TOLERANCE = 0.05;
const HIT_POINTS = 1;
const ERROR_POINTS = 0.1;

/** Of a result's folder, or its result.json. */
function readResult(name) {
    const file = fs.existsSync(name) && fs.statSync(name).isDirectory() ? path.join(name, 'result.json') : name;
    let result;
    try {
        result = JSON.parse(fs.readFileSync(file, 'utf8'));
    } catch (error) {
        throw new Problem(error.code === 'ENOENT' ? `there is no result in ${name}` : `${file} is not a result of script/load: ${error.message}`);
    }
    if (result === null || result.format !== 1 || result.slices === undefined) {
        throw new Problem(`${file} is not a result of script/load`);
    }
    return result;
}

/** better, worse, same or too few (to be judged) of a figure for which less is better. */
function judgeLatency(a, b, aSlices, bSlices, figure) {
    if ([...aSlices, ...bSlices].some(({ requests }) => requests < REQUESTS_MIN[figure])) {
        return 'too few';
    }
    const logs = aSlices.map((one, index) => [one[figure], bSlices[index][figure]]).filter(([x, y]) => x > 0 && y > 0).map(([x, y]) => Math.log(y / x));
    const { mean, within } = logs.length > 1 ? meanWithin(logs) : { mean: 0, within: Infinity };
    const isSure = Math.abs(mean) > within;
    const matters = Math.abs(b / a - 1) > TOLERANCE && Math.abs(b - a) > LEAST_MS[figure] && Math.sign(b - a) === Math.sign(mean);
    return isSure && matters ? (b > a ? 'worse' : 'better') : 'same';
}

/** Of a figure for which more is better, or less if `less`. */
function judgeDifference(a, b, tolerated, less = false) {
    const difference = less ? a - b : b - a;
    return Math.abs(difference) <= tolerated ? 'same' : difference > 0 ? 'better' : 'worse';
}

function signed(a, b) {
    const change = (b / a - 1) * 100;
    return Number.isFinite(change) ? `${change >= 0 ? '+' : '−'}${Math.abs(change).toFixed(0)} %` : '–';
}

/** {rows: [{name, a, b, change, verdict}], verdict, notes} */
function compare(a, b) {
    if (a.scenario !== b.scenario) {
        throw new Problem(`one is of ${a.scenario}, the other of ${b.scenario}: only two results of one scenario can be compared`);
    }
    if (a.settings.rate !== b.settings.rate) {
        throw new Problem(`one asked ${a.settings.rate} times a second, the other ${b.settings.rate} times: that is another load`);
    }
    const rows = [];
    const latency = (name, x, y, xSlices, ySlices) => {
        for (const figure of ['mean', 'p95', 'p99']) {
            const verdict = judgeLatency(x[figure], y[figure], xSlices, ySlices, figure);
            rows.push({ name: `${name} ${figure}, ms`, a: ms(x[figure]), b: ms(y[figure]), change: signed(x[figure], y[figure]), verdict });
        }
    };
    for (const x of a.endpoints) {
        const y = b.endpoints.find(({ name }) => name === x.name);
        if (y !== undefined) {
            latency(x.name, x, y, a.slices[x.name], b.slices[x.name]);
        }
    }
    if (a.all.requests === 0 || b.all.requests === 0) {
        throw new Problem(`${a.all.requests === 0 ? 'the first' : 'the second'} holds no measured request`);
    }
    latency('all', a.all, b.all, a.slices.all, b.slices.all);
    const rates = [a.all.rate, b.all.rate];
    rows.push({ name: 'requests a second', a: rates[0].toFixed(1), b: rates[1].toFixed(1), change: signed(...rates), verdict: judgeDifference(...rates, RATE_TOLERANCE * rates[0]) });
    const hits = [a, b].map(({ hit_rate: hitRate }) => hitRate.measured);
    if (!hits.includes(null)) {
        const change = (hits[1] - hits[0]) * 100;
        const verdict = judgeDifference(...hits, HIT_POINTS / 100);
        rows.push({ name: 'hit rate', a: percent(hits[0]), b: percent(hits[1]), change: `${change.toFixed(2)} points`, verdict });
    }
    const errors = [a.errors || 0, b.errors || 0];
    rows.push({ name: 'errors', a: percent(errors[0], 3), b: percent(errors[1], 3), change: `${((errors[1] - errors[0]) * 100).toFixed(2)} points`, verdict: judgeDifference(...errors, ERROR_POINTS / 100, true) });
    const stale = [a, b].map((one) => (one.stale_reads === null ? 0 : one.stale_reads.stale));
    rows.push({ name: 'stale reads', a: String(stale[0]), b: String(stale[1]), change: String(stale[1] - stale[0]), verdict: judgeDifference(...stale, 0, true) });
    const dropped = [a, b].map((one) => one.dropped_iterations);
    rows.push({ name: 'dropped iterations', a: String(dropped[0]), b: String(dropped[1]), change: String(dropped[1] - dropped[0]), verdict: judgeDifference(...dropped, 0, true) });
    const has = (verdict) => rows.some((row) => row.verdict === verdict);
    return { rows, verdict: has('worse') ? 'worse' : has('better') ? 'better' : 'same', notes: notesOf(a, b) };
}

/** What differs besides the figures, and may be the reason for them. */
function notesOf(a, b) {
    const facts = {
        url: (one) => one.url,
        'OpenRisk': (one) => [one.versions.openrisk, one.versions.commit, one.versions.store].filter(Boolean).join(', '),
        'k6': (one) => one.versions.k6,
        'machine of the load': (one) => `${one.machine.cpu}, ${one.machine.processors} processors`,
        DURATION_SCALE: (one) => one.settings.duration_scale,
        'server settings': (one) => one.server_settings.join(' ') || 'none',
        verdict: (one) => one.verdict,
    };
    return Object.entries(facts)
        .map(([name, of]) => [name, String(of(a)), String(of(b))])
        .filter(([name, x, y]) => x !== y && !(name === 'url' && a.is_own && b.is_own))
        .map(([name, x, y]) => `${name}: ${x} | ${y}`);
}

const TOLD = { same: '', 'too few': '(too few)', better: 'BETTER', worse: 'WORSE' };

function compareText({ rows, verdict, notes }) {
    const lines = table([[' ', 'A', 'B', 'change', ''], ...rows.map((row) => [row.name, row.a, row.b, row.change, TOLD[row.verdict]])]);
    const what = { worse: 'B is worse than A', better: 'B is better than A', same: 'B is the same as A, as far as can be told' };
    return `${lines}\n\n${notes.map((note) => `differs, ${note}\n`).join('')}${what[verdict]}\n`;
}

module.exports = { compare, compareText, readResult };
