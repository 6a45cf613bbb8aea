/** How the parts are, in words, and what to do about one that is not well. */
import type { Cache, Checks, Health, RedisHealth } from '../api.gen';
import { duration, say, t, type Text } from '../i18n';

type State = 'good' | 'warn' | 'bad' | 'off';
const MARKS: Record<State, string> = { good: '✓', warn: '!', bad: '✕', off: '–' };

interface Part {
    name: Text;
    state: State;
    text: string;
    /** What to do, unless all is well. */
    advice?: Text | false;
}

function Part({ name, state, text, advice }: Part) {
    return (
        <div class={`health-part ${state}`}>
            <span class="mark-of" aria-hidden="true">{MARKS[state]}</span>
            <div><strong>{t(name)}</strong> {text}{advice && <p>{t(advice)}</p>}</div>
        </div>
    );
}

function partsOf({ database, pool, redis }: Checks, cache: Cache | undefined): Part[] {
    const other = redis as RedisHealth | null;
    const [isUp, isOther] = [database.status === 'UP', other?.status === 'UP'];
    const isRoomy = pool.verdict === 'ok';
    return [
        {
            name: 'ops.database', state: isUp ? 'good' : 'bad', advice: !isUp && 'ops.database.do',
            text: isUp ? t('ops.database.up', { time: duration((database.latency_us ?? 0) / 1000) }) : t('ops.database.down'),
        },
        {
            name: 'ops.pool', state: isRoomy ? 'good' : pool.verdict === 'near_capacity' ? 'warn' : 'bad', advice: isUp && !isRoomy && 'ops.pool.do',
            text: t('ops.pool.text', { used: pool.in_use, max: pool.max_open, waiting: pool.waiting }),
        },
        ...(cache ? [{ name: 'ops.cache', state: cache.enabled ? 'good' : 'warn', text: t(cache.enabled ? 'ops.cache.on' : 'ops.cache.off'), advice: !cache.enabled && 'ops.cache.do' } as const] : []),
        {
            name: 'ops.redis', state: isOther ? 'good' : other ? 'warn' : 'off', advice: !isOther && other !== null && 'ops.redis.do',
            text: isOther ? t('ops.redis.up') : other ? t('ops.redis.down', { time: duration(other.for_ms) }) : t('ops.redis.none'),
        },
    ];
}

export function HealthPanel({ health: { status, version, checks }, cache }: { health: Health; cache: Cache | undefined }) {
    return (
        <section class="panel health">
            <header><h2>{t('ops.health')}</h2><span class="quiet">OpenRisk {version}</span></header>
            {/* Heard when it changes; the parts, whose figures change all the time, are not. */}
            <div role="status"><Part name="ops.all" state={status === 'UP' ? 'good' : status === 'DOWN' ? 'bad' : 'warn'} text={say('ops.all', status)} /></div>
            <ul>{partsOf(checks, cache).map((part) => <li key={part.name}><Part {...part} /></li>)}</ul>
        </section>
    );
}
