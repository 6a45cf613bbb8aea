/** One's own API tokens, for programs. */
import { useState } from 'preact/hooks';
import { post } from '../api';
import { limits, type NewToken, type Token, type TokenItems } from '../api.gen';
import { Ask } from '../components/ask';
import { Table, type Column } from '../components/list';
import { FormDialog, useForm } from '../components/record-form';
import { Secret } from '../components/secret';
import { Ago, Empty, Loaded, PageHead, Status } from '../components/show';
import { changed, useGet } from '../data';
import { ago, day, moment, t, today } from '../i18n';
import type { Place } from '../router';

const DAY_MS = 86400000;
const SOON_MS = 14 * DAY_MS;
/** As the server has it (366 days), less what is left of today. */
const DAYS_MAX = 365;
const { name, scope } = limits.TokenChange;

function inDays(days: number): string {
    return new Date(Date.now() + days * DAY_MS).toISOString().slice(0, 10);
}

/** What it is for, what it may do, until when; then the token itself, this once. */
function TokenNew({ onClose }: { onClose: () => void }) {
    const [made, setMade] = useState<NewToken | null>(null);
    const form = useForm<NewToken & { version: number }>({
        thing: { version: 0, scope: 'read', expires_at: inDays(90) } as { version: number },
        fields: [
            { name: 'name', label: 'name', required: true, ...name },
            { name: 'scope', label: 'token.scope', group: 'scope', options: scope.enum },
            {
                name: 'expires_at', label: 'token.until', type: 'date', required: true,
                check: (until) => (until > today() && until <= inDays(DAYS_MAX) ? undefined : t('token.until.wrong')),
            },
        ],
        send: (body) => post('/tokens', { ...body, expires_at: `${body['expires_at'] as string}T00:00:00Z` }),
        onSaved: (token) => {
            setMade(token);
            changed();
        },
    });
    return made
        ? <Secret label={t('token.token')} of={made.name} value={made.token} onClose={onClose} />
        : <FormDialog title={t('token.new')} form={form} onClose={onClose} />;
}

/** When it ends; says so when that is soon, or past. */
function Ends({ at }: { at: string }) {
    const left = Date.parse(at) - Date.now();
    return (
        <>
            <time datetime={at} title={moment(at)} class={left < SOON_MS ? 'late' : undefined}>{day(at.slice(0, 10))}</time>
            {left < SOON_MS && <div class="hint">{left < 0 ? t('token.ended') : ago(at)}</div>}
        </>
    );
}

function columnsOf(onDelete: (token: Token) => void): Column<Token>[] {
    return [
        { head: 'name', show: (token) => token.name },
        { head: 'token.scope', show: (token) => <Status status={token.scope} group="scope" /> },
        { head: 'asset.created', kind: 'minor', show: (token) => <Ago at={token.created_at} /> },
        { head: 'token.until', show: (token) => <Ends at={token.expires_at} /> },
        { head: 'token.used', kind: 'minor', show: ({ last_used_at: at }) => (at ? <Ago at={at} /> : t('never')) },
        { head: 'actions', kind: 'deeds', show: (token) => <button type="button" class="link" data-row aria-label={t('delete.it', { name: token.name })} onClick={() => onDelete(token)}>{t('delete')}</button> },
    ];
}

export function TokensPage(_: { place: Place }) {
    const [doing, setDoing] = useState<Token | 'new' | null>(null);
    const got = useGet<TokenItems>('/tokens');
    const close = () => setDoing(null);
    return (
        <>
            <PageHead title={t('page.tokens')}><button type="button" class="primary" onClick={() => setDoing('new')}>{t('token.new')}</button></PageHead>
            <div class="panel panels">
                <p class="quiet">{t('token.text')}</p>
                <Loaded got={got} lines={4}>
                    {({ items }) => items.length === 0 ? <Empty title={t('token.none')} /> : <Table label={t('page.tokens')} columns={columnsOf(setDoing)} items={items} kind="carded" />}
                </Loaded>
            </div>
            {doing === 'new' ? <TokenNew onClose={close} />
                : doing && <Ask title={t('delete.it', { name: doing.name })} text={t('token.delete.text')} told={t('deleted', { name: doing.name })} path={`/tokens/${doing.id}`} onClose={close} />}
        </>
    );
}
