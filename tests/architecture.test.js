/**
 * The rules of the house that a compiler does not know: which room may include which, what a file
 * may use, and that nothing is forgotten or left behind.
 */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const ROOT = path.resolve(__dirname, '..');

/** The arrows: what each room may include besides itself. */
const ROOMS = {
    base: [],
    domain: ['base'],
    json: ['base'],
    metrics: ['base'],
    cache: ['base', 'metrics'],
    http: ['base', 'metrics'],
    store: ['base', 'domain', 'metrics'],
    auth: ['base', 'domain'],
    service: ['base', 'domain', 'json', 'store', 'auth'],
    api: ['base', 'domain', 'json', 'store', 'auth', 'service', 'http', 'cache', 'metrics'],
    app: ['base', 'domain', 'json', 'store', 'auth', 'service', 'http', 'cache', 'metrics', 'api'],
};

/** Each library has one room that knows it. */
const LIBRARIES = {
    'microhttpd.h': 'http',
    'jansson.h': 'json',
    'sodium.h': 'auth',
    'sqlite3.h': 'store',
    'utf8proc.h': 'base',
    'libpq-fe.h': 'store',
    'zlib.h': 'api',
    'hiredis/hiredis.h': 'cache',
};

/** Functions without a bound, with hidden state, or that start a shell; and what to use instead. */
const FORBIDDEN = {
    strcpy: 'arena_strdup or buf', strcat: 'buf', strncpy: 'snprintf', strncat: 'buf',
    sprintf: 'snprintf or buf', vsprintf: 'vsnprintf or buf',
    gets: 'getline', scanf: 'text_to_int', sscanf: 'text_to_int', fscanf: 'text_to_int',
    strtok: 'text_split', atoi: 'text_to_int', atol: 'text_to_int', atoll: 'text_to_int', atof: 'strtod',
    system: 'nothing', popen: 'nothing', alloca: 'an arena',
    rand: 'id_random', srand: 'id_random', random: 'id_random',
    gmtime: 'gmtime_r', localtime: 'gmtime_r', ctime: 'clock', asctime: 'clock',
    tmpnam: 'mkstemp', mktemp: 'mkstemp', tempnam: 'mkstemp',
    setjmp: 'a status', longjmp: 'a status',
};

const LINES_MAX = 600;

function filesOf(...patterns) {
    const command = ['-c', `safe.directory=${ROOT}`, 'ls-files', '--cached', '--others', '--exclude-standard', '-z', '--', ...patterns];
    return execFileSync('git', command, { cwd: ROOT, encoding: 'utf8' })
        .split('\0')
        .filter((file) => file !== '' && fs.existsSync(path.join(ROOT, file)));
}

function read(file) {
    return fs.readFileSync(path.join(ROOT, file), 'utf8');
}

function assertNone(faults) {
    assert.deepStrictEqual(faults, [], `\n${faults.join('\n')}\n`);
}

/** C without comments and without what stands between quotes; lines keep their numbers. */
function codeOf(text) {
    return text.replace(/\/\*[^]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, (match) => match.replace(/[^\n]/g, ' '));
}

function* includesOf(file) {
    for (const [index, line] of read(file).split('\n').entries()) {
        const match = /^\s*#\s*include\s*([<"])([^">]+)[">]/.exec(line);
        if (match !== null) {
            yield { where: `${file}:${index + 1}`, quoted: match[1] === '"', name: match[2] };
        }
    }
}

const sources = filesOf('src').filter((file) => /\.[ch]$/.test(file));

test('the rooms are those of the drawing', () => {
    assert.ok(sources.length > 0);
    assertNone(sources.filter((file) => !(file.split('/')[1] in ROOMS)));
});

test('includes follow the arrows', () => {
    const faults = [];
    for (const file of sources) {
        const room = file.split('/')[1];
        for (const { where, quoted, name } of includesOf(file)) {
            const target = name.split('/')[0];
            if (quoted && target !== room && !(ROOMS[room] || []).includes(target)) {
                faults.push(`${where}: ${room}/ may not include "${name}"`);
            }
        }
    }
    assertNone(faults);
});

test('each library is used by one room', () => {
    const faults = [];
    for (const file of sources) {
        for (const { where, name } of includesOf(file)) {
            const owner = LIBRARIES[name];
            if (owner !== undefined && owner !== file.split('/')[1]) {
                faults.push(`${where}: only ${owner}/ may include ${name}`);
            }
        }
    }
    assertNone(faults);
});

test('no function without a bound, with hidden state, or that starts a shell', () => {
    const call = new RegExp(`(?<![\\w.>])(${Object.keys(FORBIDDEN).join('|')})\\s*\\(`, 'g');
    const faults = [];
    for (const file of sources) {
        for (const [index, line] of codeOf(read(file)).split('\n').entries()) {
            for (const match of line.matchAll(call)) {
                faults.push(`${file}:${index + 1}: ${match[1]} is not used here; instead: ${FORBIDDEN[match[1]]}`);
            }
        }
    }
    assertNone(faults);
});

test(`no file has more than ${LINES_MAX} lines`, () => {
    const faults = [];
    for (const file of filesOf('src', 'tests', 'script', 'migrations', 'ui', 'load')) {
        const isWritten = /\.(c|h|js|mjs|ts|tsx|css|py|sql|sh|build)$|^script\//.test(file) && !/\.gen\.\w+$/.test(file);
        const lines = isWritten ? read(file).split('\n').length - 1 : 0;
        if (lines > LINES_MAX) {
            faults.push(`${file}: ${lines} lines hold two ideas`);
        }
    }
    assertNone(faults);
});

test('the web interface makes no markup or code out of text', () => {
    const faults = [];
    for (const file of filesOf('ui/src').filter((name) => /\.tsx?$/.test(name))) {
        for (const [index, line] of read(file).split('\n').entries()) {
            const match = /dangerouslySetInnerHTML|(?:inner|outer)HTML|insertAdjacentHTML|document\.write|\beval\(|new Function\b|srcdoc/i.exec(line);
            if (match !== null) {
                faults.push(`${file}:${index + 1}: ${match[0]} is not used here; what was written stays text`);
            }
        }
    }
    assertNone(faults);
});

test('every unit test, fuzz target and source file is built', () => {
    const faults = [];
    const lists = (buildFile, name) => fs.existsSync(path.join(ROOT, buildFile)) && read(buildFile).includes(`'${name}'`);
    const mustList = (buildFile, name, file) => {
        if (!lists(buildFile, name) && !lists('meson.build', file)) {
            faults.push(`${file} is not in ${buildFile}`);
        }
    };
    for (const file of filesOf('tests/unit/test_*.c')) {
        mustList('tests/meson.build', path.basename(file, '.c'), file);
    }
    for (const file of filesOf('tests/fuzz/fuzz_*.c')) {
        mustList('tests/meson.build', path.basename(file, '.c').slice('fuzz_'.length), file);
    }
    for (const file of sources.filter((name) => name.endsWith('.c'))) {
        const room = file.split('/').slice(0, 2).join('/');
        mustList(`${room}/meson.build`, path.relative(room, file), file);
    }
    assertNone(faults);
});

test('nothing names a place on the machine of the one who wrote it', () => {
    const homes = /\/home\/[a-z]\w*\/|\/Users\/\w+\/|[A-Z]:\\Users\\/;
    const here = [ROOT, path.dirname(ROOT)].filter((folder) => folder.split('/').length > 2);
    const faults = [];
    for (const file of filesOf()) {
        const text = read(file);
        if (homes.test(text) || here.some((folder) => text.includes(`${folder}/`))) {
            faults.push(file);
        }
    }
    assertNone(faults);
});
