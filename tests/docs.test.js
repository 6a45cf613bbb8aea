/**
 * The pages say what is so: the pages of settings and of metrics are the program's own, links lead somewhere, and the
 * commands, options, scripts, settings and routes that pages name exist.
 */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { cli, ROOT, startServer } = require('./http/lib');
const { operationsOf } = require('./http/register');

/** Pages for users and operators: what they name must be there. */
const GUIDES = ['README.md', 'docs/operations.md', 'docs/import-export.md', 'docs/keyboard-shortcuts.md', 'docs/api.md', 'docs/caching.md', 'docs/cluster.md', 'docs/metrics.md', 'docs/runbook.md', 'docs/monitoring.md', 'docs/quick-reference.md', 'docs/performance.md', 'docs/load-testing.md', 'docs/staging-checklist.md'];
/** For which no setting of the program stands. */
const OTHER_NAMES = [
    'OPENRISK_BINARY', 'OPENRISK_TEST_FULL', 'HTTP_GET',
    // Of script/load and script/verify.
    'OPENRISK_URL', 'OPENRISK_EMAIL', 'OPENRISK_PASSWORD', 'OPENRISK_TOKEN', 'OPENRISK_OPS_URL', 'OPENRISK_LOAD_RATE', 'OPENRISK_LOAD_LATENCY_FACTOR',
    'CACHE_', 'DB_', 'HTTP_', 'REDIS_',
];

const pages = execFileSync(
    'git',
    ['-c', `safe.directory=${ROOT}`, 'ls-files', '--cached', '--others', '--exclude-standard', '-z', '--', '*.md'],
    { cwd: ROOT, encoding: 'utf8' },
)
    .split('\0')
    .filter((file) => file !== '' && fs.existsSync(path.join(ROOT, file)));

function read(file) {
    return fs.readFileSync(path.join(ROOT, file), 'utf8');
}

function assertNone(faults) {
    assert.deepStrictEqual(faults, [], `\n${faults.join('\n')}\n`);
}

/** The text without what stands between fences. */
function proseOf(text) {
    return text.replace(/^( *)```[^]*?^\1```$/gm, '');
}

/** What is set as code: the lines between fences, and the pieces between backticks in the rest. */
function codeOf(text) {
    const fenced = [...text.matchAll(/^( *)```.*\n([^]*?)^\1```$/gm)].flatMap((match) => match[2].split('\n'));
    const inline = [...proseOf(text).matchAll(/`([^`]+)`/g)].map((match) => match[1].replace(/\s+/g, ' '));
    return [...fenced, ...inline];
}

/** The name by which a heading is linked to. */
function anchorOf(heading) {
    return heading.replace(/`/g, '').trim().toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replace(/ /g, '-');
}

function anchorsOf(text) {
    return [...proseOf(text).matchAll(/^#+ (.*)$/gm)].map((match) => anchorOf(match[1]));
}

test('every page is looked at', () => {
    for (const page of ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'docs/ARCHITECTURE.md', ...GUIDES]) {
        assert.ok(pages.includes(page), `${page} is missing`);
    }
});

test('every page is in the index', () => {
    const index = [...read('docs/README.md').matchAll(/^- \[[^\]]+\]\(([^)#]+)[)#]/gm)].map(([, target]) => path.join('docs', target));
    const wanted = pages.filter((page) => path.dirname(page) === 'docs' && page !== 'docs/README.md');
    assertNone(wanted.filter((page) => !index.includes(page)).map((page) => `docs/README.md does not list ${page}`));
    assert.strictEqual(new Set(index).size, index.length);
});

test('the first lines of the first page are the two commands', () => {
    const commands = read('README.md').split('\n').filter((line) => /^script\//.test(line));
    assert.match(commands[0], /^script\/server\b/);
    assert.match(commands[1], /^script\/test\b/);
    assert.ok(read('README.md').split('\n').slice(0, 6).includes(commands[1]));
});

for (const [page, command] of [['docs/configuration.md', 'config'], ['docs/metrics.md', 'metrics']]) {
    test(`${page} is what the program prints`, async () => {
        const { code, stdout } = await cli([command, '--markdown']);
        assert.strictEqual(code, 0);
        const written = read(page).split('\n');
        const printed = stdout.split('\n');
        assertNone([
            ...written.filter((line) => !printed.includes(line)).map((line) => `only on the page: ${line}`),
            ...printed.filter((line) => !written.includes(line)).map((line) => `only in the program: ${line}`),
        ]);
        assert.strictEqual(written.join('\n'), printed.join('\n'));
    });
}

test('every link leads somewhere', () => {
    const faults = [];
    for (const page of pages) {
        for (const [, target] of proseOf(read(page)).matchAll(/\]\(<?([^)\s>]+)>?[^)]*\)/g)) {
            if (/^[a-z]+:/.test(target)) {
                continue;
            }
            const [file, anchor] = target.split('#');
            const full = file === '' ? page : path.join(path.dirname(page), file);
            if (!fs.existsSync(path.join(ROOT, full))) {
                faults.push(`${page}: ${target} is not there`);
            } else if (anchor && !anchorsOf(read(full)).includes(anchor)) {
                faults.push(`${page}: ${full} has no heading #${anchor}`);
            }
        }
    }
    assertNone(faults);
});

test('every picture is shown, and says in words what it shows', () => {
    const faults = [];
    const texts = pages.map(read).join('\n');
    for (const name of fs.readdirSync(path.join(ROOT, 'docs/pictures'))) {
        if (!texts.includes(`pictures/${name})`)) {
            faults.push(`docs/pictures/${name} is on no page`);
        }
        if (!/<title\b[^>]*>[^<]+<\/title>\s*<desc\b[^>]*>[^<]+<\/desc>/.test(read(`docs/pictures/${name}`))) {
            faults.push(`docs/pictures/${name} has no <title> with a <desc>`);
        }
    }
    assertNone(faults);
});

test('every command that a page names exists, with its actions and options', async () => {
    const { stdout: help } = await cli(['--help']);
    const names = [...help.split('Options')[0].matchAll(/^  ([a-z]+) /gm)].map((match) => match[1]);
    assert.ok(names.includes('serve') && names.includes('check'), help);
    const helps = {};
    for (const name of names) {
        helps[name] = (await cli([name, '--help'])).stdout;
    }
    const faults = [];
    let seen = 0;
    for (const page of pages) {
        for (const code of codeOf(read(page))) {
            for (const [, rest] of code.matchAll(/(?:^|[\s(|;"])(?:build(?:-\w+)?\/)?openrisk ([a-z][^|;"]*)/g)) {
                const [name, action] = rest.trim().split(/\s+/);
                seen++;
                if (!names.includes(name)) {
                    faults.push(`${page}: there is no command "openrisk ${name}"`);
                    continue;
                }
                if (['user', 'token'].includes(name) && action && !new RegExp(`(?:^  |, )${action}\\b`, 'm').test(helps[name])) {
                    faults.push(`${page}: openrisk ${name} has no action ${action}`);
                }
                for (const [option] of rest.matchAll(/--[a-z-]+/g)) {
                    if (!helps[name].includes(`  ${option} `)) {
                        faults.push(`${page}: openrisk ${name} has no option ${option}`);
                    }
                }
            }
        }
    }
    assert.ok(seen > 20, `only ${seen} commands were found on the pages`);
    assertNone(faults);
});

test('every script that a page names exists, with its options', () => {
    const faults = [];
    for (const page of pages) {
        for (const code of codeOf(read(page))) {
            for (const [, name, rest] of code.matchAll(/\bscript\/([a-z]+)([^|;#]*)/g)) {
                const file = `script/${name}`;
                const text = fs.existsSync(path.join(ROOT, file)) ? read(file) : undefined;
                if (text === undefined) {
                    faults.push(`${page}: ${file} is not there`);
                    continue;
                }
                for (const [option] of rest.matchAll(/--[a-z-]+/g)) {
                    if (!text.includes(option)) {
                        faults.push(`${page}: ${file} has no option ${option}`);
                    }
                }
            }
        }
    }
    assertNone(faults);
});

test('every setting that a guide names exists', async () => {
    const { stdout } = await cli(['config']);
    const names = stdout.split('\n').map((line) => line.split(' ')[0]);
    const faults = [];
    for (const page of GUIDES) {
        for (const code of codeOf(read(page))) {
            for (const [name] of code.matchAll(/\b(?:OPENRISK|HTTP|DB|LOGIN|IMPORT|INITIAL|LOG|SHUTDOWN|DATABASE|APP|CACHE|REDIS)_[A-Z_]+\b/g)) {
                if (!names.includes(name) && !OTHER_NAMES.includes(name)) {
                    faults.push(`${page}: there is no setting ${name}`);
                }
            }
        }
    }
    assertNone(faults);
});

test('every route that a guide names exists', async (t) => {
    const server = await startServer(t);
    const document = (await server.client().get('/openapi.json')).json;
    const plain = (route) => route.replace(/\{[^}]*\}/g, '{}');
    const routes = operationsOf(document).map(({ method, path: route }) => `${method} ${plain(route)}`);
    routes.push('GET /livez', 'GET /readyz', 'GET /metrics', 'GET /openapi.json');
    const faults = [];
    let seen = 0;
    for (const page of GUIDES) {
        for (const code of codeOf(read(page))) {
            for (const [, method, route] of code.matchAll(/\b(GET|POST|PATCH|DELETE) (\/[^\s?"]*)/g)) {
                seen++;
                if (!routes.includes(`${method} ${plain(route.replace(/^\/api\/v1/, ''))}`)) {
                    faults.push(`${page}: there is no route ${method} ${route}`);
                }
            }
        }
    }
    assert.ok(seen > 10, `only ${seen} routes were found in the guides`);
    assertNone(faults);
});
