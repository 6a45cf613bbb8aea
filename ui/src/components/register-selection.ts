/**
 * The risks that are selected in the register. They stay selected from page to page and are kept as they were last
 * seen: with their versions, by which a change is refused that would go over somebody else's, and with the values that
 * an undo sets back.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Risk } from '../api.gen';
import { t } from '../i18n';
import { toast } from '../toast';

/** As many as can be changed at once. */
export const SELECTION_MAX = 200;

export interface Selection {
    risks: ReadonlyMap<string, Risk>;
    /** One, or with `range` all from the one before to this one. */
    toggle: (id: string, range: boolean) => void;
    toggleAll: () => void;
    clear: () => void;
    /** They are now so; null: gone. */
    update: (changes: ReadonlyMap<string, Risk | null>) => void;
}

function withAll(before: ReadonlyMap<string, Risk>, risks: readonly Risk[], isOn: boolean): ReadonlyMap<string, Risk> {
    const after = new Map(before);
    for (const risk of risks) {
        if (!isOn) {
            after.delete(risk.id);
        } else if (after.size < SELECTION_MAX || after.has(risk.id)) {
            after.set(risk.id, risk);
        } else {
            toast(t('bulk.most', { max: SELECTION_MAX }), { kind: 'error' });
            break;
        }
    }
    return after;
}

function updated(before: ReadonlyMap<string, Risk>, changes: ReadonlyMap<string, Risk | null>): ReadonlyMap<string, Risk> {
    const after = new Map(before);
    for (const [id, risk] of changes) {
        if (risk === null) {
            after.delete(id);
        } else if (before.has(id)) {
            after.set(id, risk);
        }
    }
    return after;
}

/** `items`: the rows of this page. */
export function useSelection(items: readonly Risk[]): Selection {
    const [risks, set] = useState<ReadonlyMap<string, Risk>>(new Map());
    const last = useRef<string | null>(null);
    useEffect(() => {
        const newer = items.filter((risk) => (risks.get(risk.id)?.version ?? risk.version) < risk.version);
        if (newer.length > 0) {
            set(updated(risks, new Map(newer.map((risk) => [risk.id, risk]))));
        }
    }, [items, risks]);
    return {
        risks,
        toggle: (id, range) => {
            const to = items.findIndex((risk) => risk.id === id);
            const from = range ? items.findIndex((risk) => risk.id === last.current) : -1;
            const some = from < 0 ? items.slice(to, to + 1) : items.slice(Math.min(from, to), Math.max(from, to) + 1);
            set(withAll(risks, some, !risks.has(id)));
            last.current = id;
        },
        toggleAll: () => set(withAll(risks, items, !items.every((risk) => risks.has(risk.id)))),
        clear: () => set(new Map()),
        update: (changes) => set((before) => updated(before, changes)),
    };
}
