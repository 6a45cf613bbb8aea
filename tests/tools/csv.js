/** Reading and writing CSV (RFC 4180), for tests and tools. */
'use strict';

/** All rows of a text, each an array of cells; quoted cells may hold commas and line feeds. */
function parseCsv(text) {
    const rows = [];
    const cell = /("(?:[^"]|"")*"|[^,\r\n]*)(,|\r?\n|$)/y;
    let row = [];
    while (cell.lastIndex < text.length) {
        const [, raw, end] = cell.exec(text);
        row.push(raw.startsWith('"') ? raw.slice(1, -1).replaceAll('""', '"') : raw);
        if (end !== ',') {
            rows.push(row);
            row = [];
        }
    }
    return rows;
}

function csvLine(cells) {
    return `${cells.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',')}\n`;
}

module.exports = { csvLine, parseCsv };
