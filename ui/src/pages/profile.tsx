/** Oneself, and how one wants it to look and behave in this browser. */
import { useState } from 'preact/hooks';
import { get, patch } from '../api';
import type { User } from '../api.gen';
import { Help } from '../components/help';
import { Facts } from '../components/list';
import { FormHere, useForm } from '../components/record-form';
import { PageHead, Status } from '../components/show';
import { PasswordForm } from '../components/signin';
import { ownName } from '../components/user-form';
import { say, t, type Text } from '../i18n';
import type { Place } from '../router';
import { knowUser, useUser } from '../session';
import { change, useSettings, type Language, type Theme } from '../settings';
import { toast } from '../toast';

const THEMES: Theme[] = ['auto', 'light', 'dark'];
const LANGUAGES: Language[] = ['en', 'fr'];

function Who() {
    const user = useUser();
    const form = useForm<User>({
        thing: user,
        fields: [ownName],
        send: (body, version) => patch('/users/me', body, version),
        reread: () => get('/users/me'),
        onSaved: (now) => {
            knowUser(now);
            toast(t('saved'));
        },
    });
    return (
        <section class="panel panels">
            <h2>{t('profile.who')}</h2>
            <Facts
                of={[
                    ['signin.email', user.email],
                    ['user.role', <><Status status={user.role} group="role" /> <span class="hint">{t(`role.${user.role}.may` as Text)}</span></>],
                ]}
            />
            <FormHere form={form} />
        </section>
    );
}

/** One of a few settings. `name`: also the group of its texts. */
function OneOf<T extends string>({ name, options, value, onChange }: { name: 'theme' | 'language'; options: T[]; value: T; onChange: (option: T) => void }) {
    return (
        <fieldset class="choice">
            <legend>{t(`profile.${name}`)}</legend>
            {options.map((option) => (
                <label key={option} class="tick"><input type="radio" name={name} checked={option === value} onChange={() => onChange(option)} /> {say(name, option)}</label>
            ))}
        </fieldset>
    );
}

function Settings() {
    const { theme, language, keys } = useSettings();
    const [isOpen, setOpen] = useState(false);
    return (
        <section class="panel panels">
            <h2>{t('profile.settings')}</h2>
            <p class="hint">{t('profile.settings.text')}</p>
            <OneOf name="theme" options={THEMES} value={theme} onChange={(theme) => change({ theme })} />
            <OneOf name="language" options={LANGUAGES} value={language} onChange={(language) => change({ language })} />
            <div>
                <label class="tick"><input type="checkbox" checked={keys} onChange={(event) => change({ keys: event.currentTarget.checked })} /> {t('profile.keys')}</label>
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
                    <section class="panel panels password">
                        <h2>{t('signin.password')}</h2>
                        <p class="hint">{t('profile.password.text')}</p>
                        <PasswordForm />
                    </section>
                </div>
                <Settings />
            </div>
        </>
    );
}
