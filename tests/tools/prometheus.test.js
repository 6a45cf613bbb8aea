/** The tests' own Prometheus and Alertmanager: that they run with what is shipped, and that nothing of them outlives a test. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const http = require('node:http');

const { assertEndsWithOwner } = require('./owner');
const { startAlertmanager, startPrometheus, startWebhook } = require('./prometheus');

const HOST = '127.0.0.1';

/** Someone whose metrics are `text()`, and who notes how he was asked. */
async function startMetrics(t, text) {
    const asked = [];
    const server = http.createServer((request, response) => {
        asked.push(request);
        response.end(text());
    });
    await new Promise((resolve) => server.listen(0, HOST, resolve));
    t.after(() => {
        server.closeAllConnections();
        server.close();
    });
    return { asked, url: `http://${HOST}:${server.address().port}` };
}

async function start(t, starting) {
    const server = await starting;
    t.after(() => server.stop());
    return server;
}

test('a Prometheus asks whom it is told to, with the token, and fires and delivers', async (t) => {
    let logins = 0;
    const metrics = await startMetrics(t, () => `openrisk_login_attempts_total{result="failed"} ${(logins += 50)}\n`);
    const webhook = await start(t, startWebhook());
    const alertmanager = await start(t, startAlertmanager({ webhook: webhook.url, webhookToken: 'for the webhook' }));
    const options = { targets: { openrisk: [metrics.url] }, token: 'the token', intervals: { scrape: '100ms', evaluate: '100ms' }, alertmanager };
    const prometheus = await start(t, startPrometheus(options));

    const [up] = await prometheus.waitForQuery('up{job="openrisk"} == 1');
    assert.strictEqual(up.metric.instance, metrics.url.slice('http://'.length));
    assert.strictEqual(metrics.asked[0].url, '/metrics');
    assert.strictEqual(metrics.asked[0].headers.authorization, 'Bearer the token');
    const alert = await prometheus.waitForAlert('LoginFailures');
    assert.strictEqual(alert.labels.severity, 'warning');
    const { annotations } = await webhook.waitForAlert('LoginFailures', 'firing');
    assert.match(annotations.description, /^[\d.]+k? attempts/);
    assert.strictEqual(webhook.headers[0].authorization, 'Bearer for the webhook');
    await prometheus.waitForQuery('up{job="prometheus"} == 1');
    await prometheus.waitForQuery('up{job="alertmanager"} == 1');

    assert.notStrictEqual(fs.statSync(`/proc/${prometheus.pid}`).uid, 0);
    assert.notStrictEqual(fs.statSync(`/proc/${alertmanager.pid}`).uid, 0);
    prometheus.setTargets('openrisk', []);
    await prometheus.waitForQuery('absent(up{job="openrisk"})');
});

for (const [what, name] of Object.entries({ 'a Prometheus': 'startPrometheus', 'an Alertmanager': 'startAlertmanager' })) {
    test(`${what} ends with its owner`, async (t) => {
        await assertEndsWithOwner(t, { file: require.resolve('./prometheus'), start: name });
    });
}
