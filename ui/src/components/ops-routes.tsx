/** Where the requests go: the busiest routes, or the slowest. */
import type { Ops, OpsRoute } from '../api.gen';
import { duration, number, t } from '../i18n';
import { highestOf, lastOf } from './ops-figures';

const SHOWN = 15;
type Numbers = (number | null)[];

interface Sum {
    route: OpsRoute;
    requests: number;
    errors: number;
    p95: number;
}

function sumsOf({ routes, step_seconds: step }: Ops): Sum[] {
    const total = (rates: number[]) => Math.round(rates.reduce((all, rate) => all + rate, 0) * step);
    return routes.map((route) => ({
        route, requests: total(route.rate), errors: total(route.errors), p95: highestOf(route.p95_ms as Numbers) ?? 0,
    }));
}

export function Routes({ ops, bySlow, onSort }: { ops: Ops; bySlow: boolean; onSort: (bySlow: boolean) => void }) {
    const sums = sumsOf(ops).sort((a, b) => (bySlow ? b.p95 - a.p95 : b.requests - a.requests)).slice(0, SHOWN);
    const ms = (value: number | null) => (value === null ? '–' : duration(value));
    return (
        <section class="panel">
            <header>
                <h2>{t(bySlow ? 'ops.slowest' : 'ops.busiest')}</h2>
                <div class="tools">
                    <button type="button" class="ops-choice" aria-pressed={!bySlow} onClick={() => onSort(false)}>{t('ops.by.busy')}</button>
                    <button type="button" class="ops-choice" aria-pressed={bySlow} onClick={() => onSort(true)}>{t('ops.by.slow')}</button>
                </div>
            </header>
            <div class="scroll" tabIndex={0} role="region" aria-label={t(bySlow ? 'ops.slowest' : 'ops.busiest')}>
                <table class="list plain routes">
                    <thead>
                        <tr>
                            <th scope="col">{t('ops.route')}</th>
                            <th scope="col" class="number">{t('ops.count')}</th>
                            <th scope="col" class="number">{t('ops.errors.count')}</th>
                            <th scope="col" class="number">{t('ops.p50.now')}</th>
                            <th scope="col" class="number">{t('ops.p95.now')}</th>
                            <th scope="col" class="number">{t('ops.p95.most')}</th>
                        </tr>
                    </thead>
                    <tbody>
                        {/* The rows stay, and their order changes in them: nothing moves. */}
                        {sums.map(({ route, requests, errors, p95 }, i) => (
                            <tr key={i}>
                                <th scope="row"><span class="ref">{route.method}</span> {route.route.replace('/api/v1', '')}</th>
                                <td class="number">{number(requests)}</td>
                                <td class={errors > 0 ? 'number late' : 'number'}>{number(errors)}</td>
                                <td class="number">{ms(lastOf(route.p50_ms as Numbers))}</td>
                                <td class="number">{ms(lastOf(route.p95_ms as Numbers))}</td>
                                <td class="number">{ms(p95)}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            </div>
            <p class="hint">{t('ops.routes.hint')}</p>
        </section>
    );
}
