/**
 * The members of risks and mitigations that people edit, each declared once: editors, checks, what is sent and what is
 * merged are made from these tables. A form holds a value per member as it is typed (a number as text, no text as ''),
 * so that it can be shown again letter by letter; `write` makes of it what the API takes.
 */
import { limits, type AssetBrief } from '../api.gen';
import { t } from '../i18n';
import { checkText } from './field';
import type { Member as ValuesOf } from './values';

/** One of a risk's own fields. `type` is what its value was: a number stays one while it reads as one. */
export interface Row {
    name: string;
    text: string;
    type: 'string' | 'number' | 'boolean' | 'null';
}

export type Kind = 'text' | 'long' | 'scale' | 'word' | 'date' | 'number' | 'texts' | 'rows' | 'assets';
export type Value = string | number | string[] | Row[] | AssetBrief[];
export type Values = Record<string, Value>;

interface Limit {
    maxLength?: number;
    minimum?: number;
    maximum?: number;
    maxItems?: number;
    itemLength?: number;
    enum?: readonly string[];
}

export interface Member {
    name: string;
    kind: Kind;
    limit: Limit;
    required?: boolean;
    /** The group of its words in the catalogue. */
    words?: string;
    /** Values in use are offered. */
    known?: ValuesOf;
    /** What it is called in the API, if not by its name. */
    api?: string;
}

/** How many of its own fields a risk has at most, and how many assets (src/domain/risk.h). */
const ROWS_MAX = 50;

const risk = (limits.RiskChange as Record<string, Limit>);
const mitigation = (limits.MitigationChange as Record<string, Limit>);
const of = (table: Record<string, Limit>, name: string, kind: Kind, more: Partial<Member> = {}): Member => ({ name, kind, limit: table[name] ?? {}, ...more });

export const riskMembers: readonly Member[] = [
    of(risk, 'title', 'text', { required: true }),
    of(risk, 'description', 'long'),
    of(risk, 'impact', 'scale', { required: true }),
    of(risk, 'probability', 'scale', { required: true }),
    of(risk, 'status', 'word', { words: 'status' }),
    of(risk, 'treatment', 'word', { words: 'treatment' }),
    of(risk, 'owner', 'text', { known: 'owner' }),
    of(risk, 'category', 'text', { known: 'category' }),
    of(risk, 'review_date', 'date'),
    of(risk, 'tags', 'texts', { known: 'tag' }),
    of(risk, 'frameworks', 'texts', { known: 'framework' }),
    of(risk, 'custom_fields', 'rows'),
    of(risk, 'assets', 'assets', { api: 'asset_ids' }),
];

export function memberOf(name: string): Member {
    return riskMembers.find((member) => member.name === name)!;
}

export const mitigationMembers: readonly Member[] = [
    of(mitigation, 'title', 'text', { required: true }),
    of(mitigation, 'description', 'long'),
    of(mitigation, 'status', 'word', { words: 'mitigation' }),
    of(mitigation, 'assignee', 'text', { known: 'owner' }),
    of(mitigation, 'due_date', 'date'),
    of(mitigation, 'progress', 'number', { required: true }),
    of(mitigation, 'cost', 'number'),
    of(mitigation, 'mitigation_time', 'number'),
];

export function apiName({ api, name }: Member): string {
    return api ?? name;
}

function rowsOf(fields: Record<string, unknown>): Row[] {
    return Object.entries(fields).map(([name, value]) => ({
        name, text: value === null ? '' : String(value), type: value === null ? 'null' : typeof value as Row['type'],
    }));
}

function writeRow({ text, type }: Row): unknown {
    if (type === 'number' && text.trim() !== '' && Number.isFinite(Number(text))) {
        return Number(text);
    }
    return type === 'boolean' ? text === 'true' : type === 'null' && text === '' ? null : text;
}

/** From the API to the form. */
function readMember({ kind }: Member, raw: unknown): Value {
    switch (kind) {
        case 'scale': return raw as number;
        case 'texts': case 'assets': return (raw ?? []) as Value;
        case 'rows': return rowsOf((raw ?? {}) as Record<string, unknown>);
        case 'text': case 'long': case 'word': case 'date': case 'number': return raw === null || raw === undefined ? '' : String(raw);
    }
}

/** From the form to the API. */
export function writeMember({ kind, required }: Member, value: Value): unknown {
    switch (kind) {
        case 'scale': return value;
        case 'number': return Number(value || 0);
        case 'texts': return value;
        case 'assets': return (value as AssetBrief[]).map(({ id }) => id);
        case 'rows': return Object.fromEntries((value as Row[]).filter(({ name }) => name.trim() !== '').map((row) => [row.name.trim(), writeRow(row)]));
        case 'word': return value;
        case 'text': case 'long': case 'date': {
            const text = kind === 'long' ? value as string : (value as string).trim();
            return text === '' && !required ? null : text;
        }
    }
}

/** In which order names, tags and assets stand does not matter. */
function comparable(member: Member, value: Value): string {
    const written = writeMember(member, value);
    return JSON.stringify(member.kind === 'rows' ? Object.entries(written as object).sort() : Array.isArray(written) ? [...written].sort() : written);
}

export function isSame(member: Member, a: Value, b: Value): boolean {
    return comparable(member, a) === comparable(member, b);
}

export function valuesOf(members: readonly Member[], thing: object): Values {
    return Object.fromEntries(members.map((member) => [member.name, readMember(member, (thing as Record<string, unknown>)[member.name])]));
}

/** Names of the members that differ. */
export function differing(members: readonly Member[], a: Values, b: Values): Member[] {
    return members.filter((member) => !isSame(member, a[member.name]!, b[member.name]!));
}

/** What a PATCH has to say to make `to` of `from`. */
export function changesOf(members: readonly Member[], from: Values, to: Values): Record<string, unknown> {
    return Object.fromEntries(differing(members, from, to).map((member) => [apiName(member), writeMember(member, to[member.name]!)]));
}

function checkRows(rows: Row[]): string | undefined {
    const filled = rows.filter(({ name, text }) => name.trim() !== '' || text !== '');
    const names = filled.map(({ name }) => name.trim());
    if (new Set(names).size < filled.length || names.includes('')) {
        return t('risk.fields.nameless');
    }
    return filled.length > ROWS_MAX ? t('risk.many', { max: ROWS_MAX }) : undefined;
}

/** What is wrong with a value, or undefined. */
export function checkMember({ kind, limit, required = false }: Member, value: Value): string | undefined {
    switch (kind) {
        case 'text': case 'long': return checkText(value as string, { required, ...(limit.maxLength === undefined ? {} : { maxLength: limit.maxLength }) });
        case 'scale': return value ? undefined : t('field.required');
        case 'number': {
            const [least, most] = [limit.minimum ?? 0, limit.maximum ?? Number.MAX_SAFE_INTEGER];
            const n = Number(value);
            return Number.isInteger(n) && n >= least && n <= most ? undefined : t('risk.whole', { least, most });
        }
        case 'texts': {
            const texts = value as string[];
            const long = limit.itemLength !== undefined && texts.some((text) => [...text].length > limit.itemLength!);
            return long ? t('field.long', { max: limit.itemLength! }) : texts.length > (limit.maxItems ?? Infinity) ? t('risk.many', { max: limit.maxItems! }) : undefined;
        }
        case 'rows': return checkRows(value as Row[]);
        case 'word': case 'date': case 'assets': return undefined;
    }
}

export function checkAll(members: readonly Member[], values: Values): Record<string, string> {
    const wrong = members.map((member) => [member.name, checkMember(member, values[member.name]!)] as const);
    return Object.fromEntries(wrong.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

export function hasWrong(members: readonly Member[], values: Values): boolean {
    return Object.keys(checkAll(members, values)).length > 0;
}
