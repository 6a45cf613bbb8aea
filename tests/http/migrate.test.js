/** A register that an older program left is brought to the newest schema when the server starts. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { startServer, waitFor } = require('./lib');
const { makeRisk } = require('./register');

test('a register of schema 2 gets the orders of schema 3, and keeps what is in it', async (t) => {
    const server = await startServer(t);
    const owners = ['Bo', null, 'Ann'];
    const before = await server.signIn();
    for (const owner of owners) {
        await makeRisk(before, { owner, review_date: owner === 'Bo' ? '2027-01-31' : null });
    }
    const { json: whole } = await before.expect(200, 'GET', '/risks');
    await server.stop();
    for (const name of ['by_ref', 'by_owner', 'by_category', 'by_review_date', 'of_source']) {
        await server.sql(`DROP INDEX risk_${name}`);
    }
    await server.sql("UPDATE meta SET value = '2' WHERE name = 'schema'");

    const refused = await server.cli(['check']);
    assert.notStrictEqual(refused.code, 0);
    assert.match(refused.stderr, /older schema/);

    await server.start();
    await waitFor(() => /event=migrated schema=3 name=orders/.test(server.log), 'the line that tells of the migration');
    assert.doesNotMatch(server.log, /migrated schema=[12] /);
    const admin = await server.signIn();
    assert.deepStrictEqual((await admin.expect(200, 'GET', '/risks')).json, whole);
    const ownersBy = async (query) => (await admin.expect(200, 'GET', `/risks?${query}`)).json.items.map((risk) => risk.owner);
    assert.deepStrictEqual(await ownersBy('sort_by=owner'), ['Ann', 'Bo', null]);
    assert.deepStrictEqual(await ownersBy('sort_by=review_date&review_before=2028-01-01'), ['Bo']);
    assert.strictEqual(await server.sql("SELECT value FROM meta WHERE name = 'schema'"), '3');
    const { code, stdout } = await server.cli(['check']);
    assert.strictEqual(code, 0, stdout);
});
