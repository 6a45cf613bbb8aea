/**
 * What the tests of the cache share: which answers are kept and what they depend on, written down once
 * more on purpose; how one sees it from outside; and a register with one of everything to read.
 */
'use strict';

const assert = require('node:assert');

const { day, makeAsset, makeMitigation, makeRisk } = require('./register');

/** The routes whose answers are kept, and what a write must touch to make them outdated. */
const CACHED = {
    '/risks': ['risks', 'assets'],
    '/risks/values': ['risks'],
    '/risks/{id}': ['risks', 'assets'],
    '/risks/{id}/timeline': ['risks'],
    '/risks/{id}/mitigations': ['risks'],
    '/mitigations': ['risks'],
    '/assets': ['assets'],
    '/assets/{id}': ['risks', 'assets'],
    '/stats': ['risks'],
    '/stats/risk-matrix': ['risks'],
    '/stats/trends': ['risks'],
    '/stats/risk-distribution': ['risks'],
    '/stats/mitigation-metrics': ['risks'],
    '/stats/top-risks': ['risks'],
    '/activity': ['risks'],
};

const HIT = 'openrisk; hit';
const SECOND = 'openrisk; hit; detail=second-level';
const UNVERIFIED = 'openrisk; hit; detail=unverified';
const STORED = 'openrisk; fwd=miss; stored';
const COLLAPSED = 'openrisk; fwd=miss; collapsed';
const PASSED_BY = 'openrisk; fwd=miss';
const BYPASS = 'openrisk; fwd=bypass';

/** The answer came this way, and both headers say so. */
function assertWay(reply, way, what = '') {
    assert.strictEqual(reply.headers['cache-status'], way, `${what} ${reply.status} ${reply.body.slice(0, 200)}`);
    assert.strictEqual(reply.headers['x-cache'], [HIT, SECOND, UNVERIFIED].includes(way) ? 'HIT' : 'MISS', what);
}

/** Nobody says that the cache had a part in it. */
function assertNotCached(reply, what = '') {
    assert.strictEqual(reply.headers['cache-status'], undefined, what);
    assert.strictEqual(reply.headers['x-cache'], undefined, what);
}

/** The headers in which a hit and its miss are equal: all but these. */
function commonHeaders(reply) {
    const { 'x-cache': _, 'cache-status': __, 'x-request-id': ___, date: ____, ...common } = reply.headers;
    return common;
}

/** Make everything outdated. */
async function forget(admin, scope) {
    return (await admin.expect(200, 'DELETE', `/cache${scope ? `?scope=${scope}` : ''}`)).json;
}

async function statisticsOf(admin) {
    return (await admin.expect(200, 'GET', '/cache')).json;
}

/** One of everything: {risk, asset, mitigation, pathOf(route)}. */
async function fillRegister(admin) {
    const asset = await makeAsset(admin, { name: 'Asset', criticality: 'HIGH' });
    const body = { title: 'Everything', asset_ids: [asset.id], tags: ['a'], description: 'Read by many. '.repeat(200) };
    const risk = await makeRisk(admin, body);
    const mitigation = await makeMitigation(admin, risk.id, { due_date: day(5) });
    const ids = { risks: risk.id, assets: asset.id };
    return { risk, asset, mitigation, pathOf: (route) => route.replace('{id}', ids[route.split('/')[1]]) };
}

module.exports = {
    BYPASS,
    CACHED,
    COLLAPSED,
    HIT,
    PASSED_BY,
    SECOND,
    STORED,
    UNVERIFIED,
    assertNotCached,
    assertWay,
    commonHeaders,
    fillRegister,
    forget,
    statisticsOf,
};
