/**
 * Writes and what they make outdated: whoever reads after a write was acknowledged sees it, in every
 * answer; and what a write did not touch stays. Whether an answer is right is reckoned here from the
 * list of all risks, by the rules of register.js.
 */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { startServer } = require('./lib');
const { day, levelOf, makeAsset, makeMitigation, makeRisk, scoreHundredths } = require('./register');
const { CACHED, HIT, STORED, assertWay, fillRegister, statisticsOf } = require('./cached');

const LONG_TTL = { CACHE_TTL_RISKS: '1h', CACHE_TTL_STATS: '1h', CACHE_TTL_MATRIX: '1h', CACHE_TTL_TRENDS: '1h' };
const ALL = '/risks?limit=200';

function importJson(client, risks, { status = 200, query = '' } = {}) {
    return client.expect(status, 'POST', `/import/risks?format=json${query}`, { risks });
}

const byCell = (cells) => [...cells].sort((a, b) => 10 * (a.impact - b.impact) + a.probability - b.probability);

/** The figures by their definition, from all risks that are not deleted. */
function figuresOf(risks) {
    const scored = risks.filter((risk) => risk.status !== 'CLOSED');
    const levels = { CRITICAL: 0, HIGH: 0, MEDIUM: 0, LOW: 0 };
    const cells = new Map();
    let sum = 0;
    for (const { score, impact, probability } of scored) {
        levels[levelOf(score)]++;
        cells.set(10 * impact + probability, (cells.get(10 * impact + probability) || 0) + 1);
        sum += Math.round(100 * score);
    }
    const global = scored.length === 0 ? 100 : Math.max(0, 100 - Math.trunc((4 * sum) / (100 * scored.length)));
    const isOverdue = (one) => one.due_date !== null && one.due_date < day(0) && one.status !== 'DONE';
    return {
        stats: {
            total_risks: risks.length,
            global_risk_score: global,
            high_risks: levels.CRITICAL + levels.HIGH,
            mitigated_risks: risks.filter((risk) => risk.status === 'MITIGATED').length,
            risks_by_severity: levels,
            overdue_mitigations: risks.flatMap((risk) => risk.mitigations).filter(isOverdue).length,
        },
        matrix: byCell([...cells].map(([cell, count]) => ({ impact: Math.trunc(cell / 10), probability: cell % 10, count }))),
        today: {
            date: day(0),
            score: global,
            total: scored.length,
            ...Object.fromEntries(Object.entries(levels).map(([level, count]) => [level.toLowerCase(), count])),
        },
    };
}

/** What a user looks at, each answer in the way that is expected; they must agree with each other. */
async function view(reader, risk, ways) {
    const read = async (path, status = 200) => {
        const reply = await reader.expect(status, 'GET', path);
        assertWay(reply, path === '/stats' || path.startsWith('/stats/') ? ways.figures : ways.risks, path);
        return reply.json;
    };
    const stats = await read('/stats');
    const matrix = await read('/stats/risk-matrix');
    const trends = await read('/stats/trends');
    const { items } = await read(ALL);
    const listed = items.find((one) => one.id === risk.id);
    const item = await read(`/risks/${risk.id}`, listed ? 200 : 404);
    const wanted = figuresOf(items);
    assert.deepStrictEqual(stats, wanted.stats);
    assert.deepStrictEqual(byCell(matrix), wanted.matrix);
    assert.deepStrictEqual(trends[trends.length - 1], wanted.today);
    if (listed) {
        assert.deepStrictEqual(item, listed);
        const criticalities = item.assets.map((one) => one.criticality);
        assert.strictEqual(Math.round(100 * item.score), scoreHundredths(item.impact, item.probability, criticalities));
    }
    return { items, item: listed };
}

const planned = ({ item }, { mitigation }) => item.mitigations.find((one) => one.id === mitigation.id);
const patchRisk = (admin, { risk }, body) => admin.expect(200, 'PATCH', `/risks/${risk.id}`, body);
const patchAsset = (admin, { asset }, body) => admin.expect(200, 'PATCH', `/assets/${asset.id}`, body);
const stepsOf = ({ mitigation }) => `/mitigations/${mitigation.id}/subactions`;

/**
 * The writes, in an order in which each can be done: what it is, how it is done, and what must be seen
 * then. `made` is what there is, and writes add to it what they make.
 */
const WRITES = [
    ['PATCH of a risk', (admin, made) => patchRisk(admin, made, { impact: 5, title: 'Changed' }), ({ item }) => {
        assert.deepStrictEqual([item.impact, item.title], [5, 'Changed']);
    }],
    ['a new risk', async (admin, made) => {
        made.other = await makeRisk(admin, { title: 'New', impact: 4, probability: 5 });
    }, ({ items }, { other }) => {
        assert.ok(items.some((risk) => risk.id === other.id));
    }],
    ['a new mitigation', async (admin, made) => {
        made.mitigation = await makeMitigation(admin, made.risk.id, { title: 'Late', due_date: day(-1) });
    }, (seen, made) => {
        assert.strictEqual(planned(seen, made).title, 'Late');
    }],
    ['a new sub-action', async (admin, made) => {
        made.step = (await admin.expect(201, 'POST', stepsOf(made), { title: 'Step' })).json;
    }, (seen, made) => {
        assert.strictEqual(planned(seen, made).sub_actions.length, 1);
    }],
    ['a sub-action that is done', (admin, made) => {
        return admin.expect(200, 'PATCH', `${stepsOf(made)}/${made.step.id}`, { completed: true });
    }, (seen, made) => {
        assert.strictEqual(planned(seen, made).progress, 100);
    }],
    ['a sub-action that goes', (admin, made) => admin.expect(204, 'DELETE', `${stepsOf(made)}/${made.step.id}`), (seen, made) => {
        assert.deepStrictEqual(planned(seen, made).sub_actions, []);
    }],
    ['PATCH of a mitigation', (admin, { mitigation }) => {
        return admin.expect(200, 'PATCH', `/mitigations/${mitigation.id}`, { status: 'DONE' });
    }, (seen, made) => {
        assert.strictEqual(planned(seen, made).status, 'DONE');
    }],
    ['a mitigation that goes', (admin, { mitigation }) => admin.expect(204, 'DELETE', `/mitigations/${mitigation.id}`), (seen, made) => {
        assert.strictEqual(planned(seen, made), undefined);
    }],
    ['another criticality of an asset', (admin, made) => patchAsset(admin, made, { criticality: 'CRITICAL' }), ({ item }) => {
        assert.strictEqual(item.assets[0].criticality, 'CRITICAL');
    }],
    ['another name of an asset', (admin, made) => patchAsset(admin, made, { name: 'Renamed' }), ({ item }) => {
        assert.strictEqual(item.assets[0].name, 'Renamed');
    }],
    ['a link to an asset', (admin, made) => patchRisk(admin, made, { asset_ids: [made.asset.id, made.second.id] }), ({ item }) => {
        assert.strictEqual(item.assets.length, 2);
    }],
    ['an asset that goes', (admin, { second }) => admin.expect(204, 'DELETE', `/assets/${second.id}`), ({ item }) => {
        assert.strictEqual(item.assets.length, 1);
    }],
    ['a link that is undone', (admin, made) => patchRisk(admin, made, { asset_ids: [] }), ({ item }) => {
        assert.deepStrictEqual(item.assets, []);
    }],
    ['a change in bulk', (admin, { risk, other }) => {
        return admin.expect(200, 'POST', '/risks/bulk', { ids: [risk.id, other.id], set: { status: 'MITIGATED' } });
    }, ({ items }) => {
        assert.strictEqual(items.filter((risk) => risk.status === 'MITIGATED').length, 2);
    }],
    ['a closed risk', (admin, made) => patchRisk(admin, made, { status: 'CLOSED' }), ({ item }) => {
        assert.strictEqual(item.status, 'CLOSED');
    }],
    ['a deletion in bulk', (admin, { other }) => {
        return admin.expect(200, 'POST', '/risks/bulk', { ids: [other.id], delete: true });
    }, ({ items }, { other }) => {
        assert.ok(!items.some((risk) => risk.id === other.id));
    }],
    ['a restoring in bulk', (admin, { other }) => {
        return admin.expect(200, 'POST', '/risks/bulk', { ids: [other.id], restore: true });
    }, ({ items }, { other }) => {
        assert.ok(items.some((risk) => risk.id === other.id));
    }],
    ['changes in bulk', (admin, { other }) => {
        return admin.expect(200, 'POST', '/risks/bulk', { changes: [{ id: other.id, set: { owner: 'Bulk' } }] });
    }, ({ items }, { other }) => {
        assert.strictEqual(items.find((risk) => risk.id === other.id).owner, 'Bulk');
    }],
    ['a deletion', (admin, { risk }) => admin.expect(204, 'DELETE', `/risks/${risk.id}`), ({ item }) => {
        assert.strictEqual(item, undefined);
    }],
    ['a restored risk', (admin, { risk }) => admin.expect(200, 'POST', `/risks/${risk.id}/restore`), ({ item }) => {
        assert.ok(item);
    }],
    ['an import', (admin) => importJson(admin, [{ title: 'Imported', impact: 5, probability: 5 }]), ({ items }) => {
        assert.ok(items.some((risk) => risk.title === 'Imported'));
    }],
];

test('after each write the very next reading shows it, in every answer', async (t) => {
    const server = await startServer(t, { env: LONG_TTL });
    const admin = await server.signIn();
    const reader = await server.as('viewer'); // On a connection of its own.
    const made = await fillRegister(admin);
    made.second = await makeAsset(admin, { name: 'Second', criticality: 'LOW' });
    await makeRisk(admin, { title: 'Untouched', impact: 3, probability: 3 });
    let known = await view(reader, made.risk, { risks: STORED, figures: STORED });
    for (const [what, write, check] of WRITES) {
        await t.test(what, async () => {
            const again = await view(reader, made.risk, { risks: HIT, figures: HIT });
            assert.deepStrictEqual(again, known);
            await write(admin, made);
            known = await view(reader, made.risk, { risks: STORED, figures: STORED });
            check(known, made);
        });
    }
});

/** Read each cached route: the names of those that come from the cache. */
async function hitsOf(reader, pathOf) {
    const hits = [];
    for (const route of Object.keys(CACHED)) {
        const reply = await reader.expect(200, 'GET', pathOf(route));
        if (reply.headers['cache-status'] === HIT) {
            hits.push(route);
        } else {
            assertWay(reply, STORED, route);
        }
    }
    return hits;
}

const withoutScope = (scope) => Object.keys(CACHED).filter((route) => !CACHED[route].includes(scope));

test('a write makes outdated what depends on it, and leaves the rest', async (t) => {
    const server = await startServer(t, { env: { ...LONG_TTL, LOGIN_BURST: '1000' } });
    const admin = await server.signIn();
    const reader = await server.as('viewer');
    const { risk, asset, pathOf } = await fillRegister(admin);
    const other = await makeRisk(admin, { title: 'Without assets' });
    const hitsAfter = async (write) => {
        await hitsOf(reader, pathOf);
        assert.deepStrictEqual(await hitsOf(reader, pathOf), Object.keys(CACHED));
        await write();
        return hitsOf(reader, pathOf);
    };

    await t.test('a new asset: the lists of assets and of risks, but no figures', async () => {
        assert.deepStrictEqual(await hitsAfter(() => makeAsset(admin, { name: 'Only an asset' })), withoutScope('assets'));
    });

    await t.test('a risk without assets: all but the list of assets', async () => {
        const write = () => admin.expect(200, 'PATCH', `/risks/${other.id}`, { owner: 'somebody' });
        assert.deepStrictEqual(await hitsAfter(write), withoutScope('risks'));
    });

    await t.test('a risk that threatens an asset from now on: the counts in the list of assets, too', async () => {
        const countOf = async () => (await reader.get('/assets')).json.items.find((one) => one.id === asset.id).risk_count;
        assert.strictEqual(await countOf(), 1);
        assert.deepStrictEqual(await hitsAfter(() => admin.expect(200, 'PATCH', `/risks/${other.id}`, { asset_ids: [asset.id] })), []);
        assert.strictEqual(await countOf(), 2);
        await hitsAfter(() => admin.expect(204, 'DELETE', `/risks/${other.id}`));
        assert.strictEqual(await countOf(), 1);
    });

    await t.test('signing in and out, users, tokens and passwords: nothing', async () => {
        const password = 'long enough for a test';
        const { json: user } = await admin.expect(201, 'POST', '/users', { email: 'x@example.org', password });
        const writes = {
            'sign-in': () => server.signIn(),
            'sign-out': async () => (await server.signIn()).expect(204, 'POST', '/auth/logout'),
            'failed sign-in': () => server.client().post('/auth/login', { email: user.email, password: 'wrong' }),
            'first use of a token': async () => {
                const { token } = (await admin.expect(201, 'POST', '/tokens', { name: 'x' })).json;
                await server.client(token).expect(200, 'GET', '/users/me');
            },
            'a new user': () => admin.expect(201, 'POST', '/users', { email: 'y@example.org', password }),
            'another role': () => admin.expect(200, 'PATCH', `/users/${user.id}`, { role: 'analyst' }),
            'a user who goes': () => admin.expect(204, 'DELETE', `/users/${user.id}`),
            'DELETE /cache?scope=accounts': () => admin.expect(200, 'DELETE', '/cache?scope=accounts'),
        };
        for (const [what, write] of Object.entries(writes)) {
            assert.deepStrictEqual(await hitsAfter(write), Object.keys(CACHED), what);
        }
    });

    await t.test('what is refused, or changes nothing: nothing', async () => {
        const writes = {
            'a bad body': () => admin.expect(422, 'PATCH', `/risks/${risk.id}`, { impact: 9 }),
            'no permission': () => reader.expect(403, 'PATCH', `/risks/${risk.id}`, { impact: 1 }),
            'an old version': () => admin.expect(412, 'PATCH', `/risks/${risk.id}`, { impact: 1 }, { 'If-Match': '"99.0"' }),
            'what is so already': () => admin.expect(200, 'PATCH', `/risks/${risk.id}`, { title: risk.title }),
            'a dry run': () => importJson(admin, [{ title: 'Dry', impact: 1, probability: 1 }], { query: '&dry_run=1' }),
            'a refused import': () => importJson(admin, [{ title: 'Bad', impact: 9, probability: 1 }], { status: 422 }),
            'an import of nothing': () => importJson(admin, []),
            'a risk that is not there': () => admin.expect(404, 'DELETE', '/risks/R-999'),
        };
        for (const [what, write] of Object.entries(writes)) {
            assert.deepStrictEqual(await hitsAfter(write), Object.keys(CACHED), what);
        }
    });
});

test('what another process writes is seen within a second', async (t) => {
    const server = await startServer(t, { env: LONG_TTL });
    const admin = await server.signIn();
    const took = [];
    for (let i = 1; i <= 5; i++) {
        const { generations } = await statisticsOf(admin);
        for (const path of ['/stats', ALL]) {
            await admin.expect(200, 'GET', path);
            assertWay(await admin.expect(200, 'GET', path), HIT, path);
        }
        const input = JSON.stringify({ risks: [{ title: `Import ${i}`, impact: 1, probability: 1 }] });
        const { code, stderr } = await server.cli(['import', '-', '--format', 'json'], { input, sees: false });
        const ended = performance.now();
        assert.strictEqual(code, 0, stderr);
        for (let seen = false; !seen; ) {
            const sent = performance.now() - ended;
            const stats = await admin.expect(200, 'GET', '/stats');
            seen = stats.json.total_risks === i;
            assert.ok(seen || sent <= 1000, `not seen by a request ${sent} ms after the command's end`);
            took.push(...(seen ? [performance.now() - ended] : []));
        }
        // What was seen once does not go away again, whatever answer it is in.
        assert.strictEqual((await admin.expect(200, 'GET', ALL)).json.total, i);
        assert.ok((await statisticsOf(admin)).generations.risks > generations.risks);
    }
    t.diagnostic(`figure: an import beside the server is seen ${took.map((ms) => ms.toFixed(0)).join(', ')} ms after its end`);
});
