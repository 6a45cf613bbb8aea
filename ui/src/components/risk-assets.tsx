/** The assets of a risk, which raise or lower its score. */
import type { AssetBrief } from '../api.gen';
import { say, t } from '../i18n';
import { memberOf } from './members';
import { EditButton, MemberEditor } from './risk-details';
import type { Edit } from './risk-edit';

export function Assets({ edit, canEdit }: { edit: Edit; canEdit: boolean }) {
    const member = memberOf('assets');
    const assets = edit.values['assets'] as AssetBrief[];
    const isOpen = edit.isOpen('assets');
    return (
        <section class="panel" aria-labelledby="assets">
            <header><h2 id="assets">{say('member', 'assets')}</h2>{canEdit && !isOpen && <EditButton member={member} edit={edit} />}</header>
            {isOpen ? <MemberEditor member={member} edit={edit} /> : assets.length === 0 ? <p class="hint">{t(canEdit ? 'risk.assets.none.add' : 'none')}</p> : (
                <ul class="assets">
                    {assets.map((asset) => (
                        <li key={asset.id}><a href={`/assets/${asset.id}`}>{asset.name}</a> <span class="quiet">{say('criticality', asset.criticality)}</span></li>
                    ))}
                </ul>
            )}
        </section>
    );
}
