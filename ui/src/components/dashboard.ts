/** What the parts of the dashboard share. */
import { withQuery } from '../router';

/** How often each is read again while one looks. */
export const EVERY_MS = 15000;

/** The register's risks with these filters. Closed ones are in no figure but the total, so they are left out. */
export function openRisks(filters: Record<string, string | number>): string {
    return withQuery('/risks', { ...filters, open: 'true' });
}
