/** What wants attention first: the risks with the highest scores, and what should have been done by now. */
import { useState } from 'preact/hooks';
import type { MitigationPage, RiskArray } from '../api.gen';
import { useGet } from '../data';
import { t } from '../i18n';
import { withQuery } from '../router';
import { EVERY_MS, openRisks } from './dashboard';
import { Due, Empty, Level, Loaded, refOf, Status } from './show';

const TOP = 8;
const FEW = 8;
const MANY = 200;

export function TopRisks() {
    const got = useGet<RiskArray>(`/stats/top-risks?limit=${TOP}`, { every: EVERY_MS });
    return (
        <section class="panel top" aria-labelledby="top">
            <header><h2 id="top">{t('top.title')}</h2><a href={openRisks({})}>{t('top.all')}</a></header>
            <Loaded got={got} lines={TOP}>
                {(risks) => (risks.length === 0 ? <Empty title={t('top.none')} /> : (
                    <ol class="entries">
                        {risks.map((risk) => (
                            <li key={risk.id}>
                                <a class="main" href={`/risks/${refOf(risk)}`} title={risk.title} data-row><span class="ref">{refOf(risk)}</span> {risk.title}</a>
                                <span class="margin"><Status status={risk.status} />{risk.owner && <span class="quiet">{risk.owner}</span>}<Level level={risk.level} score={risk.score} /></span>
                            </li>
                        ))}
                    </ol>
                ))}
            </Loaded>
        </section>
    );
}

export function Overdue() {
    const [limit, setLimit] = useState(FEW);
    const got = useGet<MitigationPage>(withQuery('/mitigations', { overdue: 'true', limit }), { every: EVERY_MS, keep: true });
    return (
        <section class="panel overdue" aria-labelledby="overdue">
            <header><h2 id="overdue" tabIndex={-1}>{t('late.title')}</h2></header>
            <Loaded got={got} lines={FEW}>
                {({ items, total }) => (total === 0 ? <Empty title={t('late.none')} /> : (
                    <>
                        <ul class="entries">
                            {items.map((mitigation) => (
                                <li key={mitigation.id}>
                                    <a class="main" href={`/risks/${refOf(mitigation.risk)}`} title={mitigation.title} data-row><span class="ref">{refOf(mitigation.risk)}</span> {mitigation.title}</a>
                                    <span class="margin">
                                        <span class="quiet of">{mitigation.risk.title}</span>
                                        {mitigation.assignee && <span class="quiet">{mitigation.assignee}</span>}
                                        <Due date={mitigation.due_date} />
                                    </span>
                                </li>
                            ))}
                        </ul>
                        {total > items.length && (
                            <p class="more">
                                <span class="quiet">{t('late.of', { shown: items.length, total })}</span>
                                {limit < MANY && <button type="button" onClick={() => setLimit(MANY)}>{t('late.more')}</button>}
                            </p>
                        )}
                    </>
                ))}
            </Loaded>
        </section>
    );
}
