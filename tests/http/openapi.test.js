/** The OpenAPI document: well-formed, and what the server answers is what it says. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { startServer } = require('./lib');
const { day, makeAsset, makeMitigation, makeRisk, operationsOf, resolveSchema } = require('./register');

const TYPES = {
    string: (value) => typeof value === 'string',
    integer: Number.isInteger,
    number: (value) => typeof value === 'number',
    boolean: (value) => typeof value === 'boolean',
    array: Array.isArray,
    object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    null: (value) => value === null,
};

/** What is wrong with `value`: a list of "where: what". */
function faultsOf(document, reference, value, where = '$') {
    const schema = resolveSchema(document, reference);
    const types = [schema.type].flat().filter(Boolean);
    if (types.length === 0) {
        return []; // Anything.
    }
    if (!types.some((type) => TYPES[type](value)) && !(schema.nullable && value === null)) {
        return [`${where}: ${JSON.stringify(value)} is not of type ${types}`];
    }
    if (value !== null && schema.enum && !schema.enum.includes(value)) {
        return [`${where}: ${JSON.stringify(value)} is not one of ${schema.enum}`];
    }
    if (Array.isArray(value)) {
        if (!schema.items) {
            return [`${where}: the schema does not say what is in the list`];
        }
        return value.flatMap((item, i) => faultsOf(document, schema.items, item, `${where}[${i}]`)).slice(0, 5);
    }
    const isFreeForm = !schema.properties && !schema.additionalProperties;
    if (value === null || typeof value !== 'object' || isFreeForm) {
        return [];
    }
    const faults = (schema.required || []).filter((name) => !(name in value)).map((name) => `${where}.${name} is missing`);
    for (const [name, member] of Object.entries(value)) {
        const inner = (schema.properties || {})[name] || (typeof schema.additionalProperties === 'object' && schema.additionalProperties);
        if (inner) {
            faults.push(...faultsOf(document, inner, member, `${where}.${name}`));
        } else if (schema.additionalProperties !== true) {
            faults.push(`${where}.${name} is not in the schema`);
        }
    }
    return faults;
}

const bodyOf = ({ operation }) => operation.requestBody.content['application/json'].schema;

/** A server with one of everything, and the real path of each GET route. */
async function prepare(t) {
    const server = await startServer(t);
    const admin = await server.signIn();
    const asset = await makeAsset(admin, { name: 'Asset', external_id: 'x', type: 'y', owner: 'z' });
    const risk = await makeRisk(admin, {
        asset_ids: [asset.id],
        tags: ['a'],
        frameworks: ['b'],
        custom_fields: { text: 'a', number: 1.5, flag: true },
        review_date: day(5),
    });
    const mitigation = await makeMitigation(admin, risk.id, { due_date: day(-5), cost: 3 });
    await admin.expect(201, 'POST', `/mitigations/${mitigation.id}/subactions`, { title: 'Step' });
    await admin.expect(200, 'PATCH', `/risks/${risk.id}`, { title: 'Changed', tags: ['b'] });
    await admin.expect(201, 'POST', '/tokens', { name: 'A token' });
    const { json: document } = await server.client().expect(200, 'GET', '/openapi.json');
    const ids = { risks: risk.id, assets: asset.id };
    const routes = operationsOf(document)
        .filter((one) => one.method === 'GET')
        .map((one) => ({ ...one, real: one.path.replace('{id}', ids[one.path.split('/')[1]]) }));
    return { server, admin, document, routes };
}

test('the OpenAPI document', async (t) => {
    const { server, admin, document, routes } = await prepare(t);

    await t.test('is well-formed: version, title, unique operation ids, answers and declared path parameters', async () => {
        assert.match(document.openapi, /^3\.[01]\.\d+$/);
        assert.ok(document.info.title && document.info.version);
        const ids = new Set();
        for (const { method, path, operation, who } of operationsOf(document)) {
            const name = `${method} ${path}`;
            assert.ok(operation.summary, name);
            assert.ok(['public', 'any', 'analyst', 'creator_or_admin', 'admin'].includes(who), `${name}: ${who}`);
            assert.ok(Object.keys(operation.responses).length > 0, name);
            if (operation.operationId) {
                assert.ok(!ids.has(operation.operationId), name);
                ids.add(operation.operationId);
            }
            const declared = (operation.parameters || []).filter((one) => one.in === 'path').map((one) => one.name);
            assert.deepStrictEqual(declared.sort(), [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort(), name);
        }
    });

    await t.test('refers to nothing that is not there', async () => {
        for (const [, pointer] of JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
            const target = pointer.split('/').reduce((node, name) => node && node[name], document);
            assert.ok(target, pointer);
        }
    });

    await t.test('names the members and limits of a risk', async () => {
        const post = operationsOf(document).find((one) => one.method === 'POST' && one.path === '/risks');
        const schema = resolveSchema(document, bodyOf(post));
        assert.deepStrictEqual([...schema.required].sort(), ['impact', 'probability', 'title']);
        assert.strictEqual(schema.properties.impact.minimum, 1);
        assert.strictEqual(schema.properties.impact.maximum, 5);
        assert.strictEqual(schema.properties.title.maxLength, 300);
        assert.deepStrictEqual(schema.properties.status.enum, ['DRAFT', 'ACTIVE', 'MITIGATED', 'ACCEPTED', 'CLOSED']);
        for (const name of ['id', 'score', 'level', 'created_by', 'version']) {
            assert.ok(!(name in schema.properties) || schema.properties[name].readOnly, name);
        }
        for (const name of ['asset_ids', 'tags', 'custom_fields', 'external_id']) {
            assert.ok(schema.properties[name], name);
        }
    });

    await t.test('requires no member of a PATCH', async () => {
        for (const operation of operationsOf(document).filter((one) => one.method === 'PATCH')) {
            assert.deepStrictEqual(resolveSchema(document, bodyOf(operation)).required || [], [], operation.path);
        }
    });

    await t.test('tells of every answer to a GET what is in it, and of nothing else', async () => {
        const wrong = [];
        for (const { path, real, operation } of routes) {
            const reply = await admin.expect(200, 'GET', real);
            const content = (operation.responses['200'] || {}).content;
            const schema = content && content['application/json'] && content['application/json'].schema;
            if (!schema) {
                wrong.push(`${path}: no schema for 200`);
            } else {
                assert.ok(['object', 'array'].includes(resolveSchema(document, schema).type), path);
                wrong.push(...faultsOf(document, schema, reply.json).map((fault) => `${path} ${fault}`));
            }
        }
        assert.deepStrictEqual(wrong, []);
    });

    await t.test('declares every parameter that a list takes', async () => {
        const parametersOf = (path) => routes.find((one) => one.path === path).operation.parameters.filter((one) => one.in === 'query');
        const names = parametersOf('/risks').map((one) => one.name);
        const filters = 'q status level tag category owner asset_id framework min_score max_score review_before source impact probability open';
        assert.deepStrictEqual(names.sort(), `${filters} sort_by sort_dir page limit after`.split(' ').sort());
        for (const { path, real, operation } of routes) {
            for (const { name, in: place, schema } of operation.parameters || []) {
                if (place === 'query' && schema && schema.enum) {
                    const reply = await admin.get(`${real}?${name}=${schema.enum[0]}`);
                    assert.strictEqual(reply.status, 200, `${path}?${name}=${schema.enum[0]}: ${reply.body}`);
                }
            }
        }
    });

    await t.test('HEAD answers like GET, without the body', async () => {
        for (const { path, real, who } of routes) {
            const client = who === 'public' ? server.client() : admin;
            const get = await client.expect(200, 'GET', real);
            const head = await client.request('HEAD', real);
            assert.strictEqual(head.status, 200, path);
            assert.strictEqual(head.body, '', path);
            for (const header of ['content-type', 'cache-control', 'vary', 'etag', 'content-disposition']) {
                if (!(header === 'etag' && /export|audit|health|tokens|users|cache|pool/.test(path))) {
                    assert.strictEqual(head.headers[header], get.headers[header], `${header} of ${path}`);
                }
            }
        }
        const nobody = server.client();
        assert.strictEqual((await nobody.request('HEAD', '/risks')).status, 401);
        assert.strictEqual((await admin.request('HEAD', '/risks/nonsense')).status, 404);
        assert.strictEqual((await admin.request('HEAD', '/auth/login')).status, 405);
    });
});

test('health', async (t) => {
    const server = await startServer(t);

    await t.test('is public, tells the version and asks the parts', async () => {
        const { json } = await server.client().expect(200, 'GET', '/health');
        assert.strictEqual(json.status, 'UP');
        assert.match(json.version, /^\d+\.\d+\.\d+/);
        assert.ok(Object.keys(json.checks).length > 0, JSON.stringify(json));
        const { stdout } = await server.cli(['version']);
        assert.ok(stdout.includes(json.version), stdout);
    });

    await t.test('the operator\'s listener has /livez and /readyz, and the public one has not', async () => {
        assert.strictEqual((await server.ops.get('/livez')).status, 200);
        assert.strictEqual((await server.ops.get('/readyz')).status, 200);
        assert.strictEqual((await server.client(undefined, '').get('/livez')).status, 404);
        assert.strictEqual((await server.ops.get('/api/v1/risks')).status, 404);
    });

    await t.test('OPENRISK_OPS_TOKEN closes the operator\'s listener to others', async (t2) => {
        const token = 'a token for the operator';
        const closed = await startServer(t2, { env: { OPENRISK_OPS_TOKEN: token } });
        assert.strictEqual((await closed.ops.get('/readyz')).status, 401);
        assert.strictEqual((await closed.ops.get('/readyz', { Authorization: 'Bearer something else' })).status, 401);
        assert.strictEqual((await closed.ops.get('/readyz', { Authorization: `Bearer ${token}` })).status, 200);
    });
});
