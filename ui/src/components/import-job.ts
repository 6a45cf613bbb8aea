/**
 * An import from the file to the end: read once, so that what is written is what was looked at; tried without writing,
 * anew whenever the file, its format or an option changes; then written.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from '../api';
import type { ImportResult } from '../api.gen';
import { changed } from '../data';
import { t } from '../i18n';
import { withQuery } from '../router';
import { formatOf, type Format } from './import-formats';
import { upload, type Progress } from './import-upload';

export interface Source {
    name: string;
    bytes: ArrayBuffer;
}

export interface Options {
    format: Format | undefined;
    skip: boolean;
    restore: boolean;
}

export type Phase = 'idle' | 'checking' | 'checked' | 'writing' | 'written' | 'stopped';

export interface Job {
    source: Source | null;
    options: Options;
    phase: Phase;
    progress: Progress;
    /** Of the trial, or of what was written. */
    result: ImportResult | null;
    /** `result` says that the file is refused. */
    refused: boolean;
    error: unknown;
    take: (file: File) => void;
    set: (options: Partial<Options>) => void;
    check: () => void;
    write: () => void;
    stop: () => void;
}

const NOTHING_SENT: Progress = { sent: 0, isSent: false };

/** A refusal of the file is an answer of the same form. */
function resultOf(error: unknown): ImportResult | null {
    const body = error instanceof ApiError && error.status === 422 ? error.body as Partial<ImportResult> | null : null;
    return body?.errors && body.errors_total !== undefined ? body as ImportResult : null;
}

export function useImport(): Job {
    const [source, setSource] = useState<Source | null>(null);
    const [options, setOptions] = useState<Options>({ format: undefined, skip: false, restore: false });
    const [phase, setPhase] = useState<Phase>('idle');
    const [progress, setProgress] = useState(NOTHING_SENT);
    const [outcome, setOutcome] = useState<{ result: ImportResult | null; error: unknown }>({ result: null, error: null });
    const running = useRef<AbortController | null>(null);
    const abort = () => {
        running.current?.abort();
        running.current = null;
    };
    useEffect(() => abort, []);

    const run = async (of: Source, { format, skip, restore }: Options, isTrial: boolean) => {
        abort();
        if (!format) {
            setPhase('idle');
            return;
        }
        const controller = running.current = new AbortController();
        const isCurrent = () => running.current === controller;
        setPhase(isTrial ? 'checking' : 'writing');
        if (isTrial) {
            setOutcome((before) => ({ ...before, error: null }));
        }
        const path = withQuery('/import/risks', {
            format: format.name, dry_run: String(isTrial), skip_invalid: skip ? 'true' : undefined, restore: restore ? 'true' : undefined,
        });
        try {
            const result = await upload<ImportResult>(path, of.bytes, format.type, (now) => isCurrent() && setProgress(now), controller.signal);
            if (!isTrial) {
                changed();
            }
            if (isCurrent()) {
                setOutcome({ result, error: null });
                setPhase(isTrial ? 'checked' : 'written');
            }
        } catch (error) {
            if (isCurrent()) {
                setOutcome({ result: resultOf(error), error });
                setPhase('checked');
            }
        }
    };
    const fail = (error: unknown) => {
        setOutcome({ result: null, error });
        setPhase('idle');
    };
    return {
        source, options, phase, progress, ...outcome,
        refused: outcome.error !== null && outcome.result !== null,
        take: (file) => {
            abort();
            file.arrayBuffer().then((bytes) => {
                const next = { name: file.name, bytes };
                const chosen = { format: formatOf(bytes), skip: false, restore: false };
                setSource(next);
                setOptions(chosen);
                setOutcome({ result: null, error: null });
                void run(next, chosen, true);
            }, (reason: Error) => fail(t('import.unreadable', { reason: reason.message })));
        },
        set: (some) => {
            const next = { ...options, ...some };
            setOptions(next);
            if (source) {
                void run(source, next, true);
            }
        },
        check: () => source && void run(source, options, true),
        write: () => source && void run(source, options, false),
        stop: () => {
            abort();
            setOutcome({ result: null, error: null });
            setPhase('stopped');
        },
    };
}
