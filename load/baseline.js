/** Five users for five minutes: what a quiet day looks like, and what all other results are compared with. */
import { lasting, optionsOf, prepare, signOut, summaryOf, visit } from './lib/openrisk.js';

export const options = optionsOf({ executor: 'constant-vus', vus: 5, duration: lasting(300) });
export const setup = prepare;
export default visit;
export const teardown = signOut;
export const handleSummary = summaryOf('baseline', options);
