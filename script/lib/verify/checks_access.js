/** Who may do what: sign-in, permissions that no cached answer gets around, and what is refused. */
'use strict';

const { Failure, Skip, expect, expectProblem, expectStatus } = require('./check');

const ADMIN_ROUTES = ['/users', '/audit-logs', '/pool', '/cache', '/ops'];
/** Somebody else's answer must be there for the taking. */
const CACHED_ROUTE = '/stats';

async function warm(run) {
    for (let i = 0; i < 2; i++) {
        expectStatus(await run.me.get(CACHED_ROUTE), 200, `GET ${CACHED_ROUTE}`);
    }
}

async function signIn(run) {
    expectStatus(await run.me.get('/users/me'), 200, 'GET /users/me');
    if (!run.signedIn) {
        throw new Skip('a token was given (OPENRISK_TOKEN)');
    }
    const { expires_in: seconds } = run.session;
    expect(seconds > 0 && seconds <= 366 * 86400, `a session that ends after ${seconds} s`);
    return `as ${run.user.role}, for ${Math.round(seconds / 360) / 10} h`;
}

/** Once only, and for a user of its own if it may make one: nobody is to be kept from signing in. */
async function wrongPassword(run) {
    const email = run.isAdmin && run.mayWrite ? (await run.viewer()).email : run.user.email;
    const reply = await run.person().post('/auth/login', { email, password: `not the password, ${run.mark}` });
    if (reply.status === 429) {
        throw new Failure(`too many failed sign-ins from here lately; again in ${reply.headers['retry-after']} s`);
    }
    expectProblem(reply, 401, 'signing in with a wrong password');
    return '401, tried once';
}

async function noToken(run) {
    await warm(run);
    for (const [who, token] of [['without a token', undefined], ['with a made-up token', 'or_00000000000000000000000000000000000000']]) {
        for (const route of [CACHED_ROUTE, '/risks', '/users/me']) {
            expectProblem(await run.person(token).get(route), 401, `GET ${route} ${who}, after a HIT`);
        }
    }
    return '401 also for what is cached';
}

async function viewer(run) {
    const { person } = await run.viewer();
    const { id } = await run.risk();
    await warm(run);
    for (const route of ADMIN_ROUTES) {
        expectStatus(await run.me.get(route), 200, `GET ${route} of an administrator`);
        expectProblem(await person.get(route), 403, `GET ${route} of a viewer`);
    }
    expectProblem(await person.post('/risks', run.riskBody()), 403, 'POST /risks of a viewer');
    expectProblem(await person.patch(`/risks/${id}`, { impact: 3 }), 403, 'PATCH of a risk by a viewer');
    expectProblem(await person.delete(`/risks/${id}`), 403, 'DELETE of a risk by a viewer');
    expectStatus(await person.get(CACHED_ROUTE), 200, `GET ${CACHED_ROUTE} of a viewer`);
    return `reads; 403 for ${ADMIN_ROUTES.length} routes of administrators and 3 writes`;
}

async function readToken(run) {
    const { person } = await run.readToken();
    const { id } = await run.risk();
    expectStatus(await person.get(CACHED_ROUTE), 200, `GET ${CACHED_ROUTE} with a token that may read`);
    expectProblem(await person.post('/risks', run.riskBody()), 403, 'POST /risks with a token that may only read');
    expectProblem(await person.patch(`/risks/${id}`, { impact: 3 }), 403, 'PATCH of a risk with a token that may only read');
    return 'reads, and 403 for writes';
}

async function revokedToken(run) {
    const { id, person } = await run.readToken();
    for (let i = 0; i < 3; i++) {
        expectStatus(await person.get(CACHED_ROUTE), 200, `GET ${CACHED_ROUTE} with a token`);
    }
    expectStatus(await run.me.delete(`/tokens/${id}`), 204, 'DELETE of a token');
    for (let i = 0; i < 5; i++) {
        expectProblem(await person.get(CACHED_ROUTE), 401, `GET ${CACHED_ROUTE} with a token that was revoked, after a HIT`);
    }
    return '401 from the next request on';
}

/** What each refusal is for: what is sent, the status, the member or parameter that it must name. */
const REFUSALS = {
    'malformed-json': { about: 'a body that is no JSON', post: (run) => `{"title": "${run.name}", "impact": `, status: 400 },
    'unknown-field': { about: 'a member that is not known', post: (run) => run.riskBody({ colour: 'red' }), status: 422, field: 'colour' },
    'wrong-type': { about: 'a text for a number', post: (run) => run.riskBody({ impact: 'much' }), status: 422, field: 'impact' },
    'out-of-range': { about: 'a number beyond the scale', post: (run) => run.riskBody({ probability: 6 }), status: 422, field: 'probability' },
    'large-limit': { about: 'a page that is too large', get: '/risks?limit=100000', status: 400, field: 'limit' },
    'unknown-parameter': { about: 'a parameter that is not known', get: '/stats/trends?colour=red', status: 400, field: 'colour' },
    'content-type': { about: 'a body that says that it is no JSON', post: (run) => run.riskBody(), headers: { 'Content-Type': 'text/plain' }, status: 415 },
};

async function refusal(run, { post, get, headers, status, field, about }) {
    const reply = post ? await run.me.post('/risks', post(run), headers) : await run.me.get(get);
    expectProblem(reply, status, about, field);
    return `${status}${field ? `, names ${field}` : ''}`;
}

module.exports = {
    signIn: [
        { name: 'sign-in', needs: [], about: 'e-mail address and password give a session', run: signIn },
        { name: 'wrong-password', needs: [], about: 'a wrong password is refused; tried once, for a user of its own if it may make one', run: wrongPassword },
    ],
    checks: [
        { name: 'no-token', needs: [], about: 'without a token, or with a made-up one, also what is cached is refused', run: noToken },
        { name: 'viewer', needs: ['admin', 'write'], about: 'a viewer reads, and neither writes nor sees what is for administrators', run: viewer },
        { name: 'read-token', needs: ['write'], about: 'an API token that may read does not write', run: readToken },
        { name: 'revoked-token', needs: ['write'], about: 'an API token that is revoked is dead at once, whatever is cached', run: revokedToken },
        ...Object.entries(REFUSALS).map(([name, one]) => ({
            name: `bad-${name}`,
            needs: one.post ? ['write'] : [],
            about: `${one.about}: ${one.status}, as a problem${one.field ? ' that names it' : ''}`,
            run: (run) => refusal(run, one),
        })),
    ],
};
