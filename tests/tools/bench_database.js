/**
 * Measures answers that are asked of PostgreSQL, nothing cached, called by script/bench: side by side with
 * pgbench running the same transactions with as many clients; by the number of connections; and the pool alone.
 *
 * What pgbench runs is taken from the server's log of one request, so it is the same by construction: the
 * statements in their round trips, numbers as parameters. A request is who holds the token, and the answer.
 * Both ask from the same machine, so all share its processors. They take turns, and a ratio is one of neighbours.
 */
'use strict';

const { execFile } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { promisify } = require('node:util');
const { ROOT, startServer, temporaryFolder, waitFor } = require('../http/lib');
const { writeKev } = require('./generate-kev');
const { addJson, importFile, medianOf, options } = require('./measure');
const { environmentFor, programPath, startPostgres } = require('./postgres');

const run = promisify(execFile);

/** At least so much of pgbench's rate. */
const RATIO = 0.7;
const CLIENTS = 8;

/** Two connections per processor serve them best, see the curve; pgbench has one per client. */
const POOL_MAX = 2 * os.cpus().length;
const CONNECTIONS = [1, 2, 4, 8, 16, 32, 64];
const CROWD = 64;

/** `ref`: what the parameter $1 of the example stands for, if each request asks for another one. */
const KINDS = [
    { name: 'one risk', example: '/risks/R-77', ref: '77', lua: (rows) => `"/api/v1/risks/R-" .. math.random(1, ${rows})` },
    { name: 'first page', example: '/risks', lua: () => '"/api/v1/risks"' },
];

/**
 * The statements of one request as PostgreSQL's log has them: [{sql, params} …]. The watch looks at the
 * generations on a connection of its own meanwhile; its lines are those of another process.
 */
async function statementsOf(cluster, database, client, route) {
    const set = async (command) => {
        await cluster.query(database, command);
        await cluster.query(database, 'SELECT pg_reload_conf()');
    };
    await client.expect(200, 'GET', route); // from now on everything is prepared
    await set("ALTER SYSTEM SET log_statement = 'all'");
    const before = cluster.log.length;
    const lines = () => cluster.log.slice(before).split('\n');
    await waitFor(async () => {
        await client.expect(200, 'GET', route);
        return lines().some((line) => /execute s\d+: SELECT token/.test(line));
    }, 'a request in the log');
    const process = /\[(\d+)\].*execute s\d+: SELECT token/.exec(lines().join('\n'))[1];
    await waitFor(async () => {
        await client.expect(200, 'GET', route);
        return oneRequest(lines(), process);
    }, 'a whole request in the log');
    await set('ALTER SYSTEM RESET log_statement');
    return oneRequest(lines(), process);
}

/** From the BEGIN before a token is asked for to the one before the next; undefined if that is not there yet. */
function oneRequest(lines, process) {
    const statements = [];
    for (const line of lines.filter((one) => one.includes(`[${process}]`))) {
        const [, sql] = /LOG: {2}execute [^:]+: (.*)$/.exec(line) || [];
        const [, detail] = /DETAIL: {2}parameters: (.*)$/.exec(line) || [];
        if (sql !== undefined) {
            statements.push({ sql, params: [] });
        } else if (detail !== undefined && statements.length > 0) {
            statements[statements.length - 1].params = [...detail.matchAll(/\$\d+ = '((?:[^']|'')*)'/g)].map(([, value]) => value);
        }
    }
    const tokens = statements.flatMap(({ sql }, at) => (sql.startsWith('SELECT token') ? [at - 1] : []));
    return tokens.length >= 3 ? statements.slice(tokens[1], tokens[2]) : undefined;
}

/** A script for pgbench. What is read together goes out together; what hangs on rows of a page comes after it. */
function scriptOf(statements, ref, rows) {
    const sets = [];
    const variable = (value) => {
        const name = `v${sets.length}`;
        sets.push(`\\set ${name} ${value}`);
        return `:${name}`;
    };
    const wanted = ref === undefined ? undefined : variable(`random(1, ${rows})`);
    const written = statements.map(({ sql, params }) =>
        sql.replace(/\$(\d+)/g, (_, number) => {
            const value = params[number - 1];
            if (ref !== undefined && value === ref) {
                return wanted;
            }
            if (ref !== undefined && value === `[${ref}]`) {
                return `'[' || ${wanted} || ']'`;
            }
            return /^\d{1,9}$/.test(value) ? variable(value) : `'${value}'`;
        }),
    );
    const trips = [[]];
    statements.forEach(({ sql }, at) => {
        const follows = ref === undefined && sql.includes('translate(') && !statements[at - 1].sql.includes('translate(');
        if ((at > 0 && statements[at - 1].sql === 'ROLLBACK') || follows) {
            trips.push([]);
        }
        trips[trips.length - 1].push(`${written[at]};`);
    });
    return [...sets, ...trips.flatMap((trip) => ['\\startpipeline', ...trip, '\\endpipeline'])].join('\n');
}

/** For wrk: many requests, made before they are sent, so that making them takes nothing from the server. */
function requests(target) {
    return `local all = {}
        init = function() for i = 1, 20000 do all[i] = wrk.format("GET", ${target}) end end
        local at = 0
        request = function() at = at % 20000 + 1 return all[at] end\n`;
}

async function pgbench(database, script, seconds) {
    const args = ['-n', '-M', 'prepared', '-c', CLIENTS, '-j', 1, '-T', seconds, '-f', script].map(String);
    const { stdout } = await run(programPath('pgbench'), args, { env: environmentFor(database) });
    return Number(/tps = ([\d.]+) \(without/.exec(stdout)[1]);
}

async function wrk(url, token, script, clients, seconds) {
    const args = ['-t1', `-c${clients}`, `-d${seconds}s`, '-s', script, '-H', `Authorization: Bearer ${token}`, url];
    const { stdout } = await run('wrk', args);
    if (/Non-2xx|Socket errors/.test(stdout)) {
        throw new Error(`the server did not answer everything:\n${stdout}`);
    }
    return Number(/^Requests\/sec: +([\d.]+)/m.exec(stdout)[1]);
}

async function compare(context, kind) {
    const { cluster, database, server, client, folder, rows, rounds, seconds } = context;
    const sql = path.join(folder, 'transaction.sql');
    const lua = path.join(folder, 'request.lua');
    fs.writeFileSync(sql, scriptOf(await statementsOf(cluster, database, client, kind.example), kind.ref, rows));
    fs.writeFileSync(lua, requests(kind.lua(rows)));
    const taken = [];
    for (let round = -1; round < rounds; round++) {
        const theirs = await pgbench(database, sql, seconds);
        const ours = await wrk(server.url, client.token, lua, CLIENTS, seconds);
        if (round >= 0) {
            taken.push({ theirs, ours, ratio: ours / theirs });
        }
    }
    const median = (name) => medianOf(taken.map((one) => one[name]));
    return { lua, ours: median('ours'), theirs: median('theirs'), ratio: median('ratio') };
}

async function main() {
    const { rows, rounds, seconds, json } = options(process.argv.slice(2), { rows: 100000, rounds: 5, seconds: 4, json: undefined });
    const cleanUps = [];
    const results = [];
    const note = (name, unit, value, limit) => {
        results.push({ name, unit, median: value, limit, ok: limit === undefined || value >= limit });
        const verdict = limit === undefined ? '' : value >= limit ? 'ok' : 'TOO LITTLE';
        console.log(`${`${name}, ${unit}`.padEnd(56)}${value.toFixed(value < 10 ? 2 : 0).padStart(9)}${limit === undefined ? '' : `  at least ${limit}`}  ${verdict}`);
    };
    try {
        const folder = temporaryFolder();
        cleanUps.push(() => fs.rmSync(folder, { recursive: true }));
        const cluster = await startPostgres({ settings: { shared_buffers: '1GB' } });
        cleanUps.unshift(() => cluster.stop());
        const database = await cluster.createDatabase();
        const file = path.join(folder, 'kev.csv');
        writeKev(file, rows);
        const env = { DATABASE_URL: database, CACHE_ENABLED: 'false', DB_POOL_MAX: String(POOL_MAX) };
        const server = await startServer({ after: (cleanUp) => cleanUps.unshift(cleanUp) }, { env });
        await server.stop();
        note(`import of ${rows} rows`, 's', await importFile(server, file));
        await cluster.query(database, 'VACUUM (ANALYZE)');
        await server.start();
        const context = { cluster, database, server, folder, rows, rounds, seconds };
        context.client = await server.signIn();
        let lua;
        for (const kind of KINDS) {
            const { ours, theirs, ratio, lua: used } = await compare(context, kind);
            note(`${kind.name}, ${CLIENTS} clients: OpenRisk, ${POOL_MAX} connections`, 'requests/s', ours);
            note(`${kind.name}, ${CLIENTS} clients: pgbench`, 'rounds/s', theirs);
            note(`${kind.name}: OpenRisk / pgbench`, 'ratio', ratio, RATIO);
            lua = lua || used;
        }
        fs.writeFileSync(lua, requests(KINDS[0].lua(rows)));
        const curve = new Map(CONNECTIONS.map((connections) => [connections, []]));
        for (let round = 0; round < rounds; round++) {
            for (const connections of CONNECTIONS) {
                await server.stop();
                Object.assign(server.env, { DB_POOL_MAX: String(connections), DB_POOL_MAX_WAITING: '1000' });
                await server.start();
                const client = await server.signIn();
                await wrk(server.url, client.token, lua, CROWD, 1);
                curve.get(connections).push(await wrk(server.url, client.token, lua, CROWD, seconds));
            }
        }
        for (const [connections, rates] of curve) {
            note(`one risk, ${CROWD} clients, ${connections} connections`, 'requests/s', medianOf(rates));
        }
        const { stdout } = await run(path.join(ROOT, 'build-release/tests/pool_bench'), []);
        for (const [, name, value, unit] of stdout.matchAll(/^(.*\S) +([\d.]+) (\S+)$/gm)) {
            note(name, unit, Number(value));
        }
    } finally {
        for (const cleanUp of cleanUps) {
            await cleanUp();
        }
    }
    if (json !== undefined) {
        addJson(json, results);
    }
    process.exitCode = results.every((result) => result.ok) ? 0 : 1;
}

main().catch((error) => {
    console.error(error);
    process.exitCode = 1;
});
