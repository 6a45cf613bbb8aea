/**
 * Charts as SVG, in the style of the other pictures of docs/pictures. The same figures give the same bytes.
 */
'use strict';

const { figure } = require('./page');

const FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif";
const WIDTH = 960;
const GREY = '#94a3b8';
const BLUE = '#1d4ed8';
const COLOURS = ['#1d4ed8', '#b45309', '#15803d', '#b91c1c', '#7e22ce', '#0e7490', '#a16207', '#334155'];

function escaped(text) {
    return String(text).replace(/[&<>"]/g, (character) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[character]);
}

/** A coordinate: a tenth of a pixel is enough for anyone. */
function at(value) {
    return String(Math.round(value * 10) / 10);
}

function textAt(x, y, text, { size = 13, fill = '#334155', anchor = 'start', weight } = {}) {
    const bold = weight ? ` font-weight="${weight}"` : '';
    return `<text x="${at(x)}" y="${at(y)}" font-size="${size}" fill="${fill}" text-anchor="${anchor}"${bold}>${escaped(text)}</text>`;
}

function picture(height, title, description, lines) {
    return [
        `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="t d" font-family="${FONT}">`,
        `  <title id="t">${escaped(title)}</title>`,
        `  <desc id="d">${escaped(description)}</desc>`,
        `  <rect x="1" y="1" width="${WIDTH - 2}" height="${height - 2}" rx="14" fill="#f8fafc" stroke="#cbd5e1"/>`,
        ...lines.map((line) => `  ${line}`),
        '</svg>',
        '',
    ].join('\n');
}

/**
 * Two bars for each row, one above the other, in panels that have a scale of their own.
 * `names`: of the two; `panels`: [{title, rows: [{name, unit, values: [a, b]}]}].
 */
function barChart({ title, names, panels }) {
    const [left, right, top, step, bar] = [250, 110, 92, 42, 14];
    const lines = [textAt(24, 36, title, { size: 17, fill: '#0f172a', weight: 600 })];
    [GREY, BLUE].forEach((fill, index) => {
        lines.push(`<rect x="${24 + 150 * index}" y="52" width="14" height="14" rx="3" fill="${fill}"/>`, textAt(44 + 150 * index, 64, names[index]));
    });
    let y = top;
    for (const panel of panels) {
        const most = Math.max(...panel.rows.flatMap(({ values }) => values));
        const scale = most > 0 ? (WIDTH - left - right) / most : 0;
        lines.push(textAt(24, y + 14, panel.title, { size: 14, fill: '#0f172a', weight: 600 }));
        y += 26;
        for (const { name, unit, values } of panel.rows) {
            lines.push(textAt(left - 14, y + bar + 4, name, { anchor: 'end' }));
            values.forEach((value, index) => {
                const length = Math.max(1.5, value * scale);
                const row = y + index * (bar + 2);
                lines.push(
                    `<rect x="${left}" y="${at(row)}" width="${at(length)}" height="${bar}" rx="2" fill="${[GREY, BLUE][index]}"/>`,
                    textAt(left + length + 7, row + bar - 3, `${figure(value)} ${unit}`, { size: 12 }),
                );
            });
            y += step;
        }
        y += 14;
    }
    const said = panels.map((panel) => `${panel.title}: ${panel.rows.map(({ name, unit, values }) =>
        `${name} ${names.map((one, index) => `${figure(values[index])} ${unit} ${one}`).join(', ')}`).join('; ')}.`);
    return picture(Math.round(y + 4), title, said.join(' '), lines);
}

/** The powers of ten from below the least value to above the greatest one. */
function decadesOf(values) {
    const from = Math.floor(Math.log10(Math.min(...values)));
    const to = Math.max(from + 1, Math.ceil(Math.log10(Math.max(...values))));
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/** Where the names of lines stand, in the order of their ends, no two of them closer than `gap`. */
function spread(wanted, gap, lowest) {
    const order = wanted.map((y, index) => ({ y, index })).sort((a, b) => a.y - b.y);
    order.forEach((one, index) => {
        one.y = index === 0 ? one.y : Math.max(one.y, order[index - 1].y + gap);
    });
    for (let index = order.length - 1; index >= 0; index--) {
        order[index].y = Math.min(order[index].y, lowest - gap * (order.length - 1 - index));
    }
    return wanted.map((_, index) => order.find((one) => one.index === index).y);
}

/**
 * Lines over sizes, both axes logarithmic, so that what grows in proportion has one slope wherever it is.
 * `series`: [{name, values, dashed}], a value for each of `sizes`; values of 0 and below are left out.
 */
function lineChart({ title, unit, sizes, series }) {
    const [left, right, top, height] = [90, 270, 74, 300];
    const all = series.flatMap(({ values }) => values).filter((value) => value > 0);
    const [xs, ys] = [decadesOf(sizes), decadesOf(all)];
    const place = (value, decades, length) => ((Math.log10(value) - decades[0]) / (decades.at(-1) - decades[0])) * length;
    const x = (size) => left + place(size, xs, WIDTH - left - right);
    const y = (value) => top + height - place(value, ys, height);
    const lines = [textAt(24, 36, title, { size: 17, fill: '#0f172a', weight: 600 }), textAt(24, 58, `${unit}; both axes are logarithmic`)];
    for (const decade of ys) {
        const row = at(y(10 ** decade));
        lines.push(`<path d="M${left} ${row}H${WIDTH - right}" stroke="#e2e8f0"/>`, textAt(left - 10, Number(row) + 4, Number(`1e${decade}`).toLocaleString('en-US', { maximumFractionDigits: 9 }), { size: 12, anchor: 'end' }));
    }
    for (const decade of xs) {
        const column = at(x(10 ** decade));
        lines.push(`<path d="M${column} ${top}V${top + height}" stroke="#e2e8f0"/>`, textAt(Number(column), top + height + 20, (10 ** decade).toLocaleString('en-US'), { size: 12, anchor: 'middle' }));
    }
    lines.push(textAt((left + WIDTH - right) / 2, top + height + 42, 'risks', { anchor: 'middle' }));
    const ends = spread(series.map(({ values }) => y(values.filter((value) => value > 0).at(-1)) + 4), 15, top + height + 4);
    series.forEach(({ name, values, dashed }, index) => {
        const colour = COLOURS[index % COLOURS.length];
        const points = values.map((value, size) => (value > 0 ? [at(x(sizes[size])), at(y(value))] : undefined)).filter(Boolean);
        lines.push(`<polyline points="${points.map((point) => point.join(',')).join(' ')}" fill="none" stroke="${colour}" stroke-width="2"${dashed ? ' stroke-dasharray="5 4"' : ''}/>`);
        lines.push(...points.map(([column, row]) => `<circle cx="${column}" cy="${row}" r="3" fill="${colour}"/>`));
        lines.push(textAt(Number(points.at(-1)[0]) + 12, ends[index], `${name}: ${figure(values.at(-1))}`, { size: 12, fill: colour }));
    });
    const said = series.map(({ name, values }) => `${name}: ${values.map((value, size) => `${figure(value)} with ${sizes[size].toLocaleString('en-US')}`).join(', ')}.`);
    return picture(top + height + 60, title, `${unit}. ${said.join(' ')}`, lines);
}

module.exports = { barChart, lineChart };
