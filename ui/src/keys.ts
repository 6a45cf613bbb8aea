/**
 * From a key to what it does. Components say useShortcut('edit', …) while they are on the screen; of several for the
 * same name the one that came last is asked, which is the one on top. While a dialog is open, only what it itself
 * has said counts, but for keys that work while one types.
 */
import { useLayoutEffect, useRef } from 'preact/hooks';
import { getSettings } from './settings';
import { shortcuts, type Shortcut, type ShortcutName } from './shortcuts';

interface Listener {
    name: ShortcutName;
    run: (event: KeyboardEvent) => void;
    element: Element | null; // the dialog it is in
}

const SEQUENCE_MS = 1500;
const listeners: Listener[] = [];
let first = ''; // of two keys
let firstAt = 0;

export const isMac = /Mac|iPhone|iPad/.test(navigator.platform);

function isTyping(target: EventTarget | null): boolean {
    return target instanceof HTMLElement && (target.isContentEditable || target.matches('textarea, select, input:not([type=checkbox], [type=radio], [type=button], [type=submit])'));
}

function nameOf(event: KeyboardEvent): string {
    const key = event.key.length === 1 ? event.key.toUpperCase() : event.key;
    return (event.ctrlKey || event.metaKey) && !event.altKey ? `Mod+${key}` : key;
}

/** Enter, and the arrows, belong to whatever has the focus, if it does something with them. */
function isForElement(event: KeyboardEvent): boolean {
    const target = event.target as HTMLElement;
    return (event.key === 'Enter' && !event.ctrlKey && !event.metaKey && target.matches('a, button, summary'))
        || (event.key.startsWith('Arrow') && target.closest('[data-arrows], [role=radiogroup], [role=menu], [role=listbox]') !== null);
}

function find(pressed: string, typing: boolean): Shortcut | undefined {
    return (shortcuts as readonly Shortcut[]).find((row) => row.keys.includes(pressed) && (!typing || row.typing === true));
}

function press(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.isComposing || event.altKey || ['Shift', 'Control', 'Meta'].includes(event.key)) {
        return;
    }
    const typing = isTyping(event.target);
    const single = nameOf(event);
    const isText = single.length === 1;
    if (isText && !getSettings().keys) {
        return;
    }
    const isSecond = first !== '' && event.timeStamp - firstAt < SEQUENCE_MS && !typing;
    const row = (isSecond ? find(`${first} ${single}`, typing) : undefined) ?? find(single, typing);
    first = !typing && isText && (shortcuts as readonly Shortcut[]).some(({ keys }) => keys.some((keys) => keys.startsWith(`${single} `))) ? single : '';
    firstAt = event.timeStamp;
    if (!row || isForElement(event)) {
        return;
    }
    const dialog = [...document.querySelectorAll('dialog[open]')].pop() ?? null;
    const listener = listeners.filter(({ name, element }) => name === row.name && element === dialog).pop()
        ?? (row.name === 'palette' ? listeners.filter(({ name }) => name === row.name).pop() : undefined);
    if (listener) {
        event.preventDefault();
        first = '';
        listener.run(event);
    }
}

/** Do what the key of this name does here; for buttons. */
export function pressShortcut(name: ShortcutName): void {
    listeners.filter((listener) => listener.name === name).pop()?.run(new KeyboardEvent('keydown'));
}

/** `run` is called for this key while the component is there and `isOn`. `inside`: an element of the dialog it is part of. */
export function useShortcut(name: ShortcutName, run: (event: KeyboardEvent) => void, isOn = true, inside?: { current: Element | null }): void {
    const latest = useRef(run);
    latest.current = run;
    // What can be seen can be pressed: an effect would come a moment after the drawing.
    useLayoutEffect(() => {
        if (!isOn) {
            return undefined;
        }
        const listener: Listener = {
            name, run: (event) => latest.current(event), element: inside?.current?.closest('dialog') ?? null,
        };
        listeners.push(listener);
        return () => void listeners.splice(listeners.indexOf(listener), 1);
    }, [name, isOn]);
}

/** Move the focus to the next or the one before of the rows on the page: the element in each that has data-row. */
export function moveRow(step: 1 | -1): void {
    const rows = [...document.querySelectorAll<HTMLElement>('main [data-row]')];
    const at = rows.findIndex((row) => row === document.activeElement || row.closest('tr, li')?.contains(document.activeElement));
    const next = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + step, 0), rows.length - 1)];
    next?.focus();
    next?.scrollIntoView({ block: 'nearest' });
}

/** "Mod+K" as people read it: Ctrl+K, or ⌘K. */
export function keyLabel(keys: string): string {
    const names: Record<string, string> = { ArrowDown: '↓', ArrowUp: '↑', Escape: 'Esc' };
    return keys.split('+').map((part) => (part === 'Mod' ? (isMac ? '⌘' : 'Ctrl') : names[part] ?? part)).join(isMac ? '' : '+');
}

/** Once, at the start. */
export function startKeys(): void {
    document.addEventListener('keydown', press);
}
