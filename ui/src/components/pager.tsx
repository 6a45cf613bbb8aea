/** From page to page of a list. */
import { number, t } from '../i18n';

/** How many pages lists go: page × limit ≤ 100,000. */
const DEPTH = 100000;

export function Pager({ page, limit, total, isExact = true, onPage }: {
    page: number; limit: number; total: number; isExact?: boolean; onPage: (page: number) => void;
}) {
    const last = Math.max(1, Math.ceil(Math.min(total, DEPTH) / limit));
    const from = total === 0 ? 0 : (page - 1) * limit + 1;
    const to = Math.min(page * limit, isExact ? total : Infinity);
    return (
        <nav class="pager" aria-label={t('pager.label')}>
            <span>{t('pager.range', { from, to, total: isExact ? number(total) : t('pager.more', { total }) })}</span>
            <button type="button" disabled={page <= 1} onClick={() => onPage(1)} aria-label={t('pager.first')}>«</button>
            <button type="button" disabled={page <= 1} onClick={() => onPage(page - 1)} aria-label={t('pager.previous')}>‹</button>
            <span class="here">{t('pager.page', { page, last: isExact ? number(last) : '…' })}</span>
            <button type="button" disabled={isExact ? page >= last : page * limit >= DEPTH} onClick={() => onPage(page + 1)} aria-label={t('pager.next')}>›</button>
            {isExact && <button type="button" disabled={page >= last} onClick={() => onPage(last)} aria-label={t('pager.last')}>»</button>}
        </nav>
    );
}
