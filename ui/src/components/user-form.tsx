/** The dialogs around one user: added, changed, given a new password, removed. */
import { useState } from 'preact/hooks';
import { ApiError, get, patch, post } from '../api';
import { limits, type User, type UserPage } from '../api.gen';
import { changed } from '../data';
import { t, type Text } from '../i18n';
import { withQuery } from '../router';
import { knowUser, leave, useUser } from '../session';
import { toast } from '../toast';
import { Ask } from './ask';
import { Input, serverSays } from './field';
import { FormDialog, useForm, type Field } from './record-form';
import { randomPassword, Secret } from './secret';
import { PASSWORD_MIN } from './signin';

const { email, full_name, role, password } = limits.UserChange;
const NEW = { version: 0, role: 'viewer' };

export const ownName: Field = { name: 'full_name', label: 'name', ...full_name };
const FIELDS: Field[] = [
    { name: 'email', label: 'signin.email', type: 'email', required: true, ...email, check: (text) => (/^[^\s@]+@[^\s@]+$/.test(text) ? undefined : t('user.email.wrong')) },
    ownName,
    { name: 'role', label: 'user.role', group: 'role', options: role.enum, hint: (role) => t(`role.${role}.may` as Text) },
    { name: 'is_active', label: 'user.is_active', group: 'user.active', options: ['true', 'false'], hint: (is) => (is === 'false' ? t('user.ends') : undefined) },
];

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
    throw new ApiError(404, t('gone'));
}

/** The one conflict that is not about an address: nobody would be left to administer. */
function inWords(error: unknown): unknown {
    return error instanceof ApiError && error.status === 409 && !serverSays(error, 'email') ? new ApiError(409, t('user.last')) : error;
}

/** A password that is made here, or typed. */
function usePassword() {
    const [made] = useState(randomPassword);
    const [typed, setTyped] = useState('');
    const [isMade, setMade] = useState(true);
    const length = [...typed].length;
    return { isMade, setMade, typed, setTyped, value: isMade ? made : typed, isGood: isMade || (length >= PASSWORD_MIN && length <= password.maxLength) };
}

/** Without `user`, a new one. With `forPassword`, only that is changed. */
export function UserForm({ user, forPassword = false, onClose }: { user?: User; forPassword?: boolean; onClose: () => void }) {
    const me = useUser();
    const [saved, setSaved] = useState<User | null>(null);
    const given = usePassword();
    const hasPassword = forPassword || !user;
    const form = useForm<User>({
        thing: user ?? NEW,
        fields: forPassword ? [] : user ? FIELDS : FIELDS.slice(0, 3),
        also: hasPassword ? { password: given.value } : undefined,
        isReady: () => !hasPassword || given.isGood,
        send: (body, version) => (user ? patch<User>(`/users/${user.id}`, body, version) : post<User>('/users', body)).catch((error) => Promise.reject(inWords(error))),
        reread: () => reread(user!.id),
        onSaved: (now) => {
            if (now.id === me.id) {
                knowUser(now);
            }
            changed();
            toast(t('saved'));
            if (hasPassword && given.isMade) {
                setSaved(now);
            } else {
                onClose();
            }
        },
    });
    if (saved) {
        return <Secret label={t('signin.password')} of={saved.email} value={given.value} onClose={onClose} />;
    }
    const title = !user ? t('user.new') : t(forPassword ? 'user.password.it' : 'edit.it', { name: user.email });
    return (
        <FormDialog title={title} form={form} onClose={onClose} more={['password']}>
            {forPassword && <p class="wide">{t('user.ends')}</p>}
            {hasPassword && <label class="tick wide"><input type="checkbox" data-autofocus={forPassword} checked={given.isMade} onChange={(event) => given.setMade(event.currentTarget.checked)} /> {t('user.password.make')}</label>}
            {!given.isMade && (
                <Input label={t('signin.password')} type="password" value={given.typed} onInput={given.setTyped} autocomplete="new-password" wide required
                    hint={t('password.hint', { min: PASSWORD_MIN })} maxLength={password.maxLength} error={serverSays(form.error, 'password')} />
            )}
        </FormDialog>
    );
}

export function UserDelete({ user: { id, email: name, version }, onClose }: { user: User; onClose: () => void }) {
    const me = useUser();
    return (
        <Ask
            title={t('delete.it', { name })} text={`${t('user.ends')} ${t('user.delete.text')}`} told={t('deleted', { name })}
            path={`/users/${id}`} version={version} inWords={inWords} onDone={() => id === me.id && leave()} onClose={onClose}
        />
    );
}
