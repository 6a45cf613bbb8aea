/**
 * A dialog over the page: the browser's own, which keeps the focus inside, gives it back, and closes by Esc. It is open
 * while it is there.
 */
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { useShortcut } from '../keys';

interface Props {
    title: string;
    /** Esc, the cross, and a click beside it; without, one has to answer. */
    onClose?: (() => void) | undefined;
    /** With it the dialog is a form; Ctrl+Enter sends it. */
    onSubmit?: (() => void) | undefined;
    class?: string;
    children: ComponentChildren;
}

export function Dialog({ title, onClose, onSubmit, class: kind = '', children }: Props) {
    const ref = useRef<HTMLDialogElement>(null);
    const form = useRef<HTMLFormElement>(null);
    const id = useId();
    useEffect(() => {
        const dialog = ref.current!;
        dialog.showModal();
        dialog.querySelector<HTMLElement>('[data-autofocus]')?.focus();
        return () => dialog.close();
    }, []);
    useShortcut('close', () => onClose?.(), true, ref);
    useShortcut('submit', () => form.current?.requestSubmit(), onSubmit !== undefined, ref);
    const content = (
        <>
            <header>
                <h2 id={id}>{title}</h2>
                {onClose && <button type="button" class="icon" aria-label={t('close')} onClick={onClose}>×</button>}
            </header>
            {children}
        </>
    );
    return (
        <dialog
            ref={ref} class={kind} aria-labelledby={id}
            onCancel={(event) => { event.preventDefault(); onClose?.(); }}
            onMouseDown={(event) => event.target === ref.current && onClose?.()}
        >
            {onSubmit
                ? <form ref={form} noValidate onSubmit={(event) => { event.preventDefault(); onSubmit(); }}>{content}</form>
                : <div class="content">{content}</div>}
        </dialog>
    );
}

/** The buttons at the end of a form. */
export function Actions({ label, onCancel, busy = false, danger = false, disabled = false }: {
    label: string; onCancel?: (() => void) | undefined; busy?: boolean; danger?: boolean; disabled?: boolean;
}) {
    return (
        <footer class="actions">
            {onCancel && <button type="button" onClick={onCancel}>{t('cancel')}</button>}
            <button type="submit" class={danger ? 'primary danger' : 'primary'} disabled={busy || disabled} aria-busy={busy}>{label}</button>
        </footer>
    );
}

/** Are you sure? */
export function Confirm({ title, text, label, onYes, onNo, busy = false }: {
    title: string; text: string; label: string; onYes: () => void; onNo: () => void; busy?: boolean;
}) {
    return (
        <Dialog title={title} onClose={onNo} onSubmit={onYes}>
            <p>{text}</p>
            <Actions label={label} onCancel={onNo} danger busy={busy} />
        </Dialog>
    );
}
