/** The score explained: impact × probability × the mean factor of the assets; while one edits, as it will be. */
import type { AssetBrief } from '../api.gen';
import { number, say, t } from '../i18n';
import { explain, FACTORS } from '../score';
import type { Values } from './members';
import { Level } from './show';

export function Sum({ impact, probability, criticalities }: { impact: number; probability: number; criticalities: string[] }) {
    const { score, level, factor } = explain(impact, probability, criticalities);
    return (
        <p class="sum">
            <span><b>{impact}</b> <small>{say('member', 'impact')}</small></span> ×{' '}
            <span><b>{probability}</b> <small>{say('member', 'probability')}</small></span> ×{' '}
            <span><b>{number(factor ?? 1, 4)}</b> <small>{t('risk.factor')}</small></span> ={' '}
            <Level level={level} score={score} />
        </p>
    );
}

export function Score({ values }: { values: Values }) {
    const assets = values['assets'] as AssetBrief[];
    const { factor } = explain(1, 1, assets.map(({ criticality }) => criticality));
    return (
        <section class="panel" aria-labelledby="score">
            <h2 id="score">{t('risk.score')}</h2>
            <Sum impact={values['impact'] as number} probability={values['probability'] as number} criticalities={assets.map(({ criticality }) => criticality)} />
            {factor !== null && (
                <div class="scroll" tabIndex={0} role="region" aria-labelledby="score">
                    <table class="factors">
                        <thead><tr><th scope="col">{t('member.asset_id')}</th><th scope="col">{t('asset.criticality')}</th><th scope="col" class="number">{t('risk.factor')}</th></tr></thead>
                        <tbody>
                            {assets.map(({ id, name, criticality }) => (
                                <tr key={id}><th scope="row">{name}</th><td>{say('criticality', criticality)}</td><td class="number">{number((FACTORS[criticality] ?? 100) / 100)}</td></tr>
                            ))}
                        </tbody>
                        <tfoot><tr><th scope="row" colSpan={2}>{t('risk.factor.mean')}</th><td class="number">{number(factor, 4)}</td></tr></tfoot>
                    </table>
                </div>
            )}
        </section>
    );
}
