/**
 * Clients of a server whose database fails, what they may be told, and how long they may wait for it.
 *
 *   const load = await startLoad(t, server, { kept: 8, lists: 8, writers: 4, patienceMs: 2000 });
 *   … the fault …
 *   await load.stop();
 *   load.assertSound(); // the first thing that was wrong, if anything was
 *
 * Every answer is held against what is known (truth.js) when it comes. A client waits for its answer,
 * rests, and asks again, so a fast refusal does not make a flood.
 */
'use strict';

const assert = require('node:assert');

const { ADMIN } = require('../http/lib');
const { UNVERIFIED } = require('../http/cached');
const { assertProblem } = require('../http/register');
const { Truth } = require('./truth');

const PAUSE_MS = 40;
const SIGN_IN_PAUSE_MS = 400;
const LATENESS_EVERY_MS = 20;
const NEW_TOKEN_PAUSE_MS = 500;
const TOKENS = 45; // one user may have 50
const SHOWN_FAULTS = 5;

/** How late this process does what is due: what the machine, and not the server, adds to a wait. */
class Lateness {
    constructor() {
        this.maxMs = 0;
        this.due = performance.now() + LATENESS_EVERY_MS;
        this.timer = setInterval(() => {
            const now = performance.now();
            this.maxMs = Math.max(this.maxMs, now - this.due);
            this.due = now + LATENESS_EVERY_MS;
        }, LATENESS_EVERY_MS);
    }

    stop() {
        clearInterval(this.timer);
    }
}

class Load {
    constructor(server, admin, patienceMs) {
        this.server = server;
        this.admin = admin;
        this.patienceMs = patienceMs;
        this.truth = new Truth();
        this.lateness = new Lateness();
        this.answers = []; // {kind, status, isUnverified, sent, ended}; status 0: there was none
        this.faults = [];
        this.underWay = 0; // requests
        this.mayFailWith = []; // codes of errors that are no faults: the server is being stopped
        this.fresh = []; // tokens with which nobody has asked yet
        this.clients = [];
        this.serial = 0;
    }

    fault(kind, error) {
        this.faults.push(`${kind}: ${error.message}`);
    }

    /** Send it and note what came: an answer, or undefined if there is none and may be none. */
    async send(kind, client, method, route, body) {
        const sent = performance.now();
        this.underWay++;
        try {
            const reply = await client.request(method, route, body);
            const isUnverified = reply.headers['cache-status'] === UNVERIFIED;
            this.answers.push({ kind, status: reply.status, isUnverified, sent, ended: performance.now() });
            return reply;
        } catch (error) {
            this.answers.push({ kind, status: 0, code: error.code, sent, ended: performance.now() });
            if (!this.mayFailWith.includes(error.code)) {
                throw error;
            }
            return undefined;
        } finally {
            this.underWay--;
        }
    }

    /** Ask once. Gives the answer if it has one of `statuses`, undefined for a refusal that may be. */
    async ask(kind, client, method, route, body, statuses) {
        const reply = await this.send(kind, client, method, route, body);
        if (!reply) {
            return undefined;
        }
        const { sent, ended } = this.answers.at(-1);
        const limitMs = this.patienceMs + this.lateness.maxMs;
        assert.ok(ended - sent <= limitMs, `${method} ${route}: ${reply.status} after ${Math.round(ended - sent)} of ${Math.round(limitMs)} ms`);
        if (statuses.includes(reply.status)) {
            return reply;
        }
        assertProblem(reply, 503);
        assert.doesNotMatch(reply.body, /DATABASE_URL|connection to server|127\.0\.0\.1/, 'what only the operator may know');
        assert.match(reply.headers['retry-after'] || '', /^[1-9]\d*$/, `${method} ${route}: Retry-After`);
        return undefined;
    }

    /** `step` again and again, until the load ends; what it throws is a fault. `server`: of whom it asks. */
    run(kind, step, pauseMs = PAUSE_MS, server = this.server) {
        const client = server.client(this.admin.token);
        const turns = async () => {
            for (let turn = 0; !this.isStopping; turn++) {
                try {
                    await step(client, turn);
                } catch (error) {
                    this.fault(kind, error);
                }
                await new Promise((resolve) => setTimeout(resolve, pauseMs));
            }
            client.close();
        };
        this.clients.push(turns());
    }

    async readKept(client) {
        const risk = this.truth.risks[++this.serial % this.truth.risks.length];
        const floor = risk.seen;
        const reply = await this.ask('kept', client, 'GET', `/risks/${risk.id}`, undefined, [200]);
        if (reply) {
            risk.observe(reply.json, floor);
        }
    }

    /** What no write of this load makes outdated. */
    async readAssets(client) {
        const reply = await this.ask('asset', client, 'GET', '/assets', undefined, [200]);
        assert.ok(!reply || reply.json.total === 0);
    }

    /** Lists of many sizes, which are hardly ever kept already. */
    async readList(client) {
        const floors = this.truth.floors();
        const limit = 50 + (++this.serial % 150);
        const reply = await this.ask('list', client, 'GET', `/risks?sort_by=created_at&limit=${limit}`, undefined, [200]);
        if (reply) {
            assert.ok(reply.json.items.length >= this.truth.risks.length, 'the first risks are in the list');
            this.truth.observeList(reply.json.items, floors);
        }
    }

    /** A writer has a risk of its own; now and then it makes a new one. */
    async write(client, turn, risk, number) {
        if (turn % 4 === 3) {
            const external = `made-${number}-${turn}`;
            this.truth.made.set(external, false);
            const body = { title: external, impact: 2, probability: 2, source: 'TEST', external_id: external };
            const reply = await this.ask('write', client, 'POST', '/risks', body, [201]);
            this.truth.made.set(external, reply !== undefined);
            return;
        }
        const floor = risk.seen;
        const owner = risk.nextOwner();
        const reply = await this.ask('write', client, 'PATCH', `/risks/${risk.id}`, { owner, impact: 1 + (turn % 5) }, [200]);
        if (reply) {
            risk.acknowledge(reply.json, owner, floor);
        } else {
            await this.readKept(client);
        }
    }

    async signIn() {
        const client = this.server.client();
        try {
            const reply = await this.ask('sign-in', client, 'POST', '/auth/login', ADMIN, [200]);
            if (reply) {
                this.fresh.push(reply.json.token);
            }
        } finally {
            client.close();
        }
    }

    async makeTokens() {
        for (let i = 0; i < TOKENS; i++) {
            this.fresh.push((await this.admin.expect(201, 'POST', '/tokens', { name: `${i}` })).json.token);
        }
    }

    /** With a token that the server does not know yet. */
    async askWithNewToken(client) {
        if (this.fresh.length > 0) {
            client.token = this.fresh.shift();
            const reply = await this.ask('new token', client, 'GET', '/users/me', undefined, [200]);
            assert.ok(!reply || reply.json.email === ADMIN.email);
        }
    }

    /** With a token that nobody has made: refused as ever. */
    async askAsNobody(client) {
        client.token = 'made up';
        await this.ask('no token', client, 'GET', '/users/me', undefined, [401]);
        assert.notStrictEqual(this.answers.at(-1).status, 503);
    }

    async start({ kept = 0, assets = 0, lists = 0, writers = 0, strangers = 0, nobodies = 0, signers = 0 }) {
        await this.truth.prepare(this.admin, Math.max(writers, 4));
        for (let i = 0; i < kept; i++) {
            this.run('kept', (client) => this.readKept(client));
        }
        for (let i = 0; i < assets; i++) {
            this.run('asset', (client) => this.readAssets(client));
        }
        for (let i = 0; i < lists; i++) {
            this.run('list', (client) => this.readList(client));
        }
        for (let i = 0; i < writers; i++) {
            this.run('write', (client, turn) => this.write(client, turn, this.truth.risks[i], i));
        }
        if (strangers > 0) {
            await this.makeTokens();
        }
        for (let i = 0; i < strangers; i++) {
            this.run('new token', (client) => this.askWithNewToken(client), NEW_TOKEN_PAUSE_MS);
        }
        for (let i = 0; i < nobodies; i++) {
            this.run('no token', (client) => this.askAsNobody(client));
        }
        for (let i = 0; i < signers; i++) {
            this.run('sign-in', () => this.signIn(), SIGN_IN_PAUSE_MS);
        }
    }

    async stop() {
        this.isStopping = true;
        await Promise.all(this.clients);
        this.lateness.stop();
    }

    assertSound() {
        assert.strictEqual(this.faults.length, 0, `${this.faults.length} faults:\n${this.faults.slice(0, SHOWN_FAULTS).join('\n')}`);
    }

    /** How many answers of each kind there were: "kept 200 ×12, write 503 ×3"; and the longest wait. */
    summary(answers = this.answers) {
        const counts = new Map();
        for (const { kind, status, isUnverified } of answers) {
            const name = `${kind} ${status}${isUnverified ? ' unverified' : ''}`;
            counts.set(name, 1 + (counts.get(name) || 0));
        }
        const longest = answers.reduce((most, { sent, ended }) => Math.max(most, ended - sent), 0);
        return `${[...counts].sort().map(([name, count]) => `${name} ×${count}`).join(', ')}; the longest took ${Math.round(longest)} ms`;
    }
}

/** `patienceMs`: longer than any answer may take. */
async function startLoad(t, server, { patienceMs, ...clients }) {
    const load = new Load(server, await server.signIn(), patienceMs);
    t.after(() => load.stop());
    await load.start(clients);
    return load;
}

module.exports = { Load, startLoad };
