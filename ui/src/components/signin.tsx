/** Signing in: as a page, or over the page on which the session ended. And the change of a first password. */
import { useState } from 'preact/hooks';
import { t } from '../i18n';
import { changePassword, leave, signIn, signOut } from '../session';
import { errorText, toast, toastError } from '../toast';
import { Actions, Dialog } from './dialog';
import { Input, serverSays } from './field';

export const PASSWORD_MIN = 12;

function useSignIn() {
    const [email, setEmail] = useState('');
    const [password, setPassword] = useState('');
    const [error, setError] = useState<unknown>(null);
    const [busy, setBusy] = useState(false);
    const submit = async () => {
        setBusy(true);
        setError(null);
        try {
            await signIn(email.trim(), password);
        } catch (reason) {
            setError(reason);
            setBusy(false);
        }
    };
    return { email, setEmail, password, setPassword, error, busy, submit };
}

function SignInFields({ form, isAgain }: { form: ReturnType<typeof useSignIn>; isAgain?: boolean }) {
    return (
        <>
            <Input label={t('signin.email')} type="email" value={form.email} onInput={form.setEmail} autocomplete="username" required autofocus />
            <Input label={t('signin.password')} type="password" value={form.password} onInput={form.setPassword} autocomplete="current-password" required />
            <p class="error" role="alert">{form.error !== null && errorText(form.error)}</p>
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
            <form noValidate onSubmit={(event) => { event.preventDefault(); void form.submit(); }}>
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
        <Dialog title={t('signin.again')} onSubmit={() => void form.submit()}>
            <p>{t('signin.again.text')}</p>
            <SignInFields form={form} isAgain />
            <footer class="actions">
                <button type="button" onClick={leave}>{t('signin.leave')}</button>
                <button type="submit" class="primary" disabled={form.busy}>{t('signin.do')}</button>
            </footer>
        </Dialog>
    );
}

/** Change one's own password; the current one is known if one has just signed in with it. */
export function PasswordForm({ onDone }: { onDone?: () => void }) {
    const [values, setValues] = useState({ current: '', next: '', again: '' });
    const [error, setError] = useState<unknown>(null);
    const [busy, setBusy] = useState(false);
    const set = (some: Partial<typeof values>) => setValues({ ...values, ...some });
    const differs = values.again !== '' && !values.next.startsWith(values.again) ? t('password.differs') : undefined;
    const isReady = values.current !== '' && [...values.next].length >= PASSWORD_MIN && values.next === values.again;
    const submit = async () => {
        if (!isReady) {
            return;
        }
        setBusy(true);
        setError(null);
        try {
            await changePassword(values.current, values.next);
            setValues({ current: '', next: '', again: '' });
            toast(t('password.done'));
            onDone?.();
        } catch (reason) {
            setError(reason);
        }
        setBusy(false);
    };
    return (
        <form noValidate onSubmit={(event) => { event.preventDefault(); void submit(); }}>
            <Input label={t('password.current')} type="password" value={values.current} onInput={(current) => set({ current })} autocomplete="current-password" error={serverSays(error, 'current_password')} required />
            <Input label={t('password.new')} type="password" value={values.next} onInput={(next) => set({ next })} autocomplete="new-password" hint={t('password.hint', { min: PASSWORD_MIN })} error={serverSays(error, 'new_password')} required />
            <Input label={t('password.repeat')} type="password" value={values.again} onInput={(again) => set({ again })} autocomplete="new-password" error={differs} required />
            <p class="error" role="alert">{error !== null && !serverSays(error, 'current_password') && !serverSays(error, 'new_password') && errorText(error)}</p>
            <Actions label={t('password.do')} busy={busy} disabled={!isReady} />
        </form>
    );
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
