/** One editor per kind of member (members.ts), each with its label, and what is wrong with it beside it. */
import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import type { AssetBrief } from '../api.gen';
import { say, t } from '../i18n';
import { AssetPicker } from './asset-picker';
import { Chip, Choice, Field, Input } from './field';
import type { Member, Row, Value } from './members';
import { useValues } from './values';

export const SCALE = [1, 2, 3, 4, 5];

interface EditorProps<T> {
    member: Member;
    label: string;
    value: T;
    onChange: (value: T) => void;
    error: string | undefined;
    autofocus?: boolean | undefined;
    /** Of a long text. */
    lines?: number;
}

/** An editor of several inputs, as a field. */
function Group({ member, label, error, class: kind, children }: Pick<EditorProps<unknown>, 'member' | 'label' | 'error'> & { class: string; children: ComponentChildren }) {
    const id = useId();
    return (
        <fieldset class={`field ${kind}${error ? ' wrong' : ''}`} data-arrows={kind === 'scale' || undefined} aria-invalid={error ? true : undefined} aria-describedby={error ? id : undefined}>
            <legend>{label}{member.required && <span class="required" aria-hidden="true"> *</span>}</legend>
            {children}
            {error && <p id={id} class="error">{error}</p>}
        </fieldset>
    );
}

/** Five steps with their words. The arrows move between them. */
function Scale(props: EditorProps<number>) {
    const { value, onChange, autofocus } = props;
    const name = useId();
    return (
        <Group {...props} class="scale">
            <div class="steps">
                {SCALE.map((step) => (
                    <label key={step} class="step">
                        <input
                            type="radio" name={name} checked={value === step} onChange={() => onChange(step)}
                            data-autofocus={autofocus && step === (value || 1) ? true : undefined}
                        />
                        <b>{step}</b><span>{say('scale', String(step))}</span>
                    </label>
                ))}
            </div>
        </Group>
    );
}

/** Short texts: Enter or a comma takes one in, Backspace takes the last one out. What still stands in the box counts, too. */
function Texts({ member, label, value, onChange, error, autofocus = false }: EditorProps<string[]>) {
    const [text, setText] = useState('');
    const list = useId();
    const known = useValues(member.known ?? null, text).filter((one) => !value.includes(one));
    // The text in the box is the last of the list while it is typed, so that saving at any moment saves it.
    const settled = text === '' ? value : value.slice(0, -1);
    const type = (next: string) => {
        const parts = next.split(',');
        const last = parts.pop()!;
        const done = [...settled, ...parts.map((part) => part.trim()).filter((part) => part !== '' && !settled.includes(part))];
        const rest = last.trim();
        setText(rest === '' ? '' : last.trimStart());
        onChange(rest === '' ? done : [...done, rest]);
    };
    const press = (event: KeyboardEvent) => {
        if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey && text !== '') {
            event.preventDefault();
            type(`${text},`);
        } else if (event.key === 'Backspace' && text === '' && value.length > 0) {
            onChange(value.slice(0, -1));
        }
    };
    return (
        <Field label={label} error={error} autofocus={autofocus} hint={error ? undefined : t('risk.texts.hint')}>
            {(described) => (
                <div class="texts">
                    {settled.map((one) => <Chip key={one} name={one} onRemove={() => onChange(value.filter((other) => other !== one))} />)}
                    <input
                        {...described} value={text} autocomplete="off" list={list} onInput={(event) => type(event.currentTarget.value)} onKeyDown={press}
                        onBlur={() => text !== '' && type(`${text},`)}
                    />
                    <datalist id={list}>{known.map((one) => <option key={one} value={one} />)}</datalist>
                </div>
            )}
        </Field>
    );
}

/** A risk's own fields: a name and a value each. */
function Rows(props: EditorProps<Row[]>) {
    const { value, onChange, autofocus } = props;
    const set = (at: number, some: Partial<Row>) => onChange(value.map((row, i) => (i === at ? { ...row, ...some } : row)));
    return (
        <Group {...props} class="rows">
            {value.map((row, i) => (
                <div key={i} class="row">
                    <input
                        aria-label={t('risk.fields.name')} placeholder={t('risk.fields.name')} value={row.name} autocomplete="off" data-autofocus={autofocus && i === 0 ? true : undefined}
                        onInput={(event) => set(i, { name: event.currentTarget.value })}
                    />
                    {row.type === 'boolean'
                        ? (
                            <select aria-label={row.name || t('risk.fields.value')} value={row.text} onChange={(event) => set(i, { text: event.currentTarget.value })}>
                                <option value="true">{t('yes')}</option><option value="false">{t('no')}</option>
                            </select>
                        )
                        : (
                            <input
                                aria-label={row.name || t('risk.fields.value')} placeholder={t('risk.fields.value')} value={row.text} autocomplete="off"
                                onInput={(event) => set(i, { text: event.currentTarget.value })}
                            />
                        )}
                    <button type="button" class="icon" aria-label={t('remove', { name: row.name })} onClick={() => onChange(value.filter((_, j) => j !== i))}>×</button>
                </div>
            ))}
            <p>
                <button type="button" data-autofocus={autofocus && value.length === 0 ? true : undefined} onClick={() => onChange([...value, { name: '', text: '', type: 'string' }])}>
                    {t('risk.fields.add')}
                </button>
            </p>
        </Group>
    );
}

function Text({ member, label, value, onChange, error, autofocus = false, lines = 6 }: EditorProps<string>) {
    const known = useValues(member.known ?? null, value);
    const { kind, limit, required = false } = member;
    return (
        <Input
            label={label} value={value} onInput={onChange} error={error} autofocus={autofocus} required={required}
            type={kind === 'date' ? 'date' : kind === 'number' ? 'number' : 'text'} options={member.known && known}
            {...(limit.maxLength === undefined ? {} : { maxLength: limit.maxLength })} {...(kind === 'long' ? { lines } : {})}
        />
    );
}

/** The editor for this member. */
export function Editor(props: Omit<EditorProps<Value>, 'label'>) {
    const { member, value, onChange, error, autofocus = false } = props;
    const label = say('member', member.name);
    switch (member.kind) {
        case 'scale': return <Scale {...props} label={label} value={value as number} />;
        case 'texts': return <Texts {...props} label={label} value={value as string[]} />;
        case 'rows': return <Rows {...props} label={label} value={value as Row[]} />;
        case 'assets': return <AssetPicker label={label} value={value as AssetBrief[]} onChange={onChange} error={error} autofocus={autofocus} />;
        case 'word': return <Choice label={label} value={value as string} onChange={onChange} group={member.words!} options={member.limit.enum!} error={error} autofocus={autofocus} />;
        case 'text': case 'long': case 'date': case 'number': return <Text {...props} label={label} value={value as string} />;
    }
}
