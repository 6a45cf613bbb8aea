/** Signing in: as a page, or over the page on which the session ended. And the change of a first password. */
import { useState } from 'preact/hooks';
import { t } from '../i18n';
import { changePassword, leave, signIn, signOut } from '../session';
import { toast, toastError } from '../toast';
import { Actions, Dialog } from './dialog';
import { Input } from './field';
import { FormError, FormHere, useBusy, useForm, type Field } from './record-form';

export const PASSWORD_MIN = 12;

function useSignIn() {
    const [email, setEmail] = useState('');
    const [password, setPassword] = useState('');
    const { busy, error, run } = useBusy();
    return { email, setEmail, password, setPassword, error, busy, submit: () => void run(() => signIn(email.trim(), password)) };
}

function SignInFields({ form, isAgain }: { form: ReturnType<typeof useSignIn>; isAgain?: boolean }) {
    return (
        <>
            <Input label={t('signin.email')} type="email" value={form.email} onInput={form.setEmail} autocomplete="username" required autofocus />
            <Input label={t('signin.password')} type="password" value={form.password} onInput={form.setPassword} autocomplete="current-password" required />
            <FormError error={form.error} />
            {!isAgain && <p class="hint">{t('signin.first')}</p>}
        </>
    );
}

function Brand() {
    return <p class="brand"><Mark /> OpenRisk</p>;
}

export function Mark() {
    return (
        <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="7" />
            <path d="M16 6l9 4v6c0 5.5-3.6 8.7-9 11-5.4-2.3-9-5.5-9-11v-6z" /><path d="M11.5 16.5l3.2 3.2 6-6.4" />
        </svg>
    );
}

export function SignInPage() {
    const form = useSignIn();
    document.title = `${t('signin.do')} · OpenRisk`;
    return (
        <main class="door" id="main">
            <form noValidate onSubmit={(event) => { event.preventDefault(); form.submit(); }}>
                <Brand />
                <h1>{t('signin.do')}</h1>
                <SignInFields form={form} />
                <Actions label={t('signin.do')} busy={form.busy} />
            </form>
        </main>
    );
}

/** Whoever goes on as the one before has everything as it was; another starts anew. */
export function SignInAgain() {
    const form = useSignIn();
    return (
        <Dialog title={t('signin.again')} onSubmit={form.submit}>
            <p>{t('signin.again.text')}</p>
            <SignInFields form={form} isAgain />
            <footer class="actions">
                <button type="button" onClick={leave}>{t('signin.leave')}</button>
                <button type="submit" class="primary" disabled={form.busy}>{t('signin.do')}</button>
            </footer>
        </Dialog>
    );
}

const NO_PASSWORD = { version: 0 };

const PASSWORDS: Field[] = [
    { name: 'current_password', label: 'password.current', type: 'password', autocomplete: 'current-password', required: true },
    {
        name: 'new_password', label: 'password.new', type: 'password', autocomplete: 'new-password', required: true,
        hint: () => t('password.hint', { min: PASSWORD_MIN }),
    },
    {
        name: 'again', label: 'password.repeat', type: 'password', autocomplete: 'new-password', required: true,
        check: (again, { new_password: next }) => (next!.startsWith(again) ? undefined : t('password.differs')),
    },
];

/** Change one's own password; the current one is known if one has just signed in with it. */
export function PasswordForm() {
    const form = useForm({
        thing: NO_PASSWORD,
        fields: PASSWORDS,
        isReady: ({ new_password: next, again }) => next === again && [...next!].length >= PASSWORD_MIN,
        send: async (body) => {
            await changePassword(body['current_password'] as string, body['new_password'] as string);
            return NO_PASSWORD;
        },
        onSaved: () => toast(t('password.done')),
    });
    return <FormHere form={form} label="password.do" />;
}

export function FirstPasswordPage() {
    document.title = `${t('password.first')} · OpenRisk`;
    return (
        <main class="door" id="main">
            <div>
                <Brand />
                <h1>{t('password.first')}</h1>
                <p>{t('password.first.text')}</p>
                <PasswordForm />
                <p><button type="button" class="link" onClick={() => void signOut().catch(toastError)}>{t('app.signOut')}</button></p>
            </div>
        </main>
    );
}
