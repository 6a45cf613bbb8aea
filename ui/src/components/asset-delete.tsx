/** Are you sure that an asset is to go? */
import { remove } from '../api';
import type { Asset } from '../api.gen';
import { changed } from '../data';
import { t } from '../i18n';
import { toast, toastError } from '../toast';
import { Confirm } from './dialog';
import { useBusy } from './record-form';

export function AssetDelete({ asset, onClose, onDone }: { asset: Asset; onClose: () => void; onDone: () => void }) {
    const { busy, run } = useBusy();
    const go = () => run(async () => {
        try {
            await remove(`/assets/${asset.id}`, asset.version);
            toast(t('asset.deleted', { name: asset.name }));
            onDone();
        } catch (error) {
            toastError(error);
        }
        onClose();
        // After what it is shown in has gone: it would be asked for again.
        setTimeout(changed);
    });
    return (
        <Confirm
            title={t('asset.delete', { name: asset.name })} label={t('delete')} onYes={() => void go()} onNo={onClose} busy={busy}
            text={asset.risk_count > 0 ? t('asset.delete.text', { count: asset.risk_count }) : t('asset.delete.none')}
        />
    );
}
