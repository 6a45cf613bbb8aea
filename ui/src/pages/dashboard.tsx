/** The state of the register at a glance, and where to go from there. It keeps itself current while it is looked at. */
import type { Stats } from '../api.gen';
import { EVERY_MS } from '../components/dashboard';
import { Activities } from '../components/dashboard-activity';
import { Figures } from '../components/dashboard-figures';
import { Overdue, TopRisks } from '../components/dashboard-lists';
import { Matrix } from '../components/dashboard-matrix';
import { Trend } from '../components/dashboard-trend';
import { EmptyRegister } from '../components/register-empty';
import { PageHead } from '../components/show';
import { useGet } from '../data';
import { t } from '../i18n';
import type { Place } from '../router';

export function DashboardPage({ place }: { place: Place }) {
    const stats = useGet<Stats>('/stats', { every: EVERY_MS });
    return (
        <>
            <PageHead title={t('page.dashboard')} />
            {stats.data?.total_risks === 0 ? <section class="panel"><EmptyRegister /></section> : (
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
            )}
        </>
    );
}
