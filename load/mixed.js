/**
 * 95 % reads, 5 % writes by 25 users, for five minutes. All write to the same ten risks, whose score puts them on top of every
 * list, and look at the version of each of them wherever it appears: in the list, among the top risks, in a search, alone. None
 * may be shown a version below one that they have seen before, or that one of their own writes was acknowledged with.
 *
 * setup makes these risks, and an asset whose criticality lifts their score; teardown deletes both. What the API does not
 * delete stays: the risks' timelines, entries of the audit log, and today's row of the trends until tomorrow.
 */
import exec from 'k6/execution';
import { sleep } from 'k6';
import { READS, ask, handOn, lasting, optionsOf, pathOf, prepare, seeVersion, signOut, summaryOf, write, wroteVersion } from './lib/openrisk.js';

const RISKS = 10;
const WRITE_EVERY = 20;
const SECONDS = 300;

/** The thresholds of a mix; the hit rate is told, for each write makes everything cold, and how many come is up to us. */
export function mixOf(scenario) {
    return optionsOf(scenario, { endpoints: READS.concat('write'), hitRate: false });
}

export function setupFor(seconds) {
    const data = prepare(seconds);
    data.marker = __ENV.OPENRISK_LOAD_MARKER || `loadtest${Date.now().toString(36)}`;
    const asset = { name: `Load test ${data.marker}, may be deleted`, type: 'load test', criticality: 'CRITICAL' };
    data.asset = write(data, 201, 'POST', '/assets', asset).id;
    data.risks = [];
    for (let i = 0; i < RISKS; i++) {
        const title = `Load test ${data.marker}, risk ${i + 1}, may be deleted`;
        const body = { title, impact: 5, probability: 5, tags: ['load-test'], asset_ids: [data.asset] };
        data.risks.push(write(data, 201, 'POST', '/risks', body).id);
    }
    data.words = [data.marker];
    return handOn(data);
}

/** What an endpoint shows of versions: [{id, version}]. All of our risks have the word that is searched for. */
function risksOf(data, endpoint, json) {
    switch (endpoint) {
        case 'risk':
            return [json];
        case 'top_risks':
            return json;
        case 'risks':
            return json.items;
        case 'search':
            return data.risks.map((id) => json.items.find((risk) => risk.id === id) || { id, version: 0 });
        default:
            return [];
    }
}

/** The n-th request of all: a read of each kind in turn, or a write. */
export function mixedRequest(data, n) {
    if (n % WRITE_EVERY === WRITE_EVERY - 1) {
        const path = pathOf(data, 'risk');
        const body = { description: `Written by a load test: ${n} of user ${exec.vu.idInTest}.` };
        const written = write(data, 200, 'PATCH', path, body, 'write');
        if (written !== null) {
            wroteVersion('write', written.id, written.version);
        }
        return;
    }
    const endpoint = READS[n % READS.length];
    const response = ask(data, endpoint, pathOf(data, endpoint), { withBody: true });
    if (response.status === 200) {
        risksOf(data, endpoint, response.json()).forEach((risk) => seeVersion(endpoint, risk.id, risk.version));
    }
}

export function cleanUp(data) {
    write(data, 200, 'POST', '/risks/bulk', { ids: data.risks, delete: true });
    write(data, 204, 'DELETE', `/assets/${data.asset}`);
    signOut(data);
}

export const options = mixOf({ executor: 'constant-vus', vus: 25, duration: lasting(SECONDS) });
export const setup = () => setupFor(SECONDS);
export default function (data) {
    mixedRequest(data, exec.scenario.iterationInTest);
    sleep(0.1 + 0.3 * Math.random());
}
export const teardown = cleanUp;
export const handleSummary = summaryOf('mixed', options);
