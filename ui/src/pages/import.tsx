import { PageHead } from '../components/show';
import { t } from '../i18n';
import type { Place } from '../router';

export function ImportPage(_: { place: Place }) {
    return <PageHead title={t('page.import')} />;
}
