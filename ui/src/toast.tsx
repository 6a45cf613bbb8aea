/** Short notices at the edge of the screen: what was done, with a way back, or what went wrong. */
import { ApiError } from './api';
import { t } from './i18n';
import { store } from './store';

interface Toast {
    id: number;
    text: string;
    kind: 'done' | 'error';
    action?: { label: string; run: () => void } | undefined;
}

const SHOWN_MS = 8000;
const toasts = store<Toast[]>([]);
let made = 0;

function hide(id: number): void {
    toasts.set(toasts.get().filter((one) => one.id !== id));
}

/** `action`: a button, such as Undo. What can be undone stays longer. */
export function toast(text: string, { kind = 'done', action }: { kind?: Toast['kind']; action?: Toast['action'] } = {}): void {
    const id = ++made;
    toasts.set([...toasts.get().slice(-2), { id, text, kind, action }]);
    if (kind === 'done') {
        setTimeout(() => hide(id), action ? 3 * SHOWN_MS : SHOWN_MS);
    }
}

/** What went wrong, in words. */
export function errorText(error: unknown): string {
    if (!(error instanceof ApiError)) {
        return String(error);
    }
    if (error.status === 0) {
        return t('error.away');
    }
    return error.fields.length > 0 ? error.fields.map(({ field, message }) => (field ? `${field}: ${message}` : message)).join('; ') : error.message;
}

export function toastError(error: unknown): void {
    toast(errorText(error), { kind: 'error' });
}

export function Toasts() {
    return (
        <div class="toasts" role="status" aria-live="polite">
            {toasts.use().map(({ id, text, kind, action }) => (
                <div key={id} class={`toast ${kind}`}>
                    <span>{text}</span>
                    {action && <button type="button" class="link" onClick={() => { hide(id); action.run(); }}>{action.label}</button>}
                    <button type="button" class="icon" aria-label={t('close')} onClick={() => hide(id)}>×</button>
                </div>
            ))}
        </div>
    );
}
