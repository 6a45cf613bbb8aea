/** The figures of operations, each with its course over the time that is looked at, as a small line. */
import type { Cache, Ops, Pools } from '../api.gen';
import { bytes, duration, number, percent, t, type Text } from '../i18n';

const WIDTH = 160;
const HEIGHT = 36;

type Series = readonly (number | null)[];

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

/** What a long series looks like in few points: the highest of each part. */
function thinned(series: Series): Series {
    const size = Math.ceil(series.length / WIDTH);
    return size <= 1 ? series : Array.from({ length: Math.ceil(series.length / size) }, (_, i) => {
        const part = series.slice(i * size, (i + 1) * size).filter((value): value is number => value !== null);
        return part.length > 0 ? Math.max(...part) : null;
    });
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

interface Figure {
    name: Text;
    series: Series;
    say: (value: number) => string;
    /** Instead of the newest of the series. */
    now?: number | null;
    most?: number;
    /** Of a whole, from 0 to 1: drawn as a bar instead of a course. */
    part?: number;
    also?: string;
    isBad?: boolean;
}

function Tile({ name, series, say, now = lastOf(series), most, part, also, isBad = false }: Figure) {
    const values = known(series);
    const range = values.length > 0 ? t('ops.range', { from: say(Math.min(...values)), to: say(Math.max(...values)) }) : '';
    return (
        <div class={`tile${isBad ? ' bad' : ''}`}>
            <dt>{t(name)}</dt>
            <dd>
                <b>{now === null ? '–' : say(now)}</b>
                {part === undefined ? (
                    <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true"><path d={lineOf(thinned(series), most ?? (highestOf(series) || 1))} /></svg>
                ) : <span class="bar"><span style={{ width: `${100 * part}%` }} /></span>}
                <span class="hint">{range}</span>
                <span class="hint also">{also}</span>
            </dd>
        </div>
    );
}

const perSecond = (value: number) => t('ops.per.second', { value: number(value, value < 10 ? 2 : 0) });

export function Figures({ ops, cache, pools }: { ops: Ops; cache: Cache | undefined; pools: Pools | undefined }) {
    const { all, pool, process } = ops;
    const general = pools?.general;
    const latency = (name: 'p50_ms' | 'p95_ms' | 'p99_ms', label: Text): Figure => ({ name: label, series: all[name] as Series, say: duration });
    const errors = highestOf(all.errors) ?? 0;
    const figures: Figure[] = [
        { name: 'ops.requests', series: all.rate, say: perSecond },
        { name: 'ops.errors', series: all.errors, say: perSecond, isBad: errors > 0, also: errors > 0 ? t('ops.errors.do') : '' },
        latency('p50_ms', 'ops.p50'), latency('p95_ms', 'ops.p95'), latency('p99_ms', 'ops.p99'),
        { name: 'ops.hits', series: ops.hit_rate as Series, say: percent, most: 1, also: cache?.responses.hit_rate == null ? '' : t('ops.hits.all', { rate: percent(cache.responses.hit_rate) }) },
        { name: 'ops.kept', series: [], say: bytes, now: cache?.responses.bytes ?? null, part: cache ? cache.responses.bytes / (cache.responses.max_bytes || 1) : 0, also: cache ? t('ops.kept.of', { count: cache.responses.entries, max: bytes(cache.responses.max_bytes) }) : '' },
        { name: 'ops.used', series: pool.in_use, say: number, now: general?.in_use ?? null, most: general?.max_open ?? 1, also: general ? t('ops.used.of', { max: general.max_open, open: general.open }) : '' },
        { name: 'ops.waiting', series: pool.waiting, say: number, now: general?.waiting ?? null, also: general ? t('ops.waited', { mean: duration(general.wait.mean_us / 1000), max: duration(general.wait.max_us / 1000) }) : '' },
        { name: 'ops.memory', series: process.resident_bytes, say: bytes },
        { name: 'ops.cpu', series: process.cpu, say: (value) => number(value) },
    ];
    return (
        <section class="panel">
            <h2>{t('ops.figures')}</h2>
            <p class="hint">{t(ops.at.length === 0 ? 'ops.soon' : 'ops.course')}</p>
            <dl class="tiles">{figures.map((figure) => <Tile key={figure.name} {...figure} />)}</dl>
        </section>
    );
}
