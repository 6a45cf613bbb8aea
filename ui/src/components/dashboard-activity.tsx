/** Who did what to which risk, newest first, in sentences: one for each write, and one for a write to many risks. */
import type { ComponentChildren } from 'preact';
import type { Activity, ActivityPage } from '../api.gen';
import { useGet } from '../data';
import { day, number, percent, say, t, type Text } from '../i18n';
import { EVERY_MS } from './dashboard';
import { Ago, Empty, Loaded, refOf } from './show';

const READ = 40; // writes
const SHOWN = 12;
const TEXT_MAX = 70;
/** Members whose values are too long, or too many, for a sentence. */
const UNTOLD = ['description', 'custom_fields'];

interface Write {
    head: Activity;
    changes: Activity[];
    /** How many risks it changed. */
    risks: number;
    /** There may be more of it than was read. */
    isCut: boolean;
}

/** Items of the same write, and writes of one and the same moment: an import, a bulk change. */
export function writesOf(items: Activity[], isWhole: boolean): Write[] {
    const writes: Write[] = [];
    for (const item of items) {
        const last = writes.at(-1);
        if (last && last.risks === 1 && last.head.risk.id === item.risk.id && last.head.version === item.version) {
            last.changes.push(item);
        } else if (last && last.head.at === item.at && last.head.actor === item.actor && last.head.action === item.action) {
            last.risks += last.head.risk.id === item.risk.id ? 0 : 1;
            last.head = item;
        } else {
            writes.push({ head: item, changes: item.member === null ? [] : [item], risks: 1, isCut: false });
        }
    }
    const oldest = writes.at(-1);
    if (oldest && !isWhole) {
        oldest.isCut = true;
    }
    return writes;
}

function short(text: string): string {
    return [...text].length > TEXT_MAX ? `${[...text].slice(0, TEXT_MAX - 1).join('')}…` : text;
}

/** A value as the sentence says it; null: there is none. */
function valueOf(member: string, value: unknown): string | null {
    const name = member.split('.').pop()!;
    if (value === null || value === '' || (Array.isArray(value) && value.length === 0)) {
        return null;
    }
    if (Array.isArray(value)) {
        return short(value.join(', '));
    }
    if (name === 'status') {
        return say(member === 'status' ? 'status' : 'mitigation', String(value));
    }
    if (name === 'treatment') {
        return say(name, String(value));
    }
    if (name === 'progress') {
        return percent(Number(value) / 100);
    }
    return name.endsWith('_date') ? day(String(value)) : typeof value === 'number' ? number(value) : short(String(value));
}

/** A change in words: what kind it is ("both": from one value to another), and what stands in its text. */
function told({ member, subject, from, to }: Activity): { kind: string; values: Record<string, string> } {
    const name = member ?? '';
    const thing = short(subject ?? '');
    if (name === 'mitigation' || name === 'sub_action') {
        return { kind: from === null ? 'added' : 'removed', values: { member: t(`thing.${name}`, { subject: thing }) } };
    }
    const [kind, part] = name.includes('.') ? name.split('.') as ['mitigation' | 'sub_action', string] : [null, name];
    if (part === 'completed') {
        return { kind: to === true ? 'done' : 'undone', values: { member: t('thing.sub_action', { subject: thing }) } };
    }
    const own = say('the', part);
    const values: Record<string, string> = { member: kind === null ? own : t(`thing.of.${kind}`, { member: own, subject: thing }) };
    const [before, after] = UNTOLD.includes(part) ? [null, null] : [valueOf(name, from), valueOf(name, to)];
    if (before !== null) {
        values.from = before;
    }
    if (after !== null) {
        values.to = after;
    }
    return { kind: before !== null ? (after !== null ? 'both' : 'cleared') : after !== null ? 'set' : 'bare', values };
}

/** A text with elements in the places of its values. */
function withElements(name: Text, values: Record<string, string | number>, elements: Record<string, ComponentChildren>): ComponentChildren {
    const marks = Object.fromEntries(Object.keys(elements).map((key) => [key, `\u0001${key}\u0001`]));
    return t(name, { ...values, ...marks }).split('\u0001').map((part, i) => (i % 2 === 1 ? elements[part] : part));
}

function Sentence({ write, isGone }: { write: Write; isGone: boolean }) {
    const { head, changes, risks, isCut } = write;
    const { action, risk } = head;
    const who = <b>{head.actor_id === null && head.actor.startsWith('(') ? t('act.cli') : head.actor}</b>;
    if (risks > 1) {
        const many = `act.many.${['created', 'imported', 'deleted', 'restored', 'rescored'].includes(action) ? action : 'updated'}` as Text;
        return <>{withElements(many, { count: isCut ? t('act.most', { count: risks }) : risks }, { who })}</>;
    }
    const name = <><span class="ref">{refOf(risk)}</span> {short(risk.title)}</>;
    const elements = { who, risk: isGone ? name : <a href={`/risks/${refOf(risk)}`} data-row>{name}</a> };
    if (['created', 'imported', 'deleted', 'restored'].includes(action) || changes.length === 0) {
        const known = ['created', 'imported', 'deleted', 'restored'].includes(action) ? action : 'updated';
        return <>{withElements(`act.${known}` as Text, {}, elements)}</>;
    }
    if (changes.length === 1 && action !== 'rescored') {
        const { kind, values } = told(changes[0]!);
        return <>{withElements(`act.${kind}` as Text, values, elements)}</>;
    }
    const list = changes.map(told).map(({ kind, values }) => t(`part.${kind}` as Text, values)).join(t('part.and'));
    return <>{withElements(action === 'rescored' ? 'act.rescored' : 'act.several', { changes: list }, elements)}</>;
}

/** A risk that was deleted and not restored since cannot be looked at. */
function goneOf(items: Activity[]): Set<string> {
    const newest = new Map<string, string>();
    items.forEach(({ risk, action }) => newest.has(risk.id) || newest.set(risk.id, action));
    return new Set([...newest].filter(([, action]) => action === 'deleted').map(([id]) => id));
}

export function Activities() {
    const got = useGet<ActivityPage>(`/activity?limit=${READ}`, { every: EVERY_MS });
    return (
        <section class="panel activity" aria-labelledby="activity">
            <header><h2 id="activity">{t('act.title')}</h2></header>
            <Loaded got={got} lines={SHOWN}>
                {({ items, next }) => {
                    const gone = goneOf(items);
                    return items.length === 0 ? <Empty title={t('act.none')} /> : (
                        <ol class="entries">
                            {writesOf(items, next === null).slice(0, SHOWN).map((write) => (
                                <li key={`${write.head.risk.id} ${write.head.version}`}>
                                    <p><Sentence write={write} isGone={gone.has(write.head.risk.id)} /></p>
                                    <span class="margin quiet"><Ago at={write.head.at} /></span>
                                </li>
                            ))}
                        </ol>
                    );
                }}
            </Loaded>
        </section>
    );
}
