/** The rows of the register. On narrow screens the columns that do not fit go, and stand in short below the title. */
import { useRef } from 'preact/hooks';
import type { Risk } from '../api.gen';
import { say, t } from '../i18n';
import { useShortcut } from '../keys';
import type { Selection } from './register-selection';
import { orders, type View } from './register-view';
import { Ago, Due, Level, refOf, Status } from './show';

type Sort = (by: string) => void;

/** By the name of their order. `room`: how much the list needs to show it; the CSS hides it when there is less. */
const COLUMNS: { name: string; head?: string; room?: 'some' | 'much' | 'all'; number?: boolean }[] = [
    { name: 'ref', room: 'some' },
    { name: 'title' },
    { name: 'score', head: 'level' },
    { name: 'impact', room: 'much', number: true },
    { name: 'probability', room: 'much', number: true },
    { name: 'status', room: 'some' },
    { name: 'owner', room: 'some' },
    { name: 'category', room: 'all' },
    { name: 'review_date', room: 'some' },
    { name: 'updated_at', room: 'all' },
];

function classOf(column: { room?: string; number?: boolean }): string | undefined {
    return [column.room && `room-${column.room}`, column.number && 'number'].filter(Boolean).join(' ') || undefined;
}

function Head({ column, view, onSort }: { column: (typeof COLUMNS)[number]; view: View; onSort: Sort }) {
    const isBy = view.sort === column.name;
    const isUp = view.direction === 'asc';
    return (
        <th scope="col" class={classOf(column)} aria-sort={isBy ? (isUp ? 'ascending' : 'descending') : undefined}>
            <button type="button" class="link" onClick={() => onSort(column.name)}>
                {say('member', column.head ?? column.name)}<span class="sort-mark" aria-hidden="true">{isBy ? (isUp ? '▲' : '▼') : ''}</span>
            </button>
        </th>
    );
}

function Cells({ risk }: { risk: Risk }) {
    const nothing = <span class="quiet">–</span>;
    return (
        <>
            <td class="room-some"><span class="ref">{refOf(risk)}</span></td>
            <th scope="row" class="title">
                <a href={`/risks/${refOf(risk)}`} data-row>{risk.title}</a>
                <p class="brief">{refOf(risk)} · {say('status', risk.status)}{risk.owner !== null && ` · ${risk.owner}`}</p>
            </th>
            <td><Level level={risk.level} score={risk.score} /></td>
            <td class="number room-much">{risk.impact}</td>
            <td class="number room-much">{risk.probability}</td>
            <td class="room-some"><Status status={risk.status} /></td>
            <td class="room-some" title={risk.owner ?? undefined}>{risk.owner ?? nothing}</td>
            <td class="room-all" title={risk.category ?? undefined}>{risk.category ?? nothing}</td>
            <td class="room-some"><Due date={risk.review_date} done={risk.status === 'CLOSED'} /></td>
            <td class="room-all"><Ago at={risk.updated_at} /></td>
        </>
    );
}

function Pick({ risk, selection }: { risk: Risk; selection: Selection }) {
    return (
        <td class="pick">
            <label>
                <input
                    type="checkbox" aria-label={t('register.select', { ref: refOf(risk) })} checked={selection.risks.has(risk.id)}
                    onClick={(event) => selection.toggle(risk.id, event.shiftKey)}
                />
            </label>
        </td>
    );
}

function PickAll({ items, selection }: { items: readonly Risk[]; selection: Selection }) {
    const count = items.filter(({ id }) => selection.risks.has(id)).length;
    const isAll = count > 0 && count === items.length;
    return (
        <th scope="col" class="pick">
            <label>
                <input
                    type="checkbox" aria-label={t('register.selectAll')} checked={isAll} ref={(box) => { box && (box.indeterminate = count > 0 && !isAll); }}
                    onClick={selection.toggleAll}
                />
            </label>
        </th>
    );
}

/** `selection`: null for whoever may change nothing. */
export function RiskTable({ items, view, isOld, selection, onSort }: {
    items: readonly Risk[]; view: View; isOld: boolean; selection: Selection | null; onSort: Sort;
}) {
    const body = useRef<HTMLTableSectionElement>(null);
    useShortcut('select', (event) => {
        const row = document.activeElement?.closest<HTMLElement>('tr[data-id]');
        row && body.current?.contains(row) && selection?.toggle(row.dataset.id!, event.shiftKey);
    }, selection !== null);
    return (
        <table class="list risks" aria-label={t('page.register')} aria-busy={isOld}>
            <thead>
                <tr>
                    {selection && <PickAll items={items} selection={selection} />}
                    {COLUMNS.map((column) => <Head key={column.name} column={column} view={view} onSort={onSort} />)}
                </tr>
            </thead>
            <tbody ref={body}>
                {items.map((risk) => (
                    <tr key={risk.id} data-id={risk.id} class={selection?.risks.has(risk.id) ? 'chosen' : undefined}>
                        {selection && <Pick risk={risk} selection={selection} />}
                        <Cells risk={risk} />
                    </tr>
                ))}
            </tbody>
        </table>
    );
}

/** The order, where not all columns have room for a head to press. */
export function OrderChoice({ view, onSort }: { view: View; onSort: (by: string) => void }) {
    const names = Object.keys(orders);
    return (
        <div class="order">
            <select aria-label={t('register.order')} value={view.sort} onChange={(event) => onSort(event.currentTarget.value)}>
                {(names.includes(view.sort) ? names : [...names, view.sort]).map((name) => <option key={name} value={name}>{say('member', name)}</option>)}
            </select>
            <button type="button" class="icon" aria-label={t(view.direction === 'asc' ? 'register.down' : 'register.up')} onClick={() => onSort(view.sort)}>
                {view.direction === 'asc' ? '▲' : '▼'}
            </button>
        </div>
    );
}
