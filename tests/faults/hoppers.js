/**
 * Clients that ask and write at several nodes, each time at one that they choose at random, and note in a
 * chronicle (chronicle.js) what they wrote and what they were shown.
 *
 *   const crowd = new Crowd(nodes, { seed: 7 });
 *   await crowd.prepare(200);
 *   crowd.start({ clients: 32, operations: 20000 });
 *   … the fault, when crowd.progress() says so …
 *   await crowd.ended;
 *   crowd.chronicle.check({ limitMs: 1000 });
 *
 * A third of them carry no token and may be shown what is up to a second old; the others bring the
 * Consistency-Token that they got last, every fourth of them by a browser's cookies.
 *
 * A node that loads something learns of all writes by that. What is old is therefore seen best where nothing
 * but what is kept is asked for. `habits(number)` may give a client nodes of its own, and have it read only
 * a few answers (`isNarrow`); such a client does not wait for long before it asks again, and what it is shown
 * late counts all the same. Or it changes one of those and looks at it at once at other nodes (`looksAt`).
 */
'use strict';

const assert = require('node:assert');

const { ADMIN, Client } = require('../http/lib');
const { UNVERIFIED } = require('../http/cached');
const { levelOf, randomOf } = require('../http/register');
const { Chronicle } = require('./chronicle');

const OWNERS = 16;
const TAGS = 6;
const ASSETS = 8;
const HOT = 12; // of the risks; half of what is asked is about them
const BULK = 6;
const TAGGED_EVERY = 4; // every so many risks have a tag, so that a list holds all of them
const WRITES_PERCENT = 5;
const LIST_LIMIT = 200;
const NARROW = 4; // of the hot ones
const NARROW_PAUSE_MS = 3;
const NARROW_PATIENCE_MS = 400;
const LOOK_PAUSE_MS = 60;
const REFUSED_PAUSE_MS = 20;
const LEVELS = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'];

/** What is asked for, and how often. */
const READS = [[45, 'readRisk'], [18, 'listByOwner'], [8, 'listByTag'], [6, 'listByScore'], [6, 'listTop'], [9, 'readStats'], [4, 'listAssets'], [4, 'readAsset']];
const WRITES = [[60, 'patch'], [12, 'create'], [12, 'remove'], [8, 'restore'], [5, 'bulk'], [6, 'patchAsset']];

const isSuccess = (status) => status >= 200 && status < 300;
const scoreOf = ({ impact, probability }) => impact * probability;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Hopper {
    constructor(crowd, number, way, { nodes = crowd.nodes, isNarrow = false, looksAt } = {}) {
        this.crowd = crowd;
        this.chronicle = crowd.chronicle;
        this.random = randomOf(crowd.seed * 1000 + number);
        this.way = way; // "none", "header" or "cookie"
        this.nodes = nodes;
        this.isNarrow = isNarrow || Boolean(looksAt);
        this.looksAt = looksAt;
        this.written = []; // {thing, index}, as they were acknowledged
        this.late = []; // what it reads and does not wait for
        this.clients = new Map();
        this.cookies = {};
    }

    get carriesToken() {
        return this.way !== 'none';
    }

    /** By a browser's form: it gets a cookie and no token. */
    async signIn(node) {
        const reply = await this.clientOf(node).expect(200, 'POST', '/auth/login', ADMIN, { Origin: node.url });
        this.takeCookies(reply);
        assert.ok(this.cookies.openrisk_session);
    }

    takeCookies(reply) {
        for (const line of reply.headers['set-cookie'] || []) {
            const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
            this.cookies[name] = value;
        }
    }

    clientOf(node) {
        if (!this.clients.has(node.url)) {
            this.clients.set(node.url, new Client(node.url, this.way === 'cookie' ? undefined : this.crowd.token));
        }
        return this.clients.get(node.url);
    }

    headersFor(node) {
        if (this.way === 'cookie') {
            return { Cookie: Object.entries(this.cookies).map(([name, value]) => `${name}=${value}`).join('; '), Origin: node.url };
        }
        return this.way === 'header' && this.token ? { 'Consistency-Token': this.token } : {};
    }

    /** Some node's answer; undefined if there was none, or a refusal that may be. */
    async ask(method, route, body, statuses) {
        const node = this.random.of((method === 'GET' && this.looksAt) || this.nodes);
        const asked = { began: performance.now(), own: this.written.length, what: `${method} ${route} at ${node.name}, ${this.way}` };
        let reply;
        try {
            reply = await this.clientOf(node).request(method, route, body, this.headersFor(node));
        } catch (error) {
            if (!this.crowd.mayFail) {
                this.chronicle.fault(`${asked.what}: ${error.message}`);
            }
            this.crowd.count('no answer');
            return undefined;
        }
        asked.ended = performance.now();
        this.crowd.count(reply.headers['cache-status'] || `${method} ${reply.status}`);
        if (reply.status === 503 && this.crowd.mayRefuse) {
            return undefined;
        }
        if (!statuses.includes(reply.status)) {
            this.chronicle.fault(`${asked.what}: ${reply.status} ${reply.body.slice(0, 300)}`);
            return undefined;
        }
        this.takeCookies(reply);
        this.token = reply.headers['consistency-token'] || this.token;
        if (method !== 'GET' && this.carriesToken && !(this.way === 'cookie' ? this.cookies.openrisk_consistency : this.token)) {
            this.chronicle.fault(`${asked.what}: no token`);
        }
        return { ...asked, reply, isUnverified: reply.headers['cache-status'] === UNVERIFIED };
    }

    /** Ask for what is kept; `understand(json)` gives what was shown. */
    async read(route, statuses, understand) {
        this.crowd.routes.add(route);
        const answer = await this.ask('GET', route, undefined, statuses);
        if (answer) {
            const { reply, ...asked } = answer;
            this.chronicle.see({ ...asked, client: this.carriesToken ? this : undefined, ...understand(reply) });
        }
        return Boolean(answer);
    }

    riskToRead() {
        const { risks } = this.crowd;
        return this.isNarrow ? risks[this.random.below(NARROW)] : risks[this.random.below(2) ? this.random.below(HOT) : this.random.below(risks.length)];
    }

    readRisk(risk = this.riskToRead()) {
        return this.read(`/risks/${risk.id}`, [200, 404], ({ status, json }) => {
            if (status === 404) {
                return { items: [{ thing: risk }] };
            }
            const assets = json.assets.map(({ id, name }) => ({ thing: this.crowd.assetOf(id), marker: name }));
            return { items: [this.crowd.itemOf(json), ...assets] };
        });
    }

    listRisks(query, lists) {
        return this.read(`/risks?${query}&limit=${LIST_LIMIT}`, [200], ({ json }) => {
            const scores = json.items.map(({ score }) => score);
            if (json.total !== json.items.length || scores.some((score, i) => score > scores[i - 1])) {
                this.chronicle.fault(`${query}: total ${json.total}, but ${json.items.length} items; scores ${scores}`);
            }
            if (json.items.some((item) => !lists(this.crowd.fieldsOf(item)))) {
                this.chronicle.fault(`${query}: lists what it does not look for: ${JSON.stringify(json)}`);
            }
            return { items: json.items.map((item) => this.crowd.itemOf(item)), lists: (fields) => !fields.isAsset && lists(fields) };
        });
    }

    listByOwner() {
        const owner = this.crowd.ownerOf(this.random.below(this.random.of([4, OWNERS])));
        return this.listRisks(`owner=${owner}`, (fields) => fields.owner === owner);
    }

    listByTag() {
        const tag = this.crowd.tagOf(this.random.below(TAGS));
        return this.listRisks(`tag=${tag}`, (fields) => fields.tags.includes(tag));
    }

    listByScore() {
        const least = this.random.of([20, 25]);
        return this.listRisks(`min_score=${least}`, (fields) => scoreOf(fields) >= least);
    }

    /** Not all that there are: only what it shows is held against the chronicle, and how many there are. */
    listTop() {
        return this.read(`/risks?limit=${this.random.of([10, 20])}`, [200], ({ json }) => ({
            items: json.items.map((item) => this.crowd.itemOf(item)),
            counts: [{ name: 'total', number: json.total, matches: (fields) => !fields.isAsset }],
        }));
    }

    readStats() {
        return this.read('/stats', [200], ({ body, json }) => {
            const levels = json.risks_by_severity;
            const sum = Object.values(levels).reduce((all, count) => all + count, 0);
            if (sum !== json.total_risks || json.high_risks !== levels.CRITICAL + levels.HIGH) {
                this.chronicle.fault(`/stats contradicts itself: ${body}`);
            }
            const counts = LEVELS.map((level) => ({
                name: level, number: levels[level], matches: (fields) => !fields.isAsset && levelOf(scoreOf(fields)) === level,
            }));
            return { counts: [...counts, { name: 'total_risks', number: json.total_risks, matches: (fields) => !fields.isAsset }] };
        });
    }

    listAssets() {
        return this.read('/assets?limit=200', [200], ({ json }) => ({
            items: json.items.map(({ id, name }) => ({ thing: this.crowd.assetOf(id), marker: name })),
            lists: (fields) => fields.isAsset,
        }));
    }

    readAsset() {
        const asset = this.random.of(this.crowd.assets);
        return this.read(`/assets/${asset.id}`, [200], ({ json }) => ({ items: [{ thing: asset, marker: json.name }] }));
    }

    /** Send what changes `things` into what `change(fields)` makes of them. */
    async write(things, change, method, route, body, statuses) {
        const states = things.map((thing) => thing.write(change(thing.last.fields)));
        const answer = await this.ask(method, route, body, statuses);
        things.forEach((thing, i) => {
            if (answer) {
                thing.acknowledge(states[i], answer.ended);
                this.written.push({ thing, index: states[i].index });
            } else {
                thing.doubt();
            }
        });
        return answer;
    }

    /** Some risks that nobody is writing, and that are there, or were deleted. */
    risksToWrite(count, areThere = true) {
        const [chosen, { risks }] = [new Set(), this.crowd];
        for (let i = 0; chosen.size < count && i < 4 * count + risks.length * Number(!areThere); i++) {
            const risk = areThere ? this.riskToRead() : this.random.of(risks);
            if (!risk.isBusy && !risk.isFrozen && Boolean(risk.last.fields) === areThere) {
                chosen.add(risk);
            }
        }
        return chosen.size === count ? [...chosen] : undefined;
    }

    async patch() {
        const [risk] = this.risksToWrite(1) || [];
        if (!risk) {
            return false;
        }
        const { marker, ...change } = this.crowd.newFields(this.random);
        const fields = { ...risk.last.fields, ...change, marker };
        const answer = await this.write([risk], () => fields, 'PATCH', `/risks/${risk.id}`, { ...change, category: marker }, [200]);
        if (answer && (answer.reply.json.version !== risk.last.index || answer.reply.json.category !== marker)) {
            this.chronicle.fault(`${answer.what}: is answered with ${answer.reply.body.slice(0, 200)}, not version ${risk.last.index}`);
        }
        return true;
    }

    async create() {
        const { chronicle, crowd } = this;
        const { marker, ...more } = crowd.newFields(this.random);
        const fields = { tags: [], ...more, marker };
        const risk = chronicle.thing(`risk ${crowd.risks.length}`);
        crowd.unnamed.set(marker, risk);
        const { marker: category, ...rest } = fields;
        const answer = await this.write([risk], () => fields, 'POST', '/risks', { title: marker, category, ...rest }, [201]);
        if (answer) {
            crowd.name(risk, answer.reply.json.id);
        }
        return true;
    }

    async remove() {
        const [risk] = this.risksToWrite(1) || [];
        return Boolean(risk && await this.write([risk], () => undefined, 'DELETE', `/risks/${risk.id}`, undefined, [204]));
    }

    async restore() {
        const [risk] = this.risksToWrite(1, false) || [];
        const before = risk && risk.states.at(-2).fields;
        return Boolean(before && await this.write([risk], () => before, 'POST', `/risks/${risk.id}/restore`, undefined, [200]));
    }

    async bulk() {
        const risks = this.risksToWrite(BULK);
        if (!risks) {
            return false;
        }
        const { marker, owner } = this.crowd.newFields(this.random);
        const body = { ids: risks.map(({ id }) => id), set: { owner, category: marker } };
        await this.write(risks, (fields) => ({ ...fields, owner, marker }), 'POST', '/risks/bulk', body, [200]);
        return true;
    }

    async patchAsset() {
        const asset = this.random.of(this.crowd.assets);
        if (asset.isBusy || asset.isFrozen) {
            return false;
        }
        const { marker } = this.crowd.newFields(this.random);
        await this.write([asset], (fields) => ({ ...fields, marker }), 'PATCH', `/assets/${asset.id}`, { name: marker }, [200]);
        return true;
    }

    choose(kinds) {
        let left = this.random.below(kinds.reduce((sum, [weight]) => sum + weight, 0));
        return kinds.find(([weight]) => (left -= weight) < 0)[1];
    }

    async readInPatience() {
        let isLate = true;
        const read = this.readRisk().finally(() => (isLate = false));
        await Promise.race([read, pause(NARROW_PATIENCE_MS)]);
        if (isLate) {
            this.late.push(read);
        }
        await pause(NARROW_PAUSE_MS);
        return isLate || read;
    }

    async changeAndLook() {
        if (await this.patch() && this.written.length > 0) {
            await this.readRisk(this.written.at(-1).thing);
        }
        await pause(LOOK_PAUSE_MS);
        return true;
    }

    turn() {
        if (this.looksAt) {
            return this.changeAndLook();
        }
        const kinds = this.random.below(100) < WRITES_PERCENT ? WRITES : READS;
        return this.isNarrow ? this.readInPatience() : this[this.choose(kinds)]();
    }

    async run() {
        while (this.crowd.left > 0) {
            this.crowd.left--;
            if (!await this.turn()) {
                await pause(REFUSED_PAUSE_MS);
            }
            this.chronicle.operations++;
        }
        await Promise.all(this.late);
        this.clients.forEach((client) => client.close());
    }
}

class Crowd {
    constructor(nodes, { seed }) {
        this.nodes = nodes;
        this.seed = seed;
        this.chronicle = new Chronicle();
        this.risks = [];
        this.assets = [];
        this.byId = new Map();
        this.unnamed = new Map(); // marker → a risk whose id nobody has been told yet
        this.routes = new Set();
        this.answers = new Map();
        this.serial = 0;
        this.mayFail = false; // a node is killed: there need not be an answer
        this.mayRefuse = false; // the database is away: 503 may be
    }

    ownerOf(number) {
        return `owner-${this.seed}-${number}`;
    }

    tagOf(number) {
        return `tag-${this.seed}-${number}`;
    }

    /** New values of a risk; the marker is in its category, and tells this write from all others. */
    newFields(random) {
        return {
            marker: `${this.seed}.${++this.serial}`,
            owner: this.ownerOf(random.below(OWNERS)),
            impact: 1 + random.below(5),
            probability: 1 + random.below(5),
        };
    }

    fieldsOf({ category, owner, impact, probability, tags }) {
        return { marker: category, owner, impact, probability, tags };
    }

    name(risk, id) {
        risk.id = id;
        this.byId.set(id, risk);
        this.risks.push(risk);
    }

    /** What a body shows of a risk; it may be one whose writer has not been answered yet. */
    itemOf({ id, version, category, title }) {
        if (!this.byId.has(id) && this.unnamed.has(title)) {
            this.byId.set(id, this.unnamed.get(title)); // nobody else asks for it before it is known to be there
        }
        return { thing: this.byId.get(id) || this.chronicle.thing(`unknown risk ${id}`), version, marker: category };
    }

    assetOf(id) {
        return this.byId.get(id);
    }

    count(what) {
        this.answers.set(what, 1 + (this.answers.get(what) || 0));
    }

    /** Make the assets and the risks, at the first node. */
    async prepare(risks) {
        const admin = await this.nodes[0].signIn();
        const random = randomOf(this.seed);
        this.token = admin.token;
        for (let i = 0; i < ASSETS; i++) {
            const asset = this.chronicle.thing(`asset ${i}`);
            const { marker } = this.newFields(random);
            const state = asset.write({ marker, isAsset: true });
            const { json } = await admin.expect(201, 'POST', '/assets', { name: marker, criticality: 'MEDIUM' });
            asset.acknowledge(state);
            asset.id = json.id;
            this.byId.set(json.id, asset);
            this.assets.push(asset);
        }
        for (let i = 0; i < risks; i++) {
            const fields = { ...this.newFields(random), tags: i % TAGGED_EVERY ? [] : [this.tagOf(random.below(TAGS))] };
            const risk = this.chronicle.thing(`risk ${i}`);
            const state = risk.write(fields);
            const { marker: category, ...more } = fields;
            const asset_ids = i < 2 * ASSETS ? [this.assets[i % ASSETS].id] : [];
            const { json } = await admin.expect(201, 'POST', '/risks', { title: category, category, asset_ids, ...more });
            risk.acknowledge(state);
            this.name(risk, json.id);
        }
        this.chronicle.writes = 0;
    }

    /** `ways`: by which they carry tokens, one after the other. */
    async start({ clients, operations = Infinity, ways = ['none', 'header', 'header', 'none', 'cookie', 'header'], habits = () => ({}) }) {
        this.operations = operations;
        this.left = operations;
        this.began = performance.now();
        this.hoppers = Array.from({ length: clients }, (_, i) => new Hopper(this, i, habits(i).way || ways[i % ways.length], habits(i)));
        for (const hopper of this.hoppers.filter(({ way }) => way === 'cookie')) {
            await hopper.signIn(this.nodes[0]);
        }
        this.ended = Promise.all(this.hoppers.map((hopper) => hopper.run()));
    }

    /** Instead of a number of operations. */
    stop() {
        this.left = 0;
    }

    /** From 0 to 1. */
    progress() {
        return this.chronicle.operations / this.operations;
    }

    seconds() {
        return (performance.now() - this.began) / 1000;
    }
}

module.exports = { Crowd };
