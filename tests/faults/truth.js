/**
 * What is known of risks that are written and read while the database fails, and what may be shown.
 *
 * A write that was answered with success is there from then on, once. One that was answered with 503 is
 * there or is not; it may even come to be there a little later, but not after a later write. So the
 * versions that a risk may have lie between two numbers, and nobody is shown a lower one than somebody
 * has been shown before: all of them ask one server.
 */
'use strict';

const assert = require('node:assert');

/** A risk that one client writes, one write after the other: its owner is "patch N". */
class TrackedRisk {
    constructor({ id, version, owner }) {
        this.id = id;
        this.acknowledged = version; // the version after the last write that was acknowledged
        this.unsure = 0; // writes since then of which nobody knows
        this.seen = version; // the highest version that anybody was shown
        this.owners = new Map([[version, owner]]); // by version, as they were shown
        this.writes = new Map(); // owner → was it acknowledged?
    }

    nextOwner() {
        const owner = `patch ${this.writes.size + 1}`;
        this.writes.set(owner, false);
        this.unsure++;
        return owner;
    }

    /** Somebody was shown this, who asked when others had been shown `floor`. */
    observe({ version, owner }, floor) {
        assert.ok(version >= floor, `risk ${this.id}: version ${version} was shown after ${floor}`);
        const most = this.acknowledged + this.unsure;
        assert.ok(version <= most, `risk ${this.id}: version ${version}, but ${most} writes were sent`);
        const before = this.owners.get(version);
        assert.ok(before === undefined || before === owner, `risk ${this.id}: version ${version} was "${before}", and is "${owner}"`);
        assert.ok(this.writes.size === 0 || version === 1 || this.writes.has(owner), `risk ${this.id}: nobody wrote "${owner}"`);
        this.owners.set(version, owner);
        this.seen = Math.max(this.seen, version);
    }

    acknowledge(shown, owner, floor) {
        assert.strictEqual(shown.owner, owner, `risk ${this.id}: the answer shows the write`);
        assert.ok(shown.version > this.acknowledged, `risk ${this.id}: version ${shown.version} after ${this.acknowledged}`);
        this.observe(shown, floor);
        this.writes.set(owner, true);
        this.acknowledged = shown.version;
        this.unsure = 0;
    }
}

/** The risks of a server under load, and those that were made meanwhile. */
class Truth {
    constructor() {
        this.risks = [];
        this.made = new Map(); // external id → was it acknowledged?
    }

    async prepare(admin, count) {
        for (let i = 0; i < count; i++) {
            const body = { title: `Risk ${i}`, impact: 1, probability: 1, owner: 'nobody', source: 'TEST', external_id: `first-${i}` };
            const { json } = await admin.expect(201, 'POST', '/risks', body);
            this.made.set(json.external_id, true);
            this.risks.push(new TrackedRisk(json));
        }
    }

    /** What has been shown of each risk: what an answer to a request that begins now must show at least. */
    floors() {
        return this.risks.map((risk) => risk.seen);
    }

    observeList(items, floors) {
        const shown = new Map(items.map((item) => [item.id, item]));
        this.risks.forEach((risk, i) => {
            if (shown.has(risk.id)) {
                risk.observe(shown.get(risk.id), floors[i]);
            }
        });
    }

    /** How many writes were acknowledged, and of how many nobody knew. */
    count() {
        const all = [...this.made.values(), ...this.risks.flatMap((risk) => [...risk.writes.values()])];
        const acknowledged = all.filter(Boolean).length;
        return { acknowledged, unsure: all.length - acknowledged };
    }

    /** Compare with the rows of the database: each acknowledged write once, each other at most once. */
    async compare(server) {
        const stored = (await server.sql("SELECT external_id FROM risk WHERE source = 'TEST'")).split('\n');
        const counts = new Map();
        stored.forEach((external) => counts.set(external, 1 + (counts.get(external) || 0)));
        for (const [external, acknowledged] of this.made) {
            const times = counts.get(external) || 0;
            assert.ok(acknowledged ? times === 1 : times <= 1, `${external} (acknowledged: ${acknowledged}) is there ${times} times`);
            counts.delete(external);
        }
        assert.deepStrictEqual([...counts.keys()], [], 'risks that nobody made');
        await Promise.all(this.risks.map((risk) => this.compareRisk(server, risk)));
    }

    async compareRisk(server, risk) {
        const statement = `SELECT h.version || ' ' || h.changes FROM risk_history h JOIN risk r ON r.ref = h.risk_ref WHERE r.id = '${risk.id}' ORDER BY h.seq`;
        const rows = (await server.sql(statement)).split('\n');
        const owners = rows.map((row, i) => {
            const [, version, changes] = /^(\d+) (.*)$/s.exec(row);
            assert.strictEqual(Number(version), i + 1, `risk ${risk.id}: versions without gaps: ${row}`);
            return (JSON.parse(changes).find(({ member }) => member === 'owner') || {}).to;
        });
        for (const [owner, acknowledged] of risk.writes) {
            const times = owners.filter((one) => one === owner).length;
            assert.ok(acknowledged ? times === 1 : times <= 1, `risk ${risk.id}: ${owner} (acknowledged: ${acknowledged}) is there ${times} times`);
        }
        const version = Number(await server.sql(`SELECT version FROM risk WHERE id = '${risk.id}'`));
        assert.strictEqual(version, rows.length);
        assert.ok(version >= risk.seen, `risk ${risk.id}: version ${version}, but ${risk.seen} was shown`);
        for (const [shown, owner] of risk.owners) {
            assert.ok(shown === 1 || owners[shown - 1] === owner, `risk ${risk.id}: version ${shown} was shown as "${owner}" and is "${owners[shown - 1]}"`);
        }
    }
}

module.exports = { TrackedRisk, Truth };
