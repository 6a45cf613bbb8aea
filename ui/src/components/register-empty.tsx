/** The register before the first risk, on the pages that show it: what to do first, for those who may. */
import { t } from '../i18n';
import { mayWrite, useUser } from '../session';
import { NewRiskButton } from './new-risk';
import { Empty } from './show';

export function EmptyRegister() {
    return (
        <Empty title={t('register.empty')}>
            {mayWrite(useUser())
                ? <div class="tools"><NewRiskButton /><a class="button" href="/risks/import">{t('import.file')}</a></div>
                : t('register.empty.viewer')}
        </Empty>
    );
}
