/** What people type into, each with its label, and what is wrong with it beside it. */
import type { ComponentChildren, JSX } from 'preact';
import { useId } from 'preact/hooks';
import { say, t } from '../i18n';

interface Common {
    label: string;
    hint?: string | undefined;
    error?: string | undefined;
    required?: boolean;
    disabled?: boolean;
    autofocus?: boolean;
}

interface Described {
    id: string;
    'aria-describedby': string | undefined;
    'aria-invalid': boolean | undefined;
    'aria-required': boolean | undefined;
    disabled: boolean | undefined;
    'data-autofocus': boolean | undefined;
}

export function Field({ label, hint, error, required, disabled, autofocus, wide, children }: Common & {
    wide?: boolean | undefined; children: (described: Described) => ComponentChildren;
}) {
    const id = useId();
    const says = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ') || undefined;
    return (
        <div class={`field${error ? ' wrong' : ''}${wide ? ' wide' : ''}`}>
            <label for={id}>{label}{required && <span class="required" aria-hidden="true"> *</span>}</label>
            {children({
                id, 'aria-describedby': says, 'aria-invalid': error ? true : undefined, 'aria-required': required || undefined,
                disabled, 'data-autofocus': autofocus || undefined,
            })}
            {hint && <p id={`${id}-hint`} class="hint">{hint}</p>}
            {error && <p id={`${id}-error`} class="error">{error}</p>}
        </div>
    );
}

/** One of several that were chosen. */
export function Chip({ name, note, onRemove }: { name: string; note?: string; onRemove: () => void }) {
    return (
        <span class="chip">{name} {note && <span class="quiet">{note}</span>}
            <button type="button" class="icon" aria-label={t('remove', { name })} onClick={onRemove}>×</button>
        </span>
    );
}

interface InputProps extends Common {
    value: string;
    onInput: (value: string) => void;
    type?: 'text' | 'password' | 'email' | 'date' | 'number' | 'search';
    maxLength?: number;
    autocomplete?: string;
    placeholder?: string;
    /** Known values to choose from. */
    options?: readonly string[] | undefined;
    wide?: boolean;
    lines?: number;
}

export function Input({ value, onInput, type = 'text', maxLength, autocomplete, placeholder, options, wide, lines, ...common }: InputProps) {
    const list = useId();
    return (
        <Field {...common} wide={wide}>
            {(described) => (
                <>
                    {lines
                        ? <textarea {...described} rows={lines} value={value} onInput={(event) => onInput(event.currentTarget.value)} />
                        : (
                            <input
                                {...described} type={type} value={value} autocomplete={autocomplete ?? 'off'} placeholder={placeholder} list={options ? list : undefined}
                                onInput={(event) => onInput(event.currentTarget.value)}
                            />
                        )}
                    {options && <datalist id={list}>{options.map((option) => <option key={option} value={option} />)}</datalist>}
                    {maxLength !== undefined && value.length > maxLength * 0.8 && (
                        <p class={`count${[...value].length > maxLength ? ' over' : ''}`}>{[...value].length} / {maxLength}</p>
                    )}
                </>
            )}
        </Field>
    );
}

/** One of a few words of the API; `group` is for their names in the catalogue: status, treatment, … */
export function Choice({ value, onChange, group, options, none, wide, ...common }: Common & {
    value: string; onChange: (value: string) => void; group: string; options: readonly string[]; none?: string; wide?: boolean;
}) {
    return (
        <Field {...common} wide={wide}>
            {(described) => (
                <select {...described} value={value} onChange={(event: JSX.TargetedEvent<HTMLSelectElement>) => onChange(event.currentTarget.value)}>
                    {none !== undefined && <option value="">{none}</option>}
                    {options.map((option) => <option key={option} value={option}>{say(group, option)}</option>)}
                </select>
            )}
        </Field>
    );
}

/** What is wrong with a text, or undefined. */
export function checkText(value: string, { required = false, maxLength = Infinity }: { required?: boolean; maxLength?: number }): string | undefined {
    if (required && value.trim() === '') {
        return t('field.required');
    }
    return [...value].length > maxLength ? t('field.long', { max: maxLength }) : undefined;
}

/** What the server said about a field, if it said something. */
export function serverSays(error: unknown, field: string): string | undefined {
    const fields = (error as { fields?: { field: string; message: string }[] } | null)?.fields ?? [];
    return fields.find((one) => one.field === field || one.field.startsWith(`${field}[`))?.message;
}
