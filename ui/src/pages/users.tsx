/** Who may sign in, and as what. */
import { useState } from 'preact/hooks';
import { limits, type User, type UserPage } from '../api.gen';
import { Choice } from '../components/field';
import { Pager } from '../components/pager';
import { Ago, Empty, Loaded, PageHead, Status } from '../components/show';
import { UserEdit, UserNew, UserPassword, UserRemove } from '../components/user-form';
import { Roles } from '../components/user-roles';
import { useGet } from '../data';
import { say, t } from '../i18n';
import { go, withQuery, type Place } from '../router';
import { useUser } from '../session';

const LIMIT = 50;

type Doing = { what: 'edit' | 'password' | 'remove'; user: User } | { what: 'new' } | null;

function Row({ user, onDo }: { user: User; onDo: (doing: Doing) => void }) {
    const isMe = useUser().id === user.id;
    return (
        <tr class={user.is_active ? undefined : 'asleep'}>
            <th scope="row">
                <button type="button" class="link" data-row onClick={() => onDo({ what: 'edit', user })}>{user.full_name || user.email}</button>
                {isMe && <span class="status you">{t('user.you')}</span>}
                {user.full_name && <div class="quiet">{user.email}</div>}
            </th>
            <td><Status status={user.role} group="role" /></td>
            <td class="minor">{say('user.active', String(user.is_active))}{user.must_change_password && <div class="hint">{t('user.must')}</div>}</td>
            <td class="minor">{user.last_login_at ? <Ago at={user.last_login_at} /> : <span class="quiet">{t('user.never')}</span>}</td>
            <td class="deeds">
                {isMe
                    ? <a href="/profile">{t('user.password.do')}</a>
                    : <button type="button" class="link" aria-label={t('user.password.it', { email: user.email })} onClick={() => onDo({ what: 'password', user })}>{t('user.password.do')}</button>}
                <button type="button" class="link" aria-label={t('remove', { name: user.email })} onClick={() => onDo({ what: 'remove', user })}>{t('user.remove.do')}</button>
            </td>
        </tr>
    );
}

export function UsersPage({ place: { query } }: { place: Place }) {
    const role = query.get('role') ?? '';
    const page = Number(query.get('page')) || 1;
    const [doing, setDoing] = useState<Doing>(null);
    const got = useGet<UserPage>(withQuery('/users', { role, page: query.get('page'), limit: LIMIT }), { keep: true });
    const close = () => setDoing(null);
    return (
        <>
            <PageHead title={t('page.users')}><button type="button" class="primary" onClick={() => setDoing({ what: 'new' })}>{t('user.new')}</button></PageHead>
            <div class="panels">
                <Roles />
                <div class="panel">
                    <div class="filters">
                        <Choice label={t('user.role')} group="role" options={limits.UserChange.role.enum} none={t('all')} value={role} onChange={(role) => go(withQuery('/users', { role }), { stay: true })} />
                    </div>
                    <Loaded got={got} lines={8}>
                        {({ items, total }) => items.length === 0 ? <Empty title={t('user.none')}><a href="/users">{t('filters.clear')}</a></Empty> : (
                            <>
                                <div class="scroll">
                                    <table class="list plain carded">
                                        <caption class="unseen">{t('page.users')}</caption>
                                        <thead>
                                            <tr>
                                                <th scope="col">{t('user.who')}</th>
                                                <th scope="col">{t('user.role')}</th>
                                                <th scope="col" class="minor">{t('user.is_active')}</th>
                                                <th scope="col" class="minor">{t('user.last_login')}</th>
                                                <th scope="col"><span class="unseen">{t('actions')}</span></th>
                                            </tr>
                                        </thead>
                                        <tbody>{items.map((user) => <Row key={user.id} user={user} onDo={setDoing} />)}</tbody>
                                    </table>
                                </div>
                                {total > LIMIT && <Pager page={page} limit={LIMIT} total={total} onPage={(page) => go(withQuery('/users', { role, page }))} />}
                            </>
                        )}
                    </Loaded>
                </div>
            </div>
            {doing?.what === 'new' && <UserNew onClose={close} />}
            {doing?.what === 'edit' && <UserEdit user={doing.user} onClose={close} />}
            {doing?.what === 'password' && <UserPassword user={doing.user} onClose={close} />}
            {doing?.what === 'remove' && <UserRemove user={doing.user} onClose={close} />}
        </>
    );
}
