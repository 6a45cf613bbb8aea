/**
 * The state of a form for one thing that has a version: what is typed, what of it differs, and saving only that. If
 * somebody else has changed the thing meanwhile, nothing is written: their state comes into the form, under what was
 * typed here, and the form tells what they changed and asks.
 */
import { useState } from 'preact/hooks';
import { ApiError, patch } from '../api';

/** All as text, since forms hold text. */
export type Form<M extends string> = Record<M, string>;

export interface Theirs<M extends string> {
    member: M;
    theirs: string;
    /** What was typed here, if they changed the same. */
    mine: string | undefined;
}

interface Options<T, M extends string> {
    thing: T;
    formOf: (thing: T) => Form<M>;
    /** Where it is written to. */
    path: string;
    /** The thing as it is now. */
    reread: () => Promise<T>;
    bodyOf: (changes: Partial<Form<M>>) => unknown;
}

export function useRecord<T extends { version: number }, M extends string>({ thing, formOf, path, reread, bodyOf }: Options<T, M>) {
    const [base, setBase] = useState(thing);
    const [values, setValues] = useState(() => formOf(thing));
    const [theirs, setTheirs] = useState<Theirs<M>[] | null>(null);
    const before = formOf(base);
    const members = Object.keys(before) as M[];
    const mine = members.filter((member) => values[member].trim() !== before[member]);

    const merge = (now: T) => {
        const next = formOf(now);
        setTheirs(members.filter((member) => next[member] !== before[member])
            .map((member) => ({ member, theirs: next[member], mine: mine.includes(member) ? values[member] : undefined })));
        setValues(Object.fromEntries(members.map((member) => [member, mine.includes(member) ? values[member] : next[member]])) as Form<M>);
        setBase(now);
    };
    /** The saved thing; null: it was changed by somebody else, and `theirs` says how. */
    const save = async (): Promise<T | null> => {
        if (mine.length === 0) {
            return base;
        }
        try {
            return await patch<T>(path, bodyOf(Object.fromEntries(mine.map((member) => [member, values[member].trim()])) as Partial<Form<M>>), base.version);
        } catch (error) {
            if (!(error instanceof ApiError) || error.status !== 412) {
                throw error;
            }
            merge(await reread());
            return null;
        }
    };
    const takeTheirs = () => {
        setValues(before);
        setTheirs(null);
    };
    return { base, values, set: (some: Partial<Form<M>>) => setValues({ ...values, ...some }), mine, theirs, takeTheirs, save };
}

/** Run something once at a time; what went wrong is `error`. */
export function useBusy() {
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState<unknown>(null);
    const run = async (what: () => Promise<void>) => {
        if (busy) {
            return;
        }
        setBusy(true);
        setError(null);
        try {
            await what();
        } catch (reason) {
            setError(reason);
        }
        setBusy(false);
    };
    return { busy, error, run };
}

/** Without what is empty: null empties a member of the API. */
export function orNull(text: string | undefined): string | null {
    return text === undefined || text === '' ? null : text;
}
