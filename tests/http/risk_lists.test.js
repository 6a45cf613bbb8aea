/** The list of risks: filters, sorts, pages, search. What is right is reckoned from the whole list. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { startServer } = require('./lib');
const { assertProblem, day, makeAsset, makeRisk, randomOf } = require('./register');

const SORTS = ['score', 'title', 'created_at', 'updated_at', 'impact', 'probability', 'status', 'source', 'ref', 'owner', 'category', 'review_date'];
const NONE_LAST = ['owner', 'category', 'review_date'];
const COUNT = 70;

const encode = (params) => Object.entries(params).map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
const idsOf = (risks) => risks.map((risk) => risk.id);

async function fill(analyst) {
    const random = randomOf(1);
    const assets = [];
    for (const criticality of ['LOW', 'MEDIUM', 'HIGH', 'CRITICAL']) {
        assets.push((await makeAsset(analyst, { name: `Asset ${criticality}`, criticality })).id);
    }
    for (let i = 0; i < COUNT; i++) {
        await makeRisk(analyst, {
            title: `${random.of(['alpha', 'Beta', 'gamma', 'Élan'])} ${random.below(12)}`,
            impact: 1 + random.below(5),
            probability: 1 + random.below(5),
            status: random.of(['DRAFT', 'ACTIVE', 'MITIGATED', 'ACCEPTED', 'CLOSED']),
            category: random.of([null, 'Cloud', 'Physical', 'Übersee']),
            owner: random.of([null, 'Ann', 'Bo', 'émile', '~']),
            source: random.of([null, 'audit', 'scanner', 'Zoo']),
            external_id: `EXT-${i}`,
            tags: random.of([[], ['red'], ['blue'], ['red', 'blue'], ['redder']]),
            frameworks: random.of([[], ['ISO 27001'], ['ISO 27001', 'NIST CSF']]),
            review_date: random.of([null, day(-10), day(0), day(10)]),
            asset_ids: random.of([[], [], [random.of(assets)], [assets[0], assets[3]]]),
        });
    }
    return assets;
}

/** Filters and what they mean, for one risk of the whole list. */
function filtersFor(assets) {
    return [
        [{ status: 'ACTIVE' }, (risk) => risk.status === 'ACTIVE'],
        [{ status: 'CLOSED' }, (risk) => risk.status === 'CLOSED'],
        [{ level: 'HIGH' }, (risk) => risk.level === 'HIGH'],
        [{ level: 'LOW' }, (risk) => risk.level === 'LOW'],
        [{ tag: 'red' }, (risk) => risk.tags.includes('red')],
        [{ category: 'Cloud' }, (risk) => risk.category === 'Cloud'],
        [{ owner: 'Ann' }, (risk) => risk.owner === 'Ann'],
        [{ asset_id: assets[3] }, (risk) => risk.assets.some((asset) => asset.id === assets[3])],
        [{ framework: 'NIST CSF' }, (risk) => risk.frameworks.includes('NIST CSF')],
        [{ min_score: '9' }, (risk) => risk.score >= 9],
        [{ max_score: '12.5' }, (risk) => risk.score <= 12.5],
        [{ min_score: '4.8', max_score: '9.6' }, (risk) => risk.score >= 4.8 && risk.score <= 9.6],
        [{ review_before: day(0) }, (risk) => risk.review_date !== null && risk.review_date < day(0)],
        [{ review_before: day(1) }, (risk) => risk.review_date !== null && risk.review_date < day(1)],
        [{ source: 'scanner' }, (risk) => risk.source === 'scanner'],
        [{ impact: '4' }, (risk) => risk.impact === 4],
        [{ probability: '2' }, (risk) => risk.probability === 2],
        [{ open: 'true' }, (risk) => risk.status !== 'CLOSED'],
        [{ open: 'false' }, (risk) => risk.status === 'CLOSED'],
        [{ q: 'elan' }, (risk) => risk.title.startsWith('Élan')],
        [{ q: 'be' }, (risk) => risk.title.startsWith('Beta')],
    ];
}

async function filterTests(t, analyst, assets) {
    const whole = await analyst.all('/risks');
    const matches = async (params, test_) => {
        const wanted = idsOf(whole.filter(test_)).sort();
        const { json } = await analyst.expect(200, 'GET', `/risks?limit=200&${encode(params)}`);
        assert.deepStrictEqual(idsOf(json.items).sort(), wanted, encode(params));
        assert.strictEqual(json.total, wanted.length, encode(params));
        assert.strictEqual(json.total_is_exact, true);
        return wanted.length;
    };

    await t.test('the whole list holds every risk once, with its total', async () => {
        assert.strictEqual(whole.length, COUNT);
        assert.strictEqual(new Set(idsOf(whole)).size, COUNT);
        const { json } = await analyst.get('/risks?limit=1');
        assert.deepStrictEqual(Object.keys(json).sort(), ['items', 'limit', 'next', 'page', 'total', 'total_is_exact']);
        assert.strictEqual(json.total, COUNT);
        assert.strictEqual(json.total_is_exact, true);
        assert.strictEqual(json.limit, 1);
        assert.strictEqual(json.page, 1);
    });

    await t.test('an item of the list says what the risk\'s own page says', async () => {
        for (const item of whole.slice(0, 5)) {
            const { json: risk } = await analyst.get(`/risks/${item.id}`);
            for (const [name, value] of Object.entries(item)) {
                assert.deepStrictEqual(value, risk[name], name);
            }
        }
    });

    await t.test('each filter finds those risks that it names, and some', async () => {
        for (const [params, test_] of filtersFor(assets)) {
            const count = await matches(params, test_);
            assert.ok(count > 0 && count < COUNT, `${encode(params)} tells nothing: ${count}`);
        }
    });

    await t.test('any two filters together find what both find', async () => {
        const filters = filtersFor(assets);
        for (const [one, first] of filters) {
            for (const [two, second] of filters) {
                if (!Object.keys(one).some((name) => name in two)) {
                    await matches({ ...one, ...two }, (risk) => first(risk) && second(risk));
                }
            }
        }
    });

    await t.test('each cell of the matrix counts what its filters find', async () => {
        const { json: cells } = await analyst.expect(200, 'GET', '/stats/risk-matrix');
        for (let impact = 1; impact <= 5; impact++) {
            for (let probability = 1; probability <= 5; probability++) {
                const found = await matches({ impact, probability, open: true }, (risk) => (
                    risk.impact === impact && risk.probability === probability && risk.status !== 'CLOSED'));
                assert.strictEqual(cells.find((cell) => cell.impact === impact && cell.probability === probability)?.count ?? 0, found);
            }
        }
    });

    await t.test('all filters at the same time', async () => {
        const one = whole.find((risk) => risk.tags.length && risk.assets.length && risk.frameworks.length && risk.review_date);
        const params = {
            q: one.external_id,
            status: one.status,
            level: one.level,
            tag: one.tags[0],
            framework: one.frameworks[0],
            asset_id: one.assets[0].id,
            min_score: one.score,
            max_score: one.score,
            review_before: day(100),
        };
        const { json } = await analyst.expect(200, 'GET', `/risks?${encode(params)}&sort_by=title`);
        assert.ok(idsOf(json.items).includes(one.id), JSON.stringify(json));
    });
}

/** What the order looks at: titles as people sort them, without case and accents. */
function keyOf(risk, sort) {
    return sort === 'title' ? risk.title.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase() : risk[sort];
}

/** The order by one member: bytes for texts, no value at one end: before the others, or with `noneLast` behind them. */
function compare(a, b, noneLast = false) {
    if (a === null || b === null) {
        return a === b ? 0 : (a === null) === noneLast ? 1 : -1;
    }
    return typeof a === 'number' ? a - b : Buffer.compare(Buffer.from(a), Buffer.from(b));
}

async function orderTests(t, analyst) {
    await t.test('each sort goes both ways, and pages and next lead through the same whole', async () => {
        for (const sort of SORTS) {
            for (const dir of ['asc', 'desc']) {
                const query = `sort_by=${sort}&sort_dir=${dir}`;
                const { json } = await analyst.expect(200, 'GET', `/risks?limit=200&${query}`);
                const items = json.items;
                assert.strictEqual(items.length, COUNT, query);
                for (let i = 1; i < items.length; i++) {
                    const order = compare(keyOf(items[i - 1], sort), keyOf(items[i], sort), NONE_LAST.includes(sort)) * (dir === 'asc' ? 1 : -1);
                    assert.ok(order <= 0, `${query}: ${items[i - 1][sort]} before ${items[i][sort]}`);
                }
                await sameByPages(analyst, query, idsOf(items));
                await sameByNext(analyst, query, idsOf(items));
            }
        }
    });

    await t.test('the default order is the highest score first, then the id', async () => {
        const items = (await analyst.get('/risks?limit=200')).json.items;
        const wanted = [...items].sort((a, b) => b.score - a.score || compare(a.id, b.id));
        assert.deepStrictEqual(idsOf(items), idsOf(wanted));
        const explicit = (await analyst.get('/risks?limit=200&sort_by=score&sort_dir=desc')).json.items;
        assert.deepStrictEqual(idsOf(explicit), idsOf(items));
    });

    await t.test('risks without an owner, a category or a date come last in the direction that is taken by itself', async () => {
        for (const sort of NONE_LAST) {
            const { items } = (await analyst.get(`/risks?limit=200&sort_by=${sort}`)).json;
            const first = items.findIndex((risk) => risk[sort] === null);
            assert.ok(first > 0 && items.slice(first).every((risk) => risk[sort] === null), sort);
            assert.deepStrictEqual(idsOf((await analyst.get(`/risks?limit=200&sort_by=${sort}&sort_dir=asc`)).json.items), idsOf(items));
        }
        const { items } = (await analyst.get('/risks?limit=200&sort_by=ref')).json;
        assert.ok(items[0].ref < items[1].ref);
    });

    await t.test('next leads through a filtered and searched list, too', async () => {
        for (const query of ['tag=red&sort_by=source&sort_dir=asc', 'q=alpha&sort_by=title', 'min_score=5&sort_by=impact',
            `review_before=${day(5)}&sort_by=review_date`, 'owner=Ann&sort_by=owner', 'category=Cloud&sort_by=category', 'tag=red&sort_by=owner&sort_dir=desc', 'q=alpha&sort_by=category']) {
            const { json } = await analyst.expect(200, 'GET', `/risks?limit=200&${query}`);
            assert.ok(json.items.length > 3);
            await sameByNext(analyst, query, idsOf(json.items));
        }
    });

    await t.test('reading on loses and doubles nothing when risks come and go meanwhile', async () => {
        const before = idsOf((await analyst.get('/risks?limit=200&sort_by=created_at&sort_dir=asc')).json.items);
        const first = (await analyst.get('/risks?limit=30&sort_by=created_at&sort_dir=asc')).json;
        await analyst.expect(204, 'DELETE', `/risks/${first.items[3].id}`);
        const rest = await analyst.all(`/risks?sort_by=created_at&sort_dir=asc&after=${encodeURIComponent(first.next)}`).catch(() => null);
        const read = rest || (await readOn(analyst, 'sort_by=created_at&sort_dir=asc', first.next));
        assert.deepStrictEqual([...idsOf(first.items), ...idsOf(read)], before);
        await analyst.expect(200, 'POST', `/risks/${first.items[3].id}/restore`);
    });
}

async function readOn(analyst, query, next) {
    const items = [];
    for (let after = next; after;) {
        const { json } = await analyst.expect(200, 'GET', `/risks?limit=13&${query}&after=${encodeURIComponent(after)}`);
        items.push(...json.items);
        after = json.next;
    }
    return items;
}

async function sameByPages(analyst, query, wanted) {
    const ids = [];
    for (let page = 1; page <= Math.ceil(wanted.length / 9); page++) {
        const { json } = await analyst.expect(200, 'GET', `/risks?limit=9&page=${page}&${query}`);
        assert.strictEqual(json.page, page);
        ids.push(...idsOf(json.items));
    }
    assert.deepStrictEqual(ids, wanted, query);
}

async function sameByNext(analyst, query, wanted) {
    const { json } = await analyst.expect(200, 'GET', `/risks?limit=13&${query}`);
    const ids = [...idsOf(json.items), ...idsOf(await readOn(analyst, query, json.next))];
    assert.deepStrictEqual(ids, wanted, query);
}

async function pageTests(t, analyst) {
    await t.test('a page past the end is empty, and the last page has no next', async () => {
        const past = (await analyst.get('/risks?page=1000&limit=100')).json;
        assert.deepStrictEqual(past.items, []);
        assert.strictEqual(past.total, COUNT);
        assert.strictEqual(past.next, null);
        assert.strictEqual((await analyst.get('/risks?limit=200')).json.next, null);
        assert.strictEqual((await analyst.get(`/risks?limit=${COUNT}`)).json.next, null);
    });

    await t.test('page times limit goes up to 100,000', async () => {
        await analyst.expect(200, 'GET', '/risks?page=500&limit=200');
        assertProblem(await analyst.get('/risks?page=501&limit=200'), 400, 'page');
        assertProblem(await analyst.get('/risks?page=5001'), 400, 'page');
    });

    await t.test('a parameter that does not parse is 400 and named', async () => {
        const bad = {
            page: ['0', '-1', 'x', '1.5', '', '99999999999999999999', '1 ', '+1', '0x10'],
            limit: ['0', '201', '-1', 'x', ''],
            status: ['active', 'NOPE', ''],
            level: ['VERY_HIGH', ''],
            min_score: ['x', '', '-1', '1e1', 'NaN', '1.234'],
            max_score: ['high', '1,5'],
            impact: ['0', '6', 'x', '1.5', ''],
            probability: ['-1', '6', ' 1', ''],
            open: ['yes', '1'],
            review_before: ['2026-02-30', 'tomorrow', '2026-1-1', ''],
            sort_by: ['id; DROP TABLE risk', 'ref2', ''],
            sort_dir: ['up', 'ASC;', ''],
            after: ['nonsense', '%%%', 'AAAA', 'eyJ9', ''],
        };
        for (const [name, values] of Object.entries(bad)) {
            for (const value of values) {
                assertProblem(await analyst.get(`/risks?${encode({ [name]: value })}`), 400, name);
            }
        }
    });

    await t.test('a parameter that is not declared or comes twice is 400 and named', async () => {
        assertProblem(await analyst.get('/risks?nope=1'), 400, 'nope');
        assertProblem(await analyst.get('/risks?Status=ACTIVE'), 400, 'Status');
        assertProblem(await analyst.get('/risks?limit=5&limit=5'), 400, 'limit');
        assertProblem(await analyst.get('/risks?status=ACTIVE&tag=red&status=CLOSED'), 400, 'status');
        assertProblem(await analyst.get('/stats?days=5'), 400, 'days');
        const { json } = await analyst.get('/risks?limit=5');
        assertProblem(await analyst.get(`/risks/${json.items[0].id}?limit=5`), 400, 'limit');
    });

    await t.test('a next of one sort is not taken for another', async () => {
        const { json } = await analyst.get('/risks?limit=5&sort_by=title');
        const reply = await analyst.get(`/risks?limit=5&sort_by=score&after=${encodeURIComponent(json.next)}`);
        assertProblem(reply, 400, 'after');
    });
}

test('lists of risks', async (t) => {
    const server = await startServer(t);
    const analyst = await server.as('analyst');
    const assets = await fill(analyst);
    await filterTests(t, analyst, assets);
    await orderTests(t, analyst);
    await pageTests(t, analyst);
});

test('search', async (t) => {
    const server = await startServer(t);
    const analyst = await server.as('analyst');
    const titles = [
        'Élan vital: fuite de données',
        'Straße gesperrt',
        'Use of "AND" operators, NEAR(this)',
        '100% loss_of data',
        '100 percent lossXof data',
        'ＦＵＬＬＷＩＤＴＨ text',
        'title: col* -minus ^caret',
        "O'Brien; DROP TABLE risk; --",
        'back\\slash',
        'El Niño',
    ];
    const risks = new Map();
    for (const title of titles) {
        risks.set(title, await makeRisk(analyst, { title, external_id: `CVE-2025-${risks.size}` }));
    }
    const described = await makeRisk(analyst, { title: 'Plain', description: 'Die Überwachung\nfällt aus' });
    const found = async (q) => (await analyst.expect(200, 'GET', `/risks?${encode({ q })}`)).json;
    const titlesOf = async (q) => (await found(q)).items.map((risk) => risk.title).sort();

    await t.test('case and accents do not matter, in the question and in the risk', async () => {
        const plus = (await analyst.expect(200, 'GET', '/risks?q=fuite+de+donn%C3%A9es')).json;
        assert.strictEqual(plus.total, 1, 'a plus is a space');
        for (const q of ['élan', 'ELAN', 'vital', 'donnees', 'DONNÉES', 'fuite de', 'e\u0301lan']) {
            assert.deepStrictEqual(await titlesOf(q), [titles[0]], q);
        }
        assert.deepStrictEqual(await titlesOf('fullwidth'), [titles[5]]);
        assert.deepStrictEqual(await titlesOf('STRASSE'), [titles[1]]);
        assert.deepStrictEqual(await titlesOf('uberwachung fallt'), ['Plain']);
    });

    await t.test('title, description, external id and ref are looked in, also inside words', async () => {
        assert.deepStrictEqual(await titlesOf('wachung'), ['Plain']);
        assert.deepStrictEqual(await titlesOf('cve-2025-3'), [titles[3]]);
        assert.deepStrictEqual(await titlesOf('2025-3'), [titles[3]]);
        const { ref } = risks.get(titles[1]);
        assert.ok((await titlesOf(`R-${ref}`)).includes(titles[1]));
        assert.ok((await titlesOf(`r-${described.ref}`)).includes('Plain'));
    });

    await t.test('all words must be there, in any order', async () => {
        assert.deepStrictEqual(await titlesOf('données vital'), [titles[0]]);
        assert.deepStrictEqual(await titlesOf('vital strasse'), []);
        const many = 'élan vital fuite de données élan vital fuite de données gesperrt';
        assert.deepStrictEqual(await titlesOf(many), [], 'the last of eleven words counts, too');
    });

    await t.test('many words are a search like any other, too many are refused', async () => {
        const whole = 'vital elan e l a n v i t a l f u d de do don donn donne donnee donnees fuite :';
        assert.deepStrictEqual(await titlesOf(whole), [titles[0]]);
        assert.deepStrictEqual(await titlesOf(`${whole} gesperrt`), []);
        for (const q of ['vital '.repeat(50), `vital${' x'.repeat(140)}`, 'ab '.repeat(99)]) {
            assertProblem(await analyst.get(`/risks?${encode({ q })}`), 400, 'q');
        }
    });

    await t.test('one or two characters match the beginnings of titles', async () => {
        assert.deepStrictEqual(await titlesOf('el'), [titles[9], titles[0]]);
        assert.deepStrictEqual(await titlesOf('É'), [titles[9], titles[0]]);
        assert.deepStrictEqual(await titlesOf('10'), [titles[4], titles[3]]);
        assert.deepStrictEqual(await titlesOf('p'), ['Plain']);
        assert.deepStrictEqual(await titlesOf('zz'), []);
        assert.deepStrictEqual(await titlesOf('%'), []);
        assert.deepStrictEqual(await titlesOf('_'), []);
    });

    await t.test('quotes and operators are plain text', async () => {
        assert.deepStrictEqual(await titlesOf('"and"'), [titles[2]]);
        assert.deepStrictEqual(await titlesOf('near(this)'), [titles[2]]);
        assert.deepStrictEqual(await titlesOf('vital OR plain'), []);
        assert.deepStrictEqual(await titlesOf('col*'), [titles[6]]);
        assert.deepStrictEqual(await titlesOf('-minus ^c'), [titles[6]]);
        assert.deepStrictEqual(await titlesOf('title:'), [titles[6]]);
        assert.deepStrictEqual(await titlesOf("o'brien; drop"), [titles[7]]);
        assert.deepStrictEqual(await titlesOf('k\\s'), [titles[8]]);
        for (const q of ['"', '""', '"""', "'", '*', '***', '(', 'NOT', 'AND AND', 'a"b', '{x}', '"unclosed', '\\', '\u0000x'.slice(1)]) {
            await found(q);
        }
    });

    await t.test('% and _ stand for themselves', async () => {
        assert.deepStrictEqual(await titlesOf('100%'), [titles[3]]);
        assert.deepStrictEqual(await titlesOf('loss_of'), [titles[3]]);
        assert.deepStrictEqual(await titlesOf('%%%'), []);
        assert.deepStrictEqual(await titlesOf('___'), []);
    });

    await t.test('an edit is found by its new words and no more by the old ones', async () => {
        const risk = await makeRisk(analyst, { title: 'Xylophone' });
        await analyst.expect(200, 'PATCH', `/risks/${risk.id}`, { title: 'Quixotic', description: 'zeppelin' });
        assert.deepStrictEqual(await titlesOf('xylophone'), []);
        assert.deepStrictEqual(await titlesOf('quixotic'), ['Quixotic']);
        assert.deepStrictEqual(await titlesOf('zeppelin'), ['Quixotic']);
        assert.deepStrictEqual(await titlesOf('xy'), []);
    });

    await t.test('a search that is too long or no text is 400, not a failure', async () => {
        await analyst.expect(200, 'GET', `/risks?${encode({ q: 'é'.repeat(100) })}`);
        assertProblem(await analyst.get(`/risks?${encode({ q: 'x'.repeat(3000) })}`), 400, 'q');
        assertProblem(await analyst.get('/risks?q=%ff%fe'), 400);
        assertProblem(await analyst.get('/risks?q=a%00b'), 400);
    });
});
