/** What happened to a risk: each write with who, when, and each member from what to what. Newest first. */
import { useState } from 'preact/hooks';
import { get } from '../api';
import type { Change, ChangePage } from '../api.gen';
import { useGet } from '../data';
import { day, number, quoted, say, t, type Text } from '../i18n';
import { toastError } from '../toast';
import { Difference, Marked } from './difference';
import { Ago, Loaded } from './show';

interface Write {
    at: string;
    actor: string;
    action: string;
    version: number;
    changes: Change[];
}

/** The API tells one item per changed member; those of one write belong together. */
export function writesOf(items: readonly Change[]): Write[] {
    const writes: Write[] = [];
    for (const item of items) {
        const last = writes.at(-1);
        if (last?.version === item.version) {
            last.changes.push(item);
        } else {
            writes.push({ at: item.at, actor: item.actor, action: item.action, version: item.version, changes: [item] });
        }
    }
    return writes;
}

const WORDS: Record<string, string> = { status: 'status', treatment: 'treatment', level: 'level', 'mitigation.status': 'mitigation' };
const DAYS = ['review_date', 'mitigation.due_date'];

/** One value in a line. */
export function changeText(member: string, value: unknown): string {
    if (value === null || value === undefined || value === '') {
        return t('none');
    }
    if (typeof value === 'boolean') {
        return t(value ? 'yes' : 'no');
    }
    if (typeof value === 'number') {
        return number(value);
    }
    const list = listOf(value);
    if (list) {
        return list.join(', ') || t('none');
    }
    const text = String(value);
    return DAYS.includes(member) ? day(text) : WORDS[member] ? say(WORDS[member], text) : text;
}

/** A list, or fields with their names, as texts. */
function listOf(value: unknown): string[] | null {
    return Array.isArray(value) ? value.map(String)
        : value !== null && typeof value === 'object' ? Object.entries(value).map(([name, one]) => `${name}: ${changeText('', one)}`) : null;
}

/** Of lists, what went and what came; of fields, those that differ. */
function parts(from: unknown, to: unknown): string[][] | null {
    const [a, b] = [listOf(from), listOf(to)];
    return a && b && [a.filter((one) => !b.includes(one)), b.filter((one) => !a.includes(one))];
}

const LONG = 60;

function FromTo({ change }: { change: Change }) {
    const { member, from, to } = change;
    const lists = parts(from, to);
    if (lists) {
        return (
            <span class="difference">
                {lists.map((texts, i) => texts.map((one) => <Marked key={one} isNew={i === 1} text={one} />))}
            </span>
        );
    }
    const isText = typeof from === 'string' && typeof to === 'string' && !WORDS[member ?? ''] && !DAYS.includes(member ?? '');
    if (isText && Math.max(from.length, to.length) > LONG) {
        return <Difference from={from} to={to} />;
    }
    return <>{changeText(member ?? '', from)} → {changeText(member ?? '', to)}</>;
}

/** Which member has changed, and of which mitigation or step. */
export function memberText({ member, subject }: Pick<Change, 'member' | 'subject'>): string {
    return `${say('member', (member ?? '').replace(/^(mitigation|sub_action)\./, ''))}${subject ? ` (${subject})` : ''}`;
}

function ChangeLine({ change }: { change: Change }) {
    const { member } = change;
    if (member === null || member === 'mitigation' || member === 'sub_action') {
        return null; // the write itself says it
    }
    return (
        <li>
            <span class="quiet">{t('named', { name: memberText(change) })}</span> <FromTo change={change} />
        </li>
    );
}

function WriteView({ write }: { write: Write }) {
    const subject = write.changes.find(({ member, subject: of }) => of && (member === 'mitigation' || member === 'sub_action'))?.subject;
    return (
        <li class={`write ${write.action}`}>
            <p>
                <b>{say('action', write.action)}</b>{subject && <> {quoted(subject)}</>} <span class="quiet">{t('change.by', { actor: write.actor })}, <Ago at={write.at} /></span>
            </p>
            {write.changes.some(({ member }) => member !== null) && <ul>{write.changes.map((change, i) => <ChangeLine key={i} change={change} />)}</ul>}
        </li>
    );
}

/** The pages after the first. They are dropped when so much has happened that they no longer follow it. */
function useOlder(path: string, first: ChangePage) {
    const [older, setOlder] = useState<{ items: Change[]; next: string | null; from: number } | null>(null);
    const [busy, setBusy] = useState(false);
    const joins = older !== null && first.items.some(({ version }) => version <= older.from);
    const next = joins ? older.next : first.next;
    const seen = new Set(first.items.map(({ version }) => version));
    const items = [...first.items, ...(joins ? older.items.filter(({ version }) => !seen.has(version)) : [])];
    const more = async () => {
        setBusy(true);
        try {
            const page = await get<ChangePage>(`${path}&after=${next}`);
            const newest = joins ? older.from : first.items[0]!.version;
            setOlder({ items: [...items, ...page.items], next: page.next, from: newest });
        } catch (error) {
            toastError(error);
        }
        setBusy(false);
    };
    return { items, more: next === null ? null : more, busy };
}

function Writes({ path, first }: { path: string; first: ChangePage }) {
    const { items, more, busy } = useOlder(path, first);
    return (
        <>
            <ol class="timeline">{writesOf(items).map((write) => <WriteView key={write.version} write={write} />)}</ol>
            {more && <p><button type="button" disabled={busy} onClick={() => void more()}>{t('change.more' satisfies Text)}</button></p>}
        </>
    );
}

export function Timeline({ id, every }: { id: string; every: number }) {
    const path = `/risks/${id}/timeline?limit=20`;
    const got = useGet<ChangePage>(path, { every });
    return (
        <section class="panel" aria-labelledby="timeline">
            <h2 id="timeline">{t('risk.timeline')}</h2>
            <Loaded got={got} lines={4}>{(first) => <Writes path={path} first={first} />}</Loaded>
        </section>
    );
}
