/** One asset: what is known of it, and the highest of its risks. */
import { useState } from 'preact/hooks';
import type { AssetWithRisks } from '../api.gen';
import { AssetDelete } from '../components/asset-delete';
import { AssetForm } from '../components/asset-form';
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
            <dl class="fact-list">
                <div><dt>{t('asset.criticality')}</dt><dd><Level level={asset.criticality} group="criticality" /></dd></div>
                <div><dt>{t('asset.type')}</dt><dd>{asset.type ?? '–'}</dd></div>
                <div><dt>{t('asset.owner')}</dt><dd>{asset.owner ?? '–'}</dd></div>
                <div><dt>{t('asset.external_id')}</dt><dd>{asset.external_id ?? '–'}</dd></div>
                <div><dt>{t('asset.created')}</dt><dd><Ago at={asset.created_at} /></dd></div>
                <div><dt>{t('asset.updated')}</dt><dd><Ago at={asset.updated_at} /></dd></div>
            </dl>
        </section>
    );
}

function Risks({ asset }: { asset: AssetWithRisks }) {
    const { risks, risk_count: count } = asset;
    return (
        <section class="panel">
            <header>
                <h2>{t('asset.risks')}</h2>
                {count > 0 && <a href={withQuery('/risks', { asset_id: asset.id })}>{t('asset.register', { count })}</a>}
            </header>
            {count === 0 ? <Empty title={t('asset.risks.none')}>{t('asset.risks.none.text')}</Empty> : (
                <div class="scroll">
                    <table class="list plain">
                        <thead><tr><th scope="col">{t('asset.risk')}</th><th scope="col">{t('asset.score')}</th><th scope="col" class="minor">{t('asset.status')}</th></tr></thead>
                        <tbody>
                            {risks.map((risk) => (
                                <tr key={risk.id}>
                                    <th scope="row"><RiskLink risk={risk} /></th>
                                    <td><Level level={risk.level} score={risk.score} /></td>
                                    <td class="minor"><Status status={risk.status} /></td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </div>
            )}
            {risks.length < count && <p class="hint">{t('asset.risks.some', { shown: risks.length, count })}</p>}
        </section>
    );
}

export function AssetPage({ place }: { place: Place }) {
    const user = useUser();
    const [dialog, setDialog] = useState<'edit' | 'delete' | null>(null);
    const got = useGet<AssetWithRisks>(`/assets/${encodeURIComponent(place.id)}`);
    const asset = got.data;
    const isGone = got.error?.status === 404;
    useShortcut('edit', () => setDialog('edit'), mayWrite(user) && asset !== undefined);
    if (isGone) {
        return <><PageHead title={t('asset.gone')} /><Empty title={t('asset.gone.text')}><a href="/assets">{t('asset.gone.link')}</a></Empty></>;
    }
    const close = () => setDialog(null);
    return (
        <>
            <PageHead title={asset?.name ?? t('asset.one')}>
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
