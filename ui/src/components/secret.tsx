/** A secret that is shown this once: to be copied, and gone when the dialog is closed. */
import { useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import { Dialog } from './dialog';
import { Field } from './field';

/** A clipboard is there only over https and on this machine; elsewhere the older way has to do. */
async function copy(input: HTMLInputElement): Promise<boolean> {
    input.select();
    try {
        await navigator.clipboard.writeText(input.value);
        return true;
    } catch {
        return document.execCommand('copy');
    }
}

/** `label`: what it is; `of`: whose, or for what. */
export function Secret({ label, of, value, onClose }: { label: string; of: string; value: string; onClose: () => void }) {
    const input = useRef<HTMLInputElement>(null);
    const [isCopied, setCopied] = useState<boolean | null>(null);
    return (
        <Dialog title={`${label} · ${of}`}>
            <p class="warning">{t('secret.once')}</p>
            <Field label={label}>
                {(described) => (
                    <div class="secret">
                        <input {...described} ref={input} readOnly value={value} data-autofocus onFocus={(event) => event.currentTarget.select()} />
                        <button type="button" class="primary" onClick={() => void copy(input.current!).then(setCopied)}>{t('secret.copy')}</button>
                    </div>
                )}
            </Field>
            <p class="hint" role="status">{isCopied !== null && t(isCopied ? 'secret.copied' : 'secret.not')}</p>
            <footer class="actions"><button type="button" onClick={onClose}>{t('secret.done')}</button></footer>
        </Dialog>
    );
}

/** 100 random bits, in letters and digits that are not mistaken for each other. */
export function randomPassword(): string {
    const letters = 'abcdefghijkmnpqrstuvwxyz23456789';
    const text = [...crypto.getRandomValues(new Uint8Array(20))].map((byte) => letters[byte & 31]).join('');
    return text.match(/.{4}/g)!.join('-');
}
