/**
 * What is on the screen comes from here: useGet(path) gives what the API answers to GET path, at once if it has been
 * read before, and keeps it current: it is read again when a component asks for it anew, after each write from this
 * tab, when the window is looked at again, and every so often if asked. A server that is away is asked again until it
 * answers. The server's own cache makes all of that cheap.
 */
import { useEffect, useState } from 'preact/hooks';
import { ApiError, get } from './api';

interface Entry {
    data?: unknown;
    error?: ApiError | undefined;
    readAt: number;
    reading: boolean;
    again: boolean; // it has changed since the reading under way began
    tries: number;
    timer: number;
    listeners: Set<() => void>;
}

const KEPT = 200;
const FRESH_MS = 5000;
const RETRY_MS = [500, 1000, 2000, 4000, 8000];
const entries = new Map<string, Entry>();

function entryOf(path: string): Entry {
    let entry = entries.get(path);
    if (!entry) {
        for (const [old, { listeners }] of entries) {
            if (entries.size < KEPT) {
                break;
            }
            if (listeners.size === 0) {
                entries.delete(old);
            }
        }
        entry = { readAt: 0, reading: false, again: false, tries: 0, timer: 0, listeners: new Set() };
        entries.set(path, entry);
    }
    return entry;
}

async function read(path: string, entry: Entry): Promise<void> {
    if (entry.reading) {
        entry.again = true;
        return;
    }
    clearTimeout(entry.timer);
    entry.reading = true;
    try {
        do {
            entry.again = false;
            entry.data = await get(path);
            entry.error = undefined;
            entry.readAt = Date.now();
            entry.tries = 0;
        } while (entry.again);
    } catch (error) {
        entry.error = error instanceof ApiError ? error : new ApiError(0, String(error));
        if (entry.error.isAway && entry.listeners.size > 0) {
            const wait = Math.max(entry.error.retryAfter * 1000, RETRY_MS[Math.min(entry.tries++, RETRY_MS.length - 1)]!);
            entry.timer = window.setTimeout(() => void read(path, entry), wait);
        }
    } finally {
        entry.reading = false;
    }
    entry.listeners.forEach((listener) => listener());
}

/** Something was written: all that is on the screen is read again; the rest is forgotten. */
export function changed(): void {
    for (const [path, entry] of entries) {
        if (entry.listeners.size > 0) {
            void read(path, entry);
        } else {
            entries.delete(path);
        }
    }
}

/** Forget everything: another person has signed in. */
export function forget(): void {
    for (const [path, entry] of entries) {
        delete entry.data;
        delete entry.error;
        entry.readAt = 0;
        if (entry.listeners.size === 0) {
            entries.delete(path);
        }
    }
}

/** What was just answered to a write is also what GET would answer now. */
export function learn(path: string, data: unknown): void {
    const entry = entryOf(path);
    entry.data = data;
    entry.error = undefined;
    entry.readAt = Date.now();
    entry.listeners.forEach((listener) => listener());
}

export interface Got<T> {
    data: T | undefined;
    error: ApiError | undefined;
    /** Is `data` still that of the path asked for before? Only with `keep`. */
    isOld: boolean;
    refresh: () => void;
}

interface Wanted {
    /** Read again after so many milliseconds, while the window is in sight. */
    every?: number;
    /** Until the first answer to a new path, show that to the last one: a list does not blink while one types. */
    keep?: boolean;
}

export function useGet<T>(path: string | null, { every, keep }: Wanted = {}): Got<T> {
    const [, redraw] = useState(0);
    const [last, setLast] = useState<unknown>(undefined);
    useEffect(() => {
        if (path === null) {
            return undefined;
        }
        const entry = entryOf(path);
        const listener = () => {
            if (entry.data !== undefined) {
                setLast(entry.data);
            }
            redraw((count) => count + 1);
        };
        entry.listeners.add(listener);
        if (Date.now() - entry.readAt > 50) {
            void read(path, entry);
        }
        const timer = every ? setInterval(() => document.hidden || void read(path, entry), every) : 0;
        return () => {
            entry.listeners.delete(listener);
            clearInterval(timer);
            if (entry.listeners.size === 0) {
                clearTimeout(entry.timer);
            }
        };
    }, [path, every]);
    const entry = path === null ? undefined : entries.get(path);
    const isOld = entry?.data === undefined && keep === true && last !== undefined;
    return {
        data: (isOld ? last : entry?.data) as T | undefined,
        error: entry?.error,
        isOld,
        refresh: () => path !== null && void read(path, entryOf(path)),
    };
}

function refreshOld(): void {
    for (const [path, entry] of entries) {
        if (entry.listeners.size > 0 && !document.hidden && Date.now() - entry.readAt > FRESH_MS) {
            void read(path, entry);
        }
    }
}
document.addEventListener('visibilitychange', refreshOld);
addEventListener('focus', refreshOld);
