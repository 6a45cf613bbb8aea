/** What a risk says: each member where it stands, to be read, and to be edited there. */
import { useEffect, useRef } from 'preact/hooks';
import { explain } from '../score';
import type { AssetBrief, ChangePage, Risk } from '../api.gen';
import { useGet } from '../data';
import { ago, say, t } from '../i18n';
import { keyLabel } from '../keys';
import { errorText } from '../toast';
import { Editor } from './editors';
import { MemberValue } from './member-value';
import { riskMembers, type Member } from './members';
import type { Edit } from './risk-edit';
import { Ago, Level } from './show';

/** Which members stand where. */
const WIDE = ['description', 'tags', 'frameworks', 'custom_fields'];

/** The editor of a member; takes the focus if it was opened by that. Enter in a line saves. */
export function MemberEditor({ member, edit }: { member: Member; edit: Edit }) {
    const ref = useRef<HTMLDivElement>(null);
    const wantsFocus = edit.focus === member.name;
    useEffect(() => {
        if (wantsFocus) {
            (ref.current!.querySelector<HTMLElement>('[data-autofocus]') ?? ref.current!.querySelector<HTMLElement>('input, textarea, select, button'))?.focus();
        }
    }, [wantsFocus, edit.turn]);
    const press = (event: KeyboardEvent) => {
        if (event.key === 'Enter' && !event.defaultPrevented && !event.ctrlKey && !event.metaKey && (event.target as Element).matches('input:not([role])')) {
            event.preventDefault();
            edit.save();
        }
    };
    return (
        <div ref={ref} class={WIDE.includes(member.name) ? 'member open wide' : 'member open'} onKeyDown={press}>
            <Editor member={member} value={edit.values[member.name]!} onChange={(value) => edit.set(member.name, value)} error={edit.errors[member.name]} autofocus={wantsFocus} />
        </div>
    );
}

export function EditButton({ member, edit }: { member: Member; edit: Edit }) {
    return (
        <button type="button" class="icon pencil" aria-label={t('edit.one', { name: say('member', member.name) })} onClick={() => edit.start(member.name)}>
            <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M2.5 13.5l.6-3 7.6-7.6 2.4 2.4-7.6 7.6zM9.4 4.2l2.4 2.4" /></svg>
        </button>
    );
}

function MemberView({ member, edit, risk, canEdit }: { member: Member; edit: Edit; risk: Risk; canEdit: boolean }) {
    if (edit.isOpen(member.name)) {
        return <MemberEditor member={member} edit={edit} />;
    }
    // A click opens it, but not one that ends the selection of a text.
    const click = (event: MouseEvent) => {
        if (canEdit && !(event.target as Element).closest('button, a') && getSelection()?.isCollapsed !== false) {
            edit.start(member.name);
        }
    };
    const label = say('member', member.name);
    const isDone = risk.status === 'CLOSED';
    return (
        <div class={`member${WIDE.includes(member.name) ? ' wide' : ''}${canEdit ? ' can' : ''}`} role="group" aria-label={label} onClick={click}>
            <div class="name"><span>{label}</span>{canEdit && <EditButton member={member} edit={edit} />}</div>
            <div class="value"><MemberValue member={member} value={edit.values[member.name]!} isDone={isDone} /></div>
        </div>
    );
}

export function Details({ risk, edit, canEdit }: { risk: Risk; edit: Edit; canEdit: boolean }) {
    return (
        <section class="panel details" aria-labelledby="details">
            <header>
                <h2 id="details">{t('risk.details')}</h2>
                {canEdit && !edit.isOn && <button type="button" onClick={() => edit.start()}>{t('edit')} <kbd>{keyLabel('E')}</kbd></button>}
            </header>
            <div class="members">
                {riskMembers.filter(({ name }) => name !== 'title' && name !== 'assets').map((member) => (
                    <MemberView key={member.name} member={member} edit={edit} risk={risk} canEdit={canEdit} />
                ))}
                <div class="member" role="group" aria-label={say('member', 'source')}>
                    <div class="name"><span>{say('member', 'source')}</span></div>
                    <div class="value">{risk.source ?? <span class="quiet">{t('none')}</span>}{risk.external_id && <> · <span class="ref">{risk.external_id}</span></>}</div>
                </div>
                <div class="member" role="group" aria-label={t('risk.dates')}>
                    <div class="name"><span>{t('risk.dates')}</span></div>
                    <div class="value"><p>{t('risk.created')} <Ago at={risk.created_at} /></p><p>{t('risk.updated')} <Ago at={risk.updated_at} /></p></div>
                </div>
            </div>
        </section>
    );
}

/** Somebody else has changed it while one edits. */
function Meanwhile({ risk, edit }: { risk: Risk; edit: Edit }) {
    const { data } = useGet<ChangePage>(`/risks/${risk.id}/timeline?limit=20`);
    // The timeline is read beside the risk: the notice waits for it, so that it is written once and says who.
    if (!data || (data.items[0]?.version ?? 0) < risk.version) {
        return null;
    }
    const names = edit.meanwhile.map(({ name }) => name);
    const actors = new Set(data.items.filter(({ version, member }) => version > edit.began!.version && names.includes(member ?? '')).map(({ actor }) => actor));
    return (
        <p class="notice">
            {t('risk.meanwhile', { who: [...actors].join(', ') || t('risk.somebody'), members: names.map((name) => say('member', name)).join(', ') })}
        </p>
    );
}

/** Saving and giving up, always in sight while one edits; and what one should know before. */
export function EditBar({ risk, edit }: { risk: Risk; edit: Edit }) {
    const { impact, probability, assets } = edit.upcoming;
    const next = explain(impact as number, probability as number, (assets as AssetBrief[]).map(({ criticality }) => criticality));
    const wrong = Object.keys(edit.errors).length;
    return (
        <div class="edit-bar" role="region" aria-label={t('risk.editing')}>
            <div class="notices" role="status">
                {edit.meanwhile.length > 0 && <Meanwhile risk={risk} edit={edit} />}
                {edit.restoredAt !== null && <p class="notice">{t('risk.restored', { when: ago(edit.restoredAt) })}</p>}
            </div>
            <div class="says" role="status">
                {next.score !== risk.score && (
                    <p class="preview">{t('risk.preview')} <Level level={risk.level} score={risk.score} /> → <Level level={next.level} score={next.score} /></p>
                )}
            </div>
            <p class="error" role="alert">{edit.error !== null ? errorText(edit.error) : wrong > 0 ? t('risk.wrong', { count: wrong }) : ''}</p>
            <div class="actions">
                <button type="button" onClick={edit.cancel}>{t('cancel')} <kbd>Esc</kbd></button>
                <button type="button" class="primary" disabled={edit.busy} aria-busy={edit.busy} onClick={edit.save}>{t('save')} <kbd>{keyLabel('Mod+Enter')}</kbd></button>
            </div>
        </div>
    );
}
