/**
 * Does a series grow? Asked of what a server takes during a soak: memory, descriptors, connections, threads.
 *
 * Only the second half counts: in the first one caches fill and pools open. A line is laid through it by least squares. Samples that
 * follow each other are alike, and taken for as many independent ones they would make a chance look like a certainty; so
 * they are averaged in blocks first, and the slope's interval is widened by how much the blocks' deviations still resemble those before them:
 * by √((1 + r) / (1 − r)), r being their correlation. It is growth if
 * - the lower end of the 95 % interval of its slope is above 0: that it rises is no chance,
 * - at that slope a day adds more than `perDay`: that it rises matters, and
 * - what it has added within the half is more than `atLeast`: so that a run of minutes, whose smallest step is much when a day is
 *   made of it, is not called a leak.
 */
'use strict';

const { lineThrough, meanOf } = require('./figures');

const DAY_SECONDS = 86400;
const BLOCKS = 30;
const SAMPLES_MIN = 12;
const MIB = 1024 * 1024;

/** What is looked at: where it is in the metrics, and what is tolerated. */
const SERIES = [
    { name: 'resident_memory', metric: 'process_resident_memory_bytes', unit: 'MiB', scale: MIB, perDay: 16, atLeast: 2 },
    { name: 'descriptors', metric: 'process_open_fds', unit: '', scale: 1, perDay: 10, atLeast: 5 },
    { name: 'http_connections', metric: 'openrisk_http_connections', unit: '', scale: 1, perDay: 10, atLeast: 5 },
    { name: 'database_connections', metric: 'openrisk_db_pool_connections', unit: '', scale: 1, perDay: 5, atLeast: 3 },
    { name: 'threads', metric: 'process_threads', unit: '', scale: 1, perDay: 5, atLeast: 3 },
];

/** [[x, y]] averaged in blocks of equal numbers, at most BLOCKS of them. */
function blocksOf(points) {
    const count = Math.min(BLOCKS, points.length);
    return Array.from({ length: count }, (_, block) => {
        const part = points.slice(Math.floor((block * points.length) / count), Math.floor(((block + 1) * points.length) / count));
        return [meanOf(part.map(([x]) => x)), meanOf(part.map(([, y]) => y))];
    });
}

/** By how much an interval is too narrow that takes deviations from a line for independent. */
function widening(points, { slope, offset }) {
    const rests = points.map(([x, y]) => y - offset - slope * x);
    const all = rests.reduce((sum, rest) => sum + rest ** 2, 0);
    const neighbours = rests.slice(1).reduce((sum, rest, index) => sum + rest * rests[index], 0);
    const correlation = all > 0 ? Math.min(0.95, Math.max(0, neighbours / all)) : 0;
    return Math.sqrt((1 + correlation) / (1 - correlation));
}

/**
 * `points`: [[seconds, value]], in order. Gives {enough, grows, perDay, within, added, line}: growth a day and the half-width of its
 * 95 % interval, and what was added within the second half; `line`: its two ends, for a chart.
 */
function growthOf(points, { perDay, atLeast }) {
    const half = points.slice(Math.floor(points.length / 2));
    if (half.length < SAMPLES_MIN) {
        return { enough: false, grows: false, samples: half.length };
    }
    const blocks = blocksOf(half);
    const { slope, offset, within: narrow } = lineThrough(blocks);
    const within = narrow * widening(blocks, { slope, offset });
    const [from, to] = [half[0][0], half.at(-1)[0]];
    const added = slope * (to - from);
    const grows = slope - within > 0 && slope * DAY_SECONDS > perDay && added > atLeast;
    const line = [from, to].map((x) => [x, offset + slope * x]);
    return { enough: true, grows, samples: half.length, perDay: slope * DAY_SECONDS, within: within * DAY_SECONDS, added, line };
}

module.exports = { SAMPLES_MIN, SERIES, growthOf };
