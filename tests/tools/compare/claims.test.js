/** What is said of the predecessor's claims must be so, whichever way the figures fall. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const { readExposition } = require('../exposition');
const { CLAIMS, judge, judgeAll, summaryOf } = require('./claims');
const { hitRateOf, repeat } = require('./observe');
const report = require('./report');

/** Figures as inRounds() gives them, of one round. */
const figures = (own) => ({ ...own, rounds: [own] });
const claimOf = (what) => CLAIMS.find((claim) => claim.what === what);

const OFF = { requests: 1000, writes: 2, mean: 200, p95: 300, p99: 600, rate: 400, connections: 60, connections_most: 64, hit_rate: 0, cpu: 100, own: 0, starved: 0 };
const ON = { requests: 1000, writes: 2, mean: 10, p95: 20, p99: 50, rate: 3000, connections: 2, connections_most: 3, hit_rate: 0.9, cpu: 20, own: 0, starved: 0 };
const loadsOf = (off, on) => Object.fromEntries(['users', 'steady', 'full'].map((load) => [load, { off: figures(off), on: figures(on) }]));

test('a claim is beaten after, as a ratio, both, or not at all', () => {
    const mean = claimOf('mean with 5 users');
    const verdict = (off, on) => {
        const { beats_after: after, beats_ratio: ratio, was_better: was } = judge(mean, figures({ mean: off }), figures({ mean: on }));
        return [after, ratio, was];
    };
    assert.deepStrictEqual(verdict(200, 10), [true, true, false]);
    assert.deepStrictEqual(verdict(2, 1), [true, false, true]);
    assert.deepStrictEqual(verdict(400, 20), [false, true, false]);
    assert.deepStrictEqual(verdict(150, 15), [false, false, false], 'as good as theirs is not better');
});

test('more is better of some figures, and a range is read as it is hardest', () => {
    const rate = (off, on) => judge(claimOf('requests per second'), figures({ rate: off }), figures({ rate: on }));
    assert.deepStrictEqual([rate(400, 3000).ratio, rate(400, 3000).beats_after, rate(400, 3000).beats_ratio], [7.5, true, true]);
    assert.deepStrictEqual([rate(5000, 9000).beats_after, rate(5000, 9000).beats_ratio], [true, false]);
    const connections = (off, on) => judge(claimOf('connections in use'), figures({ connections: off }), figures({ connections: on }));
    assert.strictEqual(connections(50, 16).beats_after, false, '15 is the better end of 15 to 20');
    assert.strictEqual(connections(45, 14).beats_ratio, false, '50 → 15 is more than 45 → 14');
});

test('nothing in use is better than anything, and not an infinite ratio', () => {
    const { ratio, beats_ratio: beaten } = judge(claimOf('connections in use'), figures({ connections: 3 }), figures({ connections: 0 }));
    assert.deepStrictEqual([ratio, beaten], [undefined, true]);
});

test('CPU has no figure of theirs but the ratio; the hit rate has no ratio', () => {
    const cpu = (on) => judge(claimOf('CPU per request at 70 % load'), figures({ cpu: 100 }), figures({ cpu: on }));
    assert.deepStrictEqual([cpu(37).beats_after, cpu(37).beats_ratio, cpu(39).beats_ratio], [undefined, true, false]);
    const hits = (rate) => judge(claimOf('hit rate with 5 users'), figures({ hit_rate: 0 }), figures({ hit_rate: rate }));
    assert.deepStrictEqual([hits(0.76).beats_after, hits(0.75).beats_after, hits(0.76).beats_ratio], [true, false, undefined]);
});

test('the summary says what is not beaten, and why a ratio need not be', () => {
    const all = judgeAll(loadsOf(OFF, ON));
    assert.match(summaryOf(all).join(' '), /^All 10 of the predecessor's figures with its cache are beaten\. All of its ratios .* are beaten\.$/);
    const fast = summaryOf(judgeAll(loadsOf({ ...OFF, mean: 2 }, { ...ON, mean: 1 }))).join(' ');
    assert.match(fast, /not beaten in: mean with 5 users and mean at 70 % load\. In mean with 5 users and mean at 70 % load OpenRisk with its cache off is already better/);
    const slow = summaryOf(judgeAll(loadsOf(OFF, { ...ON, mean: 30 }))).join(' ');
    assert.match(slow, /^Not beaten are the predecessor's figures of: mean with 5 users and mean at 70 % load\./);
    assert.doesNotMatch(slow, /already better/);
});

test('the section shows each claim with its verdicts, and each chart; programs are told what failed', () => {
    const engines = [{ name: 'SQLite', rate: 280, connections: 64, loads: loadsOf(OFF, { ...ON, mean: 30, starved: 7 }) }];
    const text = report.markdownOf(engines, { rows: 10000, rounds: 1, seconds: 1, command: 'script/bench compare', machine: {} });
    assert.match(text, /^\| mean with 5 users \| 150 → 15 ms \| 200 → 30\.0 ms \| NO \| 10\.0 × \| 6\.67 × \| NO \|$/m);
    assert.match(text, /^\| hit rate with 5 users \| > 75 % \| 90\.00 % \| yes \|  \|  \|  \|$/m);
    assert.match(text, /500 with 5 users and 500 at the fixed rate requests/);
    assert.match(text, /7 requests found no connection free with the cache on/);
    for (const picture of Object.keys(report.picturesOf(engines))) {
        assert.ok(text.includes(`(pictures/${picture})`), picture);
    }
    const failed = report.resultsOf(engines).filter(({ ok }) => !ok).map(({ name }) => name);
    assert.deepStrictEqual(failed, ['compare, SQLite, claim: mean with 5 users', 'compare, SQLite, claim: mean at 70 % load']);
});

const METRICS = `# HELP openrisk_cache_requests_total What the cache did.
# TYPE openrisk_cache_requests_total counter
openrisk_cache_requests_total{cache="responses",result="hit_l1"} 90
openrisk_cache_requests_total{cache="responses",result="hit_l2"} 5
openrisk_cache_requests_total{cache="responses",result="miss"} 4
openrisk_cache_requests_total{cache="responses",result="coalesced"} 1
openrisk_cache_requests_total{cache="responses",result="bypass"} 100
openrisk_cache_requests_total{cache="sessions",result="hit_l1"} 777
`;

test('the hit rate is of what the cache was asked for, between two readings', () => {
    const read = (changes) => readExposition(Object.entries(changes).reduce((text, [from, to]) => text.replace(from, to), METRICS));
    const before = read({});
    assert.strictEqual(hitRateOf(before, read({ '"miss"} 4': '"miss"} 8', '"hit_l1"} 90': '"hit_l1"} 102' })), 0.75);
    assert.strictEqual(hitRateOf(before, read({ '"hit_l2"} 5': '"hit_l2"} 6', '"coalesced"} 1': '"coalesced"} 2', '100': '900' })), 0.5);
    assert.strictEqual(hitRateOf(before, before), 0, 'not asked at all');
});

test('what is repeated goes on until it is stopped, and a failure is told then', async () => {
    let seen;
    const happened = () => new Promise((resolve) => (seen = resolve));
    const third = happened();
    const ticking = repeat(0, 1, async (times) => times === 2 && seen());
    await third;
    assert.ok((await ticking.stop()) >= 3);
    assert.strictEqual(await repeat(1e6, 1, async () => assert.fail('too early')).stop(), 0);
    const first = happened();
    const broken = repeat(0, 1, async () => {
        seen();
        throw new Error('no more');
    });
    await first;
    await new Promise((resolve) => setImmediate(resolve)); // Nobody has asked for it yet, and node ends for less.
    await assert.rejects(broken.stop(), /no more/);
});
