/** Who watches: Prometheus, Alertmanager, Grafana. They are compared with what deploy/monitoring/ has. */
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { expect, expectStatus } = require('./check');

const SHIPPED = path.resolve(__dirname, '../../../deploy/monitoring');
const BOARDS = path.join(SHIPPED, 'grafana/dashboards');

async function ask(client, route, headers) {
    const { json } = expectStatus(await client.get(route, headers), 200, `GET ${route.split('?')[0]}`);
    expect(json !== undefined, `GET ${route.split('?')[0]}: what comes is no JSON`);
    return json;
}

async function query(run, expr) {
    return (await ask(run.prometheus, `/api/v1/query?query=${encodeURIComponent(expr)}`)).data.result;
}

async function targets(run) {
    const up = await query(run, 'up{job="openrisk"}');
    expect(up.length > 0, 'it watches nobody as job "openrisk"');
    const down = up.filter(({ value }) => value[1] !== '1').map(({ metric }) => metric.instance);
    expect(down.length === 0, `it gets no metrics from ${down.join(', ')}`);
    return up.map(({ metric }) => metric.instance).join(', ');
}

async function rules(run) {
    const text = fs.readFileSync(path.join(SHIPPED, 'alerts.yml'), 'utf8');
    const wanted = [...new Set([...text.matchAll(/^ *- (?:alert|record): (\S+)$/gm)].map(([, name]) => name))];
    const known = (await ask(run.prometheus, '/api/v1/rules')).data.groups.flatMap((group) => group.rules);
    const missing = wanted.filter((name) => !known.some((rule) => rule.name === name));
    expect(missing.length === 0, `it does not know ${missing.join(', ')} of deploy/monitoring/alerts.yml`);
    const broken = known.filter((rule) => wanted.includes(rule.name) && rule.health === 'err').map((rule) => `${rule.name} (${rule.lastError})`);
    expect(broken.length === 0, `it cannot evaluate ${broken.join(', ')}`);
    return `${wanted.length} names of alerts.yml, all known`;
}

async function alerts(run) {
    const { alerts: all } = (await ask(run.prometheus, '/api/v1/alerts')).data;
    const firing = all.filter(({ state }) => state === 'firing');
    const critical = firing.filter(({ labels }) => labels.severity === 'critical').map(({ labels }) => `${labels.alertname} ${labels.instance || ''}`.trim());
    expect(critical.length === 0, `critical: ${critical.join(', ')}`);
    return firing.length === 0 ? 'none fires' : `not critical, but firing: ${firing.map(({ labels }) => labels.alertname).join(', ')}`;
}

async function alertmanager(run) {
    expectStatus(await run.alertmanager.get('/-/ready'), 200, 'GET /-/ready');
    const { versionInfo, cluster } = await ask(run.alertmanager, '/api/v2/status');
    expect(['ready', 'disabled'].includes(cluster.status), `its cluster is ${cluster.status}`);
    return `version ${versionInfo.version}`;
}

async function told(run) {
    const { activeAlertmanagers: active } = (await ask(run.prometheus, '/api/v1/alertmanagers')).data;
    expect(active.length > 0, 'Prometheus knows no Alertmanager to send alerts to');
    // Only since a few minutes: what failed while it was set up is over.
    const [dropped] = await query(run, 'sum(increase(prometheus_notifications_dropped_total[5m]))');
    expect(dropped === undefined || !(Number(dropped.value[1]) > 0), 'Prometheus could not deliver alerts in the last five minutes');
    return active.map(({ url }) => new URL(url).host).join(', ');
}

async function grafana(run) {
    const { database, version } = await ask(run.grafana, '/api/health');
    expect(database === 'ok', `its database is ${database}`);
    return `version ${version}`;
}

async function source(run) {
    const headers = { Authorization: run.grafanaSignIn };
    const found = (await ask(run.grafana, '/api/datasources', headers)).filter(({ type }) => type === 'prometheus');
    expect(found.length > 0, 'it has no data source of the type prometheus');
    const said = [];
    for (const { uid, name } of found) {
        const { status, json } = await run.grafana.get(`/api/datasources/uid/${encodeURIComponent(uid)}/health`, headers);
        if (status === 200 && json && json.status === 'OK') {
            return name;
        }
        said.push(`${name}: ${(json && json.message) || status}`);
    }
    expect(false, said.join(', '));
    return undefined;
}

async function dashboards(run) {
    const boards = fs.readdirSync(BOARDS).filter((name) => name.endsWith('.json')).map((name) => JSON.parse(fs.readFileSync(path.join(BOARDS, name), 'utf8')));
    for (const { uid, title } of boards) {
        const { status, json } = await run.grafana.get(`/api/dashboards/uid/${uid}`, { Authorization: run.grafanaSignIn });
        expect(status === 200 && json && json.dashboard && json.dashboard.uid === uid, `it has no dashboard ${uid} (${title}): ${status}`);
    }
    return boards.map(({ title }) => title).join(', ');
}

module.exports = [
    { name: 'prometheus-targets', needs: ['prometheus'], about: 'Prometheus gets the metrics of every node', run: targets },
    { name: 'prometheus-rules', needs: ['prometheus'], about: 'it knows every alert and rule of [alerts.yml](../deploy/monitoring/alerts.yml), and can evaluate them', run: rules },
    { name: 'prometheus-alerts', needs: ['prometheus'], about: 'nothing that is critical fires', run: alerts },
    { name: 'alertmanager', needs: ['alertmanager'], about: 'Alertmanager is ready', run: alertmanager },
    { name: 'alertmanager-told', needs: ['prometheus', 'alertmanager'], about: 'Prometheus sends it alerts', run: told },
    { name: 'grafana', needs: ['grafana'], about: 'Grafana is well', run: grafana },
    { name: 'grafana-source', needs: ['grafana', 'grafana_sign_in'], about: 'it has a Prometheus as data source, which answers', run: source },
    { name: 'grafana-dashboards', needs: ['grafana', 'grafana_sign_in'], about: 'it has both dashboards', run: dashboards },
];
