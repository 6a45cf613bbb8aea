/** How figures grow with the register, what is aimed at with a million risks, and how that is told. Nothing here measures. */
'use strict';

const { printTable } = require('../measure');
const { lineChart } = require('../performance/chart');
const { figure, markdownTable, provenance } = require('../performance/page');

const MILLION = 1000000;
/** `kinds`: which of the kinds of requests, uncached, may take so long with a million risks. */
const AIMS = [
    { name: 'first page', limit: 5, kinds: /^first page/ },
    { name: 'statistics', limit: 2, kinds: /^(stats|matrix|trends.*|distribution|mitigation metrics|top risks)$/ },
    { name: 'search', limit: 50, kinds: /^search:/ },
];

/** "10000,1000" → [1000, 10000]; undefined if it is no such list. */
function sizesOf(text) {
    if (!/^[1-9]\d{0,6}(,[1-9]\d{0,6})*$/.test(text)) {
        return undefined;
    }
    return [...new Set(text.split(',').map(Number))].sort((a, b) => a - b);
}

/**
 * The exponent e of the growth: value ~ size^e fits best, by least squares over the logarithms. 0: the size does not
 * matter; 1: twice the risks, twice the value. undefined with less than two sizes, or where there is nothing to measure.
 */
function exponentOf(sizes, values) {
    if (sizes.length < 2 || !values.every((value) => value > 0)) {
        return undefined;
    }
    const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
    const [xs, ys] = [sizes.map(Math.log), values.map(Math.log)];
    const [x0, y0] = [mean(xs), mean(ys)];
    const sum = (of) => xs.reduce((total, x, index) => total + of(x - x0, ys[index] - y0), 0);
    return sum((x, y) => x * y) / sum((x) => x * x);
}

/** Each aim with the slowest of its kinds in the largest register, if that has a million risks: [{name, limit, kind, ms, ok}]. */
function aimsOf(sizes, rows) {
    const last = sizes.length - 1;
    if (sizes[last] < MILLION) {
        return [];
    }
    return AIMS.map(({ name, limit, kinds }) => {
        const own = rows.filter((row) => row.group === 'uncached' && kinds.test(row.name));
        const slowest = own.reduce((most, row) => (row.values[last] > most.values[last] ? row : most));
        return { name, limit, kind: slowest.name, ms: slowest.values[last], ok: slowest.values[last] <= limit };
    });
}

const GROUPS = { uncached: 'median in ms, nothing cached', cached: 'median in ms, cached', whole: 'the whole' };
const count = (number) => number.toLocaleString('en-US');
const exponent = (value) => (value === undefined ? '–' : value.toFixed(2));
const titlesOf = (sizes) => [...sizes.map(count), 'growth'];

/** [[name, value …, exponent] …] of a group. `rows`: [{group, name, unit, values}]. */
function tableOf(sizes, rows, group) {
    return rows.filter((row) => row.group === group).map(({ name, unit, values }) =>
        [unit === 'ms' && group !== 'whole' ? name : `${name}, ${unit}`, ...values.map(figure), exponent(exponentOf(sizes, values))]);
}

function aimSentences(sizes, rows) {
    const aims = aimsOf(sizes, rows);
    return aims.length === 0
        ? [`The aims are for ${count(MILLION)} risks, and so many were not measured.`]
        : aims.map(({ name, limit, kind, ms, ok }) =>
            `${name} at ${count(sizes.at(-1))} risks: at most ${limit} ms; ${ok ? 'met' : 'NOT MET'}, the slowest (${kind}) takes ${figure(ms)} ms.`);
}

function growthSentence(sizes) {
    return sizes.length < 2
        ? 'Growth needs two sizes or more.'
        : `"growth" is the exponent e in value ~ risks^e from ${count(sizes[0])} to ${count(sizes.at(-1))} risks: 0 does not grow, 1 grows as the register does.`;
}

function print(sizes, rows) {
    for (const [group, title] of Object.entries(GROUPS)) {
        console.log('');
        const [titles, ...lines] = [[title, ...titlesOf(sizes)], ...tableOf(sizes, rows, group)].map(([first, ...cells]) => [first.padEnd(34), ...cells]);
        printTable(titles, lines);
    }
    console.log('');
    [growthSentence(sizes), ...aimSentences(sizes, rows)].forEach((sentence) => console.log(sentence));
}

/** The lines of the chart of times: some kinds uncached, and two of them cached. */
const SHOWN = ['search: frequent words', 'search: rare words', 'page: tag', 'first page with its total', 'one risk by ref', 'stats'];
const SHOWN_CACHED = ['first page with its total', 'stats'];

function picturesOf(sizes, rows) {
    const shown = (group, names) => rows.filter((row) => row.group === group && names.includes(row.name));
    return {
        'scale-times.svg': lineChart({
            title: 'How long answers take as the register grows', unit: 'median in ms, one client', sizes,
            series: [
                ...shown('uncached', SHOWN).map(({ name, values }) => ({ name, values })),
                ...shown('cached', SHOWN_CACHED).map(({ name, values }) => ({ name: `${name}, cached`, values, dashed: true })),
            ],
        }),
        'scale-sizes.svg': lineChart({
            title: 'What a register takes as it grows', unit: 'MB, seconds and ms, as the lines say', sizes,
            series: rows.filter(({ group }) => group === 'whole').map(({ name, unit, values }) => ({ name: `${name}, ${unit}`, values })),
        }),
    };
}

/** The section of docs/performance.md. `context`: {engine, requests, command, machine}. */
function markdownOf(sizes, rows, context) {
    const titles = titlesOf(sizes);
    return [
        `${context.engine}; one client; medians of ${context.requests} requests of each kind. "health" asks nothing of the register: it is what the way there and back takes.`,
        provenance(context.command, context.machine),
        '![How long answers take as the register grows](pictures/scale-times.svg)',
        '![What a register takes as it grows](pictures/scale-sizes.svg)',
        ...Object.entries(GROUPS).flatMap(([group, title]) => [
            `**${title[0].toUpperCase()}${title.slice(1)}**, by the number of risks:`,
            markdownTable(['', ...titles], tableOf(sizes, rows, group)),
        ]),
        growthSentence(sizes),
        `The aims:\n\n${aimSentences(sizes, rows).map((sentence) => `- ${sentence[0].toUpperCase()}${sentence.slice(1)}`).join('\n')}`,
    ].join('\n\n');
}

/** For --json. */
function resultsOf(sizes, rows) {
    const what = ({ group, name }) => (group === 'whole' ? name : `${name}, ${group}`);
    return [
        ...rows.flatMap((row) => [
            ...row.values.map((value, index) => ({ name: `scale, ${sizes[index]} risks, ${what(row)}`, unit: row.unit, median: value, ok: true })),
            { name: `scale, growth from ${sizes[0]} to ${sizes.at(-1)} risks, ${what(row)}`, unit: 'exponent', median: exponentOf(sizes, row.values), ok: true },
        ]),
        ...aimsOf(sizes, rows).map(({ name, limit, kind, ms, ok }) => ({ name: `scale, aim: ${name} (${kind})`, unit: 'ms', median: ms, limit, ok })),
    ];
}

module.exports = { aimsOf, exponentOf, markdownOf, picturesOf, print, resultsOf, sizesOf };
