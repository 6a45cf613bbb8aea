/**
 * What the register shows: words, filters, order, page. The address bar has all of it, so that a link shows the same
 * and Back leads to what was shown before; what is as always is left out.
 */
import { limits } from '../api.gen';
import { withQuery } from '../router';

/** How a filter's value is chosen and shown: from few that are known (`options`, texts of `group`), or from those in use. */
export interface Filter {
    name: string;
    kind: 'choice' | 'value' | 'asset' | 'score' | 'day';
    group?: string;
    options?: readonly string[];
}

const SCALE = ['5', '4', '3', '2', '1'];

/** The parameters of GET /risks that filter, in the order in which they are offered. */
export const filters: readonly Filter[] = [
    { name: 'status', kind: 'choice', group: 'status', options: limits.RiskChange.status.enum },
    { name: 'level', kind: 'choice', group: 'level', options: ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'] },
    { name: 'owner', kind: 'value' },
    { name: 'category', kind: 'value' },
    { name: 'tag', kind: 'value' },
    { name: 'framework', kind: 'value' },
    { name: 'asset_id', kind: 'asset' },
    { name: 'source', kind: 'value' },
    { name: 'min_score', kind: 'score' },
    { name: 'max_score', kind: 'score' },
    { name: 'impact', kind: 'choice', group: 'scale', options: SCALE },
    { name: 'probability', kind: 'choice', group: 'scale', options: SCALE },
    { name: 'review_before', kind: 'day' },
    { name: 'open', kind: 'choice', group: 'open', options: ['true', 'false'] },
];

export type Direction = 'asc' | 'desc';

export interface View {
    q: string;
    /** Values by the names of filters; those that are not set are not there. */
    filters: Readonly<Record<string, string>>;
    sort: string;
    direction: Direction;
    page: number;
    limit: number;
}

/** Columns that can be sorted by, and the direction that comes first. */
export const orders: Readonly<Record<string, Direction>> = {
    ref: 'asc', title: 'asc', score: 'desc', impact: 'desc', probability: 'desc', status: 'asc',
    owner: 'asc', category: 'asc', review_date: 'asc', updated_at: 'desc', created_at: 'desc',
};
const ORDER = 'score';

export const LIMITS = [20, 50, 100, 200];
const LIMIT = 50;
const KEPT = 'openrisk.rows';

/** How many rows this browser's person likes. */
export function keptLimit(): number {
    try {
        const kept = Number(localStorage.getItem(KEPT));
        return LIMITS.includes(kept) ? kept : LIMIT;
    } catch {
        return LIMIT;
    }
}

export function keepLimit(limit: number): void {
    try {
        localStorage.setItem(KEPT, String(limit));
    } catch {
        // It holds as long as it is in the address bar.
    }
}

function whole(text: string | null): number | undefined {
    return text !== null && /^[1-9]\d{0,5}$/.test(text) ? Number(text) : undefined;
}

export function viewOf(query: URLSearchParams): View {
    const sort = query.get('sort_by') || ORDER;
    const given = query.get('sort_dir');
    const set = filters.map(({ name }) => [name, query.get(name)] as const).filter(([, value]) => value);
    return {
        q: query.get('q') ?? '',
        filters: Object.fromEntries(set) as Record<string, string>,
        sort,
        direction: given === 'asc' || given === 'desc' ? given : orders[sort] ?? 'asc',
        page: whole(query.get('page')) ?? 1,
        limit: Math.min(whole(query.get('limit')) ?? keptLimit(), 200),
    };
}

function what({ q, filters: set, sort, direction }: View): Record<string, string | undefined> {
    return { q: q.trim(), ...set, sort_by: sort === ORDER && direction === 'desc' ? undefined : sort, sort_dir: direction === orders[sort] ? undefined : direction };
}

/** Where in the interface it is shown. From the second page on, a page means nothing without its size. */
export function placeOf(view: View): string {
    const isFirst = view.page === 1;
    return withQuery('/risks', { ...what(view), page: isFirst ? undefined : view.page, limit: isFirst && view.limit === keptLimit() ? undefined : view.limit });
}

/** What the API is asked for one page of it. */
export function listOf(view: View): string {
    const { sort_by, sort_dir, ...rest } = what(view);
    const order = sort_by || sort_dir ? { sort_by: view.sort, sort_dir: view.direction } : {};
    return withQuery('/risks', { ...rest, ...order, page: view.page === 1 ? undefined : view.page, limit: view.limit });
}

/** All of it as a file. */
export function exportOf(view: View): string {
    const { sort_by, sort_dir, ...rest } = what(view);
    const order = sort_by || sort_dir ? { sort_by: view.sort, sort_dir: view.direction } : {};
    return withQuery('/api/v1/export/risks.json', { ...rest, ...order });
}

export function isEverything(view: View): boolean {
    return view.q.trim() === '' && Object.keys(view.filters).length === 0;
}
