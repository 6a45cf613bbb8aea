/** The figures of operations, each with its course over the time that is looked at, as a small line. */
import type { Cache, Ops, Pools } from '../api.gen';
import { bytes, duration, number, percent, t } from '../i18n';

const WIDTH = 160;
const HEIGHT = 36;

export type Series = readonly (number | null)[];

/** The line of a series; it has a gap where nothing was. From 0, so that heights can be compared. */
function lineOf(series: Series, most: number): string {
    const step = WIDTH / Math.max(1, series.length - 1);
    let isDown = false;
    return series.map((value, i) => {
        if (value === null) {
            isDown = false;
            return '';
        }
        const point = `${isDown ? 'L' : 'M'}${(i * step).toFixed(1)} ${(HEIGHT - 2 - (value / (most || 1)) * (HEIGHT - 4)).toFixed(1)}`;
        const alone = !isDown && (series[i + 1] ?? null) === null;
        isDown = true;
        return alone ? `${point}h.1` : point;
    }).join('');
}

function known(series: Series): number[] {
    return series.filter((value): value is number => value !== null);
}

export function lastOf(series: Series): number | null {
    return series[series.length - 1] ?? null;
}

export function highestOf(series: Series): number | null {
    const values = known(series);
    return values.length > 0 ? Math.max(...values) : null;
}

/** What a long series looks like in few points: the highest of each part. */
function thinned(series: Series): Series {
    const size = Math.ceil(series.length / WIDTH) || 1;
    return Array.from({ length: Math.ceil(series.length / size) }, (_, i) => highestOf(series.slice(i * size, (i + 1) * size)));
}

interface Figure {
    name: string;
    series: Series;
    say: (value: number) => string;
    /** Instead of the newest of the series. */
    now?: number | null;
    most?: number | undefined;
    /** Of a whole, from 0 to 1: drawn as a bar instead of a course. */
    part?: number;
    also?: string | false | undefined;
    isBad?: boolean;
}

function Tile({ name, series, say, now = lastOf(series), most = highestOf(series) ?? 0, part, also, isBad }: Figure) {
    const values = known(series);
    return (
        <div class={`tile${isBad ? ' bad' : ''}`}>
            <dt>{name}</dt>
            <dd>
                <b>{now === null ? '–' : say(now)}</b>
                {part === undefined ? (
                    <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true"><path d={lineOf(thinned(series), most)} /></svg>
                ) : <span class="bar"><span style={{ width: `${100 * part}%` }} /></span>}
                <span class="hint">{values.length > 0 && `${say(Math.min(...values))} – ${say(Math.max(...values))}`}</span>
                <span class="hint also">{also}</span>
            </dd>
        </div>
    );
}

const perSecond = (value: number) => `${number(value, value < 10 ? 2 : 0)}/s`;

function figuresOf({ all, hit_rate, pool, process }: Ops, cache: Cache | undefined, pools: Pools | undefined): Figure[] {
    const kept = cache?.responses;
    const general = pools?.general;
    const within = (part: 50 | 95 | 99): Figure => ({ name: t('ops.within', { part }), series: all[`p${part}_ms`] as Series, say: duration });
    const hasErrors = all.errors.some((rate) => rate > 0);
    return [
        { name: t('ops.requests'), series: all.rate, say: perSecond },
        { name: t('ops.errors'), series: all.errors, say: perSecond, isBad: hasErrors, also: hasErrors && t('ops.errors.do') },
        within(50), within(95), within(99),
        { name: t('ops.hits'), series: hit_rate as Series, say: percent, most: 1, also: kept && kept.hit_rate !== null && t('ops.hits.all', { rate: percent(kept.hit_rate) }) },
        {
            name: t('ops.kept'), series: [], say: bytes, now: kept?.bytes ?? null, part: kept ? kept.bytes / (kept.max_bytes || 1) : 0,
            also: kept && t('ops.kept.of', { count: kept.entries, max: bytes(kept.max_bytes) }),
        },
        { name: t('ops.used'), series: pool.in_use, say: number, now: general?.in_use ?? null, most: general?.max_open, also: general && t('ops.used.of', { max: general.max_open, open: general.open }) },
        {
            name: t('ops.waiting'), series: pool.waiting, say: number, now: general?.waiting ?? null,
            also: general && t('ops.waited', { mean: duration(general.wait.mean_us / 1000), max: duration(general.wait.max_us / 1000) }),
        },
        { name: t('ops.memory'), series: process.resident_bytes, say: bytes },
        { name: t('ops.cpu'), series: process.cpu, say: number },
    ];
}

export function Figures({ ops, cache, pools }: { ops: Ops; cache: Cache | undefined; pools: Pools | undefined }) {
    return (
        <section class="panel">
            <h2>{t('ops.figures')}</h2>
            <p class="hint">{t('ops.course')}</p>
            <dl class="tiles">{figuresOf(ops, cache, pools).map((figure) => <Tile key={figure.name} {...figure} />)}</dl>
        </section>
    );
}
