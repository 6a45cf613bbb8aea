/** The dialogs around one asset: made or changed, deleted. */
import { get, patch, post } from '../api';
import { limits, type Asset, type AssetWithRisks } from '../api.gen';
import { changed } from '../data';
import { t } from '../i18n';
import { toast } from '../toast';
import { Ask } from './ask';
import { FormDialog, useForm } from './record-form';
import { useValues } from './values';

const { name, type, criticality, owner, external_id } = limits.AssetChange;
const NEW = { version: 0, id: '', name: '', criticality: 'MEDIUM', risk_count: 0 };

/** `asset`: the one to change; without, a new one. */
export function AssetForm({ asset, types, onClose, onDone }: {
    asset?: Asset; types?: readonly string[]; onClose: () => void; onDone?: (asset: AssetWithRisks) => void;
}) {
    const path = asset ? `/assets/${asset.id}` : '/assets';
    const thing = asset ?? NEW;
    const owners = useValues('owner');
    const weighs = (value: string) => (value !== thing.criticality && thing.risk_count > 0 ? t('asset.rescores', { count: thing.risk_count }) : t('asset.criticality.hint'));
    const form = useForm<AssetWithRisks>({
        thing,
        fields: [
            { name: 'name', label: 'name', required: true, ...name },
            { name: 'type', label: 'asset.type', options: types, ...type },
            { name: 'criticality', label: 'asset.criticality', group: 'criticality', options: criticality.enum, hint: weighs },
            { name: 'owner', label: 'asset.owner', options: owners, ...owner },
            { name: 'external_id', label: 'asset.external_id', ...external_id },
        ],
        send: (body, version) => (asset ? patch(path, body, version) : post(path, body)),
        reread: () => get(path),
        onSaved: (saved) => {
            changed();
            toast(t('saved'));
            onClose();
            onDone?.(saved);
        },
    });
    return <FormDialog title={asset ? t('edit.it', { name: asset.name }) : t('asset.new')} form={form} onClose={onClose} />;
}

export function AssetDelete({ asset, onClose, onDone }: { asset: Asset; onClose: () => void; onDone?: () => void }) {
    const { id, name, version, risk_count: count } = asset;
    return (
        <Ask
            title={t('delete.it', { name })} text={t('asset.delete.text', { count })} told={t('deleted', { name })}
            path={`/assets/${id}`} version={version} onDone={onDone} onClose={onClose}
        />
    );
}
