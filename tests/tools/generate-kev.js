/**
 * Writes N rows in the form of CISA's KEV catalogue, by varying real rows: fresh CVE ids, mixed
 * products, names, dates and ransomware use. The same SEED gives the same rows.
 *   node tests/tools/generate-kev.js N [SEED] [KEV-FILE] > FILE
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { csvLine, parseCsv } = require('./csv');

/** Numbers in [0, 1) that depend only on the seed (mulberry32). */
function randomOf(seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let mixed = Math.imul(state ^ (state >>> 15), state | 1);
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
}

const KEV = path.join(__dirname, '../data/kev.csv');

/** So many lines are written at a time. */
const BATCH = 10000;

/** The lines of the file, the header first. */
function* kevLines(count, seed, kevText) {
    const [header, ...rows] = parseCsv(kevText);
    const random = randomOf(seed);
    const any = () => rows[Math.floor(random() * rows.length)];
    const column = Object.fromEntries(header.map((name, index) => [name, index]));
    const isoDay = (days) => new Date(days * 86400000).toISOString().slice(0, 10);
    yield csvLine(header);
    for (let i = 0; i < count; i++) {
        const row = [...any()];
        const product = any();
        const added = 18933 + Math.floor(random() * 1400); // days since 1970; from November 2021
        row[column.cveID] = `CVE-${2002 + Math.floor(random() * 24)}-${1000000 + i}`;
        row[column.vendorProject] = product[column.vendorProject];
        row[column.product] = product[column.product];
        row[column.dateAdded] = isoDay(added);
        row[column.dueDate] = isoDay(added + 14 + Math.floor(random() * 170));
        row[column.knownRansomwareCampaignUse] = random() < 0.2 ? 'Known' : 'Unknown';
        row[column.vulnerabilityName] = `${any()[column.vulnerabilityName]} ${i + 1}`;
        yield csvLine(row);
    }
}

/** All of them into a file, piece by piece: those of a million rows are longer than a string may be. */
function writeKev(file, count, seed = 1) {
    const out = fs.openSync(file, 'w');
    let batch = [];
    const flush = () => {
        fs.writeSync(out, batch.join(''));
        batch = [];
    };
    for (const line of kevLines(count, seed, fs.readFileSync(KEV, 'utf8'))) {
        if (batch.push(line) === BATCH) {
            flush();
        }
    }
    flush();
    fs.closeSync(out);
}

if (require.main === module) {
    const [count, seed = '1', file = KEV] = process.argv.slice(2);
    if (!/^\d+$/.test(count) || !/^\d+$/.test(seed)) {
        console.error('node tests/tools/generate-kev.js N [SEED] [KEV-FILE] > FILE');
        process.exit(2);
    }
    const { Readable } = require('node:stream');
    Readable.from(kevLines(Number(count), Number(seed), fs.readFileSync(file, 'utf8'))).pipe(process.stdout);
}

module.exports = { KEV, kevLines, randomOf, writeKev };
