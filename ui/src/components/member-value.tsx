/** The value of a member as it is shown, in words. */
import type { AssetBrief } from '../api.gen';
import { day, number, say, t } from '../i18n';
import type { Member, Row, Value } from './members';
import { Due } from './show';

function rowText({ text, type }: Row): string {
    return type === 'boolean' ? t(text === 'true' ? 'yes' : 'no') : type === 'null' ? '–' : text;
}

/** In one line of text. */
export function valueText({ kind, words }: Member, value: Value): string {
    switch (kind) {
        case 'scale': return value ? `${value as number} · ${say('scale', String(value))}` : '–';
        case 'word': return say(words!, value as string);
        case 'date': return value === '' ? '–' : day(value as string);
        case 'number': return number(Number(value));
        case 'texts': return (value as string[]).join(', ') || '–';
        case 'rows': return (value as Row[]).map((row) => `${row.name}: ${rowText(row)}`).join(', ') || '–';
        case 'assets': return (value as AssetBrief[]).map((asset) => asset.name).join(', ') || '–';
        case 'text': case 'long': return (value as string) || '–';
    }
}

/** As on the page. `isDone`: a day that is past is not late. */
export function MemberValue({ member, value, isDone = false }: { member: Member; value: Value; isDone?: boolean }) {
    const isEmpty = value === '' || (Array.isArray(value) && value.length === 0);
    if (isEmpty) {
        return <span class="quiet">{t('none')}</span>;
    }
    switch (member.kind) {
        case 'date': return <Due date={value as string} done={isDone} />;
        case 'texts': return <span class="texts">{(value as string[]).map((one) => <span key={one} class="chip">{one}</span>)}</span>;
        case 'rows':
            return <ul class="own">{(value as Row[]).map((row) => <li key={row.name}><span class="quiet">{row.name}:</span> {rowText(row)}</li>)}</ul>;
        case 'long': return <p class="long">{value as string}</p>;
        case 'text': case 'scale': case 'word': case 'number': case 'assets': return <>{valueText(member, value)}</>;
    }
}
