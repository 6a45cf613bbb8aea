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

/** Import a file into the database that a stopped server uses: the seconds it took. */
async function importFile(server, file) {
    const began = process.hrtime.bigint();
    const { code, stdout, stderr } = await server.cli(['import', file, '--format', 'kev'], { limitMs: 600000 });
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

module.exports = { addJson, importFile, medianOf, options, quantile, residentMb, serverWith };
