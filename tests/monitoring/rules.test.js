/**
 * deploy/monitoring/ as promtool, amtool and Prometheus read it: the configurations are valid, the alerts do what
 * *_test.yml say, and none is without a firing and a silent case, a severity, words for who is woken, and an entry in the
 * runbook. That a real server makes them fire is shown by tests/faults/alerts.test.js.
 */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');

const { ROOT, cli, temporaryFolder } = require('../http/lib');
const { SHIPPED, startPrometheus } = require('../tools/prometheus');

const CASES = fs.readdirSync(__dirname).filter((name) => name.endsWith('_test.yml'));
const RUNBOOK = 'docs/runbook.md';
/** What divides, here or in a rule that is recorded. */
const RATIO = /\/|histogram_quantile|:ratio_/;
/** Labels that tell rules of one alert apart. */
const KINDS = ['burn', 'sign'];

function shipped(name) {
    return fs.readFileSync(path.join(SHIPPED, name), 'utf8');
}

/** A folder with the files where containers have them; secrets are empty. */
function layOut(t) {
    const folder = temporaryFolder();
    t.after(() => fs.rmSync(folder, { recursive: true }));
    for (const [name, files] of Object.entries({ prometheus: ['prometheus.yml', 'alerts.yml', 'targets'], alertmanager: ['alertmanager.yml'] })) {
        for (const file of files) {
            fs.cpSync(path.join(SHIPPED, file), path.join(folder, 'etc', name, file), { recursive: true });
        }
    }
    fs.mkdirSync(path.join(folder, 'run/secrets'), { recursive: true });
    for (const [, secret] of (shipped('prometheus.yml') + shipped('alertmanager.yml')).matchAll(/file: \.\.\/\.\.\/run\/secrets\/(\w+)/g)) {
        fs.writeFileSync(path.join(folder, 'run/secrets', secret), '');
    }
    return folder;
}

/** Without an error, and with nothing that looks like a warning. */
async function assertFine(program, args, cwd) {
    const { code, stdout, stderr } = await cli(args, { program, cwd, limitMs: 60000 });
    assert.strictEqual(code, 0, `${stdout}${stderr}`);
    assert.doesNotMatch(stdout + stderr, /warning|does not exist|duplicate/i);
    return stdout;
}

test('promtool and amtool take the configurations, and find what they name', async (t) => {
    const folder = layOut(t);
    const found = await assertFine('promtool', ['check', 'config', '--lint-fatal', 'etc/prometheus/prometheus.yml'], folder);
    assert.match(found, /SUCCESS: 1 rule files found/);
    await assertFine('promtool', ['check', 'rules', '--lint-fatal', 'etc/prometheus/alerts.yml'], folder);
    await assertFine('amtool', ['check-config', 'etc/alertmanager/alertmanager.yml'], folder);
    const targets = fs.readdirSync(path.join(SHIPPED, 'targets'));
    for (const [, file] of shipped('prometheus.yml').matchAll(/files: \[targets\/(.*)\]/g)) {
        assert.ok(targets.includes(file), `${file} is not in targets/`);
    }
    for (const file of targets) {
        assert.match(shipped('prometheus.yml'), new RegExp(`files: \\[targets/${file}\\]`), `nobody reads ${file}`);
    }
});

test('no secret is in the configurations', () => {
    for (const name of ['prometheus.yml', 'alertmanager.yml']) {
        assert.doesNotMatch(shipped(name), /^\s*(\w*_)?(password|credentials|token|secret):/m);
    }
});

for (const file of CASES) {
    test(`alerts fire and are silent as ${file} says`, () => assertFine('promtool', ['test', 'rules', file], __dirname));
}

function casesOf(file) {
    return fs.readFileSync(path.join(__dirname, file), 'utf8');
}

/** {alertname, fires: [labels as text]} for each look at the alerts in *_test.yml, which are written in one way only. */
function looks() {
    return CASES.flatMap((file) => {
        const text = casesOf(file);
        const found = [...text.matchAll(/^ {6}- alertname: (\w+)\n {8}eval_time: \w+\n {8}exp_alerts:( \[\]\n|\n(?: {10}.*\n)+)/gm)];
        assert.strictEqual(found.length, text.match(/alertname:/g).length, `${file} is written in another way`);
        return found.map(([, alertname, alerts]) => ({ alertname, fires: [...alerts.matchAll(/exp_labels: \{(.*)\}/g)].map((match) => match[1]) }));
    });
}

test('every alert', async (t) => {
    const prometheus = await startPrometheus();
    t.after(() => prometheus.stop());
    const alerts = (await prometheus.rules()).filter(({ type }) => type === 'alerting');
    const runbook = fs.existsSync(path.join(ROOT, RUNBOOK)) ? fs.readFileSync(path.join(ROOT, RUNBOOK), 'utf8') : '';
    const headings = [...runbook.matchAll(/^## ([A-Z]\w+)$/gm)].map((match) => match[1]);
    assert.strictEqual(alerts.length, shipped('alerts.yml').match(/- alert:/g).length);

    for (const { name, labels, annotations, query } of alerts) {
        const kind = KINDS.filter((one) => labels[one] !== undefined).map((one) => [one, labels[one]]);
        const isThis = (text) => kind.every(([one, value]) => new RegExp(`\\b${one}: "?${value}"?(,| |$)`).test(text));
        await t.test([name, ...kind.flat()].join(' '), () => {
            assert.ok(['critical', 'warning'].includes(labels.severity), labels.severity);
            assert.strictEqual(labels.service, 'openrisk');
            assert.ok(annotations.summary && !annotations.summary.includes('\n'));
            assert.match(annotations.description, /\{\{ \$value/, 'the description has no value');
            assert.strictEqual(annotations.runbook_url, `${RUNBOOK}#${name.toLowerCase()}`);
            assert.ok(headings.includes(name), `${RUNBOOK} has no entry "## ${name}"`);
            const own = looks().filter(({ alertname }) => alertname === name);
            assert.ok(own.some(({ fires }) => fires.some(isThis)), 'there is no case in which it fires');
            assert.ok(own.some(({ fires }) => !fires.some(isThis)), 'there is no case in which it is silent');
            if (RATIO.test(query)) {
                const zero = new RegExp(`^  - name: "${name}: .*the denominator is 0"\\n(?: {4}.*\\n)*? +exp_alerts: \\[\\]$`, 'm');
                assert.ok(CASES.some((file) => zero.test(casesOf(file))), 'there is no case in which its denominator is 0');
            }
        });
    }
    await t.test('in the runbook and in the cases is there', () => {
        const names = alerts.map(({ name }) => name);
        assert.deepStrictEqual(headings.filter((name) => !names.includes(name)), []);
        assert.deepStrictEqual(looks().map(({ alertname }) => alertname).filter((name) => !names.includes(name)), []);
    });
});
