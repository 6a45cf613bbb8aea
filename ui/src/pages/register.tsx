/** The register: all risks, searched, filtered, sorted, page by page; many of them changed at once. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { RiskPage } from '../api.gen';
import { NewRiskButton } from '../components/new-risk';
import { BulkBar } from '../components/register-bulk';
import { EmptyRegister } from '../components/register-empty';
import { Filters } from '../components/register-filters';
import { Pager } from '../components/pager';
import { Search } from '../components/register-search';
import { useSelection } from '../components/register-selection';
import { OrderChoice, RiskTable } from '../components/register-table';
import { exportOf, isEverything, keepLimit, LIMITS, listOf, orders, placeOf, viewOf, type View } from '../components/register-view';
import { Empty, Failed, Loading, PageHead } from '../components/show';
import { useGet, type Got } from '../data';
import { t } from '../i18n';
import { go, type Place } from '../router';
import { mayWrite, useUser } from '../session';

const NEIGHBOUR_MS = 400;

/** Reads a page before anybody goes there. */
function ReadAhead({ path }: { path: string }) {
    const [isTime, setTime] = useState(false);
    useEffect(() => {
        setTime(false);
        const timer = setTimeout(() => setTime(true), NEIGHBOUR_MS);
        return () => clearTimeout(timer);
    }, [path]);
    useGet(isTime ? path : null);
    return null;
}

function Nothing({ view, onClear }: { view: View; onClear: () => void }) {
    return isEverything(view) ? <EmptyRegister />
        : <Empty title={t('register.nothing')}><button type="button" onClick={onClear}>{t('register.nothing.clear')}</button></Empty>;
}

function Foot({ data, view, onView }: { data: RiskPage; view: View; onView: (view: View) => void }) {
    const setLimit = (limit: number) => {
        keepLimit(limit);
        onView({ ...view, limit, page: 1 });
    };
    return (
        <div class="list-foot">
            <label>
                {t('register.rows')}{' '}
                <select value={String(view.limit)} onChange={(event) => setLimit(Number(event.currentTarget.value))}>
                    {(LIMITS.includes(view.limit) ? LIMITS : [view.limit, ...LIMITS]).map((limit) => <option key={limit} value={String(limit)}>{limit}</option>)}
                </select>
            </label>
            <Pager
                page={data.page ?? view.page} limit={data.limit} total={data.total} isExact={data.total_is_exact}
                onPage={(page) => { onView({ ...view, page }); scrollTo(0, 0); }}
            />
        </div>
    );
}

/** The page asked for lies behind the last one: rows were deleted, or the link is old. */
function useLastPage(got: Got<RiskPage>, view: View): void {
    const { data, isOld } = got;
    const last = data && !isOld && data.items.length === 0 && view.page > 1 ? Math.max(1, Math.ceil(data.total / view.limit)) : view.page;
    useEffect(() => {
        if (last < view.page) {
            go(placeOf({ ...view, page: last }), { replace: true, stay: true });
        }
    }, [last]);
}

export function RegisterPage({ place }: { place: Place }) {
    const view = useMemo(() => viewOf(place.query), [place.query]);
    const writes = mayWrite(useUser());
    const got = useGet<RiskPage>(listOf(view), { keep: true });
    const data = got.error && !got.error.isAway && (got.isOld || !got.data) ? undefined : got.data;
    const items = data?.items ?? [];
    const selection = useSelection(items);
    const focus = place.query.get('focus') === 'search';
    const show = (next: View, replace = false) => go(placeOf(next), { stay: true, replace });
    const sort = (by: string) => {
        const turned = view.direction === 'asc' ? 'desc' : 'asc';
        show({ ...view, sort: by, direction: by === view.sort ? turned : orders[by] ?? 'asc', page: 1 });
    };
    const setFilter = (name: string, value: string | null) => {
        const { [name]: _, ...rest } = view.filters;
        show({ ...view, filters: value === null ? rest : { ...rest, [name]: value }, page: 1 });
    };
    const clear = () => show({ ...view, q: '', filters: {}, page: 1 });
    useEffect(() => {
        if (focus) {
            show(view, true);
        }
    }, [focus]);
    useLastPage(got, view);
    const hasNext = data && !got.isOld && (!data.total_is_exact || view.page * view.limit < data.total) && data.items.length === view.limit;
    return (
        <>
            <PageHead title={t('page.register')}>
                <a class="button" href={exportOf(view)} download>{t(isEverything(view) ? 'register.export' : 'register.export.view')}</a>
                {writes && <><a class="button" href="/risks/import">{t('page.import')}</a><NewRiskButton /></>}
            </PageHead>
            <div class="find-bar">
                <Search words={view.q} onWords={(q) => q !== view.q && show({ ...view, q, page: 1 }, true)} focus={focus} />
                <Filters view={view} set={setFilter} clear={clear} />
                <OrderChoice view={view} onSort={sort} />
            </div>
            <div class="panel risk-list">
                {!data && (got.error ? <Failed error={got.error} retry={got.refresh} /> : <Loading lines={12} />)}
                {!data && got.error && !got.error.isAway && !isEverything(view) && <Nothing view={view} onClear={clear} />}
                {data && items.length === 0 && <Nothing view={view} onClear={clear} />}
                {items.length > 0 && <RiskTable items={items} view={view} isOld={got.isOld} selection={writes ? selection : null} onSort={sort} />}
            </div>
            {data && items.length > 0 && <Foot data={data} view={view} onView={show} />}
            {writes && <BulkBar items={items} selection={selection} />}
            {hasNext && <ReadAhead path={listOf({ ...view, page: view.page + 1 })} />}
        </>
    );
}
