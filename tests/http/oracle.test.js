/**
 * The oracle: whatever is written, every cacheable route answers as a second server does that has no
 * cache, on the same database (tests/tools/twin.c).
 *
 * After each of many random writes all routes are asked at both servers, with parameters that stay
 * the same for ROUND writes, so that what is asked after a write was mostly kept before it. Some of it
 * does not exist yet, or not any more. The cached answer is asked for twice; the second time as it
 * is, compressed, or by the ETag that it had before the write.
 */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { gunzipSync } = require('node:zlib');

const { FULL, binary, startServer } = require('./lib');
const { UNKNOWN_ID, day, operationsOf, randomOf } = require('./register');
const { DOCUMENT_ASSETS, DOCUMENT_RISKS, KINDS, Register, assetIdOf, riskIdOf } = require('./writes');

const SEED = Number(process.env.OPENRISK_TEST_SEED || 1);
const WRITES = FULL ? 3000 : 1000;
const ROUND = 5;
const VARIANTS = 2; // of a route in a round
const AT_ONCE = 4;
const DIFFERENCES_MAX = 5;
const ALL_RISKS = '/risks?limit=200';
const ALL_ASSETS = '/assets?limit=200';
const COUNTED = [
    'writes', 'filling', // the first of them
    'refused', 'byPlain', // by the server without cache
    'comparisons', 'asked', 'missing', // 404
    'kept', 'hits', // at the first time, at the second
    'compressed', 'unchanged', 'changed', // since the last time, by its ETag
    'callers',
];
/** Headers that may differ: when and how the answer was made. */
const OWN_HEADERS = ['date', 'x-request-id', 'x-cache', 'cache-status'];

/** What each route is asked with, in turns: what follows its path, or takes the place of {id}. */
const VARIANTS_OF = {
    '/risks': (s) => [
        '',
        '?q=alpha',
        '?status=ACTIVE&level=HIGH',
        `?tag=red&review_before=${day()}`,
        '?category=Cat&owner=Ann',
        `?asset_id=${s.assets[0]}`,
        '?framework=NIST&sort_by=impact',
        '?min_score=4.5&max_score=12',
        '?impact=4&probability=5&open',
        '?open=false&probability=2',
        '?source=list&sort_by=title',
        '?sort_by=title&sort_dir=desc&limit=5&page=2',
        '?sort_by=created_at&limit=7',
        '?sort_by=updated_at&sort_dir=asc',
        '?sort_by=probability',
        '?sort_by=status&limit=3',
        '?sort_by=source&page=1000',
        '?sort_by=owner&limit=9',
        '?sort_by=category&sort_dir=desc',
        `?sort_by=review_date&review_before=${day(9)}`,
        '?sort_by=ref&limit=4',
        `?limit=5${s.after}`,
    ],
    '/risks/values': () => ['', '?member=category&q=a', '?member=tag', '?member=framework&limit=1', '?member=source', '?q=an&limit=2'],
    '/risks/{id}': (s) => s.risks,
    '/risks/{id}/timeline': (s) => [...s.risks, ...s.risks.map((id) => `${id}?limit=3&page=2`)],
    '/risks/{id}/mitigations': (s) => s.risks,
    '/mitigations': () => ['', '?overdue', '?overdue=false&limit=4', '?status=DONE&sort_dir=desc', '?assignee=Ann'],
    '/assets': () => ['', '?q=alpha', '?criticality=HIGH', '?type=server&sort_by=updated_at', '?sort_by=risk_count&limit=2&page=2'],
    '/assets/{id}': (s) => s.assets,
    '/stats': () => [''],
    '/stats/risk-matrix': () => [''],
    '/stats/trends': () => ['', '?days=1', '?days=366'],
    '/stats/risk-distribution': () => [''],
    '/stats/mitigation-metrics': () => [''],
    '/stats/top-risks': () => ['', '?limit=1', '?limit=50'],
    '/activity': () => ['', '?limit=3', '?limit=5&page=3', '?sort_dir=asc'],
};

/** Ids and refs to ask for in a round, of what is there, was there, and may come. */
function subjectsOf(register, next) {
    const { random } = register;
    const anyAsset = () => random.of(register.assets).id;
    register.watched = register.riskIds(2);
    const refs = register.risks.map((risk) => risk.ref);
    const refOf = (id) => register.risks.find((risk) => risk.id === id).ref;
    return {
        after: next ? `&after=${next}` : '',
        risks: [
            ...register.watched,
            `R-${refOf(register.watched[0])}`,
            `${Math.max(...refs) + 1 + random.below(2)}`,
            riskIdOf(random.below(DOCUMENT_RISKS)),
            ...register.deleted.slice(-1),
            UNKNOWN_ID,
        ],
        assets: [anyAsset(), anyAsset(), assetIdOf(random.below(DOCUMENT_ASSETS)), UNKNOWN_ID],
    };
}

/** What is asked in a round: each route with some of its variants, and both whole lists. */
function* urlsOf(round, subjects) {
    for (const [route, variantsOf] of Object.entries(VARIANTS_OF)) {
        const variants = variantsOf(subjects);
        for (let i = 0; i < Math.min(VARIANTS, variants.length); i++) {
            const variant = variants[(round * VARIANTS + i) % variants.length];
            const [id, query] = `${variant}?`.split('?');
            yield route.includes('{id}') ? route.replace('{id}', id) + (query ? `?${query}` : '') : route + variant;
        }
    }
    yield ALL_RISKS;
    yield ALL_ASSETS;
}

/** Begin anywhere: by the first answer that is not kept, the cache learns which others are outdated. */
function turned(list, random) {
    const first = random.below(list.length);
    return [...list.slice(first), ...list.slice(0, first)];
}

async function forEach(list, work) {
    const left = [...list];
    const worker = async () => {
        while (left.length > 0) {
            await work(left.shift());
        }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

class Oracle {
    constructor(server, token) {
        this.server = server;
        this.cached = server.client(token);
        this.plain = server.client(token, undefined, server.plainUrl);
        this.known = new Map(); // url → {etag, body} of its last answer
        this.urls = new Set(); // all that were asked
        this.written = new Set(); // "METHOD path" of all writes that were done
        this.differences = [];
        this.count = Object.fromEntries(COUNTED.map((name) => [name, 0]));
        this.kinds = Object.fromEntries(Object.keys(KINDS).map((name) => [name, { done: 0, refused: 0 }]));
    }

    /** An answer but for its OWN_HEADERS, as a text. */
    static textOf({ status, headers, body }) {
        const own = new Set(OWN_HEADERS);
        const lines = Object.entries(headers).map(([name, value]) => (own.has(name) ? '' : `${name}: ${value}\n`));
        return `${status}\n${lines.sort().join('')}\n${body}`;
    }

    /** Both texts must be equal; `what` says of what. */
    compare(what, expected, found) {
        this.count.comparisons++;
        if (expected === found) {
            return;
        }
        let at = 0;
        while (expected[at] === found[at]) {
            at++;
        }
        const around = (text) => JSON.stringify(text.slice(Math.max(0, at - 100), at + 100));
        this.differences.push(`${this.last}, ${what}:\n  without cache … ${around(expected)}\n  with cache    … ${around(found)}`);
    }

    /** Ask both for the same, and the cached one again. Gives the answer without the cache. */
    async ask(url) {
        const [expected, first] = await Promise.all([this.plain.get(url), this.cached.get(url)]);
        assert.ok(first.headers['x-cache'], `${url} is not cached`);
        this.compare(url, Oracle.textOf(expected), Oracle.textOf(first));
        this.count.kept += first.headers['x-cache'] === 'HIT';
        this.count.missing += expected.status === 404;
        await this.askAgain(url, expected);
        this.known.set(url, { etag: expected.headers.etag, body: expected.body });
        this.urls.add(url);
        return expected;
    }

    async askAgain(url, expected) {
        const before = this.known.get(url);
        const form = this.count.asked++ % 3;
        let again;
        if (form === 0) {
            again = await this.cached.get(url);
            this.compare(`${url} again`, Oracle.textOf(expected), Oracle.textOf(again));
        } else if (form === 1) {
            again = await this.cached.get(url, { 'Accept-Encoding': 'gzip' });
            const compressed = again.headers['content-encoding'] === 'gzip';
            this.count.compressed += compressed;
            this.compare(`${url} compressed`, expected.body, again.body);
        } else {
            again = await this.cached.get(url, before?.etag ? { 'If-None-Match': before.etag } : {});
            const isSame = Boolean(before?.etag) && before.body === expected.body && expected.status === 200;
            this.count[isSame ? 'unchanged' : 'changed']++;
            this.compare(`${url} by ETag`, isSame ? '304 ' : `${expected.status} ${expected.body}`, `${again.status} ${again.body}`);
        }
        this.count.hits += again.headers['x-cache'] === 'HIT';
    }

    /** The others who ask are let in, and kept out, by both alike: where all may ask, or admins only. */
    async askAs(token) {
        const url = this.count.writes % 2 ? '/stats' : '/users?limit=1';
        this.count.callers++;
        const both = [this.plain, this.cached].map((client) => client.get(url, { Authorization: `Bearer ${token}` }));
        const [expected, found] = await Promise.all(both);
        this.compare(`${url} by another caller`, Oracle.textOf(expected), Oracle.textOf(found));
    }

    async write(write) {
        const byPlain = this.count.writes++ % 10 === 9;
        const headers = { ...write.headers, ...(write.token && { Authorization: `Bearer ${write.token}` }) };
        const reply = await (byPlain ? this.plain : this.cached).request(write.method, write.path, write.body, headers);
        const where = byPlain ? ', without cache' : '';
        this.last = `write ${this.count.writes} (${write.name}, ${write.method} ${write.path}: ${reply.status}${where})`;
        assert.ok(reply.status < 500, `${this.last}: ${reply.body}`);
        const refused = reply.status >= 400;
        this.count.byPlain += byPlain;
        this.count.refused += refused;
        this.kinds[write.name][refused ? 'refused' : 'done']++;
        if (!refused) {
            this.written.add(`${write.method} ${write.path.split('?')[0]}`);
        }
        return reply;
    }
}

/** The routes that say by X-Cache that they are cacheable. */
async function cacheableRoutes(client, subjects, operations) {
    const found = [];
    for (const { method, path: route } of operations) {
        const [risk] = subjects.risks;
        const [asset] = subjects.assets;
        const real = route.replace('/risks/{id}', `/risks/${risk}`).replace('/assets/{id}', `/assets/${asset}`);
        if (method === 'GET' && (await client.get(real)).headers['x-cache']) {
            found.push(route);
        }
    }
    return found;
}

/** Write until there is something of everything to ask for. */
async function fill(oracle, register) {
    while (register.risks.length < 10 || register.assets.length < 4) {
        const write = register.next();
        register.done(write, await oracle.write(write));
        await seeLists(oracle, register);
    }
    oracle.count.filling = oracle.count.writes;
}

async function seeLists(oracle, register) {
    const [risks, assets] = await Promise.all([ALL_RISKS, ALL_ASSETS].map((url) => oracle.plain.expect(200, 'GET', url)));
    register.see(risks.json.items, assets.json.items);
}

async function writeAndCompare(oracle, register) {
    let subjects;
    let urls;
    for (let i = 0; i < WRITES && oracle.differences.length < DIFFERENCES_MAX; i++) {
        if (i % ROUND === 0) {
            const { json } = await oracle.plain.expect(200, 'GET', '/risks?limit=5');
            subjects = subjectsOf(register, json.next);
            urls = [...new Set(urlsOf(i / ROUND, subjects))];
        }
        const write = register.next();
        register.done(write, await oracle.write(write));
        const answers = new Map();
        await forEach(turned(urls, register.random), async (url) => answers.set(url, await oracle.ask(url)));
        await forEach(register.callers, (token) => oracle.askAs(token));
        register.see(answers.get(ALL_RISKS).json.items, answers.get(ALL_ASSETS).json.items);
    }
}

function report(t, { count, kinds, urls, differences }) {
    const each = Object.entries(kinds).map(([name, { done, refused }]) => `${name} ${done}${refused ? ` (${refused} refused)` : ''}`);
    const routes = Object.keys(VARIANTS_OF).length;
    const lines = [
        `seed ${SEED}: ${count.writes} writes, ${count.filling} to begin with; ${count.refused} refused, ${count.byPlain} without cache`,
        `writes: ${each.join(', ')}`,
        `after each all ${routes} cacheable routes, with up to ${VARIANTS} variants that stay for ${ROUND} writes: ${urls.size} URLs`,
        `${count.comparisons} comparisons: ${count.asked} answers twice, ${count.missing} of them 404; ${count.callers} by other callers`,
        `of the second answers ${count.compressed} compressed, ${count.unchanged} 304, ${count.changed} changed since their ETag`,
        `hits: ${count.kept} of ${count.asked} first answers, ${count.hits} of the second ones`,
        `differences: ${differences.length}`,
    ];
    lines.forEach((line) => t.diagnostic(`figure: oracle: ${line}`));
}

/** Routes that write and that no write has used. */
function unwritten(operations, written) {
    const writes = operations.filter(({ method }) => method !== 'GET');
    return writes.map((one) => `${one.method} ${one.path}`).filter((route) => {
        const pattern = new RegExp(`^${route.replace(/\{\w+\}/g, '[^/]+')}$`);
        return ![...written].some((one) => pattern.test(one));
    });
}

test('with the cache every route answers as without, after each of many random writes', async (t) => {
    // At noon, so that no day ends between two answers.
    const offset = 12 - new Date().getUTCHours();
    const program = path.join(path.dirname(binary()), 'tests/twin');
    assert.ok(fs.existsSync(program), `no ${program}: run script/build with --tests first`);
    const server = await startServer(t, { program, env: { OPENRISK_CLOCK_OFFSET: `${offset}h`, LOGIN_BURST: '1000' } });
    const admin = await server.signIn();
    const operations = operationsOf((await admin.expect(200, 'GET', '/openapi.json')).json);
    const oracle = new Oracle(server, admin.token);
    const register = new Register(randomOf(SEED));
    await fill(oracle, register);

    await t.test('the routes that are asked are all that are cacheable', async () => {
        const found = await cacheableRoutes(admin, subjectsOf(register), operations);
        assert.deepStrictEqual(found.sort(), Object.keys(VARIANTS_OF).sort());
    });

    await t.test(`${WRITES} writes`, async (t2) => {
        await writeAndCompare(oracle, register);
        report(t2, oracle);
        assert.strictEqual(oracle.differences.length, 0, oracle.differences.join('\n'));
    });

    await t.test('each route that writes was used, and the cache answered', async () => {
        const { count, written } = oracle;
        assert.deepStrictEqual(unwritten(operations, written), []);
        assert.ok(count.hits > count.asked * 0.95, `${count.hits} hits of ${count.asked}`);
        for (const name of ['kept', 'compressed', 'unchanged', 'changed', 'missing', 'callers', 'byPlain']) {
            assert.ok(count[name] > WRITES / 20, `${name}: ${count[name]}`);
        }
    });
});
