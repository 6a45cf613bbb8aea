/** The assets: a list that is searched, filtered and sorted; its state is in the address. */
import { useRef, useState } from 'preact/hooks';
import { limits, type Asset, type AssetPage } from '../api.gen';
import { AssetDelete } from '../components/asset-delete';
import { AssetForm } from '../components/asset-form';
import { Choice } from '../components/field';
import { Pager } from '../components/pager';
import { Ago, Empty, Level, Loaded, PageHead } from '../components/show';
import { Typed } from '../components/typed';
import { useGet } from '../data';
import { number, t } from '../i18n';
import { useShortcut } from '../keys';
import { go, withQuery, type Place } from '../router';
import { mayDelete, mayWrite, useUser } from '../session';

const LIMIT = 50;
const FILTERS = ['q', 'criticality', 'type'] as const;
const SORTS: Record<string, 'asc' | 'desc'> = { name: 'asc', risk_count: 'desc', updated_at: 'desc' };

/** What the address asks for, and the way to other such addresses. */
function useAsked({ query }: Place) {
    const asked = Object.fromEntries([...query].filter(([name]) => name in SHOWN)) as Partial<typeof SHOWN>;
    const move = (some: Partial<typeof SHOWN>, replace = false) => go(withQuery('/assets', { ...asked, page: '', ...some }), { stay: some.page === undefined, replace });
    const sortBy = asked.sort_by ?? 'name';
    return { asked, move, sortBy, sortDir: asked.sort_dir ?? SORTS[sortBy] ?? 'asc' };
}
const SHOWN = { q: '', criticality: '', type: '', sort_by: '', sort_dir: '', page: '' };

/** The types that are in use, as far as the assets with the most risks tell. */
function useTypes(shown: Asset[], chosen: string | undefined): string[] {
    const known = useGet<AssetPage>('/assets?sort_by=risk_count&limit=200');
    const types = [...(known.data?.items ?? []), ...shown].map(({ type }) => type).concat(chosen ?? null);
    return [...new Set(types.filter((type): type is string => type !== null))].sort();
}

function SortHead({ name, label, by, dir, onSort, class: kind }: {
    name: string; label: string; by: string; dir: string; onSort: (by: string, dir: string) => void; class?: string;
}) {
    const isBy = by === name;
    const next = isBy ? (dir === 'asc' ? 'desc' : 'asc') : SORTS[name]!;
    return (
        <th scope="col" class={kind} aria-sort={isBy ? (dir === 'asc' ? 'ascending' : 'descending') : undefined}>
            <button type="button" class="link" onClick={() => onSort(name, next)}>{label}<span class="sort-mark" aria-hidden="true">{isBy ? (dir === 'asc' ? '▲' : '▼') : ''}</span></button>
        </th>
    );
}

function Row({ asset, onEdit, onDelete }: { asset: Asset; onEdit: (asset: Asset) => void; onDelete: (asset: Asset) => void }) {
    const user = useUser();
    return (
        <tr>
            <th scope="row"><a href={`/assets/${asset.id}`} data-row>{asset.name}</a></th>
            <td class="minor">{asset.type && <a href={withQuery('/assets', { type: asset.type })}>{asset.type}</a>}</td>
            <td><Level level={asset.criticality} group="criticality" /></td>
            <td class="minor">{asset.owner}</td>
            <td class="number">{asset.risk_count > 0 ? <a href={withQuery('/risks', { asset_id: asset.id })}>{number(asset.risk_count)}</a> : 0}</td>
            <td class="minor"><Ago at={asset.updated_at} /></td>
            {mayWrite(user) && (
                <td class="minor deeds">
                    <button type="button" class="link" aria-label={t('asset.edit', { name: asset.name })} onClick={() => onEdit(asset)}>{t('edit')}</button>
                    {mayDelete(user, asset.created_by) && <button type="button" class="link" aria-label={t('asset.delete.it', { name: asset.name })} onClick={() => onDelete(asset)}>{t('delete')}</button>}
                </td>
            )}
        </tr>
    );
}

type Doing = { what: 'new' } | { what: 'edit' | 'delete'; asset: Asset } | null;

export function AssetsPage({ place }: { place: Place }) {
    const user = useUser();
    const { asked, move, sortBy, sortDir } = useAsked(place);
    const [doing, setDoing] = useState<Doing>(null);
    const search = useRef<HTMLInputElement>(null);
    const got = useGet<AssetPage>(withQuery('/assets', { ...asked, limit: LIMIT }), { keep: true });
    const types = useTypes(got.data?.items ?? [], asked.type);
    useShortcut('search', () => search.current?.focus());
    const isFiltered = FILTERS.some((name) => asked[name]);
    const sort = { by: sortBy, dir: sortDir, onSort: (sort_by: string, sort_dir: string) => move({ sort_by, sort_dir }) };
    return (
        <>
            <PageHead title={t('page.assets')}>
                {mayWrite(user) && <button type="button" class="primary" onClick={() => setDoing({ what: 'new' })}>{t('asset.new')}</button>}
            </PageHead>
            <div class="panel">
                <div class="filters" role="search">
                    <Typed label={t('asset.search')} value={asked.q ?? ''} onValue={(q) => move({ q }, true)} input={search} />
                    <Choice label={t('asset.criticality')} group="criticality" options={limits.AssetChange.criticality.enum} none={t('all')} value={asked.criticality ?? ''} onChange={(criticality) => move({ criticality })} />
                    <Choice label={t('asset.type')} group="" options={types} none={t('all')} value={asked.type ?? ''} onChange={(type) => move({ type })} />
                </div>
                <Loaded got={got} lines={12}>
                    {({ items, total, total_is_exact }) => items.length === 0 ? (
                        <Empty title={t(isFiltered ? 'asset.none.found' : 'asset.none')}>
                            {isFiltered ? <a href="/assets">{t('filters.clear')}</a> : mayWrite(user) && t('asset.none.text')}
                        </Empty>
                    ) : (
                        <>
                            <div class="scroll">
                                <table class="list plain" aria-busy={got.isOld}>
                                    <caption class="unseen">{t('page.assets')}</caption>
                                    <thead>
                                        <tr>
                                            <SortHead name="name" label={t('asset.name')} {...sort} />
                                            <th scope="col" class="minor">{t('asset.type')}</th>
                                            <th scope="col">{t('asset.criticality')}</th>
                                            <th scope="col" class="minor">{t('asset.owner')}</th>
                                            <SortHead name="risk_count" label={t('palette.risks')} class="number" {...sort} />
                                            <SortHead name="updated_at" label={t('asset.updated')} class="minor" {...sort} />
                                            {mayWrite(user) && <th scope="col" class="minor"><span class="unseen">{t('actions')}</span></th>}
                                        </tr>
                                    </thead>
                                    <tbody>
                                        {items.map((asset) => <Row key={asset.id} asset={asset} onEdit={() => setDoing({ what: 'edit', asset })} onDelete={() => setDoing({ what: 'delete', asset })} />)}
                                    </tbody>
                                </table>
                            </div>
                            <Pager page={Number(asked.page) || 1} limit={LIMIT} total={total} isExact={total_is_exact} onPage={(page) => move({ page: String(page) })} />
                        </>
                    )}
                </Loaded>
            </div>
            {doing?.what === 'new' && <AssetForm types={types} onClose={() => setDoing(null)} onDone={({ id }) => go(`/assets/${id}`)} />}
            {doing?.what === 'edit' && <AssetForm asset={doing.asset} types={types} onClose={() => setDoing(null)} />}
            {doing?.what === 'delete' && <AssetDelete asset={doing.asset} onClose={() => setDoing(null)} onDone={() => undefined} />}
        </>
    );
}
