/** Oneself, and how one wants it to look and behave in this browser. */
import { useState } from 'preact/hooks';
import { ApiError, get, patch } from '../api';
import { limits, type User } from '../api.gen';
import { Actions } from '../components/dialog';
import { checkText, Input, serverSays } from '../components/field';
import { Help } from '../components/help';
import { orNull, useBusy } from '../components/record-form';
import { FormError } from '../components/record-notice';
import { PageHead, Status } from '../components/show';
import { PasswordForm } from '../components/signin';
import { say, t, type Text } from '../i18n';
import type { Place } from '../router';
import { knowUser, useUser } from '../session';
import { change, useSettings, type Language, type Theme } from '../settings';
import { toast } from '../toast';

const THEMES: Theme[] = ['auto', 'light', 'dark'];
const LANGUAGES: Language[] = ['en', 'fr'];

function Who() {
    const user = useUser();
    const [name, setName] = useState(user.full_name ?? '');
    const { busy, error, run } = useBusy();
    const wrong = checkText(name, limits.UserChange.full_name);
    const submit = () => wrong === undefined && run(async () => {
        try {
            knowUser(await patch<User>('/users/me', { full_name: orNull(name.trim()) }, user.version));
            toast(t('saved'));
        } catch (reason) {
            if (reason instanceof ApiError && reason.status === 412) {
                const now = await get<User>('/users/me');
                knowUser(now);
                throw new ApiError(412, t('profile.changed', { name: now.full_name ?? '' }));
            }
            throw reason;
        }
    });
    return (
        <section class="panel">
            <h2>{t('profile.who')}</h2>
            <dl class="fact-list">
                <div><dt>{t('user.email')}</dt><dd>{user.email}</dd></div>
                <div><dt>{t('user.role')}</dt><dd><Status status={user.role} group="role" /> <span class="hint">{t(`role.${user.role}.may` as Text)}</span></dd></div>
            </dl>
            <form class="panels" noValidate onSubmit={(event) => { event.preventDefault(); void submit(); }}>
                <Input label={t('user.full_name')} value={name} onInput={setName} maxLength={limits.UserChange.full_name.maxLength} autocomplete="name" hint={t('profile.name.hint')}
                    error={wrong ?? serverSays(error, 'full_name')} />
                <FormError error={error} fields={['full_name']} />
                <Actions label={t('save')} busy={busy} disabled={wrong !== undefined || name.trim() === (user.full_name ?? '')} />
            </form>
        </section>
    );
}

function OneOf<T extends string>({ legend, group, options, value, name, onChange }: {
    legend: string; group: string; options: T[]; value: T; name: (option: T) => string; onChange: (option: T) => void;
}) {
    return (
        <fieldset class="choice">
            <legend>{legend}</legend>
            {options.map((option) => (
                <label key={option} class="tick"><input type="radio" name={group} checked={option === value} onChange={() => onChange(option)} /> {name(option)}</label>
            ))}
        </fieldset>
    );
}

function Settings() {
    const settings = useSettings();
    const [isOpen, setOpen] = useState(false);
    return (
        <section class="panel panels">
            <h2>{t('profile.settings')}</h2>
            <p class="hint">{t('profile.settings.text')}</p>
            <OneOf legend={t('profile.theme')} group="theme" options={THEMES} value={settings.theme} name={(theme) => say('theme', theme)} onChange={(theme) => change({ theme })} />
            <OneOf legend={t('profile.language')} group="language" options={LANGUAGES} value={settings.language} name={(language) => say('language', language)} onChange={(language) => change({ language })} />
            <div>
                <label class="tick"><input type="checkbox" checked={settings.keys} onChange={(event) => change({ keys: event.currentTarget.checked })} /> {t('profile.keys')}</label>
                <p class="hint">{t('profile.keys.hint')}</p>
            </div>
            <p><button type="button" onClick={() => setOpen(true)}>{t('key.help')}</button></p>
            <Help isOpen={isOpen} setOpen={setOpen} />
        </section>
    );
}

export function ProfilePage(_: { place: Place }) {
    return (
        <>
            <PageHead title={t('page.profile')} />
            <div class="profile">
                <div class="panels">
                    <Who />
                    <section class="panel password">
                        <h2>{t('profile.password')}</h2>
                        <p class="hint">{t('profile.password.text')}</p>
                        <PasswordForm />
                    </section>
                </div>
                <Settings />
            </div>
        </>
    );
}
