/**
 * For each check of script/verify what would be wrong with a deployment for which it must fail: [what, alter], `alter` as in
 * tests/tools/altering.js, made anew for each run by `alterOf(adminToken)`. `says`: what the line must say.
 */
'use strict';

const API = '/api/v1';

function json(reply, change) {
    const body = JSON.parse(reply.body);
    return { ...reply, body: JSON.stringify(change(body) || body) };
}

const isAsked = (request, route, method = 'GET') => request.method === method && request.path.split('?')[0] === API + route;
const as = (token, request) => ({ ...request, headers: { ...request.headers, authorization: `Bearer ${token}` } });
const isAdmins = (token, request) => request.headers.authorization === `Bearer ${token}`;
const withHeaders = (reply, headers) => ({ ...reply, headers: { ...reply.headers, ...headers } });

/** The answer to `route` is changed. */
const answer = (route, change, method) => () => async (request, forward) => {
    const reply = await forward(request);
    return isAsked(request, route, method) ? change(reply, request) : reply;
};

/** What was answered first to a request is answered to all like it, whoever asks, or `isSame` says otherwise. */
const keep = (route, isSame = () => true) => () => {
    const kept = new Map();
    return async (request, forward) => {
        const reply = await forward(request);
        if (!isAsked(request, route) && !(route === '/risks/{id}' && request.method === 'GET' && /\/risks\/[0-9a-f-]+$/.test(request.path))) {
            return reply;
        }
        const known = kept.get(request.path);
        if (known && isSame(reply, request)) {
            return known;
        }
        if (!known && reply.status === 200) {
            kept.set(request.path, reply);
        }
        return reply;
    };
};

/** All requests come with the rights of the administrator, as if permission were not looked at. */
const everybodyIsAdmin = (isFor) => (token) => (request, forward) => forward(isFor(request) ? as(token, request) : request);

const acceptAll = (status) => () => async (request, forward) => {
    const reply = await forward(request);
    return [400, 415, 422].includes(reply.status) ? { status, headers: { 'content-type': 'application/json' }, body: '{}' } : reply;
};
const forgetNames = () => async (request, forward) => {
    const reply = await forward(request);
    return [400, 415, 422].includes(reply.status) ? json(reply, (body) => ({ ...body, errors: [] })) : reply;
};
const asHtml = () => async (request, forward) => {
    const reply = await forward(request);
    return [400, 415, 422].includes(reply.status) ? { ...reply, headers: { 'content-type': 'text/html' }, body: '<h1>Bad Request</h1>' } : reply;
};
/** A lenient server: what it does not understand it leaves out, and writes the rest. */
const lenient = () => (request, forward) => {
    if (!isAsked(request, '/risks', 'POST') || !request.body.includes('title')) {
        return forward(request);
    }
    const [, title] = /"title": ?"([^"]*)"/.exec(request.body);
    return forward({ ...request, headers: { ...request.headers, 'content-type': 'application/json' }, body: JSON.stringify({ title, impact: 1, probability: 1 }) });
};

const cached = (route) => [
    ['always a MISS', answer(route, (reply) => withHeaders(reply, { 'x-cache': 'MISS' })), /no HIT in/],
    ['always a HIT', answer(route, (reply) => withHeaders(reply, { 'x-cache': 'HIT' })), /X-Cache: HIT/],
    ['a byte of a hit is another one', answer(route, (reply) => (reply.headers['x-cache'] === 'HIT' ? { ...reply, body: reply.body.replace(/\d/, (digit) => (Number(digit) + 1) % 10) } : reply)), /other bytes/],
];
const noXCache = ['no X-Cache', answer('/stats', (reply) => {
    const { 'x-cache': dropped, ...headers } = reply.headers;
    return { ...reply, headers };
}), /no X-Cache/];
const off = ['the cache is off', answer('/stats', (reply) => withHeaders(reply, { 'x-cache': 'MISS', 'cache-status': 'openrisk; fwd=bypass' })), /cache is off/];

const bad = (more = []) => [
    ['it is accepted', acceptAll(200), /200 instead of/],
    ['the refusal is no problem', asHtml, /text\/html/],
    ...more,
];
const named = [['the refusal names nothing', forgetNames, /does not name/]];
const written = [['it is written all the same', lenient, /201 instead of/]];

const FAULTS = {
    'health-database': [['the database is away', answer('/health', (reply) => json(reply, (body) => { body.checks.database.status = 'DOWN'; })), /DOWN/]],
    'health-pool': [['the pool is exhausted', answer('/health', (reply) => json(reply, (body) => { body.checks.pool.status = 'DEGRADED'; })), /DEGRADED/]],
    'health-redis': [['Redis is away', answer('/health', (reply) => json(reply, (body) => { body.checks.redis = { status: 'DOWN', breaker: 'open', for_ms: 1 }; })), /breaker is open/]],
    'sign-in': [
        ['a session without end', answer('/auth/login', (reply) => json(reply, (body) => { delete body.expires_in; }), 'POST'), /ends after/],
        ['the session is not known', () => {
            let asked = 0;
            return async (request, forward) => (isAsked(request, '/users/me') && ++asked > 1 ? forward(as('or_nobody', request)) : forward(request));
        }, /401 instead of 200/],
    ],
    'wrong-password': [['any password does', () => async (request, forward) => {
        const reply = await forward(request);
        return isAsked(request, '/auth/login', 'POST') && reply.status === 401 ? { status: 200, headers: { 'content-type': 'application/json' }, body: '{"token":"or_1"}' } : reply;
    }, /200 instead of 401/]],
    'cached-stats': [...cached('/stats'), noXCache, off],
    'cached-risk-matrix': cached('/stats/risk-matrix'),
    'cached-trends': cached('/stats/trends'),
    'cached-top-risks': cached('/stats/top-risks'),
    'cached-risks': cached('/risks'),
    gzip: [
        ['compressed it is another text', answer('/stats/trends', (reply) => (reply.headers['content-encoding'] === 'gzip' ? { ...reply, body: reply.body.replace(/\d/, '') } : reply)), /another text/],
        ['nothing is compressed', () => (request, forward) => forward({ ...request, headers: { ...request.headers, 'accept-encoding': 'identity' } }), /not compressed/],
    ],
    'not-modified': [
        ['the ETag is dropped', () => async (request, forward) => {
            const { headers: { etag, ...headers }, ...reply } = await forward(request);
            return { ...reply, headers };
        }, /no ETag/],
        ['If-None-Match is dropped', () => (request, forward) => {
            const { 'if-none-match': dropped, ...headers } = request.headers;
            return forward({ ...request, headers });
        }, /200 instead of 304/],
        ['once not modified, always', () => async (request, forward) => {
            const reply = await forward(request);
            return request.headers['if-none-match'] ? { ...reply, status: 304, body: '' } : reply;
        }, /304 instead of 200/],
    ],
    'write-seen': [
        ['the risk is stale', keep('/risks/{id}'), /shows version/],
        ['the list is stale', keep('/risks'), /list/],
        ['the figures are stale', keep('/stats'), /figures/],
    ],
    'never-older': [['now and then it is older', () => {
        const first = new Map();
        let asked = 0;
        return async (request, forward) => {
            const reply = await forward(request);
            if (request.method !== 'GET' || !/\/risks(\/[0-9a-f-]+$|\?q=)/.test(request.path)) {
                return reply;
            }
            first.set(request.path, first.get(request.path) || reply);
            return ++asked % 10 === 0 ? first.get(request.path) : reply;
        };
    }, /shows version/]],
    'no-token': [['whoever asks gets what another one was given', keep('/stats'), /without a token.*200/]],
    viewer: [
        ['viewers see what is for administrators', everybodyIsAdmin((request) => request.method === 'GET'), /of a viewer: 200/],
        ['viewers write', everybodyIsAdmin((request) => request.method !== 'GET' && !request.path.includes('/auth/')), /POST \/risks of a viewer: 201/],
    ],
    'read-token': [['it writes as well', everybodyIsAdmin((request) => request.method === 'PATCH' || isAsked(request, '/risks', 'POST')), /201 instead of 403/]],
    'revoked-token': [['what was cached goes on', (token) => {
        const inner = keep('/stats', (reply) => reply.status === 401)(token);
        return (request, forward) => (isAdmins(token, request) ? forward(request) : inner(request, forward));
    }, /revoked.*200 instead of 401/]],
    'bad-malformed-json': bad(written),
    'bad-unknown-field': bad([...named, ...written]),
    'bad-wrong-type': bad([...named, ...written]),
    'bad-out-of-range': bad([...named, ...written]),
    'bad-large-limit': bad(named),
    'bad-unknown-parameter': bad(named),
    'bad-content-type': bad(written),
    'pool-state': [
        ['all connections are in use', answer('/pool', (reply) => json(reply, (body) => { body.general.verdict = 'exhausted'; })), /exhausted/],
        ['connections are held too long', () => {
            let asked = 0;
            return async (request, forward) => {
                const reply = await forward(request);
                return isAsked(request, '/pool') ? json(reply, (body) => { body.general.held_long = ++asked; }) : reply;
            };
        }, /held a connection/],
    ],
};

/** The same for the listener for operators. */
const metrics = (change) => () => async (request, forward) => {
    const reply = await forward(request);
    return request.path === '/metrics' ? { ...reply, body: change(reply.body) } : reply;
};
const word = (path, text, status = 200) => () => async (request, forward) => {
    const reply = await forward(request);
    return request.path === path ? { ...reply, status, body: `${text}\n` } : reply;
};
const OPS_FAULTS = {
    livez: [['nothing lives', word('/livez', 'dead', 500), /500 instead of 200/]],
    readyz: [
        ['it is degraded', word('/readyz', 'ready, degraded: redis'), /degraded/],
        ['it is not ready', word('/readyz', 'the database is away', 503), /503/],
    ],
    'metrics-complete': [
        ['a metric is missing', metrics((text) => text.replace(/^.*openrisk_db_up.*\n/gm, '')), /lacks openrisk_db_up/],
        ['a histogram is a counter', metrics((text) => text.replace('TYPE openrisk_db_pool_wait_seconds histogram', 'TYPE openrisk_db_pool_wait_seconds counter')), /openrisk_db_pool_wait_seconds/],
        ['there is one that no page knows', metrics((text) => `${text}# TYPE openrisk_mood gauge\nopenrisk_mood 1\n`), /openrisk_mood/],
    ],
    'metrics-count': [['it stands still', () => {
        let first;
        return async (request, forward) => (first = first || (await forward(request)));
    }, /none is counted/]],
    'metrics-version': [['another version', metrics((text) => text.replace(/(openrisk_build_info\{version=")[^"]*/, '$10.0.9')), /is version 0\.0\.9/]],
};

module.exports = { FAULTS, OPS_FAULTS };
