/** The frame around all pages: who has signed in, the navigation, the dialogs that can be opened everywhere. */
import { Component, type ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { away, request } from './api';
import { Help } from './components/help';
import { NewRisk } from './components/new-risk';
import { Palette } from './components/palette';
import { Empty, Failed, PageHead } from './components/show';
import { FirstPasswordPage, Mark, SignInAgain, SignInPage } from './components/signin';
import { changed } from './data';
import { speak, t, useLanguage, type Text } from './i18n';
import { keyLabel, moveRow, useShortcut } from './keys';
import { pageComponents } from './pages/index';
import pages from './pages.json';
import { go, usePlace, type PageName } from './router';
import { mayWrite, signOut, useSession, useUser } from './session';
import { useSettings } from './settings';
import { toast, toastError, Toasts } from './toast';

const NAVIGATION: PageName[] = ['dashboard', 'register', 'assets', 'users', 'audit', 'operations', 'tokens', 'profile'];
const PARENTS: Partial<Record<PageName, PageName>> = { risk: 'register', import: 'register', asset: 'assets' };

function isFor(name: PageName, role: string): boolean {
    const who = (pages as { name: string; who?: string }[]).find((page) => page.name === name)?.who;
    return who === undefined || who === role;
}

function Navigation({ current, onPalette }: { current: PageName | null; onPalette: () => void }) {
    const user = useUser();
    const [isOpen, setOpen] = useState(false);
    useEffect(() => setOpen(false), [current]);
    const shown = current && (PARENTS[current] ?? current);
    return (
        <header class={isOpen ? 'side open' : 'side'}>
            <a class="brand" href="/"><Mark /> OpenRisk</a>
            <button type="button" class="menu" aria-expanded={isOpen} aria-controls="nav" onClick={() => setOpen(!isOpen)}>{t('app.menu')}</button>
            <div id="nav" class="nav">
                <button type="button" class="find" onClick={onPalette}><span>{t('app.commands')}</span><kbd>{keyLabel('Mod+K')}</kbd></button>
                <nav aria-label={t('app.nav')}>
                    {NAVIGATION.filter((name) => isFor(name, user.role)).map((name) => (
                        <a key={name} href={pages.find((page) => page.name === name)!.path} aria-current={name === shown ? 'page' : undefined}>
                            {t(`page.${name}` as Text)}
                        </a>
                    ))}
                </nav>
                <p class="who"><span title={user.email}>{user.full_name || user.email}</span><button type="button" class="link" onClick={() => void signOut().catch(toastError)}>{t('app.signOut')}</button></p>
            </div>
        </header>
    );
}

function NoPage() {
    return (
        <>
            <PageHead title={t('page.none')} />
            <Empty title={t('page.none.text')}><a href="/">{t('page.dashboard')}</a></Empty>
        </>
    );
}

/** A fault of ours on one page must not take the others with it. */
class Guard extends Component<{ of: string; children: ComponentChildren }, { error: unknown; of: string }> {
    override state = { error: null as unknown, of: this.props.of };

    static override getDerivedStateFromError(error: unknown) {
        return { error };
    }

    override componentDidCatch(error: unknown) {
        console.error(error);
    }

    override render() {
        if (this.state.of !== this.props.of) {
            this.setState({ error: null, of: this.props.of });
        }
        return this.state.error !== null && this.state.of === this.props.of
            ? <Empty title={String(this.state.error)}><button type="button" onClick={() => this.setState({ error: null })}>{t('retry')}</button></Empty>
            : this.props.children;
    }
}

function Page() {
    const place = usePlace();
    const user = useUser();
    const main = useRef<HTMLElement>(null);
    const isFirst = useRef(true);
    // Someone who does not see the page change hears its title.
    useEffect(() => {
        if (!isFirst.current) {
            main.current?.querySelector('h1')?.focus({ preventScroll: true });
        }
        isFirst.current = false;
    }, [place.path]);
    const Shown = place.page && pageComponents[place.page];
    return (
        <main id="main" ref={main} tabIndex={-1}>
            <Guard of={place.path}>
                {!Shown || !place.page ? <NoPage />
                    : !isFor(place.page, user.role) ? <><PageHead title={t(`page.${place.page}` as Text)} /><Empty title={t('page.denied')} /></>
                        : <Shown key={place.path} place={place} />}
            </Guard>
        </main>
    );
}

function Away() {
    const isAway = away.use();
    const wasAway = useRef(isAway);
    useEffect(() => {
        if (wasAway.current && !isAway) {
            toast(t('app.back'));
            changed();
        }
        wasAway.current = isAway;
        // What is on the screen asks again by itself; but there may be nothing that was being read.
        const timer = isAway ? setInterval(() => void request('GET', '/health', { anonymous: true }).catch(() => undefined), 1000) : 0;
        return () => clearInterval(timer);
    }, [isAway]);
    return <div role="status" class="away">{isAway && <p>{t('app.away')}</p>}</div>;
}

/** The keys that work on every page. They stand before the page, so that what it says of the same key comes after and counts. */
function KeysEverywhere({ onNew }: { onNew: () => void }) {
    useShortcut('new', onNew, mayWrite(useUser()));
    useShortcut('goDashboard', () => go('/'));
    useShortcut('goRegister', () => go('/risks'));
    useShortcut('goAssets', () => go('/assets'));
    useShortcut('next', () => moveRow(1));
    useShortcut('previous', () => moveRow(-1));
    // Pages with a search of their own answer this themselves.
    useShortcut('search', () => go('/risks?focus=search'));
    return null;
}

function Inside({ ended }: { ended: boolean }) {
    const place = usePlace();
    const [dialog, setDialog] = useState<'palette' | 'help' | 'new' | null>(null);
    const toggle = (name: typeof dialog) => (open: boolean) => setDialog(open ? name : null);
    return (
        <>
            <KeysEverywhere onNew={() => setDialog('new')} />
            <a class="skip" href="#main">{t('app.skip')}</a>
            <Navigation current={place.page} onPalette={() => setDialog('palette')} />
            <Page />
            <Palette isOpen={dialog === 'palette'} setOpen={toggle('palette')} onNew={() => setDialog('new')} onHelp={() => setDialog('help')} />
            <Help isOpen={dialog === 'help'} setOpen={toggle('help')} />
            {dialog === 'new' && <NewRisk onClose={() => setDialog(null)} />}
            {ended && <SignInAgain />}
        </>
    );
}

export function App() {
    const session = useSession();
    const { language } = useSettings();
    useLanguage();
    useEffect(() => void speak(language).catch(toastError), [language]);
    return (
        <>
            {session.kind === 'none' && <SignInPage />}
            {session.kind === 'away' && <main class="door" id="main"><Failed error={session.error} /></main>}
            {session.kind === 'in' && (session.user.must_change_password ? <FirstPasswordPage /> : <Inside ended={session.ended} />)}
            <Away />
            <Toasts />
        </>
    );
}
