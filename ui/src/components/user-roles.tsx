/** What each role may do. */
import { limits } from '../api.gen';
import { say, t, type Text } from '../i18n';

const RIGHTS: [Text, string[]][] = [
    ['right.read', ['viewer', 'analyst', 'admin']],
    ['right.write', ['analyst', 'admin']],
    ['right.delete', ['analyst', 'admin']],
    ['right.any', ['admin']],
    ['right.admin', ['admin']],
];

export function Roles() {
    const roles = limits.UserChange.role.enum;
    return (
        <details class="panel">
            <summary>{t('roles.title')}</summary>
            <div class="scroll">
                <table class="list plain roles">
                    <thead><tr><th scope="col">{t('roles.may')}</th>{roles.map((role) => <th key={role} scope="col">{say('role', role)}</th>)}</tr></thead>
                    <tbody>
                        {RIGHTS.map(([right, who]) => (
                            <tr key={right}>
                                <th scope="row">{t(right)}</th>
                                {roles.map((role) => <td key={role}>{who.includes(role) ? <><span aria-hidden="true">✓</span><span class="unseen">{t('yes')}</span></> : <span class="quiet">{t('no')}</span>}</td>)}
                            </tr>
                        ))}
                    </tbody>
                </table>
            </div>
        </details>
    );
}
