/**
 * script/verify with those who watch: a real Prometheus and a real Alertmanager with the configuration that is shipped, and a
 * stand-in for Grafana, which cannot be had here: it answers as Grafana's documentation says.
 */
'use strict';

const assert = require('node:assert');
const http = require('node:http');
const { test } = require('node:test');

const { CHECKS } = require('../../script/lib/verify/checks');
const { startServer } = require('../http/lib');
const { AS_ADMIN, ENV, OPS_TOKEN, assertFails, assertOk, isElsewhere, leavesNothing, unaltered, verify } = require('../http/verified');
const { startAltering } = require('../tools/altering');
const { startAlertmanager, startPrometheus, waitUntil } = require('../tools/prometheus');
const { boards } = require('./boards');

const GRAFANA_TOKEN = 'glsa_for_tests_only';
const PASSWORD = 'for tests only';

/** What of Grafana is asked. `state` may be changed. */
async function startGrafana(t) {
    const state = { health: { database: 'ok', version: '10.4.1' }, sources: [{ uid: 'p', type: 'prometheus', name: 'Prometheus' }], sourceHealth: { status: 'OK', message: 'ok' }, boards: boards.map(({ board }) => board) };
    const known = [`Bearer ${GRAFANA_TOKEN}`, `Basic ${Buffer.from(`admin:${PASSWORD}`).toString('base64')}`];
    const answer = (path, authorization) => {
        if (path === '/api/health') {
            return [200, state.health];
        }
        if (!known.includes(authorization)) {
            return [401, { message: 'Unauthorized' }];
        }
        if (path === '/api/datasources') {
            return [200, state.sources];
        }
        if (path === '/api/datasources/uid/p/health') {
            return [state.sourceHealth.status === 'OK' ? 200 : 400, state.sourceHealth];
        }
        const board = state.boards.find(({ uid }) => path === `/api/dashboards/uid/${uid}`);
        return board ? [200, { meta: {}, dashboard: board }] : [404, { message: 'Dashboard not found' }];
    };
    const server = http.createServer((request, response) => {
        const [status, body] = answer(request.url, request.headers.authorization);
        response.writeHead(status, { 'Content-Type': 'application/json' });
        response.end(JSON.stringify(body));
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
        server.closeAllConnections();
        server.close();
    });
    return { state, url: `http://127.0.0.1:${server.address().port}` };
}

/** The answer to a path of Prometheus or Alertmanager is changed. */
const answer = (path, change) => async (request, forward) => {
    const reply = await forward(request);
    if (!decodeURIComponent(request.path).startsWith(path)) {
        return reply;
    }
    const body = JSON.parse(reply.body);
    change(body.data || body, reply);
    return { ...reply, body: JSON.stringify(body) };
};
const critical = (state) => ({ labels: { alertname: 'InstanceDown', severity: 'critical', instance: 'node1:2112' }, state });

const FAULTS = {
    'prometheus-targets': [
        [answer('/api/v1/query?query=up', ({ result }) => (result[0].value[1] = '0')), /no metrics from 127/],
        [answer('/api/v1/query?query=up', (data) => (data.result = [])), /watches nobody/],
    ],
    'prometheus-rules': [
        [answer('/api/v1/rules', ({ groups }) => groups.forEach((group) => (group.rules = group.rules.filter(({ name }) => name !== 'PoolWait')))), /does not know PoolWait/],
        [answer('/api/v1/rules', ({ groups }) => Object.assign(groups[0].rules[0], { health: 'err', lastError: 'many-to-many' })), /cannot evaluate .*many-to-many/],
    ],
    'prometheus-alerts': [[answer('/api/v1/alerts', ({ alerts }) => alerts.push(critical('firing'))), /critical: InstanceDown node1:2112/]],
    'alertmanager-told': [
        [answer('/api/v1/alertmanagers', (data) => (data.activeAlertmanagers = [])), /knows no Alertmanager/],
        [answer('/api/v1/query?query=sum(increase(prometheus_notifications', (data) => (data.result = [{ metric: {}, value: [1, '4'] }])), /could not deliver/],
    ],
};
const ALERTMANAGER_FAULTS = [
    [async (request, forward) => ({ ...(await forward(request)), ...(request.path === '/-/ready' ? { status: 503 } : {}) }), /503 instead of 200/],
    [answer('/api/v2/status', (body) => (body.cluster.status = 'settling')), /settling/],
];
const GRAFANA_FAULTS = {
    grafana: [[(state) => (state.health.database = 'failing'), /database is failing/]],
    'grafana-source': [
        [(state) => (state.sources[0].type = 'loki'), /no data source/],
        [(state) => (state.sourceHealth = { status: 'ERROR', message: 'connection refused' }), /Prometheus: connection refused/],
    ],
    'grafana-dashboards': [[(state) => state.boards.pop(), /no dashboard/]],
};

test('script/verify and those who watch', async (t) => {
    const server = await startServer(t, { env: ENV });
    const admin = await server.signIn();
    const own = async (starting) => {
        const one = await starting;
        t.after(() => one.stop());
        return one;
    };
    const alertmanager = await own(startAlertmanager());
    const prometheus = await own(startPrometheus({ targets: { openrisk: [server.opsUrl] }, token: OPS_TOKEN, alertmanager }));
    const grafana = await startGrafana(t);
    const before = { prometheus: await own(startAltering([prometheus.url])), alertmanager: await own(startAltering([alertmanager.url])) };
    await prometheus.waitForQuery('up{job="openrisk"} == 1');
    await waitUntil(async () => (await prometheus.api('/api/v1/alertmanagers')).data.activeAlertmanagers.length === 1, 'Prometheus to find Alertmanager');
    const args = ['--prometheus', before.prometheus.url, '--alertmanager', before.alertmanager.url, '--grafana', grafana.url];
    const env = { OPENRISK_TOKEN: admin.token, GRAFANA_TOKEN };
    const watching = CHECKS.filter(isElsewhere).map(({ name }) => name);

    await t.test('all of them are well', async () => {
        const result = await leavesNothing(server, admin, () => verify(['--only', 'prom,alert,graf', ...args, server.url], { ...AS_ADMIN, GRAFANA_PASSWORD: PASSWORD }));
        assertOk(result, watching);
        assert.deepStrictEqual([result.code, result.passed], [0, watching.length]);
        assert.ok(result.lines['alertmanager-told'].detail.includes(new URL(alertmanager.url).host));
    });

    await t.test('each check has a fault that it must find', () => {
        assert.deepStrictEqual([...Object.keys(FAULTS), 'alertmanager', ...Object.keys(GRAFANA_FAULTS)].sort(), [...watching].sort());
    });

    const fails = (name, says, changed = env) => assertFails(server, admin, name, says, [...args, server.url], changed);

    for (const [name, faults] of Object.entries(FAULTS)) {
        await t.test(`${name} fails when it should`, async () => {
            for (const [alter, says] of faults) {
                before.prometheus.alter = alter;
                await fails(name, says).finally(() => (before.prometheus.alter = unaltered));
            }
        });
    }
    await t.test('alertmanager fails when it should', async () => {
        for (const [alter, says] of ALERTMANAGER_FAULTS) {
            before.alertmanager.alter = alter;
            await fails('alertmanager', says).finally(() => (before.alertmanager.alter = unaltered));
        }
    });
    for (const [name, faults] of Object.entries(GRAFANA_FAULTS)) {
        await t.test(`${name} fails when it should`, async () => {
            for (const [change, says] of faults) {
                const kept = structuredClone(grafana.state);
                change(grafana.state);
                await fails(name, says).finally(() => Object.assign(grafana.state, kept));
            }
        });
    }

    await t.test('an alert that is pending, or no more than a warning, is none that must not be', async () => {
        before.prometheus.alter = answer('/api/v1/alerts', ({ alerts }) => alerts.push(critical('pending'), { labels: { alertname: 'PoolWait', severity: 'warning' }, state: 'firing' }));
        const { lines } = await verify(['--only', 'prometheus-alerts', ...args, server.url], env);
        before.prometheus.alter = unaltered;
        assert.deepStrictEqual(lines['prometheus-alerts'], { result: 'ok', detail: 'not critical, but firing: PoolWait' });
    });

    await t.test('Grafana wants to know who asks', async () => {
        await fails('grafana-source', /401/, { ...env, GRAFANA_TOKEN: 'another' });
        const { lines } = await verify(['--only', 'grafana', ...args, server.url], { OPENRISK_TOKEN: admin.token });
        assert.strictEqual(lines.grafana.result, 'ok');
        assert.match(lines['grafana-dashboards'].detail, /needs GRAFANA_TOKEN or GRAFANA_PASSWORD/);
    });

    await t.test('a Prometheus that has lost a node, and one that is gone', async () => {
        prometheus.setTargets('openrisk', [server.opsUrl, '127.0.0.1:1']);
        await prometheus.waitForQuery('up{instance="127.0.0.1:1"} == 0');
        await fails('prometheus-targets', /no metrics from 127\.0\.0\.1:1$/);
        await prometheus.stop();
        const result = await leavesNothing(server, admin, () => verify(['--only', 'prom', '--prometheus', prometheus.url, server.url], env));
        assert.strictEqual(result.code, 1);
        assert.ok(Object.values(result.lines).every(({ result: is, detail }) => is === 'FAIL' && /connection refused/.test(detail)), result.stdout);
    });
});
