/** What a run has shown: one object, which becomes result.json, with a verdict; and the same as text. */
'use strict';

const os = require('node:os');

const { lookupsOf } = require('./metrics');

/** By how many points the hit rate that the answers told may differ from the one that the servers counted. */
const POINTS_MAX = 1;

function machineOf() {
    const [cpu] = os.cpus();
    return {
        cpu: cpu.model.trim(),
        processors: os.cpus().length,
        memory_gib: Math.round((os.totalmem() / 2 ** 30) * 10) / 10,
        system: `${os.type()} ${os.release()} ${os.arch()}`,
        load_average: Math.round(os.loadavg()[0] * 100) / 100,
    };
}

/** What the condition of a threshold was about: p(95)<100 → values['p(95)']. */
function valueOf(metric, condition) {
    const [, name] = /^([a-z()\d.]+?)\s*[<>=!]/.exec(condition);
    return metric === undefined ? undefined : metric.values[name];
}

function thresholdsOf({ thresholds, metrics }) {
    return thresholds.map(({ metric, condition, ok, samples }) => {
        const value = valueOf(metrics[metric], condition) ?? null;
        return { metric, condition, value: samples === 0 ? null : value, samples, verdict: samples === 0 ? 'no samples' : ok ? 'ok' : 'failed' };
    });
}

function latencyOf({ values }) {
    return { requests: values.count, mean: values.avg, p50: values.med, p95: values['p(95)'], p99: values['p(99)'], max: values.max };
}

function endpointsOf({ metrics }) {
    return Object.keys(metrics)
        .map((name) => [/^request_duration\{endpoint:(\w+)\}$/.exec(name), metrics[name]])
        .filter(([match, metric]) => match !== null && metric.values.count > 0)
        .map(([[, name], metric]) => ({ name, ...latencyOf(metric) }))
        .sort((a, b) => a.name.localeCompare(b.name));
}

const rateOf = (metric) => ({ hits: metric.values.passes, lookups: metric.values.passes + metric.values.fails });

/**
 * The hit rate as the answers told it and as the servers counted it, both of the whole run with its warm-up. `scrapes`: [before, after], or
 * undefined with `why` there are none.
 */
function hitRateOf({ metrics }, scrapes, why) {
    const told = metrics.cache_hit ? rateOf(metrics.cache_hit) : { hits: 0, lookups: 0 };
    const measured = metrics['cache_hit{phase:measured}'];
    const share = ({ hits, lookups }) => (lookups > 0 ? hits / lookups : null);
    const result = { measured: measured ? share(rateOf(measured)) : null, told: { ...told, rate: share(told) } };
    if (scrapes === undefined) {
        return { ...result, counted: null, verdict: 'not compared', why };
    }
    const [before, after] = scrapes.map(lookupsOf);
    const counted = { hits: after.hits - before.hits, lookups: after.lookups - before.lookups };
    counted.rate = share(counted);
    const points = counted.rate === null || result.told.rate === null ? null : Math.abs(counted.rate - result.told.rate) * 100;
    const verdict = points !== null && points <= POINTS_MAX ? 'agree' : 'differ';
    return { ...result, counted, points, verdict };
}

/** Versions that were looked at, and those below what the same user knew, by where they were shown; null if none are looked at. */
function staleOf({ metrics }, recorder) {
    if (metrics.stale_reads === undefined) {
        return null;
    }
    const { passes, fails } = metrics.stale_reads.values;
    return { stale: passes, looked_at: passes + fails, by_endpoint: recorder.stale };
}

/** {scenario, …} from what k6 says, what was recorded and what the servers count. `facts`: what is only told. */
function resultOf({ run, recorder, scrapes, why, facts }) {
    const { summary } = run;
    const [from, to] = recorder.span;
    const seconds = to > from ? (to - from) / 1000 : 0;
    const thresholds = thresholdsOf(summary);
    const hitRate = hitRateOf(summary, scrapes, why);
    const duration = summary.metrics.request_duration;
    const all = duration && duration.values.count > 0 ? { ...latencyOf(duration), rate: seconds > 0 ? duration.values.count / seconds : null } : { requests: 0, rate: 0 };
    const failures = thresholds.filter(({ verdict }) => verdict !== 'ok').map((one) => {
        const about = `${one.metric} ${one.condition}`;
        return one.verdict === 'failed' ? `${about}: was ${formatted(one)}` : `${about}: no samples, so nothing was judged`;
    });
    if (hitRate.verdict === 'differ') {
        const { told, counted } = hitRate;
        failures.push(`hit rate: the answers told ${percent(told.rate)} of ${told.lookups}, the servers counted ${percent(counted.rate)} of ${counted.lookups}; did somebody else use them, or are there servers that OPENRISK_OPS_URL does not name?`);
    }
    failures.push(...run.complaints);
    const processors = os.cpus().length;
    const busy = seconds > 0 && run.cpuSeconds !== undefined ? run.cpuSeconds / (summary.duration_ms / 1000) : null;
    return {
        format: 1,
        scenario: summary.scenario,
        verdict: failures.length === 0 ? 'passed' : 'failed',
        failures,
        ...facts,
        machine: machineOf(),
        executor: summary.executor,
        settings: summary.settings,
        seconds,
        all,
        endpoints: endpointsOf(summary),
        errors: summary.metrics.errors ? summary.metrics.errors.values.rate : null,
        stale_reads: staleOf(summary, recorder),
        dropped_iterations: summary.metrics.dropped_iterations ? summary.metrics.dropped_iterations.values.count : 0,
        hit_rate: hitRate,
        generator: { processors_busy: busy, share_of_machine: busy === null ? null : busy / processors },
        thresholds,
        series: recorder.series(),
        slices: recorder.slices(),
    };
}

function percent(share, digits = 2) {
    return share === null || share === undefined ? '–' : `${(share * 100).toFixed(digits)} %`;
}

function ms(value) {
    return value === null || value === undefined ? '–' : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

/** A threshold's value with its unit. */
function formatted({ metric, condition, value }) {
    if (value === null || value === undefined) {
        return '–';
    }
    return /^rate/.test(condition) ? percent(value, 3) : /^count/.test(condition) ? String(value) : `${ms(value)} ms`;
}

/** What a reader must know before the figures: what was not as it should be, or as it usually is. */
function remarksOf(result) {
    const { settings, hit_rate: hitRate, generator } = result;
    const remarks = [];
    if (settings.latency_factor !== 1) {
        remarks.push(`The limits for latency were relaxed by OPENRISK_LOAD_LATENCY_FACTOR=${settings.latency_factor}: this says nothing about the promised times.`);
    }
    if (settings.duration_scale !== 1) {
        const how = settings.duration_scale < 1 ? 'shorter' : 'longer';
        remarks.push(`DURATION_SCALE=${settings.duration_scale}: ${how} than the scenario is meant to be.`);
    }
    if (settings.nodes > 1) {
        remarks.push(`OPENRISK_NODES=${settings.nodes}: each may load a cold key once, and what others wrote counts from a second after it was shown.`);
    }
    if (hitRate.verdict === 'not compared') {
        remarks.push(`THE HIT RATE WAS NOT COMPARED with what the servers count: ${hitRate.why}`);
    }
    if (generator.share_of_machine > 0.4) {
        remarks.push(`k6 itself used ${percent(generator.share_of_machine, 0)} of this machine: what is slow may be the load generator.`);
    }
    if (result.is_local) {
        remarks.push('The server and k6 shared one machine: each took processors from the other.');
    }
    return remarks;
}

function table(rows) {
    const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
    return rows.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column] + 2))).join('')).join('\n');
}

function latencyRows(result) {
    const row = (name, one) => [name, String(one.requests), ...[one.mean, one.p50, one.p95, one.p99, one.max].map(ms)];
    return [['ms', 'requests', 'mean', 'p50', 'p95', 'p99', 'max'], ...result.endpoints.map((one) => row(one.name, one)), row('all', result.all)];
}

function hitRateLine({ measured, told, counted, points, verdict }) {
    const rate = `hit rate ${percent(measured)}`;
    if (counted === null) {
        return `${rate}; with the warm-up ${percent(told.rate)}, NOT COMPARED with /metrics`;
    }
    return `${rate}; with the warm-up the answers told ${percent(told.rate)} and /metrics counted ${percent(counted.rate)} (${points === null ? 'no lookups' : `${points.toFixed(2)} points apart`}): they ${verdict}`;
}

function textOf(result) {
    const { stale_reads: stale, growth = [] } = result;
    const lines = [
        `${result.scenario} on ${result.url}, ${result.seconds.toFixed(1)} s, ${result.all.requests} requests, ${result.all.rate === null ? '–' : result.all.rate.toFixed(1)} a second`,
        '',
        table(latencyRows(result)),
        '',
        hitRateLine(result.hit_rate),
        `errors ${percent(result.errors, 3)}${stale === null ? '' : `, stale reads ${stale.stale} of ${stale.looked_at}${Object.entries(stale.by_endpoint).map(([name, count]) => `, ${name} ${count}`).join('')}`}, dropped iterations ${result.dropped_iterations}`,
        `k6 used ${result.generator.processors_busy === null ? '–' : result.generator.processors_busy.toFixed(2)} of ${result.machine.processors} processors`,
        ...growth.map(growthLine),
        '',
        ...remarksOf(result).map((remark) => `note: ${remark}`),
        ...result.failures.map((failure) => `FAILED: ${failure}`),
        `${result.verdict.toUpperCase()}: ${result.thresholds.filter(({ verdict }) => verdict === 'ok').length} of ${result.thresholds.length} thresholds hold`,
    ];
    return `${lines.join('\n')}\n`;
}

function growthLine({ name, unit, enough, grows, samples, per_day: perDay, within, added, tolerated }) {
    if (!enough) {
        return `${name}: ${samples} samples in the second half, too few to tell`;
    }
    const of = (value) => `${value.toFixed(2)}${unit === '' ? '' : ` ${unit}`}`;
    return `${name}: ${grows ? 'GROWS' : 'does not grow'}: ${of(perDay)} ± ${of(within)} a day, ${of(added)} in the second half; tolerated ${of(tolerated.per_day)} a day, or ${of(tolerated.at_least)} in all`;
}

module.exports = { formatted, growthLine, hitRateLine, latencyRows, ms, percent, remarksOf, resultOf, table, textOf };
