/** Facts about one thing; lists of many: a table of columns, and what is around it when its state is in the address. */
import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import { useGet, type Got } from '../data';
import { t, type Text } from '../i18n';
import { useShortcut } from '../keys';
import { go, withQuery, type Place } from '../router';
import { Choice } from './field';
import { Pager } from './pager';
import { Empty, Loaded } from './show';
import { Typed } from './typed';

const LIMIT = 50;

type Direction = 'asc' | 'desc';
type Asked = Record<string, string>;

export interface Column<T> {
    head: Text;
    show: (item: T) => ComponentChildren;
    /** "minor": not where there is little room; "number"; "deeds": what can be done, whose head is only heard. */
    kind?: string;
    /** Which one names the row; else the first. */
    isName?: boolean;
    /** By what the API sorts it, and in which direction first. */
    sort?: [by: string, first: Direction];
}

interface Order {
    by: string;
    dir: string;
    onSort: (by: string, dir: Direction) => void;
}

interface Rows<T> {
    label: string;
    columns: Column<T>[];
    kind?: string;
    rowKind?: (item: T) => string | false;
    /** Wider than what it is in, which therefore can have the focus, and be scrolled by keys. */
    isWide?: boolean;
}

function Head<T>({ column: { head, kind, sort }, order }: { column: Column<T>; order: Order | undefined }) {
    const isBy = sort?.[0] === order?.by;
    const isUp = order?.dir === 'asc';
    return (
        <th scope="col" class={kind} aria-sort={sort && isBy ? (isUp ? 'ascending' : 'descending') : undefined}>
            {sort && order
                ? <button type="button" class="link" onClick={() => order.onSort(sort[0], isBy ? (isUp ? 'desc' : 'asc') : sort[1])}>{t(head)}<span class="sort-mark" aria-hidden="true">{isBy && (isUp ? '▲' : '▼')}</span></button>
                : <span class={kind?.includes('deeds') ? 'unseen' : undefined}>{t(head)}</span>}
        </th>
    );
}

export function Table<T>({ label, columns, kind = '', rowKind, isWide, items, isOld, order }: Rows<T> & { items: T[]; isOld?: boolean; order?: Order }) {
    const named = Math.max(0, columns.findIndex(({ isName }) => isName));
    return (
        <div class="scroll" {...(isWide && { tabIndex: 0, role: 'region', 'aria-label': label })}>
            <table class={`list plain ${kind}`} aria-label={label} aria-busy={isOld}>
                <thead><tr>{columns.map((column, i) => <Head key={i} column={column} order={order} />)}</tr></thead>
                <tbody>
                    {items.map((item, row) => (
                        <tr key={(item as { id?: string }).id ?? row} class={rowKind?.(item) || undefined}>
                            {columns.map((column, i) => i === named ? <th key={i} scope="row">{column.show(item)}</th> : <td key={i} class={column.kind}>{column.show(item)}</td>)}
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

export function Facts({ of }: { of: [name: Text, value: ComponentChildren][] }) {
    return <dl class="fact-list">{of.map(([name, value]) => <div key={name}><dt>{t(name)}</dt><dd>{value ?? '–'}</dd></div>)}</dl>;
}

export interface List<T> {
    path: string;
    asked: Asked;
    /** The address of the list with some of that changed. */
    to: (some: Asked) => string;
    move: (some: Asked, replace?: boolean) => void;
    got: Got<{ items: T[]; total: number; total_is_exact: boolean }>;
}

const ORDER = ['sort_by', 'sort_dir', 'page'];

/** The list at `api`, by what the address says of `filters`; `inApi` gives those that are other ones there. */
export function useList<T>({ path, query }: Place, api: string, filters: string[], inApi?: (asked: Asked) => Record<string, string | undefined>): List<T> {
    const asked = Object.fromEntries([...query].filter(([name]) => [...filters, ...ORDER].includes(name)));
    const to = (some: Asked) => withQuery(path, { ...asked, page: '', ...some });
    const move = (some: Asked, replace = false) => go(to(some), { stay: !some['page'], replace });
    return { path, asked, to, move, got: useGet(withQuery(api, { ...asked, ...inApi?.(asked), limit: LIMIT }), { keep: true }) };
}

interface Filter {
    name: string;
    label: Text;
    /** Choose one of the options, which are texts of this group. */
    group?: string;
    options?: readonly string[];
    type?: 'date';
}

export function Filters<T>({ list: { asked, move }, filters }: { list: List<T>; filters: Filter[] }) {
    const search = useRef<HTMLInputElement>(null);
    useShortcut('search', () => search.current?.focus(), filters[0]!.name === 'q');
    return (
        <div class="filters" role="search">
            {filters.map(({ name, label, group, options = [], type }, i) => group === undefined
                ? <Typed key={name} label={t(label)} type={type} options={options} value={asked[name] ?? ''} onValue={(value) => move({ [name]: value }, true)} input={i === 0 ? search : undefined} />
                : <Choice key={name} label={t(label)} group={group} options={options} none={t('all')} value={asked[name] ?? ''} onChange={(value) => move({ [name]: value })} />)}
        </div>
    );
}

/** Its rows, and the way to others. `none`, with `children`: what is said when there are none at all. */
export function Listed<T>({ list: { path, asked, got, move }, first = '', none, children, ...rows }: Rows<T> & {
    list: List<T>; first?: string; none: Text; children?: ComponentChildren;
}) {
    const by = asked['sort_by'] ?? first;
    const dir = asked['sort_dir'] ?? rows.columns.find(({ sort }) => sort?.[0] === by)?.sort?.[1] ?? 'asc';
    const isFiltered = Object.keys(asked).some((name) => !ORDER.includes(name));
    return (
        <Loaded got={got} lines={12}>
            {({ items, total, total_is_exact }) => items.length === 0 ? (
                <Empty title={t(isFiltered ? 'list.none' : none)}>{isFiltered ? <a href={path}>{t('list.clear')}</a> : children}</Empty>
            ) : (
                <>
                    <Table {...rows} items={items} isOld={got.isOld} order={{ by, dir, onSort: (sort_by, sort_dir) => move({ sort_by, sort_dir }) }} />
                    <Pager page={Number(asked['page']) || 1} limit={LIMIT} total={total} isExact={total_is_exact} onPage={(page) => move({ page: String(page) })} />
                </>
            )}
        </Loaded>
    );
}
