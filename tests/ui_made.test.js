/** What is made from the interface's tables, or for them, is as the tables say now. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

const { startServer } = require('./http/lib');

const ROOT = path.resolve(__dirname, '..');
const SOURCES = path.join(ROOT, 'ui/src');

function from(file) {
    return import(pathToFileURL(path.join(ROOT, file)).href);
}

function read(file) {
    return fs.readFileSync(path.join(ROOT, file), 'utf8');
}

/** The texts of all modules of the interface, but those of the catalogue. */
function sourceTexts(folder = SOURCES) {
    return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
        const name = path.join(folder, entry.name);
        return entry.isDirectory() ? (entry.name === 'messages' ? [] : sourceTexts(name)) : /\.tsx?$/.test(entry.name) ? [fs.readFileSync(name, 'utf8')] : [];
    });
}

test('docs/keyboard-shortcuts.md is what the table of keys gives', async () => {
    const { keysPage } = await from('ui/keys.mjs');
    assert.strictEqual(read('docs/keyboard-shortcuts.md'), await keysPage(), 'make it anew: node ui/keys.mjs >docs/keyboard-shortcuts.md');
});

test('the types of the interface are those of the API', async (t) => {
    const server = await startServer(t);
    const { json } = await server.client().expect(200, 'GET', '/openapi.json');
    const { types } = await from('ui/types.mjs');
    assert.strictEqual(read('ui/src/api.gen.ts'), types(json), 'make them anew: see ui/types.mjs');
});

test('each text is there in both languages, with the same values, once, and somebody says it', async () => {
    const { load } = await from('ui/load.mjs');
    const files = fs.readdirSync(path.join(SOURCES, 'messages')).filter((file) => file !== 'index.ts');
    const seen = new Map();
    const code = sourceTexts().join('\n');
    // say(group, word), with the group in a table, and names made of parts: what stands before the last part.
    const isMade = (name) => {
        const start = name.slice(0, name.lastIndexOf('.'));
        return start !== '' && (code.includes(`'${start}'`) || code.includes(`"${start}"`) || code.includes(`\`${start}.${'$'}{`));
    };
    for (const file of files) {
        const [catalogue] = Object.values(await load(`src/messages/${file}`));
        for (const [name, texts] of Object.entries(catalogue)) {
            assert.ok(!seen.has(name), `${name} is in ${file} and in ${seen.get(name)}`);
            seen.set(name, file);
            assert.strictEqual(texts.length, 2, name);
            const [english, french] = texts.map((text) => [...new Set(text.match(/\{\w+\}/g))].sort());
            assert.deepStrictEqual(french, english, `${name}: the values differ`);
            assert.ok(texts.every((text) => text.trim() !== ''), `${name} is empty`);
            assert.ok(texts.every((text) => text.split('|').length <= 2), `${name} has more than two forms`);
            assert.ok(!/\w'\w/.test(texts.join()), `${name}: write ’ for an apostrophe`);
            assert.ok(!/[^\s\u00a0\u202f][:;!?»](\s|$)/.test(texts[1].replace(/https?:\/\/\S+/g, '')), `${name}: French has a space before : ; ! and ?`);
            const isSaid = code.includes(`'${name}'`) || isMade(name) || isMade(name.replace(/\.[^.]+$/, ""));
            assert.ok(isSaid, `${name} (${file}) is said nowhere`);
        }
    }
});

test('a class has one sheet: what two pages call the same would look like one of them', () => {
    const shared = ['base.css', 'layout.css', 'components.css'];
    const classesOf = (file) => {
        const text = read(`ui/src/css/${file}`).replace(/\/\*[^]*?\*\//g, '');
        return new Set([...text.matchAll(/([^{}]*)\{/g)].flatMap(([, selector]) => [...selector.matchAll(/\.([a-z][\w-]*)/g)].map(([, name]) => name)));
    };
    const common = new Set(shared.flatMap((file) => [...classesOf(file)]));
    const owners = new Map();
    for (const file of fs.readdirSync(path.join(SOURCES, 'css')).filter((name) => ![...shared, 'style.css', 'tokens.css'].includes(name))) {
        for (const name of classesOf(file)) {
            const page = file.replace(/[-.].*/, ''); // a page may have several sheets: dashboard-trend.css
            assert.ok(common.has(name) || (owners.get(name) ?? page) === page, `.${name} is of ${page} and of ${owners.get(name)}`);
            owners.set(name, page);
        }
    }
});
