/**
 * First-level hits, second-level hits and misses: the same requests to three nodes on the same register.
 *
 * One has memory for all of them. The others have so little that each request comes long after its answer was
 * pushed out; one of these finds it in Redis, the other has no Redis and asks PostgreSQL. That is what their
 * counters say afterwards, or there is no result.
 */
'use strict';

const { CONNECTIONS, fullLoad, pathsFile, scriptFor } = require('../load');
const { inRounds, printTable } = require('../measure');
const { LITTLE_MEMORY, PROOF, cellsOf, counted, entriesOf, fill, pageRoutes, riskRoutes, shareOf, startNode, stopNode } = require('./nodes');

/** More than memory can keep, and than it remembers to have had. */
const KINDS = [
    { name: 'a single risk', routes: (rows) => riskRoutes(Math.min(20000, rows)) },
    { name: 'a page of 20 risks', routes: () => pageRoutes(4000) },
];
const CLIENTS = [CONNECTIONS, 1];
const ATTEMPTS = 3;

async function startNodes(context) {
    const { url } = context.redis;
    const start = async (name, level, env) => ({ ...(await startNode(context, name, env)), level });
    return [
        await start('first level', 'first', { CACHE_MAX_BYTES: '512MiB', REDIS_URL: url }),
        await start('second level', 'second', { CACHE_MAX_BYTES: LITTLE_MEMORY, REDIS_URL: url }),
        await start('miss', 'loads', { CACHE_MAX_BYTES: LITTLE_MEMORY }),
    ];
}

async function measureOnce(context, node, script, connections) {
    const work = () => fullLoad(context.processor, node, '/', node.token, context.seconds, { connections, script });
    const counts = await counted(node, work);
    const share = shareOf(counts, node.level);
    const isProven = share >= PROOF && counts[node.level] >= PROOF * counts.figures.requests;
    return { counts, isProven, figures: { ...counts.figures, share } };
}

/** Once more if something else got in between, which happens if the machine stands still for a second. */
async function measureNode(context, node, script, connections) {
    for (let attempt = 1; ; attempt++) {
        const { counts, isProven, figures } = await measureOnce(context, node, script, connections);
        if (isProven) {
            return figures;
        }
        console.error(`these requests should have been answered by ${node.name}; the cache counted ${JSON.stringify(counts)}`);
        if (attempt === ATTEMPTS) {
            throw new Error('without proof there is no result');
        }
    }
}

/** The mean length of their bodies, which all nodes must make alike. */
async function bytesOf(nodes, routes) {
    const sizes = [];
    for (let i = 0; i < routes.length; i += Math.ceil(routes.length / 50)) {
        const answers = [];
        for (const node of nodes) {
            answers.push((await node.client.expect(200, 'GET', routes[i], undefined, { 'Accept-Encoding': 'identity' })).body);
        }
        if (!answers.every((answer) => answer === answers[0])) {
            throw new Error(`the nodes do not answer ${routes[i]} alike`);
        }
        sizes.push(Buffer.byteLength(answers[0]));
    }
    return sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
}

async function measureThree(context) {
    const nodes = await startNodes(context);
    const [first, second] = nodes;
    const results = [];
    for (const kind of KINDS) {
        const routes = kind.routes(context.rows);
        const script = scriptFor(pathsFile(context.folder, kind.name.replaceAll(' ', '-'), routes));
        await fill(context, second, script, 'second', routes.length);
        await fill(context, first, script, 'first', routes.length);
        const mean = await bytesOf(nodes, routes);
        for (const connections of CLIENTS) {
            const figures = await inRounds(context.rounds, nodes, (node) => measureNode(context, node, script, connections));
            results.push({ kind, routes: routes.length, mean, connections, nodes, figures });
        }
    }
    for (const node of nodes) {
        await stopNode(node);
    }
    return results;
}

function print(results) {
    for (const { kind, routes, mean, connections, nodes, figures } of results) {
        const miss = figures.get(nodes.at(-1));
        const clients = connections === 1 ? '1 client' : `${connections} clients`;
        console.log(`\nGET ${kind.name}, ${routes} different ones in turn, ${mean.toFixed(0)} bytes on average, ${clients}:`);
        printTable(
            ['', 'requests/s', 'of a miss', 'p50 ms', 'p99 ms', 'of a miss', 'CPU µs', 'so counted'],
            nodes.map((node) => [node.name, ...cellsOf(figures.get(node), miss)]),
        );
    }
    console.log('"of a miss": of its requests/s, and of its p50. CPU: of the node alone. "so counted": of the requests were answered by that');
    console.log('level, by the counters of the node, in the worst round.');
}

function resultsOf(results) {
    return results.flatMap(({ kind, connections, nodes, figures }) =>
        nodes.flatMap((node) => entriesOf(`${kind.name}, ${connections} clients, ${node.name}`, figures.get(node))));
}

module.exports = { measure: measureThree, print, resultsOf };
