/** What `script/bench compare` tells of its figures: as text, as Markdown with charts, and for programs. */
'use strict';

const { printTable, timesOf } = require('../measure');
const { barChart } = require('../performance/chart');
const { figure, markdownTable, provenance } = require('../performance/page');
const { judgeAll, summaryOf } = require('./claims');

const percent = (share) => `${(100 * share).toFixed(2)} %`;

/** The rows of a load: name, key, and how its ratio is taken: off/on where less is better, on/off where more is. */
const ROWS = [
    { name: 'mean, ms', key: 'mean', unit: 'ms', less: true },
    { name: 'p95, ms', key: 'p95', unit: 'ms', less: true },
    { name: 'p99, ms', key: 'p99', unit: 'ms', less: true },
    { name: 'requests/s', key: 'rate', unit: 'requests/s', less: false },
    { name: 'connections in use', key: 'connections', unit: 'connections', less: true },
    { name: 'at most', key: 'connections_most', unit: 'connections', less: true },
    { name: 'hit rate', key: 'hit_rate', unit: 'share', show: percent },
    { name: 'CPU per request, µs', key: 'cpu', unit: 'µs/request', less: true },
    { name: 'of PostgreSQL, µs', key: 'cpu_postgres', unit: 'µs/request', less: true },
    { name: 'of Redis, µs', key: 'cpu_redis', unit: 'µs/request' },
];

const LOADS = {
    users: () => '5 users, each of whom asks again at once',
    steady: ({ rate }) => `${figure(rate)} requests/s, which is 70 % of the capacity without the cache`,
    full: ({ connections }) => `${connections} connections, as much as they can`,
};

function times(row, off, on) {
    if (row.less === undefined || off[row.key] === on[row.key]) {
        return '';
    }
    const ratio = row.less ? timesOf(off, on, row.key) : timesOf(on, off, row.key);
    return Number.isFinite(ratio) && ratio > 0 ? `${figure(ratio)} ×` : '–';
}

/** [[name, off, on, times better] …] of one load; what was not measured in it is left out. */
function tableOf({ off, on }) {
    return ROWS.filter(({ key }) => off[key] !== undefined).map((row) => {
        const show = row.show || figure;
        return [row.name, row.key === 'hit_rate' ? '–' : show(off[row.key]), show(on[row.key]), times(row, off, on)];
    });
}

const yesNo = (beaten) => (beaten === undefined ? '' : beaten ? 'yes' : 'NO');

/** [[what, theirs, ours, beaten?, their ratio, ours, beaten?] …] */
function claimRows(judged) {
    return judged.map(({ claim, off, on, ratio, beats_after: after, beats_ratio: ofRatio }) => {
        const show = (value) => (claim.percent ? percent(value) : figure(value));
        const unit = claim.percent || claim.unit === '' ? '' : ` ${claim.unit}`;
        return [
            claim.what,
            claim.said,
            claim.percent ? show(on) : `${show(off)} → ${show(on)}${unit}`,
            yesNo(after),
            claim.ratio === undefined ? '' : `${figure(claim.ratio)} ×`,
            claim.ratio === undefined ? '' : ratio === undefined ? '–' : `${figure(ratio)} ×`,
            yesNo(ofRatio),
        ];
    });
}

const CLAIM_TITLES = ['', 'theirs', 'here', 'beaten', 'their ratio', 'ratio here', 'beaten'];

/** What makes figures doubtful, in sentences. */
function doubtsOf(engine) {
    const { steady } = engine.loads;
    const sides = Object.entries({ off: steady.off, on: steady.on });
    return sides.flatMap(([name, figures]) => [
        ...(figures.starved > 0 ? [`At the fixed rate ${figures.starved} requests found no connection free with the cache ${name}: the machine could not hold the rate all the time.`] : []),
        ...(figures.own > figures.p99 / 2 ? [`At the fixed rate the generator itself was late with the cache ${name} (p99 ${figure(figures.own)} ms): its p99 says more about the machine.`] : []),
    ]);
}

function print(engines) {
    for (const engine of engines) {
        for (const [name, titleOf] of Object.entries(LOADS)) {
            console.log(`\n${engine.name}: ${titleOf(engine)}`);
            printTable(['', 'cache off', 'cache on', 'better'], tableOf(engine.loads[name]));
        }
        const judged = judgeAll(engine.loads);
        console.log(`\n${engine.name}: the predecessor's claims`);
        const [titles, ...rows] = [CLAIM_TITLES, ...claimRows(judged)].map(([first, ...cells]) => [first.padEnd(28), ...cells]);
        printTable(titles, rows, 22);
        [...summaryOf(judged), ...doubtsOf(engine)].forEach((sentence) => console.log(sentence));
    }
}

/** The charts by the names of their files. */
function picturesOf(engines) {
    const names = ['cache off', 'cache on'];
    const pair = (load, key) => [load.off[key], load.on[key]];
    const latencies = (engine) => [['users', '5 users'], ['steady', '70 % load']].flatMap(([load, name]) =>
        ['mean', 'p95', 'p99'].map((key) => ({ name: `${name}, ${key}`, unit: 'ms', values: pair(engine.loads[load], key) })));
    return {
        'compare-latency.svg': barChart({
            title: 'How long answers take, with the cache off and on', names,
            panels: engines.map((engine) => ({ title: engine.name, rows: latencies(engine) })),
        }),
        'compare-capacity.svg': barChart({
            title: 'What a processor is good for, with the cache off and on', names,
            panels: [
                { title: 'Requests per second, 64 connections', rows: engines.map((engine) => ({ name: engine.name, unit: '', values: pair(engine.loads.full, 'rate') })) },
                { title: 'CPU time of the server per request, 70 % load', rows: engines.map((engine) => ({ name: engine.name, unit: 'µs', values: pair(engine.loads.steady, 'cpu') })) },
            ],
        }),
    };
}

/** The section of docs/performance.md. `context`: {rows, rounds, seconds, command, machine}. */
function markdownOf(engines, context) {
    const writes = (engine) => Object.entries({ 'with 5 users': 'users', 'at the fixed rate': 'steady' }).map(([when, load]) =>
        `${figure(engine.loads[load].on.requests / engine.loads[load].on.writes)} ${when}`).join(' and ');
    const parts = engines.map((engine) => {
        const judged = judgeAll(engine.loads);
        return [
            `### ${engine.name}`,
            ...Object.entries(LOADS).flatMap(([name, titleOf]) => [
                `**${titleOf(engine)[0].toUpperCase()}${titleOf(engine).slice(1)}:**`,
                markdownTable(['', 'cache off', 'cache on', 'better'], tableOf(engine.loads[name])),
            ]),
            `**The predecessor's claims**, before → after its cache came:`,
            markdownTable(CLAIM_TITLES, claimRows(judged)),
            summaryOf(judged).join(' '),
            `For each write there were ${writes(engine)} requests with the cache on: a hit rate is good only together with that number.`,
            ...doubtsOf(engine),
        ];
    });
    return [
        `${figure(context.rows)} risks; medians of ${context.rounds} rounds of ${context.seconds} s, in which the cache was off and on in turn. "Better": how many times, the median of the rounds.`,
        provenance(context.command, context.machine),
        '![How long answers take, with the cache off and on](pictures/compare-latency.svg)',
        '![What a processor is good for, with the cache off and on](pictures/compare-capacity.svg)',
        ...parts.flat(),
    ].join('\n\n');
}

/** For --json: every figure of every load, and the claims as `ok` where an absolute one is beaten. */
function resultsOf(engines) {
    return engines.flatMap((engine) => [
        ...Object.entries(engine.loads).flatMap(([load, sides]) => Object.entries(sides).flatMap(([side, figures]) =>
            ROWS.filter(({ key }) => figures[key] !== undefined).map(({ key, unit }) => (
                { name: `compare, ${engine.name}, ${load}, cache ${side}: ${key}`, unit, median: figures[key], ok: true })))),
        ...judgeAll(engine.loads).map(({ claim, off, on, ratio, beats_after: after, beats_ratio: ofRatio }) => ({
            name: `compare, ${engine.name}, claim: ${claim.what}`, theirs: claim.said, before: off, median: on, limit: claim.after,
            ratio, their_ratio: claim.ratio, beats_after: after, beats_ratio: ofRatio, ok: after !== false,
        })),
    ]);
}

module.exports = { markdownOf, picturesOf, print, resultsOf };
