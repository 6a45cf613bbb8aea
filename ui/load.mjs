import { build } from 'esbuild';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));

/** What a module of the interface exports that needs no browser. */
export async function load(file) {
    const { outputFiles } = await build({ entryPoints: [path.join(here, file)], bundle: true, format: 'esm', write: false, logLevel: 'warning' });
    return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
}
