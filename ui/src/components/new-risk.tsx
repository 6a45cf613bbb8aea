/** A new risk, from everywhere: its essentials in a dialog; the rest on its page. */
import { t } from '../i18n';
import { Dialog } from './dialog';

export function NewRisk({ onClose }: { onClose: () => void }) {
    return <Dialog title={t('key.new')} onClose={onClose}><p /></Dialog>;
}
