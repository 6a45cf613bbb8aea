/**
 * First-level hits while Redis is killed and returns empty, and while it hangs.
 *
 * One stream of requests at a fixed rate, due at random moments whatever the node does: most are for a few risks
 * that stay in memory, one in ten is for the next of many that do not, so that it goes to Redis or, without it,
 * to PostgreSQL. A hit that had to wait for the others' trouble would show in the hits' times.
 */
'use strict';

const { PACE, pathsFile, recordedLoad } = require('../load');
const { medianOf, printTable, quantile } = require('../measure');
const { LITTLE_MEMORY, PROOF, cacheOf, riskRoutes, startNode, stopNode } = require('./nodes');

const RATE = 2000;
const HOT = 50;
const COLD = 500; // Again after 2.5 seconds: long after each was pushed out of so little memory.
const COLD_EVERY = 10;
const WINDOW_S = 0.1;
/** While it finds its memory's use; and what the phases last, in seconds. */
const LEAD_IN_S = 6;
const RETURN_S = 10; // The breaker's longest pause, and its jitter.
const HANG_S = 3;

const isCold = (line) => line % COLD_EVERY === 0;

/** The paths of a whole number of turns through all that are hot and cold. */
function routesOf(rows) {
    const hot = riskRoutes(HOT);
    const cold = riskRoutes(Math.min(COLD, rows - HOT), HOT + 1);
    return Array.from({ length: COLD_EVERY * cold.length }, (_, line) =>
        isCold(line) ? cold[line / COLD_EVERY] : hot[(line * 7919) % hot.length],
    );
}

/** What happens when, in seconds after the start. */
function phasesOf(seconds) {
    return [
        { name: 'before', lasts: seconds },
        { name: 'Redis killed', lasts: seconds, begin: (redis) => redis.kill() },
        { name: 'back, empty', lasts: RETURN_S, begin: (redis) => redis.start() },
        { name: 'Redis hangs', lasts: HANG_S, begin: (redis) => redis.pause() },
        { name: 'it goes on', lasts: RETURN_S, begin: (redis) => redis.resume() },
    ];
}

const now = () => Number(process.hrtime.bigint()) / 1e9;
const until = (moment) => new Promise((resolve) => setTimeout(resolve, Math.max(0, 1000 * (moment - now()))));

/** Make it happen: when each phase began. */
async function happen(redis, phases) {
    const began = [];
    let next = now() + LEAD_IN_S;
    for (const { lasts, begin } of phases) {
        await until(next);
        began.push(now());
        if (begin) {
            await begin(redis);
        }
        next = began.at(-1) + lasts;
    }
    return began;
}

function timesOf(records) {
    const sorted = records.map(({ ms }) => ms).sort((a, b) => a - b);
    return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), max: sorted.at(-1) };
}

/** The worst of all windows of 100 ms, by its median: what somebody saw who asked at the worst time. */
function worstWindow(records) {
    const windows = new Map();
    for (const record of records) {
        const at = Math.floor(record.at / WINDOW_S);
        windows.set(at, [...(windows.get(at) || []), record]);
    }
    return Math.max(...[...windows.values()].filter((list) => list.length >= 10).map((list) => timesOf(list).p50));
}

function shareOfLevel(records, level) {
    return records.filter((record) => record.level === level).length / records.length;
}

/** {hot, cold, second: the share of the cold ones that Redis answered, back: after how many seconds it did so again} */
function figuresOf(records) {
    const hot = records.filter(({ line }) => !isCold(line));
    const cold = records.filter(({ line }) => isCold(line));
    const found = cold.filter(({ level }) => level === 2).map(({ at }) => at);
    return {
        hot: { ...timesOf(hot), window: worstWindow(hot), share: shareOfLevel(hot, 1) },
        cold: timesOf(cold),
        second: shareOfLevel(cold, 2),
        delay: quantile(records.map(({ delay }) => delay).sort((a, b) => a - b), 0.99),
        firstFound: found.length > 0 ? Math.min(...found) : undefined,
    };
}

async function measureRound(context, node, file, phases) {
    const { redis } = context;
    const lasts = phases.reduce((sum, phase) => sum + phase.lasts, 0);
    const opened = (await cacheOf(node)).second_level.opened;
    const load = recordedLoad(context.processor, PACE, node, file, node.token, RATE, LEAD_IN_S + lasts + 1);
    const [began, { began: start, records }] = await Promise.all([happen(redis, phases), load]);
    const starved = records.filter(({ at, delay }) => at >= began[0] - start && delay < 0).length;
    const figures = phases.map((phase, at) => {
        const [from, to] = [began[at] - start, (began[at + 1] || began[at] + phase.lasts) - start];
        const own = figuresOf(records.filter((record) => record.at >= from && record.at < to));
        return { ...own, back: own.firstFound === undefined ? undefined : own.firstFound - from };
    });
    return { figures, starved, opened: (await cacheOf(node)).second_level.opened - opened };
}

/** That it was as the rows say. */
function check({ figures, starved, opened }, phases) {
    const [before] = figures;
    const faults = [
        ...figures.flatMap(({ hot }, at) => (hot.share < PROOF ? [`${phases[at].name}: of the hits, only ${hot.share} were`] : [])),
        ...(before.second < PROOF ? [`before: of what was to come from Redis, only ${before.second} did`] : []),
        ...(opened < 2 ? [`the breaker opened ${opened} times`] : []),
        ...(starved > 0 ? [`${starved} requests were due while no connection was free`] : []),
    ];
    if (faults.length > 0) {
        console.error(`This round is not what it should be:\n${faults.join('\n')}`);
    }
    return faults;
}

async function measure(context) {
    const node = await startNode(context, 'node', { CACHE_MAX_BYTES: LITTLE_MEMORY, REDIS_URL: context.redis.url });
    const file = pathsFile(context.folder, 'outage', routesOf(context.rows));
    const phases = phasesOf(context.seconds);
    const rounds = [];
    const faults = [];
    for (let round = 0; round < context.rounds; round++) {
        const taken = await measureRound(context, node, file, phases);
        faults.push(...check(taken, phases));
        rounds.push(taken);
    }
    await stopNode(node);
    const rows = phases.map(({ name, lasts }, at) => {
        const median = (pick) => medianOf(rounds.map(({ figures }) => pick(figures[at])));
        const most = (pick) => Math.max(...rounds.map(({ figures }) => pick(figures[at])));
        return {
            name, lasts,
            hot: {
                p50: median(({ hot }) => hot.p50),
                p99: median(({ hot }) => hot.p99),
                max: median(({ hot }) => hot.max),
                worst: most(({ hot }) => hot.max),
                window: most(({ hot }) => hot.window),
            },
            cold: {
                p50: median(({ cold }) => cold.p50),
                p99: median(({ cold }) => cold.p99),
                max: most(({ cold }) => cold.max),
            },
            second: median(({ second }) => second),
            delay: median(({ delay }) => delay),
            back: rounds.map(({ figures }) => figures[at].back),
        };
    });
    return { rows, faults };
}

function print({ rows, faults }) {
    console.log(`\nHits while Redis fails: ${RATE} requests/s, of which 1 in ${COLD_EVERY} is not in memory; ${HOT} + ${COLD} risks:`);
    const [before] = rows;
    printTable(
        ['', 'hit p50 ms', 'p99 ms', 'own p99', 'of before', 'max ms', 'worst max', 'worst 100ms', 'other p50', 'p99 ms', 'worst max', 'from Redis'],
        rows.map(({ name, lasts, hot, cold, second, delay }) => [
            `${name}, ${lasts} s`,
            hot.p50.toFixed(3),
            hot.p99.toFixed(2),
            delay.toFixed(2),
            (hot.p99 / before.hot.p99).toFixed(2),
            hot.max.toFixed(1),
            hot.worst.toFixed(1),
            hot.window.toFixed(3),
            cold.p50.toFixed(2),
            cold.p99.toFixed(1),
            cold.max.toFixed(1),
            `${(100 * second).toFixed(1)} %`,
        ]),
        12,
    );
    for (const at of [2, 4]) {
        const taken = rows[at].back;
        const isNever = taken.includes(undefined);
        const when = isNever ? 'not in every round' : `after ${medianOf(taken).toFixed(1)} s, at the latest ${Math.max(...taken).toFixed(1)} s`;
        console.log(`${rows[at].name}: found something in Redis again ${when}`);
    }
    console.log('"own p99": how late the client itself was; "worst": of all rounds; "worst 100ms": the median of those 100 ms in which it was highest.');
    if (faults.length > 0) {
        console.log('NOT PROVEN, see above.');
    }
}

function resultsOf({ rows, faults }) {
    return rows.flatMap(({ name, hot, cold }) => [
        ...['p50', 'p99', 'max'].map((key) => ({ name: `hits, ${name}: ${key}`, unit: 'ms', median: hot[key], ok: faults.length === 0 })),
        ...['p50', 'p99'].map((key) => ({ name: `others, ${name}: ${key}`, unit: 'ms', median: cold[key], ok: true })),
    ]);
}

module.exports = { measure, print, resultsOf };
