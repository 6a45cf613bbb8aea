/**
 * What the interface says, in English and French, and how dates and numbers are written.
 *
 * All texts are in messages/, each as [English, French]. `{name}` stands for a value. A text with "|" has two forms,
 * for one and for more, chosen by `count` after the language's own rule. A browser gets those of one language: the
 * modules texts:en and texts:fr, which ui/build.mjs makes of the catalogue.
 */
import type { messages } from './messages';
import type { Language } from './settings';
import { store } from './store';

export type Text = keyof typeof messages;
export type Values = Record<string, string | number>;

const spoken = store<{ language: Language; texts: Readonly<Record<string, string>> }>({ language: 'en', texts: {} });

/** The language that is spoken now; to be drawn again when it is another. */
export const useLanguage = spoken.use;

/** Speak this language, as soon as its texts are there. */
export async function speak(language: Language): Promise<void> {
    const { default: texts } = await (language === 'fr' ? import('texts:fr') : import('texts:en'));
    document.documentElement.lang = language;
    spoken.set({ language, texts });
}

function locale(): string {
    return spoken.get().language === 'fr' ? 'fr' : 'en-GB';
}

export function t(name: Text, values: Values = {}): string {
    const forms = (spoken.get().texts[name] ?? name).split('|');
    const { count } = values;
    const isOne = typeof count === 'number' && new Intl.PluralRules(locale()).select(count) === 'one';
    const form = forms.length === 1 || isOne ? forms[0]! : forms[1]!;
    return form.replace(/\{(\w+)\}/g, (_, key: string) => {
        const value = values[key];
        return typeof value === 'number' ? number(value) : String(value ?? '');
    });
}

/** A text for a word of the API: say('status', 'ACTIVE') is the text "status.ACTIVE". The word itself if there is none. */
export function say(group: string, word: string): string {
    const name = `${group}.${word}`;
    return name in spoken.get().texts ? t(name as Text) : word;
}

/** Texts for comparing: without case and accents. */
export function folded(text: string): string {
    return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}

/** A title that people gave, within a text. */
export function quoted(text: string): string {
    return t('quoted', { text });
}

export function number(value: number, digits = 2): string {
    return value.toLocaleString(locale(), { maximumFractionDigits: digits });
}

export function percent(part: number, digits = 0): string {
    return part.toLocaleString(locale(), { style: 'percent', maximumFractionDigits: digits });
}

export function bytes(count: number): string {
    const step = count < 1024 ? 0 : Math.min(3, Math.floor(Math.log2(count) / 10));
    return `${number(count / 1024 ** step, step === 0 ? 0 : 1)} ${['B', 'KiB', 'MiB', 'GiB'][step]}`;
}

/** Milliseconds, as people read them: 0.35 ms, 12 ms, 1.2 s. */
export function duration(ms: number): string {
    return ms < 1000 ? `${number(ms, ms < 10 ? 2 : 0)} ms` : `${number(ms / 1000, 1)} s`;
}

/** A day, "2026-11-26", which has no time zone. */
export function day(text: string): string {
    return new Date(`${text}T00:00:00Z`).toLocaleDateString(locale(), { timeZone: 'UTC', dateStyle: 'medium' });
}

/** A moment in the time of whoever reads. */
export function moment(text: string): string {
    return new Date(text).toLocaleString(locale(), { dateStyle: 'medium', timeStyle: 'short' });
}

/** How long ago: "3 minutes ago". */
export function ago(text: string, now = Date.now()): string {
    const seconds = Math.round((Date.parse(text) - now) / 1000);
    const units: [Intl.RelativeTimeFormatUnit, number][] = [['year', 31536000], ['month', 2592000], ['day', 86400], ['hour', 3600], ['minute', 60]];
    const found = units.find(([, length]) => Math.abs(seconds) >= length);
    const format = new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' });
    return found ? format.format(Math.trunc(seconds / found[1]), found[0]) : format.format(0, 'second');
}

/** Today, in the server's calendar (UTC). */
export function today(): string {
    return new Date().toISOString().slice(0, 10);
}
