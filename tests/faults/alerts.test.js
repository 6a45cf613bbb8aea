/**
 * From a fault to whoever is woken: a real OpenRisk, whose metrics a real Prometheus asks for, with the rules that are
 * shipped, and a real Alertmanager with the routing that is shipped, which delivers to the test. Changed, by replacing text,
 * are only addresses, intervals (a fifth of a second instead of 15 s) and how long something must last: `for: 1m` is 1 s here.
 * That each rule waits as long as it should is shown by tests/monitoring/.
 */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { startServer } = require('../http/lib');
const { startMailbox } = require('../tools/mailbox');
const { randomPort } = require('../tools/port');
const { replaced, startAlertmanager, startPrometheus, startWebhook, waitUntil } = require('../tools/prometheus');
const { startRedis } = require('../tools/redis');
const { startBehindProxy } = require('./proxied');

const TOKEN = 'a token for those who operate it';
const INTERVALS = { scrape: '200ms', evaluate: '200ms' };
const GUESSES = 150; // in 10 minutes, of which 100 are allowed
const CROWD = 10;

/** Ends with the test. */
async function start(t, starting) {
    const server = await starting;
    t.after(() => server.stop());
    return server;
}

/** Prometheus, Alertmanager, the webhook and the mailbox, for these servers. */
async function watch(t, servers) {
    const webhook = await start(t, startWebhook());
    const mailbox = await start(t, startMailbox());
    const alertmanager = await start(t, startAlertmanager({ webhook: webhook.url, mail: mailbox.address, mailPassword: 'for the mail' }));
    const edit = (rules) => replaced(rules, /for: 1m/g, 'for: 1s');
    const targets = { openrisk: servers.map(({ opsUrl }) => opsUrl) };
    const prometheus = await start(t, startPrometheus({ targets, token: TOKEN, intervals: INTERVALS, alertmanager, edit }));
    await prometheus.waitForQuery(`count(up{job="openrisk"} == 1) == ${servers.length}`);
    return { webhook, mailbox, alertmanager, prometheus };
}

/** Reads that go on until the test ends, whatever becomes of them. */
function readOn(t, client) {
    let isDone = false;
    const reading = (async () => {
        for (let i = 0; !isDone; i++) {
            await client.get(`/risks?limit=1&page=${1 + (i % 50)}`).catch(() => {});
            await new Promise((resolve) => setTimeout(resolve, 5));
        }
    })();
    t.after(() => {
        isDone = true;
        return reading;
    });
}

/** What fires, but for the latency, which is the machine's affair: it may be busy, and the sanitizers are slow. */
async function firing(prometheus) {
    const alerts = (await prometheus.alerts()).filter(({ state, labels }) => state === 'firing' && labels.alertname !== 'LatencyBudgetBurn');
    return alerts.map(({ labels }) => `${labels.alertname} ${labels.instance}`);
}

/** A mail about an alert; `state` is FIRING or RESOLVED, as Alertmanager's subjects have it. */
function waitForMail(mailbox, alert, state) {
    const subject = new RegExp(`^Subject: \\[${state}.*${alert}`, 'm');
    const explain = () => mailbox.mails.map(({ text }) => text).join('\n');
    return waitUntil(() => mailbox.mails.find(({ text }) => subject.test(text)), `a mail, ${state}: ${alert}`, { explain });
}

function instanceOf(server) {
    return new URL(server.opsUrl).host;
}

test('Redis dies and comes back', async (t) => {
    const redis = await start(t, startRedis({ settings: { maxmemory: '64mb' } }));
    const server = await startServer(t, { engine: 'sqlite', env: { REDIS_URL: redis.url, OPENRISK_OPS_TOKEN: TOKEN, CACHE_TTL_RISKS: '1s' } });
    readOn(t, await server.signIn());
    const { prometheus, webhook, mailbox } = await watch(t, [server]);

    await t.test('every metric of the rules is there', async () => {
        const { status, body } = await server.ops.get('/metrics', { Authorization: `Bearer ${TOKEN}` });
        assert.strictEqual(status, 200);
        const recorded = (await prometheus.rules()).filter(({ type }) => type === 'recording').map(({ name }) => name);
        for (const { query } of await prometheus.rules()) {
            for (const [name] of query.matchAll(/\b(?:\w+:)?(?:openrisk|process)_\w+(?::\w+)?/g)) {
                assert.ok(recorded.includes(name) || body.includes(`\n${name}{`) || body.includes(`\n${name} `), `nobody tells of ${name}`);
            }
            for (const [, name, value] of query.matchAll(/(\w+)="([^"]*)"/g)) {
                assert.ok(name === 'job' || body.includes(`${name}="${value}"`), `nothing has ${name}="${value}"`);
            }
        }
        for (const name of recorded) {
            await prometheus.waitForQuery(name);
        }
    });

    await t.test('while all is well nothing fires', async () => {
        const evaluations = 'prometheus_rule_group_iterations_total';
        const [{ value: [, before] }] = await prometheus.waitForQuery(`min(${evaluations})`);
        await prometheus.waitForQuery(`min(${evaluations}) > ${Number(before) + 10}`);
        assert.deepStrictEqual(await firing(prometheus), []);
        assert.ok(await prometheus.value('job:openrisk_http_requests:rate5m') > 0);
        assert.strictEqual(await prometheus.value('job:openrisk_http_errors:ratio_rate5m'), 0);
    });

    await t.test('its death is delivered', async (t2) => {
        const began = performance.now();
        await redis.kill();
        const alert = await prometheus.waitForAlert('RedisBreakerOpen');
        assert.strictEqual(alert.labels.instance, instanceOf(server));
        const delivered = await webhook.waitForAlert('RedisBreakerOpen', 'firing');
        t2.diagnostic(`figure: from the death of Redis to the webhook ${((performance.now() - began) / 1000).toFixed(1)} s, with intervals of ${INTERVALS.scrape}`);
        assert.strictEqual(delivered.labels.severity, 'warning');
        assert.strictEqual(delivered.annotations.summary, `${instanceOf(server)} goes without Redis`);
        assert.match(delivered.annotations.description, /half open: 1/);
        assert.strictEqual(delivered.annotations.runbook_url, 'docs/runbook.md#redisbreakeropen');
        assert.deepStrictEqual(webhook.alertsOf('RedisBreakerOpen', 'resolved'), []);
    });

    await t.test('so is its return', async () => {
        await redis.start();
        await webhook.waitForAlert('RedisBreakerOpen', 'resolved');
        await prometheus.waitForNoAlert('RedisBreakerOpen');
        assert.ok(!mailbox.mails.some(({ text }) => text.includes('RedisBreakerOpen')), 'a warning is no mail');
        const others = webhook.alerts.map(({ labels }) => labels.alertname).filter((name) => !['RedisBreakerOpen', 'LatencyBudgetBurn'].includes(name));
        assert.deepStrictEqual(others, []);
    });
});

test('a node is stopped and started', async (t) => {
    const servers = [];
    for (let i = 0; i < 2; i++) {
        // It must come back at the address that Prometheus has.
        const env = { OPENRISK_OPS_TOKEN: TOKEN, OPENRISK_OPS_LISTEN: `127.0.0.1:${randomPort()}` };
        servers.push(await startServer(t, { engine: 'sqlite', env }));
    }
    const [server, other] = servers;
    readOn(t, await server.signIn());
    const { prometheus, webhook, mailbox, alertmanager } = await watch(t, servers);
    await prometheus.waitForQuery('job:openrisk_http_requests:rate5m');

    await t.test('that it is down is delivered, by webhook and by mail', async () => {
        await server.stop();
        const { labels } = await webhook.waitForAlert('InstanceDown', 'firing');
        assert.deepStrictEqual([labels.instance, labels.severity], [instanceOf(server), 'critical']);
        assert.deepStrictEqual(webhook.received.find(({ alerts }) => alerts[0].labels.alertname === 'InstanceDown').groupLabels, { alertname: 'InstanceDown', service: 'openrisk' });
        const { text, login } = await waitForMail(mailbox, 'InstanceDown', 'FIRING');
        assert.ok(text.includes(`${instanceOf(server)}`));
        assert.strictEqual(login, '\0alertmanager\0for the mail');
    });

    await t.test('and nothing else is, for a node that is down has no errors', async () => {
        assert.deepStrictEqual(await firing(prometheus), [`InstanceDown ${instanceOf(server)}`]);
    });

    await t.test('its warnings are held back, those of another node are not', async () => {
        const warning = (instance) => ({ labels: { alertname: 'LowCacheHitRate', severity: 'warning', service: 'openrisk', job: 'openrisk', instance } });
        await alertmanager.add([warning(instanceOf(server)), warning(instanceOf(other))]);
        await webhook.waitForAlert('LowCacheHitRate', 'firing');
        assert.deepStrictEqual(webhook.alertsOf('LowCacheHitRate', 'firing').map(({ labels }) => labels.instance), [instanceOf(other)]);
        const held = (await alertmanager.alerts()).filter(({ labels, status }) => labels.alertname === 'LowCacheHitRate' && status.state === 'suppressed');
        assert.deepStrictEqual(held.map(({ labels }) => labels.instance), [instanceOf(server)]);
        assert.strictEqual(held[0].status.inhibitedBy.length, 1);
    });

    await t.test('what burns the budget holds back warnings about the whole, but not that somebody guesses passwords', async () => {
        const alert = (alertname, severity, more) => ({ labels: { alertname, severity, service: 'openrisk', job: 'openrisk', ...more } });
        await alertmanager.add([alert('ErrorBudgetBurn', 'critical', { burn: '6' })]);
        await webhook.waitForAlert('ErrorBudgetBurn', 'firing');
        await alertmanager.add([alert('ErrorBudgetBurn', 'warning', { burn: '1' }), alert('HighRedisMemory', 'warning'), alert('LoginFailures', 'warning')]);
        await webhook.waitForAlert('LoginFailures', 'firing');
        const held = (await alertmanager.alerts()).filter(({ labels, status }) => labels.instance === undefined && status.state === 'suppressed');
        const names = held.map(({ labels }) => labels.alertname).filter((name) => name !== 'LatencyBudgetBurn');
        assert.deepStrictEqual(names.sort(), ['ErrorBudgetBurn', 'HighRedisMemory']);
        assert.deepStrictEqual(webhook.alertsOf('HighRedisMemory', 'firing'), []);
    });

    await t.test('that it is up again is delivered, by both', async () => {
        await server.start();
        await webhook.waitForAlert('InstanceDown', 'resolved');
        await waitForMail(mailbox, 'InstanceDown', 'RESOLVED');
        await prometheus.waitForNoAlert('InstanceDown');
    });
});

test('the database is away: errors burn the budget, and the node is not down', async (t) => {
    const { server, proxy } = await startBehindProxy(t, { OPENRISK_OPS_TOKEN: TOKEN, CACHE_ENABLED: 'false' });
    const admin = await server.signIn();
    readOn(t, admin);
    const { prometheus, webhook, mailbox } = await watch(t, [server]);
    await prometheus.waitForQuery('job:openrisk_http_requests:rate5m > 0');
    await proxy.down();
    const alert = await webhook.waitForAlert('ErrorBudgetBurn', 'firing');
    assert.match(alert.annotations.description, /^[\d.]+% of the requests/);
    await waitForMail(mailbox, 'ErrorBudgetBurn', 'FIRING');
    assert.deepStrictEqual(await prometheus.alertsOf('InstanceDown', 'firing'), []);
    const held = await prometheus.alertsOf('ErrorBudgetBurn', 'firing');
    assert.ok(held.length >= 2, 'both windows are bad since there is no history');
    await proxy.pass();
});

test('somebody guesses passwords', async (t) => {
    const server = await startServer(t, { engine: 'sqlite', env: { OPENRISK_OPS_TOKEN: TOKEN } });
    const { prometheus, webhook } = await watch(t, [server]);
    await prometheus.waitForQuery('openrisk_login_attempts_total{result="failed"} == 0');
    const client = server.client();
    const statuses = new Set();
    await Promise.all(Array.from({ length: CROWD }, async () => {
        for (let i = 0; i < GUESSES / CROWD; i++) {
            statuses.add((await client.post('/auth/login', { email: 'admin@example.org', password: `guess ${i}` })).status);
        }
    }));
    assert.deepStrictEqual([...statuses].sort(), [401, 429]);
    const { annotations } = await webhook.waitForAlert('LoginFailures', 'firing');
    assert.match(annotations.description, /^[\d.]+ attempts to sign in per minute/);
});
