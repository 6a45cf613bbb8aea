/** What an import has done, or would do, and what was refused. */
import type { ImportRefusal, ImportResult } from '../api.gen';
import { number, t } from '../i18n';

const COUNTS = ['imported', 'updated', 'unchanged', 'skipped'] as const;

function Refusals({ errors }: { errors: readonly ImportRefusal[] }) {
    return (
        <div class="refusals scroll" tabIndex={0} role="region" aria-labelledby="refusals">
            <table class="list">
                <thead>
                    <tr><th scope="col" class="number">{t('import.row')}</th><th scope="col">{t('import.column')}</th><th scope="col">{t('import.reason')}</th></tr>
                </thead>
                <tbody>
                    {errors.map(({ row, column, reason }, i) => (
                        <tr key={i}><td class="number">{row > 0 ? number(row) : '–'}</td><td>{column || '–'}</td><td>{reason}</td></tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

/** `refused`: nothing is or would be written, so there is nothing to count. */
export function Result({ result, refused }: { result: ImportResult; refused: boolean }) {
    const { errors, errors_total: total, unknown_columns: unknown } = result;
    return (
        <>
            {!refused && (
                <dl class="counts">
                    {COUNTS.map((name) => <div key={name}><dt>{t(`import.${name}`)}</dt><dd>{number(result[name])}</dd></div>)}
                </dl>
            )}
            {unknown.length > 0 && <p class="hint">{t('import.unknown', { names: unknown.join(', ') })}</p>}
            {total > 0 && (
                <>
                    <h3 id="refusals">{total > errors.length ? t('import.errors.first', { count: total, shown: errors.length }) : t('import.errors', { count: total })}</h3>
                    <Refusals errors={errors} />
                </>
            )}
        </>
    );
}
