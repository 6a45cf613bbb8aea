/** How growth is told: the exponent, the aims with a million risks, sizes that can be asked for. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const { aimsOf, exponentOf, markdownOf, picturesOf, resultsOf, sizesOf } = require('./growth');

const SIZES = [1000, 10000, 100000, 1000000];
const close = (actual, expected) => assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} is not ${expected}`);

test('the exponent is the slope over the logarithms', () => {
    close(exponentOf(SIZES, [3, 3, 3, 3]), 0);
    close(exponentOf(SIZES, SIZES.map((size) => 0.002 * size)), 1);
    close(exponentOf(SIZES, SIZES.map((size) => 7 * size ** 0.5)), 0.5);
    close(exponentOf([100, 1000], [8, 4]), Math.log(0.5) / Math.log(10));
    // Off the line: least squares, worked out by hand for the logarithms 0, 0 and 1 over 0, 1 and 2.
    close(exponentOf([1, 10, 100], [1, 1, 10]), 0.5);
});

test('there is no exponent of one size, or of nothing', () => {
    assert.strictEqual(exponentOf([1000], [3]), undefined);
    assert.strictEqual(exponentOf([100, 1000], [0, 3]), undefined);
});

test('sizes are taken in their order, once each', () => {
    assert.deepStrictEqual(sizesOf('1000,100,1000'), [100, 1000]);
    for (const wrong of ['', 'x', '1k', '0', '100,', '-5', '1e6', '10000000']) {
        assert.strictEqual(sizesOf(wrong), undefined, wrong);
    }
});

const row = (name, ...values) => ({ group: 'uncached', name, unit: 'ms', values });
const rowsWith = (page, stats, search) => [
    row('first page with its total', 1, page), row('page: tag', 1, 99),
    row('stats', 0.1, 0.2), row('matrix', 0.1, stats), row('search: rare words', 1, 2), row('search: frequent words', 1, search),
    { group: 'cached', name: 'stats', unit: 'ms', values: [0.03, 0.04] },
    { group: 'whole', name: 'import', unit: 's', values: [0.1, 100] },
];

test('an aim is about the slowest of its kinds, uncached, with a million risks', () => {
    const met = aimsOf([1000, 1000000], rowsWith(5, 2, 50));
    assert.deepStrictEqual(met.map(({ name, kind, ms, ok }) => [name, kind, ms, ok]), [
        ['first page', 'first page with its total', 5, true],
        ['statistics', 'matrix', 2, true],
        ['search', 'search: frequent words', 50, true],
    ]);
    assert.deepStrictEqual(aimsOf([1000, 1000000], rowsWith(5.1, 2.1, 50.1)).map(({ ok }) => ok), [false, false, false]);
    assert.deepStrictEqual(aimsOf([1000, 100000], rowsWith(9, 9, 99)), [], 'none was measured');
});

test('the section says whether the aims are met, and over which sizes growth is', () => {
    const context = { engine: 'SQLite', requests: 20, command: 'script/bench scale', machine: {} };
    const text = markdownOf([1000, 1000000], rowsWith(4, 3, 40), context);
    assert.match(text, /First page at 1,000,000 risks: at most 5 ms; met, the slowest \(first page with its total\) takes 4\.00 ms\./);
    assert.match(text, /Statistics at 1,000,000 risks: at most 2 ms; NOT MET/);
    assert.match(text, /from 1,000 to 1,000,000 risks/);
    assert.match(text, /^\| import, s \| 0\.100 \| 100 \| 1\.00 \|$/m);
    for (const picture of Object.keys(picturesOf([1000, 1000000], rowsWith(4, 3, 40)))) {
        assert.ok(text.includes(`(pictures/${picture})`), picture);
    }
    assert.match(markdownOf([100], [row('stats', 1)], context), /Growth needs two sizes or more\.[^]*so many were not measured/);
});

test('programs are told what failed', () => {
    const results = resultsOf([1000, 1000000], rowsWith(4, 3, 40));
    assert.deepStrictEqual(results.filter(({ ok }) => !ok).map(({ name }) => name), ['scale, aim: statistics (matrix)']);
    assert.strictEqual(results.find(({ name }) => name === 'scale, growth from 1000 to 1000000 risks, import').median, 1);
});
