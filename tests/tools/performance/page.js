/**
 * docs/performance.md: the sections that script/bench writes, each by its own command and without touching the others,
 * and what they say of the machine. What stands around the sections is written by people.
 */
'use strict';

const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { cli } = require('../../http/lib');
const { programPath } = require('../postgres');

const beginOf = (name) => `<!-- What is between this and the next such line is written by script/bench ${name}. -->`;
const endOf = (name) => `<!-- The end of what script/bench ${name} writes. -->`;

/** Where a section's body is in a page: {from, to}; undefined unless the page has it exactly once. */
function sectionOf(text, name) {
    const [begin, end] = [beginOf(name), endOf(name)];
    const once = (line) => text.split('\n').filter((one) => one === line).length === 1;
    const from = text.indexOf(begin) + begin.length;
    const to = text.indexOf(end);
    return once(begin) && once(end) && from <= to ? { from, to } : undefined;
}

/** The page with `body` as its section of this name, and all else as it was. */
function replaceSection(text, name, body) {
    const { from, to } = sectionOf(text, name);
    return `${text.slice(0, from)}\n\n${body.trim()}\n\n${text.slice(to)}`;
}

/** Why a section cannot be written into a file, which nobody wants to hear after an hour of measuring; or undefined. */
function faultOf(file, name) {
    let text;
    try {
        fs.accessSync(file, fs.constants.R_OK | fs.constants.W_OK);
        text = fs.readFileSync(file, 'utf8');
    } catch (error) {
        return `--markdown: ${file} cannot be read and written: ${error.code}`;
    }
    return sectionOf(text, name) ? undefined : `--markdown: ${file} has no section of script/bench ${name}; see docs/performance.md for its two lines`;
}

/** `pictures`: SVG by the names of their files, in the folder `pictures` beside the page. */
function writeSection(file, name, body, pictures) {
    const folder = path.join(path.dirname(file), 'pictures');
    fs.mkdirSync(folder, { recursive: true });
    for (const [picture, svg] of Object.entries(pictures)) {
        fs.writeFileSync(path.join(folder, picture), svg);
    }
    fs.writeFileSync(file, replaceSection(fs.readFileSync(file, 'utf8'), name, body));
}

/** A table in Markdown; all columns but the first hold numbers unless `left` says otherwise. */
function markdownTable(titles, rows, { left = [0] } = {}) {
    const line = (cells) => `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
    const rule = `|${titles.map((_, column) => (left.includes(column) ? '---' : '---:')).join('|')}|`;
    return [line(titles), rule, ...rows.map(line)].join('\n');
}

/** A number as a reader wants it: three digits that count, and thousands apart. */
function figure(value) {
    if (value === undefined || value === null || !Number.isFinite(value)) {
        return '–';
    }
    const size = Math.abs(value);
    const digits = size === 0 || size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.0995 ? 3 : 4;
    return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** The first line of what a program says of its version. */
function versionOf(program, args) {
    try {
        return execFileSync(program, args, { encoding: 'utf8' }).split('\n')[0].trim();
    } catch {
        return undefined;
    }
}

/** What has measured and what was measured: {name: text}. `programs`: some of "postgres", "redis", "wrk". */
async function machineOf(programs = []) {
    const [processor] = os.cpus();
    const known = {
        postgres: () => versionOf(programPath('postgres'), ['--version']).replace(/^postgres \(PostgreSQL\)/, 'PostgreSQL'),
        redis: () => versionOf('redis-server', ['--version']).replace(/^Redis server v=(\S+).*$/, 'Redis $1'),
        wrk: () => {
            // It says its version only together with how it is used, and calls that a failure.
            const { stdout, stderr } = spawnSync('wrk', ['--version'], { encoding: 'utf8' });
            return (/^wrk \S+/.exec(`${stdout}${stderr}`) || ['wrk'])[0];
        },
    };
    const { stdout } = await cli(['version']);
    return {
        date: new Date().toISOString().slice(0, 10),
        processor: `${processor.model.trim()}, ${os.cpus().length} processors`,
        memory: `${(os.totalmem() / 2 ** 30).toFixed(1)} GiB`,
        kernel: `${os.type()} ${os.release().replace(/-.*$/, '')}`,
        versions: [stdout.trim().split('\n')[0], ...programs.map((name) => known[name]()), `node ${process.version}`].join('; '),
    };
}

/** The lines that say how a section's figures were taken. */
function provenance(command, machine) {
    return [
        `- Command: \`${command}\``,
        `- Date: ${machine.date}`,
        `- Machine: ${machine.processor}; ${machine.memory} of memory; ${machine.kernel}`,
        `- Versions: ${machine.versions}`,
    ].join('\n');
}

module.exports = { faultOf, figure, machineOf, markdownTable, provenance, replaceSection, sectionOf, writeSection };
