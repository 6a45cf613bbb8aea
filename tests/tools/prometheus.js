/**
 * Prometheus and Alertmanager of the tests' own, with the configuration that is shipped (deploy/monitoring/), and somebody
 * who takes what Alertmanager delivers.
 *
 *   const webhook = await startWebhook();
 *   const alertmanager = await startAlertmanager({ webhook: webhook.url });
 *   const prometheus = await startPrometheus({ targets: { openrisk: [server.opsUrl] }, alertmanager });
 *   await prometheus.waitForQuery('up{job="openrisk"} == 1');           // its result, when there is one
 *   const [{ metric, value }] = await prometheus.query('openrisk_build_info');
 *   await prometheus.waitForAlert('RedisBreakerOpen');                  // which fires then
 *   await webhook.waitForAlert('RedisBreakerOpen', 'firing');           // and has been delivered
 *   await prometheus.stop();                                            // and nothing of it is left
 *
 * What is changed is the shipped text, mechanically, and nothing else: `intervals` (scrape, evaluate), the addresses, and
 * `edit`, which gets the text of the rules or of Alertmanager's configuration and gives another one; a replacement that finds
 * nothing fails. Prometheus repeats alerts after a second, not after a minute. The files lie as they do in a container, below `folder`: etc/prometheus/, run/secrets/.
 *
 * Nothing of it outlives this process; see redis.js for how. It does not run as root.
 */
'use strict';

const assert = require('node:assert');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');

const { isAlive, signal, unprivileged, waitInPlace } = require('./process');

const SHIPPED = path.resolve(__dirname, '../../deploy/monitoring');
const HOST = '127.0.0.1';
const START_LIMIT_MS = 30000;
const STOP_LIMIT_MS = 10000;
const WAIT_LIMIT_MS = 60000;
const POLL_MS = 50;

/** `text` with `pattern` replaced everywhere; it must be there. */
function replaced(text, pattern, by) {
    const changed = text.replace(pattern, by);
    assert.notStrictEqual(changed, text, `there is no ${pattern} that could be replaced`);
    return changed;
}

/** GET, or POST with a body: what came as JSON. */
function ask(url, body) {
    return new Promise((resolve, reject) => {
        const request = http.request(url, { method: body === undefined ? 'GET' : 'POST', headers: { 'Content-Type': 'application/json' } }, (response) => {
            let text = '';
            response.setEncoding('utf8').on('data', (chunk) => (text += chunk));
            response.on('end', () => resolve({ status: response.statusCode, text }));
        });
        request.on('error', reject);
        request.end(body);
    });
}

/** Poll until `condition()` gives something true; `explain()` says what there was instead. */
async function waitUntil(condition, what, { limitMs = WAIT_LIMIT_MS, explain = () => '' } = {}) {
    const deadline = Date.now() + limitMs;
    for (;;) {
        const value = await condition();
        if (value) {
            return value;
        }
        if (Date.now() > deadline) {
            assert.fail(`waited ${limitMs} ms in vain for ${what}\n${await explain()}`);
        }
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
}

/** host:port of a URL, or what is that already. */
function addressOf(target) {
    return target.replace(/^http:\/\//, '').replace(/\/$/, '');
}

/** A server with a folder of its own, which says in its log where it listens. */
class OwnServer {
    constructor(name) {
        this.name = name;
        this.user = unprivileged();
        this.folder = fs.mkdtempSync(path.join(os.tmpdir(), `openrisk-test-${name}-`));
        this.logFile = path.join(this.folder, 'log');
        for (const one of [`etc/${name}`, 'run/secrets', 'data']) {
            fs.mkdirSync(path.join(this.folder, one), { recursive: true });
        }
        fs.chownSync(this.folder, this.user.uid, this.user.gid);
        fs.chownSync(path.join(this.folder, 'data'), this.user.uid, this.user.gid);
        this.endAtExit = () => this.endInPlace();
        process.on('exit', this.endAtExit);
    }

    get pid() {
        return this.child && this.child.pid;
    }

    get log() {
        return fs.existsSync(this.logFile) ? fs.readFileSync(this.logFile, 'utf8') : '';
    }

    /** A file below the folder, all of it or none: its reader may be looking. */
    write(name, text) {
        const file = path.join(this.folder, name);
        fs.writeFileSync(`${file}.new`, text, { mode: 0o600 });
        fs.chownSync(`${file}.new`, this.user.uid, this.user.gid);
        fs.renameSync(`${file}.new`, file);
    }

    /** Start `program`, which lives in `cwd`, and wait until it is ready. */
    async launch(program, args, cwd) {
        const log = fs.openSync(this.logFile, 'a');
        const options = { cwd: path.join(this.folder, cwd), detached: true, stdio: ['ignore', log, log], env: { PATH: process.env.PATH } };
        const child = spawn('setpriv', [...this.user.args, '--pdeathsig=KILL', program, `--web.listen-address=${HOST}:0`, ...args], options);
        this.child = child;
        fs.closeSync(log);
        child.unref();
        let ended = false;
        child.on('error', () => (ended = true));
        child.on('exit', () => (ended = true));
        const isReady = async () => {
            assert.ok(!ended, `${program} does not start; is there one (script/dependencies test)?\n${this.log}`);
            const [, port] = /msg="Listening on" address=127\.0\.0\.1:(\d+)/.exec(this.log) || [];
            this.url = `http://${HOST}:${port}`;
            return port !== undefined && (await ask(`${this.url}/-/ready`).catch(() => ({}))).status === 200;
        };
        await waitUntil(isReady, `${program} to start`, { limitMs: START_LIMIT_MS, explain: () => this.log });
    }

    /** For good, with its folder. */
    async stop() {
        process.removeListener('exit', this.endAtExit);
        this.endInPlace();
    }

    endInPlace() {
        const { pid } = this;
        if (pid !== undefined && isAlive(pid)) {
            signal(pid, 'SIGKILL');
            assert.ok(waitInPlace(() => !isAlive(pid), STOP_LIMIT_MS), `${this.name} does not end`);
        }
        fs.rmSync(this.folder, { recursive: true, force: true });
    }

    /** What its API gives for a path, with parameters. */
    async api(route, parameters = {}) {
        const { status, text } = await ask(`${this.url}${route}?${new URLSearchParams(parameters)}`);
        assert.strictEqual(status, 200, `${route} ${JSON.stringify(parameters)}: ${text}`);
        return JSON.parse(text);
    }
}

class OwnPrometheus extends OwnServer {
    async start({ targets, intervals, token, alertmanager, edit }) {
        const { scrape = '1s', evaluate = '1s' } = intervals;
        let config = fs.readFileSync(path.join(SHIPPED, 'prometheus.yml'), 'utf8');
        config = replaced(config, /scrape_interval: .*/, `scrape_interval: ${scrape}`);
        config = replaced(config, /scrape_timeout: .*/, `scrape_timeout: ${scrape}`);
        config = replaced(config, /evaluation_interval: .*/, `evaluation_interval: ${evaluate}`);
        this.write('etc/prometheus/prometheus.yml', config);
        this.write('etc/prometheus/alerts.yml', edit(fs.readFileSync(path.join(SHIPPED, 'alerts.yml'), 'utf8')));
        this.write('run/secrets/openrisk_ops_token', token);
        fs.mkdirSync(path.join(this.folder, 'etc/prometheus/targets'));
        for (const file of fs.readdirSync(path.join(SHIPPED, 'targets'))) {
            const name = file.replace(/\.yml$/, '');
            this.setTargets(name, targets[name] || []);
        }
        if (alertmanager) {
            this.setTargets('alertmanager', [alertmanager.url]);
        }
        const args = ['--config.file=prometheus.yml', `--storage.tsdb.path=${this.folder}/data`, '--rules.alert.resend-delay=1s'];
        await this.launch('prometheus', args, 'etc/prometheus');
        this.setTargets('prometheus', [this.url]);
    }

    /** Whom a job asks from now on: URLs or host:port. `labels`: further ones of them all. */
    setTargets(name, targets, labels = {}) {
        const list = targets.length === 0 ? [] : [{ targets: targets.map(addressOf), labels }];
        this.write(`etc/prometheus/targets/${name}.yml`, JSON.stringify(list));
    }

    /** The result of an instant query: [{metric, value: [seconds, text]}], or of a range vector {metric, values}. */
    async query(expr) {
        return (await this.api('/api/v1/query', { query: expr })).data.result;
    }

    /** The one number that `expr` gives. */
    async value(expr) {
        const result = await this.query(expr);
        assert.strictEqual(result.length, 1, `${expr}: ${JSON.stringify(result)}`);
        return Number(result[0].value[1]);
    }

    /** Wait until `expr` gives something, such as "x > 5", and give that. */
    waitForQuery(expr, options) {
        const condition = async () => {
            const result = await this.query(expr);
            return result.length > 0 && result;
        };
        return waitUntil(condition, expr, { explain: () => this.log.slice(-4000), ...options });
    }

    /** [{name, query, labels, annotations, …}]: all rules as it has read them; `type` is "alerting" or "recording". */
    async rules() {
        return (await this.api('/api/v1/rules')).data.groups.flatMap((group) => group.rules);
    }

    /** [{labels, annotations, state, value}]: "pending" and "firing". */
    async alerts() {
        return (await this.api('/api/v1/alerts')).data.alerts;
    }

    async alertsOf(name, state) {
        return (await this.alerts()).filter(({ labels, state: is }) => labels.alertname === name && is === state);
    }

    waitForAlert(name, options) {
        const explain = async () => JSON.stringify(await this.alerts(), null, 1);
        return waitUntil(async () => (await this.alertsOf(name, 'firing'))[0], `${name} to fire`, { explain, ...options });
    }

    waitForNoAlert(name, options) {
        return waitUntil(async () => (await this.alertsOf(name, 'firing')).length === 0, `${name} to end`, options);
    }

    /** [{labels, health, lastError, scrapeUrl, …}] */
    async targets() {
        return (await this.api('/api/v1/targets')).data.activeTargets;
    }
}

class OwnAlertmanager extends OwnServer {
    async start({ webhook, mail, webhookToken, mailPassword, wait, interval, edit }) {
        let config = fs.readFileSync(path.join(SHIPPED, 'alertmanager.yml'), 'utf8');
        config = replaced(config, /url: http:.*/, `url: ${webhook}`);
        config = replaced(config, /smtp_smarthost: .*/, `smtp_smarthost: ${mail}`);
        config = replaced(config, /group_wait: .*/, `group_wait: ${wait}`);
        config = replaced(config, /group_interval: .*/, `group_interval: ${interval}`);
        this.write('etc/alertmanager/alertmanager.yml', edit(config));
        this.write('run/secrets/alertmanager_webhook_token', webhookToken);
        this.write('run/secrets/smtp_password', mailPassword);
        const args = ['--config.file=alertmanager.yml', `--storage.path=${this.folder}/data`, '--cluster.listen-address='];
        await this.launch('prometheus-alertmanager', args, 'etc/alertmanager');
    }

    /** What it has: [{labels, status: {state: "active" | "suppressed", inhibitedBy, silencedBy}, receivers, …}]. */
    alerts() {
        return this.api('/api/v2/alerts');
    }

    /** Give it alerts, as Prometheus would: [{labels, annotations, startsAt, endsAt}]. */
    async add(alerts) {
        const { status, text } = await ask(`${this.url}/api/v2/alerts`, JSON.stringify(alerts));
        assert.strictEqual(status, 200, text);
    }
}

/** Who takes notifications: `received` has the bodies in their order, `headers` what came with each. */
class Webhook {
    constructor() {
        this.received = [];
        this.headers = [];
        this.server = http.createServer((request, response) => {
            let text = '';
            request.setEncoding('utf8').on('data', (chunk) => (text += chunk));
            request.on('end', () => {
                this.received.push(JSON.parse(text));
                this.headers.push(request.headers);
                response.end();
            });
        });
    }

    async start() {
        await new Promise((resolve, reject) => this.server.on('error', reject).listen(0, HOST, resolve));
        this.server.unref();
        this.url = `http://${HOST}:${this.server.address().port}/`;
    }

    /** The alerts that were delivered, each with the status that it had then. */
    get alerts() {
        return this.received.flatMap(({ alerts }) => alerts);
    }

    alertsOf(name, status) {
        return this.alerts.filter((alert) => alert.labels.alertname === name && alert.status === status);
    }

    /** `status`: "firing" or "resolved". */
    waitForAlert(name, status, options) {
        const explain = () => this.alerts.map((alert) => `${alert.status} ${JSON.stringify(alert.labels)}`).join('\n');
        return waitUntil(() => this.alertsOf(name, status)[0], `${name} to be delivered as ${status}`, { explain, ...options });
    }

    async stop() {
        this.server.closeAllConnections();
        await new Promise((resolve) => this.server.close(resolve));
    }
}

async function started(server, options) {
    try {
        await server.start(options);
    } catch (error) {
        await server.stop();
        throw error;
    }
    return server;
}

/**
 * `targets`: {job: [URL or host:port]}. `token`: OPENRISK_OPS_TOKEN of those of the job openrisk. `alertmanager`: of
 * startAlertmanager(), to whom alerts go. `intervals`: {scrape, evaluate}, such as "200ms". `edit`: see above.
 */
function startPrometheus({ targets = {}, intervals = {}, token = '', alertmanager, edit = (text) => text } = {}) {
    return started(new OwnPrometheus('prometheus'), { targets, intervals, token, alertmanager, edit });
}

/** `webhook`: a URL. `mail`: host:port of a mail server. `wait`, `interval`: of groups. */
function startAlertmanager({
    webhook = `http://${HOST}:9/`,
    mail = `${HOST}:9`,
    webhookToken = '',
    mailPassword = '',
    wait = '100ms',
    interval = '500ms',
    edit = (text) => text,
} = {}) {
    return started(new OwnAlertmanager('alertmanager'), { webhook, mail, webhookToken, mailPassword, wait, interval, edit });
}

function startWebhook() {
    return started(new Webhook(), {});
}

module.exports = { SHIPPED, replaced, startAlertmanager, startPrometheus, startWebhook, waitUntil };
