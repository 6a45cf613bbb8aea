/** Somebody else has changed what is in the form: what, and what to do about it. And what the server said. */
import { t } from '../i18n';
import { errorText } from '../toast';
import { serverSays } from './field';
import type { Theirs } from './record-form';

export function TheirChanges<M extends string>({ theirs, label, word, onTake }: {
    theirs: Theirs<M>[]; label: (member: M) => string; word?: (member: M, value: string) => string; onTake: () => void;
}) {
    const shown = (member: M, value: string | undefined) => value === undefined ? '–' : (value && word?.(member, value)) || value || t('theirs.empty');
    return (
        <div class="theirs" role="alert">
            <p><strong>{t('theirs.title')}</strong> {t(theirs.length > 0 ? 'theirs.text' : 'theirs.none')}</p>
            {theirs.length > 0 && (
                <table>
                    <thead><tr><th scope="col">{t('theirs.member')}</th><th scope="col">{t('theirs.theirs')}</th><th scope="col">{t('theirs.mine')}</th></tr></thead>
                    <tbody>
                        {theirs.map(({ member, theirs, mine }) => (
                            <tr key={member}><th scope="row">{label(member)}</th><td>{shown(member, theirs)}</td><td>{shown(member, mine)}</td></tr>
                        ))}
                    </tbody>
                </table>
            )}
            <p><button type="button" onClick={onTake}>{t('theirs.take')}</button></p>
        </div>
    );
}

/** What went wrong that no field of the form shows. */
export function FormError({ error, fields }: { error: unknown; fields: readonly string[] }) {
    const isShown = error !== null && !fields.some((field) => serverSays(error, field));
    return <p class="error" role="alert">{isShown && errorText(error)}</p>;
}
