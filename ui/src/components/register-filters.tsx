/** The filters: those that are set as chips, and a list to add more from. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Asset, AssetPage } from '../api.gen';
import { useGet } from '../data';
import { day, folded, say, t } from '../i18n';
import { useShortcut } from '../keys';
import { withQuery } from '../router';
import { useCombobox } from './combobox';
import { Chip, Input } from './field';
import { useRested } from './register-search';
import { filters, type Filter, type View } from './register-view';
import { useValues, type Member } from './values';

type Choose = (value: string) => void;

/** A value as people read it. */
function worded({ kind, group }: Filter, value: string): string {
    if (group) {
        return group === 'scale' ? `${value} – ${say(group, value)}` : say(group, value);
    }
    return kind === 'day' && /^\d{4}-\d\d-\d\d$/.test(value) ? day(value) : value;
}

function Shown({ filter, value, onRemove }: { filter: Filter; value: string; onRemove: () => void }) {
    const asset = useGet<Asset>(filter.kind === 'asset' ? `/assets/${encodeURIComponent(value)}` : null);
    const text = filter.kind !== 'asset' ? worded(filter, value) : asset.data?.name ?? (asset.error ? value : '…');
    return <li><Chip name={`${t('named', { name: say('member', filter.name) })} ${text}`} onRemove={onRemove} /></li>;
}

/** Values and what they are called: of this filter, or the names of all filters. */
function useOptions(filter: Filter | null, text: string): (readonly [value: string, label: string])[] {
    const q = useRested(text).trim();
    const values = useValues(filter?.kind === 'value' ? filter.name as Member : null, q);
    const assets = useGet<AssetPage>(filter?.kind === 'asset' ? withQuery('/assets', { q, limit: 50 }) : null, { keep: true });
    switch (filter?.kind) {
        case 'value': return values.map((value) => [value, value]);
        case 'asset': return (assets.data?.items ?? []).map(({ id, name }) => [id, name]);
        default: {
            const all = filter ? filter.options!.map((value) => [value, worded(filter, value)] as const) : filters.map(({ name }) => [name, say('member', name)] as const);
            return all.filter(([, label]) => folded(label).includes(folded(text.trim())));
        }
    }
}

/** What is typed narrows the list. */
function Finder({ filter, onChoose }: { filter: Filter | null; onChoose: Choose }) {
    const [text, setText] = useState('');
    const input = useRef<HTMLInputElement>(null);
    const options = useOptions(filter, text);
    const box = useCombobox(text, options, ([value]) => onChoose(value));
    const label = filter ? say('member', filter.name) : t('filter.add');
    // At once, so that the next key is not lost, however quickly one types.
    useLayoutEffect(() => input.current?.focus(), []);
    return (
        <>
            <input
                ref={input} {...box.input} aria-label={label} placeholder={label} aria-expanded="true" autocomplete="off" value={text}
                onInput={(event) => setText(event.currentTarget.value)} onKeyDown={box.press}
            />
            <div {...box.list} aria-label={label}>
                {options.map(([value, name], i) => <div key={value} {...box.option(i)}>{name}</div>)}
            </div>
            {options.length === 0 && <p class="hint" role="status">{t('filter.nothing')}</p>}
        </>
    );
}

function Typed({ filter, value, onChoose }: { filter: Filter; value: string; onChoose: Choose }) {
    const [text, setText] = useState(value);
    const form = useRef<HTMLFormElement>(null);
    const isScore = filter.kind === 'score';
    const isRight = isScore ? /^\d{1,3}([.,]\d{1,2})?$/.test(text.trim()) : text !== '';
    useLayoutEffect(() => form.current?.querySelector('input')?.focus(), []);
    return (
        <form ref={form} onSubmit={(event) => { event.preventDefault(); isRight && onChoose(text.trim().replace(',', '.')); }}>
            <Input label={say('member', filter.name)} type={isScore ? 'text' : 'date'} value={text} onInput={setText} hint={isScore ? t('filter.score.hint') : undefined} />
            <button type="submit" class="primary" disabled={!isRight}>{t('filter.apply')}</button>
        </form>
    );
}

/** Open until one leaves. */
function useLeave(isOpen: boolean, leave: () => void) {
    const box = useRef<HTMLDivElement>(null);
    useEffect(() => {
        const look = (event: Event) => box.current?.contains(event.target as Node) || leave();
        const events = isOpen ? ['pointerdown', 'focusin'] : [];
        events.forEach((name) => document.addEventListener(name, look));
        return () => events.forEach((name) => document.removeEventListener(name, look));
    }, [isOpen]);
    return box;
}

export function Filters({ view, set, clear }: { view: View; set: (name: string, value: string | null) => void; clear: () => void }) {
    // First what to filter by, then which value.
    const [open, setOpen] = useState<Filter | 'all' | null>(null);
    const button = useRef<HTMLButtonElement>(null);
    const box = useLeave(open !== null, () => setOpen(null));
    const shown = filters.filter(({ name }) => view.filters[name] !== undefined);
    // What had the focus is gone: with the list, or with its chip.
    const close = () => {
        setOpen(null);
        button.current?.focus();
    };
    const choose = (filter: Filter) => (value: string | null) => {
        set(filter.name, value);
        close();
    };
    useShortcut('close', close, open !== null);
    return (
        <>
            <div class="picker" ref={box}>
                <button ref={button} type="button" aria-haspopup="listbox" aria-expanded={open !== null} onClick={() => setOpen(open ? null : 'all')}>{t('filter.add')}</button>
                {open && (
                    <div class="popup">
                        {open === 'all' ? <Finder filter={null} onChoose={(name) => setOpen(filters.find((filter) => filter.name === name)!)} />
                            : open.kind === 'score' || open.kind === 'day' ? <Typed filter={open} value={view.filters[open.name] ?? ''} onChoose={choose(open)} />
                                : <Finder key={open.name} filter={open} onChoose={choose(open)} />}
                    </div>
                )}
            </div>
            {shown.length > 0 && (
                <>
                    <ul class="tools" aria-label={t('filter.set')}>
                        {shown.map((filter) => <Shown key={filter.name} filter={filter} value={view.filters[filter.name]!} onRemove={() => choose(filter)(null)} />)}
                    </ul>
                    <button type="button" class="link" onClick={() => { clear(); close(); }}>{t('filter.clear')}</button>
                </>
            )}
        </>
    );
}
