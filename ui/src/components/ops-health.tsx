/** How the parts are, in words, and what to do about one that is not well. */
import type { Cache, Health, PoolHealth, RedisHealth } from '../api.gen';
import { duration, say, t } from '../i18n';

type State = 'good' | 'warn' | 'bad' | 'off';
const MARKS: Record<State, string> = { good: '✓', warn: '!', bad: '✕', off: '–' };

function Part({ name, state, text, advice }: { name: string; state: State; text: string; advice?: string | undefined }) {
    return (
        <div class={`health-part ${state}`}>
            <span class="mark-of" aria-hidden="true">{MARKS[state]}</span>
            <div><strong>{name}</strong> {text}{advice && <p>{advice}</p>}</div>
        </div>
    );
}

function poolPart({ verdict, in_use, max_open, waiting }: PoolHealth) {
    const state: Record<string, State> = { ok: 'good', near_capacity: 'warn', exhausted: 'bad', down: 'bad' };
    const text = t('ops.pool.text', { used: in_use, max: max_open, waiting });
    return { state: state[verdict] ?? 'warn', text, advice: verdict === 'ok' ? undefined : say('ops.pool', verdict) };
}

function redisPart(redis: RedisHealth | null): { state: State; text: string; advice?: string | undefined } {
    if (redis === null) {
        return { state: 'off', text: t('ops.redis.none') };
    }
    return redis.status === 'UP' ? { state: 'good', text: t('ops.redis.up') }
        : { state: 'warn', text: t('ops.redis.down', { time: duration(redis.for_ms) }), advice: t('ops.redis.do') };
}

export function HealthPanel({ health, cache }: { health: Health; cache: Cache | undefined }) {
    const { database, pool, redis } = health.checks;
    const overall: State = health.status === 'UP' ? 'good' : health.status === 'DOWN' ? 'bad' : 'warn';
    return (
        <section class="panel health">
            <header><h2>{t('ops.health')}</h2><span class="quiet">OpenRisk {health.version}</span></header>
            {/* Heard when it changes; the parts, whose figures change all the time, are not. */}
            <div role="status"><Part name={t('ops.all')} state={overall} text={say('ops.all', health.status)} /></div>
            <ul>
                <li>
                    <Part
                        name={t('ops.database')} {...(database.status === 'UP' ? { state: 'good', text: t('ops.database.up', { time: duration((database.latency_us ?? 0) / 1000) }) }
                            : { state: 'bad', text: t('ops.database.down'), advice: t('ops.database.do') })}
                    />
                </li>
                <li><Part name={t('ops.pool')} {...poolPart(pool)} /></li>
                {cache && <li><Part name={t('ops.cache')} {...(cache.enabled ? { state: 'good', text: t('ops.cache.on') } : { state: 'warn', text: t('ops.cache.off'), advice: t('ops.cache.do') })} /></li>}
                <li><Part name={t('ops.redis')} {...redisPart(redis as RedisHealth | null)} /></li>
            </ul>
        </section>
    );
}
