/** A text that is typed and belongs to the address: it goes there a moment after the last key. */
import type { RefObject } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';

const PAUSE_MS = 150;

export function Typed({ value, onValue, label, type = 'search', options, input }: {
    value: string; onValue: (value: string) => void; label: string; type?: 'search' | 'date';
    options?: readonly string[]; input?: RefObject<HTMLInputElement>;
}) {
    const [text, setText] = useState(value);
    const sent = useRef(value);
    const timer = useRef(0);
    const id = useId();
    // The address has changed by itself: Back, or a link.
    useEffect(() => {
        if (value !== sent.current) {
            sent.current = value;
            setText(value);
        }
    }, [value]);
    useEffect(() => () => clearTimeout(timer.current), []);
    const send = (next: string) => {
        clearTimeout(timer.current);
        sent.current = next.trim();
        onValue(sent.current);
    };
    return (
        <div class="field">
            <label for={id}>{label}</label>
            <input
                id={id} ref={input} type={type} value={text} autocomplete="off" spellcheck={false} list={options && `${id}-list`}
                onInput={(event) => {
                    const next = event.currentTarget.value;
                    setText(next);
                    clearTimeout(timer.current);
                    timer.current = window.setTimeout(() => send(next), PAUSE_MS);
                }}
            />
            {options && <datalist id={`${id}-list`}>{options.map((option) => <option key={option} value={option} />)}</datalist>}
        </div>
    );
}
