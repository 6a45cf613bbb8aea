/** Who did what, when, from where, with what result. What is shown is in the address. */
import type { AuditEntry, AuditPage as Answer } from '../api.gen';
import { Filters, Listed, useList, type Column, type List } from '../components/list';
import { PageHead } from '../components/show';
import { useGet } from '../data';
import { moment, say, t } from '../i18n';
import type { Place } from '../router';

const RESULTS = ['ok', 'denied', 'unauthenticated', 'invalid', 'malformed', 'not_found', 'conflict', 'stale', 'too_large', 'limited', 'busy', 'unavailable', 'internal'];

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

function columnsOf({ to }: List<AuditEntry>): Column<AuditEntry>[] {
    return [
        { head: 'audit.at', show: ({ at }) => <time datetime={at} title={at}>{moment(at)}</time> },
        { head: 'who', isName: true, show: ({ actor }) => (actor ? <a href={to({ actor })} data-row>{actor}</a> : '–') },
        { head: 'audit.action', show: ({ action }) => <a class={action.includes(' ') ? 'code' : undefined} href={to({ action })}>{say('action', action)}</a> },
        { head: 'audit.result', show: ({ result }) => (result === 'ok' ? <span class="quiet">{say('result', result)}</span> : <span class="late"><span aria-hidden="true">✕ </span>{say('result', result)}</span>) },
        { head: 'audit.about', show: (entry) => <>{entry.detail && <div>{entry.detail}</div>}{entry.target && entry.target !== entry.actor_id && <div class="ref"><Target entry={entry} /></div>}</> },
        { head: 'audit.address', kind: 'ref', show: ({ address }) => address },
    ];
}

export function AuditPage({ place }: { place: Place }) {
    const list = useList<AuditEntry>(place, '/audit-logs', ['actor', 'action', 'result', 'since', 'until'], ({ since, until }) => ({ since: dayBegins(since, 0), until: dayBegins(until, 1) }));
    // What the newest ones name can be chosen.
    const { data: newest } = useGet<Answer>('/audit-logs?limit=200');
    const used = (member: 'actor' | 'action') => [...new Set((newest?.items ?? []).map((entry) => entry[member]).filter(Boolean))].sort();
    return (
        <>
            <PageHead title={t('page.audit')} />
            <div class="panel">
                <Filters
                    list={list} filters={[
                        { name: 'actor', label: 'who', options: used('actor') },
                        { name: 'action', label: 'audit.action', options: used('action') },
                        { name: 'result', label: 'audit.result', group: 'result', options: RESULTS },
                        { name: 'since', label: 'audit.since', type: 'date' },
                        { name: 'until', label: 'audit.until', type: 'date' },
                    ]}
                />
                <Listed list={list} label={t('page.audit')} columns={columnsOf(list)} kind="audit" rowKind={({ result }) => result !== 'ok' && 'refused'} isWide none="list.none" />
            </div>
        </>
    );
}
