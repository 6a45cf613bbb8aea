/** A hundred users at once, for five minutes: the morning after the mail with the link. */
import { lasting, optionsOf, prepare, signOut, summaryOf, visit } from './lib/openrisk.js';

export const options = optionsOf({ executor: 'constant-vus', vus: 100, duration: lasting(300) });
export const setup = prepare;
export default visit;
export const teardown = signOut;
export const handleSummary = summaryOf('spike', options);
