/** script/load says so when something does not hold: each threshold, the guards, the comparison with /metrics, and a soak in which something grows. */
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { filledServer, run, startTamperer, whyNoK6 } = require('./loading');

/** The run has failed, for these reasons and no others, and each way of telling says so. */
function assertFailed({ code, stdout, stderr, result, report }, ...reasons) {
    assert.strictEqual(code, 1, `${stdout}${stderr}`);
    assert.strictEqual(result.verdict, 'failed');
    for (const reason of reasons) {
        assert.ok(result.failures.some((failure) => reason.test(failure)), `${reason} is not told of:\n${result.failures.join('\n')}`);
    }
    assert.deepStrictEqual(result.failures.filter((failure) => !reasons.some((reason) => reason.test(failure))), []);
    for (const failure of result.failures) {
        assert.ok(stdout.includes(`FAILED: ${failure}`), failure);
    }
    assert.match(stdout, /^FAILED: \d+ of \d+ thresholds hold$/m);
    assert.match(report, /<p class="verdict failed">FAILED/);
}

const without = whyNoK6();
const SHORT = '0.008';

/** What /metrics says, with one number of it changed. */
function startMetrics(t, origin, change) {
    return startTamperer(t, origin, (request, answer) => ({ ...answer, body: Buffer.from(change(answer.body.toString())) }));
}

test('what does not hold', { skip: without }, async (t) => {
    const server = await filledServer(t);
    const written = await filledServer(t); // Each write makes everything cold, and hit rates are looked at, too.
    const admin = await server.signIn();
    /** How many GETs for a path have come so far, to do something to some of them. */
    const counts = {};
    const nth = (url) => (counts[url] = (counts[url] || 0) + 1);

    // What is not compared with /metrics can be tried side by side: most of the time is spent waiting.
    await t.test('in answers and times', { concurrency: 3 }, async (group) => {
        const inTurn = async (...cases) => {
            for (const [name, body] of cases) {
                await group.test(name, body);
            }
        };
        await Promise.all([
            inTurn(
                ['with the cache off the hit rate does not', async (t2) => {
                    assertFailed(await run(t2, ['baseline'], { env: { CACHE_ENABLED: 'false' } }), /^cache_hit\{phase:measured\} rate>0.75: was 0.000 %$/);
                }],
                ['also by who only reads: a version that goes back', async (t2) => {
                    const proxy = await startTamperer(t2, server.url, (request, answer) => {
                        if (/\/risks\?limit=/.test(request.url)) {
                            const page = JSON.parse(answer.body);
                            return { ...answer, body: Buffer.from(JSON.stringify({ ...page, items: page.items.slice(0, 1) })) }; // All read this one.
                        }
                        const version = /\/risks\/[^/?]+$/.test(request.url) && nth('versions') < 10 ? 2 : 1;
                        return { ...answer, headers: { ...answer.headers, etag: `"${version}.0"` } };
                    });
                    assertFailed(await run(t2, ['baseline'], { target: server, url: proxy, env: { OPENRISK_OPS_URL: '' } }), /^stale_reads rate==0: was /);
                }],
                ['an endpoint without an answer has nothing to be judged by, and that is a failure', async (t2) => {
                    const proxy = await startTamperer(t2, server.url, (request, answer) => (/\/trends$/.test(request.url) ? null : answer));
                    const ended = await run(t2, ['baseline'], { target: server, url: proxy, env: { DURATION_SCALE: SHORT, OPENRISK_OPS_URL: '' } });
                    assertFailed(ended, /^request_duration\{endpoint:trends\} p\(9[59]\)<\d+: no samples, so nothing was judged$/, /^errors rate<0.001: was /);
                }],
                ['errors', async (t2) => {
                    const proxy = await startTamperer(t2, server.url, (request, answer) => (/\/stats$/.test(request.url) && nth('errors') % 5 === 0 ? { ...answer, status: 503 } : answer));
                    assertFailed(await run(t2, ['baseline'], { target: server, url: proxy, env: { DURATION_SCALE: SHORT, OPENRISK_OPS_URL: '' } }), /^errors rate<0.001: was /);
                }],
            ),
            inTurn(
                ['an older answer than was seen before is found: of a risk alone, in a list, among the top', async (t2) => {
                    const kinds = { risk: /\/risks\/[^/?]+$/, risks: /\/risks$/, top_risks: /\/top-risks$/, search: /\/risks\?q=/ };
                    const first = new Map();
                    const proxy = await startTamperer(t2, written.url, (request, answer) => {
                        if (request.method !== 'GET' || !Object.values(kinds).some((pattern) => pattern.test(request.url))) {
                            return answer;
                        }
                        if (!first.has(request.url) && answer.body.includes('Load test loadtest')) {
                            first.set(request.url, answer);
                        }
                        return nth(`old ${request.url}`) % 4 === 0 ? first.get(request.url) || answer : answer;
                    });
                    const ended = await run(t2, ['mixed'], { target: written, url: proxy, env: { OPENRISK_OPS_URL: '', DURATION_SCALE: '0.015' } });
                    assertFailed(ended, /^stale_reads rate==0: was \d+\.\d+ %$/);
                    const { stale, by_endpoint: found } = ended.result.stale_reads;
                    assert.deepStrictEqual(Object.keys(found).sort(), Object.keys(kinds).sort());
                    assert.strictEqual(Object.values(found).reduce((sum, count) => sum + count), stale);
                }],
                ['a node that lags by less than a second is older for one node, and allowed for several', async (t2) => {
                    const LAG = 400;
                    const writtenAt = new Map(); // by Consistency-Token
                    const kept = new Map();
                    const lagging = (request, answer) => {
                        const given = answer.headers['consistency-token'];
                        if (given !== undefined) {
                            writtenAt.set(given, Date.now());
                        }
                        if (request.method !== 'GET' || !/risks/.test(request.url) || answer.status !== 200) {
                            return answer;
                        }
                        // Who has written lately sees it; to the others every second answer is up to LAG old.
                        const brought = writtenAt.get(request.headers['consistency-token']);
                        const before = kept.get(request.url);
                        if (before === undefined || Date.now() - before.at > LAG) {
                            kept.set(request.url, { at: Date.now(), answer });
                            return answer;
                        }
                        const mayLag = brought === undefined || Date.now() - brought > 2 * LAG;
                        return mayLag && nth('lagging') % 2 === 0 ? before.answer : answer;
                    };
                    const proxy = await startTamperer(t2, written.url, lagging);
                    const env = { OPENRISK_OPS_URL: '', DURATION_SCALE: '0.015' };
                    assertFailed(await run(t2, ['mixed'], { target: written, url: proxy, env }), /^stale_reads rate==0: was /);
                    const several = await run(t2, ['mixed'], { target: written, url: proxy, env: { ...env, OPENRISK_NODES: '2' } });
                    assert.strictEqual(several.code, 0, several.stdout);
                }],
                ['a list that lacks what was made before is older, too', async (t2) => {
                    const proxy = await startTamperer(t2, written.url, (request, answer) => {
                        if (!/\/risks\?q=loadtest/.test(request.url) || nth('lists') % 4 !== 0) {
                            return answer;
                        }
                        const page = JSON.parse(answer.body);
                        return { ...answer, body: Buffer.from(JSON.stringify({ ...page, items: page.items.slice(1) })) };
                    });
                    assertFailed(await run(t2, ['mixed'], { target: written, url: proxy, env: { OPENRISK_OPS_URL: '' } }), /^stale_reads rate==0: was /);
                }],
            ),
            inTurn(
                ['a slow server is slow, and cannot keep the rate', async (t2) => {
                    const slow = (request, answer) => new Promise((resolve) => setTimeout(() => resolve(answer), /\/stats/.test(request.url) ? 1500 : 0));
                    const proxy = await startTamperer(t2, server.url, slow);
                    const env = { OPENRISK_LOAD_RATE: '200', OPENRISK_LOAD_LATENCY_FACTOR: '1', OPENRISK_OPS_URL: '' };
                    const ended = await run(t2, ['slo'], { target: server, url: proxy, env });
                    assert.strictEqual(ended.code, 1, ended.stdout);
                    const failures = ended.result.failures.join('\n');
                    assert.match(failures, /^request_duration\{endpoint:stats\} p\(95\)<100: was 1\d{3} ms$/m);
                    assert.match(failures, /^dropped_iterations count==0: was \d+$/m);
                    assert.ok(!/relaxed/.test(ended.stdout), 'the limits were those that are promised');
                }],
                ['a stampede that gets through', async (t2) => {
                    const loaded = { 'x-cache': 'MISS', 'cache-status': 'openrisk; fwd=miss; stored' };
                    const proxy = await startTamperer(t2, server.url, (request, answer) =>
                        /max_score/.test(request.url) && nth('loads') % 100 === 0 ? { ...answer, headers: { ...answer.headers, ...loaded } } : answer);
                    const ended = await run(t2, ['stampede'], { target: server, url: proxy, env: { OPENRISK_OPS_URL: '' } });
                    assertFailed(ended, /^stampede_loads count<=1: was 1[01]$/, /^stampede_shared rate>=0.999: was /);
                }],
            ),
        ]);
    });

    await t.test('a hit rate that the server did not count so', async (t2) => {
        const ops = await startMetrics(t2, server.opsUrl, (text) => text.replace(/(cache_requests_total\{cache="responses",result="miss"\}) (\d+)/, (_, name, value) => `${name} ${Number(value) + 40 * nth('metrics')}`));
        const ended = await run(t2, ['baseline'], { target: server, env: { OPENRISK_OPS_URL: ops, DURATION_SCALE: SHORT } });
        assertFailed(ended, /^hit rate: the answers told \d+\.\d+ % of \d+, the servers counted \d+\.\d+ % of \d+; did somebody else use them/);
        assert.match(ended.summary, /points apart\): they differ$/m);
    });

    await t.test('one that was not compared is no failure, but told loudly', async (t2) => {
        for (const ops of ['', 'http://127.0.0.1:1']) {
            const ended = await run(t2, ['baseline'], { target: server, env: { OPENRISK_OPS_URL: ops, DURATION_SCALE: SHORT } });
            assert.strictEqual(ended.code, 0, ended.stdout);
            assert.match(ended.stderr, /^script\/load: THE HIT RATE IS NOT COMPARED with what the server counts: .+$/m);
            assert.match(ended.summary, /NOT COMPARED with \/metrics/);
            assert.match(ended.report, /THE HIT RATE WAS NOT COMPARED/);
        }
    });

    await t.test('a soak', async (t2) => {
        await t2.test('says what the server took', async (t3) => {
            const { code, stdout, result, report } = await run(t3, ['soak', '--minutes', '0.15'], { target: server });
            // Seconds are not enough to know that nothing grows; what is said and what is judged must agree.
            assert.strictEqual(code, result.verdict === 'passed' ? 0 : 1, stdout);
            assert.deepStrictEqual(result.growth.map(({ name }) => name), ['resident_memory', 'descriptors', 'http_connections', 'database_connections', 'threads']);
            for (const { name, enough, points, grows } of result.growth) {
                assert.ok(enough && points.every(([, value]) => value > 0), name);
                assert.ok(stdout.includes(`${name}: ${grows ? 'GROWS' : 'does not grow'}: `), stdout);
                assert.ok(report.includes(`${name} of ${server.opsUrl}`), name);
            }
            assert.deepStrictEqual(result.failures.filter((failure) => !/grows by/.test(failure)), []);
        });

        await t2.test('fails', { concurrency: 3 }, async (group) => {
            const soak = async (t3, change) => run(t3, ['soak', '--minutes', '0.15'], { target: server, env: { OPENRISK_OPS_URL: await change } });
            await Promise.all([
                group.test('if descriptors grow', async (t3) => {
                    let opened = 0;
                    const ended = await soak(t3, startMetrics(t3, server.opsUrl, (text) => text.replace(/^process_open_fds (\d+)/m, (_, value) => `process_open_fds ${Number(value) + opened++}`)));
                    assert.strictEqual(ended.code, 1, ended.stdout);
                    assert.match(ended.result.failures.join('\n'), /^descriptors of http:\S+ grows by \d+\.\d ± \d+\.\d a day$/m);
                    assert.match(ended.stdout, /^descriptors: GROWS: /m);
                }),
                group.test('if the server was started again', async (t3) => {
                    let looks = 0;
                    const ended = await soak(t3, startMetrics(t3, server.opsUrl, (text) => text.replace(/^process_start_time_seconds .*/m, `process_start_time_seconds ${++looks > 10 ? 2 : 1}`)));
                    assert.strictEqual(ended.code, 1, ended.stdout);
                    assert.match(ended.result.failures.join('\n'), /was started again after \d+ s/);
                }),
                group.test('if /metrics lacks what is looked at', async (t3) => {
                    let looks = 0;
                    const ended = await soak(t3, startMetrics(t3, server.opsUrl, (text) => (++looks > 8 ? text.replace(/^process_threads/gm, 'threads') : text)));
                    assert.strictEqual(ended.code, 1, ended.stdout);
                    assert.match(ended.result.failures.join('\n'), /\/metrics gave no answer for \d+ of \d+ looks: \/metrics has no process_threads/);
                }),
            ]);
        });
    });
    assert.deepStrictEqual((await admin.expect(200, 'GET', '/risks?tag=load-test')).json.items, []);
});
