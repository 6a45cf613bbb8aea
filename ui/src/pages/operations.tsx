/** How the server does: now, and over the last hour. Read again every few seconds while it is in sight. */
import { useState } from 'preact/hooks';
import { remove } from '../api';
import type { Cache, Health, Ops, Pools } from '../api.gen';
import { Confirm } from '../components/dialog';
import { Figures } from '../components/ops-figures';
import { HealthPanel } from '../components/ops-health';
import { Routes } from '../components/ops-routes';
import { useBusy } from '../components/record-form';
import { Loaded, PageHead } from '../components/show';
import { changed, useGet } from '../data';
import { t } from '../i18n';
import { go, withQuery, type Place } from '../router';
import { toast, toastError } from '../toast';

const EVERY_MS = 3000;
const MINUTES = [5, 15, 60];

/** One that is down says how it is, too: with 503. */
function useHealth() {
    const got = useGet<Health>('/health', { every: EVERY_MS });
    const said = got.error?.status === 503 ? got.error.body as Partial<Health> | null : null;
    return said?.checks ? { ...got, data: said as Health } : got;
}

function Forget({ onClose }: { onClose: () => void }) {
    const { busy, run } = useBusy();
    const yes = () => run(async () => {
        await remove('/cache').then(() => toast(t('ops.forgotten')), toastError);
        changed();
        onClose();
    });
    return <Confirm title={t('ops.forget.title')} text={t('ops.forget.text')} label={t('ops.forget')} busy={busy} onYes={() => void yes()} onNo={onClose} />;
}

export function OperationsPage({ place: { query } }: { place: Place }) {
    const [isForgetting, setForgetting] = useState(false);
    const minutes = MINUTES.find((some) => String(some) === query.get('minutes')) ?? 60;
    const bySlow = query.get('sort') === 'slow';
    const to = (some: { minutes?: number; sort?: string }) => withQuery('/operations', { minutes: query.get('minutes'), sort: query.get('sort'), ...some });
    const health = useHealth();
    const { data: cache } = useGet<Cache>('/cache', { every: EVERY_MS });
    const { data: pools } = useGet<Pools>('/pool', { every: EVERY_MS });
    const ops = useGet<Ops>(`/ops?minutes=${minutes}`, { every: EVERY_MS, keep: true });
    return (
        <>
            <PageHead title={t('page.operations')}>
                {MINUTES.map((some) => <a key={some} class="button" href={to({ minutes: some })} aria-current={some === minutes ? 'true' : undefined}>{t('ops.minutes', { minutes: some })}</a>)}
                <button type="button" class="danger" onClick={() => setForgetting(true)}>{t('ops.forget')}</button>
            </PageHead>
            <div class="stack">
                <Loaded got={health} lines={7}>{(health) => <HealthPanel health={health} cache={cache} />}</Loaded>
                <Loaded got={ops} lines={14}>
                    {(ops) => (
                        <>
                            <Figures ops={ops} cache={cache} pools={pools} />
                            <Routes ops={ops} bySlow={bySlow} onSort={(slow) => go(to({ sort: slow ? 'slow' : '' }), { stay: true, replace: true })} />
                        </>
                    )}
                </Loaded>
            </div>
            {isForgetting && <Forget onClose={() => setForgetting(false)} />}
        </>
    );
}
