/** The mix at a constant, low rate for a day, while script/load looks at what the server takes: see load/run/soak.js. */
import exec from 'k6/execution';
import { lasting, number, summaryOf, usersFor } from './lib/openrisk.js';
import { cleanUp, mixOf, mixedRequest, setupFor } from './mixed.js';

const RATE = number('OPENRISK_LOAD_RATE', 20);
const SECONDS = 24 * 3600;
const users = usersFor(RATE);

export const options = mixOf({
    executor: 'constant-arrival-rate',
    rate: RATE,
    timeUnit: '1s',
    duration: lasting(SECONDS),
    preAllocatedVUs: users,
    maxVUs: users,
});
export const setup = () => setupFor(SECONDS);
export default function (data) {
    mixedRequest(data, exec.scenario.iterationInTest);
}
export const teardown = cleanUp;
export const handleSummary = summaryOf('soak', options);
