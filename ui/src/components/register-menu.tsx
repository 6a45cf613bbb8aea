/** Choosing from a few (a menu) and from many (a text with a list), both by keyboard too (WAI-ARIA Authoring Practices). */
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { t } from '../i18n';

export interface Option {
    value: string;
    label: string;
}

const STEPS: Record<string, (at: number, count: number) => number> = {
    ArrowDown: (at, count) => (at + 1) % count,
    ArrowUp: (at, count) => (at + count - 1) % count,
    Home: () => 0,
    End: (_, count) => count - 1,
};

/** The first option has the focus when it opens; arrows and first letters move it. */
export function Menu({ label, options, onChoose }: { label: string; options: readonly Option[]; onChoose: (value: string) => void }) {
    const list = useRef<HTMLDivElement>(null);
    // At once, so that the next key is not lost, however quickly one types.
    useLayoutEffect(() => list.current?.querySelector('button')?.focus(), [label]);
    const press = (event: KeyboardEvent) => {
        const buttons = [...list.current!.querySelectorAll('button')];
        const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
        const step = STEPS[event.key];
        const isLetter = event.key.length === 1 && event.key !== ' ' && !event.ctrlKey && !event.metaKey && !event.altKey;
        if (!step && !isLetter) {
            return;
        }
        event.preventDefault();
        const letter = event.key.toLowerCase();
        const next = step ? buttons[step(at, buttons.length)]
            : [...buttons.slice(at + 1), ...buttons].find((button) => button.textContent!.toLowerCase().startsWith(letter));
        next?.focus();
    };
    return (
        <div ref={list} role="menu" aria-label={label} onKeyDown={press}>
            {options.map((option) => (
                <button key={option.value} type="button" role="menuitem" tabIndex={-1} onClick={() => onChoose(option.value)}>{option.label}</button>
            ))}
        </div>
    );
}

/** A combobox: what is typed narrows the list; the arrows choose in it, Enter takes. `options` are those for `text`. */
export function Finder({ label, text, onText, options, onChoose }: {
    label: string; text: string; onText: (text: string) => void; options: readonly Option[]; onChoose: (value: string) => void;
}) {
    const input = useRef<HTMLInputElement>(null);
    const [at, setAt] = useState(0);
    const id = useId();
    const chosen = Math.min(at, options.length - 1);
    useLayoutEffect(() => input.current?.focus(), []);
    useEffect(() => document.getElementById(`${id}-${chosen}`)?.scrollIntoView({ block: 'nearest' }), [chosen]);
    const press = (event: KeyboardEvent) => {
        const step = event.key.startsWith('Arrow') ? STEPS[event.key] : undefined;
        if (step && options.length > 0) {
            event.preventDefault();
            setAt(step(chosen, options.length));
        } else if (event.key === 'Enter' && options[chosen]) {
            event.preventDefault();
            onChoose(options[chosen].value);
        }
    };
    return (
        <>
            <input
                ref={input} role="combobox" aria-label={label} placeholder={label} aria-expanded="true" aria-controls={`${id}-list`} aria-autocomplete="list" autocomplete="off"
                aria-activedescendant={chosen >= 0 ? `${id}-${chosen}` : undefined} value={text}
                onInput={(event) => { onText(event.currentTarget.value); setAt(0); }} onKeyDown={press}
            />
            <div role="listbox" id={`${id}-list`} aria-label={label}>
                {options.map((option, i) => (
                    <div
                        key={option.value} id={`${id}-${i}`} role="option" aria-selected={i === chosen}
                        onMouseDown={(event) => event.preventDefault()} onClick={() => onChoose(option.value)}
                    >
                        {option.label}
                    </div>
                ))}
            </div>
            {options.length === 0 && <p class="hint" role="status">{t('filter.nothing')}</p>}
        </>
    );
}
