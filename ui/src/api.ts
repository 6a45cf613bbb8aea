/**
 * Requests to the API. A refusal is an ApiError with what the server said; a server that cannot be reached is one of
 * status 0. Where the session has ended, the request waits until the person has signed in again, and is then sent once
 * more: who calls does not notice, and whatever was typed stays where it is.
 */
import type { FieldError, Problem } from './api.gen';
import { store } from './store';

export class ApiError extends Error {
    constructor(
        readonly status: number,
        message: string,
        readonly fields: FieldError[] = [],
        /** Seconds after which the server wants to be asked again. */
        readonly retryAfter = 0,
        /** The whole answer, where it is more than a problem: a refused import. */
        readonly body: unknown = null,
    ) {
        super(message);
    }

    /** Is it the server that cannot be reached, or cannot now? Then the same request may go well later. */
    get isAway(): boolean {
        return this.status === 0 || this.status === 502 || this.status === 503 || this.status === 504;
    }
}

export interface Options {
    body?: unknown;
    /** The version that is changed: If-Match. Another's newer one is refused with 412. */
    version?: number;
    /** Do not ask to sign in again on 401. */
    anonymous?: boolean;
}

let signInAgain: (() => Promise<boolean>) | null = null;

/** Who is asked when the session has ended; the promise resolves when there is a new one: is it the same person's? */
export function onSessionEnd(handler: () => Promise<boolean>): void {
    signInAgain = handler;
}

/** The session has ended: true when the same person has a new one, false if it is another, or nobody can be asked. */
export async function renewSession(): Promise<boolean> {
    return signInAgain !== null && signInAgain();
}

/** Can the server not be reached? */
export const away = store(false);

export const BASE = '/api/v1';

export function errorOf(status: number, text: string, retryAfter: string | null): ApiError {
    let problem: Partial<Problem> = {};
    try {
        problem = JSON.parse(text) as Partial<Problem>;
    } catch {
        // Not ours: a proxy's page, or nothing at all.
    }
    return new ApiError(status, problem.detail ?? problem.title ?? `HTTP ${status}`, problem.errors ?? [], Number(retryAfter) || 0, problem);
}

async function send(method: string, path: string, { body, version }: Options): Promise<Response> {
    const headers: Record<string, string> = {};
    if (body !== undefined) {
        headers['Content-Type'] = 'application/json';
    }
    if (version !== undefined) {
        headers['If-Match'] = `"${version}"`;
    }
    try {
        const answer = await fetch(BASE + path, {
            method, headers, credentials: 'same-origin', body: body === undefined ? null : JSON.stringify(body),
        });
        away.set(false);
        return answer;
    } catch {
        away.set(true);
        throw new ApiError(0, '');
    }
}

export async function request<T>(method: string, path: string, options: Options = {}): Promise<T> {
    const answer = await send(method, path, options);
    if (answer.status === 401 && !options.anonymous && (await renewSession() || (method === 'GET' && signInAgain))) {
        return request<T>(method, path, options);
    }
    const text = await answer.text();
    if (!answer.ok) {
        throw errorOf(answer.status, text, answer.headers.get('Retry-After'));
    }
    return (text === '' ? undefined : JSON.parse(text)) as T;
}

export const get = <T>(path: string) => request<T>('GET', path);
export const post = <T>(path: string, body?: unknown) => request<T>('POST', path, { body });
export const patch = <T>(path: string, body: unknown, version?: number) =>
    request<T>('PATCH', path, version === undefined ? { body } : { body, version });
export const remove = (path: string, version?: number) => request<void>('DELETE', path, version === undefined ? {} : { version });
