/** The formats of files that can be imported, and what they are recognised by. */
export interface Format {
    /** Of the API. */
    name: string;
    type: string;
    extension: string;
    /** Does a file that begins so have this format? */
    fits: (head: string) => boolean;
    /** What its risks have in common, as a filter of the register. */
    source?: string;
}

export const formats: readonly Format[] = [
    { name: 'json', type: 'application/json', extension: '.json', fits: (head) => /^\s*[{[]/.test(head) },
    { name: 'kev', type: 'text/csv', extension: '.csv', fits: (head) => /(^|,)\s*"?cveID"?\s*(,|$)/i.test(firstLine(head)), source: 'CISA-KEV' },
];

const HEAD_BYTES = 4096;

function firstLine(text: string): string {
    return text.trimStart().split(/\r?\n/, 1)[0]!;
}

/** By what is in it; what it is called says little. */
export function formatOf(bytes: ArrayBuffer): Format | undefined {
    const head = new TextDecoder().decode(bytes.slice(0, HEAD_BYTES)); // without a byte order mark
    return formats.find(({ fits }) => fits(head));
}
