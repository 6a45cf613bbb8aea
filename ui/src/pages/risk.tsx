/** One risk: what it says, its score explained, its assets, what is done about it, and what happened to it. */
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { post, remove } from '../api';
import type { ChangePage, Risk } from '../api.gen';
import { memberOf } from '../components/members';
import { MergeDialog } from '../components/merge-dialog';
import { Assets } from '../components/risk-assets';
import { Details, EditBar, EditButton, MemberEditor } from '../components/risk-details';
import { reread, useEdit, type Edit } from '../components/risk-edit';
import { Mitigations } from '../components/risk-mitigations';
import { Score } from '../components/risk-score';
import { Timeline } from '../components/risk-timeline';
import { Ago, Empty, Failed, Level, Loading, refOf, Status } from '../components/show';
import { changed, useGet } from '../data';
import { t } from '../i18n';
import { useShortcut } from '../keys';
import { go, type Place } from '../router';
import { mayDelete, mayWrite, useUser } from '../session';
import { toast, toastError } from '../toast';

const EVERY_MS = 10000;

let hadFocus = false;

/** The head while it loads, and the one after it: the focus, which came here by a link, goes from one to the other. */
function Head({ name, title, beside, children }: { name: string; title: string; beside?: ComponentChildren; children?: ComponentChildren }) {
    useEffect(() => {
        document.title = `${name} ${title} · OpenRisk`.replace('  ', ' ');
    }, [name, title]);
    const heading = useRef<HTMLHeadingElement>(null);
    useLayoutEffect(() => {
        const element = heading.current!;
        if (hadFocus) {
            element.focus({ preventScroll: true });
        }
        hadFocus = false;
        return () => {
            hadFocus = element === document.activeElement;
        };
    }, []);
    return (
        <div class="page-head risk-head">
            <h1 ref={heading} tabIndex={-1}><span class="ref">{name}</span> {title}</h1>
            {beside}
            {children && <div class="tools">{children}</div>}
        </div>
    );
}

async function copyLink(risk: Risk): Promise<void> {
    const link = `${location.origin}/risks/${refOf(risk)}`;
    try {
        await navigator.clipboard.writeText(link);
        toast(t('risk.copied'));
    } catch {
        // Without https there is no clipboard: it can be copied from the notice.
        toast(link);
    }
}

async function restore(id: string, then: () => void): Promise<void> {
    try {
        await post(`/risks/${id}/restore`);
        then();
        changed();
    } catch (error) {
        toastError(error);
    }
}

async function destroy(risk: Risk, path: string): Promise<void> {
    try {
        await remove(`/risks/${risk.id}`, risk.version);
        go('/risks');
        changed();
        const undo = () => void restore(risk.id, () => go(`/risks/${refOf(risk)}`));
        toast(t('deleted', { name: refOf(risk) }), { action: { label: t('undo'), run: undo } });
    } catch (error) {
        toastError(error);
        await reread(path).catch(() => undefined);
    }
}

/** It cannot be shown: it was deleted, or there never was one. The timeline of a deleted one can still be read. */
function Gone({ id }: { id: string }) {
    const user = useUser();
    const path = `/risks/${encodeURIComponent(id)}/timeline?limit=1`;
    const { data: newest, error } = useGet<ChangePage>(path);
    // Who made it is told by the first write of all.
    const oldest = useGet<ChangePage>(newest ? `${path}&page=${newest.total}` : null);
    const deletion = newest?.items[0];
    if ((!newest && !error) || (newest && !oldest.data && !oldest.error)) {
        return <Loading />;
    }
    const isOurs = mayDelete(user, oldest.data?.items[0]?.actor_id ?? null);
    return deletion?.action === 'deleted'
        ? (
            <Empty title={t('risk.gone.deleted')}>
                <div class="gone">
                    <p>{t('change.by', { actor: deletion.actor })}, <Ago at={deletion.at} /></p>
                    <p class="tools">
                        {isOurs && <button type="button" class="primary" onClick={() => void restore(encodeURIComponent(id), () => undefined)}>{t('risk.restore')}</button>}
                        <a class="button" href="/risks">{t('page.register')}</a>
                    </p>
                </div>
            </Empty>
        )
        : <Empty title={t('page.none')}><div class="gone"><p>{t('page.none.text')}</p><p><a class="button" href="/risks">{t('page.register')}</a></p></div></Empty>;
}

function useKeys(edit: Edit, canEdit: boolean): void {
    useShortcut('edit', () => edit.start(), canEdit);
    useShortcut('close', edit.cancel, edit.isOn);
    useShortcut('submit', edit.save, edit.isOn);
}

function Tools({ risk, path }: { risk: Risk; path: string }) {
    const user = useUser();
    return (
        <>
            <button type="button" onClick={() => void copyLink(risk)}>{t('risk.copy')}</button>
            {mayDelete(user, risk.created_by) && <button type="button" class="danger" onClick={() => void destroy(risk, path)}>{t('delete')}</button>}
        </>
    );
}

function Whole({ risk, path }: { risk: Risk; path: string }) {
    const canEdit = mayWrite(useUser());
    const edit = useEdit(risk, path);
    useKeys(edit, canEdit);
    const title = memberOf('title');
    return (
        <>
            <Head
                name={refOf(risk)} title={edit.values['title'] as string}
                beside={<>{canEdit && !edit.isOpen('title') && <EditButton member={title} edit={edit} />}<Level level={risk.level} score={risk.score} /><Status status={risk.status} /></>}
            >
                <Tools risk={risk} path={path} />
            </Head>
            {edit.isOpen('title') && <div class="title-editor"><MemberEditor member={title} edit={edit} /></div>}
            <div class={edit.isOn ? 'risk editing' : 'risk'}>
                <div class="column"><Details risk={risk} edit={edit} canEdit={canEdit} /></div>
                <div class="column aside">
                    <Score values={edit.upcoming} />
                    <Assets edit={edit} canEdit={canEdit} />
                </div>
                <div class="column rest">
                    <Mitigations risk={risk} path={path} canEdit={canEdit} />
                    <Timeline id={risk.id} every={EVERY_MS} />
                </div>
            </div>
            {edit.isOn && <EditBar risk={risk} edit={edit} />}
            {edit.clash && <MergeDialog clash={edit.clash} base={edit.began!.values} onDecide={edit.decide} onClose={edit.undecided} />}
        </>
    );
}

export function RiskPage({ place }: { place: Place }) {
    const path = `/risks/${encodeURIComponent(place.id)}`;
    const got = useGet<Risk>(path, { every: EVERY_MS });
    if (got.error?.status === 404) {
        return <><Head name={place.id} title="" /><Gone id={place.id} /></>;
    }
    if (got.data === undefined) {
        return <><Head name={place.id} title="" />{got.error ? <Failed error={got.error} retry={got.refresh} /> : <Loading lines={8} />}</>;
    }
    return <Whole key={got.data.id} risk={got.data} path={path} />;
}
