/** Cached answers, and that no write is hidden by them. */
'use strict';

const { again, expect, expectStatus } = require('./check');

/** The five that every page shows. Who has written asks for them cold: a write outdates them, for everybody. */
const CACHED = {
    'cached-stats': '/stats',
    'cached-risk-matrix': '/stats/risk-matrix',
    'cached-trends': '/stats/trends',
    'cached-top-risks': '/stats/top-risks',
    'cached-risks': '/risks',
};
/** With several nodes each must load once before all of them have it. */
const ASKS = 20;
const WRITES = 10;
const READERS = 4;

function cacheOf(reply, route) {
    const is = reply.headers['x-cache'];
    expect(is !== undefined, `${route} has no X-Cache: does a proxy on the way drop it?`);
    const why = reply.headers['cache-status'] || '';
    expect(!/fwd=bypass/.test(why), `${route}: the cache is off (CACHE_ENABLED)`);
    return is;
}

function ask(run, route, headers) {
    return run.me.get(route, headers).then((reply) => expectStatus(reply, 200, `GET ${route}`));
}

async function missThenHit(run, route) {
    const { text } = await again(async () => {
        await run.touch();
        const miss = await ask(run, route);
        if (cacheOf(miss, route) !== 'MISS') {
            return { not: `the first answer after a write says X-Cache: ${miss.headers['x-cache']}` };
        }
        for (let i = 2; i <= ASKS; i++) {
            const hit = await ask(run, route);
            if (cacheOf(hit, route) !== 'HIT') {
                continue;
            }
            if (hit.text === miss.text) {
                return { text: `MISS, then HIT at request ${i} with the same ${hit.plain.length} bytes` };
            }
            expect(hit.headers.etag !== miss.headers.etag, 'a HIT has other bytes than the MISS with the same ETag');
            return { not: 'the HIT has other bytes than the MISS' };
        }
        return { not: `no HIT in ${ASKS} requests` };
    });
    return text;
}

async function gzip(run) {
    const { id } = await run.risk();
    let plain = 0;
    let sent = 0;
    for (const route of [...Object.values(CACHED), `/risks/${id}`]) {
        const isOwn = route.endsWith(id);
        const pair = await again(async () => {
            const identity = await ask(run, route, { 'Accept-Encoding': 'identity' });
            const compressed = await ask(run, route, { 'Accept-Encoding': 'gzip' });
            expect(identity.headers['content-encoding'] === undefined, `${route} is compressed although nobody asked for it`);
            const same = identity.plain.equals(compressed.plain);
            return same ? { identity, compressed } : { not: `${route} compressed is another text than it is without` };
        });
        const isGzip = pair.compressed.headers['content-encoding'] === 'gzip';
        expect(isGzip || !isOwn, `an answer of ${pair.identity.bytes.length} bytes is not compressed for who asks for it`);
        if (isGzip) {
            expect(/accept-encoding/i.test(pair.compressed.headers.vary || ''), `${route} is compressed without Vary: Accept-Encoding`);
            plain += pair.identity.bytes.length;
            sent += pair.compressed.bytes.length;
        }
    }
    return `the same texts; ${plain} bytes are ${sent} on the way`;
}

async function notModified(run) {
    const { id } = await run.risk();
    const route = `/risks/${id}`;
    const { etag } = (await ask(run, route)).headers;
    expect(/^"\d+\..+"$/.test(etag || ''), `GET of a risk has ${etag === undefined ? 'no ETag' : `the ETag ${etag}`}`);
    const same = await run.me.get(route, { 'If-None-Match': etag });
    expectStatus(same, 304, 'GET with the ETag as If-None-Match');
    expect(same.bytes.length === 0, 'a 304 has a body');
    const { version } = await run.touch();
    const changed = expectStatus(await run.me.get(route, { 'If-None-Match': etag }), 200, 'the same after a write');
    expect(changed.headers.etag !== etag, 'the ETag is the same after a write');
    expect(changed.json && changed.json.version >= version, 'what is given after a write is older than it');
    return '304 with the ETag, 200 with another one after a write';
}

/** Its own risk moves from one end of the scale to the other, which figures show. Each is asked before, so that it is cached. */
async function writeSeen(run) {
    const { id } = await run.risk();
    const list = `/risks?q=${run.mark}`;
    await again(async () => {
        const before = await ask(run, `/risks/${id}`);
        for (const route of [list, list, `/risks/${id}`, '/stats']) {
            await ask(run, route);
        }
        const stats = await ask(run, '/stats');
        const high = before.json && before.json.impact === 1 ? 5 : 1;
        const { version, level } = await run.touch({ impact: high, probability: high });
        const read = await ask(run, `/risks/${id}`);
        expect(read.json && read.json.version === version && read.json.impact === high, `GET /risks/{id} shows version ${read.json && read.json.version} after ${version} was acknowledged`);
        const { items } = (await ask(run, list)).json || { items: [] };
        const item = items.find((one) => one.id === id);
        expect(item !== undefined, 'the list does not show the risk');
        expect(item.version === version && item.level === level, `the list shows version ${item.version} after ${version} was acknowledged`);
        const { risks_by_severity: was } = stats.json;
        const { risks_by_severity: is } = (await ask(run, '/stats')).json;
        const counted = is[level] === was[level] + 1 && is[before.json.level] === was[before.json.level] - 1;
        return counted ? {} : { not: `the figures count ${is[level]} ${level} risks after a write that makes one of ${was[level]} more` };
    });
    return 'in the risk, the list and the figures';
}

/** Writes one after the other, while others read: nobody is shown less than had been acknowledged before they asked. */
async function neverOlder(run) {
    const { id } = await run.risk();
    const routes = [`/risks/${id}`, `/risks?q=${run.mark}`];
    let acknowledged = (await run.touch()).version;
    let ended = false;
    let reads = 0;
    const read = async (n) => {
        for (let i = n; !ended || i < n + 2; i++) {
            const route = routes[i % 2];
            const least = acknowledged;
            const { json } = await ask(run, route);
            const shown = json && Array.isArray(json.items) ? json.items.find((item) => item.id === id) : json;
            expect(shown && shown.version >= least, `${route.replace(id, '{id}')} shows ${shown ? `version ${shown.version}` : 'nothing'} after ${least} was acknowledged`);
            reads++;
        }
    };
    const write = async () => {
        for (let i = 0; i < WRITES; i++) {
            acknowledged = (await run.touch()).version;
            const least = reads + READERS; // So that there are reads between any two writes.
            while (reads < least && !ended) {
                await ask(run, '/stats/top-risks');
            }
        }
    };
    const all = [write(), ...Array.from({ length: READERS }, (_, n) => read(n))].map((one) => one.finally(() => (ended = true)));
    const results = await Promise.allSettled(all); // All of them have ended before the next check begins.
    const failed = results.find(({ status }) => status === 'rejected');
    if (failed) {
        throw failed.reason;
    }
    return `${WRITES} writes, ${reads} reads at the same time`;
}

module.exports = {
    CACHED,
    checks: [
        ...Object.entries(CACHED).map(([name, route]) => ({
            name,
            needs: ['write'],
            about: `\`GET ${route}\` is a MISS after a write, and then a HIT with the same bytes`,
            run: (run) => missThenHit(run, route),
        })),
        { name: 'gzip', needs: ['write'], about: 'the five, and a risk, are the same text compressed as without', run: gzip },
        { name: 'not-modified', needs: ['write'], about: 'a risk is a 304 for who has its ETag, and not any more after a write', run: notModified },
        { name: 'write-seen', needs: ['write'], about: 'a write is in the risk, the list and the figures at once, although all were cached', run: writeSeen },
        { name: 'never-older', needs: ['write'], about: 'who reads while somebody writes never sees an older version than was acknowledged', run: neverOlder },
    ],
};
