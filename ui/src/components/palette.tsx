/**
 * The palette (Ctrl+K): risks by ref or words, assets by name, pages and commands. A combobox with a list of results
 * (WAI-ARIA Authoring Practices, "Combobox"): the focus stays in the text, the arrows choose.
 */
import { useMemo, useState } from 'preact/hooks';
import type { AssetPage, RiskPage } from '../api.gen';
import { useGet } from '../data';
import { folded, t, type Text } from '../i18n';
import { useShortcut } from '../keys';
import { go, withQuery } from '../router';
import { mayWrite, signOut, useUser } from '../session';
import { change, useSettings } from '../settings';
import { toastError } from '../toast';
import { useCombobox } from './combobox';
import { Dialog } from './dialog';
import { Level, refOf } from './show';

interface Command {
    label: string;
    run: () => void;
}

interface Found {
    group: Text;
    key: string;
    label: string;
    level?: string;
    score?: number;
    run: () => void;
}

function useCommands(onNew: () => void, onHelp: () => void): Command[] {
    const user = useUser();
    const settings = useSettings();
    const page = (name: Text, path: string): Command => ({ label: t(name), run: () => go(path) });
    const dark = settings.theme === 'dark' || (settings.theme === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
    return [
        page('page.dashboard', '/'),
        page('page.register', '/risks'),
        page('page.assets', '/assets'),
        ...(mayWrite(user) ? [{ label: t('key.new'), run: onNew }, page('page.import', '/risks/import')] : []),
        ...(user.role === 'admin' ? [page('page.users', '/users'), page('page.audit', '/audit'), page('page.operations', '/operations')] : []),
        page('page.tokens', '/tokens'),
        page('page.profile', '/profile'),
        { label: t('key.help'), run: onHelp },
        { label: t(dark ? 'palette.theme.light' : 'palette.theme.dark'), run: () => change({ theme: dark ? 'light' : 'dark' }) },
        { label: t('palette.language'), run: () => change({ language: settings.language === 'fr' ? 'en' : 'fr' }) },
        { label: t('app.signOut'), run: () => void signOut().catch(toastError) },
    ];
}

function useFound(text: string, commands: Command[]): Found[] {
    const query = text.trim();
    const risks = useGet<RiskPage>(query ? withQuery('/risks', { q: query, limit: 8 }) : null, { keep: true });
    const assets = useGet<AssetPage>(query ? withQuery('/assets', { q: query, limit: 4 }) : null, { keep: true });
    return [
        ...(query && risks.data ? risks.data.items : []).map((risk): Found => ({
            group: 'palette.risks', key: risk.id, label: `${refOf(risk)} ${risk.title}`, level: risk.level, score: risk.score, run: () => go(`/risks/${refOf(risk)}`),
        })),
        ...(query && assets.data ? assets.data.items : []).map((asset): Found => ({
            group: 'page.assets', key: asset.id, label: asset.name, run: () => go(`/assets/${asset.id}`),
        })),
        ...commands.filter(({ label }) => folded(label).includes(folded(query))).map((command): Found => ({
            group: 'palette.pages', key: command.label, label: command.label, run: command.run,
        })),
    ];
}

function Box({ onClose, onNew, onHelp }: { onClose: () => void; onNew: () => void; onHelp: () => void }) {
    const [text, setText] = useState('');
    const commands = useCommands(onNew, onHelp);
    const found = useFound(text, commands);
    const groups = useMemo(() => [...new Set(found.map(({ group }) => group))], [found]);
    const box = useCombobox(text, found, ({ run }) => {
        onClose();
        run();
    });
    return (
        <Dialog title={t('key.palette')} onClose={onClose} class="palette">
            <input
                type="text" {...box.input} aria-expanded="true"
                aria-label={t('key.palette')} placeholder={t('palette.hint')} autocomplete="off" spellcheck={false} data-autofocus
                value={text} onInput={(event) => setText(event.currentTarget.value)} onKeyDown={box.press}
            />
            <div {...box.list} aria-label={t('key.palette')}>
                {groups.map((group) => (
                    <div key={group} role="group" aria-label={t(group)}>
                        <p class="group" aria-hidden="true">{t(group)}</p>
                        {found.map((one, i) => one.group === group && (
                            <div key={one.key} {...box.option(i)}>
                                <span class="label">{one.label}</span>
                                {one.level && <Level level={one.level} {...(one.score === undefined ? {} : { score: one.score })} />}
                            </div>
                        ))}
                    </div>
                ))}
            </div>
            {found.length === 0 && <p class="quiet" role="status">{t('palette.nothing')}</p>}
        </Dialog>
    );
}

export function Palette({ isOpen, setOpen, onNew, onHelp }: { isOpen: boolean; setOpen: (open: boolean) => void; onNew: () => void; onHelp: () => void }) {
    useShortcut('palette', () => setOpen(!isOpen));
    return isOpen ? <Box onClose={() => setOpen(false)} onNew={onNew} onHelp={onHelp} /> : null;
}
