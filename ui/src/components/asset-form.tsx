/** An asset, made or changed in a dialog. */
import { get, post } from '../api';
import { limits, type Asset, type AssetWithRisks } from '../api.gen';
import { changed } from '../data';
import { say, t, type Text } from '../i18n';
import { toast } from '../toast';
import { Actions, Dialog } from './dialog';
import { checkText, Choice, Input, serverSays } from './field';
import { orNull, useBusy, useRecord, type Form } from './record-form';
import { FormError, TheirChanges } from './record-notice';
import { useValues } from './values';

const MEMBERS = ['name', 'type', 'criticality', 'owner', 'external_id'] as const;
type Member = (typeof MEMBERS)[number];

const NEW = { id: '', version: 0, name: '', type: null, criticality: 'MEDIUM', owner: null, external_id: null, risk_count: 0 } as Pick<Asset, 'id' | 'version' | 'risk_count' | Member>;

function formOf(asset: typeof NEW): Form<Member> {
    return Object.fromEntries(MEMBERS.map((member) => [member, asset[member] ?? ''])) as Form<Member>;
}

function bodyOf(changes: Partial<Form<Member>>): unknown {
    return Object.fromEntries(Object.entries(changes).map(([member, value]) => [member, orNull(value)]));
}

const label = (member: Member) => t(`asset.${member}` as Text);
const word = (member: Member, value: string) => (member === 'criticality' ? say('criticality', value) : value);

/** `asset`: the one to change; without, a new one. */
export function AssetForm({ asset, types, onClose, onDone }: {
    asset?: typeof NEW | undefined; types?: readonly string[]; onClose: () => void; onDone?: (asset: { id: string }) => void;
}) {
    const path = `/assets/${asset?.id}`;
    const form = useRecord({ thing: asset ?? NEW, formOf, bodyOf, path, reread: () => get<AssetWithRisks>(path) });
    const { busy, error, run } = useBusy();
    const owners = useValues('owner');
    const { values, set, base } = form;
    const wrong = (member: Exclude<Member, 'criticality'>) =>
        checkText(values[member], { maxLength: limits.AssetChange[member].maxLength, required: member === 'name' && (asset !== undefined || form.mine.length > 0) })
            ?? serverSays(error, member);
    const isReady = values.name.trim() !== '' && !(['name', 'type', 'owner', 'external_id'] as const).some((member) => checkText(values[member], limits.AssetChange[member]));
    const rescores = asset !== undefined && form.mine.includes('criticality') && base.risk_count > 0;
    const submit = () => isReady && run(async () => {
        const saved = asset ? await form.save() : await post<AssetWithRisks>('/assets', bodyOf(Object.fromEntries(MEMBERS.map((member) => [member, values[member].trim()]))));
        changed();
        if (saved) {
            toast(rescores ? t('asset.rescored', { count: saved.risk_count }) : t('saved'));
            onClose();
            onDone?.(saved);
        }
    });
    const text = (member: Exclude<Member, 'criticality'>, options?: readonly string[]) => (
        <Input
            label={label(member)} value={values[member]} onInput={(value) => set({ [member]: value })} maxLength={limits.AssetChange[member].maxLength}
            error={wrong(member)} options={options} required={member === 'name'} autofocus={member === 'name'} wide={member === 'name'}
        />
    );
    return (
        <Dialog title={asset ? t('asset.edit', { name: asset.name }) : t('asset.new')} onClose={onClose} onSubmit={() => void submit()}>
            {form.theirs && <TheirChanges theirs={form.theirs} label={label} word={word} onTake={form.takeTheirs} />}
            <div class="fields">
                {text('name')}
                {text('type', types)}
                <Choice
                    label={label('criticality')} group="criticality" options={limits.AssetChange.criticality.enum} value={values.criticality}
                    onChange={(criticality) => set({ criticality })} hint={rescores ? t('asset.rescores', { count: base.risk_count }) : t('asset.criticality.hint')}
                />
                {text('owner', owners)}
                {text('external_id')}
            </div>
            <FormError error={error} fields={MEMBERS} />
            <Actions label={form.theirs ? t('theirs.save') : t('save')} onCancel={onClose} busy={busy} disabled={!isReady} />
        </Dialog>
    );
}
