/** Are you sure? Then it is deleted, or it is said why not. */
import { remove } from '../api';
import { changed } from '../data';
import { t } from '../i18n';
import { toast } from '../toast';
import { Actions, Dialog } from './dialog';
import { FormError, useBusy } from './record-form';

/** DELETE `path`, in the version that is seen. `told`: what is said once it is done; `onDone`: where one goes then. */
export function Ask({ title, text, label = t('delete'), path, version, told, inWords = (error) => error, onDone, onClose }: {
    title: string; text: string; label?: string; path: string; version?: number; told: string;
    inWords?: (error: unknown) => unknown; onDone?: () => void; onClose: () => void;
}) {
    const { busy, error, run } = useBusy();
    const submit = () => run(async () => {
        try {
            await remove(path, version);
            toast(told);
            onDone?.();
            onClose();
        } finally {
            // After what it is shown in has gone: it would be asked for again.
            setTimeout(changed);
        }
    });
    return (
        <Dialog title={title} onClose={onClose} onSubmit={() => void submit()}>
            <p>{text}</p>
            <FormError error={inWords(error)} />
            <Actions label={label} onCancel={onClose} danger busy={busy} />
        </Dialog>
    );
}
