/** What can be done with the risks that are selected. */
import { useState } from 'preact/hooks';
import { limits, type Risk } from '../api.gen';
import { t } from '../i18n';
import { mayDelete, useUser } from '../session';
import { Actions, Dialog } from './dialog';
import { checkText, Choice, Input } from './field';
import { edit, remove, type Edit, type Members } from './register-changes';
import { SELECTION_MAX, type Selection } from './register-selection';
import { useValues } from './values';

type Task = 'status' | 'owner' | 'category' | 'tags' | 'delete';

interface TaskProps {
    risks: readonly Risk[];
    selection: Selection;
    onClose: () => void;
}

/** Sends once at a time, and closes the dialog when it is done; when it was refused the toast says why. */
function useSending(onClose: () => void): [boolean, (send: () => Promise<boolean>) => void] {
    const [busy, setBusy] = useState(false);
    return [busy, (send) => {
        setBusy(true);
        void send().finally(onClose);
    }];
}

function SetMember({ member, risks, selection, onClose }: TaskProps & { member: 'status' | 'owner' | 'category' }) {
    const given = risks.every((risk) => risk[member] === risks[0]![member]) ? risks[0]![member] ?? '' : '';
    const [value, setValue] = useState<string>(member === 'status' && given === '' ? 'ACTIVE' : given);
    const [busy, send] = useSending(onClose);
    const options = useValues(member === 'status' ? null : member, '', 100);
    const label = t(`filter.${member}`);
    const error = member === 'status' ? undefined : checkText(value, { maxLength: limits.RiskChange[member].maxLength });
    const submit = () => {
        const set = { [member]: value.trim() === '' ? null : value.trim() } as Members;
        return error === undefined && !busy && send(() => edit(risks.map((risk): Edit => ({ risk, set })), selection));
    };
    return (
        <Dialog title={t(`bulk.${member}`, { count: risks.length })} onClose={onClose} onSubmit={submit}>
            {member === 'status'
                ? <Choice label={label} value={value} onChange={setValue} group="status" options={limits.RiskChange.status.enum} autofocus />
                : <Input label={label} value={value} onInput={setValue} options={options} hint={t('bulk.empty')} error={error} autofocus />}
            <Actions label={t('save')} onCancel={onClose} busy={busy} disabled={error !== undefined} />
        </Dialog>
    );
}

/** How often each tag is on the risks, the most frequent first. */
function tagsOf(risks: readonly Risk[]): [string, number][] {
    const counts = new Map<string, number>();
    risks.forEach(({ tags }) => tags.forEach((tag) => counts.set(tag, (counts.get(tag) ?? 0) + 1)));
    return [...counts].sort(([a, some], [b, more]) => more - some || a.localeCompare(b));
}

function wrongTags(added: readonly string[], edits: readonly Edit[]): string | undefined {
    const { itemLength, maxItems } = limits.RiskChange.tags;
    if (added.some((tag) => [...tag].length > itemLength)) {
        return t('field.long', { max: itemLength });
    }
    return edits.some(({ set }) => set.tags!.length > maxItems) ? t('bulk.tags.many', { max: maxItems }) : undefined;
}

function SetTags({ risks, selection, onClose }: TaskProps) {
    const [text, setText] = useState('');
    const [removed, setRemoved] = useState<readonly string[]>([]);
    const [busy, send] = useSending(onClose);
    const options = useValues('tag', '', 100);
    const added = [...new Set(text.split(',').map((tag) => tag.trim()).filter(Boolean))];
    const edits = risks
        .map((risk): Edit => ({ risk, set: { tags: [...new Set([...risk.tags.filter((tag) => !removed.includes(tag)), ...added])] } }))
        .filter(({ risk, set }) => set.tags!.join('\n') !== risk.tags.join('\n'));
    const error = wrongTags(added, edits);
    const toggle = (tag: string) => setRemoved(removed.includes(tag) ? removed.filter((one) => one !== tag) : [...removed, tag]);
    const isReady = error === undefined && edits.length > 0;
    return (
        <Dialog title={t('bulk.tags', { count: risks.length })} onClose={onClose} onSubmit={() => isReady && !busy && send(() => edit(edits, selection))}>
            <Input label={t('bulk.tags.add')} value={text} onInput={setText} options={options} hint={t('bulk.tags.hint')} error={error} autofocus />
            {tagsOf(risks).length > 0 && (
                <fieldset class="tags">
                    <legend>{t('bulk.tags.remove')}</legend>
                    {tagsOf(risks).map(([tag, count]) => (
                        <label key={tag}><input type="checkbox" checked={removed.includes(tag)} onChange={() => toggle(tag)} /> {tag} <span class="quiet">{count}</span></label>
                    ))}
                </fieldset>
            )}
            <Actions label={t('save')} onCancel={onClose} busy={busy} disabled={!isReady} />
        </Dialog>
    );
}

/** Analysts delete only what they have created themselves; that the others stay is said before. */
function Delete({ risks, selection, onClose }: TaskProps) {
    const user = useUser();
    const [busy, send] = useSending(onClose);
    const own = risks.filter((risk) => mayDelete(user, risk.created_by));
    const others = risks.length - own.length;
    return (
        <Dialog title={t('bulk.delete', { count: own.length })} onClose={onClose} onSubmit={() => own.length > 0 && !busy && send(() => remove(own, selection))}>
            {others > 0 && <p>{t('bulk.delete.others', { count: others })}</p>}
            {own.length > 0 && <p>{t('bulk.delete.text')}</p>}
            <Actions label={t('bulk.delete.do', { count: own.length })} onCancel={onClose} danger busy={busy} disabled={own.length === 0} />
        </Dialog>
    );
}

const TASKS: Task[] = ['status', 'owner', 'category', 'tags', 'delete'];

export function BulkBar({ items, selection }: { items: readonly Risk[]; selection: Selection }) {
    const [task, setTask] = useState<Task | null>(null);
    const risks = [...selection.risks.values()];
    const elsewhere = risks.length - items.filter(({ id }) => selection.risks.has(id)).length;
    if (risks.length === 0) {
        return null;
    }
    const props: TaskProps = { risks, selection, onClose: () => setTask(null) };
    return (
        <section class="bulk" aria-label={t('bulk.label')}>
            <p role="status">
                <strong>{t('bulk.count', { count: risks.length })}</strong>
                {elsewhere > 0 && <span> {t('bulk.elsewhere', { count: elsewhere })}</span>}
                {risks.length === SELECTION_MAX && <span> {t('bulk.most', { max: SELECTION_MAX })}</span>}
            </p>
            <div class="tools">
                {TASKS.map((name) => (
                    <button key={name} type="button" class={name === 'delete' ? 'danger' : undefined} onClick={() => setTask(name)}>
                        {name === 'delete' ? t('delete') : t(name === 'tags' ? 'bulk.tags.label' : `filter.${name}`)}
                    </button>
                ))}
                <button type="button" class="link" onClick={selection.clear}>{t('bulk.clear')}</button>
            </div>
            {(task === 'status' || task === 'owner' || task === 'category') && <SetMember {...props} member={task} />}
            {task === 'tags' && <SetTags {...props} />}
            {task === 'delete' && <Delete {...props} />}
        </section>
    );
}
