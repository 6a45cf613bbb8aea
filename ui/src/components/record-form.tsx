/**
 * Forms as tables of fields, for one thing that is made or changed. Only what differs is saved. If somebody else has
 * changed the thing meanwhile, nothing is written: their state comes into the form, under what was typed here, and the
 * form tells what they changed and asks.
 */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { ApiError } from '../api';
import { say, t, type Text } from '../i18n';
import { errorText } from '../toast';
import { Actions, Dialog } from './dialog';
import { checkText, Choice, Input, serverSays } from './field';

/** All as text, since inputs hold text. */
type Values = Record<string, string>;

export interface Field {
    name: string;
    label: Text;
    type?: 'email' | 'date' | 'password';
    required?: boolean;
    maxLength?: number;
    autocomplete?: string;
    /** Known values; with `group` it is one of them, by its name in the catalogue. */
    options?: readonly string[];
    group?: string;
    hint?: (value: string) => string | undefined;
    /** What is wrong with it, if it is not empty. */
    check?: (value: string, values: Values) => string | undefined;
}

interface Options<T> {
    /** What it is about; version 0: there is none yet. */
    thing: { version: number };
    fields: Field[];
    /** Write it: the members that differ, and the version they are to be written over. */
    send: (body: Record<string, unknown>, version: number) => Promise<T>;
    /** The thing as it is now. */
    reread?: () => Promise<T>;
    /** Goes along with whatever is written. */
    also?: Record<string, unknown> | undefined;
    /** May it be written, as far as no field by itself can know? */
    isReady?: (values: Values) => boolean;
    onSaved: (saved: T) => void;
}

/** null empties a member of the API. */
function valueOf(text: string, before: unknown): unknown {
    return typeof before === 'boolean' ? text === 'true' : text || null;
}

export function useForm<T extends { version: number }>({ thing, fields, send, reread, also, isReady: mayWrite, onSaved }: Options<T>) {
    const textOf = (thing: object, { name }: Field) => String((thing as Record<string, unknown>)[name] ?? '');
    const textsOf = (thing: object): Values => Object.fromEntries(fields.map((field) => [field.name, textOf(thing, field)]));
    const typed = (field: Field) => (field.type === 'password' ? values[field.name]! : values[field.name]!.trim());
    const [base, setBase] = useState(thing);
    const [values, setValues] = useState(() => textsOf(thing));
    const [theirs, setTheirs] = useState<{ field: Field; theirs: string; mine: string | undefined }[] | null>(null);
    const { busy, error, run } = useBusy();
    const mine = fields.filter((field) => typed(field) !== textOf(base, field));
    const wrong = (field: Field) => checkText(values[field.name]!, { ...field, required: false }) ?? (typed(field) ? field.check?.(typed(field), values) : undefined);
    const isReady = mayWrite?.(values) !== false && fields.every((field) => !(field.required && typed(field) === '') && wrong(field) === undefined);

    const meet = (now: T) => {
        setTheirs(fields.filter((field) => textOf(now, field) !== textOf(base, field))
            .map((field) => ({ field, theirs: textOf(now, field), mine: mine.includes(field) ? typed(field) : undefined })));
        setValues({ ...textsOf(now), ...Object.fromEntries(mine.map(({ name }) => [name, values[name]!])) });
        setBase(now);
    };
    const submit = () => void (isReady && run(async () => {
        const body = { ...Object.fromEntries((base.version ? mine : fields).map((field) => [field.name, valueOf(typed(field), (base as unknown as Record<string, unknown>)[field.name])])), ...also };
        try {
            const saved = Object.keys(body).length > 0 ? await send(body, base.version) : base as T;
            setBase(saved);
            setValues(textsOf(saved));
            setTheirs(null);
            onSaved(saved);
        } catch (error) {
            if (!(error instanceof ApiError) || error.status !== 412 || !reread) {
                throw error;
            }
            meet(await reread());
        }
    }));
    const takeTheirs = () => {
        setValues(textsOf(base));
        setTheirs(null);
    };
    const errorOf = (field: Field) => (field.required && typed(field) === '' && textOf(base, field) ? t('field.required') : wrong(field)) ?? serverSays(error, field.name);
    return { fields, values, set: (some: Values) => setValues({ ...values, ...some }), theirs, takeTheirs, errorOf, busy, error, isReady, submit, isNew: base.version === 0 };
}

type Form = ReturnType<typeof useForm>;

/** Run something once at a time; what went wrong is `error`. */
export function useBusy() {
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState<unknown>(null);
    const run = async (what: () => Promise<void>) => {
        if (busy) {
            return;
        }
        setBusy(true);
        setError(null);
        try {
            await what();
        } catch (reason) {
            setError(reason);
        }
        setBusy(false);
    };
    return { busy, error, run };
}

/** What went wrong that no field of the form shows. */
export function FormError({ error, fields = [] }: { error: unknown; fields?: readonly string[] }) {
    const isShown = error !== null && !fields.some((field) => serverSays(error, field));
    return <p class="error" role="alert">{isShown && errorText(error)}</p>;
}

/** Somebody else has changed what is in the form: what, and what to do about it. */
function TheirChanges({ form: { theirs, takeTheirs } }: { form: Form }) {
    const shown = ({ group }: Field, value: string | undefined) => value === undefined ? '–' : value === '' ? t('none') : group ? say(group, value) : value;
    return (
        <div class="theirs" role="alert">
            <p><strong>{t('theirs.title')}</strong> {t('theirs.text')}</p>
            {theirs!.length > 0 && (
                <table>
                    <thead><tr><td /><th scope="col">{t('theirs.theirs')}</th><th scope="col">{t('theirs.mine')}</th></tr></thead>
                    <tbody>
                        {theirs!.map(({ field, theirs, mine }) => (
                            <tr key={field.name}><th scope="row">{t(field.label)}</th><td>{shown(field, theirs)}</td><td>{shown(field, mine)}</td></tr>
                        ))}
                    </tbody>
                </table>
            )}
            <p><button type="button" onClick={takeTheirs}>{t('theirs.take')}</button></p>
        </div>
    );
}

/** All of the form but what is around it; `children` are more fields, named by `more`. */
export function FormBody({ form, label, autofocus, onCancel, more = [], children }: {
    form: Form; label?: Text | undefined; autofocus?: boolean; onCancel?: () => void; more?: string[]; children?: ComponentChildren;
}) {
    const { fields, values, set, error } = form;
    return (
        <>
            {form.theirs && <TheirChanges form={form} />}
            <div class="fields">
                {fields.map((field, i) => {
                    const { name, label, hint, check, ...rest } = field;
                    const common = { label: t(label), value: values[name]!, error: form.errorOf(field), hint: hint?.(values[name]!), autofocus: autofocus && i === 0, wide: i === 0 && fields.length % 2 > 0 };
                    const change = (value: string) => set({ [name]: value });
                    return field.group ? <Choice key={name} {...common} group={field.group} options={field.options ?? []} onChange={change} /> : <Input key={name} {...common} {...rest} onInput={change} />;
                })}
                {children}
            </div>
            <FormError error={error} fields={[...fields.map(({ name }) => name), ...more]} />
            <Actions label={t(form.theirs ? 'theirs.save' : label ?? (form.isNew ? 'add' : 'save'))} onCancel={onCancel} busy={form.busy} disabled={!form.isReady} />
        </>
    );
}

/** A form that is part of a page. */
export function FormHere({ form, label }: { form: Form; label?: Text }) {
    return <form class="panels" noValidate onSubmit={(event) => { event.preventDefault(); form.submit(); }}><FormBody form={form} label={label} /></form>;
}

export function FormDialog({ title, form, onClose, more, children }: { title: string; form: Form; onClose: () => void; more?: string[]; children?: ComponentChildren }) {
    return (
        <Dialog title={title} onClose={onClose} onSubmit={form.submit}>
            <FormBody form={form} autofocus onCancel={onClose} {...(more && { more })}>{children}</FormBody>
        </Dialog>
    );
}
