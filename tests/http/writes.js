/**
 * Random writes of every kind that the API has, one at a time, on a register that stays small.
 *
 *     const register = new Register(random);
 *     register.see(risks, assets);                 what there is: the items of both lists, whole
 *     const write = register.next();               {name, method, path, body, headers, token}
 *     … send it …
 *     register.done(write, reply);                 what cannot be seen in the lists is remembered
 *
 * A register is a model of what can be written to, not of what is right: a write may be refused.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { ROOT } = require('./lib');
const { csvLine, parseCsv } = require('../tools/csv');
const { day } = require('./register');

const RISKS_MAX = 32;
const RISKS_MIN = 8;
const ASSETS_MAX = 9;
const ASSETS_MIN = 3;
const PER_RISK_MAX = 3; // mitigations of a risk, sub-actions of a mitigation
const CALLERS_MAX = 3; // users beside the admin, API tokens
const CATALOGUE_ROWS = 6;
const DOCUMENT_RISKS = 6;
const DOCUMENT_ASSETS = 3;

const WORDS = ['alpha', 'beta', 'gamma', 'delta', 'Größe', 'naïve', '日本', '"quoted"', 'x & y', '100%'];
const STATUSES = ['DRAFT', 'ACTIVE', 'MITIGATED', 'ACCEPTED', 'CLOSED'];
const PROGRESS = ['PLANNED', 'IN_PROGRESS', 'DONE'];
const CRITICALITIES = ['LOW', 'MEDIUM', 'HIGH', 'CRITICAL'];
const ROLES = ['viewer', 'analyst', 'admin'];
const TAGS = ['red', 'green', 'blue'];
const OWNERS = ['Ann', 'Ben', null];
const SCOPES = ['risks', 'assets', 'accounts'];
const PASSWORDS = ['a password for tests only', 'another password for tests'];
const KEV = parseCsv(fs.readFileSync(path.join(ROOT, 'tests/data/kev.csv'), 'utf8')).slice(0, CATALOGUE_ROWS + 1);

/** The ids that imported documents bring along, so that they can be asked for before they exist. */
const riskIdOf = (number) => `01890a5d-ac96-774b-8000-00000000000${number}`;
const assetIdOf = (number) => `01890a5d-ac96-774b-9000-00000000000${number}`;

const patchRisk = (change) => (r) => r.onRisk((risk) => ['PATCH', `/risks/${risk.id}`, change(r, risk)]);
const patchAsset = (change) => (r) => r.on(r.assets, (asset) => ['PATCH', `/assets/${asset.id}`, change(r)]);

/**
 * Each kind: how often; what to send, undefined if there is nothing to do it to, or enough; and what
 * to remember of a success that the lists do not show.
 */
const KINDS = {
    'risk created': [6, (r) => r.ifRoom(['POST', '/risks', r.newRisk()])],
    'risk changed': [10, patchRisk((r) => r.some(r.newRisk()))],
    'risk linked': [6, patchRisk((r) => ({ asset_ids: r.assetIds() }))],
    'risk refused': [2, patchRisk((r, { id }) => r.of([{ impact: 9 }, { nonsense: 1 }, { asset_ids: [id] }]))],
    'risk of an old version': [2, (r) => r.onRisk(({ id, version }) => {
        return ['PATCH', `/risks/${id}`, { title: 'Too late' }, { 'If-Match': `"${version + 7}.0"` }];
    })],
    'risk deleted': [4, (r) => r.ifMany(r.onRisk(({ id }) => ['DELETE', `/risks/${id}`])), (r, { path: at }) => {
        r.deleted.push(at.split('/')[2]);
    }],
    'risk restored': [5, (r) => r.ifRoom(r.on(r.deleted, (id) => ['POST', `/risks/${id}/restore`]))],
    'risks changed in bulk': [3, (r) => ['POST', '/risks/bulk', { ids: r.riskIds(4), set: r.bulkChange() }]],
    'risks deleted in bulk': [2, (r) => r.ifMany(['POST', '/risks/bulk', { ids: r.riskIds(5), delete: true }]), (r, { body }) => {
        r.deleted.push(...body.ids);
    }],
    'risks restored in bulk': [2, (r) => r.ifRoom(r.on(r.deleted, (id) => ['POST', '/risks/bulk', { ids: [id], restore: true }]))],
    'risks changed in bulk, each its own': [3, (r) => ['POST', '/risks/bulk', { changes: r.riskIds(4).map((id) => ({ id, set: r.bulkChange() })) }]],

    'mitigation created': [8, (r) => r.onRisk(({ id, mitigations }) => {
        return mitigations.length < PER_RISK_MAX ? ['POST', `/risks/${id}/mitigations`, r.newMitigation()] : undefined;
    })],
    'mitigation changed': [8, (r) => r.onMitigation(({ id }) => ['PATCH', `/mitigations/${id}`, r.some(r.newMitigation())])],
    'mitigation deleted': [4, (r) => r.onMitigation(({ id }) => ['DELETE', `/mitigations/${id}`])],
    'sub-action created': [8, (r) => r.onMitigation(({ id, sub_actions: steps }) => {
        return steps.length < PER_RISK_MAX ? ['POST', `/mitigations/${id}/subactions`, r.newSubAction()] : undefined;
    })],
    'sub-action changed': [10, (r) => r.onSubAction((at) => ['PATCH', at, r.some(r.newSubAction())])],
    'sub-action deleted': [6, (r) => r.onSubAction((at) => ['DELETE', at])],

    'asset created': [4, (r) => (r.assets.length < ASSETS_MAX ? ['POST', '/assets', r.newAsset()] : undefined)],
    'asset changed': [6, patchAsset((r) => r.some(r.newAsset()))],
    'asset of another criticality': [6, patchAsset((r) => ({ criticality: r.of(CRITICALITIES) }))],
    'asset deleted': [4, (r) => (r.assets.length > ASSETS_MIN ? r.on(r.assets, ({ id }) => ['DELETE', `/assets/${id}`]) : undefined)],

    'document imported': [4, (r) => r.ifRoom(['POST', `/import/risks?format=json${r.restores()}`, r.document()])],
    'document tried': [1, (r) => ['POST', '/import/risks?format=json&dry_run=1', r.document()]],
    'catalogue imported': [3, (r) => {
        return r.ifRoom(['POST', `/import/risks?format=kev${r.restores()}`, r.catalogue(), { 'Content-Type': 'text/csv' }]);
    }],

    'user created': [3, (r) => (r.users.length < CALLERS_MAX ? ['POST', '/users', r.newUser()] : undefined), (r, { body }, { id }) => {
        r.users.push({ id, ...body });
    }],
    'user of another role': [4, (r) => r.onSession(({ id }) => ['PATCH', `/users/${id}`, { role: r.of(ROLES) }])],
    'user changed': [2, (r) => r.on(r.users, ({ id }) => ['PATCH', `/users/${id}`, r.some(r.newUser())]), (r, write) => {
        const user = Object.assign(r.userOf(write), write.body);
        if (write.body.password || write.body.is_active === false) {
            r.end(user);
        }
    }],
    'user deleted': [1, (r) => r.on(r.users, ({ id }) => ['DELETE', `/users/${id}`]), (r, write) => {
        const user = r.userOf(write);
        r.end(user);
        r.users = r.users.filter((one) => one !== user);
    }],
    'signed in': [4, (r) => r.on(r.users, ({ email, password }) => ['POST', '/auth/login', { email, password }]), (r, write, { token }) => {
        const user = r.userOf(write);
        r.end(user);
        user.token = token;
    }],
    'signed out': [2, (r) => r.onSession(({ token }) => ['POST', '/auth/logout', undefined, {}, token]), (r, write) => {
        r.end(r.userOf(write));
    }],
    'own profile changed': [2, (r) => ['PATCH', '/users/me', { full_name: r.word() }]],
    'own password changed': [2, (r) => r.onSession(({ password, token }) => {
        const body = { current_password: password, new_password: PASSWORDS.find((one) => one !== password) };
        return ['POST', '/users/me/password', body, {}, token];
    }), (r, write) => {
        r.userOf(write).password = write.body.new_password;
    }],
    'token created': [2, (r) => {
        return r.tokens.length < CALLERS_MAX ? ['POST', '/tokens', { name: r.word(), scope: r.of(['read', 'full']) }] : undefined;
    }, (r, _, { id, token }) => {
        r.tokens.push({ id, token });
    }],
    'token deleted': [1, (r) => r.on(r.tokens, ({ id }) => ['DELETE', `/tokens/${id}`]), (r, { path: at }) => {
        const token = r.tokens.find(({ id }) => at === `/tokens/${id}`);
        r.end(token);
        r.tokens = r.tokens.filter((one) => one !== token);
    }],
    'cache emptied': [1, (r) => ['DELETE', `/cache${r.of(['', ...SCOPES.map((scope) => `?scope=${scope}`)])}`]],
};

class Register {
    constructor(random) {
        this.random = random;
        this.watched = []; // ids of risks that are written to more often
        this.deleted = []; // ids of risks
        this.users = []; // {id, email, password, token}; no token: not signed in
        this.tokens = []; // {id, token}
        this.ended = []; // tokens of those who may not ask any more
        this.made = 0;
        this.see([], []);
    }

    see(risks, assets) {
        this.risks = risks;
        this.assets = assets;
        const ids = new Set(risks.map((risk) => risk.id));
        this.deleted = this.deleted.filter((id) => !ids.has(id));
    }

    next() {
        const names = Object.keys(KINDS);
        const total = names.reduce((sum, name) => sum + KINDS[name][0], 0);
        for (;;) {
            let left = this.random.below(total);
            const name = names.find((one) => (left -= KINDS[one][0]) < 0);
            const parts = KINDS[name][1](this);
            if (parts !== undefined) {
                const [method, at, body, headers, token] = parts;
                return { name, method, path: at, body, headers, token };
            }
        }
    }

    done(write, { status, json }) {
        const [, , remember] = KINDS[write.name];
        if (status < 400 && remember) {
            remember(this, write, json);
        }
    }

    /** The user that a write is about, by id, address or session. */
    userOf({ path: at, body, token }) {
        return this.users.find((user) => at === `/users/${user.id}` || body?.email === user.email || (token && token === user.token));
    }

    /** A user or an API token: what they asked with is not valid any more. */
    end(holder) {
        this.ended = [holder.token, ...this.ended].filter((token) => token !== undefined).slice(0, 2);
        holder.token = undefined;
    }

    /** The tokens of all who ask beside the admin; some are not valid any more. */
    get callers() {
        return [...this.users, ...this.tokens].map((one) => one.token).filter((token) => token !== undefined).concat(this.ended);
    }

    of(list) {
        return this.random.of(list);
    }

    on(list, make) {
        return list.length > 0 ? make(this.of(list)) : undefined;
    }

    /** A risk: half of the time one that is watched, if one of these is there. */
    onRisk(make) {
        const watched = this.risks.filter((risk) => this.watched.includes(risk.id));
        return this.on(watched.length > 0 && this.random.below(2) ? watched : this.risks, make);
    }

    onMitigation(make) {
        return this.onRisk((risk) => this.on(risk.mitigations, make));
    }

    onSubAction(make) {
        return this.onMitigation((one) => this.on(one.sub_actions, (step) => make(`/mitigations/${one.id}/subactions/${step.id}`)));
    }

    onSession(make) {
        return this.on(this.users.filter((user) => user.token !== undefined), make);
    }

    /** `parts`, if more risks and assets may come; */
    ifRoom(parts) {
        return this.risks.length < RISKS_MAX && this.assets.length < ASSETS_MAX ? parts : undefined;
    }

    /** or if some risks may go. */
    ifMany(parts) {
        return this.risks.length > RISKS_MIN ? parts : undefined;
    }

    restores() {
        return this.of(['', '&restore=1']);
    }

    word() {
        return this.of(WORDS);
    }

    /** One to three members of a body. */
    some(body) {
        const names = Object.keys(body);
        const wanted = [this.of(names), this.of(names), this.of(names)];
        return Object.fromEntries(wanted.map((name) => [name, body[name]]));
    }

    riskIds(max) {
        const ids = this.risks.map((risk) => risk.id);
        const first = this.random.below(ids.length);
        return ids.slice(first, first + 1 + this.random.below(max));
    }

    assetIds() {
        return this.assets.map((asset) => asset.id).filter(() => this.random.below(3) === 0);
    }

    newRisk() {
        return {
            title: `${this.word()} ${this.word()}`,
            description: this.of([null, `${this.word()}\n${this.word()}`]),
            impact: 1 + this.random.below(5),
            probability: 1 + this.random.below(5),
            status: this.of(STATUSES),
            category: this.of(['Cat', 'Dog', null]),
            treatment: this.of(['MITIGATE', 'ACCEPT', 'TRANSFER', 'AVOID']),
            owner: this.of(OWNERS),
            tags: TAGS.filter(() => this.random.below(2)),
            frameworks: this.of([[], ['NIST'], ['NIST', 'ISO 27001']]),
            custom_fields: this.of([{}, { k: this.word() }]),
            review_date: this.of([null, day(this.random.below(20) - 10)]),
            asset_ids: this.assetIds(),
        };
    }

    bulkChange() {
        return this.of([{ status: this.of(STATUSES) }, { owner: this.of(OWNERS) }, { tags: [this.of(TAGS)] }, { category: this.word() }]);
    }

    newMitigation() {
        return {
            title: this.word(),
            description: this.of([null, this.word()]),
            assignee: this.of(OWNERS),
            status: this.of(PROGRESS),
            progress: this.random.below(101),
            due_date: this.of([null, day(this.random.below(20) - 10)]),
            cost: this.random.below(1000),
            mitigation_time: this.random.below(30),
        };
    }

    newSubAction() {
        return { title: this.word(), completed: this.of([true, false]) };
    }

    newUser() {
        return {
            email: `user-${++this.made}@example.org`,
            full_name: this.of([null, this.word()]),
            role: this.of(ROLES),
            is_active: this.of([true, true, false]),
            password: this.of(PASSWORDS),
        };
    }

    newAsset() {
        const name = `${this.word()} ${this.random.below(100)}`;
        return { name, type: this.of(['server', 'product', null]), criticality: this.of(CRITICALITIES), owner: this.of(OWNERS) };
    }

    /** A document with a risk and an asset whose ids are known before. */
    document() {
        const number = this.random.below(DOCUMENT_RISKS);
        const asset = this.random.below(DOCUMENT_ASSETS);
        const { asset_ids: _, ...risk } = this.newRisk();
        const mitigation = { id: `01890a5d-ac96-774b-a000-00000000000${number}`, ...this.newMitigation() };
        const links = { asset_ids: this.of([[], [assetIdOf(asset)]]), mitigations: this.of([[], [mitigation]]) };
        return {
            format: 'openrisk',
            version: 1,
            assets: [{ id: assetIdOf(asset), name: `Of a document ${asset}`, criticality: this.of(CRITICALITIES) }],
            risks: [{ ...risk, id: riskIdOf(number), ...links }],
        };
    }

    /** A few rows of CISA's catalogue, due some day, or with another name. */
    catalogue() {
        const [header, ...rows] = KEV.map((row) => [...row]);
        const some = rows.filter(() => this.random.below(3) === 0);
        for (const row of some) {
            row[header.indexOf('dueDate')] = day(this.random.below(20) - 10);
            row[header.indexOf('vulnerabilityName')] += this.of(['', '', ` ${this.word()}`]);
        }
        return [header, ...(some.length > 0 ? some : rows.slice(0, 1))].map(csvLine).join('');
    }
}

module.exports = { DOCUMENT_ASSETS, DOCUMENT_RISKS, KINDS, Register, assetIdOf, riskIdOf };
