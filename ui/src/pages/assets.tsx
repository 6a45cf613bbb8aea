/** The assets: a list that is searched, filtered and sorted; its state is in the address. */
import { useState } from 'preact/hooks';
import { limits, type Asset, type AssetPage } from '../api.gen';
import { AssetDelete, AssetForm } from '../components/asset-form';
import { Filters, Listed, useList, type Column } from '../components/list';
import { Ago, Level, PageHead } from '../components/show';
import { useGet } from '../data';
import { number, t } from '../i18n';
import { go, withQuery, type Place } from '../router';
import { mayDelete, mayWrite, useUser } from '../session';

/** The types that are in use, as far as the assets with the most risks tell. */
function useTypes(shown: Asset[], chosen = ''): string[] {
    const known = useGet<AssetPage>('/assets?sort_by=risk_count&limit=200');
    const types = [...(known.data?.items ?? []), ...shown].map(({ type }) => type ?? '');
    return [...new Set([...types, chosen])].filter(Boolean).sort();
}

type Doing = { what: 'new' } | { what: 'edit' | 'delete'; asset: Asset } | null;

function useColumns(onDo: (doing: Doing) => void): Column<Asset>[] {
    const user = useUser();
    const columns: Column<Asset>[] = [
        { head: 'name', show: ({ id, name }) => <a href={`/assets/${id}`} data-row>{name}</a>, sort: ['name', 'asc'] },
        { head: 'asset.type', kind: 'minor', show: ({ type }) => type && <a href={withQuery('/assets', { type })}>{type}</a> },
        { head: 'asset.criticality', show: ({ criticality }) => <Level level={criticality} group="criticality" /> },
        { head: 'asset.owner', kind: 'minor', show: ({ owner }) => owner },
        { head: 'palette.risks', kind: 'number', show: ({ id, risk_count: count }) => (count > 0 ? <a href={withQuery('/risks', { asset_id: id })}>{number(count)}</a> : 0), sort: ['risk_count', 'desc'] },
        { head: 'asset.updated', kind: 'minor', show: ({ updated_at }) => <Ago at={updated_at} />, sort: ['updated_at', 'desc'] },
    ];
    return !mayWrite(user) ? columns : [...columns, {
        head: 'actions', kind: 'minor deeds', show: (asset) => (
            <>
                <button type="button" class="link" aria-label={t('edit.it', { name: asset.name })} onClick={() => onDo({ what: 'edit', asset })}>{t('edit')}</button>
                {mayDelete(user, asset.created_by) && <button type="button" class="link" aria-label={t('delete.it', { name: asset.name })} onClick={() => onDo({ what: 'delete', asset })}>{t('delete')}</button>}
            </>
        ),
    }];
}

export function AssetsPage({ place }: { place: Place }) {
    const user = useUser();
    const [doing, setDoing] = useState<Doing>(null);
    const list = useList<Asset>(place, '/assets', ['q', 'criticality', 'type']);
    const types = useTypes(list.got.data?.items ?? [], list.asked['type']);
    const columns = useColumns(setDoing);
    const close = () => setDoing(null);
    return (
        <>
            <PageHead title={t('page.assets')}>
                {mayWrite(user) && <button type="button" class="primary" onClick={() => setDoing({ what: 'new' })}>{t('asset.new')}</button>}
            </PageHead>
            <div class="panel">
                <Filters
                    list={list} filters={[
                        { name: 'q', label: 'asset.search' },
                        { name: 'criticality', label: 'asset.criticality', group: 'criticality', options: limits.AssetChange.criticality.enum },
                        { name: 'type', label: 'asset.type', group: '', options: types },
                    ]}
                />
                <Listed list={list} label={t('page.assets')} columns={columns} first="name" none="asset.none">{mayWrite(user) && t('asset.none.text')}</Listed>
            </div>
            {doing?.what === 'new' && <AssetForm types={types} onClose={close} onDone={({ id }) => go(`/assets/${id}`)} />}
            {doing?.what === 'edit' && <AssetForm asset={doing.asset} types={types} onClose={close} />}
            {doing?.what === 'delete' && <AssetDelete asset={doing.asset} onClose={close} />}
        </>
    );
}
