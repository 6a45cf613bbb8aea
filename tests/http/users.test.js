/** Users: what an admin does with them, one's own profile, and that somebody always has the keys. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { ADMIN, startServer } = require('./lib');
const { UNKNOWN_ID, assertProblem } = require('./register');

const PASSWORD = 'long enough for a test';

test('users', async (t) => {
    const server = await startServer(t, { env: { LOGIN_BURST: '1000' } });
    const admin = await server.signIn();
    const add = async (body) => (await admin.expect(201, 'POST', '/users', { password: PASSWORD, ...body })).json;
    const byEmail = async (email) => (await admin.expect(200, 'GET', '/users')).json.items.find((user) => user.email === email);

    await t.test('a new user is listed, without a password, and can sign in', async () => {
        const user = await add({ email: ' Ann@Example.ORG ', full_name: 'Ann', role: 'analyst' });
        assert.strictEqual(user.email, 'ann@example.org');
        assert.strictEqual(user.role, 'analyst');
        assert.strictEqual(user.is_active, true);
        assert.strictEqual(user.version, 1);
        assert.strictEqual(user.last_login_at, null);
        assert.deepStrictEqual(Object.keys(user).filter((name) => /hash|^password$/.test(name)), []);
        assert.deepStrictEqual(await byEmail('ann@example.org'), user);
        await server.signIn('ann@example.org', PASSWORD);
        const seen = (await byEmail('ann@example.org')).last_login_at;
        assert.ok(Math.abs(Date.parse(seen) - Date.now()) < 60000, seen);
    });

    await t.test('a user is a viewer unless said otherwise', async () => {
        assert.strictEqual((await add({ email: 'default@example.org' })).role, 'viewer');
    });

    await t.test('an e-mail address belongs to one user, in any case', async () => {
        await add({ email: 'twice@example.org' });
        assertProblem(await admin.post('/users', { email: 'TWICE@example.org', password: PASSWORD }), 409, 'email');
        const other = await add({ email: 'once@example.org' });
        assertProblem(await admin.patch(`/users/${other.id}`, { email: 'twice@example.org' }), 409, 'email');
    });

    await t.test('a user without a usable address, password or role is refused', async () => {
        const good = { email: 'refused@example.org', password: PASSWORD };
        const cases = [
            ['email', { email: 'no address' }],
            ['email', { email: undefined }],
            ['email', { email: 'a@b@c' }],
            ['password', { password: 'short' }],
            ['password', { password: undefined }],
            ['password', { password: 'REFUSED@example.org' }],
            ['role', { role: 'root' }],
            ['is_active', { is_active: 'yes' }],
            ['must_change_password', { must_change_password: true }],
        ];
        for (const [field, change] of cases) {
            assertProblem(await admin.post('/users', { ...good, ...change }), 422, field);
        }
        assert.strictEqual(await byEmail(good.email), undefined);
    });

    await t.test('a role change acts at once on open sessions', async () => {
        const user = await server.as('viewer');
        assertProblem(await user.post('/risks', { title: 'x', impact: 1, probability: 1 }), 403);
        await admin.expect(200, 'PATCH', `/users/${user.user.id}`, { role: 'analyst' });
        await user.expect(201, 'POST', '/risks', { title: 'x', impact: 1, probability: 1 });
        await admin.expect(200, 'PATCH', `/users/${user.user.id}`, { role: 'viewer' });
        assertProblem(await user.post('/risks', { title: 'x', impact: 1, probability: 1 }), 403);
    });

    await t.test('a user who is switched off is out at once, tokens too, and cannot sign in', async () => {
        const user = await server.as('analyst');
        const token = (await user.expect(201, 'POST', '/tokens', { name: 'api' })).json.token;
        await admin.expect(200, 'PATCH', `/users/${user.user.id}`, { is_active: false });
        assertProblem(await user.get('/risks'), 401);
        assertProblem(await server.client(token).get('/risks'), 401);
        const { email } = user.user;
        for (const password of [PASSWORD, 'a password for tests only', 'wrong']) {
            assertProblem(await server.client().post('/auth/login', { email, password }), 401);
        }
    });

    await t.test('a deleted user is out at once; what they made stays', async () => {
        const user = await server.as('analyst');
        const risk = (await user.expect(201, 'POST', '/risks', { title: 'Stays', impact: 1, probability: 1 })).json;
        await admin.expect(204, 'DELETE', `/users/${user.user.id}`);
        assertProblem(await user.get('/risks'), 401);
        assert.strictEqual(await byEmail(user.user.email), undefined);
        await admin.expect(200, 'GET', `/risks/${risk.id}`);
        assertProblem(await admin.delete(`/users/${user.user.id}`), 404);
    });

    await t.test('an admin who sets a password ends that user\'s sessions', async () => {
        const user = await server.as('viewer');
        await admin.expect(200, 'PATCH', `/users/${user.user.id}`, { password: 'set by the admin' });
        assertProblem(await user.get('/risks'), 401);
        await server.signIn(user.user.email, 'set by the admin');
    });

    await t.test('two admins who edit one user: the second is told 412', async () => {
        const user = await add({ email: 'edited@example.org' });
        const headers = { 'If-Match': '"1.0000000000000000"' };
        await admin.expect(200, 'PATCH', `/users/${user.id}`, { full_name: 'First' }, headers);
        assertProblem(await admin.patch(`/users/${user.id}`, { full_name: 'Second' }, headers), 412);
        assert.strictEqual((await byEmail('edited@example.org')).full_name, 'First');
        assertProblem(await admin.patch(`/users/${UNKNOWN_ID}`, { full_name: 'x' }), 404);
    });

    await t.test('a PATCH that changes nothing leaves version and time as they are', async () => {
        const user = await add({ email: 'same@example.org', full_name: 'Same' });
        for (const body of [{}, { full_name: 'Same' }, { role: 'viewer', email: ' SAME@example.org' }]) {
            assert.deepStrictEqual((await admin.expect(200, 'PATCH', `/users/${user.id}`, body)).json, user);
        }
    });

    await t.test('everybody edits their own name, nobody their own role', async () => {
        const user = await server.as('viewer');
        const reply = await user.expect(200, 'PATCH', '/users/me', { full_name: 'Me Myself' });
        assert.strictEqual(reply.json.full_name, 'Me Myself');
        assert.strictEqual((await user.get('/users/me')).json.full_name, 'Me Myself');
        for (const body of [{ role: 'admin' }, { is_active: true }, { password: PASSWORD }, { full_name: 'x', role: 'admin' }]) {
            assertProblem(await user.patch('/users/me', body), [403, 422]);
        }
        const me = (await user.get('/users/me')).json;
        assert.strictEqual(me.role, 'viewer');
        assert.strictEqual(me.full_name, 'Me Myself');
    });
});

test('the last active admin cannot be removed', async (t) => {
    const server = await startServer(t);
    const admin = await server.signIn();
    const own = `/users/${admin.user.id}`;

    await t.test('not deleted, not switched off, not made a viewer', async () => {
        assertProblem(await admin.delete(own), 409);
        assertProblem(await admin.patch(own, { is_active: false }), 409);
        assertProblem(await admin.patch(own, { role: 'viewer' }), 409);
        assert.strictEqual((await admin.get('/users/me')).json.role, 'admin');
    });

    await t.test('an admin who is switched off does not count as another one', async () => {
        const body = { email: 'off@example.org', password: PASSWORD, role: 'admin', is_active: false };
        await admin.expect(201, 'POST', '/users', body);
        assertProblem(await admin.delete(own), 409);
    });

    await t.test('but one of two can, and then the other is the last', async () => {
        const second = await server.as('admin');
        await second.expect(200, 'PATCH', own, { role: 'viewer' });
        assertProblem(await admin.get('/users'), 403);
        assertProblem(await second.patch(`/users/${second.user.id}`, { role: 'analyst' }), 409);
        await second.expect(200, 'PATCH', own, { role: 'admin' });
        await server.signIn(ADMIN.email, ADMIN.password);
    });

    await t.test('of two admins who remove each other at the same time one stays', async () => {
        const one = await server.as('admin');
        const two = await server.as('admin');
        for (const user of (await one.get('/users')).json.items) {
            if (user.role === 'admin' && ![one.user.id, two.user.id].includes(user.id)) {
                await one.expect(204, 'DELETE', `/users/${user.id}`);
            }
        }
        const statuses = await Promise.all([
            one.patch(`/users/${two.user.id}`, { is_active: false }),
            two.patch(`/users/${one.user.id}`, { is_active: false }),
        ]);
        assert.strictEqual(statuses.filter((reply) => reply.status === 200).length, 1, JSON.stringify(statuses));
    });
});
