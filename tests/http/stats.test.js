/** The figures: after random edits every one of them is what the risks themselves add up to. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { startServer } = require('./lib');
const { assertProblem, day, levelOf, makeAsset, makeMitigation, makeRisk, randomOf } = require('./register');

const LEVELS = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'];
const STATUSES = ['DRAFT', 'ACTIVE', 'MITIGATED', 'ACCEPTED', 'CLOSED'];

const countIf = (list, condition) => list.filter(condition).length;
const countsBy = (list, member, values) =>
    Object.fromEntries(values.map((value) => [value, countIf(list, (one) => one[member] === value)]));
const hundredths = (score) => Math.round(score * 100);

/** global = max(0, 100 − trunc(4 × mean score)), 100 if there are none; in whole hundredths. */
function globalScore(scored) {
    if (scored.length === 0) {
        return 100;
    }
    const sum = scored.reduce((total, risk) => total + hundredths(risk.score), 0);
    return Math.max(0, 100 - Math.floor((4 * sum) / (100 * scored.length)));
}

/** All figures, reckoned from the risks. */
function figuresOf(risks) {
    const scored = risks.filter((risk) => risk.status !== 'CLOSED');
    const mitigations = risks.flatMap((risk) => risk.mitigations);
    const matrix = new Map();
    for (const { impact, probability } of scored) {
        const cell = `${impact} ${probability}`;
        matrix.set(cell, (matrix.get(cell) || 0) + 1);
    }
    return {
        stats: {
            total_risks: risks.length,
            global_risk_score: globalScore(scored),
            high_risks: countIf(scored, (risk) => risk.score >= 15),
            mitigated_risks: countIf(risks, (risk) => risk.status === 'MITIGATED'),
            risks_by_severity: countsBy(scored, 'level', LEVELS),
            overdue_mitigations: countIf(mitigations, (one) => one.due_date && one.due_date < day() && one.status !== 'DONE'),
        },
        matrix: [...matrix].map(([cell, count]) => `${cell}: ${count}`).sort(),
        today: {
            date: day(),
            score: globalScore(scored),
            total: scored.length,
            ...Object.fromEntries(LEVELS.map((level) => [level.toLowerCase(), countIf(scored, (risk) => risk.level === level)])),
        },
        distribution: {
            total: scored.length,
            by_level: countsBy(scored, 'level', LEVELS),
            by_status: countsBy(scored, 'status', STATUSES.slice(0, -1)),
            by_impact: countsBy(scored, 'impact', [1, 2, 3, 4, 5]),
            by_probability: countsBy(scored, 'probability', [1, 2, 3, 4, 5]),
        },
        treatment: treatmentOf(mitigations),
        scored,
    };
}

/** How treatment goes; shares in percent, cut after two decimals. */
function treatmentOf(mitigations) {
    const all = mitigations.length;
    const done = countIf(mitigations, (one) => one.status === 'DONE');
    const share = (part) => (all ? Math.floor((100 * part) / all) / 100 : 0);
    return {
        total: all,
        planned: countIf(mitigations, (one) => one.status === 'PLANNED'),
        in_progress: countIf(mitigations, (one) => one.status === 'IN_PROGRESS'),
        done,
        overdue: countIf(mitigations, (one) => one.due_date && one.due_date < day() && one.status !== 'DONE'),
        average_progress: share(mitigations.reduce((sum, one) => sum + one.progress, 0)),
        completion_rate: share(100 * done),
        total_cost: mitigations.reduce((sum, one) => sum + one.cost, 0),
    };
}

/** Whole risks with their mitigations, from their own pages. */
async function readRisks(client) {
    const risks = [];
    for (const { id } of await client.all('/risks')) {
        risks.push((await client.expect(200, 'GET', `/risks/${id}`)).json);
    }
    return risks;
}

async function assertFigures(client, edits) {
    const risks = await readRisks(client);
    const wanted = figuresOf(risks);
    const get = async (route) => (await client.expect(200, 'GET', route)).json;
    const what = `after ${edits} edits`;
    assert.deepStrictEqual(await get('/stats'), wanted.stats, what);
    const matrix = await get('/stats/risk-matrix');
    assert.deepStrictEqual(matrix.map((cell) => `${cell.impact} ${cell.probability}: ${cell.count}`).sort(), wanted.matrix, what);
    assert.deepStrictEqual(await get('/stats/risk-distribution'), wanted.distribution, what);
    assert.deepStrictEqual(await get('/stats/mitigation-metrics'), wanted.treatment, what);
    const trends = await get('/stats/trends?days=3');
    assert.strictEqual(trends.length, 3, what);
    assert.deepStrictEqual(trends[2], wanted.today, what);
    assert.deepStrictEqual(trends.map((row) => row.date), [day(-2), day(-1), day(0)], what);
    for (const risk of risks) {
        assert.strictEqual(risk.level, levelOf(risk.score));
    }
    const top = await get('/stats/top-risks?limit=7');
    const best = [...wanted.scored].sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1)).slice(0, 7);
    assert.deepStrictEqual(top.map((risk) => [risk.id, risk.score]), best.map((risk) => [risk.id, risk.score]), what);
}

const randomBody = (random, assets) => ({
    impact: 1 + random.below(5),
    probability: 1 + random.below(5),
    status: random.of(STATUSES),
    category: random.of([null, 'Cloud', 'People']),
    asset_ids: assets.filter(() => random.below(5) === 0),
});

/** One random edit of each kind that moves figures. */
function editsOf(client, random, assets) {
    const live = async () => random.of(await client.all('/risks'));
    const deleted = [];
    return [
        async () => makeRisk(client, randomBody(random, assets)),
        async () => client.expect(200, 'PATCH', `/risks/${(await live()).id}`, randomBody(random, assets)),
        async () => client.expect(200, 'PATCH', `/risks/${(await live()).id}`, { status: random.of(STATUSES) }),
        async () => {
            const { id } = await live();
            deleted.push(id);
            await client.expect(204, 'DELETE', `/risks/${id}`);
        },
        async () => deleted.length && client.expect(200, 'POST', `/risks/${deleted.pop()}/restore`),
        async () =>
            client.expect(200, 'PATCH', `/assets/${random.of(assets)}`, {
                criticality: random.of(['LOW', 'MEDIUM', 'HIGH', 'CRITICAL']),
            }),
        async () =>
            makeMitigation(client, (await live()).id, {
                status: random.of(['PLANNED', 'IN_PROGRESS', 'DONE']),
                due_date: random.of([null, day(-3), day(0), day(3)]),
                cost: random.below(1000),
                progress: random.below(101),
            }),
        async () => {
            const { items } = (await client.get('/mitigations?limit=200')).json;
            if (items.length) {
                const body = { status: random.of(['PLANNED', 'DONE']), due_date: random.of([null, day(-3), day(3)]) };
                await client.expect(200, 'PATCH', `/mitigations/${random.of(items).id}`, body);
            }
        },
        async () => {
            const { items } = (await client.get('/mitigations?limit=200')).json;
            if (items.length) {
                await client.expect(204, 'DELETE', `/mitigations/${random.of(items).id}`);
            }
        },
        async () => {
            const ids = [...new Set([(await live()).id, (await live()).id])];
            await client.expect(200, 'POST', '/risks/bulk', { ids, set: { status: random.of(STATUSES) } });
        },
    ];
}

test('figures', async (t) => {
    const server = await startServer(t);
    const admin = await server.signIn();

    await t.test('an empty register has a perfect score and no cells', async () => {
        const { json } = await admin.expect(200, 'GET', '/stats');
        assert.deepStrictEqual(json, figuresOf([]).stats);
        assert.strictEqual(json.global_risk_score, 100);
        assert.deepStrictEqual((await admin.get('/stats/risk-matrix')).json, []);
        assert.deepStrictEqual((await admin.get('/stats/top-risks')).json, []);
        const trends = (await admin.get('/stats/trends')).json;
        assert.strictEqual(trends.length, 30);
        for (const row of trends) {
            assert.deepStrictEqual({ ...row, date: '' }, { date: '', score: 100, total: 0, critical: 0, high: 0, medium: 0, low: 0 });
        }
    });

    await t.test('the global score follows its formula, down to 0', async () => {
        const risk = await makeRisk(admin, { impact: 5, probability: 5 });
        const score = async () => (await admin.get('/stats')).json.global_risk_score;
        assert.strictEqual(await score(), 0);
        await admin.expect(200, 'PATCH', `/risks/${risk.id}`, { impact: 1, probability: 1 });
        assert.strictEqual(await score(), 96);
        const second = await makeRisk(admin, { impact: 1, probability: 2 });
        assert.strictEqual(await score(), 94);
        const third = await makeRisk(admin, { impact: 1, probability: 1 });
        assert.strictEqual(await score(), 95); // 100 − trunc(4 × 4/3) = 100 − 5
        for (const { id } of [risk, second, third]) {
            await admin.expect(204, 'DELETE', `/risks/${id}`);
        }
        assert.strictEqual(await score(), 100);
    });

    await t.test('after random edits of every kind all figures are what the risks add up to', async () => {
        const random = randomOf(42);
        const assets = [];
        for (let i = 0; i < 6; i++) {
            assets.push((await makeAsset(admin, { name: `Asset ${i}` })).id);
        }
        for (let i = 0; i < 60; i++) {
            await makeRisk(admin, randomBody(random, assets));
        }
        await assertFigures(admin, 0);
        const edits = editsOf(admin, random, assets);
        for (let i = 1; i <= 120; i++) {
            await random.of(edits)();
            if (i % 30 === 0) {
                await assertFigures(admin, i);
            }
        }
        const { code, stdout, stderr } = await server.cli(['check']);
        assert.strictEqual(code, 0, stdout + stderr);
    });

    await t.test('after edits by eight people at the same time, too', async () => {
        const expect = admin.expect;
        // Two may delete or restore the same thing; whatever is answered, the figures must agree.
        admin.expect = async (status, ...request) => {
            const reply = await admin.request(...request);
            assert.ok([status, 404, 409, 422].includes(reply.status), `${request}: ${reply.status} ${reply.body}`);
            return reply;
        };
        const assets = (await admin.get('/assets')).json.items.map((asset) => asset.id);
        await Promise.all(
            Array.from({ length: 8 }, async (_, person) => {
                const random = randomOf(person);
                const edits = editsOf(admin, random, assets);
                for (let i = 0; i < 15; i++) {
                    await random.of(edits)();
                }
            }),
        );
        admin.expect = expect;
        await assertFigures(admin, 'concurrent');
        const { code, stdout } = await server.cli(['check']);
        assert.strictEqual(code, 0, stdout);
    });

    await t.test('days and limit are checked and named', async () => {
        for (const days of ['0', '-1', 'x', '100000', '']) {
            assertProblem(await admin.get(`/stats/trends?days=${days}`), 400, 'days');
        }
        assertProblem(await admin.get('/stats/trends?days=1&days=2'), 400, 'days');
        assertProblem(await admin.get('/stats/top-risks?limit=0'), 400, 'limit');
        assertProblem(await admin.get('/stats/risk-matrix?x=1'), 400, 'x');
        assert.strictEqual((await admin.expect(200, 'GET', '/stats/trends?days=1')).json.length, 1);
        assert.strictEqual((await admin.expect(200, 'GET', '/stats/trends?days=366')).json.length, 366);
    });
});
