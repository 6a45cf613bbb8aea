/** Values that are in use, for choosing from: owners, categories, tags, … */
import type { Values } from '../api.gen';
import { useGet } from '../data';
import { withQuery } from '../router';

export type Member = 'owner' | 'category' | 'tag' | 'framework' | 'source';

/** Up to `limit` values of this member that hold `q`; none while they are on their way. */
export function useValues(member: Member | null, q = '', limit = 50): string[] {
    const got = useGet<Values>(member && withQuery('/risks/values', { member, q: q.trim(), limit }), { keep: true });
    return got.data?.items ?? [];
}
