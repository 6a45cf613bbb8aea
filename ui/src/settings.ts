/**
 * What a person has chosen for this browser: how it looks, the language, single keys. Kept in the browser, and the
 * same in all its tabs. A browser that keeps nothing (private windows) has the defaults each time.
 */
import { store } from './store';

export type Theme = 'auto' | 'light' | 'dark';
export type Language = 'en' | 'fr';

export interface Settings {
    theme: Theme;
    language: Language;
    /** Single keys as shortcuts can be switched off (WCAG 2.1.4): speech input may say them by chance. */
    keys: boolean;
}

const NAME = 'openrisk.settings';

function defaults(): Settings {
    const speaksFrench = navigator.languages.find((tag) => /^(en|fr)\b/i.test(tag))?.toLowerCase().startsWith('fr');
    return { theme: 'auto', language: speaksFrench ? 'fr' : 'en', keys: true };
}

function kept(): Settings {
    try {
        return { ...defaults(), ...JSON.parse(localStorage.getItem(NAME) ?? '{}') };
    } catch {
        return defaults();
    }
}

const settings = store(kept());

function apply(next: Settings): void {
    document.documentElement.dataset.theme = next.theme;
    settings.set(next);
}

export const getSettings = settings.get;
export const useSettings = settings.use;

export function change(some: Partial<Settings>): void {
    const next = { ...settings.get(), ...some };
    try {
        localStorage.setItem(NAME, JSON.stringify(next));
    } catch {
        // They hold until the page is closed.
    }
    apply(next);
}

apply(settings.get());
addEventListener('storage', (event) => {
    if (event.key === NAME) {
        apply(kept());
    }
});
