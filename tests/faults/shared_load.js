/**
 * 64 clients of one or several nodes whose second level fails, and what they must be told in spite of it.
 *
 *   const load = await startSharedLoad(t, [server], { patienceMs: 4000 });
 *   … the fault …
 *   await load.stop();
 *   load.assertServed(); // nothing was wrong, and nothing was refused
 *
 * They read more than a node keeps in memory (CACHE_MAX_BYTES=1MiB), so what is asked for again is found in
 * the second level or nowhere; and they write, all at about the same time and then for a while not, so that
 * there is something to find. Each answer is held against what is known when it comes: by truth.js as long as
 * there is one node, where nobody is shown less than anybody was shown before. With several nodes that
 * holds for each by itself; and who brings the token of a write sees that write on any of them.
 */
'use strict';

const assert = require('node:assert');

const { Client } = require('../http/lib');
const { Load } = require('./load');

const ENV = {
    CACHE_MAX_BYTES: '1MiB',
    CACHE_TTL_RISKS: '1h',
    CACHE_TTL_STATS: '1h',
    CACHE_TTL_MATRIX: '1h',
    CACHE_TTL_TRENDS: '1h',
    // Nobody is refused because 64 ask at once on a slow machine.
    DB_POOL_ACQUIRE_TIMEOUT: '20s',
    DB_POOL_MAX_WAITING: '400',
    DB_WRITE_TIMEOUT: '20s',
    CACHE_WAIT_TIMEOUT: '20s',
    REDIS_TIMEOUT: '150ms', // by default 50, which a busy machine exceeds without any fault
};
const CLIENTS = { lists: 36, risks: 14, stats: 6, writers: 8 };
const FILLERS = 64;
const READ_PAUSE_MS = 120;
const WRITE_PAUSE_MS = 1500;
const SORTS = ['created_at', 'title', 'score'];
const LIMITS = [10, 15, 20, 25, 30, 35, 40, 45];
const PAGES = 2;

/** The words of a filler's description: a kilobyte that says which one it is. */
function fillerText(number) {
    return `Nobody ever changes number ${number}. `.repeat(30).trim();
}

class SharedLoad extends Load {
    constructor(nodes, admin, patienceMs) {
        super(nodes[0], admin, patienceMs);
        this.nodes = nodes;
        this.ways = new Map(); // Cache-Status → how many answers
        this.fillers = new Map(); // id → number
        this.tokens = new Map(); // risk → {token, version} of its last write that was acknowledged
        this.seen = nodes.map(() => new Map()); // per node: risk → the highest version it has shown
    }

    /** As ever; and the way that it came is counted. A client may have `headers`. */
    async send(kind, client, method, route, body) {
        const asking = { request: (...args) => Client.prototype.request.call(client, ...args, client.headers) };
        const reply = await super.send(kind, asking, method, route, body);
        const way = reply && reply.headers['cache-status'];
        if (way) {
            this.ways.set(way, 1 + (this.ways.get(way) || 0));
        }
        client.reply = reply;
        return reply;
    }

    /** What must be shown of a risk at least, to who asks this node now; with its token, if `brings` it. */
    floorOf(node, risk, brings) {
        const shown = this.seen[node].get(risk) || 1;
        const token = this.tokens.get(risk);
        return brings && token ? Math.max(shown, token.version) : shown;
    }

    bring(client, risk) {
        const token = this.nodes.length > 1 && this.tokens.get(risk);
        client.headers = token ? { 'Consistency-Token': token.token } : {};
    }

    observe(node, risk, shown, floor) {
        risk.observe(shown, floor);
        this.seen[node].set(risk, Math.max(this.seen[node].get(risk) || 1, shown.version));
    }

    observeFiller(item) {
        const number = this.fillers.get(item.id);
        if (number !== undefined) {
            const { title, description, version } = item;
            assert.deepStrictEqual({ title, description, version }, { title: `Filler ${number}`, description: fillerText(number), version: 1 });
        }
    }

    any(list) {
        return list[++this.serial % list.length];
    }

    /** One risk: it is at least as new as its last write that was acknowledged. */
    async readRisk(node, client) {
        const risk = this.any(this.truth.risks);
        this.bring(client, risk);
        const floor = this.floorOf(node, risk, true);
        const reply = await this.ask('risk', client, 'GET', `/risks/${risk.id}`, undefined, [200]);
        this.observe(node, risk, reply.json, floor);
    }

    /** A page of a list, of which there are many: all that is in it is right. */
    async readPage(node, client) {
        const brought = this.any(this.truth.risks);
        const limit = LIMITS[Math.floor(this.serial / 7) % LIMITS.length];
        const [sort, page] = [SORTS[this.serial % SORTS.length], 1 + (this.serial % PAGES)];
        this.bring(client, brought);
        const floors = this.truth.risks.map((risk) => this.floorOf(node, risk, this.nodes.length === 1 || risk === brought));
        const reply = await this.ask('list', client, 'GET', `/risks?sort_by=${sort}&sort_dir=asc&limit=${limit}&page=${page}`, undefined, [200]);
        const { items } = reply.json;
        assert.ok(items.length === Math.min(limit, Math.max(0, reply.json.total - (page - 1) * limit)), `${items.length} of ${limit} on page ${page} of ${reply.json.total}`);
        const shown = new Map(items.map((item) => [item.id, item]));
        this.truth.risks.forEach((risk, i) => {
            if (shown.has(risk.id)) {
                this.observe(node, risk, shown.get(risk.id), floors[i]);
            }
        });
        items.forEach((item) => this.observeFiller(item));
    }

    /** How many risks there are: those whose making was acknowledged, and of the others each or not. */
    async readStats(node, client) {
        const made = [...this.truth.made.values()].filter(Boolean).length;
        client.headers = {};
        const reply = await this.ask('stats', client, 'GET', this.any(['/stats', '/stats/risk-distribution']), undefined, [200]);
        const count = (reply.json.total_risks ?? reply.json.total) - FILLERS;
        const least = this.nodes.length === 1 ? made : 0;
        assert.ok(count >= least && count <= this.truth.made.size, `${count} risks, of ${made} to ${this.truth.made.size}`);
    }

    /** A writer has a risk of its own, and asks one node after the other. */
    async writeAt(node, client, turn, number) {
        const risk = this.truth.risks[number];
        client.headers = {};
        const before = risk.acknowledged;
        await this.write(client, turn, risk, number);
        const token = client.reply && client.reply.headers['consistency-token'];
        assert.ok(token, 'the answer to a write carries a token');
        if (risk.acknowledged > before) {
            this.tokens.set(risk, { token, version: risk.acknowledged });
            this.seen[node].set(risk, risk.acknowledged);
        }
    }

    async prepare() {
        await this.truth.prepare(this.admin, CLIENTS.writers);
        for (let i = 0; i < FILLERS; i++) {
            const body = { title: `Filler ${i}`, description: fillerText(i), impact: 1 + (i % 5), probability: 1 + (i % 4), source: 'FILLER' };
            this.fillers.set((await this.admin.expect(201, 'POST', '/risks', body)).json.id, i);
        }
    }

    async start() {
        await this.prepare();
        const spread = (count, kind, step, pauseMs) => {
            for (let i = 0; i < count; i++) {
                const node = i % this.nodes.length;
                this.run(kind, (client, turn) => step(node, client, turn, i), pauseMs, this.nodes[node]);
            }
        };
        spread(CLIENTS.lists, 'list', (...args) => this.readPage(...args), READ_PAUSE_MS);
        spread(CLIENTS.risks, 'risk', (...args) => this.readRisk(...args), READ_PAUSE_MS);
        spread(CLIENTS.stats, 'stats', (...args) => this.readStats(...args), READ_PAUSE_MS);
        spread(CLIENTS.writers, 'write', (...args) => this.writeAt(...args), WRITE_PAUSE_MS);
    }

    /** Nothing was wrong, and everybody was served. */
    assertServed() {
        this.assertSound();
        const refused = this.answers.filter(({ status }) => status !== 200 && status !== 201);
        assert.deepStrictEqual(refused.slice(0, 3), [], `${refused.length} were not served`);
    }

    /** By which ways answers came since `before`, a copy of `ways`. */
    waysSince(before) {
        const names = [...this.ways.keys()].sort();
        return names.map((way) => `${way.replace(/^openrisk; /, '')} ×${this.ways.get(way) - (before.get(way) || 0)}`).join(', ');
    }
}

async function startSharedLoad(t, nodes, { patienceMs }) {
    const load = new SharedLoad(nodes, await nodes[0].signIn(), patienceMs);
    t.after(() => load.stop());
    await load.start();
    return load;
}

module.exports = { ENV, startSharedLoad };
