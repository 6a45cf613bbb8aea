/** Charts as SVG within a page: lines over time, and bars. All texts are escaped, nothing is fetched. */
'use strict';

const WIDTH = 720;
const HEIGHT = 200;
const LEFT = 56;
const BOTTOM = 24;
const TOP = 10;

function escaped(text) {
    return String(text).replace(/[&<>"]/g, (character) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[character]);
}

/** 1, 2 or 5 times a power of ten, so that at most about four of them reach `most`. */
function stepFor(most) {
    const rough = most / 4;
    const power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 5, 10].map((times) => times * power).find((step) => step >= rough);
}

function tickText(value, step) {
    return value.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
}

/** [[second, text]] below an axis of time. */
function timeTicks(last) {
    const [seconds, unit] = last > 7200 ? [3600, 'h'] : last > 180 ? [60, 'min'] : [1, 's'];
    const step = stepFor(last / seconds || 1);
    const count = Math.floor(last / seconds / step + 1e-9) + 1;
    return Array.from({ length: count }, (_, index) => [index * step * seconds, `${tickText(index * step, step)} ${unit}`]);
}

/**
 * `lines`: [{name, points: [[second, value or null]], dashed}]; a null is a gap. `limit`: {value, name}, a line across, if it is within
 * reach. `zero`: does the axis begin at 0?
 */
function lineChart({ title, unit, lines, limit, most, zero = true }) {
    const all = lines.flatMap(({ points }) => points).filter(([, value]) => value !== null);
    if (all.length === 0) {
        return `<figure><figcaption>${escaped(title)}</figcaption><p>No samples.</p></figure>`;
    }
    const last = Math.max(...all.map(([second]) => second));
    const values = all.map(([, value]) => value);
    const lowest = zero ? 0 : Math.min(...values);
    const top = most ?? Math.max(...values, limit && limit.value < 3 * Math.max(...values) ? limit.value : 0);
    const span = top - lowest > 0 ? (top - lowest) * (most === undefined ? 1.08 : 1) : Math.max(1, Math.abs(top));
    const x = (second) => LEFT + (second / (last || 1)) * (WIDTH - LEFT - 12);
    const y = (value) => TOP + (1 - (value - lowest) / span) * (HEIGHT - TOP - BOTTOM);
    const parts = [];
    const step = stepFor(span);
    for (let tick = Math.ceil(lowest / step) * step; tick <= lowest + span * 1.0001; tick += step) {
        parts.push(`<line class="grid" x1="${LEFT}" x2="${WIDTH - 12}" y1="${y(tick).toFixed(1)}" y2="${y(tick).toFixed(1)}"/>`);
        parts.push(`<text class="tick" text-anchor="end" x="${LEFT - 6}" y="${(y(tick) + 4).toFixed(1)}">${tickText(tick, step)}</text>`);
    }
    for (const [second, text] of timeTicks(last)) {
        parts.push(`<text class="tick" text-anchor="middle" x="${Math.min(x(second), WIDTH - 16).toFixed(1)}" y="${HEIGHT - 6}">${text}</text>`);
    }
    if (limit !== undefined && limit.value <= lowest + span) {
        parts.push(`<line class="limit" x1="${LEFT}" x2="${WIDTH - 12}" y1="${y(limit.value).toFixed(1)}" y2="${y(limit.value).toFixed(1)}"/>`);
        parts.push(`<text class="tick" text-anchor="end" x="${WIDTH - 14}" y="${(y(limit.value) - 4).toFixed(1)}">${escaped(limit.name)}</text>`);
    }
    lines.forEach(({ points, dashed }, index) => {
        let path = '';
        let isGap = true;
        for (const [second, value] of points) {
            if (value !== null) {
                path += `${isGap ? 'M' : 'L'}${x(second).toFixed(1)} ${y(value).toFixed(1)}${isGap ? 'h0' : ''}`; // A point alone is a dot.
            }
            isGap = value === null;
        }
        parts.push(`<path class="line line${index}${dashed ? ' dashed' : ''}" d="${path}"/>`);
    });
    const legend = lines.length > 1 ? lines.map(({ name }, index) => `<span class="key key${index}">${escaped(name)}</span>`).join('') : '';
    const peak = `between ${tickText(Math.min(...values), step / 10)} and ${tickText(Math.max(...values), step / 10)} ${unit}`;
    return `<figure><figcaption>${escaped(title)}${unit ? `, ${escaped(unit)}` : ''} ${legend}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(`${title}: ${peak}`)}">${parts.join('')}</svg></figure>`;
}

/** `rows`: [{name, values: [n, …]}], bars one below the other; `names`: what the values of each are. */
function barChart({ title, unit, names, rows, limit }) {
    const bar = 9;
    const group = names.length * bar + 10;
    const left = 110;
    const height = rows.length * group + 30;
    const most = Math.max(...rows.flatMap(({ values }) => values), 1e-9);
    const top = limit && limit.value < 3 * most ? Math.max(most, limit.value) : most;
    const x = (value) => left + (value / (top * 1.12)) * (WIDTH - left - 40);
    const parts = rows.flatMap(({ name, values }, row) => [
        `<text class="tick" text-anchor="end" x="${left - 8}" y="${row * group + (names.length * bar) / 2 + 8}">${escaped(name)}</text>`,
        ...values.flatMap((value, index) => {
            const y = row * group + 4 + index * bar;
            return [
                `<rect class="bar${index}" x="${left}" y="${y}" width="${Math.max(1, x(value) - left).toFixed(1)}" height="${bar - 2}"/>`,
                `<text class="value" x="${(x(value) + 4).toFixed(1)}" y="${y + 7}">${value.toFixed(value < 10 ? 2 : 1)}</text>`,
            ];
        }),
    ]);
    if (limit !== undefined && limit.value <= top) {
        parts.push(`<line class="limit" x1="${x(limit.value).toFixed(1)}" x2="${x(limit.value).toFixed(1)}" y1="0" y2="${height - 18}"/>`);
        parts.push(`<text class="tick" text-anchor="middle" x="${x(limit.value).toFixed(1)}" y="${height - 5}">${escaped(limit.name)}</text>`);
    }
    const legend = names.map((name, index) => `<span class="key key${index}">${escaped(name)}</span>`).join('');
    return `<figure><figcaption>${escaped(title)}, ${escaped(unit)} ${legend}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}">${parts.join('')}</svg></figure>`;
}

module.exports = { barChart, escaped, lineChart };
