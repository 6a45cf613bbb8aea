/** Import: a file, what it would change, and then the change. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from '../api';
import type { ImportResult } from '../api.gen';
import { formats } from '../components/import-formats';
import { useImport, type Job } from '../components/import-job';
import { Result } from '../components/import-result';
import { Empty, PageHead } from '../components/show';
import { bytes, say, t } from '../i18n';
import { withQuery, type Place } from '../router';
import { mayWrite, useUser } from '../session';
import { errorText } from '../toast';

const ACCEPT = formats.flatMap(({ extension, type }) => [extension, type]).join(',');

/** Files may be dropped anywhere on the page. True while one is held over it. */
function useDrop(take: (file: File) => void): boolean {
    const [isOver, setOver] = useState(false);
    const latest = useRef(take);
    latest.current = take;
    useEffect(() => {
        const over = (event: DragEvent) => {
            if (event.dataTransfer?.types.includes('Files')) {
                event.preventDefault();
                setOver(true);
            }
        };
        const leave = (event: DragEvent) => event.relatedTarget === null && setOver(false);
        const drop = (event: DragEvent) => {
            const file = event.dataTransfer?.files[0];
            setOver(false);
            if (file) {
                event.preventDefault();
                latest.current(file);
            }
        };
        document.addEventListener('dragover', over);
        document.addEventListener('dragleave', leave);
        document.addEventListener('drop', drop);
        return () => {
            document.removeEventListener('dragover', over);
            document.removeEventListener('dragleave', leave);
            document.removeEventListener('drop', drop);
        };
    }, []);
    return isOver;
}

function ChooseFile({ job }: { job: Job }) {
    const input = useRef<HTMLInputElement>(null);
    const isBusy = job.phase === 'writing';
    const isOver = useDrop((file) => isBusy || job.take(file));
    const { source } = job;
    return (
        <div class={`drop${isOver ? ' over' : ''}`}>
            <p key={source ? 'file' : 'none'}>{source ? `${source.name}, ${bytes(source.bytes.byteLength)}` : t('import.drop')}</p>
            <input
                ref={input} type="file" accept={ACCEPT} class="unseen" tabIndex={-1} aria-hidden="true"
                onChange={(event) => {
                    const file = event.currentTarget.files?.[0];
                    event.currentTarget.value = ''; // the same file again, corrected, is a choice too
                    file && job.take(file);
                }}
            />
            <button key={source ? 'other' : 'first'} type="button" class={source ? undefined : 'primary'} disabled={isBusy} onClick={() => input.current?.click()}>{t(source ? 'import.other' : 'import.choose')}</button>
            {!source && <p class="hint">{t('import.hint')}</p>}
        </div>
    );
}

/** Beside the choices, so that it stays where it is whatever the answer is. */
function Act({ job: { phase, result, error, refused, check, write } }: { job: Job }) {
    const mayTryAgain = phase === 'stopped' || (phase === 'checked' && error !== null && !refused && !isTooLarge(error));
    return (
        <div class="actions">
            {mayTryAgain && <button type="button" onClick={check}>{t('retry')}</button>}
            <button type="button" class="primary" disabled={phase !== 'checked' || error !== null || isSame(result)} onClick={write}>{t('import.do')}</button>
        </div>
    );
}

function Choices({ job }: { job: Job }) {
    const { options, phase, set } = job;
    const isFixed = phase === 'writing' || phase === 'written';
    return (
        <div class="import-options">
            <div class="field">
                <label for="format">{t('import.format')}</label>
                <select
                    id="format" value={options.format?.name ?? ''} disabled={isFixed}
                    onChange={(event) => set({ format: formats.find(({ name }) => name === event.currentTarget.value) })}
                >
                    {!options.format && <option value="">{t('import.format.none')}</option>}
                    {formats.map(({ name }) => <option key={name} value={name}>{say('import.format', name)}</option>)}
                </select>
            </div>
            <label class="tick"><input type="checkbox" checked={options.skip} disabled={isFixed} onChange={() => set({ skip: !options.skip })} /> {t('import.skip')}</label>
            <label class="tick"><input type="checkbox" checked={options.restore} disabled={isFixed} onChange={() => set({ restore: !options.restore })} /> {t('import.restore')}</label>
            <Act job={job} />
        </div>
    );
}

function Working({ job: { phase, progress, source, stop } }: { job: Job }) {
    const size = source?.bytes.byteLength ?? 0;
    const text = !progress.isSent ? t('import.sending', { name: source?.name ?? '' }) : t(phase === 'writing' ? 'import.writing' : 'import.checking');
    // Once the server has all of what it is to write, nobody can know whether it still could be stopped.
    const canStop = phase === 'checking' || !progress.isSent;
    return (
        <div class="tools upload">
            <p role="status">{text}</p>
            {progress.isSent ? <progress aria-label={text} /> : <progress aria-label={text} value={progress.sent} max={Math.max(size, 1)} />}
            {canStop && <button type="button" onClick={stop}>{t('import.stop')}</button>}
        </div>
    );
}

function Refused({ job: { result, options, source, error } }: { job: Job }) {
    if (result) {
        return <><h2>{t('import.refused')}</h2><p>{t(options.skip ? 'import.refused.whole' : 'import.refused.skip')}</p></>;
    }
    return isTooLarge(error)
        ? <><h2>{t('import.large', { size: bytes(source?.bytes.byteLength ?? 0) })}</h2><p>{errorText(error)}. {t('import.large.instead')}</p></>
        : <h2>{errorText(error)}</h2>;
}

function isSame(result: ImportResult | null): boolean {
    return result !== null && result.imported + result.updated === 0;
}

function isTooLarge(error: unknown): boolean {
    return error instanceof ApiError && error.status === 413;
}

function Written({ job: { options } }: { job: Job }) {
    const recent = withQuery('/risks', options.format?.source ? { source: options.format.source } : { sort_by: 'updated_at' });
    return <p><a class="button primary" href={recent}>{t('import.show')}</a></p>;
}

function Verdict({ job }: { job: Job }) {
    const { phase, result, error, refused } = job;
    const isWritten = phase === 'written';
    return (
        <section class="panel verdict" aria-live="polite" aria-busy={phase === 'checking' || phase === 'writing'}>
            {error !== null ? <Refused job={job} /> : result && <h2>{t(isWritten ? 'import.done' : 'import.preview')}</h2>}
            {phase === 'stopped' && <p>{t('import.stopped')}</p>}
            {result && <Result result={result} refused={refused} />}
            {phase === 'checked' && !refused && isSame(result) && <p>{t('import.nothing')}</p>}
            {(phase === 'checking' || phase === 'writing') && <Working job={job} />}
            {isWritten && <Written job={job} />}
        </section>
    );
}

export function ImportPage(_: { place: Place }) {
    const user = useUser();
    const job = useImport();
    if (!mayWrite(user)) {
        return <><PageHead title={t('page.import')} /><Empty title={t('import.viewer')} /></>;
    }
    return (
        <>
            <PageHead title={t('page.import')} />
            <div class="import">
                <ChooseFile job={job} />
                {!job.source && job.error !== null && <p class="error" role="alert">{errorText(job.error)}</p>}
                {job.source && <Choices job={job} />}
                {job.source && <Verdict job={job} />}
            </div>
        </>
    );
}
