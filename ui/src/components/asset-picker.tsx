/**
 * The assets of a risk: chosen by typing a part of the name, made by its name when there is none. A combobox with a
 * list (WAI-ARIA Authoring Practices): the focus stays in the text, the arrows choose.
 */
import { useState } from 'preact/hooks';
import { post } from '../api';
import type { Asset, AssetBrief, AssetPage } from '../api.gen';
import { changed, useGet } from '../data';
import { say, t } from '../i18n';
import { withQuery } from '../router';
import { toastError } from '../toast';
import { useCombobox } from './combobox';
import { Chip, Field } from './field';

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
    label: string; value: AssetBrief[]; onChange: (value: AssetBrief[]) => void; error?: string | undefined; autofocus?: boolean;
}) {
    const [text, setText] = useState('');
    const { options, isKnown } = useOptions(text, value);
    const isOpen = text.trim() !== '' && options.length > 0;
    const take = async (option: Option | undefined) => {
        if (!option) {
            return;
        }
        try {
            const { id: made, name, type, criticality } = await option.take();
            onChange([...value, { id: made, name, type, criticality }]);
            setText('');
            if (option.key === 'new') {
                changed();
            }
        } catch (reason) {
            toastError(reason);
        }
    };
    const box = useCombobox(text, options, (option) => void take(option));
    const press = (event: KeyboardEvent) => {
        if (event.key === 'Escape' && text !== '') {
            event.preventDefault();
            setText('');
        } else {
            box.press(event);
        }
    };
    return (
        <Field label={label} error={error} autofocus={autofocus}>
            {(described) => (
                <>
                    {value.length > 0 && (
                        <ul class="texts">
                            {value.map((asset) => (
                                <li key={asset.id}><Chip name={asset.name} note={say('criticality', asset.criticality)} onRemove={() => onChange(value.filter((one) => one !== asset))} /></li>
                            ))}
                        </ul>
                    )}
                    <div class="picker">
                        <input
                            {...described} {...box.input} type="text" value={text} autocomplete="off" placeholder={t('risk.assets.hint')}
                            aria-expanded={isOpen} onInput={(event) => setText(event.currentTarget.value)} onKeyDown={press}
                        />
                        <div {...box.list} aria-label={label} hidden={!isOpen}>
                            {options.map((option, i) => (
                                <div key={option.key} {...box.option(i)}>
                                    <span class="label">{option.label}</span><span class="quiet">{option.note}</span>
                                </div>
                            ))}
                        </div>
                    </div>
                    {text.trim() !== '' && isKnown && options.length === 0 && <p class="hint" role="status">{t('risk.assets.taken')}</p>}
                </>
            )}
        </Field>
    );
}
