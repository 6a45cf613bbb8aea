/** The words that are searched. They are in the address bar a moment after the last key. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import { moveRow, useShortcut } from '../keys';

const REST_MS = 120;

/** A value once it has not changed for a moment. */
export function useRested<T>(value: T): T {
    const [rested, setRested] = useState(value);
    useEffect(() => {
        const timer = setTimeout(() => setRested(value), REST_MS);
        return () => clearTimeout(timer);
    }, [value]);
    return rested;
}

export function Search({ words, onWords, focus }: { words: string; onWords: (words: string) => void; focus: boolean }) {
    const input = useRef<HTMLInputElement>(null);
    const [text, setText] = useState(words);
    const told = useRef(words);
    const timer = useRef(0);
    const tell = (next: string) => {
        clearTimeout(timer.current);
        told.current = next;
        onWords(next);
    };
    const type = (next: string) => {
        setText(next);
        clearTimeout(timer.current);
        timer.current = window.setTimeout(tell, REST_MS, next);
    };
    // Others have changed the words: Back, a link, "clear all".
    useEffect(() => {
        if (words !== told.current) {
            clearTimeout(timer.current);
            told.current = words;
            setText(words);
        }
    }, [words]);
    useEffect(() => () => clearTimeout(timer.current), []);
    useShortcut('search', () => input.current?.select());
    useEffect(() => {
        if (focus) {
            // After the title, which gets the focus on every page that one comes to.
            setTimeout(() => input.current?.select());
        }
    }, [focus]);
    return (
        <input
            ref={input} type="search" value={text} aria-label={t('register.search')} placeholder={t('register.search.hint')} autocomplete="off" spellcheck={false}
            onInput={(event) => type(event.currentTarget.value)}
            onKeyDown={(event) => {
                if (event.key === 'Enter') {
                    tell(text);
                } else if (event.key === 'ArrowDown') {
                    event.preventDefault();
                    moveRow(1);
                }
            }}
        />
    );
}
