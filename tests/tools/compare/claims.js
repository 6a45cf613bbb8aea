/**
 * What the predecessor says of its cache, and whether ours is better: after the cache came, and in how many times
 * better that is than before. A range is read as it is hardest to beat. Nothing here measures.
 */
'use strict';

const { timesOf } = require('../measure');

const LESS = 'less';
const MORE = 'more';

/** `before`, `after`: theirs; `said`: as they say it; `ratio`: of before to after, or the other way round if more is better. */
const LATENCIES = [
    { key: 'mean', what: 'mean', unit: 'ms', before: 150, after: 15 },
    { key: 'p95', what: 'p95', unit: 'ms', before: 250, after: 45 },
    { key: 'p99', what: 'p99', unit: 'ms', before: 500, after: 100 },
].map((claim) => ({ ...claim, better: LESS, said: `${claim.before} → ${claim.after} ms`, ratio: claim.before / claim.after }));

const CLAIMS = [
    ...LATENCIES.map((claim) => ({ ...claim, load: 'users', what: `${claim.what} with 5 users` })),
    ...LATENCIES.map((claim) => ({ ...claim, load: 'steady', what: `${claim.what} at 70 % load` })),
    { load: 'full', key: 'rate', what: 'requests per second', unit: '1/s', better: MORE, said: '500 → 2,000', after: 2000, ratio: 4 },
    { load: 'full', key: 'connections', what: 'connections in use', unit: '', better: LESS, said: '40–50 → 15–20', after: 15, ratio: 50 / 15 },
    { load: 'users', key: 'hit_rate', what: 'hit rate with 5 users', unit: '%', percent: true, better: MORE, said: '> 75 %', after: 0.75 },
    { load: 'steady', key: 'hit_rate', what: 'hit rate at 70 % load', unit: '%', percent: true, better: MORE, said: '> 75 %', after: 0.75 },
    { load: 'steady', key: 'cpu', what: 'CPU per request at 70 % load', unit: 'µs', better: LESS, said: '−62 %', ratio: 1 / (1 - 0.62) },
];

/** Is a measured value better than theirs? undefined where they say none. */
function beats(better, measured, theirs) {
    if (theirs === undefined) {
        return undefined;
    }
    return better === LESS ? measured < theirs : measured > theirs;
}

/** How many times better `on` is than `off`, round by round; undefined where one of them is nothing. */
function improvement({ key, better }, off, on) {
    const times = better === LESS ? timesOf(off, on, key) : timesOf(on, off, key);
    return Number.isFinite(times) && times > 0 ? times : undefined;
}

/** What became of a claim: {off, on, ratio, beats_after, beats_ratio, was_better}, the last: already with the cache off. */
function judge(claim, off, on) {
    const ratio = claim.ratio === undefined ? undefined : improvement(claim, off, on);
    const nothingLeft = claim.better === LESS && on[claim.key] === 0 && off[claim.key] > 0;
    return {
        claim,
        off: off[claim.key],
        on: on[claim.key],
        ratio,
        beats_after: beats(claim.better, on[claim.key], claim.after),
        beats_ratio: claim.ratio === undefined ? undefined : nothingLeft || (ratio !== undefined && ratio > claim.ratio),
        was_better: claim.key !== 'hit_rate' && beats(claim.better, off[claim.key], claim.after) === true,
    };
}

/** Each claim about one engine; `loads`: {users, steady, full}, each {off, on}. */
function judgeAll(loads) {
    return CLAIMS.map((claim) => judge(claim, loads[claim.load].off, loads[claim.load].on));
}

const list = (names) => (names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`);

/** What is to be said of the claims in words that are true of these figures: sentences. */
function summaryOf(judged) {
    const names = (all) => list(all.map(({ claim }) => claim.what));
    const lost = judged.filter(({ beats_after: beaten }) => beaten === false);
    const lostRatios = judged.filter(({ beats_ratio: beaten }) => beaten === false);
    const excused = lostRatios.filter(({ was_better: was }) => was);
    const absolute = judged.filter(({ beats_after: beaten }) => beaten !== undefined);
    const sentences = [
        lost.length === 0
            ? `All ${absolute.length} of the predecessor's figures with its cache are beaten.`
            : `Not beaten are the predecessor's figures of: ${names(lost)}.`,
        lostRatios.length === 0
            ? 'All of its ratios of before to after are beaten.'
            : `Its ratio of before to after is not beaten in: ${names(lostRatios)}.`,
    ];
    if (excused.length > 0) {
        sentences.push(`In ${names(excused)} OpenRisk with its cache off is already better than the predecessor with its own on, so less is left to be gained.`);
    }
    return sentences;
}

module.exports = { CLAIMS, judge, judgeAll, summaryOf };
