/** A new risk, from everywhere: its essentials in a dialog; the rest on its page. What was typed waits for the next time. */
import { Fragment } from 'preact';
import { useState } from 'preact/hooks';
import { post } from '../api';
import type { AssetBrief, Risk } from '../api.gen';
import { changed, learn } from '../data';
import { ago, t } from '../i18n';
import { go } from '../router';
import { errorText, toast } from '../toast';
import { Dialog } from './dialog';
import { useDraft } from './drafts';
import { Editor } from './editors';
import { serverSays } from './field';
import { changesOf, checkAll, differing, riskMembers, valuesOf, type Values } from './members';
import { Sum } from './risk-score';
import { refOf } from './show';

const ASKED = ['title', 'impact', 'probability', 'description', 'status', 'owner', 'category', 'tags', 'assets'];
const members = ASKED.map((name) => riskMembers.find((member) => member.name === name)!);
const WIDE = ['title', 'description', 'assets'];

function fresh(): Values {
    return valuesOf(members, { impact: 0, probability: 0, status: 'ACTIVE' });
}

function useCreate(values: () => Values, onCreated: (risk: Risk, another: boolean) => void) {
    const [isChecked, setChecked] = useState(false);
    const [failure, setFailure] = useState<unknown>(null);
    const [busy, setBusy] = useState(false);
    const create = async (another: boolean) => {
        setChecked(true);
        if (busy || Object.keys(checkAll(members, values())).length > 0) {
            return;
        }
        setBusy(true);
        setFailure(null);
        try {
            const risk = await post<Risk>('/risks', changesOf(members, fresh(), values()));
            learn(`/risks/${refOf(risk)}`, risk);
            setChecked(false);
            onCreated(risk, another);
            changed();
        } catch (reason) {
            setFailure(reason);
        }
        setBusy(false);
    };
    return { isChecked, failure, busy, create };
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

export function NewRisk({ onClose }: { onClose: () => void }) {
    const draft = useDraft('risk.new', fresh);
    const [round, setRound] = useState(0);
    const { isChecked, failure, busy, create } = useCreate(draft.value, (risk, another) => {
        const path = `/risks/${refOf(risk)}`;
        draft.clear();
        toast(t('new.done', { ref: refOf(risk) }), another ? { action: { label: t('new.open'), run: () => { onClose(); go(path); } } } : {});
        if (another) {
            setRound(round + 1);
        } else {
            onClose();
            go(path);
        }
    });
    const values = draft.value();
    const wrong = checkAll(members, values);
    const isElsewhere = failure !== null && !members.some((member) => serverSays(failure, member.api ?? member.name));
    return (
        <Dialog title={t('key.new')} onClose={onClose} onSubmit={() => void create(false)} class="new-risk">
            {draft.restoredAt !== null && differing(members, fresh(), values).length > 0 && (
                <p class="notice">{t('risk.restored', { when: ago(draft.restoredAt) })} <button type="button" class="link" onClick={() => { draft.clear(); setRound(round + 1); }}>{t('risk.discard')}</button></p>
            )}
            <div key={round} class="fields">
                {members.map((member) => (
                    <Fragment key={member.name}>
                        <div class={WIDE.includes(member.name) ? 'wide' : ''}>
                            <Editor
                                member={member} value={values[member.name]!} autofocus={member.name === 'title'} lines={3}
                                error={(isChecked || (member.kind !== 'scale' && values[member.name] !== '') ? wrong[member.name] : undefined) ?? serverSays(failure, member.api ?? member.name)}
                                onChange={(value) => draft.set({ ...draft.value(), [member.name]: value })}
                            />
                        </div>
                        {member.name === 'probability' && <LiveScore values={values} />}
                    </Fragment>
                ))}
            </div>
            <p class="error" role="alert">{isElsewhere && errorText(failure)}</p>
            <footer class="actions">
                <button type="button" onClick={onClose}>{t('cancel')}</button>
                <button type="button" disabled={busy} onClick={() => void create(true)}>{t('new.another')}</button>
                <button type="submit" class="primary" disabled={busy} aria-busy={busy}>{t('new.create')}</button>
            </footer>
        </Dialog>
    );
}
