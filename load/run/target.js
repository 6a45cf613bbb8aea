/**
 * The server under load, as seen before a load is put on it: does it answer, is it OpenRisk, and are we let in? What is
 * wrong is said within seconds, and in one line.
 */
'use strict';

const http = require('node:http');
const https = require('node:https');

const { Problem } = require('./problem');

/** All questions of checkTarget() together. */
const LIMIT_MS = 3000;

const CAUSES = {
    ECONNREFUSED: 'nothing listens there; is the server running?',
    ECONNRESET: 'the connection was closed; is it an address of OpenRisk?',
    ENOTFOUND: 'there is no host of this name',
    EAI_AGAIN: 'the name of the host cannot be looked up',
    EAI_FAIL: 'the name of the host cannot be looked up',
    EHOSTUNREACH: 'there is no way to this host',
    ENETUNREACH: 'there is no way to this network',
    ETIMEDOUT: 'no answer in time',
};

function causeOf(error) {
    return CAUSES[error.code] || error.message;
}

/** {status, headers, text}; rejects if there is none before `deadline`, or the connection fails. */
function request(url, { method = 'GET', token, body, deadline = Date.now() + LIMIT_MS } = {}) {
    return new Promise((resolve, reject) => {
        const headers = { 'User-Agent': 'openrisk-load', Connection: 'close' };
        if (token) {
            headers.Authorization = `Bearer ${token}`;
        }
        const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
        if (bytes !== undefined) {
            headers['Content-Type'] = 'application/json';
            headers['Content-Length'] = bytes.length;
        }
        const client = new URL(url).protocol === 'https:' ? https : http;
        const sent = client.request(url, { method, headers, agent: false }, (response) => {
            const chunks = [];
            response.on('data', (chunk) => chunks.push(chunk));
            response.on('error', reject);
            response.on('end', () => {
                clearTimeout(timer);
                resolve({ status: response.statusCode, headers: response.headers, text: Buffer.concat(chunks).toString('utf8') });
            });
        });
        const timer = setTimeout(() => sent.destroy(Object.assign(new Error(), { code: 'ETIMEDOUT' })), Math.max(1, deadline - Date.now()));
        sent.on('error', (error) => {
            clearTimeout(timer);
            reject(error);
        });
        sent.end(bytes);
    });
}

function jsonOf(text) {
    try {
        return JSON.parse(text);
    } catch {
        return undefined;
    }
}

/** http://HOST:PORT of what somebody typed. */
function originOf(text, what = 'URL') {
    let url;
    try {
        url = new URL(text);
    } catch {
        throw new Problem(`'${text}' is no ${what}; one looks like http://127.0.0.1:8080`);
    }
    if (!/^https?:$/.test(url.protocol) || url.hostname === '') {
        throw new Problem(`'${text}' is no ${what}; one begins with http:// or https:// and the name of a host`);
    }
    if (url.username !== '' || url.password !== '') {
        throw new Problem(`the ${what} holds a name or a password, which others can see; they belong into OPENRISK_EMAIL and OPENRISK_PASSWORD`);
    }
    if (!/^\/?$/.test(url.pathname) || url.search !== '' || url.hash !== '') {
        throw new Problem(`the ${what} is only http://HOST:PORT, without '${url.pathname}${url.search}${url.hash}'`);
    }
    return url.origin;
}

async function signIn(api, env, deadline) {
    if (env.OPENRISK_TOKEN) {
        return { token: env.OPENRISK_TOKEN, isSession: false };
    }
    const body = { email: env.OPENRISK_EMAIL, password: env.OPENRISK_PASSWORD };
    const { status, text } = await request(`${api}/auth/login`, { method: 'POST', body, deadline });
    if (status === 429 || status === 503) {
        throw new Problem(`${api} takes no sign-ins now (${status}); try again in a minute`);
    }
    if (status !== 200) {
        throw new Problem(`${api} refuses OPENRISK_EMAIL (${env.OPENRISK_EMAIL}) with OPENRISK_PASSWORD: ${status}`);
    }
    return { token: jsonOf(text).token, isSession: true };
}

/**
 * Is `origin` an OpenRisk that lets us in, to write if `writes`? {version}. `env`: OPENRISK_EMAIL and OPENRISK_PASSWORD, or
 * OPENRISK_TOKEN. Rejects with a Problem.
 */
async function checkTarget(origin, env, writes) {
    if (!env.OPENRISK_TOKEN && !(env.OPENRISK_EMAIL && env.OPENRISK_PASSWORD)) {
        throw new Problem('set OPENRISK_EMAIL and OPENRISK_PASSWORD, or OPENRISK_TOKEN, to sign in with');
    }
    const deadline = Date.now() + LIMIT_MS;
    const api = `${origin}/api/v1`;
    try {
        const health = await request(`${api}/health`, { deadline });
        const { version, status } = jsonOf(health.text) || {};
        if (version === undefined || status === undefined) {
            throw new Problem(`${origin} is not OpenRisk: GET /api/v1/health gave ${health.status} without status and version`);
        }
        if (health.status !== 200) {
            throw new Problem(`${origin} is ${status}: ${health.text}`);
        }
        const { token, isSession } = await signIn(api, env, deadline);
        const me = await request(`${api}/users/me`, { token, deadline });
        if (isSession) {
            await request(`${api}/auth/logout`, { method: 'POST', token, deadline });
        }
        if (me.status !== 200) {
            throw new Problem(`${origin} refuses ${isSession ? 'who has signed in' : 'OPENRISK_TOKEN'}: ${me.status}`);
        }
        const { role, must_change_password: mustChange } = jsonOf(me.text);
        if (mustChange) {
            throw new Problem(`the password of ${env.OPENRISK_EMAIL} must be changed first, with POST /api/v1/users/me/password`);
        }
        if (writes && role === 'viewer') {
            throw new Problem('this scenario writes, and a viewer may only read: use an analyst or an admin');
        }
        return { version };
    } catch (error) {
        if (error instanceof Problem) {
            throw error;
        }
        throw new Problem(`${origin}: ${causeOf(error)}`);
    }
}

/**
 * Delete what a run with this marker has left in the register, and give the number of things. Teardown does it, unless k6 was
 * killed. What only happens to contain the marker is none of ours.
 */
async function removeLeftovers(origin, env, marker) {
    const api = `${origin}/api/v1`;
    const { token, isSession } = await signIn(api, env, Date.now() + LIMIT_MS);
    const ask = (method, path, body) => request(`${api}${path}`, { method, token, body });
    const find = async (path, name) => {
        const { text } = await ask('GET', `${path}?limit=200&q=${marker}`);
        return jsonOf(text).items.filter((one) => one[name].startsWith(`Load test ${marker},`)).map(({ id }) => id);
    };
    const risks = await find('/risks', 'title');
    if (risks.length > 0) {
        await ask('POST', '/risks/bulk', { ids: risks, delete: true });
    }
    const assets = await find('/assets', 'name');
    for (const id of assets) {
        await ask('DELETE', `/assets/${id}`);
    }
    if (isSession) {
        await ask('POST', '/auth/logout');
    }
    return risks.length + assets.length;
}

module.exports = { causeOf, checkTarget, originOf, removeLeftovers, request };
