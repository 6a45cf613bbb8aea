/**
 * Text that has not been saved: kept in the browser's sessionStorage, one draft per thing, so that it outlives a
 * reload, a look at another page and a session that ends. It is the tab's own and goes with it, and is given back only
 * to the person who typed it. A browser that keeps nothing, or has no room left, loses the draft, never the form.
 */
import { useRef, useState } from 'preact/hooks';
import { useUser } from '../session';

interface Kept {
    by: string;
    at: string;
    value: unknown;
}

const PREFIX = 'openrisk.draft.';

export function keepDraft(by: string, name: string, value: unknown): void {
    try {
        sessionStorage.setItem(PREFIX + name, JSON.stringify({ by, at: new Date().toISOString(), value } satisfies Kept));
    } catch {
        // The form still has it.
    }
}

export function dropDraft(name: string): void {
    try {
        sessionStorage.removeItem(PREFIX + name);
    } catch {
        // Then there was none.
    }
}

export function readDraft<T>(by: string, name: string): { value: T; at: string } | null {
    try {
        const draft = JSON.parse(sessionStorage.getItem(PREFIX + name) ?? 'null') as Kept | null;
        return draft && draft.by === by ? { value: draft.value as T, at: draft.at } : null;
    } catch {
        return null;
    }
}

export interface Draft<T> {
    value: () => T;
    /** When what is shown was typed, if that was before. */
    restoredAt: string | null;
    set: (value: T) => void;
    /** It is saved, or not wanted: the form as at first. */
    clear: () => void;
    /** Counts how often that was: editors that hold a text themselves are then made anew. */
    round: number;
}

/**
 * The state of a form that starts from its draft, if there is one. `value` is what has been typed at any moment, also
 * between a key and the next drawing: what is sent is never one letter short.
 */
export function useDraft<T>(name: string, initial: () => T): Draft<T> {
    const { id } = useUser();
    const [, redraw] = useState(0);
    const state = useRef<{ value: T; restoredAt: string | null } | null>(null);
    if (state.current === null) {
        const draft = readDraft<T>(id, name);
        state.current = draft ? { value: draft.value, restoredAt: draft.at } : { value: initial(), restoredAt: null };
    }
    const round = useRef(0);
    const put = (value: T) => {
        state.current = { value, restoredAt: null };
        redraw((count) => count + 1);
    };
    return {
        value: () => state.current!.value,
        round: round.current,
        restoredAt: state.current.restoredAt,
        set: (value: T) => {
            put(value);
            keepDraft(id, name, value);
        },
        clear: () => {
            dropDraft(name);
            round.current++;
            put(initial());
        },
    };
}
