/**
 * Who has signed in. The session itself is a cookie that no script can read; the browser remembers only that there was
 * one, so that the first page need not ask in vain.
 */
import { ApiError, get, onSessionEnd, post, request } from './api';
import type { Session, User } from './api.gen';
import { changed, forget } from './data';
import { store } from './store';

export type SessionState =
    | { kind: 'unknown' } // being asked
    | { kind: 'none' }
    | { kind: 'away'; error: ApiError } // the server did not say
    | { kind: 'in'; user: User; ended: boolean }; // ended: to sign in again, over what is on the screen

const HINT = 'openrisk.signed-in';
const session = store<SessionState>({ kind: 'unknown' });
let waiting: ((isSame: boolean) => void)[] = [];

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

export const useSession = session.use;

/** The one who has signed in; only below the shell, where there is one. */
export function useUser(): User {
    const state = useSession();
    if (state.kind !== 'in') {
        throw new Error('nobody has signed in');
    }
    return state.user;
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
        session.set({ kind: 'none' });
        return;
    }
    try {
        const user = await request<User>('GET', '/users/me', { anonymous: true });
        session.set({ kind: 'in', user, ended: false });
    } catch (error) {
        if (error instanceof ApiError && error.status !== 401) {
            session.set({ kind: 'away', error });
            setTimeout(() => void findSession(), 1000);
        } else {
            hint(false);
            session.set({ kind: 'none' });
        }
    }
}

export async function signIn(email: string, password: string): Promise<void> {
    const answer = await request<Session>('POST', '/auth/login', { body: { email, password }, anonymous: true });
    hint(true);
    const state = session.get();
    const before = state.kind === 'in' ? state.user.id : null;
    const isSame = before === answer.user.id;
    if (!isSame) {
        forget();
    }
    session.set({ kind: 'in', user: answer.user, ended: false });
    // What one person was about to do is not done by another.
    const stopped = waiting;
    waiting = [];
    stopped.forEach((goOn) => goOn(isSame));
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

/** Do not go on with a session that has ended. Nothing of what was read or typed is for who comes after. */
export function leave(): void {
    hint(false);
    waiting = [];
    forget();
    try {
        sessionStorage.clear();
    } catch {
        // Then nothing is there.
    }
    session.set({ kind: 'none' });
}

export async function changePassword(current: string, next: string): Promise<void> {
    await post<void>('/users/me/password', { current_password: current, new_password: next });
    session.set({ kind: 'in', user: await get<User>('/users/me'), ended: false });
}

/** One's own profile has been changed. */
export function knowUser(user: User): void {
    session.set({ kind: 'in', user, ended: false });
}

onSessionEnd(() => new Promise((goOn) => {
    waiting.push(goOn);
    const state = session.get();
    if (state.kind === 'in') {
        session.set({ ...state, ended: true });
    }
}));

// Signed out in another tab: here too.
addEventListener('storage', (event) => {
    if (event.key === HINT && event.newValue === null && session.get().kind === 'in') {
        leave();
    }
});
