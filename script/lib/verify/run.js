/**
 * One run against one OpenRisk: who asks, what it has made, and the removal of that.
 *
 * What a POST makes is noted when its answer comes, whoever sent it and whether it should have been refused. An answer may be
 * lost, or a proxy may change it; so everything made has a mark in its name that no other run has, and at the end it is looked
 * for that as well. A signal lets the request that is under way end, so that what it makes is known, and no other begin.
 *
 * Every answer to a write may carry a Consistency-Token. The last one goes with each request, so that a check means the same
 * with several nodes behind a balancer as with one.
 */
'use strict';

const crypto = require('node:crypto');
const { spawn } = require('node:child_process');

const { Client } = require('./client');

const API = '/api/v1';
const CLEAR_LIMIT_MS = 10000;
const HEALTH_LIMIT_MS = 3000;
const COMMAND_LIMIT_MS = 60000;
const PAGES_MAX = 1000;
const MAKES = /^\/(risks|users|tokens)$/;
const LONG = 'Made by script/verify, which removes it at its end. If it is still here, that was prevented: delete it. ';

class Interrupted extends Error {}

/** Somebody who asks: `token` may be undefined. */
class Person {
    constructor(run, token) {
        this.run = run;
        this.token = token;
    }

    async request(method, route, { body, headers = {} } = {}) {
        const { run } = this;
        if (run.interrupted) {
            throw new Interrupted();
        }
        return run.send(method, route, { body, headers, token: this.token });
    }

    get(route, headers) {
        return this.request('GET', route, { headers });
    }

    post(route, body, headers) {
        return this.request('POST', route, { body, headers });
    }

    patch(route, body) {
        return this.request('PATCH', route, { body });
    }

    delete(route) {
        return this.request('DELETE', route);
    }
}

class Run {
    constructor(options) {
        this.options = options;
        const { timeoutMs, insecure } = options;
        const clientOf = (url) => (url === undefined ? undefined : new Client(url, { timeoutMs, insecure }));
        this.client = new Client(options.url + API, { timeoutMs, insecure });
        this.ops = options.ops.map(clientOf);
        this.prometheus = clientOf(options.prometheus);
        this.alertmanager = clientOf(options.alertmanager);
        this.grafana = clientOf(options.grafana);
        this.grafanaSignIn = options.grafanaSignIn;
        this.mark = `verify${crypto.randomBytes(5).toString('hex')}`;
        this.name = `openrisk-verify ${this.mark}`;
        this.made = []; // {kind, id, name}
        this.undo = []; // {what, run}
        this.left = []; // What could not be removed, in words.
        this.mayHaveMade = false;
        this.isGone = false; // It answers no more.
        this.changes = 0;
        this.once = new Map();
        this.isAdmin = false;
        this.mayWrite = false;
    }

    async send(method, route, { body, headers, token, timeoutMs }) {
        const all = { ...headers };
        if (token) {
            all.Authorization = `Bearer ${token}`;
        }
        if (this.consistency) {
            all['Consistency-Token'] = this.consistency;
        }
        const makes = method === 'POST' && MAKES.exec(route);
        this.mayHaveMade = this.mayHaveMade || Boolean(makes);
        const reply = await this.client.request(method, route, { body, headers: all, timeoutMs });
        this.consistency = reply.headers['consistency-token'] || this.consistency;
        if (makes && reply.status < 300 && reply.json && reply.json.id) {
            this.made.push({ kind: makes[1], id: reply.json.id, name: reply.json.title || reply.json.email || reply.json.name });
        }
        return reply;
    }

    /** Is it there? Asked when an answer has not come. */
    async answers() {
        const timeoutMs = Math.min(HEALTH_LIMIT_MS, this.options.timeoutMs);
        return this.send('GET', '/health', { timeoutMs }).then(() => true, () => false);
    }

    person(token) {
        return new Person(this, token);
    }

    /** Something that several checks use, and the first one makes. */
    only(name, make) {
        if (!this.once.has(name)) {
            this.once.set(name, make());
        }
        return this.once.get(name);
    }

    /** The members of a risk of this run's own. */
    riskBody(more) {
        return { title: this.name, description: LONG.repeat(20), impact: 1, probability: 1, tags: ['openrisk-verify'], ...more };
    }

    /** The one risk that checks change. */
    async risk() {
        return this.only('risk', async () => {
            const { status, json } = await this.me.post('/risks', this.riskBody());
            if (status !== 201 || !json || !json.id) {
                throw new Error(`POST /risks: ${status}, and no risk`);
            }
            return json;
        });
    }

    /** Change its own risk, by which all that shows risks is outdated: what PATCH answered. */
    async touch(set = {}) {
        const { id } = await this.risk();
        const { status, json } = await this.me.patch(`/risks/${id}`, { owner: `change ${++this.changes}`, ...set });
        if (status !== 200 || !json || !(json.version > 1)) {
            throw new Error(`PATCH of a risk: ${status}, and no newer version`);
        }
        return json;
    }

    /** A user of its own who may only read: {id, email, person}. */
    async viewer() {
        return this.only('viewer', async () => {
            const email = `${this.mark}@openrisk-verify.invalid`;
            const password = crypto.randomBytes(18).toString('base64url');
            const { status, json } = await this.me.post('/users', { email, password, full_name: this.name, role: 'viewer' });
            if (status !== 201) {
                throw new Error(`POST /users: ${status}`);
            }
            const session = await this.person().post('/auth/login', { email, password });
            if (session.status !== 200 || !session.json || !session.json.token) {
                throw new Error(`a user who was just made cannot sign in: ${session.status}`);
            }
            return { id: json.id, email, person: this.person(session.json.token) };
        });
    }

    /** An API token of its own that may only read, for an hour: {id, person}. */
    async readToken() {
        const body = { name: this.name, scope: 'read', expires_at: new Date(Date.now() + 3600000).toISOString() };
        const { status, json } = await this.me.post('/tokens', body);
        if (status !== 201 || !json || !json.token) {
            throw new Error(`POST /tokens: ${status}, and no token`);
        }
        return { id: json.id, person: this.person(json.token) };
    }

    /** A command of the operator's: it must succeed. A Ctrl-C at the terminal does not reach it. */
    command(line) {
        return new Promise((resolve, reject) => {
            const child = spawn('sh', ['-c', line], { detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
            let said = '';
            let limit;
            const end = (action, value) => {
                clearTimeout(limit);
                child.stderr.destroy(); // What the command has started may have it still.
                action(value);
            };
            limit = setTimeout(() => end(reject, new Error(`"${line}" did not end within ${COMMAND_LIMIT_MS / 1000} s`)), COMMAND_LIMIT_MS);
            child.stderr.setEncoding('utf8').on('data', (text) => (said = (said + text).slice(-1000)));
            child.on('error', (error) => end(reject, error));
            child.on('exit', (code) => {
                const last = said.trim().split('\n').pop();
                if (code === 0) {
                    end(resolve);
                } else {
                    end(reject, new Error(`"${line}" ended with ${code}${last ? `: ${last}` : ''}`));
                }
            });
            child.unref();
        });
    }

    // The removal

    /** Remove all that was made. What is still there then is in `left`, each with the reason. */
    async clear() {
        for (const { what, run } of this.undo.reverse()) {
            await run().catch((error) => this.left.push(`${what}: ${error.message}`));
        }
        if (this.isGone && !(await this.answers())) {
            const made = this.made.map(({ kind, id, name }) => `${kind.slice(0, -1)} ${id} "${name}"`);
            this.left.push(...made.map((one) => `${one}: OpenRisk does not answer`));
        } else {
            await this.removeAll();
        }
        [this.client, ...this.ops, this.prometheus, this.alertmanager, this.grafana].forEach((client) => client && client.close());
    }

    async removeAll() {
        for (const one of this.made.reverse()) {
            await this.remove(one);
        }
        if (this.mayHaveMade) {
            await this.search().catch((error) => this.left.push(`whether more of "${this.name}" is left is not known: ${error.message}`));
        }
        if (this.signedIn) {
            const { status } = await this.ask('POST', '/auth/logout').catch(() => ({ status: 0 }));
            if (status !== 204) {
                this.left.push('its session, which ends by itself after 12 hours');
            }
        }
    }

    ask(method, route) {
        const timeoutMs = Math.min(CLEAR_LIMIT_MS, this.options.timeoutMs);
        return this.send(method, route, { headers: {}, token: this.me.token, timeoutMs });
    }

    async remove({ kind, id, name }) {
        const why = await this.ask('DELETE', `/${kind}/${id}`).then(
            ({ status, json }) => (status === 204 || status === 404 ? undefined : `${status} ${(json && json.error) || ''}`),
            (error) => error.message,
        );
        if (why !== undefined) {
            this.left.push(`${kind.slice(0, -1)} ${id} "${name}": ${why}`);
        }
    }

    /** Is there more with its mark, or still? A Consistency-Token sees to it that what was deleted is not found again. */
    async search() {
        const known = (id) => this.left.some((text) => text.includes(id));
        for (const [kind, items] of [['risks', await this.risksLeft()], ['tokens', await this.tokensLeft()], ['users', await this.usersLeft()]]) {
            for (const { id, title, email, name } of items.filter((item) => !known(item.id))) {
                await this.remove({ kind, id, name: title || email || name });
            }
        }
    }

    async items(route) {
        const { status, json } = await this.ask('GET', route);
        if (status !== 200 || !json || !Array.isArray(json.items)) {
            throw new Error(`GET ${route}: ${status}`);
        }
        return json;
    }

    async risksLeft() {
        return (await this.items(`/risks?q=${this.mark}&limit=200`)).items;
    }

    async tokensLeft() {
        return (await this.items('/tokens')).items.filter(({ name }) => name === this.name);
    }

    async usersLeft() {
        const found = [];
        let after = '';
        for (let page = 0; this.isAdmin && page < PAGES_MAX && after !== undefined; page++) {
            const { items, next } = await this.items(`/users?limit=200${after}`);
            found.push(...items.filter(({ email }) => email.startsWith(this.mark)));
            after = next ? `&after=${encodeURIComponent(next)}` : undefined;
        }
        return found;
    }
}

module.exports = { Interrupted, Run };
