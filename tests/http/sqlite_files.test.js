/** Databases of SQLite as files: backup and restore, one server for each, and none that is made by mistake. */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { assertFails, succeed } = require('./command');
const { cli, startServer, temporaryFolder, waitFor } = require('./lib');
const { makeRisk } = require('./register');

test('commands that need a database say so when there is none, and make none', async (t) => {
    const folder = temporaryFolder();
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
    const env = { DATABASE_URL: `sqlite:${folder}/none.db` };
    for (const args of [['check'], ['export'], ['backup', `${folder}/b.db`], ['user', 'list']]) {
        assertFails(await cli(args, { env }), 1, /no database|serve/);
    }
    assert.ok(!fs.existsSync(`${folder}/none.db`));
});

test('only their owner reads the files, while it is served and afterwards', async (t) => {
    const server = await startServer(t);
    await makeRisk(await server.signIn());
    const assertModes = () => {
        const names = fs.readdirSync(server.folder);
        assert.ok(names.includes('openrisk.db'));
        names.forEach((name) => assert.strictEqual(fs.statSync(path.join(server.folder, name)).mode & 0o777, 0o600, name));
    };
    assertModes();
    await server.stop();
    assertModes();
});

test('backup and restore', async (t) => {
    const server = await startServer(t);
    const admin = await server.signIn();
    const backup = path.join(server.folder, 'backup.db');
    const elsewhere = { env: { DATABASE_URL: `sqlite:${path.join(server.folder, 'elsewhere/copy.db')}` } };

    await t.test('a backup while the server writes is consistent', async () => {
        const made = [];
        let writing = true;
        const writer = (async () => {
            while (writing) {
                made.push(await makeRisk(admin, { title: `Before ${made.length}` }));
            }
        })();
        await waitFor(() => made.length > 20, 'some risks');
        const acknowledged = made.length;
        const run = await server.cli(['backup', backup]);
        writing = false;
        await writer;
        assert.strictEqual(run.code, 0, run.stderr);
        assert.strictEqual(fs.statSync(backup).mode & 0o077, 0);
        const restored = await server.cli(['restore', backup], elsewhere);
        assert.strictEqual(restored.code, 0, restored.stderr);
        const check = await server.cli(['check'], elsewhere);
        assert.strictEqual(check.code, 0, check.stdout + check.stderr);
        const { stdout } = await server.cli(['export'], elsewhere);
        const titles = JSON.parse(stdout).risks.map((risk) => risk.title);
        assert.ok(titles.length >= acknowledged && titles.length <= made.length, `${titles.length} of ${made.length}`);
        for (let i = 0; i < acknowledged; i++) {
            assert.ok(titles.includes(`Before ${i}`), `Before ${i} is missing`);
        }
    });

    await t.test('a backup does not overwrite a file', async () => {
        const before = fs.readFileSync(backup);
        assertFails(await server.cli(['backup', backup]), 1, /backup\.db exists/);
        assert.ok(fs.readFileSync(backup).equals(before));
    });

    await t.test('restore is refused while the server runs, and harms nothing', async () => {
        const total = (await admin.get('/risks')).json.total;
        const run = await server.cli(['restore', backup]);
        assert.notStrictEqual(run.code, 0);
        assert.match(run.stderr, /server|running|served|stop/i);
        assert.strictEqual((await admin.get('/risks')).json.total, total);
        await makeRisk(admin);
    });

    await t.test('a second server on the same database is refused', async () => {
        const run = await server.cli(['serve'], { limitMs: 15000 });
        assert.notStrictEqual(run.code, 0);
        assert.match(run.stderr, /openrisk\.db/);
        assert.match(run.stderr, /served|server|running/i);
        await admin.expect(200, 'GET', '/risks');
    });

    await t.test('restore puts the backup back when the server has stopped', async () => {
        const extra = await makeRisk(admin, { title: 'After the backup' });
        await server.stop();
        await succeed(server, ['restore', backup]);
        await server.start();
        const again = await server.signIn();
        assert.strictEqual((await again.get(`/risks/${extra.id}`)).status, 404);
        assert.ok((await again.get('/risks')).json.total > 20);
        await makeRisk(again);
        assert.strictEqual((await server.cli(['check'])).code, 0);
    });

    await t.test('a damaged, cut or foreign file is refused, and the database stays', async () => {
        await server.stop();
        const { stdout: before } = await succeed(server, ['export']);
        const bytes = fs.readFileSync(backup);
        const page = bytes.readUInt16BE(16);
        const damaged = Buffer.from(bytes);
        for (let at = 3 * page; at < bytes.length; at += 2 * page) {
            damaged.fill(0xa5, at, at + page / 2);
        }
        const files = { damaged, cut: bytes.subarray(0, bytes.length - page), text: Buffer.from('no database'), empty: Buffer.alloc(0) };
        for (const [name, content] of Object.entries(files)) {
            const file = path.join(server.folder, `${name}.db`);
            fs.writeFileSync(file, content);
            const run = await server.cli(['restore', file]);
            assert.strictEqual(run.code, 1, `${name}: ${run.stdout}${run.stderr}`);
            assert.match(run.stderr, new RegExp(`${name}\\.db`));
        }
        assertFails(await server.cli(['restore', path.join(server.folder, 'none.db')]), 1, /none\.db/);
        const { stdout: after } = await succeed(server, ['export']);
        assert.deepStrictEqual(JSON.parse(after).risks, JSON.parse(before).risks);
        await server.start();
    });
});
