/**
 * The budget of the cache is what the process grows by: measured on the program without sanitizers,
 * whose heap is the one that the cache reckons with.
 */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { FULL, ROOT, startServer } = require('./lib');
const { randomOf } = require('./register');
const { CACHED, forget, statisticsOf } = require('./cached');

const MIB = 1 << 20;
const ENV = {
    // A connection to PostgreSQL takes up to a megabyte for what it has read; that is not the cache's.
    DB_POOL_MAX: '4',
    DB_POOL_MAX_WAITING: '40',
    CACHE_MAX_BYTES: '64MiB',
    CACHE_TTL_RISKS: '1h',
    CACHE_TTL_STATS: '1h',
    CACHE_TTL_MATRIX: '1h',
    CACHE_TTL_TRENDS: '1h',
};
const RISKS = 1000;
const CONNECTIONS = 8;
/** How often the budget is stored once more after the cache is full, so that entries come and go. */
const ROUNDS = FULL ? 8 : 2;
const MOST = 1.15;
/** If the process grew by less than this, the cache would count what it does not use. */
const LEAST = 0.8;

const WORDS = ('the attacker may gain access through an unpatched service and read customer data before anyone notices because '
    + 'nobody looks at the logs of the backup supplier whose contract says nothing about encryption networks power or floods').split(' ');
const SORTS = ['score', 'title', 'created_at', 'updated_at', 'impact', 'probability', 'status', 'source'];

function residentBytes(server) {
    return 1024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1]);
}

/** Some descriptions of a line, some of several pages. */
function longRisks() {
    const random = randomOf(5);
    return Array.from({ length: RISKS }, (_, i) => ({
        title: `Risk ${i} ${random.of(WORDS)}`,
        impact: 1 + random.below(5),
        probability: 1 + random.below(5),
        description: Array.from({ length: 20 + random.below(random.below(4) === 0 ? 1500 : 200) }, () => random.of(WORDS)).join(' '),
    }));
}

/** Questions without end, for answers from one to some hundred kB. */
function* questions() {
    const random = randomOf(9);
    for (;;) {
        const limit = 1 + random.below(random.below(2) === 0 ? 20 : 200);
        const page = 1 + random.below(Math.floor(RISKS / limit));
        yield `/risks/R-${1 + random.below(RISKS)}`;
        yield `/risks?limit=${limit}&page=${page}&sort_by=${random.of(SORTS)}&sort_dir=${random.of(['asc', 'desc'])}&min_score=${random.below(4)}`;
    }
}

/** Ask over all connections until `isEnough(responses)`, the cache's state, which is looked at now and then. */
async function askUntil(admin, clients, asked, isEnough) {
    let enough = false;
    let count = 0;
    await Promise.all(clients.map(async (client, i) => {
        const headers = i % 2 === 0 ? {} : { 'Accept-Encoding': 'gzip' };
        while (!enough) {
            await client.expect(200, 'GET', asked.next().value, undefined, headers);
            if (++count % 50 === 0) {
                const { responses } = await statisticsOf(admin);
                assert.ok(responses.bytes <= responses.max_bytes, JSON.stringify(responses));
                enough ||= isEnough(responses);
            }
        }
    }));
    return (await statisticsOf(admin)).responses;
}

/** Each kind of request once on each connection, so that threads, connections and their memory are there. */
async function warmUp(clients) {
    const paths = [...Object.keys(CACHED), '/risks?limit=200', '/risks?limit=200&sort_by=title'].map((route) => route.replace('{id}', '1'));
    await Promise.all(clients.map(async (client) => {
        for (const one of paths.filter((route) => !route.startsWith('/assets/'))) {
            await client.expect(200, 'GET', `${one}${one.includes('?') ? '&page=2' : ''}`);
        }
    }));
}

test('with a full cache the process has grown by the cache\'s budget, give or take 15 %', async (t) => {
    const program = path.join(ROOT, 'build/openrisk');
    assert.ok(fs.existsSync(program), 'there is no build/openrisk: run script/build');
    const server = await startServer(t, { env: ENV, program });
    await (await server.signIn()).expect(200, 'POST', '/import/risks?format=json', { risks: longRisks() });
    await server.stop(); // What the import needed shall not be there.
    await server.start();
    const admin = await server.signIn();
    const clients = Array.from({ length: CONNECTIONS }, () => server.client(admin.token));
    for (let i = 0; i < 3; i++) {
        await warmUp(clients);
        await forget(admin);
    }
    const before = { resident: residentBytes(server), cached: (await statisticsOf(admin)).responses.bytes };

    const figures = [];
    const look = (what, responses) => {
        const grown = residentBytes(server) - before.resident + before.cached;
        const share = grown / responses.max_bytes;
        figures.push([what, share]);
        const held = `${(responses.bytes / MIB).toFixed(1)} MiB in ${responses.entries} entries, ${responses.evictions.capacity} evicted`;
        const growth = `${(grown / MIB).toFixed(1)} MiB, ${(100 * share).toFixed(0)} % of the budget`;
        t.diagnostic(`figure: cache, ${what}: ${held}; the process has grown by ${growth}`);
    };
    const asked = questions();
    let responses = await askUntil(admin, clients, asked, (now) => now.bytes >= 0.97 * now.max_bytes);
    assert.ok(responses.bytes >= 0.9 * responses.max_bytes, JSON.stringify(responses));
    look('full', responses);
    const stores = responses.stores;
    for (let round = 1; round <= ROUNDS; round++) {
        responses = await askUntil(admin, clients, asked, (now) => now.stores >= (1 + round) * stores);
        look(`as many stored again, ${round}`, responses);
    }
    assert.ok(responses.evictions.capacity > stores, JSON.stringify(responses.evictions));
    t.diagnostic(`figure: resident without the cache: ${((before.resident - before.cached) / MIB).toFixed(1)} MiB`);
    for (const [what, share] of figures) {
        assert.ok(share <= MOST && share >= LEAST, `${what}: ${(100 * share).toFixed(0)} %`);
    }
});
