/**
 * The power plug is pulled amid writes, again and again: what was acknowledged is there, once.
 *
 * Writers create and patch risks; each marks its risks with an external id of its own, and each patch
 * counts up. For each risk the test knows what was acknowledged and what was under way when the
 * server died; the database must hold one of the two.
 */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const { FULL, startServer, waitFor } = require('./lib');

const ROUNDS = 20;
const WRITERS = 8;
const WRITES_PER_ROUND = FULL ? 400 : 50;

class Writer {
    constructor(number) {
        this.number = number;
        this.made = 0;
        this.risks = new Map(); // external_id → {id, acknowledged, tried}: the counts of its patches
        this.acknowledged = 0;
    }

    /** Write until the connection breaks. Any answer but success is a fault of the server. */
    async write(client) {
        for (;;) {
            const external = `writer-${this.number}-${++this.made}`;
            const risk = { id: undefined, acknowledged: -1, tried: 0 };
            this.risks.set(external, risk);
            const body = { title: `Risk ${external}`, impact: 3, probability: 2, source: 'TEST', external_id: external, owner: 'patch 0' };
            const made = await client.expect(201, 'POST', '/risks', body);
            risk.id = made.json.id;
            risk.acknowledged = 0;
            this.acknowledged++;
            for (let i = 1; i <= 3; i++) {
                risk.tried = i;
                await client.expect(200, 'PATCH', `/risks/${risk.id}`, { owner: `patch ${i}`, impact: i });
                risk.acknowledged = i;
                this.acknowledged++;
            }
        }
    }

    /** Compare with what the server has, by external id; and take over what it turned out to have. */
    compare(found) {
        for (const [external, risk] of this.risks) {
            const stored = found.get(external) || [];
            assert.ok(stored.length <= 1, `${external} is there ${stored.length} times`);
            if (stored.length === 0) {
                assert.strictEqual(risk.acknowledged, -1, `${external} was acknowledged and is lost`);
                this.risks.delete(external);
                continue;
            }
            const patch = Number(stored[0].owner.slice('patch '.length));
            assert.ok(patch >= risk.acknowledged && patch <= risk.tried,
                `${external}: patch ${risk.acknowledged} acknowledged, ${risk.tried} sent, ${patch} stored`);
            assert.strictEqual(stored[0].version, patch + 1, `${external}: a write counts once`);
            risk.acknowledged = patch;
            risk.tried = patch;
        }
    }
}

function isBrokenConnection(error) {
    return ['ECONNRESET', 'ECONNREFUSED', 'EPIPE'].includes(error.code);
}

test(`${ROUNDS} times SIGKILL amid the writes of ${WRITERS} clients lose nothing and double nothing`, async (t) => {
    const server = await startServer(t);
    const writers = Array.from({ length: WRITERS }, (_, number) => new Writer(number));
    const { token } = await server.signIn();

    for (let round = 0; round < ROUNDS; round++) {
        const acknowledged = () => writers.reduce((sum, writer) => sum + writer.acknowledged, 0);
        const enough = acknowledged() + WRITES_PER_ROUND + 7 * (round % 5);
        const writing = writers.map((writer) =>
            writer.write(server.client(token)).catch((error) => assert.ok(isBrokenConnection(error), error)));
        await waitFor(() => acknowledged() >= enough, 'acknowledged writes', 30000);
        await server.kill();
        await Promise.all(writing);

        await server.start();
        const client = server.client(token); // The session, too, outlives the plug.
        const found = new Map();
        for (const risk of await client.all('/risks')) {
            found.set(risk.external_id, [...(found.get(risk.external_id) || []), risk]);
        }
        writers.forEach((writer) => writer.compare(found));
        const kept = writers.reduce((sum, writer) => sum + writer.risks.size, 0);
        assert.strictEqual(found.size, kept, 'no risk is there that nobody made');
    }

    const checked = await server.cli(['check']);
    assert.strictEqual(checked.code, 0, `${checked.stdout}${checked.stderr}`);
    t.diagnostic(`${writers.reduce((sum, writer) => sum + writer.acknowledged, 0)} acknowledged writes`);
});
