/**
 * How the score and the open risks went, day by day. The chart is drawn by a part of its own that is loaded when it is
 * needed (dashboard-plot.ts); a day is chosen by the pointer or by keys, and told in words. Or all of it as a table.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Trend as Days, TrendDay } from '../api.gen';
import { useGet } from '../data';
import { day, number, say, t } from '../i18n';
import { go, withQuery } from '../router';
import { useSettings } from '../settings';
import { EVERY_MS } from './dashboard';
import type { Plot } from './dashboard-plot';
import { Level, Loaded } from './show';

const RANGES = [7, 30, 90, 365];
const USUAL = 30;
const COUNTS = [['CRITICAL', 'critical'], ['HIGH', 'high'], ['MEDIUM', 'medium'], ['LOW', 'low']] as const;
const STEPS: Record<string, number> = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -7, PageUp: 7, Home: -Infinity, End: Infinity };

/** Grows with each change of the colours: by choice, or by the time of the day. */
function useColours(): string {
    const { theme, language } = useSettings();
    const [isDark, setDark] = useState(() => matchMedia('(prefers-color-scheme: dark)').matches);
    useEffect(() => {
        const query = matchMedia('(prefers-color-scheme: dark)');
        const listener = () => setDark(query.matches);
        query.addEventListener('change', listener);
        return () => query.removeEventListener('change', listener);
    }, []);
    return `${theme} ${isDark} ${language}`;
}

/** What is told of one day. */
function ReadOut({ of }: { of: TrendDay }) {
    return (
        <p class="tools read-out" aria-live="polite" aria-atomic="true">
            <b>{day(of.date)}</b>
            <span>{t('member.score')} <b>{number(of.score)}</b></span>
            {COUNTS.map(([level, name]) => <Level key={level} level={level} score={of[name]} />)}
        </p>
    );
}

/** Draws `days` into the element behind the ref; tells which day the pointer is at, -1: at none. */
function usePlot(days: TrendDay[], onPoint: (at: number) => void, onFailure: () => void) {
    const box = useRef<HTMLDivElement>(null);
    const plot = useRef<Plot | null>(null);
    const latest = useRef({ days, onPoint, onFailure });
    latest.current = { days, onPoint, onFailure };
    const colours = useColours();
    useEffect(() => {
        let isHere = true;
        import('./dashboard-plot').then(({ draw }) => {
            if (isHere) {
                plot.current = draw(box.current!, latest.current.days, (at) => latest.current.onPoint(at));
            }
        }, () => isHere && latest.current.onFailure());
        return () => {
            isHere = false;
            plot.current?.remove();
            plot.current = null;
        };
    }, [colours]);
    useEffect(() => plot.current?.show(days), [days]);
    return { box, point: (at: number) => plot.current?.point(at) };
}

function Chart({ days, onFailure }: { days: TrendDay[]; onFailure: () => void }) {
    const [date, setDate] = useState<string | null>(null);
    const last = days.length - 1;
    const found = date === null ? -1 : days.findIndex((one) => one.date === date);
    const at = found < 0 ? last : found;
    const { box, point } = usePlot(days, (to) => setDate(days[to]?.date ?? null), onFailure);
    const choose = (to: number) => {
        setDate(days[to]!.date);
        point(to);
    };
    const press = (event: KeyboardEvent) => {
        const step = event.ctrlKey || event.metaKey || event.altKey || event.shiftKey ? undefined : STEPS[event.key];
        if (step !== undefined) {
            event.preventDefault();
            choose(Math.min(last, Math.max(0, at + step)));
        }
    };
    return (
        <>
            <ReadOut of={days[at]!} />
            <div
                class="chart" role="slider" tabIndex={0} aria-label={t('trend.chart')} aria-valuemin={0} aria-valuemax={last} aria-valuenow={at} aria-valuetext={day(days[at]!.date)}
                data-arrows onKeyDown={press} onFocus={(event) => event.currentTarget.matches(':focus-visible') && choose(at)} onBlur={() => { setDate(null); point(-1); }}
            >
                <div class="plots" aria-hidden="true">
                    <p class="hint">{t('member.score')}</p>
                    <p class="hint">{t('trend.levels')}</p>
                    <div class="canvases" ref={box} />
                </div>
            </div>
            <p class="hint">{t(days.length === 1 ? 'trend.new' : 'trend.hint')}</p>
        </>
    );
}

function Table({ days }: { days: TrendDay[] }) {
    return (
        <div class="scroll" tabIndex={0} role="group" aria-label={t('trend.title')}>
            <table class="list">
                <thead>
                    <tr>
                        <th scope="col">{t('trend.day')}</th>
                        <th scope="col" class="number">{t('member.score')}</th>
                        {COUNTS.map(([level]) => <th key={level} scope="col" class="number">{say('level', level)}</th>)}
                        <th scope="col" class="number">{t('all')}</th>
                    </tr>
                </thead>
                <tbody>
                    {[...days].reverse().map((one) => (
                        <tr key={one.date}>
                            <th scope="row">{day(one.date)}</th>
                            <td class="number">{number(one.score)}</td>
                            {COUNTS.map(([level, name]) => <td key={level} class="number">{number(one[name])}</td>)}
                            <td class="number">{number(one.total)}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

function Shown({ all, isTable }: { all: TrendDay[]; isTable: boolean }) {
    const [isUnloaded, setUnloaded] = useState(false);
    // Before the first risk there is nothing to tell: a young register's line fills the chart all the same.
    const first = all.findIndex(({ total }) => total > 0);
    const days = first < 0 ? all.slice(-1) : all.slice(first);
    return isTable || isUnloaded
        ? <>{isUnloaded && <p class="hint">{t('trend.unloaded')}</p>}<Table days={days} /></>
        : <Chart days={days} onFailure={() => setUnloaded(true)} />;
}

export function Trend({ query }: { query: URLSearchParams }) {
    const asked = Number(query.get('days'));
    const days = RANGES.includes(asked) ? asked : USUAL;
    const isTable = query.get('trend') === 'table';
    const got = useGet<Days>(`/stats/trends?days=${days}`, { every: EVERY_MS, keep: true });
    const to = (values: { days: number; table: boolean }) => withQuery('/', { days: values.days === USUAL ? null : values.days, trend: values.table ? 'table' : null });
    return (
        <section class="panel trend" aria-labelledby="trend">
            <header>
                <h2 id="trend">{t('trend.title')}</h2>
                <div class="tools">
                    <nav aria-label={t('trend.range')} class="segments">
                        {RANGES.map((range) => <a key={range} href={to({ days: range, table: isTable })} data-stay aria-current={range === days ? 'true' : undefined}>{t('mitigation.days', { count: range })}</a>)}
                    </nav>
                    <button type="button" aria-pressed={isTable} onClick={() => go(to({ days, table: !isTable }), { stay: true })}>{t('trend.table')}</button>
                </div>
            </header>
            <div class="body" aria-busy={got.isOld}>
                <Loaded got={got} lines={6}>{(all) => <Shown all={all} isTable={isTable} />}</Loaded>
            </div>
        </section>
    );
}
