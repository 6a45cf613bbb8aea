/**
 * A little of everything that a server is asked, so that every metric has something to count: reading, writing, signing in,
 * mistakes. It goes on, whatever comes back, until it is stopped.
 *
 *   const load = await startLoad(server);
 *   await load.stop();
 */
'use strict';

const { ADMIN } = require('../http/lib');

const READERS = 3;
const READS = ['/risks', '/risks?limit=5&page=2', '/risks?level=HIGH', '/stats', '/stats/risk-matrix', '/stats/trends', '/assets', '/mitigations', '/users', '/pool', '/health'];
/** [how long until the next one, what is done]; each by a client of its own, one after the other. */
const DOINGS = [
    ...Array.from({ length: READERS }, () => [5, async (admin, turn) => admin.get(turn % 5 === 0 ? `/risks?limit=${1 + (turn % 100)}` : READS[turn % READS.length])]),
    [50, async (admin) => {
        const { json } = await admin.post('/risks', { title: 'A risk', impact: 3, probability: 2 });
        await admin.patch(`/risks/${json.id}`, { impact: 5 });
        await admin.get(`/risks/${json.id}`);
        await admin.delete(`/risks/${json.id}`);
    }],
    [100, async (admin, turn, server) => {
        await admin.get('/nowhere');
        await admin.post('/risks', { title: '' });
        await admin.get('/risks/R-999999');
        await admin.request('GET', '/risks', undefined, { Authorization: 'Bearer nonsense' });
        await server.raw('nonsense\r\n\r\n');
    }],
    [200, async (admin, turn, server) => {
        const reply = await admin.request('POST', '/auth/login', { ...ADMIN, password: turn % 4 === 0 ? 'not their password' : ADMIN.password }, { Authorization: '' });
        if (reply.status === 200) {
            const client = server.client(reply.json.token);
            await client.get('/risks');
            await client.post('/auth/logout');
            client.close();
        }
    }],
];

async function startLoad(server) {
    const token = (await server.signIn()).token;
    let isOver = false;
    const work = DOINGS.map(async ([pauseMs, doing]) => {
        const client = server.client(token);
        for (let turn = 0; !isOver; turn++) {
            await doing(client, turn, server).catch(() => {}); // It may be refused, or not be what was expected: that is told by the metrics.
            await new Promise((resolve) => setTimeout(resolve, pauseMs));
        }
    });
    return {
        async stop() {
            isOver = true;
            await Promise.all(work);
        },
    };
}

module.exports = { startLoad };
