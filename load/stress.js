/** More and more users, up to 25, then seven minutes of them: does it get slower with time, and does it recover? */
import { lasting, optionsOf, prepare, signOut, summaryOf, visit } from './lib/openrisk.js';

export const options = optionsOf({
    executor: 'ramping-vus',
    startVUs: 1,
    stages: [
        { target: 25, duration: lasting(120) },
        { target: 25, duration: lasting(420) },
        { target: 0, duration: lasting(60) },
    ],
});
export const setup = prepare;
export default visit;
export const teardown = signOut;
export const handleSummary = summaryOf('stress', options);
