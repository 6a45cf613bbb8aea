/**
 * The keys: the one table that the dispatcher (keys.ts), the sheet behind "?" and docs/keyboard-shortcuts.md are made
 * from. To add one: a row here, its text in messages/keys.ts, and useShortcut(name, …) where it is to work.
 *
 * `keys` are alternatives; "G D" is one key after another; Mod is Ctrl, on a Mac ⌘.
 */
export type Group = 'everywhere' | 'go' | 'lists' | 'risk' | 'forms';

export interface Shortcut {
    name: string;
    keys: readonly string[];
    group: Group;
    /** Also while one types. */
    typing?: boolean;
}

export const shortcuts = [
    { name: 'palette', keys: ['Mod+K'], group: 'everywhere', typing: true },
    { name: 'new', keys: ['N', 'Mod+N'], group: 'everywhere' },
    { name: 'search', keys: ['/'], group: 'everywhere' },
    { name: 'help', keys: ['?'], group: 'everywhere' },
    { name: 'goDashboard', keys: ['G D'], group: 'go' },
    { name: 'goRegister', keys: ['G R'], group: 'go' },
    { name: 'goAssets', keys: ['G A'], group: 'go' },
    { name: 'next', keys: ['J', 'ArrowDown'], group: 'lists' },
    { name: 'previous', keys: ['K', 'ArrowUp'], group: 'lists' },
    { name: 'open', keys: ['Enter'], group: 'lists' },
    { name: 'select', keys: ['X'], group: 'lists' },
    { name: 'edit', keys: ['E'], group: 'risk' },
    { name: 'close', keys: ['Escape'], group: 'forms', typing: true },
    { name: 'submit', keys: ['Mod+Enter'], group: 'forms', typing: true },
] as const satisfies readonly Shortcut[];

export type ShortcutName = (typeof shortcuts)[number]['name'];
