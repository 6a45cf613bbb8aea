/**
 * What a check is: {name, needs, about, run}. `needs`: names of NEEDS, without which it is skipped. `run(run)` gives the detail
 * for its line, throws a Failure that says what is wrong, or a Skip that says why it cannot be looked at here. `run` is a Run
 * (run.js): it asks as the account that signed in, and whatever a check makes through it is removed at the end.
 *
 * Others may use the system meanwhile, and write. A check whose result another's write could spoil begins again (`again`), and
 * fails only if it never succeeds.
 */
'use strict';

class Failure extends Error {}
class Skip extends Error {}

const ROUNDS = 5;

/** What a check may need, and how to give it. `has(run)`: is it there? */
const NEEDS = {
    password: { text: 'OPENRISK_PASSWORD', has: (run) => run.options.password !== undefined },
    write: { text: 'an account that may write', has: (run) => run.mayWrite },
    admin: { text: 'an administrator', has: (run) => run.isAdmin },
    ops: { text: '--ops', has: (run) => run.ops.length > 0 },
    redis: { text: '--redis-stop and --redis-start', has: (run) => run.options.redisStop !== undefined },
    prometheus: { text: '--prometheus', has: (run) => run.prometheus !== undefined },
    alertmanager: { text: '--alertmanager', has: (run) => run.alertmanager !== undefined },
    grafana: { text: '--grafana', has: (run) => run.grafana !== undefined },
    grafana_sign_in: { text: 'GRAFANA_TOKEN or GRAFANA_PASSWORD', has: (run) => run.grafanaSignIn !== undefined },
};

function expect(condition, what) {
    if (!condition) {
        throw new Failure(what);
    }
}

/** What was asked, for messages. */
function expectStatus(reply, status, what) {
    const error = reply.json && reply.json.error;
    expect(reply.status === status, `${what}: ${reply.status} instead of ${status}${error && reply.status >= 400 ? ` (${error})` : ''}`);
    return reply;
}

/** A refusal in the one form that all have; with `field`, one that names it. */
function expectProblem(reply, status, what, field) {
    expectStatus(reply, status, what);
    const type = reply.headers['content-type'] || 'nothing';
    expect(/^application\/problem\+json\b/.test(type), `${what}: the refusal is ${type} and not application/problem+json`);
    const { json } = reply;
    expect(json && json.status === status && json.title && json.detail && Array.isArray(json.errors), `${what}: the refusal lacks members`);
    if (field !== undefined) {
        expect(json.errors.some((error) => error.field === field), `${what}: the refusal does not name ${field}`);
    }
}

/** `round` gives its result, or {not: why}: then another one follows, as somebody may have written meanwhile. */
async function again(round) {
    let last;
    for (let i = 0; i < ROUNDS; i++) {
        last = await round();
        if (last.not === undefined) {
            return last;
        }
    }
    throw new Failure(last.not);
}

/** Wait until `look` gives something true. */
async function until(look, limitMs, what) {
    const deadline = Date.now() + limitMs;
    for (;;) {
        const value = await look();
        if (value) {
            return value;
        }
        expect(Date.now() < deadline, typeof what === 'function' ? what() : what);
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
}

module.exports = { Failure, NEEDS, Skip, again, expect, expectProblem, expectStatus, until };
