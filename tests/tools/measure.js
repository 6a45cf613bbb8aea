/**
 * What the measurements of script/bench share: options, filled servers, medians, and where the results go.
 */
'use strict';

const fs = require('node:fs');
const { startServer } = require('../http/lib');

/** `--NAME VALUE …` into a copy of `defaults`; a value is a number where the default is one. */
function options(argv, defaults) {
    const chosen = { ...defaults };
    for (let i = 0; i < argv.length; i += 2) {
        const name = argv[i].replace(/^--/, '');
        const value = typeof defaults[name] === 'number' ? Number(argv[i + 1]) : argv[i + 1];
        if (!(name in defaults) || value === undefined || Number.isNaN(value)) {
            console.error(`script/bench: ${argv[i]} is unknown here, or its value is no good; see the first lines of the script`);
            process.exit(2);
        }
        chosen[name] = value;
    }
    return chosen;
}

function quantile(sorted, share) {
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

function medianOf(values) {
    return quantile([...values].sort((a, b) => a - b), 0.5);
}

/**
 * Call `measure(one)` for each of `all` in interleaved rounds, each of which begins with another one: a map
 * from each to the medians of its figures, with the figures of each round as `rounds`.
 */
async function inRounds(rounds, all, measure) {
    const taken = new Map(all.map((one) => [one, []]));
    for (let round = 0; round < rounds; round++) {
        for (let turn = 0; turn < all.length; turn++) {
            const one = all[(round + turn) % all.length];
            taken.get(one).push(await measure(one, round));
        }
    }
    const medians = (list) => Object.fromEntries(Object.keys(list[0]).map((key) => [key, medianOf(list.map((figures) => figures[key]))]));
    return new Map([...taken].map(([one, list]) => [one, { ...medians(list), rounds: list }]));
}

/**
 * What the figure of one is to another's, round by round, and the median of that: the speed of the
 * machine changes between rounds, less so within one.
 */
function compared(ours, theirs, key, compare) {
    return medianOf(ours.rounds.map((figures, round) => compare(figures[key], theirs.rounds[round][key])));
}

const timesOf = (ours, theirs, key) => compared(ours, theirs, key, (a, b) => a / b);
const differenceOf = (ours, theirs, key) => compared(ours, theirs, key, (a, b) => a - b);

/** The other way round: a program ends before its folder goes. */
async function runAll(cleanUps) {
    for (const cleanUp of cleanUps.reverse()) {
        await cleanUp();
    }
}

/** Whoever ends us ends what we have started: their `exit` handlers do it. */
function runMain(main) {
    for (const signal of ['SIGINT', 'SIGTERM']) {
        process.on(signal, () => process.exit(1));
    }
    main().catch((error) => {
        console.error(error);
        process.exitCode = 1;
    });
}

function printTable(titles, rows, width = 12) {
    const line = ([first, ...cells]) => console.log(`${first.padEnd(24)}${cells.map((cell) => cell.padStart(width)).join('')}`);
    line(titles);
    rows.forEach(line);
}

/** Import a file into the database that a stopped server uses: the seconds it took. */
async function importFile(server, file) {
    const began = process.hrtime.bigint();
    const { code, stdout, stderr } = await server.cli(['import', file, '--format', 'kev'], { limitMs: 3600000 });
    if (code !== 0) {
        throw new Error(`import: ${stdout}${stderr}`);
    }
    return Number(process.hrtime.bigint() - began) / 1e9;
}

/** A server whose database holds `file`; and how long the import took. */
async function serverWith(cleanUps, file, env) {
    const server = await startServer({ after: (cleanUp) => cleanUps.push(cleanUp) }, { env });
    await server.stop();
    const seconds = await importFile(server, file);
    await server.start();
    return { server, seconds };
}

function residentMb(pid) {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}

/** Add results to a list in `file`, which script/bench has removed before its first measurement. */
function addJson(file, results) {
    const before = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : [];
    fs.writeFileSync(file, `${JSON.stringify([...before, ...results], null, 2)}\n`);
}

module.exports = {
    addJson, differenceOf, importFile, inRounds, medianOf, options, printTable, quantile, residentMb, runAll, runMain, serverWith, timesOf,
};
