/**
 * A thousand users ask for one key at the same moment, and nobody has asked for it before; every five seconds for another one.
 * The server must load each key once: one answer says that it was loaded, the others waited for it, or found it.
 *
 * A key is cold because it is new: a list with a filter that everything passes, max_score, with a number that was never used. So
 * nothing has to be written or emptied for it, a token that may only read is enough, and each load is that of a first page.
 */
import exec from 'k6/execution';
import { sleep } from 'k6';
import { Counter, Rate } from 'k6/metrics';
import { NODES, ask, milliseconds, optionsOf, prepare, signOut, summaryOf } from './lib/openrisk.js';

const USERS = 1000;
const ROUND_MS = 5000;
const LEAD_MS = 2000; // for a thousand connections
const rounds = Math.max(1, Math.floor(milliseconds(60) / ROUND_MS));

const loads = new Counter('stampede_loads');
const shared = new Rate('stampede_shared');

export const options = optionsOf(
    { executor: 'per-vu-iterations', vus: USERS, iterations: rounds, maxDuration: `${LEAD_MS + rounds * ROUND_MS + 30000}ms` },
    {
        endpoints: ['cold'],
        hitRate: false, // Who waits for the load of another has no hit, and no load of their own either.
        versions: false,
        more: {
            stampede_loads: [`count<=${rounds * NODES}`],
            stampede_shared: [`rate>=${1 - NODES / USERS}`],
        },
    },
);

export function setup() {
    const data = prepare(60);
    data.key = 1000 + Math.floor(Math.random() * 1e9);
    data.begin = Date.now() + LEAD_MS;
    data.measureFrom = 0;
    return data;
}

export default function (data) {
    const round = exec.vu.iterationInScenario;
    if (round === 0) {
        ask(data, undefined, '/health'); // Connects, so that all of them can ask at once.
    }
    sleep(Math.max(0, data.begin + round * ROUND_MS - Date.now()) / 1000);
    const response = ask(data, 'cold', `/risks?max_score=${data.key}.${10 + round}`);
    const isLoad = response.headers['X-Cache'] === 'MISS' && !/collapsed/.test(response.headers['Cache-Status']);
    loads.add(isLoad ? 1 : 0);
    shared.add(!isLoad && response.status === 200);
}

export const teardown = signOut;
export const handleSummary = summaryOf('stampede', options);
