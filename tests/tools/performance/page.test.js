/** The page of figures: a command writes its own section and nothing else, and charts are the same for the same figures. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { ROOT, temporaryFolder } = require('../../http/lib');
const { barChart, lineChart } = require('./chart');
const { faultOf, figure, markdownTable, replaceSection, writeSection } = require('./page');

const line = (name) => `<!-- What is between this and the next such line is written by script/bench ${name}. -->`;
const end = (name) => `<!-- The end of what script/bench ${name} writes. -->`;
const PAGE = ['# Figures', 'by people', line('compare'), 'old 1', end('compare'), 'between', line('scale'), 'old 2', end('scale'), 'last words', ''].join('\n');

test('a section is replaced, and all else stays as it was', () => {
    const once = replaceSection(PAGE, 'compare', 'new\n');
    assert.strictEqual(once, PAGE.replace('\nold 1\n', '\n\nnew\n\n'));
    assert.strictEqual(replaceSection(once, 'compare', 'new'), once, 'writing the same again changes nothing');
    const both = replaceSection(once, 'scale', 'newer');
    assert.match(both, /\nnew\n[^]*between[^]*\nnewer\n[^]*last words\n$/);
    assert.doesNotMatch(both, /old/);
    assert.match(replaceSection(PAGE, 'compare', 'costs $& and $1'), /costs \$& and \$1/);
});

test('a page without its section is refused before anything is measured', (t) => {
    const folder = temporaryFolder();
    t.after(() => fs.rmSync(folder, { recursive: true }));
    const file = path.join(folder, 'page.md');
    assert.match(faultOf(file, 'compare'), /^--markdown: .*page\.md cannot be read and written: ENOENT$/);
    const faults = {
        none: '# Figures\n',
        'no end': PAGE.replace(end('compare'), ''),
        'two of them': PAGE + PAGE,
        'two ends': PAGE + end('compare'),
        'the wrong way round': [end('compare'), line('compare')].join('\n'),
    };
    for (const [name, text] of Object.entries(faults)) {
        fs.writeFileSync(file, text);
        assert.match(faultOf(file, 'compare'), /has no section of script\/bench compare/, name);
    }
    fs.writeFileSync(file, PAGE);
    assert.strictEqual(faultOf(file, 'compare'), undefined);
    writeSection(file, 'compare', 'new', { 'a.svg': '<svg/>' });
    assert.strictEqual(fs.readFileSync(file, 'utf8'), replaceSection(PAGE, 'compare', 'new'));
    assert.strictEqual(fs.readFileSync(path.join(folder, 'pictures/a.svg'), 'utf8'), '<svg/>');
});

test('docs/performance.md has the sections that script/bench writes', () => {
    for (const name of ['compare', 'scale']) {
        assert.strictEqual(faultOf(path.join(ROOT, 'docs/performance.md'), name), undefined);
    }
});

test('figures have three digits that count', () => {
    const said = { 0: 0, 1234567: '1,234,567', 123.4: '123', 12.34: '12.3', 1.234: '1.23', 0.5: '0.500', 0.03111: '0.0311' };
    for (const [value, text] of Object.entries(said)) {
        assert.strictEqual(figure(Number(value)), String(text));
    }
    for (const nothing of [undefined, null, NaN, Infinity]) {
        assert.strictEqual(figure(nothing), '–');
    }
});

test('a table is one of Markdown, whatever is in its cells', () => {
    assert.strictEqual(markdownTable(['', 'a'], [['x|y', 1]]), '|  | a |\n|---|---:|\n| x\\|y | 1 |');
});

test('a chart says in words what it shows, and is the same for the same figures', () => {
    const bars = () => barChart({
        title: 'Times & sizes', names: ['off', 'on'],
        panels: [{ title: 'SQLite', rows: [{ name: 'p95', unit: 'ms', values: [20, 0] }] }, { title: 'empty', rows: [{ name: 'none', unit: '', values: [0, 0] }] }],
    });
    const lines = () => lineChart({
        title: 'Growth', unit: 'ms', sizes: [100, 1000],
        series: [{ name: 'a <page>', values: [1, 2] }, { name: 'b', values: [1, 2.1], dashed: true }],
    });
    for (const chart of [bars, lines]) {
        assert.strictEqual(chart(), chart());
        assert.match(chart(), /^<svg [^>]*viewBox="0 0 960 \d+"[^]*<title id="t">[^<]+<\/title>\s*<desc id="d">[^<]+<\/desc>[^]*<\/svg>\n$/);
        assert.doesNotMatch(chart(), /NaN|Infinity|undefined/);
    }
    assert.match(bars(), /Times &amp; sizes/);
    assert.match(bars(), /SQLite: p95 20\.0 ms off, 0 ms on\./);
    assert.match(lines(), /a &lt;page&gt;: 1\.00 with 100, 2\.00 with 1,000\./);
});

test('names of lines that end at one place stand apart', () => {
    const series = Array.from({ length: 8 }, (_, index) => ({ name: `line ${index}`, values: [1, 10] }));
    const svg = lineChart({ title: 'Growth', unit: 'ms', sizes: [100, 1000], series });
    const rows = [...svg.matchAll(/y="([\d.]+)"[^>]*>line \d/g)].map((match) => Number(match[1])).sort((a, b) => a - b);
    assert.strictEqual(rows.length, 8);
    assert.ok(rows.every((row, index) => index === 0 || row - rows[index - 1] >= 14), rows.join());
});
