/**
 * What tests put into a register, what a refusal looks like, and the rules that the tests reckon by
 * themselves: the score, the level, what the figures count.
 */
'use strict';

const assert = require('node:assert');

/** A well-formed id that nothing has. */
const UNKNOWN_ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const FACTORS = { LOW: 80, MEDIUM: 100, HIGH: 125, CRITICAL: 150 };

/** The score in hundredths for assets of these criticalities. */
function scoreHundredths(impact, probability, criticalities = []) {
    const count = criticalities.length;
    if (count === 0) {
        return 100 * impact * probability;
    }
    const sum = criticalities.reduce((total, name) => total + FACTORS[name], 0);
    return Math.floor((2 * impact * probability * sum + count) / (2 * count));
}

function levelOf(score) {
    return score >= 20 ? 'CRITICAL' : score >= 15 ? 'HIGH' : score >= 10 ? 'MEDIUM' : 'LOW';
}

/** The day that is `days` after today, UTC, as YYYY-MM-DD. */
function day(days = 0) {
    return new Date(Date.now() + days * 86400000).toISOString().slice(0, 10);
}

/** Random numbers that are the same in every run. */
function randomOf(seed) {
    let state = seed >>> 0;
    const next = () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32;
    };
    return { below: (limit) => Math.floor(next() * limit), of: (list) => list[Math.floor(next() * list.length)] };
}

async function makeRisk(client, body = {}) {
    const whole = { title: 'A risk', impact: 2, probability: 3, ...body };
    return (await client.expect(201, 'POST', '/risks', whole)).json;
}

async function makeAsset(client, body = {}) {
    return (await client.expect(201, 'POST', '/assets', body)).json;
}

async function makeMitigation(client, riskId, body = {}) {
    const whole = { title: 'A mitigation', ...body };
    return (await client.expect(201, 'POST', `/risks/${riskId}/mitigations`, whole)).json;
}

/**
 * The answer is a refusal with this status (or one of these), in the one form that all have; with
 * `field`, one of its errors is about that member or parameter.
 */
function assertProblem(reply, statuses, field) {
    const wanted = [statuses].flat();
    assert.ok(wanted.includes(reply.status), `status ${reply.status}, not ${wanted.join(' or ')}: ${reply.body}`);
    assert.match(reply.headers['content-type'] || '', /^application\/problem\+json\b/);
    if (reply.headers['x-cache'] !== 'HIT') {
        assert.match(reply.headers['x-request-id'] || '', /^[A-Za-z0-9._-]{1,64}$/, 'the request id of a refusal');
    }
    assert.strictEqual(reply.headers['cache-control'], 'private, no-cache');
    const problem = reply.json;
    for (const member of ['type', 'title', 'detail', 'error']) {
        assert.strictEqual(typeof problem[member], 'string', `"${member}" of ${reply.body}`);
        assert.notStrictEqual(problem[member], '', `"${member}" of ${reply.body}`);
    }
    assert.strictEqual(problem.status, reply.status);
    assert.ok(Array.isArray(problem.errors), `"errors" of ${reply.body}`);
    for (const error of problem.errors) {
        const text = error.message ?? error.reason;
        assert.ok(typeof text === 'string' && text !== '', reply.body);
    }
    assert.doesNotMatch(reply.body, /\b(SELECT|INSERT INTO|UPDATE \w+ SET|sqlite)\b|\.c:\d+|\/home\//i, 'inner workings');
    if (field) {
        const named = problem.errors.map((error) => error.field);
        assert.ok(named.includes(field), `no error about "${field}": ${reply.body}`);
    }
}

/** What export wrote, without the time of the export: equal registers give equal texts. */
async function exported(client) {
    const reply = await client.expect(200, 'GET', '/export/risks.json');
    const { exported_at: _, ...rest } = reply.json;
    return rest;
}

/** The routes of the OpenAPI document: {method, path (below /api/v1), who, operation}. */
function operationsOf(document) {
    const operations = [];
    for (const [path, item] of Object.entries(document.paths)) {
        for (const [method, operation] of Object.entries(item)) {
            if (['get', 'post', 'put', 'patch', 'delete'].includes(method)) {
                operations.push({
                    method: method.toUpperCase(),
                    path: path.replace(/^\/api\/v1/, ''),
                    who: operation['x-openrisk-who'],
                    operation,
                });
            }
        }
    }
    return operations;
}

/** The schema that a `$ref` names, with what stands beside the reference. */
function resolveSchema(document, schema) {
    const { $ref, ...beside } = schema;
    return $ref ? { ...$ref.slice(2).split('/').reduce((node, name) => node[name], document), ...beside } : schema;
}

/** So many risks: their ids. */
async function makeRisks(client, count) {
    const ids = [];
    for (let i = 0; i < count; i++) {
        ids.push((await makeRisk(client, { title: `Risk ${i}`, owner: 'nobody yet' })).id);
    }
    return ids;
}

module.exports = {
    UNKNOWN_ID,
    assertProblem,
    day,
    exported,
    levelOf,
    makeAsset,
    makeMitigation,
    makeRisk,
    makeRisks,
    operationsOf,
    randomOf,
    resolveSchema,
    scoreHundredths,
};
