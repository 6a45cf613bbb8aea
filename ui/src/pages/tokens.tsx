/** One's own API tokens, for programs. */
import { useState } from 'preact/hooks';
import { remove } from '../api';
import type { Token, TokenItems } from '../api.gen';
import { Confirm } from '../components/dialog';
import { useBusy } from '../components/record-form';
import { Ago, Empty, Loaded, PageHead, Status } from '../components/show';
import { TokenNew } from '../components/token-new';
import { changed, useGet } from '../data';
import { ago, day, moment, t } from '../i18n';
import type { Place } from '../router';
import { toast, toastError } from '../toast';

const SOON_MS = 14 * 86400000;

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

function Revoke({ token, onClose }: { token: Token; onClose: () => void }) {
    const { busy, run } = useBusy();
    const yes = () => run(async () => {
        await remove(`/tokens/${token.id}`).then(() => toast(t('token.revoked', { name: token.name })), toastError);
        changed();
        onClose();
    });
    return <Confirm title={t('token.revoke', { name: token.name })} text={t('token.revoke.text')} label={t('token.revoke.do')} busy={busy} onYes={() => void yes()} onNo={onClose} />;
}

function Tokens({ items, onRevoke }: { items: Token[]; onRevoke: (token: Token) => void }) {
    return (
        <div class="scroll">
            <table class="list plain carded">
                <caption class="unseen">{t('page.tokens')}</caption>
                <thead>
                    <tr>
                        <th scope="col">{t('token.name')}</th>
                        <th scope="col">{t('token.scope')}</th>
                        <th scope="col" class="minor">{t('token.created')}</th>
                        <th scope="col">{t('token.until')}</th>
                        <th scope="col" class="minor">{t('token.used')}</th>
                        <th scope="col"><span class="unseen">{t('actions')}</span></th>
                    </tr>
                </thead>
                <tbody>
                    {items.map((token) => (
                        <tr key={token.id}>
                            <th scope="row">{token.name}</th>
                            <td><Status status={token.scope} group="scope" /></td>
                            <td class="minor"><Ago at={token.created_at} /></td>
                            <td><Ends at={token.expires_at} /></td>
                            <td class="minor">{token.last_used_at ? <Ago at={token.last_used_at} /> : <span class="quiet">{t('user.never')}</span>}</td>
                            <td class="deeds"><button type="button" class="link" data-row aria-label={t('token.revoke.it', { name: token.name })} onClick={() => onRevoke(token)}>{t('token.revoke.do')}</button></td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
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
                    {({ items }) => items.length === 0 ? <Empty title={t('token.none')}>{t('token.none.text')}</Empty> : <Tokens items={items} onRevoke={setDoing} />}
                </Loaded>
            </div>
            {doing === 'new' ? <TokenNew onClose={close} /> : doing && <Revoke token={doing} onClose={close} />}
        </>
    );
}
