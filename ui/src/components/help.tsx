/** The sheet behind "?": all keys, from the table. */
import { say, t, type Text } from '../i18n';
import { keyLabel, useShortcut } from '../keys';
import { shortcuts, type Group, type Shortcut } from '../shortcuts';
import { Dialog } from './dialog';

export function Keys({ keys }: { keys: readonly string[] }) {
    return (
        <>
            {keys.map((alternative, i) => (
                <>
                    {i > 0 && ` ${t('keys.or')} `}
                    {alternative.split(' ').map((key, j) => <>{j > 0 && ` ${t('keys.then')} `}<kbd>{keyLabel(key)}</kbd></>)}
                </>
            ))}
        </>
    );
}

function Sheet({ onClose }: { onClose: () => void }) {
    const groups = [...new Set(shortcuts.map(({ group }) => group))] as Group[];
    return (
        <Dialog title={t('key.help')} onClose={onClose} class="sheet">
            <div class="key-groups">
                {groups.map((group) => (
                    <section key={group}>
                        <h3>{say('keys.group', group)}</h3>
                        <dl>
                            {(shortcuts as readonly Shortcut[]).filter((row) => row.group === group).map(({ name, keys }) => (
                                <div key={name}><dt><Keys keys={keys} /></dt><dd>{t(`key.${name}` as Text)}</dd></div>
                            ))}
                        </dl>
                    </section>
                ))}
            </div>
        </Dialog>
    );
}

export function Help({ isOpen, setOpen }: { isOpen: boolean; setOpen: (open: boolean) => void }) {
    useShortcut('help', () => setOpen(true));
    return isOpen ? <Sheet onClose={() => setOpen(false)} /> : null;
}
