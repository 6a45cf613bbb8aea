/** The key figures; each leads to the risks it counts. */
import type { ComponentChildren } from 'preact';
import type { LevelCounts, Stats } from '../api.gen';
import type { Got } from '../data';
import { number, t, type Text } from '../i18n';
import { levelOf } from '../score';
import { openRisks } from './dashboard';
import { Failed, Level } from './show';

const LEVELS = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'] as const;

function Figure({ name, value, href, onOpen, children }: {
    name: 'total' | 'score' | 'high' | 'mitigated' | 'overdue'; value: number | undefined; href?: string; onOpen?: () => void; children?: ComponentChildren;
}) {
    const label = t(`figures.${name}`);
    return (
        <li class="panel figure">
            {href
                ? <a href={href} onClick={(event) => { if (onOpen) { event.preventDefault(); onOpen(); } }}>{label}</a>
                : <span>{label}</span>}
            <b>{value === undefined ? '…' : number(value)}{name === 'score' && <span> / 100</span>}</b>
            <small>{children ?? t(`figures.${name}.hint` as Text)}</small>
        </li>
    );
}

function Severity({ counts }: { counts: LevelCounts | undefined }) {
    return (
        <div class="panel severity" role="group" aria-label={t('figures.severity')}>
            <p class="hint">{t('figures.severity')}</p>
            <div class="shares" aria-hidden="true">
                {counts && LEVELS.filter((level) => counts[level] > 0).map((level) => (
                    <span key={level} class={`share ${level.toLowerCase()}`} style={{ flexGrow: counts[level] }} />
                ))}
            </div>
            <ul class="tools">{counts && LEVELS.map((level) => <li key={level}><a href={openRisks({ level })}><Level level={level} score={counts[level]} /></a></li>)}</ul>
        </div>
    );
}

/** The list below has no page of its own: one is led there. */
function showOverdue(): void {
    const heading = document.getElementById('overdue')!;
    heading.scrollIntoView();
    heading.focus({ preventScroll: true });
}

export function Figures({ stats }: { stats: Got<Stats> }) {
    const { data, error, refresh } = stats;
    if (!data && error) {
        return <section class="panel figures"><Failed error={error} retry={refresh} /></section>;
    }
    return (
        <section class="figures" aria-label={t('figures.title')}>
            <ul class="cards">
                <Figure name="total" value={data?.total_risks} href="/risks" />
                <Figure name="score" value={data?.global_risk_score}>
                    {/* The mean score is what the global one is made from, and has a level. */}
                    <span title={t('figures.score.why')}>{t('figures.score.mean')} {data && <Level level={levelOf((100 - data.global_risk_score) / 4)} />}</span>
                </Figure>
                <Figure name="high" value={data?.high_risks} href={openRisks({ min_score: 15 })} />
                <Figure name="mitigated" value={data?.mitigated_risks} href="/risks?status=MITIGATED" />
                <Figure name="overdue" value={data?.overdue_mitigations} href="#overdue" onOpen={showOverdue} />
            </ul>
            <Severity counts={data?.risks_by_severity} />
        </section>
    );
}
