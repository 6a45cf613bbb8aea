/**
 * Prometheus's text format, read strictly: a line that is not as it must be fails.
 *
 *   const scrape = readExposition((await server.ops.get('/metrics')).body);
 *   scrape.value('openrisk_http_requests_in_flight');
 *   scrape.value('openrisk_http_requests_total', { route: '/', method: 'GET', status: '200' });
 *   scrape.sum('openrisk_http_requests_total', { route: '/' });            // over the labels that are not named
 *   scrape.series                         // Map: the text before a value → {name, metric, labels, value}
 *   scrape.metrics                        // Map: name → {type, help}, in their order
 *   assertNoneWentBack(before, after);    // no counter, and no bucket, count or sum of a histogram
 *   assertHistogramsHold(scrape);         // cumulative, and count is the last bucket
 */
'use strict';

const assert = require('node:assert');

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (NaN|[+-]Inf|[-+]?[0-9.]+(?:e[-+]?\d+)?)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"/g;
const PARTS = { counter: [''], gauge: [''], histogram: ['_bucket', '_sum', '_count'] };

function numberOf(text) {
    return text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text);
}

function matches(labels, wanted) {
    return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

class Exposition {
    constructor(text) {
        this.text = text;
        this.metrics = new Map();
        this.series = new Map();
        this.byName = new Map();
        assert.ok(text.endsWith('\n'), `the last line has no end: ${JSON.stringify(text.slice(-80))}`);
        let current;
        for (const line of text.slice(0, -1).split('\n')) {
            const [, comment, name, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) || [];
            if (comment === 'HELP') {
                assert.ok(!this.metrics.has(name), `${name} is told of twice`);
                current = { name, help: rest };
                this.metrics.set(name, current);
            } else if (comment === 'TYPE') {
                assert.ok(current && current.name === name && current.type === undefined, line);
                assert.ok(rest in PARTS, line);
                current.type = rest;
            } else {
                this.add(line, current);
            }
        }
    }

    add(line, metric) {
        const [, name, , list = '', value] = LINE.exec(line) || assert.fail(`not well-formed: ${line}`);
        assert.ok(metric && PARTS[metric.type].some((part) => name === metric.name + part), `not below its TYPE: ${line}`);
        const labels = Object.fromEntries([...list.matchAll(LABEL)].map(([, label, text]) => [label, text]));
        const key = line.slice(0, line.lastIndexOf(' '));
        assert.ok(!this.series.has(key), `${key} is there twice`);
        const one = { name, metric: metric.name, type: metric.type, labels, value: numberOf(value) };
        this.series.set(key, one);
        this.byName.set(name, [...(this.byName.get(name) || []), one]);
    }

    /** The series of this name with these labels, and maybe more: [{labels, value, …}]. */
    find(name, wanted = {}) {
        assert.ok(this.byName.has(name), `there is no ${name}`);
        return this.byName.get(name).filter(({ labels }) => matches(labels, wanted));
    }

    /** Of the one series with these labels. */
    value(name, wanted = {}) {
        const found = this.find(name, wanted);
        assert.strictEqual(found.length, 1, `${found.length} series are ${name} ${JSON.stringify(wanted)}`);
        return found[0].value;
    }

    sum(name, wanted = {}) {
        return this.find(name, wanted).reduce((total, { value }) => total + value, 0);
    }
}

/** Does this series only ever grow? */
function onlyGrows({ type }) {
    return type === 'counter' || type === 'histogram';
}

function assertNoneWentBack(before, after) {
    for (const [key, { value }] of after.series) {
        const old = before.series.get(key);
        assert.ok(old !== undefined, `${key} has come`);
        assert.ok(!onlyGrows(old) || value >= old.value, `${key} went back from ${old.value} to ${value}`);
    }
    assert.strictEqual(after.series.size, before.series.size, 'a series has gone');
}

function assertHistogramsHold(scrape) {
    for (const [metric, { type }] of scrape.metrics) {
        if (type !== 'histogram') {
            continue;
        }
        const last = new Map();
        for (const { labels: { le, ...labels }, value } of scrape.find(`${metric}_bucket`)) {
            const key = JSON.stringify(labels);
            const before = last.get(key) || { le: -Infinity, value: 0 };
            assert.ok(numberOf(le) > before.le && value >= before.value, `${metric} ${key} le=${le}: ${value} after ${before.value}`);
            last.set(key, { le: numberOf(le), value });
        }
        for (const { labels, value } of scrape.find(`${metric}_count`)) {
            assert.deepStrictEqual(last.get(JSON.stringify(labels)), { le: Infinity, value }, `${metric} ${JSON.stringify(labels)}`);
        }
    }
}

function readExposition(text) {
    return new Exposition(text);
}

module.exports = { assertHistogramsHold, assertNoneWentBack, readExposition };
