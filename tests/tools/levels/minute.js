/**
 * A node's first minute, with and without the second level: what is asked of it is the same, at a fixed rate that
 * it can hold without any cache.
 *
 * What is asked are 5,000 different things, some much more often than others (Zipf). Before, another node has
 * served the same, and with the second level Redis begins each round with what it had after that. PostgreSQL
 * counts its statements itself (pg_stat_statements), without BEGIN and ROLLBACK.
 */
'use strict';

const { spawn } = require('node:child_process');
const readline = require('node:readline');
const { inRounds, medianOf, printTable, quantile } = require('../measure');
const { PACE, pathsFile, recordedLoad } = require('../load');
const { randomOf } = require('../generate-kev');
const { environmentFor, programPath } = require('../postgres');
const { pageRoutes, startNode, stopNode } = require('./nodes');

const RATE = 400;
const KEYS = 5000;
const SECONDS = [1, 2, 5, 10, 30, 60];
const FIGURES = ['/stats', '/stats/risk-matrix', '/stats/risk-distribution', '/stats/trends?days=30', '/stats/mitigation-metrics', '/stats/top-risks'];

/** The first are the most popular ones: seven single risks, then two pages and a timeline, and so on; the figures above all. */
function keysOf(rows) {
    const pages = pageRoutes(KEYS / 5);
    const any = randomOf(11);
    const ref = () => `R-${1 + Math.floor(any() * rows)}`;
    const others = Array.from({ length: KEYS - FIGURES.length }, (_, index) => {
        switch (index % 10) {
            case 3:
            case 6:
                return pages[Math.floor(index / 5)];
            case 9:
                return `/risks/${ref()}/timeline`;
            default:
                return `/risks/${ref()}`;
        }
    });
    return [...FIGURES, ...others];
}

/** So many requests, of which the n-th key is the aim of a share of 1/n of that of the first. */
function sequenceOf(keys, count) {
    const random = randomOf(5);
    let sum = 0;
    const upTo = keys.map((_, index) => (sum += 1 / (index + 1)));
    const choose = () => {
        const point = random() * sum;
        let [low, high] = [0, keys.length - 1];
        while (low < high) {
            const middle = (low + high) >> 1;
            [low, high] = upTo[middle] < point ? [middle + 1, high] : [low, middle];
        }
        return keys[low];
    };
    return Array.from({ length: count }, choose);
}

/** psql, kept open, so that asking costs the machine as little as may be: the number of statements up to now. */
function startCounter(url) {
    const child = spawn(programPath('psql'), ['-X', '-A', '-t', '-q', '-f', '-'], { env: environmentFor(url), stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const here = '(SELECT oid FROM pg_database WHERE datname = current_database())';
    const sql = `SELECT coalesce(sum(calls), 0) FROM pg_stat_statements(false) WHERE dbid = ${here};\n`;
    let asked = 0;
    return {
        async count() {
            child.stdin.write(sql);
            const { value } = await lines.next();
            return Number(value) - asked++; // Each of ours is counted by the next.
        },
        stop: () => child.stdin.end(),
    };
}

const now = () => Number(process.hrtime.bigint()) / 1e9;

/** Until `isOver()`, each second: [{at, count}]. */
async function countStatements(counter, isOver) {
    const taken = [];
    for (let next = now(); !isOver(); next += 1) {
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, 1000 * (next - now()))));
        taken.push({ at: now(), count: await counter.count() });
    }
    return taken;
}

/** What the count was at a moment, between two that were taken. */
function countAt(taken, moment) {
    const after = taken.findIndex(({ at }) => at >= moment);
    if (after <= 0) {
        return taken.at(after).count;
    }
    const [a, b] = [taken[after - 1], taken[after]];
    return a.count + ((b.count - a.count) * (moment - a.at)) / (b.at - a.at);
}

function secondOf(records, statements) {
    const sorted = records.map(({ ms }) => ms).sort((a, b) => a - b);
    const share = (level) => records.filter((record) => record.level === level).length / records.length;
    return { first: share(1), second: share(2), p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), statements };
}

/** A new node, and what it is like in each of the seconds, and in all of them. */
async function measureStart(context, variant, file, seconds) {
    if (variant.snapshot) {
        await context.redis.kill();
        context.redis.restore(variant.snapshot);
        await context.redis.start();
    }
    const node = await startNode(context, variant.name, { CACHE_MAX_BYTES: '64MiB', ...variant.env });
    let isOver = false;
    const counting = countStatements(context.counter, () => isOver);
    const { began, records, starved } = await recordedLoad(context.processor, PACE, node, file, node.token, RATE, context.minute + 1);
    isOver = true;
    const taken = await counting;
    await stopNode(node);
    const between = (from, to) =>
        secondOf(records.filter(({ at }) => at >= from && at < to), (countAt(taken, began + to) - countAt(taken, began + from)) / (to - from));
    if (starved > 0) {
        console.error(`${node.name}: ${starved} requests were due while no connection was free; the rate is too high for this machine`);
    }
    return Object.fromEntries([...seconds.map((second) => [second, between(second - 1, second)]), ['all', between(0, context.minute)], ['starved', starved]]);
}

/** What Redis has after another node has served the same. PostgreSQL has read then what it needs. */
async function fillRedis(context, file) {
    const node = await startNode(context, 'the other node', { CACHE_MAX_BYTES: '64MiB', REDIS_URL: context.redis.url });
    await recordedLoad(context.processor, PACE, node, file, node.token, RATE, context.minute + 1);
    await stopNode(node);
    return context.redis.snapshot();
}

async function measure(context) {
    const { cluster, database } = context;
    await cluster.shutDown();
    Object.assign(cluster.settings, { shared_preload_libraries: 'pg_stat_statements', 'pg_stat_statements.track_utility': 'off' });
    await cluster.start();
    await cluster.query(database, 'CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
    await context.redis.restartEmpty();
    context.counter = startCounter(database);
    const seconds = SECONDS.filter((second) => second <= context.minute);
    const file = pathsFile(context.folder, 'minute', sequenceOf(keysOf(context.rows), 2 * RATE * (context.minute + 1)));
    const snapshot = await fillRedis(context, file);
    const variants = [
        { name: 'with Redis', env: { REDIS_URL: context.redis.url }, snapshot },
        { name: 'without', env: {} },
    ];
    const figures = await inRounds(context.rounds, variants, (variant) => measureStart(context, variant, file, seconds));
    context.counter.stop();
    return { variants, seconds, minute: context.minute, figures };
}

const COLUMNS = { first: 'memory', second: 'Redis', p50: 'p50 ms', p99: 'p99 ms', statements: 'statements/s' };

/** The medians of the rounds, as `when`: a second, or "all". */
function mediansOf(figures, when) {
    return Object.fromEntries(Object.keys(COLUMNS).map((key) => [key, medianOf(figures.rounds.map((round) => round[when][key]))]));
}

function print({ variants, seconds, minute, figures }) {
    console.log(`\nA node's first minute, ${RATE} requests/s for ${KEYS} different answers; the share of hits by the level that gave them:`);
    const percent = (share) => `${(100 * share).toFixed(1)} %`;
    const cells = (own) => [percent(own.first), percent(own.second), own.p50.toFixed(2), own.p99.toFixed(2), own.statements.toFixed(0)];
    const rows = [...seconds, 'all'].flatMap((when) =>
        variants.map((variant) => [
            `${when === 'all' ? `all ${minute} s` : `second ${when}`}, ${variant.name}`,
            ...cells(mediansOf(figures.get(variant), when)),
        ]),
    );
    printTable(['', ...Object.values(COLUMNS)], rows, 14);
    const [warm, cold] = variants.map((variant) => figures.get(variant));
    const ratio = (when, key) => medianOf(warm.rounds.map((round, at) => round[when][key] / cold.rounds[at][when][key])).toFixed(2);
    const text = (when, name) => `${name}: statements ${ratio(when, 'statements')}, p50 ${ratio(when, 'p50')}, p99 ${ratio(when, 'p99')}`;
    console.log(`With Redis to without, ${text(seconds[0], `second ${seconds[0]}`)}; ${text('all', `all ${minute} s`)}`);
}

function resultsOf({ variants, seconds, figures }) {
    const units = { first: 'share', second: 'share', p50: 'ms', p99: 'ms', statements: 'statements/s' };
    return variants.flatMap((variant) => {
        const own = figures.get(variant);
        const ok = own.rounds.every(({ starved }) => starved === 0);
        return [...seconds, 'all'].flatMap((when) =>
            Object.entries(mediansOf(own, when)).map(([key, median]) => ({ name: `${variant.name}, second ${when}: ${key}`, unit: units[key], median, ok })),
        );
    });
}

module.exports = { measure, print, resultsOf };
