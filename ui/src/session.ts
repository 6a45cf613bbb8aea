/**
 * Who has signed in. The session itself is a cookie that no script can read; the browser remembers only that there was
 * one, so that the first page need not ask in vain.
 */
import { useEffect, useState } from 'preact/hooks';
import { ApiError, get, onSessionEnd, post, request } from './api';
import type { Session, User } from './api.gen';
import { changed, forget } from './data';

export type SessionState =
    | { kind: 'unknown' } // being asked
    | { kind: 'none' }
    | { kind: 'away'; error: ApiError } // the server did not say
    | { kind: 'in'; user: User; ended: boolean }; // ended: to sign in again, over what is on the screen

const HINT = 'openrisk.signed-in';
let state: SessionState = { kind: 'unknown' };
const listeners = new Set<() => void>();
let waiting: (() => void)[] = [];

function hint(value?: boolean): boolean {
    try {
        if (value === true) {
            localStorage.setItem(HINT, '1');
        } else if (value === false) {
            localStorage.removeItem(HINT);
        }
        return localStorage.getItem(HINT) === '1';
    } catch {
        return true;
    }
}

function become(next: SessionState): void {
    state = next;
    listeners.forEach((listener) => listener());
}

export function useSession(): SessionState {
    const [, redraw] = useState(0);
    useEffect(() => {
        const listener = () => redraw((count) => count + 1);
        listeners.add(listener);
        return () => void listeners.delete(listener);
    }, []);
    return state;
}

/** The one who has signed in; only below the shell, where there is one. */
export function useUser(): User {
    const session = useSession();
    if (session.kind !== 'in') {
        throw new Error('nobody has signed in');
    }
    return session.user;
}

export function mayWrite(user: User): boolean {
    return user.role !== 'viewer';
}

/** May they delete what `createdBy` has made? (creator_or_admin in the route table) */
export function mayDelete(user: User, createdBy: string | null): boolean {
    return user.role === 'admin' || (user.role === 'analyst' && user.id === createdBy);
}

/** Ask the server who this is. */
export async function findSession(): Promise<void> {
    if (!hint()) {
        become({ kind: 'none' });
        return;
    }
    try {
        const user = await request<User>('GET', '/users/me', { anonymous: true });
        become({ kind: 'in', user, ended: false });
    } catch (error) {
        if (error instanceof ApiError && error.status !== 401) {
            become({ kind: 'away', error });
            setTimeout(() => void findSession(), 1000);
        } else {
            hint(false);
            become({ kind: 'none' });
        }
    }
}

export async function signIn(email: string, password: string): Promise<void> {
    const session = await request<Session>('POST', '/auth/login', { body: { email, password }, anonymous: true });
    hint(true);
    const before = state.kind === 'in' ? state.user.id : null;
    if (before !== session.user.id) {
        forget();
    }
    become({ kind: 'in', user: session.user, ended: false });
    const go = waiting;
    waiting = [];
    go.forEach((resolve) => resolve());
    if (before !== null) {
        changed();
    }
}

export async function signOut(): Promise<void> {
    try {
        await request<void>('POST', '/auth/logout', { anonymous: true });
    } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 401) {
            throw error;
        }
    }
    leave();
}

/** Do not go on with a session that has ended. */
export function leave(): void {
    hint(false);
    waiting = [];
    forget();
    try {
        sessionStorage.clear();
    } catch {
        // Then nothing is there.
    }
    become({ kind: 'none' });
}

export async function changePassword(current: string, next: string): Promise<void> {
    await post<void>('/users/me/password', { current_password: current, new_password: next });
    become({ kind: 'in', user: await get<User>('/users/me'), ended: false });
}

/** One's own profile has been changed. */
export function knowUser(user: User): void {
    become({ kind: 'in', user, ended: false });
}

onSessionEnd(() => new Promise((resolve) => {
    waiting.push(resolve);
    if (state.kind === 'in') {
        become({ ...state, ended: true });
    }
}));

// Signed out in another tab: here too.
addEventListener('storage', (event) => {
    if (event.key === HINT && event.newValue === null && state.kind === 'in') {
        leave();
    }
});
