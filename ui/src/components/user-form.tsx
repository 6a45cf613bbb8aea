/** The dialogs around one user: added, changed, given a new password, removed. */
import { useState } from 'preact/hooks';
import { ApiError, get, patch, post, remove } from '../api';
import { limits, type User, type UserPage } from '../api.gen';
import { changed } from '../data';
import { say, t, type Text } from '../i18n';
import { withQuery } from '../router';
import { knowUser, leave, useUser } from '../session';
import { errorText, toast } from '../toast';
import { Actions, Dialog } from './dialog';
import { checkText, Choice, Input, serverSays } from './field';
import { orNull, useBusy, useRecord, type Form } from './record-form';
import { FormError, TheirChanges } from './record-notice';
import { randomPassword, Secret } from './secret';
import { PASSWORD_MIN } from './signin';

type Member = 'email' | 'full_name' | 'role' | 'is_active';
const MEMBERS: Member[] = ['email', 'full_name', 'role', 'is_active'];
const STATES = ['true', 'false'];

const NEW = { id: '', version: 0, email: '', full_name: null, role: 'viewer', is_active: true } as Pick<User, 'id' | 'version' | Member>;

function formOf(user: typeof NEW): Form<Member> {
    return { email: user.email, full_name: user.full_name ?? '', role: user.role, is_active: String(user.is_active) };
}

function bodyOf(changes: Partial<Form<Member>>): Record<string, unknown> {
    return Object.fromEntries(Object.entries(changes).map(([member, value]) => [member, member === 'is_active' ? value === 'true' : orNull(value)]));
}

/** There is no way to read one user; the list is in the order of addresses. */
async function reread(id: string): Promise<User> {
    let after: string | null = '';
    do {
        const page: UserPage = await get(withQuery('/users', { limit: 200, after }));
        const found = page.items.find((user) => user.id === id);
        if (found) {
            return found;
        }
        after = page.next;
    } while (after !== null);
    throw new ApiError(404, t('user.gone'));
}

/** The one conflict that is not about an address: nobody would be left to administer. */
function inWords(error: unknown): unknown {
    return error instanceof ApiError && error.status === 409 && !serverSays(error, 'email') ? new ApiError(409, t('user.last')) : error;
}

const label = (member: Member) => t(`user.${member}` as Text);
const word = (member: Member, value: string) => (member === 'role' ? say('role', value) : member === 'is_active' ? say('user.active', value) : value);

function checkEmail(email: string): string | undefined {
    return checkText(email, { required: true, maxLength: limits.UserChange.email.maxLength }) ?? (/^[^\s@]+@[^\s@]+$/.test(email.trim()) ? undefined : t('user.email.wrong'));
}

/** A password that is made here, or typed. "" while what is typed will not do. */
function usePassword() {
    const [made] = useState(randomPassword);
    const [typed, setTyped] = useState('');
    const [isMade, setMade] = useState(true);
    const isGood = isMade || ([...typed].length >= PASSWORD_MIN && [...typed].length <= limits.UserChange.password.maxLength);
    return { isMade, setMade, typed, setTyped, value: isMade ? made : typed, isGood };
}

function PasswordFields({ password, error, autofocus }: { password: ReturnType<typeof usePassword>; error: unknown; autofocus?: boolean }) {
    return (
        <>
            <label class="tick wide"><input type="checkbox" data-autofocus={autofocus} checked={password.isMade} onChange={(event) => password.setMade(event.currentTarget.checked)} /> {t('user.password.make')}</label>
            {!password.isMade && (
                <Input label={t('signin.password')} type="password" value={password.typed} onInput={password.setTyped} autocomplete="new-password" wide required
                    hint={t('password.hint', { min: PASSWORD_MIN })} maxLength={limits.UserChange.password.maxLength} error={serverSays(error, 'password')} />
            )}
        </>
    );
}

function MemberFields({ values, set, error, isNew }: { values: Form<Member>; set: (some: Partial<Form<Member>>) => void; error: unknown; isNew: boolean }) {
    const { email, full_name } = limits.UserChange;
    return (
        <>
            <Input label={label('email')} type="email" value={values.email} onInput={(email) => set({ email })} maxLength={email.maxLength} required autofocus
                error={(values.email ? checkEmail(values.email) : undefined) ?? serverSays(error, 'email')} />
            <Input label={label('full_name')} value={values.full_name} onInput={(full_name) => set({ full_name })} maxLength={full_name.maxLength}
                error={checkText(values.full_name, full_name) ?? serverSays(error, 'full_name')} />
            <Choice label={label('role')} group="role" options={limits.UserChange.role.enum} value={values.role} onChange={(role) => set({ role })} hint={t(`role.${values.role}.may` as Text)} />
            {!isNew && <Choice label={label('is_active')} group="user.active" options={STATES} value={values.is_active} onChange={(is_active) => set({ is_active })} hint={values.is_active === 'false' ? t('user.inactive.hint') : undefined} />}
        </>
    );
}

function isComplete(values: Form<Member>): boolean {
    return checkEmail(values.email) === undefined && checkText(values.full_name, limits.UserChange.full_name) === undefined;
}

function ShownOnce({ email, value, onClose }: { email: string; value: string; onClose: () => void }) {
    return <Secret title={t('user.password.of', { email })} label={t('signin.password')} warning={t('user.password.once')} value={value} onClose={onClose} />;
}

export function UserNew({ onClose }: { onClose: () => void }) {
    const [values, setValues] = useState(formOf(NEW));
    const [added, setAdded] = useState<User | null>(null);
    const password = usePassword();
    const { busy, error, run } = useBusy();
    const isReady = isComplete(values) && password.isGood;
    const submit = () => isReady && run(async () => {
        const user = await post<User>('/users', { ...bodyOf(values), email: values.email.trim(), full_name: orNull(values.full_name.trim()), password: password.value });
        changed();
        toast(t('user.added', { email: user.email }));
        if (password.isMade) {
            setAdded(user);
        } else {
            onClose();
        }
    });
    if (added) {
        return <ShownOnce email={added.email} value={password.value} onClose={onClose} />;
    }
    return (
        <Dialog title={t('user.new')} onClose={onClose} onSubmit={() => void submit()}>
            <div class="fields">
                <MemberFields values={values} set={(some) => setValues({ ...values, ...some })} error={error} isNew />
                <PasswordFields password={password} error={error} />
            </div>
            <FormError error={error} fields={[...MEMBERS, 'password']} />
            <Actions label={t('user.add')} onCancel={onClose} busy={busy} disabled={!isReady} />
        </Dialog>
    );
}

export function UserEdit({ user, onClose }: { user: User; onClose: () => void }) {
    const me = useUser();
    const form = useRecord<User, Member>({ thing: user, formOf, bodyOf, path: `/users/${user.id}`, reread: () => reread(user.id) });
    const { busy, error, run } = useBusy();
    const isReady = isComplete(form.values);
    const submit = () => isReady && run(async () => {
        const saved = await form.save().catch((error) => Promise.reject(inWords(error)));
        if (saved && saved.id === me.id) {
            knowUser(saved);
        }
        changed();
        if (saved) {
            toast(t('saved'));
            onClose();
        }
    });
    return (
        <Dialog title={t('asset.edit', { name: user.email })} onClose={onClose} onSubmit={() => void submit()}>
            {form.theirs && <TheirChanges theirs={form.theirs} label={label} word={word} onTake={form.takeTheirs} />}
            <div class="fields"><MemberFields values={form.values} set={form.set} error={error} isNew={false} /></div>
            <FormError error={error} fields={MEMBERS} />
            <Actions label={form.theirs ? t('theirs.save') : t('save')} onCancel={onClose} busy={busy} disabled={!isReady} />
        </Dialog>
    );
}

export function UserPassword({ user, onClose }: { user: User; onClose: () => void }) {
    const [isDone, setDone] = useState(false);
    const password = usePassword();
    const { busy, error, run } = useBusy();
    const submit = () => password.isGood && run(async () => {
        await patch(`/users/${user.id}`, { password: password.value }, user.version);
        changed();
        toast(t('user.password.set', { email: user.email }));
        if (password.isMade) {
            setDone(true);
        } else {
            onClose();
        }
    });
    if (isDone) {
        return <ShownOnce email={user.email} value={password.value} onClose={onClose} />;
    }
    return (
        <Dialog title={t('user.password.new', { email: user.email })} onClose={onClose} onSubmit={() => void submit()}>
            <p>{t('user.password.text')}</p>
            <PasswordFields password={password} error={error} autofocus />
            <FormError error={error} fields={['password']} />
            <Actions label={t('user.password.do')} onCancel={onClose} busy={busy} disabled={!password.isGood} />
        </Dialog>
    );
}

export function UserRemove({ user, onClose }: { user: User; onClose: () => void }) {
    const me = useUser();
    const { busy, error, run } = useBusy();
    const submit = () => run(async () => {
        await remove(`/users/${user.id}`, user.version).catch((error) => Promise.reject(inWords(error)));
        toast(t('user.removed', { email: user.email }));
        onClose();
        if (user.id === me.id) {
            leave();
        } else {
            changed();
        }
    });
    return (
        <Dialog title={t('user.remove', { email: user.email })} onClose={onClose} onSubmit={() => void submit()}>
            <p>{t('user.remove.text')}</p>
            <p class="error" role="alert">{error !== null && errorText(error)}</p>
            <Actions label={t('user.remove.do')} onCancel={onClose} danger busy={busy} />
        </Dialog>
    );
}
