/** What script/bench asks a register for: the kinds of requests, with what each may take. */
'use strict';

const { randomOf } = require('./generate-kev');

/** The requests: name, limit in ms for the median, and the path of the n-th one. */
function kinds(rows) {
    const random = randomOf(7);
    const any = (list) => list[Math.floor(random() * list.length)];
    const rare = ['elasticsearch groovy', 'velocloud', 'log4j', 'zerologon', 'sharepoint server'];
    const frequent = ['vulnerability', 'remote', 'execution', 'microsoft'];
    return [
        ['health', undefined, () => '/health'],
        ['first page with its total', 5, () => '/risks'],
        ['page: status and level', 5, () => `/risks?status=ACTIVE&level=${any(['CRITICAL', 'HIGH'])}`],
        ['page: tag', 5, () => '/risks?tag=ransomware'],
        ['page: sorted by title', 5, () => '/risks?sort_by=title&sort_dir=asc'],
        ['page: 40, sorted by date', 5, () => '/risks?sort_by=created_at&page=40'],
        ['search: rare words', 20, () => `/risks?q=${encodeURIComponent(any(rare))}`],
        ['search: frequent words', 20, () => `/risks?q=${any(frequent)}`],
        ['search: one external id', 20, () => `/risks?q=${1000000 + Math.floor(random() * rows)}`],
        ['search: two letters', 20, () => '/risks?q=mi'],
        ['one risk by ref', 1, () => `/risks/R-${1 + Math.floor(random() * rows)}`],
        ['stats', 2, () => '/stats'],
        ['matrix', 2, () => '/stats/risk-matrix'],
        ['trends, 30 days', 2, () => '/stats/trends?days=30'],
        ['distribution', 2, () => '/stats/risk-distribution'],
        ['mitigation metrics', 2, () => '/stats/mitigation-metrics'],
        ['top risks', 2, () => '/stats/top-risks'],
    ].map(([name, limit, route]) => ({ name, limit, route, ms: [] }));
}

/** One of each further route whose answers are cached: as above, without a limit. */
function furtherKinds(rows, asset) {
    const random = randomOf(17);
    const ref = () => `R-${1 + Math.floor(random() * rows)}`;
    return [
        ['timeline of one risk', () => `/risks/${ref()}/timeline`],
        ['mitigations of one risk', () => `/risks/${ref()}/mitigations`],
        ['mitigations', () => '/mitigations'],
        ['assets', () => '/assets'],
        ['one asset', () => `/assets/${asset}`],
        ['activity', () => '/activity'],
    ].map(([name, route]) => ({ name, limit: undefined, route, ms: [] }));
}

module.exports = { furtherKinds, kinds };
