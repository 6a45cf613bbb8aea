/** What has changed in a text: words that went and words that came, with a little of what stands around them. */
import { t } from '../i18n';

interface Part {
    kind: 'same' | 'gone' | 'new';
    text: string;
}

/** Beyond so many words on either side it is one piece for another: a comparison of all with all takes their product. */
const WORDS_MAX = 400;
const AROUND = 40; // characters

function wordsOf(text: string): string[] {
    return text.match(/\s+|[^\s]+/g) ?? [];
}

/** The longest common subsequence of words, as parts. */
function compare(a: string[], b: string[]): Part[] {
    if (a.length > WORDS_MAX || b.length > WORDS_MAX) {
        return [{ kind: 'gone', text: a.join('') }, { kind: 'new', text: b.join('') }];
    }
    const width = b.length + 1;
    const length = new Uint16Array((a.length + 1) * width);
    for (let i = a.length - 1; i >= 0; i--) {
        for (let j = b.length - 1; j >= 0; j--) {
            length[i * width + j] = a[i] === b[j] ? length[(i + 1) * width + j + 1]! + 1 : Math.max(length[(i + 1) * width + j]!, length[i * width + j + 1]!);
        }
    }
    const parts: Part[] = [];
    for (let i = 0, j = 0; i < a.length || j < b.length;) {
        if (i < a.length && j < b.length && a[i] === b[j]) {
            parts.push({ kind: 'same', text: a[i++]! });
            j++;
        } else if (j >= b.length || (i < a.length && length[(i + 1) * width + j]! >= length[i * width + j + 1]!)) {
            parts.push({ kind: 'gone', text: a[i++]! });
        } else {
            parts.push({ kind: 'new', text: b[j++]! });
        }
    }
    return parts;
}

export function difference(from: string, to: string): Part[] {
    const [a, b] = [wordsOf(from), wordsOf(to)];
    let head = 0;
    while (head < a.length && head < b.length && a[head] === b[head]) {
        head++;
    }
    let tail = 0;
    while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) {
        tail++;
    }
    const all: Part[] = [
        { kind: 'same', text: a.slice(0, head).join('') },
        ...compare(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
        { kind: 'same', text: a.slice(a.length - tail).join('') },
    ];
    return all.reduce<Part[]>((parts, part) => {
        const last = parts.at(-1);
        if (last?.kind === part.kind) {
            last.text += part.text;
        } else if (part.text !== '') {
            parts.push({ ...part });
        }
        return parts;
    }, []);
}

/** The beginning and the end of what has not changed is enough. */
function shortened(text: string, isFirst: boolean, isLast: boolean): string {
    if (text.length <= 2 * AROUND) {
        return text;
    }
    return `${isFirst ? '' : text.slice(0, AROUND)} … ${isLast ? '' : text.slice(-AROUND)}`;
}

/** What went or came, also for those who do not see how it is marked. */
export function Marked({ isNew, text }: { isNew: boolean; text: string }) {
    const content = <><span class="unseen">{t(isNew ? 'risk.new' : 'risk.gone')} </span>{text}</>;
    return isNew ? <ins>{content}</ins> : <del>{content}</del>;
}

export function Difference({ from, to }: { from: string; to: string }) {
    const parts = difference(from, to);
    return (
        <span class="difference">
            {parts.map(({ kind, text }, i) => (
                kind === 'same' ? <span key={i}>{shortened(text, i === 0, i === parts.length - 1)}</span>
                    : <Marked key={i} isNew={kind === 'new'} text={text} />
            ))}
        </span>
    );
}
