/** What each role may do. */
import { limits } from '../api.gen';
import { t, type Text } from '../i18n';
import { Facts } from './list';

export function Roles() {
    return (
        <details class="panel">
            <summary>{t('roles.title')}</summary>
            <Facts of={limits.UserChange.role.enum.map((role) => [`role.${role}`, t(`role.${role}.may` as Text)])} />
        </details>
    );
}
