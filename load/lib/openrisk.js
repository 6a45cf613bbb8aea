/**
 * What the scenarios share, for k6 v0.49 and v1: what is asked, how one signs in, what is measured, what must hold.
 * `script/load SCENARIO` runs them, checks them and writes a report; by hand, without both:
 *   OPENRISK_URL=… OPENRISK_EMAIL=… OPENRISK_PASSWORD=… k6 run load/baseline.js
 *
 * From the environment:
 *   OPENRISK_URL                   http://127.0.0.1:8080 if not set
 *   OPENRISK_EMAIL and OPENRISK_PASSWORD, or OPENRISK_TOKEN
 *   DURATION_SCALE                 0.1: all durations are a tenth; nothing else changes
 *   OPENRISK_LOAD_RATE             requests per second of slo and soak
 *   OPENRISK_LOAD_LATENCY_FACTOR   the limits for latency times this, on machines that are no measure
 *   OPENRISK_NODES                 servers behind the URL: each may load a cold key once
 *   OPENRISK_LOAD_MARKER           a word in the titles of what is made
 *   OPENRISK_LOAD_SUMMARY          the file for the results
 *
 * Own metrics:
 *   request_duration{endpoint}  ms from the first byte sent to the last received; not of setup and teardown
 *   cache_hit{phase,endpoint}   of every answer with X-Cache; phase is warmup in setup and for the first seconds, else measured
 *   errors{endpoint}            of every request: another status than the one that was right
 *   stale_reads{endpoint}       of every version seen: less than the same user has seen, or was told for a write, before
 */
import http from 'k6/http';
import exec from 'k6/execution';
import { sleep } from 'k6';
import { Rate, Trend } from 'k6/metrics';

const API = `${(__ENV.OPENRISK_URL || 'http://127.0.0.1:8080').replace(/\/+$/, '')}/api/v1`;
const SCALE = number('DURATION_SCALE', 1);
const LATENCY_FACTOR = number('OPENRISK_LOAD_LATENCY_FACTOR', 1);
const WARM_UP_SECONDS = 10;
const WORDS_MAX = 10;
const RISKS_MAX = 50;

export const NODES = number('OPENRISK_NODES', 1);

/** One node knows of each write at once; another one after this time. */
const LAG_MS = NODES > 1 ? 1000 : 0;

/** The five answers that every screen begins with. */
export const CACHED = {
    stats: '/stats',
    risk_matrix: '/stats/risk-matrix',
    trends: '/stats/trends',
    top_risks: '/stats/top-risks',
    risks: '/risks',
};
/** And what users ask for besides them. */
export const READS = Object.keys(CACHED).concat(['search', 'risk']);

const requestDuration = new Trend('request_duration', true);
const cacheHit = new Rate('cache_hit');
const errors = new Rate('errors');
const staleReads = new Rate('stale_reads');

export function number(name, otherwise) {
    const value = Number(__ENV[name] || otherwise);
    if (!(value > 0 && value < Infinity)) {
        throw new Error(`${name} must be a number above 0, not ${__ENV[name]}`);
    }
    return value;
}

/**
 * How many users it takes to keep a rate while answers take half a second. Where limits are relaxed they may take longer, but a
 * user takes memory, too.
 */
export function usersFor(rate) {
    return Math.max(20, Math.ceil((rate / 2) * Math.min(LATENCY_FACTOR, 6)));
}

/** A duration for k6: this many seconds times DURATION_SCALE, and at least one, so that each user gets to do something. */
export function lasting(seconds) {
    return `${milliseconds(seconds)}ms`;
}

export function milliseconds(seconds) {
    return Math.max(1000, Math.round(seconds * 1000 * SCALE));
}

/**
 * k6's options for a scenario. `endpoints`: those that must get answers. `hitRate`: is it part of the promise here, or
 * only told? `versions`: are there any to look at? `more`: further thresholds.
 */
export function optionsOf(scenario, { endpoints = READS, hitRate = true, versions = true, more = {} } = {}) {
    const latency = [`p(95)<${100 * LATENCY_FACTOR}`, `p(99)<${200 * LATENCY_FACTOR}`];
    const thresholds = { request_duration: latency, errors: ['rate<0.001'] };
    endpoints.forEach((endpoint) => {
        thresholds[`request_duration{endpoint:${endpoint}}`] = latency;
    });
    // A metric that no threshold names is summed up over all its tags; a condition that always holds makes k6 tell it apart.
    thresholds['cache_hit{phase:measured}'] = [hitRate ? 'rate>0.75' : 'rate>=0'];
    if (versions) {
        thresholds.stale_reads = ['rate==0'];
    }
    if (/arrival-rate/.test(scenario.executor)) {
        thresholds.dropped_iterations = ['count==0'];
    }
    return {
        scenarios: { load: scenario },
        thresholds: Object.assign(thresholds, more),
        summaryTrendStats: ['avg', 'min', 'med', 'max', 'p(90)', 'p(95)', 'p(99)', 'count'],
        setupTimeout: '60s',
        teardownTimeout: '60s',
        discardResponseBodies: true,
        userAgent: 'openrisk-load',
    };
}

function giveUp(message) {
    exec.test.abort(`openrisk: ${message}`);
}

/** {token, isSession}. One who brings a token has made it, and ends it. */
function signIn() {
    if (__ENV.OPENRISK_TOKEN) {
        return { token: __ENV.OPENRISK_TOKEN, isSession: false };
    }
    const body = JSON.stringify({ email: __ENV.OPENRISK_EMAIL, password: __ENV.OPENRISK_PASSWORD });
    const params = { headers: { 'Content-Type': 'application/json' }, responseType: 'text', tags: { name: 'sign_in' } };
    const response = http.post(`${API}/auth/login`, body, params);
    if (response.status !== 200) {
        giveUp(`signing in gave ${response.status}; OPENRISK_EMAIL and OPENRISK_PASSWORD, or OPENRISK_TOKEN, say who`);
    }
    return { token: response.json('token'), isSession: true };
}

/** A session ends after twelve hours; what takes longer gets a token that outlives it, and goes with it. */
function signInFor(seconds) {
    const session = signIn();
    if (!session.isSession || milliseconds(seconds) < 10 * 3600 * 1000) {
        return session;
    }
    const expires = new Date(Date.now() + milliseconds(seconds) + 3600 * 1000).toISOString();
    const made = write(session, 201, 'POST', '/tokens', { name: 'load test', scope: 'full', expires_at: expires });
    write(session, 204, 'POST', '/auth/logout');
    return { token: made.token, tokenId: made.id, isSession: false };
}

/** Sign in, learn what there is to ask for, and ask once for each of it, so that the measured part finds it warm. */
export function prepare(seconds) {
    const data = signInFor(seconds);
    data.measureFrom = Infinity;
    const page = ask(data, 'risks', `/risks?limit=${RISKS_MAX}`, { withBody: true });
    if (page.status !== 200) {
        giveUp(`GET /risks gave ${page.status}`);
    }
    const items = page.json('items');
    if (items.length === 0) {
        giveUp('this register holds no risks; import some first');
    }
    data.risks = items.map((risk) => risk.id);
    const words = items.map((risk) => (/[A-Za-z]{4,}/.exec(risk.title) || ['risk'])[0].toLowerCase());
    data.words = words.filter((word, index) => words.indexOf(word) === index).slice(0, WORDS_MAX);
    READS.forEach((endpoint) => everyPathOf(data, endpoint).forEach((path) => ask(data, endpoint, path)));
    data.measureFrom = Date.now() + WARM_UP_SECONDS * 1000 * SCALE;
    return data;
}

/** For who comes after: they see at least what was written so far. */
export function handOn(data) {
    data.consistencyToken = consistencyToken;
    return data;
}

export function signOut(data) {
    if (data.isSession) {
        write(data, 204, 'POST', '/auth/logout');
    } else if (data.tokenId) {
        write(data, 204, 'DELETE', `/tokens/${data.tokenId}`);
    }
}

function everyPathOf(data, endpoint) {
    switch (endpoint) {
        case 'search':
            return data.words.map((word) => `/risks?q=${word}`);
        case 'risk':
            return data.risks.map((id) => `/risks/${id}`);
        default:
            return [CACHED[endpoint]];
    }
}

/** Some are asked for more often than others. */
export function pathOf(data, endpoint) {
    const paths = everyPathOf(data, endpoint);
    return paths[Math.floor(paths.length * Math.random() * Math.random())];
}

function headersOf(data) {
    const headers = { Authorization: `Bearer ${data.token}`, 'Accept-Encoding': 'gzip' };
    const token = consistencyToken || data.consistencyToken;
    if (token) {
        headers['Consistency-Token'] = token;
    }
    return headers;
}

// What this user knows; each has variables of its own.
let consistencyToken;
let askedAt; // when the last request began
const versions = {};

/** A GET, measured. `endpoint` is a label, and the same for all paths of a kind; undefined: it is no part of what is measured. */
export function ask(data, endpoint, path, { withBody = false } = {}) {
    const responseType = withBody ? 'text' : 'none';
    askedAt = Date.now();
    const response = http.get(`${API}${path}`, { headers: headersOf(data), responseType, tags: { name: endpoint || 'other' } });
    errors.add(response.status !== 200, { endpoint: endpoint || 'other' });
    const way = response.headers['X-Cache'];
    const phase = Date.now() >= data.measureFrom ? 'measured' : 'warmup';
    if (way !== undefined) {
        cacheHit.add(way === 'HIT', { phase, endpoint });
    }
    // Refused connections take no time, and are errors enough.
    if (endpoint !== undefined && exec.vu.idInTest > 0 && response.status !== 0) {
        requestDuration.add(response.timings.duration, { endpoint });
    }
    return response;
}

/** What one risk's answer says of its version: its ETag begins with it. */
export function versionOf(response) {
    const match = /^"(\d+)\./.exec(response.headers.Etag || '');
    return match === null ? undefined : Number(match[1]);
}

/**
 * This user is shown a version: never less than one they were shown, or that a write of theirs was acknowledged with, before. 0: the
 * thing is not there, but must be. With several nodes another one may lag behind what others wrote, by a second at most; so
 * there a version counts from a second after it was shown. For what this user wrote there is the Consistency-Token.
 */
export function seeVersion(endpoint, id, version) {
    const known = versions[id] || (versions[id] = { least: 1, shown: [] });
    while (known.shown.length > 0 && known.shown[0].until <= askedAt) {
        known.least = Math.max(known.least, known.shown.shift().version);
    }
    staleReads.add(version < known.least, { endpoint });
    const newest = known.shown.length > 0 ? known.shown[known.shown.length - 1].version : known.least;
    if (version > newest) {
        known.shown.push({ version, until: Date.now() + LAG_MS });
    }
}

/** A write of this user was acknowledged with a version: that counts at once, everywhere. */
export function wroteVersion(endpoint, id, version) {
    seeVersion(endpoint, id, version);
    versions[id].least = Math.max(versions[id].least, version);
}

/** Another method than GET: the JSON of its answer, or null; what is not `status` is an error. `endpoint`: if it is measured. */
export function write(data, status, method, path, body, endpoint) {
    const headers = Object.assign(headersOf(data), { 'Content-Type': 'application/json' });
    const params = { headers, responseType: 'text', tags: { name: endpoint || 'other' } };
    askedAt = Date.now();
    const response = http.request(method, `${API}${path}`, body === undefined ? null : JSON.stringify(body), params);
    errors.add(response.status !== status, { endpoint: endpoint || 'other' });
    if (endpoint !== undefined && response.status !== 0) {
        requestDuration.add(response.timings.duration, { endpoint });
    }
    if (response.status !== status) {
        if (endpoint === undefined) {
            giveUp(`${method} ${path} gave ${response.status}, not ${status}: ${String(response.body).slice(0, 200)}`);
        }
        return null;
    }
    consistencyToken = response.headers['Consistency-Token'] || consistencyToken;
    return response.body ? response.json() : null;
}

/** One request of those that are read. */
export function readOne(data, endpoint) {
    const path = pathOf(data, endpoint);
    const response = ask(data, endpoint, path);
    const version = endpoint === 'risk' ? versionOf(response) : undefined;
    if (response.status === 200 && version !== undefined) {
        seeVersion(endpoint, path, version);
    }
}

/** Somebody opens the first screen, searches, reads one risk, and looks at it for a second or so. */
export function visit(data) {
    READS.forEach((endpoint) => readOne(data, endpoint));
    sleep(0.5 + Math.random());
}

function samplesOf(metric) {
    if (metric === undefined) {
        return 0;
    }
    const values = metric.values;
    return metric.type === 'rate' ? values.passes + values.fails : values.count;
}

/**
 * For k6 a threshold holds that has nothing to judge. So each is told with the number of its samples; script/load fails if one
 * has none. Iterations are only counted when they are dropped: there, those that were not must be some.
 */
export function summaryOf(name, options) {
    const wanted = JSON.parse(JSON.stringify(options.thresholds)); // k6 puts objects of its own there later.
    const { executor, rate = null } = options.scenarios.load;
    return (data) => {
        const metrics = data.metrics;
        const thresholds = [];
        Object.keys(wanted).forEach((metric) => {
            const counted = metric === 'dropped_iterations' ? 'iterations' : metric;
            const verdicts = (metrics[metric] || {}).thresholds || {};
            wanted[metric].forEach((condition) => {
                const ok = verdicts[condition] === undefined || verdicts[condition].ok;
                thresholds.push({ metric, condition, ok, samples: samplesOf(metrics[counted]) });
            });
        });
        const settings = { duration_scale: SCALE, latency_factor: LATENCY_FACTOR, nodes: NODES, rate };
        const summary = { scenario: name, executor, settings, duration_ms: data.state.testRunDurationMs, thresholds, metrics };
        if (__ENV.OPENRISK_LOAD_SUMMARY) {
            return { [__ENV.OPENRISK_LOAD_SUMMARY]: JSON.stringify(summary, null, 1) };
        }
        const verdict = ({ ok, samples }) => (samples === 0 ? 'NO SAMPLES' : ok ? 'ok' : 'FAILED');
        return { stdout: thresholds.map((one) => `${verdict(one)}  ${one.metric} ${one.condition} (${one.samples})\n`).join('') };
    };
}
