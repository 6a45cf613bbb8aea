/**
 * Two people edit the same thing. Each form remembers what it began from; the server refuses to write over a newer
 * version (412). Then three states are compared, member by member: what both began from, mine, and theirs. A member
 * that only one of us has changed takes that change; where both have changed one to different values, only a person
 * can say what is right. Nothing is ever written over a change that was not seen.
 */
import { ApiError, get } from '../api';
import type { ChangePage } from '../api.gen';
import { changesOf, isSame, type Member, type Values } from './members';

/** What a form began from. */
export interface Began {
    version: number;
    values: Values;
}

export interface Who {
    actor: string;
    at: string;
}

export interface Merged {
    values: Values;
    /** Changed by both, to different values. In `values` they are mine. */
    conflicts: Member[];
    /** Taken over from them. */
    taken: Member[];
}

/** What somebody has to decide. */
export interface Clash extends Merged {
    theirs: Began;
    /** Who has changed a member since, by its name. */
    who: Record<string, Who>;
}

export function merge(members: readonly Member[], base: Values, mine: Values, theirs: Values): Merged {
    const values: Values = {};
    const conflicts: Member[] = [];
    const taken: Member[] = [];
    for (const member of members) {
        const [b, m, o] = [base[member.name]!, mine[member.name]!, theirs[member.name]!];
        const isMine = !isSame(member, b, m);
        const isTheirs = !isSame(member, b, o);
        values[member.name] = isMine ? m : o;
        if (isMine && isTheirs && !isSame(member, m, o)) {
            conflicts.push(member);
        } else if (isTheirs && !isMine) {
            taken.push(member);
        }
    }
    return { values, conflicts, taken };
}

/** Who has changed what since a version: the newest change of each member. `prefix` for those of a mitigation. */
export async function whoChanged(risk: string, since: number, prefix = ''): Promise<Record<string, Who>> {
    const { items } = await get<ChangePage>(`/risks/${encodeURIComponent(risk)}/timeline?limit=100`);
    const found: Record<string, Who> = {};
    for (const { member, version, actor, at } of items) {
        if (version > since && member?.startsWith(prefix)) {
            found[member.slice(prefix.length)] ??= { actor, at };
        }
    }
    return found;
}

/** Others that write all the time must not keep one here for ever. */
const TRIES = 6;

/**
 * Save what differs from what it began from. Changes of others to other members are kept with ours, and told in
 * `taken`; a clash is not saved but handed back.
 */
export async function saveMerging<T>(members: readonly Member[], from: Began, mine: Values, {
    send, current, who,
}: {
    send: (changes: Record<string, unknown>, version: number) => Promise<T>;
    current: () => Promise<Began>;
    who: (since: number) => Promise<Record<string, Who>>;
}): Promise<{ saved: T | null; taken: Member[] } | Clash> {
    const taken = new Set<Member>();
    for (let tries = 1; ; tries++) {
        const changes = changesOf(members, from.values, mine);
        if (Object.keys(changes).length === 0) {
            return { saved: null, taken: [...taken] };
        }
        try {
            return { saved: await send(changes, from.version), taken: [...taken] };
        } catch (error) {
            if (!(error instanceof ApiError) || error.status !== 412 || tries === TRIES) {
                throw error;
            }
        }
        const theirs = await current();
        const merged = merge(members, from.values, mine, theirs.values);
        if (merged.conflicts.length > 0) {
            return { ...merged, theirs, who: await who(from.version) };
        }
        merged.taken.forEach((member) => taken.add(member));
        from = theirs;
        mine = merged.values;
    }
}
