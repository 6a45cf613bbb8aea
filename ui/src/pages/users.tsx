/** Who may sign in, and as what. */
import { useState } from 'preact/hooks';
import { limits, type User } from '../api.gen';
import { Filters, Listed, useList, type Column } from '../components/list';
import { Ago, PageHead, Status } from '../components/show';
import { UserDelete, UserForm } from '../components/user-form';
import { Roles } from '../components/user-roles';
import { say, t } from '../i18n';
import type { Place } from '../router';
import { useUser } from '../session';

type Doing = { what: 'edit' | 'password' | 'delete'; user: User } | { what: 'new' } | null;

function columnsOf(me: User, onDo: (doing: Doing) => void): Column<User>[] {
    return [
        {
            head: 'who', show: (user) => (
                <>
                    <button type="button" class="link" data-row onClick={() => onDo({ what: 'edit', user })}>{user.full_name || user.email}</button>
                    {user.id === me.id && <span class="status you">{t('user.you')}</span>}
                    {user.full_name && <div class="quiet">{user.email}</div>}
                </>
            ),
        },
        { head: 'user.role', show: ({ role }) => <Status status={role} group="role" /> },
        { head: 'user.is_active', kind: 'minor', show: (user) => <>{say('user.active', String(user.is_active))}{user.must_change_password && <div class="hint">{t('user.must')}</div>}</> },
        { head: 'user.last_login', kind: 'minor', show: ({ last_login_at: at }) => (at ? <Ago at={at} /> : t('never')) },
        {
            head: 'actions', kind: 'deeds', show: (user) => (
                <>
                    {user.id === me.id
                        ? <a href="/profile">{t('user.password')}</a>
                        : <button type="button" class="link" aria-label={t('user.password.it', { name: user.email })} onClick={() => onDo({ what: 'password', user })}>{t('user.password')}</button>}
                    <button type="button" class="link" aria-label={t('delete.it', { name: user.email })} onClick={() => onDo({ what: 'delete', user })}>{t('delete')}</button>
                </>
            ),
        },
    ];
}

export function UsersPage({ place }: { place: Place }) {
    const [doing, setDoing] = useState<Doing>(null);
    const list = useList<User>(place, '/users', ['role']);
    const columns = columnsOf(useUser(), setDoing);
    const close = () => setDoing(null);
    return (
        <>
            <PageHead title={t('page.users')}><button type="button" class="primary" onClick={() => setDoing({ what: 'new' })}>{t('user.new')}</button></PageHead>
            <div class="panels">
                <Roles />
                <div class="panel">
                    <Filters list={list} filters={[{ name: 'role', label: 'user.role', group: 'role', options: limits.UserChange.role.enum }]} />
                    <Listed list={list} label={t('page.users')} columns={columns} kind="carded" rowKind={(user) => !user.is_active && 'asleep'} none="list.none" />
                </div>
            </div>
            {doing?.what === 'new' && <UserForm onClose={close} />}
            {(doing?.what === 'edit' || doing?.what === 'password') && <UserForm user={doing.user} forPassword={doing.what === 'password'} onClose={close} />}
            {doing?.what === 'delete' && <UserDelete user={doing.user} onClose={close} />}
        </>
    );
}
