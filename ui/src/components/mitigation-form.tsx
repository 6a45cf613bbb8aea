/** A mitigation, new or changed, in a dialog. What was typed is kept until it is saved. */
import { useState } from 'preact/hooks';
import { get, patch, post } from '../api';
import type { Mitigation, MitigationItems, Risk } from '../api.gen';
import { quoted, say, t } from '../i18n';
import { toast } from '../toast';
import { Actions, Dialog } from './dialog';
import { useDraft } from './drafts';
import { MemberForm } from './member-form';
import { changesOf, hasWrong, mitigationMembers, valuesOf, type Values } from './members';
import { saveMerging, whoChanged, type Began, type Clash } from './merge';
import { MergeDialog } from './merge-dialog';
import { useBusy } from './record-form';

const FRESH = { title: '', status: 'PLANNED', progress: 0, cost: 0, mitigation_time: 0 };

function beganFrom(mitigation: Mitigation | null): Began {
    return { version: mitigation?.version ?? 0, values: valuesOf(mitigationMembers, mitigation ?? FRESH) };
}

async function save(risk: Risk, mitigation: Mitigation | null, from: Began, mine: Values) {
    if (!mitigation) {
        await post(`/risks/${risk.id}/mitigations`, { title: (mine['title'] as string).trim(), ...changesOf(mitigationMembers, from.values, mine) });
        return null;
    }
    const result = await saveMerging(mitigationMembers, from, mine, {
        send: (changes, version) => patch<Mitigation>(`/mitigations/${mitigation.id}`, changes, version),
        current: async () => {
            const { items } = await get<MitigationItems>(`/risks/${risk.id}/mitigations`);
            return beganFrom(items.find(({ id }) => id === mitigation.id) ?? mitigation);
        },
        who: () => whoChanged(risk.id, 0, 'mitigation.'),
    });
    return 'conflicts' in result ? result : null;
}

/** `onDone`: it is saved, and what is shown is to be read again. */
export function MitigationForm({ risk, mitigation, onClose, onDone }: {
    risk: Risk; mitigation: Mitigation | null; onClose: () => void; onDone: () => void;
}) {
    const draft = useDraft(`mitigation.${mitigation?.id ?? `new.${risk.id}`}`, () => {
        const began = beganFrom(mitigation);
        return { began, mine: began.values };
    });
    const { busy, error, run } = useBusy();
    const [clash, setClash] = useState<Clash | null>(null);
    const [isChecked, setChecked] = useState(mitigation !== null);
    const { began, mine } = draft.value();
    const send = (from: Began, values: Values) => run(async () => {
        const found = await save(risk, mitigation, from, values);
        if (found) {
            setClash(found);
        } else {
            draft.clear();
            toast(t('saved'));
            onDone();
            onClose();
        }
    });
    const submit = () => {
        setChecked(true);
        const now = draft.value();
        return hasWrong(mitigationMembers, now.mine) || send(now.began, now.mine);
    };
    if (clash) {
        const decide = (values: Values) => {
            draft.set({ began: clash.theirs, mine: values });
            setClash(null);
            void send(clash.theirs, values);
        };
        return <MergeDialog clash={clash} base={began.values} onDecide={decide} onClose={() => setClash(null)} />;
    }
    return (
        <Dialog title={mitigation ? t('edit.one', { name: quoted(mitigation.title) }) : t('mitigation.add')} onClose={onClose} onSubmit={() => void submit()}>
            <MemberForm
                members={mitigationMembers} began={began.values} values={mine} draft={draft} isChecked={isChecked} error={error}
                onChange={(name, value) => draft.set({ began, mine: { ...draft.value().mine, [name]: value } })}
            />
            {mitigation && mitigation.sub_actions.length > 0 && <p class="hint">{t('mitigation.progress.hint', { member: say('member', 'progress') })}</p>}
            <Actions label={t('save')} onCancel={onClose} busy={busy} />
        </Dialog>
    );
}
