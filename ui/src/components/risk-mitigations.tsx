/** What is done about a risk: mitigations, each with its steps. */
import { useState } from 'preact/hooks';
import { post, remove } from '../api';
import type { Mitigation, Risk } from '../api.gen';
import { number, percent, quoted, t } from '../i18n';
import { toast, toastError } from '../toast';
import { Confirm } from './dialog';
import { MitigationForm } from './mitigation-form';
import { reread } from './risk-edit';
import { Due, Empty, Status } from './show';
import { Steps, useChecks, type Checks } from './risk-steps';

function Progress({ value, of }: { value: number; of: string }) {
    return (
        <span class="progress">
            <span class="bar" role="progressbar" aria-label={t('mitigation.progress.of', { title: of })} aria-valuenow={value} aria-valuemin={0} aria-valuemax={100}>
                <span style={{ width: `${value}%` }} />
            </span>
            <span>{percent(value / 100)}</span>
        </span>
    );
}

function Facts({ mitigation }: { mitigation: Mitigation }) {
    const { assignee, due_date, status, cost, mitigation_time } = mitigation;
    return (
        <p class="facts">
            <Status status={status} group="mitigation" />
            {assignee && <span><span class="quiet">{t('named', { name: t('member.assignee') })}</span> {assignee}</span>}
            {due_date && <span><span class="quiet">{t('named', { name: t('member.due_date') })}</span> <Due date={due_date} done={status === 'DONE'} /></span>}
            {cost > 0 && <span><span class="quiet">{t('named', { name: t('member.cost') })}</span> {number(cost)}</span>}
            {mitigation_time > 0 && <span><span class="quiet">{t('named', { name: t('mitigation.time') })}</span> {t('mitigation.days', { count: mitigation_time })}</span>}
        </p>
    );
}

function MitigationView({ mitigation, checks, canEdit, onEdit, onDelete, onChanged }: {
    mitigation: Mitigation; checks: Checks; canEdit: boolean; onEdit: () => void; onDelete: () => void; onChanged: () => Promise<unknown>;
}) {
    const name = quoted(mitigation.title);
    return (
        <li class="mitigation" aria-label={mitigation.title}>
            <div class="head">
                <h3>{mitigation.title}</h3>
                {canEdit && (
                    <span class="tools">
                        <button type="button" class="link" aria-label={t('edit.one', { name })} onClick={onEdit}>{t('edit')}</button>
                        <button type="button" class="link danger" aria-label={t('delete.one', { name })} onClick={onDelete}>{t('delete')}</button>
                    </span>
                )}
            </div>
            <Facts mitigation={mitigation} />
            {mitigation.description && <p class="long">{mitigation.description}</p>}
            <Progress value={checks.progress(mitigation)} of={mitigation.title} />
            <Steps mitigation={mitigation} checks={checks} canEdit={canEdit} onChanged={onChanged} />
        </li>
    );
}

/** Give a deleted one back as it was; the server makes it anew. */
async function makeAgain(risk: Risk, { title, description, assignee, status, progress, due_date, cost, mitigation_time, sub_actions }: Mitigation) {
    const isByHand = sub_actions.length === 0 ? progress > 0 : progress !== Math.trunc((sub_actions.filter(({ completed }) => completed).length * 100) / sub_actions.length);
    const made = await post<Mitigation>(`/risks/${risk.id}/mitigations`, {
        title, description, assignee, status, due_date, cost, mitigation_time, ...(isByHand ? { progress } : {}),
    });
    for (const step of sub_actions) {
        await post(`/mitigations/${made.id}/subactions`, { title: step.title, completed: step.completed });
    }
}

export function Mitigations({ risk, path, canEdit }: { risk: Risk; path: string; canEdit: boolean }) {
    const [form, setForm] = useState<Mitigation | 'new' | null>(null);
    const [doomed, setDoomed] = useState<Mitigation | null>(null);
    const onChanged = () => reread(path);
    const checks = useChecks(onChanged);
    const destroy = async (mitigation: Mitigation) => {
        setDoomed(null);
        try {
            await remove(`/mitigations/${mitigation.id}`, mitigation.version);
            const again = () => void makeAgain(risk, mitigation).then(onChanged).catch(toastError);
            toast(t('deleted', { name: quoted(mitigation.title) }), { action: { label: t('undo'), run: again } });
        } catch (error) {
            toastError(error);
        }
        await onChanged().catch(toastError);
    };
    return (
        <section class="panel" aria-labelledby="mitigations">
            <header>
                <h2 id="mitigations">{t('risk.mitigations')}{risk.mitigations.length > 0 && <span class="quiet"> {number(risk.mitigations.length)}</span>}</h2>
                {canEdit && <button type="button" onClick={() => setForm('new')}>{t('mitigation.add')}</button>}
            </header>
            {risk.mitigations.length === 0 ? <Empty title={t('mitigation.none')}>{canEdit && t('mitigation.none.text')}</Empty> : (
                <ul class="mitigations">
                    {risk.mitigations.map((mitigation) => (
                        <MitigationView
                            key={mitigation.id} mitigation={mitigation} checks={checks} canEdit={canEdit}
                            onEdit={() => setForm(mitigation)} onDelete={() => setDoomed(mitigation)} onChanged={onChanged}
                        />
                    ))}
                </ul>
            )}
            {form !== null && (
                <MitigationForm risk={risk} mitigation={form === 'new' ? null : form} onClose={() => setForm(null)} onDone={() => void onChanged().catch(toastError)} />
            )}
            {doomed && (
                <Confirm
                    title={t('delete.one', { name: quoted(doomed.title) })} text={t('mitigation.delete.text')} label={t('delete')}
                    onYes={() => void destroy(doomed)} onNo={() => setDoomed(null)}
                />
            )}
        </section>
    );
}
