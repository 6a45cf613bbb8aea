/**
 * Editing a risk where it stands: which members are open, what has been typed, what it began from. What was typed is a
 * draft until it is saved or given up. Saving never writes over what somebody else has written (merge.ts).
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, patch } from '../api';
import type { Risk } from '../api.gen';
import { changed, learn } from '../data';
import { say, t } from '../i18n';
import { useUser } from '../session';
import { toast } from '../toast';
import { dropDraft, keepDraft, readDraft } from './drafts';
import { serverSays } from './field';
import { apiName, checkAll, differing, riskMembers, valuesOf, type Member, type Value, type Values } from './members';
import { merge, saveMerging, whoChanged, type Began, type Clash } from './merge';

interface State {
    began: Began;
    mine: Values;
    open: string[];
    /** Which of them gets the focus when it is drawn. */
    focus: string;
    /** Counts the times that the focus was asked for: also by the one that had it before. */
    turn: number;
    restoredAt: string | null;
}

export interface Edit {
    isOn: boolean;
    busy: boolean;
    values: Values;
    /** As it will be when saved: with what others have changed meanwhile. */
    upcoming: Values;
    focus: string;
    turn: number;
    errors: Record<string, string>;
    /** What went wrong that belongs to no member. */
    error: unknown;
    restoredAt: string | null;
    /** Members that somebody else has changed since. */
    meanwhile: Member[];
    began: Began | null;
    clash: Clash | null;
    isOpen: (name: string) => boolean;
    /** Open one member, or all. */
    start: (name?: string) => void;
    set: (name: string, value: Value) => void;
    cancel: () => void;
    save: () => void;
    /** What somebody decided about a clash: save that. */
    decide: (values: Values) => void;
    /** Back to the form, nothing decided. */
    undecided: () => void;
}

export function beganFrom(risk: Risk): Began {
    return { version: risk.version, values: valuesOf(riskMembers, risk) };
}

/** Read the risk and let all that shows it know. */
export async function reread(path: string): Promise<Risk> {
    const risk = await get<Risk>(path);
    learn(path, risk);
    changed();
    return risk;
}

function named(members: Member[]): string {
    return members.map(({ name }) => say('member', name)).join(', ');
}

function useErrors(state: State | null, failure: unknown) {
    const wrong = state ? checkAll(riskMembers, state.mine) : {};
    const told = Object.fromEntries(riskMembers.map((member) => [member.name, wrong[member.name] ?? serverSays(failure, apiName(member))]));
    const errors = Object.fromEntries(Object.entries(told).filter((entry): entry is [string, string] => entry[1] !== undefined));
    const isElsewhere = failure !== null && !riskMembers.some((member) => serverSays(failure, apiName(member)));
    return { errors, hasWrong: Object.keys(wrong).length > 0, error: isElsewhere ? failure : null };
}

/** `path`: where the risk is read. */
export function useEdit(risk: Risk, path: string): Edit {
    const { id: user } = useUser();
    const draft = `risk.${risk.id}`;
    const [, redraw] = useState(0);
    const [busy, setBusy] = useState(false);
    const [failure, setFailure] = useState<unknown>(null);
    const [clash, setClash] = useState<Clash | null>(null);
    const state = useRef<State | null | undefined>(undefined);
    if (state.current === undefined) {
        const kept = readDraft<Pick<State, 'began' | 'mine' | 'open'>>(user, draft);
        state.current = kept && { ...kept.value, focus: '', turn: 0, restoredAt: kept.at };
    }
    const put = (next: State | null) => {
        state.current = next;
        if (next && differing(riskMembers, next.began.values, next.mine).length > 0) {
            keepDraft(user, draft, { began: next.began, mine: next.mine, open: next.open });
        } else {
            dropDraft(draft);
        }
        redraw((count) => count + 1);
    };
    const known = beganFrom(risk);
    const now = state.current;
    const meanwhile = now && risk.version > now.began.version ? differing(riskMembers, now.began.values, known.values) : [];
    // Others may have changed its mitigations, which count as versions of it: that is nothing to merge.
    useEffect(() => {
        const at = state.current;
        if (at && risk.version > at.began.version && meanwhile.length === 0) {
            state.current = { ...at, began: known };
        }
    }, [risk.version]);
    const { errors, hasWrong, error } = useErrors(now, failure);

    const start = (name?: string) => {
        const open = name === undefined ? riskMembers.map((member) => member.name) : [...new Set([...(now?.open ?? []), name])];
        setFailure(null);
        put({ began: now?.began ?? known, mine: now?.mine ?? known.values, open, focus: name ?? riskMembers[0]!.name, turn: (now?.turn ?? 0) + 1, restoredAt: now?.restoredAt ?? null });
    };
    const close = () => {
        setFailure(null);
        setClash(null);
        put(null);
    };
    const cancel = () => {
        const before = state.current;
        close();
        if (before && differing(riskMembers, before.began.values, before.mine).length > 0) {
            toast(t('risk.edit.closed'), { action: { label: t('risk.edit.again'), run: () => put(before) } });
        }
    };
    const send = async (from: Began, mine: Values) => {
        setBusy(true);
        setFailure(null);
        try {
            const result = await saveMerging(riskMembers, from, mine, {
                send: (changes, version) => patch<Risk>(`/risks/${risk.id}`, changes, version),
                current: async () => beganFrom(await reread(path)),
                who: (since) => whoChanged(risk.id, since),
            });
            if ('conflicts' in result) {
                setClash(result);
            } else {
                if (result.saved) {
                    learn(path, result.saved);
                }
                close();
                changed();
                toast(result.taken.length > 0 ? t('risk.edit.both', { members: named(result.taken) }) : t('saved'));
            }
        } catch (reason) {
            setFailure(reason);
        }
        setBusy(false);
    };
    const save = () => {
        const at = state.current;
        if (!at || busy) {
            return;
        }
        const wrong = riskMembers.find((member) => checkAll([member], at.mine)[member.name] !== undefined);
        if (wrong) {
            put({ ...at, open: [...new Set([...at.open, wrong.name])], focus: wrong.name, turn: at.turn + 1 });
        } else {
            void send(at.began, at.mine);
        }
    };
    return {
        isOn: now !== null,
        busy: busy && !hasWrong,
        values: now?.mine ?? known.values,
        upcoming: now ? merge(riskMembers, now.began.values, now.mine, known.values).values : known.values,
        focus: now?.focus ?? '',
        turn: now?.turn ?? 0,
        errors,
        error,
        restoredAt: now?.restoredAt ?? null,
        meanwhile,
        began: now?.began ?? null,
        clash,
        isOpen: (name) => now?.open.includes(name) ?? false,
        start,
        set: (name, value) => {
            const at = state.current;
            if (at) {
                put({ ...at, mine: { ...at.mine, [name]: value }, restoredAt: null });
            }
        },
        cancel,
        save,
        decide: (values) => {
            const at = state.current;
            if (at && clash) {
                const next = { ...at, began: clash.theirs, mine: values };
                put(next);
                setClash(null);
                void send(next.began, next.mine);
            }
        },
        undecided: () => setClash(null),
    };
}
