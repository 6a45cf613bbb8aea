/** The steps of a mitigation (sub-actions): ticked at once, the server told meanwhile; what it refuses is undone. */
import { useRef, useState } from 'preact/hooks';
import { patch, post, remove } from '../api';
import { limits, type Mitigation, type SubAction } from '../api.gen';
import { quoted, t } from '../i18n';
import { toastError } from '../toast';

function share(steps: SubAction[]): number {
    return steps.length === 0 ? 0 : Math.trunc((steps.filter(({ completed }) => completed).length * 100) / steps.length);
}

export interface Checks {
    isDone: (step: SubAction) => boolean;
    /** Of the mitigation, with what is ticked but not yet told: follows its steps unless it was set by hand. */
    progress: (mitigation: Mitigation) => number;
    toggle: (mitigation: Mitigation, step: SubAction) => void;
}

/** What has been ticked and is not yet known to be saved. A tick says what is to be, whatever it was: it needs no version. */
export function useChecks(onChanged: () => Promise<unknown>): Checks {
    const [ticked, setTicked] = useState<Record<string, boolean>>({});
    const last = useRef<Record<string, number>>({});
    const isDone = (step: SubAction) => ticked[step.id] ?? step.completed;
    const toggle = async (mitigation: Mitigation, step: SubAction) => {
        const completed = !isDone(step);
        const mine = (last.current[step.id] ?? 0) + 1;
        last.current[step.id] = mine;
        setTicked((all) => ({ ...all, [step.id]: completed }));
        try {
            await patch(`/mitigations/${mitigation.id}/subactions/${step.id}`, { completed });
            await onChanged();
        } catch (error) {
            toastError(error);
        }
        // Ticked again meanwhile: that one will settle it.
        if (last.current[step.id] === mine) {
            setTicked(({ [step.id]: _, ...rest }) => rest);
        }
    };
    return {
        isDone,
        progress: ({ progress, sub_actions }) => {
            const follows = progress === share(sub_actions);
            return follows ? share(sub_actions.map((step) => ({ ...step, completed: isDone(step) }))) : progress;
        },
        toggle: (mitigation, step) => void toggle(mitigation, step),
    };
}

/** One line that is sent by Enter; Esc gives it up. */
function LineForm({ label, initial, send, onClose, isNew = false }: {
    label: string; initial: string; send: (title: string) => Promise<unknown>; onClose: () => void; isNew?: boolean;
}) {
    const [text, setText] = useState(initial);
    const [busy, setBusy] = useState(false);
    const submit = async () => {
        const title = text.trim();
        if (title === '' || busy) {
            return;
        }
        setBusy(true);
        try {
            await send(title);
            setText('');
            if (!isNew) {
                onClose();
            }
        } catch (error) {
            toastError(error);
        }
        setBusy(false);
    };
    const press = (event: KeyboardEvent) => {
        if (event.key === 'Escape') {
            event.preventDefault();
            onClose();
        }
    };
    return (
        <form class="line" onSubmit={(event) => { event.preventDefault(); void submit(); }}>
            <input
                ref={(input) => { input?.dataset['seen'] ?? (input && (input.dataset['seen'] = '1', input.focus())); }}
                aria-label={label} placeholder={label} value={text} maxLength={limits.SubActionChange.title.maxLength} autocomplete="off"
                onInput={(event) => setText(event.currentTarget.value)} onKeyDown={press}
            />
            <button type="submit" disabled={busy || text.trim() === ''}>{t(isNew ? 'add' : 'save')}</button>
            <button type="button" onClick={onClose}>{t(isNew ? 'close' : 'cancel')}</button>
        </form>
    );
}

export function Steps({ mitigation, checks, canEdit, onChanged }: {
    mitigation: Mitigation; checks: Checks; canEdit: boolean; onChanged: () => Promise<unknown>;
}) {
    const [edited, setEdited] = useState<string | null>(null);
    const base = `/mitigations/${mitigation.id}/subactions`;
    const rename = async (step: SubAction, title: string) => {
        try {
            await patch(`${base}/${step.id}`, { title }, mitigation.version);
        } finally {
            await onChanged();
        }
    };
    const destroy = async (step: SubAction) => {
        await remove(`${base}/${step.id}`, mitigation.version).catch(toastError);
        await onChanged().catch(toastError);
    };
    return (
        <>
            {mitigation.sub_actions.length > 0 && (
                <ul class="steps-list">
                    {mitigation.sub_actions.map((step) => (
                        <li key={step.id}>
                            {edited === step.id
                                ? <LineForm label={t('edit')} initial={step.title} send={(title) => rename(step, title)} onClose={() => setEdited(null)} />
                                : (
                                    <>
                                        <label>
                                            <input type="checkbox" checked={checks.isDone(step)} disabled={!canEdit} onChange={() => checks.toggle(mitigation, step)} />
                                            <span class={checks.isDone(step) ? 'done' : ''}>{step.title}</span>
                                        </label>
                                        {canEdit && (
                                            <span class="tools">
                                                <button type="button" class="link" aria-label={t('edit.one', { name: quoted(step.title) })} onClick={() => setEdited(step.id)}>{t('edit')}</button>
                                                <button type="button" class="icon" aria-label={t('delete.one', { name: quoted(step.title) })} onClick={() => void destroy(step)}>×</button>
                                            </span>
                                        )}
                                    </>
                                )}
                        </li>
                    ))}
                </ul>
            )}
            {canEdit && (edited === 'new'
                ? <LineForm label={t('step.add')} initial="" isNew send={(title) => post(base, { title }).then(onChanged)} onClose={() => setEdited(null)} />
                : <p><button type="button" class="link" aria-label={t('step.add.to', { title: mitigation.title })} onClick={() => setEdited('new')}>{t('step.add')}</button></p>)}
        </>
    );
}
