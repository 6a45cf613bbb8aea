/**
 * TypeScript of what the API takes and answers, from its OpenAPI document, with the limits of what people type:
 *     curl -s http://127.0.0.1:8080/api/v1/openapi.json | node types.mjs >src/api.gen.ts
 * A test compares the result with the file.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What an input may hold; of the schemas that are bodies. */
const LIMITS = ['maxLength', 'maxItems', 'minimum', 'maximum', 'enum'];

function typeOf(schema) {
    if (schema.$ref) {
        return schema.$ref.split('/').pop();
    }
    if (schema.enum) {
        return schema.enum.map((value) => `'${value}'`).join(' | ');
    }
    const kinds = [schema.type ?? 'unknown'].flat();
    return kinds.map((kind) => ({
        integer: 'number',
        array: `${schema.items ? `(${typeOf(schema.items)})` : 'unknown'}[]`.replace(/^\((\w+)\)/, '$1'),
        object: schema.properties ? record(schema, '    ') : 'Record<string, unknown>',
    })[kind] ?? kind).join(' | ');
}

function record(schema, indent) {
    const members = Object.entries(schema.properties).map(([name, member]) =>
        `${indent}    ${/^[a-z_]\w*$/i.test(name) ? name : `'${name}'`}: ${typeOf(member)};\n`);
    return `{\n${members.join('')}${indent}}`;
}

function limitsOf(schema) {
    const rows = Object.entries(schema.properties ?? {}).map(([name, member]) => {
        const limits = Object.fromEntries(LIMITS.filter((key) => key in member).map((key) => [key, member[key]]));
        if (member.items?.maxLength) {
            limits.itemLength = member.items.maxLength;
        }
        return [name, limits];
    });
    return Object.fromEntries(rows.filter(([, limits]) => Object.keys(limits).length > 0));
}

export function types(document) {
    const schemas = Object.entries(document.components.schemas);
    const texts = schemas.map(([name, schema]) => schema.type === 'object' && schema.properties
        ? `export interface ${name} ${record(schema, '')}\n`
        : `export type ${name} = ${typeOf(schema)};\n`);
    const limits = Object.fromEntries(schemas.filter(([name]) => name.endsWith('Change')).map(([name, schema]) => [name, limitsOf(schema)])
        .filter(([, rows]) => Object.keys(rows).length > 0));
    return `// Made by ui/types.mjs from the API's OpenAPI document.\n\n${texts.join('\n')}
export const limits = ${JSON.stringify(limits, null, 4).replace(/"(\w+)":/g, '$1:').replace(/"/g, "'")} as const;\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    process.stdout.write(types(JSON.parse(readFileSync(0, 'utf8'))));
}
