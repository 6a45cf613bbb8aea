/**
 * Bad input gets a clear error and loses nothing. The cases are made from the OpenAPI document: every
 * route that takes a body, every member of it.
 */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { ADMIN, startServer } = require('./lib');
const { UNKNOWN_ID, assertProblem, exported, makeAsset, makeMitigation, makeRisk, operationsOf, resolveSchema } = require('./register');

const typesOf = (schema) => [schema.type].flat().filter((type) => type && type !== 'null');
const isNullable = (schema) => [schema.type].flat().includes('null') || schema.nullable === true;

/** Values that a member of this schema must not take. */
function badValuesOf(schema) {
    const [type] = typesOf(schema);
    const bad = [{ nested: { deep: 1 } }];
    if (!isNullable(schema)) {
        bad.push(null);
    }
    if (type !== 'array') {
        bad.push(['x']);
    }
    if (type === 'integer') {
        bad.push('3', '', 1.5, true);
        bad.push(...[schema.minimum - 1, schema.maximum + 1].filter(Number.isFinite));
    }
    if (type === 'boolean') {
        bad.push('true', 0, 1);
    }
    if (type === 'string') {
        bad.push(5, true);
        if (schema.enum) {
            bad.push('NO_SUCH_NAME', '', schema.enum[0].toLowerCase() === schema.enum[0] ? 'ADMIN' : schema.enum[0].toLowerCase());
        } else if (schema.format === 'date') {
            bad.push('2026-02-30', '2026-13-01', '2025-02-29', '26-1-1', '2026-01-01T00:00:00Z', 'tomorrow', '2026-01-01x');
        } else if (schema.format === 'date-time') {
            bad.push('2026-02-30T00:00:00Z', '2026-01-01', 'now');
        } else {
            if (!isNullable(schema)) {
                bad.push('', ' \t ');
            }
            bad.push('bell \u0007', 'escape \u001b[31m', 'delete \u007f', 'c1 \u0085');
            if (schema.maxLength) {
                bad.push('x'.repeat(schema.maxLength + 1), '😀'.repeat(schema.maxLength + 1));
            }
        }
    }
    if (type === 'array') {
        bad.push('x', 5, [5], [null], [['x']], [{}], [''], ['same', 'same']);
        const item = schema.items || {};
        if (item.maxLength) {
            bad.push(['x'.repeat(item.maxLength + 1)]);
        }
        if (schema.maxItems) {
            bad.push(Array.from({ length: schema.maxItems + 1 }, (_, i) => `item ${i}`));
        }
    }
    return bad;
}

/** Bodies that are no document at all, or not the only one. */
const UNREADABLE = {
    'an empty body': '',
    'white space': '  \n',
    'half a document': '{"title": "x"',
    'a trailing comma': '{"title": "x",}',
    'single quotes': "{'title': 'x'}",
    'a comment': '{"title": "x" /* why */}',
    'text after the document': '{"title": "x"} x',
    'two documents': '{"title": "x"}{"title": "y"}',
    NaN: '{"title": NaN}',
    'a leading zero': '{"title": 01}',
    'a byte-order mark in UTF-16': Buffer.from('\ufeff{"title": "x"}', 'utf16le'),
    'a raw line feed in a text': '{"title": "a\nb"}',
    'an unknown escape': '{"title": "\\x41"}',
    'a duplicate member': '{"title": "x", "title": "y"}',
    'a duplicate member in another spelling': '{"title": "x", "t\\u0069tle": "y"}',
    'a nested duplicate member': '{"title": "x", "custom_fields": {"a": 1, "a": 2}}',
    'a NUL byte': Buffer.from('{"title": "a\0b"}'),
    'an escaped NUL': '{"title": "a\\u0000b"}',
    'an escaped NUL in a name': '{"ti\\u0000tle": "x"}',
    'a lone high surrogate': '{"title": "\\ud800"}',
    'a lone low surrogate': '{"title": "\\udc00 x"}',
    'surrogates the wrong way round': '{"title": "\\udc00\\ud800"}',
    'invalid UTF-8': Buffer.from([...Buffer.from('{"title": "'), 0xff, 0xfe, ...Buffer.from('"}')]),
    'overlong UTF-8': Buffer.from([...Buffer.from('{"title": "'), 0xc0, 0x80, ...Buffer.from('"}')]),
    'a surrogate in UTF-8': Buffer.from([...Buffer.from('{"title": "'), 0xed, 0xa0, 0x80, ...Buffer.from('"}')]),
    'a cut character': Buffer.from([...Buffer.from('{"title": "'), 0xe2, 0x82, ...Buffer.from('"}')]),
    '100,000 arrays in each other': '['.repeat(100000),
    '100,000 arrays in each other, closed': `{"title": ${'['.repeat(100000)}${']'.repeat(100000)}}`,
    'a number that no type can hold': `{"title": 1${'0'.repeat(400)}}`,
};

/** A server with one of each thing, and the real path of every route with a JSON body. */
async function prepare(t) {
    const server = await startServer(t, { env: { LOGIN_BURST: '1000' } });
    const admin = await server.signIn();
    const risk = await makeRisk(admin, { title: 'Stays', external_id: 'E', source: 'S' });
    const asset = await makeAsset(admin, { name: 'Stays' });
    const mitigation = await makeMitigation(admin, risk.id);
    await admin.expect(201, 'POST', `/mitigations/${mitigation.id}/subactions`, { title: 'Stays' });
    const [step] = (await admin.get(`/risks/${risk.id}`)).json.mitigations[0].sub_actions;
    const user = (await admin.expect(201, 'POST', '/users', { email: 'stays@example.org', password: 'stays as it is' })).json;
    const ids = { risks: risk.id, assets: asset.id, mitigations: mitigation.id, users: user.id };
    const { json: document } = await admin.expect(200, 'GET', '/openapi.json');
    const routes = [];
    for (const { method, path, operation } of operationsOf(document)) {
        const content = operation.requestBody && operation.requestBody.content['application/json'];
        if (content && !path.startsWith('/import')) {
            const real = path.replace('{sid}', step.id).replace('{id}', ids[path.split('/')[1]]);
            routes.push({ method, path, real, schema: resolveSchema(document, content.schema) });
        }
    }
    return { server, admin, risk, routes };
}

/** A body that the route would take, so that one bad member is the only fault. */
function goodBodyOf(path, method, risk) {
    const good = {
        'POST /auth/login': ADMIN,
        'POST /users/me/password': { current_password: ADMIN.password, new_password: 'never taken, I hope' },
        'POST /users': { email: 'never@example.org', password: 'never taken, I hope' },
        'POST /tokens': { name: 'never' },
        'POST /risks': { title: 'never', impact: 1, probability: 1 },
        'POST /risks/bulk': { ids: [risk.id], set: { owner: 'never' } },
        'POST /risks/{id}/mitigations': { title: 'never' },
        'POST /mitigations/{id}/subactions': { title: 'never' },
        'POST /assets': { name: 'never' },
    };
    return good[`${method} ${path}`] || {};
}

/** Everything that a refused body must not have touched. */
async function stateOf(client) {
    const lists = {};
    for (const route of ['/users', '/tokens', '/assets', '/mitigations', '/risks', '/activity']) {
        const { items } = (await client.expect(200, 'GET', route)).json;
        lists[route] = items.map(({ last_login_at: _, last_used_at: __, ...rest }) => rest);
    }
    return { lists, register: await exported(client) };
}

test('bad input', async (t) => {
    const { server, admin, risk, routes } = await prepare(t);
    const before = await stateOf(admin);
    const wrong = [];
    const refused = async (route, what, body, statuses, field, headers) => {
        const reply = await admin.request(route.method, route.real, body, headers);
        try {
            assertProblem(reply, statuses, field);
        } catch (error) {
            wrong.push(`${route.method} ${route.path}, ${what}: ${reply.status} ${error.message.slice(0, 300)}`);
        }
    };
    const nothingWrong = () => assert.deepStrictEqual(wrong.splice(0), []);

    await t.test('the document names every route with a body, and its members', async () => {
        assert.ok(routes.length >= 14, `only ${routes.length}`);
        for (const { method, path, schema } of routes) {
            assert.ok(Object.keys(schema.properties || {}).length > 0, `${method} ${path}`);
        }
    });

    await t.test('what is no JSON document is 400 everywhere', async () => {
        for (const route of routes) {
            for (const [what, body] of Object.entries(UNREADABLE)) {
                await refused(route, what, body, 400);
            }
        }
        nothingWrong();
    });

    await t.test('a document that is no object is refused everywhere', async () => {
        for (const route of routes) {
            for (const body of ['null', '[]', '"x"', '5', 'true', '[{}]']) {
                await refused(route, body, body, [400, 422]);
            }
        }
        nothingWrong();
    });

    await t.test('a member that nobody knows, or that only the server sets, is 422 and named', async () => {
        const readOnly = ['id', 'ref', 'score', 'level', 'created_by', 'created_at', 'updated_at', 'version', 'deleted_at'];
        for (const route of routes) {
            const good = goodBodyOf(route.path, route.method, risk);
            for (const name of ['no_such_member', '', '__proto__', 'Title', ...readOnly]) {
                const body = JSON.stringify(good).replace(/\}$/, `${Object.keys(good).length ? ',' : ''}${JSON.stringify(name)}:1}`);
                await refused(route, `member "${name}"`, body, 422, name || undefined);
            }
        }
        nothingWrong();
    });

    await t.test('a required member that is missing is 422 and named', async () => {
        for (const route of routes.filter((one) => one.method === 'POST')) {
            const good = goodBodyOf(route.path, route.method, risk);
            for (const name of route.schema.required || []) {
                await refused(route, `without ${name}`, { ...good, [name]: undefined }, 422, name);
                if (typeof good[name] === 'string') {
                    await refused(route, `with an empty ${name}`, { ...good, [name]: '  ' }, [401, 422]);
                }
            }
        }
        nothingWrong();
    });

    await t.test('a member of a wrong type, out of range, too long or with control characters is 422 and named', async () => {
        let cases = 0;
        for (const route of routes) {
            const good = goodBodyOf(route.path, route.method, risk);
            for (const [name, schema] of Object.entries(route.schema.properties)) {
                if (['custom_fields', 'set', 'ids', 'delete', 'restore', 'changes', 'password', 'current_password', 'new_password'].includes(name)) {
                    continue; // Cases of their own below and in bulk.test.js; a password may hold anything.
                }
                for (const value of badValuesOf(schema)) {
                    const what = `${name} = ${JSON.stringify(value).slice(0, 60)}`;
                    const reply = await admin.request(route.method, route.real, { ...good, [name]: value });
                    cases++;
                    const named = reply.status === 422 && (reply.json.errors || []).some((one) => String(one.field).startsWith(name));
                    if (!named && !(route.path === '/auth/login' && reply.status === 401)) {
                        wrong.push(`${route.method} ${route.path}, ${what}: ${reply.status} ${reply.body.slice(0, 200)}`);
                    }
                }
            }
        }
        assert.ok(cases > 400, `only ${cases} cases`);
        nothingWrong();
    });

    await t.test('custom fields hold names with a text, number or boolean each, and not too much', async () => {
        const route = routes.find((one) => one.path === '/risks' && one.method === 'POST');
        const many = Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`field ${i}`, i]));
        const bad = ['x', 5, [], null, { a: {} }, { a: [] }, { '': 1 }, { a: 'bell \u0007' }, many];
        bad.push({ a: 'x'.repeat(2001) }, { ['n'.repeat(500)]: 1 });
        for (const value of bad) {
            const what = `custom_fields = ${JSON.stringify(value).slice(0, 60)}`;
            const reply = await admin.post('/risks', { ...goodBodyOf('/risks', 'POST', risk), custom_fields: value });
            if (reply.status !== 422 || !reply.json.errors.some((one) => String(one.field).startsWith('custom_fields'))) {
                wrong.push(`${route.path}, ${what}: ${reply.status} ${reply.body.slice(0, 200)}`);
            }
        }
        nothingWrong();
    });

    await t.test('several faults are told at once', async () => {
        const reply = await admin.post('/risks', { title: '', impact: 9, probability: 'x', nope: 1 });
        for (const field of ['title', 'impact', 'probability', 'nope']) {
            assertProblem(reply, 422, field);
        }
    });

    await t.test('a body over the limit is 413 everywhere', async () => {
        const huge = JSON.stringify({ title: 'x', description: 'x'.repeat(8 * 1024 * 1024) });
        for (const route of routes) {
            await refused(route, 'a huge body', huge, 413);
        }
        nothingWrong();
    });

    await t.test('a body that is no JSON by its content type is 415 everywhere', async () => {
        for (const route of routes) {
            const body = JSON.stringify(goodBodyOf(route.path, route.method, risk));
            for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', '']) {
                await refused(route, `content type ${type}`, body, 415, undefined, { 'Content-Type': type });
            }
        }
        nothingWrong();
    });

    await t.test('unknown ids are 404 everywhere', async () => {
        for (const route of routes.filter((one) => one.path.includes('{id}'))) {
            const good = { ...goodBodyOf(route.path, route.method, risk) };
            for (const id of [UNKNOWN_ID, 'x']) {
                const real = route.path.replace('{sid}', id).replace('{id}', id);
                await refused({ ...route, real }, real, good, 404);
            }
        }
        nothingWrong();
    });

    await t.test('afterwards everything is as it was', async () => {
        assert.deepStrictEqual(await stateOf(admin), before);
        const { code, stdout } = await server.cli(['check']);
        assert.strictEqual(code, 0, stdout);
    });
});
