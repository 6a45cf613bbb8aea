/** Two people have changed the same: both versions side by side, and a choice for each. */
import { useState } from 'preact/hooks';
import { say, t } from '../i18n';
import { Actions, Dialog } from './dialog';
import { Difference } from './difference';
import { valueText } from './member-value';
import { checkMember, type Member, type Value, type Values } from './members';
import type { Clash } from './merge';
import { Ago } from './show';

type Side = 'mine' | 'theirs' | 'edited';

interface Choice {
    side: Side;
    text: string;
}

/** Lists can be put together: all that either of us has. */
function both(member: Member, mine: Value, theirs: Value): Value | null {
    return member.kind === 'texts' ? [...new Set([...(theirs as string[]), ...(mine as string[])])] : null;
}

function Conflict({ member, clash, base, choice, onChoice }: {
    member: Member; clash: Clash; base: Values; choice: Choice | undefined; onChoice: (choice: Choice) => void;
}) {
    const mine = clash.values[member.name]!;
    const theirs = clash.theirs.values[member.name]!;
    const who = clash.who[member.name];
    const isText = member.kind === 'text' || member.kind === 'long';
    const label = say('member', member.name);
    const side = (name: 'mine' | 'theirs', value: Value) => (
        <label class="side-by">
            <span class="head">
                <input type="radio" name={member.name} checked={choice?.side === name} onChange={() => onChoice({ side: name, text: '' })} />
                <b>{t(name === 'mine' ? 'merge.mine' : 'merge.theirs')}</b>
                {name === 'theirs' && who && <span class="quiet">{who.actor}, <Ago at={who.at} /></span>}
            </span>
            <span class="text">{isText ? <Difference from={base[member.name] as string} to={value as string} /> : valueText(member, value)}</span>
        </label>
    );
    const united = both(member, mine, theirs);
    return (
        <fieldset class="conflict">
            <legend>{label}</legend>
            <div class="sides" data-arrows>{side('mine', mine)}{side('theirs', theirs)}</div>
            {(isText || united) && (
                <label class="head">
                    <input
                        type="radio" name={member.name} checked={choice?.side === 'edited'}
                        onChange={() => onChoice({ side: 'edited', text: isText ? choice?.text || mine as string : '' })}
                    />
                    <b>{t(isText ? 'merge.edit' : 'merge.both')}</b>{united && <span class="text">{valueText(member, united)}</span>}
                </label>
            )}
            {isText && choice?.side === 'edited' && (
                <textarea aria-label={label} rows={member.kind === 'long' ? 6 : 2} value={choice.text} onInput={(event) => onChoice({ side: 'edited', text: event.currentTarget.value })} />
            )}
        </fieldset>
    );
}

export function MergeDialog({ clash, base, onDecide, onClose }: {
    clash: Clash; base: Values; onDecide: (values: Values) => void; onClose: () => void;
}) {
    const [choices, setChoices] = useState<Record<string, Choice>>({});
    const valueFor = (member: Member): Value | undefined => {
        const choice = choices[member.name];
        const [mine, theirs] = [clash.values[member.name]!, clash.theirs.values[member.name]!];
        return choice && (choice.side === 'mine' ? mine : choice.side === 'theirs' ? theirs : both(member, mine, theirs) ?? choice.text);
    };
    const decided = clash.conflicts.map((member) => [member, valueFor(member)] as const);
    const isReady = decided.every(([member, value]) => value !== undefined && checkMember(member, value) === undefined);
    const submit = () => isReady && onDecide({ ...clash.values, ...Object.fromEntries(decided.map(([member, value]) => [member.name, value!])) });
    return (
        <Dialog title={t('merge.title')} onClose={onClose} onSubmit={submit} class="wide-dialog merge">
            <p>{t('merge.text')}</p>
            {clash.conflicts.map((member) => (
                <Conflict
                    key={member.name} member={member} clash={clash} base={base} choice={choices[member.name]}
                    onChoice={(choice) => setChoices({ ...choices, [member.name]: choice })}
                />
            ))}
            {clash.taken.length > 0 && <p class="hint">{t('merge.taken', { members: clash.taken.map(({ name }) => say('member', name)).join(', ') })}</p>}
            <Actions label={t('save')} onCancel={onClose} disabled={!isReady} />
        </Dialog>
    );
}
