/** A new API token: what it is for, what it may do, until when; then the token itself, this once. */
import { useState } from 'preact/hooks';
import { post } from '../api';
import { limits, type NewToken } from '../api.gen';
import { changed } from '../data';
import { t, today, type Text } from '../i18n';
import { Actions, Dialog } from './dialog';
import { checkText, Choice, Input, serverSays } from './field';
import { useBusy } from './record-form';
import { FormError } from './record-notice';
import { Secret } from './secret';

const DAY_MS = 86400000;
/** As the server has it (366 days), less what is left of today. */
const DAYS_MAX = 365;

function inDays(days: number): string {
    return new Date(Date.now() + days * DAY_MS).toISOString().slice(0, 10);
}

export function TokenNew({ onClose }: { onClose: () => void }) {
    const [values, setValues] = useState({ name: '', scope: 'read', until: inDays(90) });
    const [made, setMade] = useState<NewToken | null>(null);
    const { busy, error, run } = useBusy();
    const set = (some: Partial<typeof values>) => setValues({ ...values, ...some });
    const { name } = limits.TokenChange;
    const isUntilGood = values.until > today() && values.until <= inDays(DAYS_MAX);
    const isReady = checkText(values.name, { ...name, required: true }) === undefined && isUntilGood;
    const submit = () => isReady && run(async () => {
        setMade(await post<NewToken>('/tokens', { name: values.name.trim(), scope: values.scope, expires_at: `${values.until}T00:00:00Z` }));
        changed();
    });
    if (made) {
        return <Secret title={t('token.made', { name: made.name })} label={t('token.token')} warning={t('token.once')} value={made.token} onClose={onClose} />;
    }
    return (
        <Dialog title={t('token.new')} onClose={onClose} onSubmit={() => void submit()}>
            <div class="fields">
                <Input label={t('token.name')} value={values.name} onInput={(name) => set({ name })} maxLength={name.maxLength} hint={t('token.name.hint')} required autofocus wide
                    error={checkText(values.name, name) ?? serverSays(error, 'name')} />
                <Choice label={t('token.scope')} group="scope" options={limits.TokenChange.scope.enum} value={values.scope} onChange={(scope) => set({ scope })} hint={t(`scope.${values.scope}.hint` as Text)} />
                <Input label={t('token.until')} type="date" value={values.until} onInput={(until) => set({ until })} hint={t('token.until.hint')} required
                    error={isUntilGood ? serverSays(error, 'expires_at') : t('token.until.wrong')} />
            </div>
            <FormError error={error} fields={['name', 'expires_at']} />
            <Actions label={t('token.make')} onCancel={onClose} busy={busy} disabled={!isReady} />
        </Dialog>
    );
}
