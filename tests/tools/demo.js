/**
 * A register as a small company might have it after four months, as a document that `openrisk import --format json`
 * reads: for pictures, and for tests that want to see every kind of thing at once. The same for the same day.
 *   node tests/tools/demo.js >demo.json
 */
'use strict';

const DAY_MS = 24 * 3600 * 1000;
const PEOPLE = ['Ann Berger', 'Benoît Caron', 'Chidi Eze', 'Dana Fox'];
const ASSETS = [
    ['Customer portal', 'Application', 'CRITICAL'], ['Payroll', 'Application', 'HIGH'], ['E-mail', 'Service', 'HIGH'], ['Office network', 'Network', 'MEDIUM'],
    ['Laptops', 'Hardware', 'MEDIUM'], ['Backup storage', 'Hardware', 'CRITICAL'], ['Public website', 'Application', 'LOW'], ['Source code', 'Data', 'HIGH'],
];

/* title, category, impact, probability then and now, status, assets, tags, what is done about it: [title, done steps, steps, due in days] */
const RISKS = [
    ['Ransomware encrypts file servers', 'Malware', 5, 5, 4, 'ACTIVE', [5, 3], ['ransomware', 'availability'], [['Immutable backups, restored once a month', 2, 3, 12], ['Block macros from the internet', 1, 1, -20]]],
    ['Phishing leads to a stolen mailbox', 'People', 4, 5, 5, 'ACTIVE', [2], ['phishing'], [['Security keys for everybody', 1, 4, -6]]],
    ['SQL injection in the customer portal', 'Application', 5, 4, 2, 'MITIGATED', [0], ['owasp', 'confidentiality'], [['Prepared statements everywhere', 3, 3, -45], ['Penetration test', 1, 1, -15]]],
    ['A departing administrator keeps access', 'Access', 4, 3, 2, 'ACTIVE', [1, 7], ['access'], [['One list of leavers from HR, each Friday', 1, 2, 9]]],
    ['Fire in the server room', 'Physical', 5, 1, 1, 'ACCEPTED', [5, 3], ['availability'], []],
    ['Laptop stolen while travelling', 'Physical', 3, 4, 4, 'ACTIVE', [4], ['theft'], [['Disk encryption on all laptops', 2, 2, -30], ['Remote wipe', 0, 2, 21]]],
    ['Unpatched VPN gateway', 'Network', 5, 4, 3, 'ACTIVE', [3], ['patching'], [['Patch window each Tuesday', 1, 2, -3]]],
    ['Cloud storage open to the public', 'Cloud', 4, 3, 1, 'MITIGATED', [6], ['confidentiality'], [['Deny public access by policy', 1, 1, -60]]],
    ['Supplier of the payroll service fails', 'Supplier', 4, 2, 2, 'ACTIVE', [1], ['continuity'], [['Exit plan, tried once', 0, 3, 40]]],
    ['Secrets in the source code', 'Application', 4, 4, 3, 'ACTIVE', [7], ['secrets'], [['Scan each commit', 1, 1, -10], ['Move keys into a vault', 1, 3, 18]]],
    ['Backups cannot be restored', 'Continuity', 5, 3, 2, 'ACTIVE', [5], ['availability', 'backup'], [['Restore test each quarter', 1, 2, 5]]],
    ['Denial of service against the portal', 'Network', 3, 3, 3, 'ACTIVE', [0], ['availability'], [['Rate limits at the edge', 0, 1, 14]]],
    ['Shared accounts in the warehouse', 'Access', 2, 4, 4, 'ACTIVE', [3], ['access'], []],
    ['Personal data kept longer than allowed', 'Compliance', 3, 3, 2, 'ACTIVE', [0, 1], ['gdpr'], [['Delete after the legal term', 2, 4, 30]]],
    ['Insider copies customer data', 'People', 4, 2, 2, 'ACTIVE', [0], ['confidentiality'], []],
    ['Certificate of the portal expires unseen', 'Application', 3, 3, 1, 'CLOSED', [0], ['availability'], [['Renew automatically', 1, 1, -80]]],
    ['Printer firmware years behind', 'Hardware', 2, 3, 3, 'DRAFT', [3], ['patching'], []],
    ['Old operating system on a lathe controller', 'Hardware', 4, 3, 3, 'ACCEPTED', [3], ['legacy'], [['Own network segment', 1, 1, -25]]],
    ['Typosquatted package in the build', 'Supplier', 4, 3, 2, 'ACTIVE', [7], ['supply-chain'], [['Lock files and a mirror', 1, 2, 7]]],
    ['Weak Wi-Fi password in the guest network', 'Network', 1, 4, 2, 'CLOSED', [3], ['access'], []],
    ['Nobody notices an intruder for weeks', 'Detection', 5, 3, 3, 'ACTIVE', [0, 3], ['logging'], [['Central logs with alerts', 2, 5, 25]]],
    ['Website defaced', 'Application', 2, 2, 2, 'ACTIVE', [6], ['integrity'], []],
    ['Spreadsheet with passwords on a share', 'Access', 4, 4, 1, 'MITIGATED', [3], ['secrets'], [['Password manager for all teams', 2, 2, -50]]],
    ['Loss of the only network engineer', 'People', 3, 2, 2, 'ACTIVE', [3], ['continuity'], [['Write down how it is built', 1, 3, 35]]],
];
const CONTROLS = ['ISO 27001 A.5', 'ISO 27001 A.8', 'NIST CSF PR', 'NIST CSF DE', 'CIS 4'];
const FACTORS = { LOW: 80, MEDIUM: 100, HIGH: 125, CRITICAL: 150 };

function id(kind, number) {
    return `01900000-${kind.toString(16).padStart(4, '0')}-7000-8000-${number.toString(16).padStart(12, '0')}`;
}

/** src/domain/score.h */
function score(impact, probability, assets) {
    const sum = assets.reduce((all, asset) => all + FACTORS[ASSETS[asset][2]], 0);
    const n = assets.length;
    return (n === 0 ? 100 * impact * probability : Math.floor((2 * impact * probability * sum + n) / (2 * n))) / 100;
}

/** The document, as of `now`. */
function demo(now = Date.now()) {
    const today = Math.floor(now / DAY_MS) * DAY_MS;
    const at = (days, number) => new Date(Math.min(today + days * DAY_MS + (8 + (number % 9)) * 3600000 + number * 61000, now - 60000)).toISOString();
    const date = (days) => new Date(today + days * DAY_MS).toISOString().slice(0, 10);
    const assets = ASSETS.map(([name, type, criticality], i) => ({
        id: id(1, i + 1), name, type, criticality, owner: PEOPLE[i % PEOPLE.length], created_at: at(-125, i), updated_at: at(-125, i), version: 1,
    }));
    const risks = RISKS.map(([title, category, impact, before, probability, status, at_stake, tags, plans], i) => {
        const number = i + 1;
        const actor = PEOPLE[i % PEOPLE.length];
        const born = -118 + i * 4;
        const changed = Math.min(born + 20 + (i * 7) % 31, -((i * 5) % 13));
        const was = score(impact, before, at_stake);
        const is = score(impact, probability, at_stake);
        const entry = (when, action, version, points, state, changes) => ({
            at: at(when, number), actor_id: null, actor, action, version, score: points, status: state, deleted: false, changes,
        });
        const history = [entry(born, 'created', 1, was, 'ACTIVE', [])];
        const changes = [
            ...(before === probability ? [] : [{ member: 'probability', from: before, to: probability }, { member: 'score', from: was, to: is }]),
            ...(status === 'ACTIVE' ? [] : [{ member: 'status', from: 'ACTIVE', to: status }]),
        ];
        if (changes.length > 0) {
            history.push(entry(changed, 'updated', 2, is, status, changes));
        }
        return {
            id: id(2, number), ref: number, title, category, impact, probability, status, owner: actor, tags, treatment: status === 'ACCEPTED' ? 'ACCEPT' : 'MITIGATE',
            description: `${title}: found in the assessment of ${date(born)}.\n\nWhoever changes how likely this is writes down why.`,
            frameworks: [CONTROLS[i % CONTROLS.length]], review_date: date((i * 11) % 70 - 12), custom_fields: i % 4 === 0 ? { assessment: '2026-2' } : {},
            created_at: history[0].at, updated_at: history[history.length - 1].at, version: history.length, asset_ids: at_stake.map((asset) => assets[asset].id),
            mitigations: plans.map(([what, done, steps, due], j) => ({
                id: id(3, number * 10 + j), title: what, assignee: PEOPLE[(i + j + 1) % PEOPLE.length], due_date: date(due), cost: (i + 1) * 400,
                status: done === steps ? 'DONE' : done > 0 ? 'IN_PROGRESS' : 'PLANNED', progress: Math.round((100 * done) / steps), created_at: at(born + 1, number), updated_at: at(born + 2, number), version: 1,
                sub_actions: Array.from({ length: steps }, (_, k) => ({ id: id(4, number * 100 + j * 10 + k), title: ['Decide', 'Try out', 'Introduce', 'Check', 'Report'][k], completed: k < done })),
            })),
            history,
        };
    });
    // What happened last is told last, and so comes first among recent activity.
    risks.sort((a, b) => a.updated_at.localeCompare(b.updated_at));
    return { format: 'openrisk', version: 1, assets, risks };
}

module.exports = { demo };

if (require.main === module) {
    process.stdout.write(`${JSON.stringify(demo())}\n`);
}
