/** How things are shown everywhere: levels, statuses, refs, moments, and the states of what is being loaded. */
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { ApiError } from '../api';
import { ago, day, moment, number, say, t, today } from '../i18n';
import { errorText } from '../toast';

export const MARKS: Record<string, string> = { CRITICAL: '▲▲', HIGH: '▲', MEDIUM: '■', LOW: '▽' };

/** A level by word, colour and mark, so that none of them is needed alone. */
export function Level({ level, score, group = 'level' }: { level: string; score?: number; group?: string }) {
    return (
        <span class={`level ${level.toLowerCase()}`}>
            <span aria-hidden="true">{MARKS[level]}</span> {say(group, level)}{score !== undefined && <b>{number(score)}</b>}
        </span>
    );
}

export function Status({ status, group = 'status' }: { status: string; group?: string }) {
    return <span class={`status ${status.toLowerCase()}`}>{say(group, status)}</span>;
}

export function refOf(risk: { ref: number }): string {
    return `R-${risk.ref}`;
}

export function RiskLink({ risk }: { risk: { ref: number; title: string } }) {
    return <a href={`/risks/${refOf(risk)}`}><span class="ref">{refOf(risk)}</span> {risk.title}</a>;
}

/** "3 minutes ago"; the exact moment is its title. */
export function Ago({ at }: { at: string }) {
    return <time datetime={at} title={moment(at)}>{ago(at)}</time>;
}

/** A day by which something is due; says so when it is past. */
export function Due({ date, done = false }: { date: string | null; done?: boolean }) {
    if (date === null) {
        return <span class="quiet">–</span>;
    }
    const late = !done && date < today();
    return <time datetime={date} class={late ? 'late' : undefined}>{late && <span>{t('overdue')} </span>}{day(date)}</time>;
}

/** While nothing is there: reserves the room, so that the page does not jump. Says so only if it takes long. */
export function Loading({ lines = 3 }: { lines?: number }) {
    const [isLong, setLong] = useState(false);
    useEffect(() => {
        const timer = setTimeout(() => setLong(true), 400);
        return () => clearTimeout(timer);
    }, []);
    return (
        <div class={`loading${isLong ? ' long' : ''}`} role="status" aria-label={t('loading')}>
            {Array.from({ length: lines }, (_, i) => <span key={i} class="bone" />)}
        </div>
    );
}

/** Nothing here, and what to do about it. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
    return <div class="empty"><p class="title">{title}</p>{children && <div>{children}</div>}</div>;
}

/** It could not be read, why, and what to do. One that cannot be reached is asked again by itself. */
export function Failed({ error, retry }: { error: ApiError; retry?: () => void }) {
    return (
        <div class="empty failed" role="alert">
            <p class="title">{error.isAway ? t('app.away') : errorText(error)}</p>
            {retry && !error.isAway && error.status !== 403 && error.status !== 404 && <p><button type="button" onClick={retry}>{t('retry')}</button></p>}
        </div>
    );
}

/** Data, or what there is instead of it. */
export function Loaded<T>({ got, lines, children }: {
    got: { data: T | undefined; error: ApiError | undefined; refresh: () => void }; lines?: number; children: (data: T) => ComponentChildren;
}) {
    if (got.data !== undefined) {
        return <>{children(got.data)}</>;
    }
    return got.error ? <Failed error={got.error} retry={got.refresh} /> : <Loading {...(lines === undefined ? {} : { lines })} />;
}

/** The head of a page: its title, which gets the focus when one comes here, and what can be done. */
export function PageHead({ title, children }: { title: string; children?: ComponentChildren }) {
    useEffect(() => {
        document.title = `${title} · OpenRisk`;
    }, [title]);
    return <div class="page-head"><h1 tabIndex={-1}>{title}</h1>{children && <div class="tools">{children}</div>}</div>;
}
