/** One asset: what is known of it, and the highest of its risks. */
import { useState } from 'preact/hooks';
import type { AssetWithRisks, RiskBrief } from '../api.gen';
import { AssetDelete, AssetForm } from '../components/asset-form';
import { Facts, Table, type Column } from '../components/list';
import { Ago, Empty, Level, Loaded, PageHead, RiskLink, Status } from '../components/show';
import { useGet } from '../data';
import { t } from '../i18n';
import { useShortcut } from '../keys';
import { go, withQuery, type Place } from '../router';
import { mayDelete, mayWrite, useUser } from '../session';

function Members({ asset }: { asset: AssetWithRisks }) {
    return (
        <section class="panel">
            <h2>{t('asset.about')}</h2>
            <Facts
                of={[
                    ['asset.criticality', <Level level={asset.criticality} group="criticality" />],
                    ['asset.type', asset.type],
                    ['asset.owner', asset.owner],
                    ['asset.external_id', asset.external_id],
                    ['asset.created', <Ago at={asset.created_at} />],
                    ['asset.updated', <Ago at={asset.updated_at} />],
                ]}
            />
        </section>
    );
}

const COLUMNS: Column<RiskBrief>[] = [
    { head: 'asset.risk', show: (risk) => <RiskLink risk={risk} /> },
    { head: 'member.score', show: ({ level, score }) => <Level level={level} score={score} /> },
    { head: 'member.status', kind: 'minor', show: ({ status }) => <Status status={status} /> },
];

function Risks({ asset: { id, risks, risk_count: count } }: { asset: AssetWithRisks }) {
    return (
        <section class="panel">
            <header>
                <h2>{t('asset.risks')}</h2>
                {count > 0 && <a href={withQuery('/risks', { asset_id: id })}>{t('asset.register', { count })}</a>}
            </header>
            {count === 0 ? <Empty title={t('asset.risks.none')}>{t('asset.risks.none.text')}</Empty> : <Table label={t('asset.risks')} columns={COLUMNS} items={risks} />}
        </section>
    );
}

export function AssetPage({ place }: { place: Place }) {
    const user = useUser();
    const [dialog, setDialog] = useState<'edit' | 'delete' | null>(null);
    const got = useGet<AssetWithRisks>(`/assets/${encodeURIComponent(place.id)}`);
    const asset = got.data;
    useShortcut('edit', () => setDialog('edit'), mayWrite(user) && asset !== undefined);
    if (got.error?.status === 404) {
        return <><PageHead title={t('gone')} /><Empty title={t('page.none.text')}><a href="/assets">{t('page.assets')}</a></Empty></>;
    }
    const close = () => setDialog(null);
    return (
        <>
            <PageHead title={asset?.name ?? t('page.assets')}>
                {asset && mayWrite(user) && <button type="button" onClick={() => setDialog('edit')}>{t('edit')}</button>}
                {asset && mayDelete(user, asset.created_by) && <button type="button" class="danger" onClick={() => setDialog('delete')}>{t('delete')}</button>}
            </PageHead>
            <Loaded got={got} lines={10}>
                {(asset) => <div class="beside"><Members asset={asset} /><Risks asset={asset} /></div>}
            </Loaded>
            {asset && dialog === 'edit' && <AssetForm asset={asset} onClose={close} />}
            {asset && dialog === 'delete' && <AssetDelete asset={asset} onClose={close} onDone={() => go('/assets')} />}
        </>
    );
}
