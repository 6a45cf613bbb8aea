/**
 * The dashboards tell what is so: a real Prometheus, with the rules that are shipped, scrapes a real OpenRisk with PostgreSQL and
 * Redis under load, and every query of every panel, taken from the JSON, must give data. Then Redis and the database go away,
 * and the panels must show it. There is no Grafana here: what the panels look like has not been looked at by a test.
 */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');

const { ROOT, startServer } = require('../http/lib');
const { startPostgres } = require('../tools/postgres');
const { startPrometheus, waitUntil } = require('../tools/prometheus');
const { startRedis } = require('../tools/redis');
const { parseYaml } = require('../tools/yaml');
const { boards, metricsIn, panelsOf, queriesOf, substituted, variablesIn } = require('./boards');
const { startLoad } = require('./load');

const PAGE = fs.readFileSync(path.join(ROOT, 'docs/monitoring.md'), 'utf8');
const QUICK = fs.readFileSync(path.join(ROOT, 'docs/quick-reference.md'), 'utf8');
/** $__rate_interval is at least four times the interval of scrapes; here that is a second. */
const GRAFANAS_OWN = { __rate_interval: '5s' };
const ALL = '.*';
/** What looks like a metric on the pages, and is a file. */
const NO_METRICS = ['openrisk_ops_token'];

function assertNone(faults) {
    assert.deepStrictEqual(faults, [], `\n${faults.join('\n')}\n`);
}

const queries = boards.flatMap(({ board }) => queriesOf(board));

/** The values of a board's variables, when nothing is chosen. */
function everything(expr) {
    return substituted(expr, { ...GRAFANAS_OWN, ...Object.fromEntries(variablesIn(expr).filter((name) => !(name in GRAFANAS_OWN)).map((name) => [name, ALL])) });
}

/** What a panel's query gives. */
function exprOf(title, refId = 'A') {
    const found = queries.find(({ where }) => where.endsWith(` / ${title} / ${refId}`));
    assert.ok(found, `no panel is called ${title}`);
    return everything(found.expr);
}

test('the dashboards are formatted so that changes of them can be read', () => {
    assert.deepStrictEqual(boards.map(({ file }) => file), ['cache-pool-redis.json', 'service.json']);
    for (const { file, text, board } of boards) {
        assert.strictEqual(text, `${JSON.stringify(board, null, 2)}\n`, file);
    }
});

test('each dashboard has what Grafana needs to show it', () => {
    const uids = new Set(boards.map(({ board }) => board.uid));
    assert.strictEqual(uids.size, boards.length);
    for (const { board } of boards) {
        assert.match(board.uid, /^[a-z-]{1,40}$/);
        assert.ok(board.schemaVersion >= 36 && board.title && board.tags.includes('openrisk') && board.id === null, board.uid);
        const names = board.templating.list.map(({ name }) => name);
        assert.deepStrictEqual(names.slice(0, 2), ['datasource', 'instance']);
        const used = new Set(queriesOf(board).flatMap(({ expr }) => variablesIn(expr)).filter((name) => !(name in GRAFANAS_OWN)));
        assert.deepStrictEqual([...used].filter((name) => !names.includes(name)), []);
        assert.deepStrictEqual(names.filter((name) => name !== 'datasource' && !used.has(name)), []);
        for (const { url } of board.links) {
            assert.ok(uids.has(url.replace('/d/', '')), `${board.uid} links to ${url}`);
        }
    }
});

test('each panel says what it shows and what is normal, with a unit, a legend and thresholds', () => {
    assertNone(boards.flatMap(({ board }) => panelsOf(board).flatMap((panel) => {
        const { unit, thresholds } = panel.fieldConfig.defaults;
        return [
            [/^[A-Z].*\. .*Normal: /.test(panel.description), 'says not what it shows and what is normal'],
            [unit, 'has no unit'],
            [thresholds && thresholds.steps.length > 0 && thresholds.steps[0].value === null, 'has no thresholds'],
            [panel.type !== 'timeseries' || panel.options.legend.showLegend, 'has no legend'],
            [panel.targets.length > 0, 'asks nothing'],
            [panel.targets.every(({ legendFormat }) => legendFormat), 'has a line without a name'],
            [[panel, ...panel.targets].every(({ datasource }) => datasource.uid === '${datasource}'), 'asks a fixed datasource'],
            [new Set(panel.targets.map(({ refId }) => refId)).size === panel.targets.length, 'has two queries of one name'],
            [panel.targets.every(({ expr }) => /^job:/.test(expr) || /instance=~"\$instance"/.test(expr)), 'does not ask for the chosen nodes'],
        ].filter(([isSo]) => !isSo).map(([, fault]) => `${board.title} / ${panel.title}: ${fault}`);
    })));
});

test('panels have a number, a title and a place of their own', () => {
    for (const { board } of boards) {
        const panels = board.panels;
        assert.strictEqual(new Set(panels.map(({ id }) => id)).size, panels.length);
        assert.strictEqual(new Set(panels.map(({ title }) => title)).size, panels.length);
        const taken = new Map();
        for (const { title, gridPos: { x, y, w, h } } of panels) {
            assert.ok(x >= 0 && x + w <= 24, `${title} is wider than the page`);
            for (let cell = 0; cell < w * h; cell++) {
                const place = `${x + (cell % w)},${y + Math.floor(cell / w)}`;
                assert.ok(!taken.has(place), `${title} lies on ${taken.get(place)}`);
                taken.set(place, title);
            }
        }
    }
});

test('docs/monitoring.md has a row for each panel, and no other', () => {
    for (const { board } of boards) {
        const [, section] = new RegExp(`^## ${board.title}\\n([^]*?)(?=^## )`, 'm').exec(PAGE) || assert.fail(`the page has no heading "${board.title}"`);
        const told = [...section.matchAll(/^\| \*\*(.+?)\*\* \|/gm)].map(([, title]) => title);
        assert.deepStrictEqual(told, panelsOf(board).map(({ title }) => title));
    }
});

test('the quick reference has ten metrics to watch, and each alert with its severities', () => {
    const rowsOf = (heading) => [...new RegExp(`^## ${heading}\n([^]*?)(?=^## )`, 'm').exec(QUICK)[1].matchAll(/^\| `(.*?)`.*$/gm)];
    assert.strictEqual(rowsOf('Ten metrics to watch').length, 10);
    const told = rowsOf('Alerts').map(([row, name]) => [name, [...row.matchAll(/critical|warning/g)].map(([word]) => word).sort()]);
    const groups = parseYaml(fs.readFileSync(path.join(ROOT, 'deploy/monitoring/alerts.yml'), 'utf8')).groups;
    const severities = new Map();
    for (const { alert, labels } of groups.flatMap(({ rules }) => rules).filter((rule) => rule.alert)) {
        severities.set(alert, [...new Set([...(severities.get(alert) || []), labels.severity])].sort());
    }
    assert.deepStrictEqual(told.sort(), [...severities].sort());
});

test('with a real Prometheus and a real OpenRisk under load', async (t) => {
    const [cluster, redis] = await Promise.all([startPostgres(), startRedis({ settings: { maxmemory: '16mb', 'maxmemory-policy': 'allkeys-lru' } })]);
    t.after(() => Promise.all([cluster.stop(), redis.stop()]));
    const server = await startServer(t, {
        env: {
            DATABASE_URL: await cluster.createDatabase(),
            REDIS_URL: redis.url,
            OPENRISK_OPS_TOKEN: 'a token of this test only',
            CACHE_DB_GRACE: '1s',
            LOGIN_BURST: '1000',
        },
    });
    const prometheus = await startPrometheus({ targets: { openrisk: [server.opsUrl] }, token: server.env.OPENRISK_OPS_TOKEN });
    t.after(() => prometheus.stop());

    await t.test('while nobody asks, errors are 0 and there is no hit rate', async () => {
        await prometheus.waitForQuery(`${exprOf('Share of server errors')} == 0`);
        assert.deepStrictEqual(await prometheus.query(exprOf('Hit rate')), []);
        assert.ok(Number.isNaN(await prometheus.value(exprOf('Duration, p99'))), 'a duration of nothing');
    });

    const load = await startLoad(server);
    t.after(() => load.stop());
    const page = (await server.ops.get('/metrics', { Authorization: `Bearer ${server.env.OPENRISK_OPS_TOKEN}` })).body;
    const types = new Map([...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
    const series = new Set([...page.matchAll(/^([a-z0-9_]+)(?:\{| )/gm)].map(([, name]) => name));
    const baseOf = (name) => {
        const base = name.replace(/_(bucket|sum|count)$/, '');
        return types.get(base) === 'histogram' ? base : name;
    };
    const rules = await prometheus.rules();
    const exprs = [...queries, ...rules.map(({ name, query }) => ({ where: `rule ${name}`, expr: query }))];
    const used = exprs.map(({ where, expr }) => ({ where, ...metricsIn(expr) }));

    await t.test('every metric that is named in rules and panels is there', () => {
        const recorded = rules.filter(({ type }) => type === 'recording').map(({ name }) => name);
        assert.ok(recorded.length > 10 && types.size > 40, `${recorded.length} rules, ${types.size} metrics`);
        assertNone(used.flatMap(({ where, scraped, recorded: wanted }) => [
            ...scraped.filter((name) => !series.has(name)).map((name) => `${where}: there is no ${name}`),
            ...wanted.filter((name) => !recorded.includes(name)).map((name) => `${where}: nothing records ${name}`),
        ]));
        const onPages = [...`${PAGE}${QUICK}`.matchAll(/\b(?:openrisk|process)_[a-z0-9_]*[a-z0-9]\b/g)].map(([name]) => name);
        assertNone(onPages.filter((name) => !series.has(name) && !types.has(name) && !NO_METRICS.includes(name)).map((name) => `docs: there is no ${name}`));
        const names = new Set(used.flatMap(({ scraped }) => scraped.map(baseOf)));
        const unused = [...types.keys()].filter((name) => !names.has(name));
        t.diagnostic(`figure: ${names.size} of ${types.size} metrics are in a rule or a panel; not: ${unused.join(', ') || 'none'}`);
    });

    await t.test('every choice that a dashboard offers has something to choose', async () => {
        for (const { board } of boards) {
            for (const { name, query } of board.templating.list.filter(({ type }) => type === 'query')) {
                const [, selector, label] = /^label_values\((.*), (\w+)\)$/.exec(query.query);
                const found = await prometheus.waitForQuery(`group by (${label}) (${selector})`);
                assert.ok(found.every(({ metric }) => metric[label]), `${board.title}: ${name}`);
            }
        }
    });

    await t.test('every query of every panel gives data', async () => {
        // A name of a line with {{label}} in it needs that label.
        const shows = async ({ expr, legend }) => (await prometheus.query(everything(expr))).some(({ metric, value: [, text] }) => {
            return text !== 'NaN' && [...legend.matchAll(/\{\{(\w+)\}\}/g)].every(([, label]) => label in metric);
        });
        let empty = queries;
        const all = async () => {
            const left = [];
            for (const query of empty) {
                if (!(await shows(query))) {
                    left.push(query);
                }
            }
            empty = left;
            return empty.length === 0;
        };
        await waitUntil(all, 'data for every query', { limitMs: 60000, explain: () => empty.map(({ where, expr }) => `${where}: ${everything(expr)}`).join('\n') });
        t.diagnostic(`figure: ${queries.length} queries of ${boards.flatMap(({ board }) => panelsOf(board)).length} panels gave data`);
    });

    await t.test('so does every query that docs/monitoring.md has', async () => {
        const [, block] = /```promql\n([^]*?)\n *```/.exec(PAGE);
        const asked = block.split('\n').map((line) => line.trim());
        assert.ok(asked.length > 5);
        for (const expr of asked) {
            await prometheus.waitForQuery(`${expr} >= 0`);
        }
    });

    await t.test('what the panels show is what was done', async () => {
        assert.strictEqual(await prometheus.value(exprOf('Nodes up')), 1);
        assert.strictEqual(await prometheus.value(exprOf('Database')), 1);
        await prometheus.waitForQuery(`${exprOf('Hit rate')} > 0.1 < 1`);
        await prometheus.waitForQuery(`${exprOf('Share of server errors')} == 0`);
        await prometheus.waitForQuery(`(${exprOf('Errors by status')}) > 0`);
        const [{ metric }] = await prometheus.waitForQuery(exprOf('Breaker of Redis'));
        assert.strictEqual(metric.state, 'closed');
        const [{ value: [, rate] }] = await prometheus.waitForQuery(`${exprOf('Requests per second')} > 1`);
        t.diagnostic(`figure: under a load of ${Math.round(rate)} requests per second`);
    });

    await t.test('without Redis the breaker opens on its panel, and errors show', async () => {
        await redis.kill();
        await prometheus.waitForQuery(`${exprOf('State of the breaker')} == 2`);
        await prometheus.waitForQuery(`(${exprOf('Errors of the second level')}) > 0`);
    });

    await t.test('without the database its panel says so, and errors show', async () => {
        await cluster.kill();
        await prometheus.waitForQuery(`${exprOf('Database')} == 0`);
        await prometheus.waitForQuery(`${exprOf('Share of server errors')} > 0`);
        await prometheus.waitForQuery(`sum by (class) (${exprOf('Errors of the database')}) > 0`);
    });
});
