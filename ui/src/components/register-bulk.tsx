/** What can be done with the risks that are selected. A dialog closes as it sends; a toast says what came of it. */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Risk } from '../api.gen';
import { say, t } from '../i18n';
import { mayDelete, useUser } from '../session';
import { Actions, Dialog } from './dialog';
import { Editor } from './editors';
import { checkMember, isSame, memberOf, valuesOf, writeMember, type Member, type Value } from './members';
import { edit, remove, type Edit, type Members } from './register-changes';
import { SELECTION_MAX, type Selection } from './register-selection';

const TASKS = ['status', 'owner', 'category', 'tags', 'delete'] as const;

interface TaskProps {
    risks: readonly Risk[];
    selection: Selection;
    onClose: () => void;
}

/** One form for all of them: of the members, and what each risk is to become by it. */
function SetForm({ name, risks, selection, onClose, member, value, setValue, setOf, children }: TaskProps & {
    name: 'status' | 'owner' | 'category' | 'tags'; member: Member; value: Value; setValue: (value: Value) => void; setOf: (risk: Risk) => Members; children?: ComponentChildren;
}) {
    const own = memberOf(name);
    const edits = risks.map((risk): Edit => ({ risk, set: setOf(risk) })).filter(({ risk, set }) => !isSame(own, valuesOf([own], risk)[name]!, valuesOf([own], set)[name]!));
    const error = checkMember(member, value) ?? edits.map(({ set }) => set.tags && checkMember(member, set.tags)).find(Boolean);
    const isReady = error === undefined && edits.length > 0;
    const submit = () => {
        if (isReady) {
            onClose();
            void edit(edits, selection);
        }
    };
    return (
        <Dialog title={t('bulk.title', { member: say('member', name), count: risks.length })} onClose={onClose} onSubmit={submit}>
            <Editor member={member} value={value} onChange={setValue} error={error} autofocus />
            {children}
            <Actions label={t('save')} onCancel={onClose} disabled={!isReady} />
        </Dialog>
    );
}

function SetMember(props: TaskProps & { name: 'status' | 'owner' | 'category' }) {
    const { name, risks } = props;
    const member = memberOf(name);
    const [first, ...others] = risks.map((risk) => risk[name] ?? '');
    const [value, setValue] = useState<Value>(others.every((one) => one === first) ? first! : name === 'status' ? 'ACTIVE' : '');
    return (
        <SetForm {...props} member={member} value={value} setValue={setValue} setOf={() => ({ [name]: writeMember(member, value) })}>
            {name !== 'status' && <p class="hint">{t('bulk.empty')}</p>}
        </SetForm>
    );
}

/** How often each tag is on the risks, the most frequent first. */
function tagsOf(risks: readonly Risk[]): [string, number][] {
    const counts = new Map<string, number>();
    risks.forEach(({ tags }) => tags.forEach((tag) => counts.set(tag, (counts.get(tag) ?? 0) + 1)));
    return [...counts].sort(([a, some], [b, more]) => more - some || a.localeCompare(b));
}

function SetTags(props: TaskProps) {
    const [added, setAdded] = useState<Value>([]);
    const [removed, setRemoved] = useState<readonly string[]>([]);
    const known = tagsOf(props.risks);
    const toggle = (tag: string) => setRemoved(removed.includes(tag) ? removed.filter((one) => one !== tag) : [...removed, tag]);
    return (
        <SetForm
            {...props} name="tags" member={{ ...memberOf('tags'), name: 'tags.add' }} value={added} setValue={setAdded}
            setOf={({ tags }) => ({ tags: [...new Set([...tags.filter((tag) => !removed.includes(tag)), ...added as string[]])] })}
        >
            {known.length > 0 && (
                <fieldset class="tags">
                    <legend>{t('bulk.tags.remove')}</legend>
                    {known.map(([tag, count]) => (
                        <label key={tag} class="tick"><input type="checkbox" checked={removed.includes(tag)} onChange={() => toggle(tag)} /> {tag} <span class="quiet">{count}</span></label>
                    ))}
                </fieldset>
            )}
        </SetForm>
    );
}

/** Analysts delete only what they have created themselves; that the others stay is said before. */
function Delete({ risks, selection, onClose }: TaskProps) {
    const user = useUser();
    const own = risks.filter((risk) => mayDelete(user, risk.created_by));
    const others = risks.length - own.length;
    const label = t('bulk.delete', { count: own.length });
    const submit = () => {
        if (own.length > 0) {
            onClose();
            void remove(own, selection);
        }
    };
    return (
        <Dialog title={label} onClose={onClose} onSubmit={submit}>
            {others > 0 && <p>{t('bulk.delete.others', { count: others })}</p>}
            {own.length > 0 && <p>{t('bulk.delete.text')}</p>}
            <Actions label={label} onCancel={onClose} danger disabled={own.length === 0} />
        </Dialog>
    );
}

export function BulkBar({ items, selection }: { items: readonly Risk[]; selection: Selection }) {
    const [task, setTask] = useState<(typeof TASKS)[number] | null>(null);
    const risks = [...selection.risks.values()];
    const elsewhere = risks.length - items.filter(({ id }) => selection.risks.has(id)).length;
    if (risks.length === 0) {
        return null;
    }
    const props: TaskProps = { risks, selection, onClose: () => setTask(null) };
    return (
        <section class="panel bulk" aria-label={t('bulk.label')}>
            <p role="status">
                <strong>{t('bulk.count', { count: risks.length })}</strong>
                {elsewhere > 0 && <span> {t('bulk.elsewhere', { count: elsewhere })}</span>}
                {risks.length === SELECTION_MAX && <span> {t('bulk.most', { max: SELECTION_MAX })}</span>}
            </p>
            <div class="tools">
                {TASKS.map((name) => (
                    <button key={name} type="button" class={name === 'delete' ? 'danger' : ''} onClick={() => setTask(name)}>{name === 'delete' ? t(name) : say('member', name)}</button>
                ))}
                <button type="button" class="link" onClick={selection.clear}>{t('bulk.clear')}</button>
            </div>
            {task === 'delete' ? <Delete {...props} /> : task === 'tags' ? <SetTags {...props} /> : task && <SetMember {...props} name={task} />}
        </section>
    );
}
