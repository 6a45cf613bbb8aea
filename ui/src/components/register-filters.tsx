/** The filters: those that are set as chips, and a menu to add more. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Asset, AssetPage } from '../api.gen';
import { useGet } from '../data';
import { day, say, t } from '../i18n';
import { useShortcut } from '../keys';
import { withQuery } from '../router';
import { Input } from './field';
import { Finder, Menu, type Option } from './register-menu';
import { useRested } from './register-search';
import { filters, type Filter, type View } from './register-view';
import { useValues, type Member } from './values';

type SetFilter = (name: string, value: string | null) => void;

/** A value as people read it. */
function worded(filter: Filter, value: string): string {
    if (filter.kind === 'choice') {
        return filter.group === 'scale' ? `${value} – ${say('scale', value)}` : say(filter.group, value);
    }
    return filter.kind === 'day' && /^\d{4}-\d\d-\d\d$/.test(value) ? day(value) : value;
}

function Chip({ filter, value, onRemove }: { filter: Filter; value: string; onRemove: () => void }) {
    const asset = useGet<Asset>(filter.kind === 'asset' ? `/assets/${encodeURIComponent(value)}` : null);
    const text = filter.kind !== 'asset' ? worded(filter, value) : asset.data?.name ?? (asset.error ? value : '…');
    const label = t('filter.chip', { name: say('filter', filter.name), value: text });
    return (
        <li class="chip">
            <span>{label}</span>
            <button type="button" class="icon" aria-label={t('remove', { name: label })} onClick={onRemove}>×</button>
        </li>
    );
}

function ValueFinder({ member, label, onChoose }: { member: Member; label: string; onChoose: (value: string) => void }) {
    const [text, setText] = useState('');
    const values = useValues(member, useRested(text));
    return <Finder label={label} text={text} onText={setText} options={values.map((value) => ({ value, label: value }))} onChoose={onChoose} />;
}

function AssetFinder({ label, onChoose }: { label: string; onChoose: (value: string) => void }) {
    const [text, setText] = useState('');
    const found = useGet<AssetPage>(withQuery('/assets', { q: useRested(text).trim(), limit: 50 }), { keep: true });
    return <Finder label={label} text={text} onText={setText} options={(found.data?.items ?? []).map(({ id, name }) => ({ value: id, label: name }))} onChoose={onChoose} />;
}

function Typed({ filter, label, value, onChoose }: { filter: Filter; label: string; value: string; onChoose: (value: string) => void }) {
    const [text, setText] = useState(value);
    const form = useRef<HTMLFormElement>(null);
    const isScore = filter.kind === 'score';
    const isRight = isScore ? /^\d{1,3}([.,]\d{1,2})?$/.test(text.trim()) : text !== '';
    useLayoutEffect(() => form.current?.querySelector('input')?.focus(), []);
    return (
        <form ref={form} onSubmit={(event) => { event.preventDefault(); isRight && onChoose(text.trim().replace(',', '.')); }}>
            <Input label={label} type={isScore ? 'text' : 'date'} value={text} onInput={setText} hint={isScore ? t('filter.score.hint') : undefined} />
            <button type="submit" class="primary" disabled={!isRight}>{t('filter.apply')}</button>
        </form>
    );
}

function Values({ filter, view, onChoose }: { filter: Filter; view: View; onChoose: (value: string) => void }) {
    const label = say('filter', filter.name);
    switch (filter.kind) {
    case 'choice':
        return <Menu label={label} options={filter.options.map((value): Option => ({ value, label: worded(filter, value) }))} onChoose={onChoose} />;
    case 'value':
        return <ValueFinder member={filter.member} label={label} onChoose={onChoose} />;
    case 'asset':
        return <AssetFinder label={label} onChoose={onChoose} />;
    case 'score':
    case 'day':
        return <Typed filter={filter} label={label} value={view.filters[filter.name] ?? ''} onChoose={onChoose} />;
    }
}

/** First what to filter by, then which value. */
function AddFilter({ view, set, button }: { view: View; set: SetFilter; button: { current: HTMLButtonElement | null } }) {
    const [shown, setShown] = useState<Filter | 'filters' | null>(null);
    const box = useRef<HTMLDivElement>(null);
    const close = () => {
        setShown(null);
        button.current?.focus();
    };
    useShortcut('close', close, shown !== null);
    useEffect(() => {
        if (shown === null) {
            return undefined;
        }
        const leave = (event: Event) => box.current?.contains(event.target as Node) || setShown(null);
        document.addEventListener('pointerdown', leave);
        document.addEventListener('focusin', leave);
        return () => {
            document.removeEventListener('pointerdown', leave);
            document.removeEventListener('focusin', leave);
        };
    }, [shown]);
    return (
        <div class="add-filter" ref={box}>
            <button ref={button} type="button" aria-haspopup="true" aria-expanded={shown !== null} onClick={() => setShown(shown === null ? 'filters' : null)}>{t('filter.add')}</button>
            {shown !== null && (
                <div class="popup">
                    {shown === 'filters'
                        ? (
                            <Menu
                                label={t('filter.add')} options={filters.map(({ name }) => ({ value: name, label: say('filter', name) }))}
                                onChoose={(name) => setShown(filters.find((filter) => filter.name === name)!)}
                            />
                        )
                        : <Values key={shown.name} filter={shown} view={view} onChoose={(value) => { set(shown.name, value); close(); }} />}
                </div>
            )}
        </div>
    );
}

export function Filters({ view, set, clear }: { view: View; set: SetFilter; clear: () => void }) {
    const button = useRef<HTMLButtonElement>(null);
    const shown = filters.filter(({ name }) => view.filters[name] !== undefined);
    // What had the focus is gone with its chip.
    const refocus = () => button.current?.focus();
    return (
        <>
            <AddFilter view={view} set={set} button={button} />
            {shown.length > 0 && (
                <>
                    <ul class="chips" aria-label={t('filter.set')}>
                        {shown.map((filter) => (
                            <Chip key={filter.name} filter={filter} value={view.filters[filter.name]!} onRemove={() => { set(filter.name, null); refocus(); }} />
                        ))}
                    </ul>
                    <button type="button" class="link" onClick={() => { clear(); refocus(); }}>{t('filter.clear')}</button>
                </>
            )}
        </>
    );
}
