/**
 * The drawing of the trend, on uPlot; loaded apart from the rest. Two charts over the same days, whose cursors go
 * together: the score, and the open risks as layers, the critical ones at the bottom. Days are counted 0, 1, 2, … from
 * the first one shown, so that no time zone comes into it. Colours are those of the tokens at the moment of drawing;
 * for others it is drawn anew.
 */
import uPlot from 'uplot';
import type { TrendDay } from '../api.gen';
import { number } from '../i18n';

export interface Plot {
    show: (days: TrendDay[]) => void;
    /** Put the cursor at this day; -1: nowhere. */
    point: (at: number) => void;
    remove: () => void;
}

const MOST = 100; // of the score
const AXIS_PX = 56;
const SCORE_SHARE = 0.36; // of the height
const LAYERS = ['low', 'medium', 'high', 'critical'] as const; // painted in this order, each over those before
const DAY_STEPS = [1, 2, 5, 7, 14, 30, 60, 90];
const COUNT_STEPS = Array.from({ length: 9 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();

/** What a token's colour is here and now; light-dark() is only resolved where it is used. */
function colours(box: HTMLElement): (token: string) => string {
    const probe = box.appendChild(document.createElement('i'));
    const style = getComputedStyle(probe);
    const known = new Map<string, string>();
    for (const token of ['text', 'quiet', 'line', 'accent', ...LAYERS.flatMap((name) => [name, `${name}-soft`])]) {
        probe.style.color = `var(--${token})`;
        known.set(token, style.color);
    }
    probe.remove();
    return (token) => known.get(token)!;
}

function columns(days: TrendDay[]): { score: uPlot.AlignedData; counts: uPlot.AlignedData } {
    const at = days.map((_, i) => i);
    const upTo = (from: number) => days.map((one) => LAYERS.slice(from).reduce((sum, name) => sum + one[name], 0));
    return { score: [at, days.map(({ score }) => score)], counts: [at, ...LAYERS.map((_, from) => upTo(from))] as uPlot.AlignedData };
}

export function draw(box: HTMLElement, first: TrendDay[], onPoint: (at: number) => void): Plot {
    let days = first;
    const colour = colours(box);
    const font = `12px ${getComputedStyle(box).fontFamily}`;
    const dates = new Intl.DateTimeFormat(document.documentElement.lang === 'fr' ? 'fr' : 'en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });
    const dateOf = (at: number) => (days[at] ? dates.format(Date.parse(days[at].date)) : '');
    const size = (share: number) => ({ width: Math.max(box.clientWidth, 100), height: Math.floor(box.clientHeight * share) });
    const axis = { stroke: colour('quiet'), font, grid: { stroke: colour('line'), width: 1 }, ticks: { show: false } };
    // A single day is drawn as a bar in the middle of where a line would be.
    const xRange = (): uPlot.Range.MinMax => (days.length > 1 ? [0, days.length - 1] : [-1, 1]);
    const lines = uPlot.paths.linear!();
    const bars = uPlot.paths.bars!({ size: [0.4, 90] });
    const paths: uPlot.Series.PathBuilder = (...given) => (days.length > 1 ? lines : bars)(...given);

    const options = (share: number, isLast: boolean, most: uPlot.Range.Function, series: uPlot.Series[], y: Partial<uPlot.Axis>): uPlot.Options => ({
        ...size(share),
        legend: { show: false },
        padding: [8, 12, isLast ? 0 : 6, 0],
        cursor: { y: false, drag: { x: false, y: false }, sync: { key: 'trend' } },
        scales: { x: { time: false, range: xRange }, y: { range: most } },
        series: [{}, ...series.map((one) => ({ width: 1.5, points: { show: false }, paths, ...one }))],
        axes: [
            { ...axis, show: isLast, size: 28, space: 64, incrs: DAY_STEPS, grid: { show: false }, values: (_, splits) => splits.map(dateOf) },
            { ...axis, size: AXIS_PX, gap: 6, values: (_, splits) => splits.map((value) => number(value)), ...y },
        ],
        hooks: { setCursor: [(u) => u.cursor.event && onPoint(u.cursor.idx ?? -1)] },
    });

    const data = columns(days);
    const score = new uPlot(options(SCORE_SHARE, false, () => [0, MOST], [
        { stroke: colour('accent'), width: 2, points: { show: days.length === 1, size: 8, fill: colour('accent') }, paths: lines },
    ], { splits: () => [0, MOST / 2, MOST] }), data.score, box);
    const counts = new uPlot(options(1 - SCORE_SHARE, true, (_u, _min, max) => [0, Math.max(4, max * 1.08)], LAYERS.map((name) => (
        { stroke: colour(name), fill: colour(`${name}-soft`) })), { incrs: COUNT_STEPS, space: 32 }), data.counts, box);
    const plots: [uPlot, number][] = [[score, SCORE_SHARE], [counts, 1 - SCORE_SHARE]];

    const observer = new ResizeObserver(() => plots.forEach(([plot, share]) => plot.setSize(size(share))));
    observer.observe(box);
    return {
        show: (next) => {
            days = next;
            const now = columns(next);
            score.setData(now.score);
            counts.setData(now.counts);
        },
        point: (at) => plots.forEach(([plot]) => plot.setCursor({ left: at < 0 ? -10 : plot.valToPos(at, 'x'), top: at < 0 ? -10 : 0 }, false)),
        remove: () => {
            observer.disconnect();
            plots.forEach(([plot]) => plot.destroy());
        },
    };
}
