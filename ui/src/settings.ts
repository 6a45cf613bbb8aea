/**
 * What a person has chosen for this browser: how it looks, the language, single keys. Kept in the browser, and the
 * same in all its tabs. A browser that keeps nothing (private windows) has the defaults each time.
 */
import { useEffect, useState } from 'preact/hooks';

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

let settings = kept();
const listeners = new Set<() => void>();

function apply(): void {
    const root = document.documentElement;
    root.lang = settings.language;
    root.dataset.theme = settings.theme;
    listeners.forEach((listener) => listener());
}

export function getSettings(): Settings {
    return settings;
}

export function change(some: Partial<Settings>): void {
    settings = { ...settings, ...some };
    try {
        localStorage.setItem(NAME, JSON.stringify(settings));
    } catch {
        // They hold until the page is closed.
    }
    apply();
}

export function useSettings(): Settings {
    const [, redraw] = useState(0);
    useEffect(() => {
        const listener = () => redraw((count) => count + 1);
        listeners.add(listener);
        return () => void listeners.delete(listener);
    }, []);
    return settings;
}

apply();
addEventListener('storage', (event) => {
    if (event.key === NAME) {
        settings = kept();
        apply();
    }
});
