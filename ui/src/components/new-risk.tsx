/** A new risk, from everywhere: its essentials in a dialog; the rest on its page. What was typed waits for the next time. */
import { useState } from 'preact/hooks';
import { post } from '../api';
import type { AssetBrief, Risk } from '../api.gen';
import { changed, learn } from '../data';
import { t } from '../i18n';
import { pressShortcut } from '../keys';
import { go } from '../router';
import { toast } from '../toast';
import { Dialog } from './dialog';
import { useDraft } from './drafts';
import { MemberForm } from './member-form';
import { changesOf, hasWrong, memberOf, valuesOf, type Values } from './members';
import { useBusy } from './record-form';
import { Sum } from './risk-score';
import { refOf } from './show';

const ASKED = ['title', 'impact', 'probability', 'description', 'status', 'owner', 'category', 'tags', 'assets'];
const members = ASKED.map(memberOf);
function fresh(): Values {
    return valuesOf(members, { impact: 0, probability: 0, status: 'ACTIVE' });
}

function LiveScore({ values }: { values: Values }) {
    const [impact, probability] = [values['impact'] as number, values['probability'] as number];
    return (
        <div class="wide live" role="status">
            {impact && probability
                ? <Sum impact={impact} probability={probability} criticalities={(values['assets'] as AssetBrief[]).map(({ criticality }) => criticality)} />
                : <p class="hint">{t('new.score')}</p>}
        </div>
    );
}

/** The dialog itself is the frame's, which also opens it by its key. */
export function NewRiskButton() {
    return <button type="button" class="primary" onClick={() => pressShortcut('new')}>{t('key.new')}</button>;
}

export function NewRisk({ onClose }: { onClose: () => void }) {
    const draft = useDraft('risk.new', fresh);
    const [isChecked, setChecked] = useState(false);
    const { busy, error, run } = useBusy();
    const create = (another: boolean) => {
        setChecked(true);
        return hasWrong(members, draft.value()) || run(async () => {
            const risk = await post<Risk>('/risks', changesOf(members, fresh(), draft.value()));
            const path = `/risks/${refOf(risk)}`;
            const open = () => { onClose(); go(path); };
            learn(path, risk);
            draft.clear();
            toast(t('new.done', { ref: refOf(risk) }), another ? { action: { label: t('new.open'), run: open } } : {});
            if (another) {
                setChecked(false);
            } else {
                open();
            }
            changed();
        });
    };
    const values = draft.value();
    return (
        <Dialog title={t('key.new')} onClose={onClose} onSubmit={() => void create(false)} class="new-risk">
            <MemberForm
                members={members} began={fresh()} values={values} draft={draft} isChecked={isChecked} error={error} lines={3}
                onChange={(name, value) => draft.set({ ...draft.value(), [name]: value })} beside={{ probability: <LiveScore values={values} /> }}
            />
            <footer class="actions">
                <button type="button" onClick={onClose}>{t('cancel')}</button>
                <button type="button" disabled={busy} onClick={() => void create(true)}>{t('new.another')}</button>
                <button type="submit" class="primary" disabled={busy} aria-busy={busy}>{t('new.create')}</button>
            </footer>
        </Dialog>
    );
}
