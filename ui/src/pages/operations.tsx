/** How the server does: now, and over the last hour. Read again every few seconds while it is in sight. */
import { useState } from 'preact/hooks';
import type { Cache, Health, Ops, Pools } from '../api.gen';
import { Ask } from '../components/ask';
import { Figures } from '../components/ops-figures';
import { HealthPanel } from '../components/ops-health';
import { Routes } from '../components/ops-routes';
import { Failed, Loaded, PageHead } from '../components/show';
import { useGet } from '../data';
import { t } from '../i18n';
import { go, withQuery, type Place } from '../router';

const EVERY_MS = 3000;
const MINUTES = [5, 15, 60];

/** One that is down says how it is, too: with 503. */
function useHealth() {
    const got = useGet<Health>('/health', { every: EVERY_MS });
    const said = got.error?.status === 503 ? got.error.body as Partial<Health> | null : null;
    return said?.checks ? { ...got, data: said as Health } : got;
}

export function OperationsPage({ place: { query } }: { place: Place }) {
    const [isForgetting, setForgetting] = useState(false);
    const minutes = MINUTES.find((some) => String(some) === query.get('minutes')) ?? 60;
    const bySlow = query.get('sort') === 'slow';
    const to = (some: { minutes?: number; sort?: string }) => withQuery('/operations', { minutes: query.get('minutes'), sort: query.get('sort'), ...some });
    const health = useHealth();
    const cache = useGet<Cache>('/cache', { every: EVERY_MS });
    const pools = useGet<Pools>('/pool', { every: EVERY_MS });
    const ops = useGet<Ops>(`/ops?minutes=${minutes}`, { every: EVERY_MS, keep: true });
    // All at once, since one that comes later would push the others down; /cache has no answer while the database is away.
    const isThere = [health, cache, pools].every(({ data, error }) => data !== undefined || error !== undefined);
    return (
        <>
            <PageHead title={t('page.operations')}>
                {MINUTES.map((some) => <a key={some} class="button ops-choice" href={to({ minutes: some })} aria-current={some === minutes ? 'true' : undefined}>{t('ops.minutes', { minutes: some })}</a>)}
                <button type="button" class="danger" onClick={() => setForgetting(true)}>{t('ops.forget')}</button>
            </PageHead>
            <div class="panels">
                <Loaded got={isThere ? ops : { ...ops, data: undefined, error: undefined }} lines={20}>
                    {(ops) => (
                        <>
                            {health.data ? <HealthPanel health={health.data} cache={cache.data} /> : <Failed error={health.error!} retry={health.refresh} />}
                            <Figures ops={ops} cache={cache.data} pools={pools.data} />
                            <Routes ops={ops} bySlow={bySlow} onSort={(slow) => go(to({ sort: slow ? 'slow' : '' }), { stay: true, replace: true })} />
                        </>
                    )}
                </Loaded>
            </div>
            {isForgetting && <Ask title={t('ops.forget')} text={t('ops.forget.text')} label={t('ops.forget')} path="/cache" told={t('ops.forgotten')} onClose={() => setForgetting(false)} />}
        </>
    );
}
