/**
 * Sends a file and tells how far it is, which fetch cannot. As with all requests, a session that has ended is renewed
 * and the file sent once more.
 */
import { away, ApiError, BASE, errorOf, renewSession } from '../api';

export interface Progress {
    sent: number;
    /** The server has all of it, and is at work. */
    isSent: boolean;
}

interface Answer {
    status: number;
    text: string;
    retryAfter: string | null;
}

function send(path: string, bytes: ArrayBuffer, type: string, tell: (progress: Progress) => void, signal: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
        const request = new XMLHttpRequest();
        const stop = () => request.abort();
        signal.addEventListener('abort', stop, { once: true });
        request.onloadend = () => {
            signal.removeEventListener('abort', stop);
            if (request.status === 0) {
                reject(signal.aborted ? new DOMException('', 'AbortError') : new ApiError(0, ''));
            } else {
                away.set(false);
                resolve({ status: request.status, text: request.responseText, retryAfter: request.getResponseHeader('Retry-After') });
            }
        };
        request.upload.onprogress = (event) => tell({ sent: event.loaded, isSent: false });
        request.upload.onload = () => tell({ sent: bytes.byteLength, isSent: true });
        request.open('POST', BASE + path);
        request.setRequestHeader('Content-Type', type);
        request.send(bytes);
    });
}

export async function upload<T>(path: string, bytes: ArrayBuffer, type: string, tell: (progress: Progress) => void, signal: AbortSignal): Promise<T> {
    tell({ sent: 0, isSent: false });
    const { status, text, retryAfter } = await send(path, bytes, type, tell, signal);
    if (status === 401 && await renewSession()) {
        return upload<T>(path, bytes, type, tell, signal);
    }
    if (status >= 400) {
        throw errorOf(status, text, retryAfter);
    }
    return JSON.parse(text) as T;
}
