/** The state of the register at a glance, and where to go from there. It keeps itself current while it is looked at. */
import { useState } from 'preact/hooks';
import type { Stats } from '../api.gen';
import { EVERY_MS } from '../components/dashboard';
import { Activities } from '../components/dashboard-activity';
import { Figures } from '../components/dashboard-figures';
import { Overdue, TopRisks } from '../components/dashboard-lists';
import { Matrix } from '../components/dashboard-matrix';
import { Trend } from '../components/dashboard-trend';
import { NewRisk } from '../components/new-risk';
import { Empty, PageHead } from '../components/show';
import { useGet } from '../data';
import { t } from '../i18n';
import type { Place } from '../router';
import { mayWrite, useUser } from '../session';

function NothingYet() {
    const writes = mayWrite(useUser());
    const [isNew, setNew] = useState(false);
    return (
        <section class="panel">
            <Empty title={t('dashboard.empty')}>
                <p>{t(writes ? 'dashboard.empty.write' : 'dashboard.empty.read')}</p>
                {writes && (
                    <p class="first-steps">
                        <button type="button" class="primary" onClick={() => setNew(true)}>{t('key.new')}</button>
                        <a class="button" href="/risks/import">{t('dashboard.import')}</a>
                    </p>
                )}
            </Empty>
            {isNew && <NewRisk onClose={() => setNew(false)} />}
        </section>
    );
}

export function DashboardPage({ place }: { place: Place }) {
    const stats = useGet<Stats>('/stats', { every: EVERY_MS });
    if (stats.data?.total_risks === 0) {
        return <><PageHead title={t('page.dashboard')} /><NothingYet /></>;
    }
    return (
        <>
            <PageHead title={t('page.dashboard')} />
            <div class="dashboard">
                <Figures stats={stats} />
                <Matrix />
                <Trend query={place.query} />
                <div class="first">
                    <TopRisks />
                    <Overdue />
                </div>
                <Activities />
            </div>
        </>
    );
}
