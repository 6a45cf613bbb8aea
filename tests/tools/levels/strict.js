/**
 * What CACHE_CONSISTENCY=strict costs: the same hit from nodes that are strict and from nodes that are not.
 *
 * A strict node gives a hit only after it has looked at the database once more; requests that come at one time
 * share the look. The register is the large one in PostgreSQL; in SQLite it is a small one, since a look is the
 * same whatever is in it.
 */
'use strict';

const path = require('node:path');
const { writeKev } = require('../generate-kev');
const { fullLoad } = require('../load');
const { importFile, inRounds, printTable } = require('../measure');
const { PROOF, cellsOf, counted, entriesOf, shareOf, startNode, stopNode } = require('./nodes');

const ROUTE = '/api/v1/risks/R-77';
const RISKS = 2000;
const CLIENTS = [1, 16, 64];
const MODES = ['bounded', 'strict'];

async function startNodes(context) {
    const file = path.join(context.folder, 'small.csv');
    writeKev(file, RISKS);
    const nodes = [];
    for (const mode of MODES) {
        const database = path.join(context.folder, `${mode}.db`);
        const env = { CACHE_CONSISTENCY: mode, DATABASE_URL: `sqlite:${database}` };
        const first = await startNode(context, mode, env);
        await stopNode(first);
        await importFile(first.server, file);
        nodes.push({ ...(await startNode(context, mode, env)), engine: 'SQLite', mode });
    }
    for (const mode of MODES) {
        nodes.push({ ...(await startNode(context, mode, { CACHE_CONSISTENCY: mode })), engine: 'PostgreSQL', mode });
    }
    return nodes;
}

async function measureNode(context, node, connections) {
    const counts = await counted(node, () => fullLoad(context.processor, node, ROUTE, node.token, context.seconds, { connections }));
    const { requests } = counts.figures;
    const share = shareOf(counts, 'first');
    if (share < PROOF || counts.first < PROOF * requests) {
        throw new Error(`${requests} requests should have been hits of the ${node.mode} node; the cache counted ${JSON.stringify(counts)}`);
    }
    return { ...counts.figures, share };
}

async function measure(context) {
    const nodes = await startNodes(context);
    const results = [];
    for (const connections of CLIENTS) {
        await Promise.all(nodes.map((node) => node.client.expect(200, 'GET', ROUTE.slice('/api/v1'.length))));
        results.push({ connections, figures: await inRounds(context.rounds, nodes, (node) => measureNode(context, node, connections)) });
    }
    for (const node of nodes) {
        await stopNode(node);
    }
    return { nodes, results };
}

function print({ nodes, results }) {
    console.log('\nThe same hit from nodes that are strict and from nodes that are not:');
    const rows = nodes.filter(({ mode }) => mode === 'strict').flatMap((strict) => {
        const bounded = nodes.find((node) => node.engine === strict.engine && node !== strict);
        return results.flatMap(({ connections, figures }) =>
            [bounded, strict].map((node) => [`${node.engine}, ${node.mode}`, String(connections), ...cellsOf(figures.get(node), figures.get(bounded), 3)]),
        );
    });
    printTable(['', 'clients', 'requests/s', 'of bounded', 'p50 ms', 'p99 ms', 'of bounded', 'CPU µs', 'hits'], rows);
}

function resultsOf({ nodes, results }) {
    return results.flatMap(({ connections, figures }) =>
        nodes.flatMap((node) => entriesOf(`a hit, ${connections} clients, ${node.engine}, ${node.mode}`, figures.get(node))));
}

module.exports = { measure, print, resultsOf };
