/** A result as one page of HTML that needs nothing else: for the mail to those who asked whether it is fast. */
'use strict';

const { barChart, escaped, lineChart } = require('./charts');
const { formatted, growthLine, hitRateLine, latencyRows, percent, remarksOf } = require('./result');

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6676; --paper: #fff; --line: #d9dee6; --a: #2563b0; --b: #c2560c; --c: #6b3fa0; --good: #17703c; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa6b6; --paper: #14181f; --line: #303845; --a: #6ea8f0; --b: #f09a5a; --c: #b592e6; --good: #5cc98a; --bad: #ff8a80; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .5rem; }
.verdict { font-weight: 700; } .passed, .ok { color: var(--good); } .failed, .no { color: var(--bad); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } th, td { text-align: right; padding: .2rem .7rem; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; } th { color: var(--soft); font-weight: 600; }
figure { margin: .8rem 0; } figcaption { font-weight: 600; } svg { width: 100%; height: auto; }
.grid { stroke: var(--line); } .limit { stroke: var(--bad); stroke-dasharray: 5 4; } .tick, .value { font-size: 11px; fill: var(--soft); } .value { font-size: 9px; }
.line { fill: none; stroke-width: 1.6; stroke-linecap: round; } .dashed { stroke-dasharray: 6 4; } .line0 { stroke: var(--a); } .line1 { stroke: var(--b); } .line2 { stroke: var(--c); }
.bar0 { fill: var(--a); } .bar1 { fill: var(--b); } .bar2 { fill: var(--c); }
.key { font-weight: 400; color: var(--soft); margin-left: .8rem; } .key::before { content: ""; display: inline-block; width: .8em; height: .8em; margin-right: .3em; background: currentColor; }
.key0::before { background: var(--a); } .key1::before { background: var(--b); } .key2::before { background: var(--c); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.note { border-left: 4px solid var(--b); padding-left: .7rem; }
`;

function tableOf(rows) {
    const [titles, ...rest] = rows;
    const row = (cells, tag) => `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`;
    return `<table><thead>${row(titles.map(escaped), 'th')}</thead><tbody>${rest.map((cells) => row(cells, 'td')).join('')}</tbody></table>`;
}

function thresholdTable({ thresholds }) {
    const verdict = (text) => `<span class="${text === 'ok' ? 'ok' : 'no'}">${escaped(text)}</span>`;
    const rows = thresholds.map((one) => [escaped(one.metric), escaped(one.condition), escaped(formatted(one)), String(one.samples), verdict(one.verdict)]);
    return tableOf([['threshold', 'must be', 'was', 'samples', ''], ...rows]);
}

function timeCharts({ series, settings }) {
    const of = (name) => series.map((one) => [one.second, one[name]]);
    const limit = 100 * settings.latency_factor;
    return [
        lineChart({ title: 'Requests', unit: 'per second', lines: [{ name: 'requests', points: of('rate') }] }),
        lineChart({
            title: 'Latency of all requests', unit: 'ms', lines: [{ name: 'p50', points: of('p50') }, { name: 'p95', points: of('p95') }],
            limit: { value: limit, name: `p95 limit ${limit} ms` },
        }),
        lineChart({ title: 'Hit rate', unit: '%', most: 100, lines: [{ name: 'hit rate', points: series.map(({ second, hit_rate: rate }) => [second, rate === null ? null : rate * 100]) }] }),
    ].join('\n');
}

function growthCharts(growth) {
    const chart = (one) => lineChart({
        title: `${one.name} of ${one.server}`, unit: one.unit, zero: false,
        lines: [{ name: 'samples', points: one.points }, ...(one.line ? [{ name: 'second half', points: one.line, dashed: true }] : [])],
    });
    return `<h2>What the server took</h2>${growth.map((one) => `${chart(one)}<p class="${one.grows || !one.enough ? 'no' : 'ok'}">${escaped(growthLine(one))}</p>`).join('\n')}`;
}

function reportOf(result) {
    const { machine, versions, settings, all } = result;
    const limit = 100 * settings.latency_factor;
    const facts = [
        ['command', result.command],
        ['target', `${result.url}${result.is_own ? ' (started for this run, with the KEV catalogue)' : ''}`],
        ['from, for', `${result.began}, ${result.seconds.toFixed(1)} s`],
        ['OpenRisk', [versions.openrisk, versions.commit, versions.store].filter(Boolean).join(', ')],
        ['k6, node', `${versions.k6}, ${versions.node}`],
        ['load from', `${machine.cpu}, ${machine.processors} processors, ${machine.memory_gib} GiB, ${machine.system}; load average ${machine.load_average} at the end`],
        ['generator', result.generator.processors_busy === null ? '–' : `k6 kept ${result.generator.processors_busy.toFixed(2)} of ${machine.processors} processors busy`],
        ['settings', Object.entries({ ...settings, ...Object.fromEntries(result.server_settings.map((text) => text.split('='))) }).map(([name, value]) => `${name}=${value}`).join(' ')],
    ];
    const stale = result.stale_reads === null ? '' : ` · stale reads ${result.stale_reads.stale} of ${result.stale_reads.looked_at}`;
    return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>OpenRisk under load: ${escaped(result.scenario)}, ${escaped(result.verdict)}</title><style>${STYLE}</style></head><body>
<h1>OpenRisk under load: ${escaped(result.scenario)}</h1>
<p class="verdict ${result.verdict}">${escaped(result.verdict.toUpperCase())}</p>
<p>${all.requests} requests, ${all.rate === null ? '–' : all.rate.toFixed(1)} a second · errors ${percent(result.errors, 3)}${stale} · dropped iterations ${result.dropped_iterations}</p>
<p>${escaped(hitRateLine(result.hit_rate))}</p>
${result.failures.map((failure) => `<p class="no">Failed: ${escaped(failure)}</p>`).join('\n')}
${remarksOf(result).map((remark) => `<p class="note">${escaped(remark)}</p>`).join('\n')}
<h2>Latency by endpoint</h2>
${result.endpoints.length > 0 ? barChart({
        title: 'Latency', unit: 'ms', names: ['p50', 'p95', 'p99'], limit: { value: limit, name: `p95 limit ${limit} ms` },
        rows: result.endpoints.map(({ name, p50, p95, p99 }) => ({ name, values: [p50, p95, p99] })),
    }) : ''}
${tableOf(latencyRows(result).map((row) => row.map(escaped)))}
<h2>Over time</h2>
${timeCharts(result)}
${result.growth ? growthCharts(result.growth) : ''}
<h2>Thresholds</h2>
${thresholdTable(result)}
<h2>How this was measured</h2>
<dl>${facts.map(([name, text]) => `<dt>${escaped(name)}</dt><dd>${escaped(text)}</dd>`).join('')}</dl>
</body></html>
`;
}

module.exports = { reportOf };
