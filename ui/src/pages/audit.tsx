/** Who did what, when, from where, with what result. What is shown is in the address. */
import type { AuditEntry, AuditPage as Answer } from '../api.gen';
import { Choice } from '../components/field';
import { Pager } from '../components/pager';
import { Empty, Loaded, PageHead } from '../components/show';
import { Typed } from '../components/typed';
import { useGet } from '../data';
import { moment, say, t, type Text } from '../i18n';
import { go, withQuery, type Place } from '../router';

const LIMIT = 50;
const FILTERS = ['actor', 'action', 'result', 'since', 'until'] as const;
const RESULTS = ['ok', 'denied', 'unauthenticated', 'invalid', 'malformed', 'not_found', 'conflict', 'stale', 'too_large', 'limited', 'busy', 'unavailable', 'internal'];

type Asked = Partial<Record<(typeof FILTERS)[number] | 'page', string>>;

/** Where a day of whoever reads begins, `later` days on; undefined if it is no day. */
function dayBegins(day: string | undefined, later: number): string | undefined {
    const [, year, month, date] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day ?? '') ?? [];
    return year === undefined ? undefined : new Date(Number(year), Number(month) - 1, Number(date) + later).toISOString();
}

/** What has an address here, as a link there. */
function Target({ entry: { action, target } }: { entry: AuditEntry }) {
    const kind = /\/(risks|assets)(\/\{id\}|$)/.exec(action)?.[1];
    return kind && /^[\w-]+$/.test(target) && !action.startsWith('DELETE') ? <a href={`/${kind}/${target}`}>{target}</a> : <>{target}</>;
}

function Row({ entry, with: filtered }: { entry: AuditEntry; with: (some: Asked) => string }) {
    const isOk = entry.result === 'ok';
    return (
        <tr class={isOk ? undefined : 'refused'}>
            <td><time datetime={entry.at} title={entry.at}>{moment(entry.at)}</time></td>
            <th scope="row">{entry.actor ? <a href={filtered({ actor: entry.actor })} data-row>{entry.actor}</a> : <span class="quiet">{t('audit.nobody')}</span>}</th>
            <td><a class={entry.action.includes(' ') ? 'code' : undefined} href={filtered({ action: entry.action })}>{say('action', entry.action)}</a></td>
            <td><span class={isOk ? 'quiet' : 'late'}>{!isOk && <span aria-hidden="true">✕ </span>}{say('result', entry.result)}</span></td>
            <td class="about">{entry.detail && <div>{entry.detail}</div>}{entry.target && entry.target !== entry.actor_id && <div class="ref"><Target entry={entry} /></div>}</td>
            <td class="ref">{entry.address}</td>
        </tr>
    );
}

function Entries({ items, with: filtered, isOld }: { items: AuditEntry[]; with: (some: Asked) => string; isOld: boolean }) {
    return (
        <div class="scroll" tabIndex={0} role="region" aria-label={t('page.audit')}>
            <table class="list plain audit" aria-busy={isOld}>
                <thead><tr>{(['at', 'actor', 'action', 'result', 'about', 'address'] as const).map((name) => <th key={name} scope="col">{t(`audit.${name}`)}</th>)}</tr></thead>
                <tbody>{items.map((entry, i) => <Row key={i} entry={entry} with={filtered} />)}</tbody>
            </table>
        </div>
    );
}

export function AuditPage({ place: { query } }: { place: Place }) {
    const asked = Object.fromEntries([...FILTERS, 'page' as const].map((name) => [name, query.get(name) ?? undefined])) as Asked;
    const to = (some: Asked) => withQuery('/audit', { ...asked, page: undefined, ...some });
    const move = (some: Asked, replace = false) => go(to(some), { stay: some.page === undefined, replace });
    const got = useGet<Answer>(withQuery('/audit-logs', { ...asked, since: dayBegins(asked.since, 0), until: dayBegins(asked.until, 1), limit: LIMIT }), { keep: true });
    // What the newest ones name can be chosen.
    const { data: newest } = useGet<Answer>('/audit-logs?limit=200');
    const used = (member: 'actor' | 'action') => [...new Set((newest?.items ?? []).map((entry) => entry[member]).filter(Boolean))].sort();
    const isFiltered = FILTERS.some((name) => asked[name]);
    const typed = (name: 'actor' | 'action' | 'since' | 'until') => ({ label: t(`audit.${name}` as Text), value: asked[name] ?? '', onValue: (value: string) => move({ [name]: value }, true) });
    return (
        <>
            <PageHead title={t('page.audit')} />
            <div class="panel">
                <div class="filters" role="search">
                    <Typed {...typed('actor')} options={used('actor')} />
                    <Typed {...typed('action')} options={used('action')} />
                    <Choice label={t('audit.result')} group="result" options={RESULTS} none={t('all')} value={asked.result ?? ''} onChange={(result) => move({ result })} />
                    <Typed {...typed('since')} type="date" />
                    <Typed {...typed('until')} type="date" />
                </div>
                <Loaded got={got} lines={14}>
                    {({ items, total, total_is_exact }) => items.length === 0 ? (
                        <Empty title={t('audit.none')}>{isFiltered && <a href="/audit">{t('filters.clear')}</a>}</Empty>
                    ) : (
                        <>
                            <Entries items={items} with={to} isOld={got.isOld} />
                            <Pager page={Number(asked.page) || 1} limit={LIMIT} total={total} isExact={total_is_exact} onPage={(page) => move({ page: String(page) })} />
                        </>
                    )}
                </Loaded>
            </div>
        </>
    );
}
