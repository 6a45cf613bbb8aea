/**
 * The 5 × 5 matrix: a table whose cells lead to the risks they count. It is one stop of Tab; within it the arrow keys
 * go from cell to cell.
 */
import { useRef, useState } from 'preact/hooks';
import type { Matrix as Cells } from '../api.gen';
import { useGet } from '../data';
import { number, say, t } from '../i18n';
import { levelOf } from '../score';
import { EVERY_MS, openRisks } from './dashboard';
import { Failed, Level, MARKS } from './show';

const IMPACTS = [5, 4, 3, 2, 1];
const PROBABILITIES = [1, 2, 3, 4, 5];
const STEPS: Record<string, [number, number]> = { ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [0, -4], End: [0, 4] };

interface At {
    impact: number;
    probability: number;
}

/** Of large counts the first digits are enough in a small cell; the name of its link has all of them. */
function brief(count: number): string {
    return count < 10000 ? number(count) : count.toLocaleString(document.documentElement.lang, { notation: 'compact', maximumFractionDigits: 1 });
}

const within = (value: number) => Math.min(5, Math.max(1, value));

function Cell({ at, count, isStop, onFocus }: { at: At; count: number | undefined; isStop: boolean; onFocus: () => void }) {
    const level = levelOf(at.impact * at.probability);
    const label = t('matrix.cell', { ...at, count: count ?? 0 });
    return (
        <td class={`${level.toLowerCase()}${count ? '' : ' none'}`}>
            <a href={openRisks({ ...at })} title={label} tabIndex={isStop ? 0 : -1} data-cell={`${at.impact}${at.probability}`} onFocus={onFocus}>
                <span class="sign" aria-hidden="true">{MARKS[level]}</span>
                <span class="unseen">{label}</span>
                <span aria-hidden="true">{count === undefined ? '' : brief(count)}</span>
            </a>
        </td>
    );
}

export function Matrix() {
    const got = useGet<Cells>('/stats/risk-matrix', { every: EVERY_MS });
    const table = useRef<HTMLTableElement>(null);
    const [stop, setStop] = useState<At>({ impact: 5, probability: 1 });
    const countOf = (at: At) => got.data && (got.data.find((cell) => cell.impact === at.impact && cell.probability === at.probability)?.count ?? 0);
    const move = (event: KeyboardEvent) => {
        const step = event.ctrlKey || event.metaKey || event.altKey || event.shiftKey ? undefined : STEPS[event.key];
        if (step) {
            event.preventDefault();
            table.current?.querySelector<HTMLElement>(`[data-cell="${within(stop.impact + step[0])}${within(stop.probability + step[1])}"]`)?.focus();
        }
    };
    return (
        <section class="panel matrix" aria-labelledby="matrix">
            <h2 id="matrix">{t('matrix.title')}</h2>
            {!got.data && got.error ? <Failed error={got.error} retry={got.refresh} /> : (
                <table ref={table} aria-labelledby="matrix" aria-describedby="matrix-hint" aria-busy={!got.data} data-arrows onKeyDown={move}>
                    <thead>
                        <tr>
                            <th><span>{t('member.impact')} ↓</span> <span>{t('member.probability')} →</span></th>
                            {PROBABILITIES.map((probability) => (
                                <th key={probability} scope="col"><span class="unseen">{t('member.probability')} </span><b>{probability}</b> {say('scale', String(probability))}</th>
                            ))}
                        </tr>
                    </thead>
                    <tbody>
                        {IMPACTS.map((impact) => (
                            <tr key={impact}>
                                <th scope="row"><span class="unseen">{t('member.impact')} </span><b>{impact}</b> {say('scale', String(impact))}</th>
                                {PROBABILITIES.map((probability) => {
                                    const at = { impact, probability };
                                    return <Cell key={probability} at={at} count={countOf(at)} isStop={stop.impact === impact && stop.probability === probability} onFocus={() => setStop(at)} />;
                                })}
                            </tr>
                        ))}
                    </tbody>
                </table>
            )}
            <p class="tools" aria-hidden="true">{['LOW', 'MEDIUM', 'HIGH', 'CRITICAL'].map((level) => <Level key={level} level={level} />)}</p>
            <p class="hint" id="matrix-hint">{t('matrix.hint')}</p>
        </section>
    );
}
