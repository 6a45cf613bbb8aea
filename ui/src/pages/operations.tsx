import { PageHead } from '../components/show';
import { t } from '../i18n';
import type { Place } from '../router';

export function OperationsPage(_: { place: Place }) {
    return <PageHead title={t('page.operations')} />;
}
