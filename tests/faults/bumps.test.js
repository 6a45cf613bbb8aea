/**
 * Many raise one generation at once: none of it is lost, and no two wait for each other for good.
 *
 * A bump makes it at least the time; where the generation is ahead of all clocks, it makes it one more.
 */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { startServer } = require('../http/lib');
const { makeRisk } = require('../http/register');
const { assertSettled, assertWhole } = require('./state');

const CLIENTS = 32;
const BUMPS = 1000;
const AHEAD = 8e15; // in the year 2223
const ENV = { DB_POOL_MAX: String(CLIENTS), DB_POOL_ACQUIRE_TIMEOUT: '60s', DB_WRITE_TIMEOUT: '60s', DB_STATEMENT_TIMEOUT: '60s' };

/** BUMPS calls of `bump(client, clientNumber)` by CLIENTS at once; each client's answers in its order. */
function bumpAll(server, token, bump) {
    let left = BUMPS;
    return Promise.all(Array.from({ length: CLIENTS }, async (_, number) => {
        const client = server.client(token);
        const answers = [];
        while (left-- > 0) {
            answers.push(await bump(client, number));
        }
        client.close();
        return answers;
    }));
}

async function generationOf(server) {
    return Number(await server.sql("SELECT generation FROM cache_generation WHERE scope = 'risks'"));
}

/** Puts it ahead of all clocks, but never back: that would be noticed, and lifted. */
async function putAhead(server) {
    const ahead = Math.max(AHEAD, (await generationOf(server)) + 1);
    await server.sql(`UPDATE cache_generation SET generation = ${ahead} WHERE scope = 'risks'`);
    return ahead;
}

async function deadlocks(server) {
    return Number(await server.sql('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()'));
}

test(`${BUMPS} bumps of one generation by ${CLIENTS} clients`, async (t) => {
    const server = await startServer(t, { engine: 'postgres', env: ENV });
    const admin = await server.signIn();

    await t.test('DELETE /cache: the generation rises by one for each, and each client sees it rise', async (t) => {
        const ahead = await putAhead(server);
        const began = performance.now();
        const answers = await bumpAll(server, admin.token, async (client) =>
            (await client.expect(200, 'DELETE', '/cache?scope=risks')).json.risks);
        answers.forEach((mine) => mine.forEach((generation, i) => assert.ok(i === 0 || generation > mine[i - 1], `${mine}`)));
        const rose = (await generationOf(server)) - ahead;
        t.diagnostic(`figure: ${BUMPS} bumps by ${CLIENTS} clients raised the generation by ${rose} in ${Math.round(performance.now() - began)} ms`);
        assert.strictEqual(rose, BUMPS);
    });

    await t.test('PATCH of as many risks as clients: the versions add up', async () => {
        const risks = [];
        for (let i = 0; i < CLIENTS; i++) {
            risks.push(await makeRisk(admin));
        }
        const ahead = await putAhead(server);
        const answers = await bumpAll(server, admin.token, async (client, number) => {
            const risk = risks[number];
            risk.patches = (risk.patches || 0) + 1;
            return (await client.expect(200, 'PATCH', `/risks/${risk.id}`, { owner: `patch ${risk.patches}` })).json.version;
        });
        answers.forEach((versions) => assert.deepStrictEqual(versions, versions.map((_, i) => i + 2)));
        assert.strictEqual(Number(await server.sql('SELECT sum(version - 1) FROM risk')), BUMPS);
        assert.strictEqual((await generationOf(server)) - ahead, BUMPS);
    });

    assert.strictEqual(await deadlocks(server), 0);
    await assertSettled(server, admin);
    await assertWhole(server);
});
