/**
 * A text with a list of what it may mean (WAI-ARIA Authoring Practices, "Combobox"): the focus stays in the text, the
 * arrows choose, Enter and a click take. What is to be given to the input, the list and each of its options.
 */
import { useEffect, useId, useState } from 'preact/hooks';

export function useCombobox<T>(text: string, options: readonly T[], take: (option: T) => void) {
    const id = useId();
    // Each text begins with the first of its list.
    const [moved, setMoved] = useState({ text, at: 0 });
    const setAt = (at: number) => setMoved({ text, at });
    const chosen = Math.min(moved.text === text ? moved.at : 0, options.length - 1);
    useEffect(() => document.getElementById(`${id}-${chosen}`)?.scrollIntoView({ block: 'nearest' }), [chosen]);
    const takeAt = (event: Event, i: number) => {
        event.preventDefault();
        event.stopPropagation();
        if (options[i] !== undefined) {
            take(options[i]);
        }
    };
    return {
        press: (event: KeyboardEvent) => {
            const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
            if (step && options.length > 0) {
                event.preventDefault();
                setAt((chosen + step + options.length) % options.length);
            } else if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey) {
                takeAt(event, chosen);
            }
        },
        input: { role: 'combobox', 'aria-controls': `${id}-list`, 'aria-activedescendant': options.length > 0 ? `${id}-${chosen}` : undefined } as const,
        list: { id: `${id}-list`, role: 'listbox' } as const,
        option: (i: number) => ({
            id: `${id}-${i}`, role: 'option', 'aria-selected': i === chosen, onMouseMove: () => setAt(i), onMouseDown: (event: MouseEvent) => takeAt(event, i),
        }) as const,
    };
}
