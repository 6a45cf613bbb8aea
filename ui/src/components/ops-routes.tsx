/** Where the requests go: the busiest routes, or the slowest. */
import type { Ops, OpsRoute } from '../api.gen';
import { duration, number, t } from '../i18n';
import { Table, type Column } from './list';
import { highestOf, lastOf, type Series } from './ops-figures';

const SHOWN = 15;

interface Sum extends OpsRoute {
    requests: number;
    failed: number;
    most: number | null;
}

function sumsOf({ routes, step_seconds: step }: Ops): Sum[] {
    const total = (rates: number[]) => Math.round(rates.reduce((all, rate) => all + rate, 0) * step);
    return routes.map((route) => ({ ...route, requests: total(route.rate), failed: total(route.errors), most: highestOf(route.p95_ms as Series) }));
}

function ms(value: number | null): string {
    return value === null ? '–' : duration(value);
}

const COLUMNS: Column<Sum>[] = [
    { head: 'ops.route', show: ({ method, route }) => <><span class="ref">{method}</span> {route.replace('/api/v1', '')}</> },
    { head: 'ops.requests', kind: 'number', show: ({ requests }) => number(requests) },
    { head: 'ops.errors', kind: 'number', show: ({ failed }) => <span class={failed > 0 ? 'late' : undefined}>{number(failed)}</span> },
    { head: 'ops.p50.now', kind: 'number', show: ({ p50_ms }) => ms(lastOf(p50_ms as Series)) },
    { head: 'ops.p95.now', kind: 'number', show: ({ p95_ms }) => ms(lastOf(p95_ms as Series)) },
    { head: 'ops.p95.most', kind: 'number', show: ({ most }) => ms(most) },
];

export function Routes({ ops, bySlow, onSort }: { ops: Ops; bySlow: boolean; onSort: (bySlow: boolean) => void }) {
    // The rows stay, and their order changes in them: nothing moves.
    const sums = sumsOf(ops).sort((a, b) => (bySlow ? (b.most ?? 0) - (a.most ?? 0) : b.requests - a.requests)).slice(0, SHOWN);
    return (
        <section class="panel">
            <header>
                <h2>{t('ops.routes')}</h2>
                <div class="tools">
                    {[false, true].map((slow) => <button key={slow} type="button" class="ops-choice" aria-pressed={bySlow === slow} onClick={() => onSort(slow)}>{t(slow ? 'ops.slowest' : 'ops.busiest')}</button>)}
                </div>
            </header>
            <Table label={t('ops.routes')} columns={COLUMNS} items={sums} kind="routes" isWide />
            <p class="hint">{t('ops.routes.hint')}</p>
        </section>
    );
}
