/**
 * Changes of many risks, all or nothing, and their undoing, which is a change as well. Each risk is changed only if it
 * still is as it was seen; so an undo takes back only what it undoes, and whatever somebody else has written stays.
 */
import { ApiError, get, post } from '../api';
import type { BulkResult, Risk } from '../api.gen';
import { changed } from '../data';
import { t } from '../i18n';
import { toast, toastError } from '../toast';
import type { Selection } from './register-selection';
import { refOf } from './show';

export type Members = Partial<Pick<Risk, 'status' | 'owner' | 'category' | 'tags'>>;

export interface Edit {
    risk: Risk;
    set: Members;
}

const NAMED = 5;

/** Which of the risks sent the server speaks of: "changes[3]". */
function refused(error: unknown, risks: readonly Risk[]): Risk[] {
    return error instanceof ApiError && (error.status === 412 || error.status === 404)
        ? error.fields.flatMap(({ field }) => risks[Number(/\[(\d+)\]/.exec(field)?.[1] ?? -1)] ?? []) : [];
}

/** Null if it was refused, which is told. Those that were changed or deleted meanwhile are then seen as they are now. */
async function write(body: unknown, risks: readonly Risk[], selection: Selection): Promise<BulkResult | null> {
    try {
        return await post<BulkResult>('/risks/bulk', body);
    } catch (error) {
        const some = refused(error, risks);
        if (some.length === 0) {
            toastError(error);
        } else {
            const refs = some.slice(0, NAMED).map(refOf).join(', ') + (some.length > NAMED ? ', …' : '');
            toast(t('bulk.meanwhile', { refs }), { kind: 'error' });
            const now = await Promise.all(some.map(({ id }) => get<Risk>(`/risks/${id}`).catch(() => null)));
            selection.update(new Map(some.map(({ id }, i) => [id, now[i] ?? null])));
        }
        return null;
    } finally {
        changed();
    }
}

export async function edit(edits: readonly Edit[], selection: Selection, isUndo = false): Promise<void> {
    const changes = edits.map(({ risk: { id, version }, set }) => ({ id, version, set }));
    const result = await write({ changes }, edits.map(({ risk }) => risk), selection);
    if (!result) {
        return;
    }
    const versions = new Map(result.items.map(({ id, version }) => [id, version]));
    const back = edits.filter(({ risk }) => versions.has(risk.id)).map(({ risk, set }): Edit => ({
        risk: { ...risk, ...set, version: versions.get(risk.id)! },
        set: Object.fromEntries(Object.keys(set).map((name) => [name, risk[name as keyof Members]])),
    }));
    selection.update(new Map(back.map(({ risk }) => [risk.id, risk])));
    if (isUndo) {
        toast(t('bulk.undone'));
    } else {
        toast(t('bulk.edited', { count: back.length }), { action: back.length > 0 ? { label: t('undo'), run: () => void edit(back, selection, true) } : undefined });
    }
}

export async function remove(risks: readonly Risk[], selection: Selection): Promise<void> {
    const ids = risks.map(({ id }) => id);
    if (await write({ ids, delete: true }, risks, selection)) {
        selection.update(new Map(ids.map((id) => [id, null])));
        const restore = async () => await write({ ids, restore: true }, risks, selection) && toast(t('bulk.undone'));
        toast(t('bulk.deleted', { count: ids.length }), { action: { label: t('undo'), run: () => void restore() } });
    }
}
