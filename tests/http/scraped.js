/** What the tests of metrics share: scrapes of a server, and waiting until what has been answered is counted. */
'use strict';

const assert = require('node:assert');

const { waitFor } = require('./lib');
const { readExposition } = require('../tools/exposition');

const REQUESTS = 'openrisk_http_requests_total';
const IN_FLIGHT = 'openrisk_http_requests_in_flight';

async function scrapeOf(server) {
    const reply = await server.ops.get('/metrics');
    assert.strictEqual(reply.status, 200, reply.body);
    return readExposition(reply.body);
}

/** A scrape for which `condition` holds. */
function scrapeWhen(server, condition, what) {
    return waitFor(async () => {
        const scrape = await scrapeOf(server);
        return condition(scrape) && scrape;
    }, what, 20000);
}

/** A scrape once all that has been answered is counted: a request ends after its client has the answer. */
async function settled(server) {
    let before = await scrapeOf(server);
    return scrapeWhen(server, (scrape) => {
        const isSame = scrape.sum(REQUESTS) === before.sum(REQUESTS) && before.value(IN_FLIGHT) === 0;
        before = scrape;
        return isSame && scrape.value(IN_FLIGHT) === 0;
    }, 'the counts to settle');
}

/** By how much the series of a metric differ: {"GET /api/v1/risks 200": 3}, without those that do not; `name` makes the names. */
function changes(before, after, metric, name) {
    const found = {};
    for (const { labels, value } of after.find(metric)) {
        const by = value - before.value(metric, labels);
        if (by !== 0) {
            found[name(labels)] = by;
        }
    }
    return found;
}

/** The one thing that `act` does is counted: the metric's series, by `label`, that differ afterwards. */
async function counted(server, metric, label, act) {
    const before = await settled(server);
    await act();
    return changes(before, await settled(server), metric, (labels) => labels[label]);
}

module.exports = { IN_FLIGHT, REQUESTS, changes, counted, scrapeOf, scrapeWhen, settled };
