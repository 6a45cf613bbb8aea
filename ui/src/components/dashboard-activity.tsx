/** Who did what to which risk, newest first, in sentences: one for each write, and one for a write to many risks. */
import type { ComponentChildren } from 'preact';
import type { Activity, ActivityPage } from '../api.gen';
import { useGet } from '../data';
import { number, quoted, say, t, type Text } from '../i18n';
import { EVERY_MS } from './dashboard';
import { changeText, memberText } from './risk-timeline';
import { Ago, Empty, Loaded, refOf } from './show';

const READ = 40; // writes
const SHOWN = 12;
const TEXT_MAX = 70;
/** Members whose values are too long, or too many, for a sentence. */
const UNTOLD = ['description', 'custom_fields', 'mitigation.description'];
/** What is done to the whole of a risk; its members say nothing more. */
const TOLD = ['created', 'imported', 'deleted', 'restored'];

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

/** A change in short, as the risk's own timeline tells it. */
function told(change: Activity): string {
    const { member, subject, from, to } = change;
    if (member === 'mitigation' || member === 'sub_action') {
        return `${say('action', `${member}_${from === null ? 'created' : 'deleted'}`)} ${quoted(short(subject ?? ''))}`;
    }
    const values = UNTOLD.includes(member!) ? '' : ` ${short(changeText(member!, from))} → ${short(changeText(member!, to))}`;
    return memberText(change) + values;
}

/** A text with elements in the places of its values. */
function withElements(name: Text, elements: Record<string, ComponentChildren>): ComponentChildren {
    const marks = Object.fromEntries(Object.keys(elements).map((key) => [key, `\u0001${key}\u0001`]));
    return t(name, marks).split('\u0001').map((part, i) => (i % 2 === 1 ? elements[part] : part));
}

function Sentence({ write: { head, changes, risks, isCut }, isGone }: { write: Write; isGone: boolean }) {
    const { action, risk } = head;
    const who = <b>{head.actor_id === null && head.actor.startsWith('(') ? t('act.cli') : head.actor}</b>;
    const name = <><span class="ref">{refOf(risk)}</span> {short(risk.title)}</>;
    const what = risks > 1 ? t('act.risks', { count: isCut ? `${number(risks)}+` : risks })
        : isGone ? name : <a href={`/risks/${refOf(risk)}`} data-row>{name}</a>;
    const isTold = TOLD.includes(action);
    const sentence = withElements(`act.${isTold || action === 'rescored' ? action : 'updated'}` as Text, { who, what });
    return isTold || risks > 1 || changes.length === 0 ? <>{sentence}</> : <>{withElements('named', { name: sentence })} {changes.map(told).join(' · ')}</>;
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
