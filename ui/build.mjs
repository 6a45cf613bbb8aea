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

const here = path.dirname(fileURLToPath(import.meta.url));
const out = path.resolve(process.argv[2] ?? path.join(here, 'dist'));
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

/**
 * uPlot hangs what few use on its one export, where no bundler can leave it out: other forms of lines, dates by format,
 * charts that move together. We use none of it; a fifth of the library goes with these lines.
 */
const UNUSED = /^\s*(uPlot\.(assign|fmtNum|rangeNum|rangeLog|rangeAsinh|orient|join|fmtDate|tzDate|sync|addGap|clipGaps)\s*= |\(paths\.(stepped|bars|spline)\s*= ).*$/gm;
const withoutUnused = {
    name: 'without what uPlot has and we do not use',
    setup({ onLoad }) {
        onLoad({ filter: /uPlot\.esm\.js$/ }, ({ path: file }) => {
            const text = readFileSync(file, 'utf8');
            if (text.match(UNUSED)?.length !== 15) {
                throw new Error('uPlot has changed: look at UNUSED in ui/build.mjs');
            }
            return { contents: text.replace(UNUSED, '') };
        });
    },
};

const result = await build({
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
    minify: true,
    metafile: true,
    legalComments: 'none',
    jsxFactory: 'h',
    jsxFragment: 'Fragment',
    inject: ['jsx.mjs'],
    tsconfigRaw: {},
    plugins: [withoutUnused],
    logLevel: 'warning',
});

/** The name that an entry point has got. */
function made(entry) {
    const [file] = Object.entries(result.metafile.outputs).find(([, output]) => output.entryPoint === entry);
    return `/ui/${path.basename(file)}`;
}

const names = { MAIN: made('src/main.tsx'), STYLE: made('src/css/style.css'), ICON: made('icon.svg') };
const page = readFileSync(path.join(here, 'index.html'), 'utf8');
writeFileSync(path.join(out, 'index.html'), page.replace(/\{(MAIN|STYLE|ICON)\}/g, (_, name) => names[name]));
const pages = JSON.parse(readFileSync(path.join(here, 'src/pages.json'), 'utf8'));
writeFileSync(path.join(out, 'pages'), pages.map(({ path: text }) => `${text}\n`).join(''));
