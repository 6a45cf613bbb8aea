/** Some members in a form, in a dialog: what the forms of a new risk and of a mitigation have in common. */
import { Fragment, type ComponentChildren } from 'preact';
import { ago, t } from '../i18n';
import type { Draft } from './drafts';
import { Editor } from './editors';
import { serverSays } from './field';
import { apiName, checkAll, differing, type Member, type Value, type Values } from './members';
import { FormError } from './record-form';

const WIDE = ['title', 'description', 'assets'];

/**
 * `began`: what the form was before anybody typed. What is wrong is said of what differs from it, and of everything
 * once it `isChecked`. `beside`: what stands after the editor of a member.
 */
export function MemberForm({ members, began, values, draft, isChecked, error, onChange, lines = 6, beside }: {
    members: readonly Member[]; began: Values; values: Values; draft: Pick<Draft<unknown>, 'restoredAt' | 'clear' | 'round'>; isChecked: boolean; error: unknown;
    onChange: (name: string, value: Value) => void; lines?: number; beside?: Record<string, ComponentChildren>;
}) {
    const wrong = checkAll(members, values);
    return (
        <>
            {draft.restoredAt !== null && differing(members, began, values).length > 0 && (
                <p class="notice">{t('risk.restored', { when: ago(draft.restoredAt) })} <button type="button" class="link" onClick={() => draft.clear()}>{t('risk.discard')}</button></p>
            )}
            <div key={draft.round} class="fields">
                {members.map((member) => {
                    const { name } = member;
                    return (
                        <Fragment key={name}>
                            <div class={WIDE.includes(name) ? 'wide' : ''}>
                                <Editor
                                    member={member} value={values[name]!} autofocus={name === 'title'} lines={lines} onChange={(value) => onChange(name, value)}
                                    error={(isChecked || differing([member], began, values)[0] ? wrong[name] : undefined) ?? serverSays(error, apiName(member))}
                                />
                            </div>
                            {beside?.[name]}
                        </Fragment>
                    );
                })}
            </div>
            <FormError error={error} fields={members.map(apiName)} />
        </>
    );
}
