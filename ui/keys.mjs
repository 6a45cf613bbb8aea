/**
 * docs/keyboard-shortcuts.md, from the table that the program's keys come from: node ui/keys.mjs >docs/keyboard-shortcuts.md
 * A test compares the result with the file.
 */
import { fileURLToPath } from 'node:url';
import { load } from './load.mjs';

const NAMES = { ArrowDown: '↓', ArrowUp: '↑', Escape: 'Esc', Mod: 'Ctrl' };

function keyText(alternative) {
    const one = (keys) => keys.split('+').map((key) => `<kbd>${NAMES[key] ?? key}</kbd>`).join('+');
    return alternative.split(' ').map(one).join(' then ');
}

export async function keysPage() {
    const { shortcuts } = await load('src/shortcuts.ts');
    const { keys: texts } = await load('src/messages/keys.ts');
    const groups = [...new Set(shortcuts.map(({ group }) => group))];
    const sections = groups.map((group) => {
        const rows = shortcuts.filter((row) => row.group === group)
            .map(({ name, keys }) => `| ${keys.map(keyText).join(' or ')} | ${texts[`key.${name}`][0]} |\n`);
        return `## ${texts[`keys.group.${group}`][0]}\n\n| key | what it does |\n|---|---|\n${rows.join('')}`;
    });
    return `# Keyboard shortcuts

Made by \`node ui/keys.mjs\` from \`ui/src/shortcuts.ts\`, as is the sheet that <kbd>?</kbd> shows.

On a Mac, Ctrl is ⌘. While one types, only what works with Ctrl, and Esc, does something. Two keys, one then the
other, are to be pressed within a second and a half. Single keys can be switched off on the page "Profile and
settings" (WCAG 2.2, 2.1.4). Browsers keep some keys for themselves: in a tab of Chrome, Ctrl+N opens a window, so
N does it there.

${sections.join('\n')}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    process.stdout.write(await keysPage());
}
