/**
 * Changes of many risks, all or nothing, and their undoing. Each risk is changed only if it still is as it was seen,
 * and an undo takes back only what it undoes: whatever somebody else has written meanwhile stays.
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

interface Change {
    id: string;
    version: number;
    set: Members;
}

const NAMED = 5;

/** Which of the risks sent the server speaks of: "changes[3]". */
function refused(error: ApiError, risks: readonly Risk[]): Risk[] {
    return error.fields.flatMap(({ field }) => {
        const risk = risks[Number(/\[(\d+)\]/.exec(field)?.[1] ?? -1)];
        return risk ? [risk] : [];
    });
}

function named(risks: readonly Risk[]): string {
    return risks.slice(0, NAMED).map(refOf).join(', ') + (risks.length > NAMED ? ', …' : '');
}

/** Some were changed or deleted meanwhile: see how they are now. */
async function lookAgain(risks: readonly Risk[], selection: Selection): Promise<void> {
    const now = await Promise.all(risks.map((risk) => get<Risk>(`/risks/${risk.id}`).catch(() => null)));
    selection.update(new Map(risks.map((risk, i) => [risk.id, now[i] ?? null])));
    changed();
}

async function tell(error: unknown, risks: readonly Risk[], selection: Selection): Promise<void> {
    const some = error instanceof ApiError && (error.status === 412 || error.status === 404) ? refused(error, risks) : [];
    if (some.length === 0) {
        toastError(error);
        return;
    }
    toast(t('bulk.meanwhile', { refs: named(some) }), { kind: 'error' });
    await lookAgain(some, selection);
}

async function undo(path: string, body: unknown): Promise<void> {
    try {
        await post<BulkResult>(path, body);
        toast(t('bulk.undone'));
    } catch (error) {
        if (error instanceof ApiError && error.status === 412) {
            toast(t('bulk.undo.meanwhile'), { kind: 'error' });
        } else {
            toastError(error);
        }
    }
    changed();
}

function valuesBefore({ risk, set }: Edit): Members {
    return Object.fromEntries(Object.keys(set).map((name) => [name, risk[name as keyof Members]]));
}

/** True if they were written. */
export async function edit(edits: readonly Edit[], selection: Selection): Promise<boolean> {
    const risks = edits.map(({ risk }) => risk);
    try {
        const changes = edits.map(({ risk, set }): Change => ({ id: risk.id, version: risk.version, set }));
        const { items } = await post<BulkResult>('/risks/bulk', { changes });
        const versions = new Map(items.map(({ id, version }) => [id, version]));
        const written = edits.filter(({ risk }) => versions.has(risk.id));
        const back = written.map((one): Change => ({ id: one.risk.id, version: versions.get(one.risk.id)!, set: valuesBefore(one) }));
        selection.update(new Map(written.map(({ risk, set }) => [risk.id, { ...risk, ...set, version: versions.get(risk.id)! }])));
        changed();
        toast(t('bulk.edited', { count: items.length }), items.length === 0 ? {} : {
            action: { label: t('undo'), run: () => void undo('/risks/bulk', { changes: back }) },
        });
        return true;
    } catch (error) {
        await tell(error, risks, selection);
        return false;
    }
}

export async function remove(risks: readonly Risk[], selection: Selection): Promise<boolean> {
    const ids = risks.map(({ id }) => id);
    try {
        await post<BulkResult>('/risks/bulk', { ids, delete: true });
        selection.update(new Map(ids.map((id) => [id, null])));
        changed();
        toast(t('bulk.deleted', { count: ids.length }), {
            action: { label: t('undo'), run: () => void undo('/risks/bulk', { ids, restore: true }) },
        });
        return true;
    } catch (error) {
        await tell(error, risks, selection);
        return false;
    }
}
