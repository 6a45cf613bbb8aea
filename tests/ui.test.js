/**
 * The web interface as it is built: that its types are right, that what goes into the program is small, and that
 * ui/embed.py builds what is new, nothing else, and says what is missing. What it serves: tests/http/web.test.js.
 */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const zlib = require('node:zlib');
const { ROOT, startServer, temporaryFolder } = require('./http/lib');
const { bundledFiles } = require('./tools/bundle');

const UI = path.join(ROOT, 'ui');
/** Whoever visits every page, in one language. */
const LOADED_MAX_BYTES = 80 * 1000;
/** It can be started with another PATH. */
const PYTHON = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();

function read(file) {
    return fs.readFileSync(path.join(UI, file), 'utf8');
}

test('the compiler of TypeScript finds nothing', () => {
    const compiler = path.join(UI, 'node_modules/typescript/bin/tsc');
    assert.ok(fs.existsSync(compiler), 'there is no TypeScript: run script/ui --tests');
    const { status, stdout, stderr } = spawnSync(process.execPath, [compiler, '--noEmit', '--pretty', 'false'], { cwd: UI, encoding: 'utf8' });
    assert.strictEqual(status, 0, `\n${stdout}${stderr}`);
});

test('all that a browser can load is small', async (t) => {
    const files = bundledFiles();
    const client = (await startServer(t)).client(undefined, '');
    const sizes = await Promise.all(files.map(async ({ path: name }) => {
        const { bytes } = await client.expect(200, 'GET', name === '/index.html' ? '/' : name, undefined, { 'Accept-Encoding': 'gzip' });
        return [path.basename(name), bytes.length];
    }));
    const sum = (wanted) => sizes.filter(([name]) => wanted(name)).reduce((all, [, size]) => all + size, 0);
    const textsOf = (language) => (name) => name.startsWith(`${language}-`);
    const [english, french] = ['en', 'fr'].map((language) => {
        assert.strictEqual(sizes.filter(([name]) => textsOf(language)(name)).length, 1, language);
        return sum(() => true) - sum(textsOf(language === 'en' ? 'fr' : 'en'));
    });
    const kinds = [...new Set(files.map(({ path: name }) => path.extname(name)))].map((kind) => `${kind.slice(1)} ${sum((name) => name.endsWith(kind))}`);
    assert.ok(kinds.length >= 4, kinds.join());
    t.diagnostic(`figure: the web interface, compressed, all its pages: ${english} bytes in English, ${french} in French; at most ${LOADED_MAX_BYTES}; `
        + `both languages together ${sum(() => true)} in ${files.length} files (${kinds.join(', ')})`);
    assert.ok(Math.max(english, french) <= LOADED_MAX_BYTES, `${english} and ${french} bytes`);
});

test('the lock file has every package with its hash, and says nothing of where it came from', () => {
    const [lock, manifest] = [JSON.parse(read('package-lock.json')), JSON.parse(read('package.json'))];
    const { '': own, ...packages } = lock.packages;
    const named = (one) => [one.dependencies, one.devDependencies].map((list) => ({ ...list }));
    assert.deepStrictEqual(named(own), named(manifest));
    for (const name of named(manifest).flatMap((list) => Object.keys(list))) {
        assert.ok(packages[`node_modules/${name}`], name);
    }
    for (const [name, one] of Object.entries(packages)) {
        assert.match(one.integrity, /^sha512-/, name);
        assert.strictEqual(one.resolved, undefined, name);
    }
    const npmrc = path.join(UI, '.npmrc');
    assert.ok(!fs.existsSync(npmrc) || !/:\/\//.test(read('.npmrc')));
});

/** A bundler that takes the files of `content` as they are; what embed.py is told to build. */
const BUNDLER = `
import { cpSync, mkdirSync, rmSync } from 'node:fs';
const out = process.argv[2];
rmSync(out, { recursive: true, force: true });
mkdirSync(out);
cpSync(new URL('content', import.meta.url).pathname, out, { recursive: true });
console.log('bundled');
`;

/** Its own sources and build folder. run(): {status, said, bundled, text, writtenMs}. */
function makeInterface(t, files) {
    const top = temporaryFolder();
    t.after(() => fs.rmSync(top, { recursive: true, force: true }));
    const [source, build, out] = ['ui', 'build', 'build/web_files.c'].map((name) => path.join(top, name));
    const write = (name, content) => {
        fs.mkdirSync(path.dirname(path.join(source, name)), { recursive: true });
        fs.writeFileSync(path.join(source, name), content);
    };
    fs.mkdirSync(build);
    write('build.mjs', BUNDLER);
    write('node_modules/esbuild/package.json', '{}');
    write('node_modules/.package-lock.json', '{}');
    for (const [name, content] of Object.entries(files)) {
        write(`content/${name}`, content);
    }
    const run = ({ mode = 'auto', env = process.env } = {}) => {
        const { status, stdout, stderr } = spawnSync(PYTHON, [path.join(UI, 'embed.py'), mode, source, build, out], { encoding: 'utf8', env });
        const written = fs.existsSync(out);
        return {
            status, said: stderr, bundled: stdout.includes('bundled'),
            text: written ? fs.readFileSync(out, 'utf8') : undefined,
            writtenMs: written ? fs.statSync(out).mtimeMs : undefined,
        };
    };
    return { source, build, out, write, run };
}

const CONTENT = { pages: '/\n/risks/:id\n', 'index.html': '<!doctype html>', 'ui/main-1.js': 'f()' };
const EMPTY = /web_files\[\] = \{\s*\{0\}\};[^]*web_pages\[\] = \{NULL\};/;

test('the table has what the bundler has made, byte for byte', (t) => {
    const all = Buffer.from(Array.from({ length: 256 * 256 * 2 }, (_, i) => (i % 2 === 0 ? i >> 9 : (i >> 1) & 255)));
    const made = makeInterface(t, { ...CONTENT, 'ui/all.txt': all, 'ui/tricky.css': '"\\0??/1"\n\t%s\u00e9?', 'ui/much.js': 'a'.repeat(5000), 'ui/empty.css': '' });
    assert.strictEqual(made.run().status, 0);
    const main = path.join(made.build, 'main.c');
    fs.writeFileSync(main, `
#include <stdio.h>
#include "api/web_files.h"
int main(void)
{
    for (const char *const *page = web_pages; *page; page++)
        printf("page %s\\n", *page);
    for (const struct web_file *file = web_files; file->path; file++)
        for (int i = 0; i < WEB_FORMS && file->forms[i].tag; i++) {
            printf("%s|%s|%d|%d|%s|", file->path, file->content_type, file->is_immutable, i, file->forms[i].tag);
            for (size_t at = 0; at < file->forms[i].length; at++)
                printf("%02x", (unsigned char)file->forms[i].bytes[at]);
            puts("");
        }
    return 0;
}
`);
    const program = path.join(made.build, 'main');
    execFileSync('cc', ['-Wall', '-Wextra', '-Werror', '-std=gnu17', '-I', path.join(ROOT, 'src'), '-o', program, main, made.out]);
    const lines = execFileSync(program, { encoding: 'utf8', maxBuffer: 1 << 24 }).trimEnd().split('\n');
    assert.deepStrictEqual(lines.filter((line) => line.startsWith('page ')), ['page /', 'page /risks/:id']);
    const forms = lines.filter((line) => line.startsWith('/')).map((line) => line.split('|'));
    const tags = forms.map((form) => form[4]);
    assert.strictEqual(new Set(tags).size, tags.length);
    for (const [file, type, immutable, form, tag, hex] of forms) {
        const bytes = Buffer.from(hex, 'hex');
        const content = fs.readFileSync(path.join(made.source, 'content', file));
        assert.ok((form === '1' ? zlib.gunzipSync(bytes) : bytes).equals(content), `${file} ${form}`);
        assert.ok(form === '0' || bytes.length < content.length, file);
        assert.strictEqual(immutable === '1', file.startsWith('/ui/'), file);
        assert.match(type, /^text\/(html|javascript|css|plain); charset=utf-8$/);
        assert.match(tag, /^"[0-9a-f]{32}(\.gz)?"$/);
    }
    const names = forms.map(([file, , , form]) => `${file} ${form}`);
    for (const name of ['/index.html 0', '/ui/main-1.js 0', '/ui/empty.css 0', '/ui/tricky.css 0', '/ui/much.js 0', '/ui/much.js 1', '/ui/all.txt 0']) {
        assert.ok(names.includes(name), names.join(', '));
    }
    assert.ok(!names.includes('/ui/empty.css 1') && !names.includes('/ui/main-1.js 1'), names.join(', '));
});

test('it is bundled again when something has changed, and written when it is another text', (t) => {
    const made = makeInterface(t, CONTENT);
    const first = made.run();
    assert.deepStrictEqual([first.status, first.bundled, first.said], [0, true, '']);
    const second = made.run();
    assert.deepStrictEqual([second.status, second.bundled, second.said, second.writtenMs], [0, false, '', first.writtenMs]);
    made.write('src/note.ts', '// changes no file of the bundle');
    const third = made.run();
    assert.deepStrictEqual([third.status, third.bundled, third.writtenMs], [0, true, first.writtenMs]);
    for (const [name, content] of [['content/ui/main-1.js', 'g()'], ['content/ui/more-2.css', 'p{}'], ['content/pages', '/\n'], ['node_modules/.package-lock.json', '{"more":1}']]) {
        const before = made.run().text;
        made.write(name, content);
        const after = made.run();
        assert.deepStrictEqual([after.status, after.bundled], [0, true], name);
        assert.strictEqual(after.text !== before, name.startsWith('content'), name);
    }
    fs.rmSync(path.join(made.source, 'content/ui/more-2.css'));
    assert.doesNotMatch(made.run().text, /more-2/);
    fs.rmSync(made.out);
    assert.match(made.run().text, /main-1/);
});

test('what the bundler refuses fails the build until it is right again', (t) => {
    const made = makeInterface(t, CONTENT);
    made.write('build.mjs', 'console.error("line 3: no such thing"); process.exit(1);');
    for (let i = 0; i < 2; i++) {
        const { status, said } = made.run();
        assert.strictEqual(status, 1);
        assert.match(said, /line 3: no such thing\n[^]*could not be bundled/);
    }
    made.write('build.mjs', BUNDLER);
    assert.match(made.run().text, /main-1/);
    made.write('content/ui/film.mp4', 'x');
    const unknown = made.run();
    assert.strictEqual(unknown.status, 1);
    assert.match(unknown.said, /no media type is known for film\.mp4/);
});

test('without node or the packages the table is empty, which is said once; with `enabled` it is an error', (t) => {
    const made = makeInterface(t, CONTENT);
    const env = { PATH: made.build };
    const first = made.run({ env });
    assert.strictEqual(first.status, 0);
    assert.match(first.said, /^The program is built without the web interface: there is no node [^\n]*script\/dependencies ui[^\n]*\n$/);
    assert.match(first.text, EMPTY);
    assert.deepStrictEqual(made.run({ env }), { ...first, said: '' });
    assert.strictEqual(made.run({ env, mode: 'enabled' }).status, 1);
    assert.match(made.run().text, /main-1/);

    fs.writeFileSync(path.join(made.build, 'node'), '#!/bin/sh\necho v16.20.2\n', { mode: 0o755 });
    const old = made.run({ env });
    assert.match(old.said, /node 18 or newer/);
    assert.match(old.text, EMPTY);

    fs.rmSync(path.join(made.source, 'node_modules'), { recursive: true });
    const bare = made.run();
    assert.match(bare.said, /packages are not there; script\/ui installs them/);
    assert.match(bare.text, EMPTY);
    const enabled = made.run({ mode: 'enabled' });
    assert.strictEqual(enabled.status, 1);
    assert.match(enabled.said, /cannot be built: its packages are not there; script\/ui/);
});

test('disabled, nothing is bundled and nothing said', (t) => {
    const made = makeInterface(t, CONTENT);
    const { status, said, bundled, text } = made.run({ mode: 'disabled' });
    assert.deepStrictEqual([status, said, bundled], [0, '', false]);
    assert.match(text, EMPTY);
    assert.match(made.run().text, /main-1/);
});
