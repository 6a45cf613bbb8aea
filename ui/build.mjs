/**
 * Bundle the interface: node build.mjs FOLDER
 *
 * What the program is to serve is then in FOLDER: index.html, and below /ui/ the files that it names. Those have a
 * hash of their content in the name, so that a browser may keep them for ever. FOLDER/pages has the paths of all
 * pages, one a line (`:id` stands for any segment): each of them answers with index.html.
 */
import { build } from 'esbuild';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { minify } from 'terser';
import { load } from './load.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const out = path.resolve(process.argv[2] ?? path.join(here, 'dist'));
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

/**
 * What uPlot can and we do not use. Some of it hangs on its one export, some depends on options that are always the
 * same here; no bundler can know. Without it the library is a sixth smaller.
 */
const UNUSED = [
    [/^\s*(uPlot\.(assign|fmtNum|rangeNum|rangeLog|rangeAsinh|orient|join|fmtDate|tzDate|sync|addGap|clipGaps)\s*= |\(paths\.(stepped|spline)\s*= ).*$/gm, '', 14],
    [/\b[\w.]*distr\s*(== (3|4|100)|>= 3)(?!\d)/g, 'false', 23], // scales that are not linear
    [/const showLegend = legend\.show;/g, 'const showLegend = false;', 1],
    [/\bmode == 2(?!\d)/g, 'false', 16], // points that are not columns
    [/\bmode == 1(?!\d)/g, 'true', 16],
    [/(?<=\b(let )?isTime = )[^;]+/g, 'false', 3], // days are counted, so that no time zone comes in
    [/^const \[ (\w+),\s+(\w+),\s+(\w+)\s+\] = genTimeStuffs\(.*$/gm, 'let $1, $2, $3;', 2],
    [/^\tconst _(timeAxisSplits|timeAxisVals|timeSeriesVal|tzDate|fmtDate)\s*= .*$/gm, '', 5],
    [/(?<=time: )FEAT_TIME/g, 'false', 1],
];
const withoutUnused = {
    name: 'without what uPlot has and we do not use',
    setup({ onLoad }) {
        onLoad({ filter: /uPlot\.esm\.js$/ }, ({ path: file }) => {
            let contents = readFileSync(file, 'utf8');
            for (const [pattern, instead, times] of UNUSED) {
                const found = contents.match(pattern)?.length;
                if (found !== times) {
                    throw new Error(`uPlot has changed: ${pattern} is there ${found} times; look at UNUSED in ui/build.mjs`);
                }
                contents = contents.replace(pattern, instead);
            }
            return { contents };
        });
    },
};

/** What is wrong with a source esbuild has said; a stack trace would only hide it. */
const giveUp = () => process.exit(1);

/** The catalogue as one module for each language: `texts:en` and `texts:fr`. */
const LANGUAGES = ['en', 'fr'];
const { messages } = await load('src/messages/index.ts').catch(giveUp);
const texts = {
    name: 'texts of one language',
    setup({ onResolve, onLoad }) {
        onResolve({ filter: /^texts:/ }, ({ path: name }) => ({ path: name.slice('texts:'.length), namespace: 'texts' }));
        onLoad({ filter: /.*/, namespace: 'texts' }, ({ path: language }) => {
            const of = Object.entries(messages).map(([name, all]) => [name, all[LANGUAGES.indexOf(language)]]);
            return { contents: `export default ${JSON.stringify(Object.fromEntries(of))}`, loader: 'js' };
        });
    },
};

const options = {
    absWorkingDir: here,
    entryPoints: { main: 'src/main.tsx', style: 'src/css/style.css', icon: 'icon.svg' },
    outdir: path.join(out, 'ui'),
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    assetNames: '[name]-[hash]',
    loader: { '.svg': 'copy' },
    bundle: true,
    splitting: true,
    format: 'esm',
    target: ['chrome123', 'firefox121', 'safari17.5'],
    minifySyntax: true,
    minifyWhitespace: true,
    metafile: true,
    legalComments: 'none',
    jsxFactory: 'h',
    jsxFragment: 'Fragment',
    inject: ['jsx.mjs'],
    tsconfigRaw: {},
    plugins: [withoutUnused, texts],
    logLevel: 'warning',
};
const result = await build(options).catch(giveUp);

// Terser makes it a thirtieth smaller than esbuild would.
for (const [file, { bytes }] of Object.entries(result.metafile.outputs)) {
    const name = path.join(here, file);
    if (bytes > 0 && name.endsWith('.js')) {
        const { code } = await minify(readFileSync(name, 'utf8'), { module: true, ecma: 2020, compress: { passes: 2 } });
        writeFileSync(name, code);
    }
}

const address = (file) => `/ui/${path.basename(file)}`;

/** The output that an entry point has become. */
function made(entry) {
    const [file, { imports }] = Object.entries(result.metafile.outputs).find(([, output]) => output.entryPoint === entry);
    return { name: address(file), imports: imports.filter(({ kind }) => kind === 'import-statement').map((one) => address(one.path)) };
}

const main = made('src/main.tsx');
const names = {
    MAIN: main.name, STYLE: made('src/css/style.css').name, ICON: made('icon.svg').name,
    // What it needs at once is fetched with it, rather than when it has been read.
    PRELOADS: main.imports.map((name) => `<link rel="modulepreload" href="${name}">`).join('\n'),
};
const page = readFileSync(path.join(here, 'index.html'), 'utf8');
writeFileSync(path.join(out, 'index.html'), page.replace(/\{(MAIN|STYLE|ICON|PRELOADS)\}/g, (_, name) => names[name]));
const pages = JSON.parse(readFileSync(path.join(here, 'src/pages.json'), 'utf8'));
writeFileSync(path.join(out, 'pages'), pages.map(({ path: text }) => `${text}\n`).join(''));
