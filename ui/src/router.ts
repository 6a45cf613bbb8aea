/**
 * Where one is: the path and query of the address bar. Plain links (<a href="/risks">) move without loading the page
 * anew; Back and Forward work and come back to the place on the page.
 */
import pages from './pages.json';
import { store } from './store';

export type PageName = 'dashboard' | 'register' | 'import' | 'risk' | 'assets' | 'asset' | 'profile' | 'tokens' | 'users' | 'audit' | 'operations';

export interface Place {
    /** Which page; null: there is none. */
    page: PageName | null;
    /** What stands for :id. */
    id: string;
    path: string;
    query: URLSearchParams;
}

function find(path: string): { page: PageName | null; id: string } {
    const parts = path.split('/').filter(Boolean);
    for (const { name, path: pattern } of pages) {
        const wanted = pattern.split('/').filter(Boolean);
        if (wanted.length === parts.length && wanted.every((part, i) => part === ':id' || part === parts[i])) {
            const at = wanted.indexOf(':id');
            return { page: name as PageName, id: at < 0 ? '' : decodeURIComponent(parts[at]!) };
        }
    }
    return { page: null, id: '' };
}

function here(): Place {
    return { ...find(location.pathname), path: location.pathname, query: new URLSearchParams(location.search) };
}

const place = store(here());
let restored = 0;

function moved(): void {
    place.set(here());
}

function keepScroll(): void {
    history.replaceState({ ...history.state, scroll: scrollY }, '');
}

/** Go to a page. `replace`: Back does not lead to where one is now. `stay`: only the query has changed; do not scroll. */
export function go(to: string, { replace = false, stay = false } = {}): void {
    keepScroll();
    if (replace) {
        history.replaceState({ scroll: stay ? scrollY : 0 }, '', to);
    } else {
        history.pushState({ scroll: stay ? scrollY : 0 }, '', to);
    }
    if (!stay) {
        scrollTo(0, 0);
    }
    moved();
}

export const usePlace = place.use;

/** A path with those of the values that are set. */
export function withQuery(path: string, values: Record<string, string | number | undefined | null>): string {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(values)) {
        if (value !== undefined && value !== null && value !== '') {
            query.set(name, String(value));
        }
    }
    const text = query.toString();
    return text ? `${path}?${text}` : path;
}

function isOurs(link: HTMLAnchorElement, event: MouseEvent): boolean {
    return event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey && !event.defaultPrevented
        && link.origin === location.origin && !link.target && !link.hasAttribute('download')
        && !link.pathname.startsWith('/api/') && !(link.hash && link.pathname === location.pathname && link.search === location.search);
}

/** Once, at the start. A link with data-stay leads to another view of the same, and does not scroll. */
export function startRouter(): void {
    history.scrollRestoration = 'manual';
    document.addEventListener('click', (event) => {
        const link = (event.target as Element).closest?.('a[href]') as HTMLAnchorElement | null;
        if (link && isOurs(link, event)) {
            event.preventDefault();
            go(link.pathname + link.search, { stay: 'stay' in link.dataset });
        }
    });
    addEventListener('popstate', (event: PopStateEvent) => {
        if (event.state === null && location.pathname === place.get().path && location.hash !== '') {
            return; // a link to a place on this page: the browser goes there
        }
        moved();
        const scroll = (event.state as { scroll?: number } | null)?.scroll ?? 0;
        clearTimeout(restored);
        // What is known is drawn in a moment; the page must be long enough before one can scroll to its middle.
        requestAnimationFrame(() => scrollTo(0, scroll));
        restored = window.setTimeout(() => scrollTo(0, scroll), 120);
    });
    addEventListener('pagehide', keepScroll);
}
