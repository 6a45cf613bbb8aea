/**
 * A constant rate of requests, whatever the server does. Users who wait for their answers ask less while the server is slow,
 * and hide it; these do not wait. There are enough of them for answers of half a second; slower ones lead to requests
 * that could not be sent in time (dropped iterations), and one of those is a failure.
 */
import exec from 'k6/execution';
import { READS, lasting, number, optionsOf, prepare, readOne, signOut, summaryOf, usersFor } from './lib/openrisk.js';

const RATE = number('OPENRISK_LOAD_RATE', 100);
const users = usersFor(RATE);

export const options = optionsOf({
    executor: 'constant-arrival-rate',
    rate: RATE,
    timeUnit: '1s',
    duration: lasting(300),
    preAllocatedVUs: users,
    maxVUs: users,
});
export const setup = prepare;
export default function (data) {
    readOne(data, READS[exec.scenario.iterationInTest % READS.length]);
}
export const teardown = signOut;
export const handleSummary = summaryOf('slo', options);
