/** A value that components draw: whoever uses it is drawn again when it is set. */
import { useLayoutEffect, useState } from 'preact/hooks';

export interface Store<T> {
    get: () => T;
    set: (value: T) => void;
    /** In a component. */
    use: () => T;
}

export function store<T>(initial: T): Store<T> {
    let value = initial;
    const listeners = new Set<(value: T) => void>();
    return {
        get: () => value,
        set: (next) => {
            if (value === next) {
                return;
            }
            value = next;
            listeners.forEach((listener) => listener(next));
        },
        use: () => {
            const [, redraw] = useState<{ of: T }>({ of: value });
            const drawn = value;
            useLayoutEffect(() => {
                const listener = (next: T) => redraw({ of: next });
                listeners.add(listener);
                if (value !== drawn) { // it has been set between drawing and here
                    listener(value);
                }
                return () => void listeners.delete(listener);
            }, []);
            return value;
        },
    };
}
