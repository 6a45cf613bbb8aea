/**
 * The assets of a risk: chosen by typing a part of the name, made by its name when there is none. A combobox with a
 * list (WAI-ARIA Authoring Practices): the focus stays in the text, the arrows choose.
 */
import { useId, useState } from 'preact/hooks';
import { post } from '../api';
import type { Asset, AssetBrief, AssetPage } from '../api.gen';
import { changed, useGet } from '../data';
import { say, t } from '../i18n';
import { withQuery } from '../router';
import { toastError } from '../toast';

const FOUND_MAX = 8;

interface Option {
    key: string;
    label: string;
    note: string;
    take: () => Promise<AssetBrief>;
}

function useOptions(text: string, taken: readonly AssetBrief[]): { options: Option[]; isKnown: boolean } {
    const name = text.trim();
    const got = useGet<AssetPage>(name ? withQuery('/assets', { q: name, limit: FOUND_MAX + taken.length }) : null, { keep: true });
    if (!name || !got.data) {
        return { options: [], isKnown: false };
    }
    const found = got.data.items;
    const options = found.filter(({ id }) => !taken.some((one) => one.id === id)).slice(0, FOUND_MAX).map((asset): Option => ({
        key: asset.id, label: asset.name, note: say('criticality', asset.criticality), take: () => Promise.resolve(asset),
    }));
    const exists = [...found, ...taken].some((asset) => asset.name.toLowerCase() === name.toLowerCase());
    if (!exists && !got.isOld) {
        options.push({ key: 'new', label: t('risk.assets.make', { name }), note: '', take: () => post<Asset>('/assets', { name }) });
    }
    return { options, isKnown: exists };
}

export function AssetPicker({ label, value, onChange, error, autofocus }: {
    label: string; value: AssetBrief[]; onChange: (value: AssetBrief[]) => void; error?: string | undefined; autofocus?: boolean | undefined;
}) {
    const id = useId();
    const [text, setText] = useState('');
    const [at, setAt] = useState(0);
    const { options, isKnown } = useOptions(text, value);
    const chosen = Math.min(at, options.length - 1);
    const isOpen = text.trim() !== '' && options.length > 0;
    const take = async (option: Option | undefined) => {
        if (!option) {
            return;
        }
        try {
            const { id: made, name, type, criticality } = await option.take();
            onChange([...value, { id: made, name, type, criticality }]);
            setText('');
            setAt(0);
            if (option.key === 'new') {
                changed();
            }
        } catch (reason) {
            toastError(reason);
        }
    };
    const press = (event: KeyboardEvent) => {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (step && isOpen) {
            event.preventDefault();
            setAt((chosen + step + options.length) % options.length);
        } else if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey) {
            event.preventDefault();
            event.stopPropagation();
            void take(options[chosen]);
        } else if (event.key === 'Escape' && text !== '') {
            event.preventDefault();
            setText('');
        }
    };
    return (
        <div class={error ? 'field wrong' : 'field'}>
            <label for={id}>{label}</label>
            {value.length > 0 && (
                <ul class="texts">
                    {value.map((asset) => (
                        <li key={asset.id} class="chip">{asset.name} <span class="quiet">{say('criticality', asset.criticality)}</span>
                            <button type="button" class="icon" aria-label={t('remove', { name: asset.name })} onClick={() => onChange(value.filter((one) => one !== asset))}>×</button>
                        </li>
                    ))}
                </ul>
            )}
            <div class="picker">
                <input
                    id={id} type="text" role="combobox" value={text} autocomplete="off" placeholder={t('risk.assets.hint')} data-autofocus={autofocus || undefined}
                    aria-expanded={isOpen} aria-controls={`${id}-list`} aria-activedescendant={isOpen ? `${id}-${chosen}` : undefined}
                    onInput={(event) => { setText(event.currentTarget.value); setAt(0); }} onKeyDown={press}
                />
                <div id={`${id}-list`} role="listbox" aria-label={label} hidden={!isOpen}>
                    {options.map((option, i) => (
                        <div
                            key={option.key} id={`${id}-${i}`} role="option" aria-selected={i === chosen}
                            onMouseMove={() => setAt(i)} onMouseDown={(event) => { event.preventDefault(); void take(option); }}
                        >
                            <span class="label">{option.label}</span><span class="quiet">{option.note}</span>
                        </div>
                    ))}
                </div>
            </div>
            {text.trim() !== '' && isKnown && options.length === 0 && <p class="hint" role="status">{t('risk.assets.taken')}</p>}
            {error && <p class="error">{error}</p>}
        </div>
    );
}
