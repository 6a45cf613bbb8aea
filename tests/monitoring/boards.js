/** Grafana's dashboards as they are shipped: their panels, and what these ask Prometheus. */
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const FOLDER = path.resolve(__dirname, '../../deploy/monitoring/grafana/dashboards');
const FILES = fs.readdirSync(FOLDER).filter((name) => name.endsWith('.json')).sort();

/** [{file, text, board}] */
const boards = FILES.map((file) => {
    const text = fs.readFileSync(path.join(FOLDER, file), 'utf8');
    return { file, text, board: JSON.parse(text) };
});

/** Those that show something, without the rows that they are in. */
function panelsOf(board) {
    return board.panels.flatMap((panel) => [panel, ...(panel.panels || [])]).filter((panel) => panel.type !== 'row');
}

/** [{where, expr, legend}]: every query of every panel; `legend` is how its lines are named. */
function queriesOf(board) {
    return panelsOf(board).flatMap((panel) => panel.targets.map(({ refId, expr, legendFormat }) => {
        return { where: `${board.title} / ${panel.title} / ${refId}`, expr, legend: legendFormat };
    }));
}

/** The names of variables in an expression, Grafana's own ($__rate_interval) too. */
function variablesIn(expr) {
    return [...expr.matchAll(/\$\{?(\w+)/g)].map(([, name]) => name);
}

/** An expression as Grafana sends it, with these values of variables. */
function substituted(expr, values) {
    return expr.replace(/\$\{?(\w+)\}?/g, (whole, name) => (name in values ? values[name] : whole));
}

/** The metrics of OpenRisk that an expression names: {scraped: […], recorded: […]}. */
function metricsIn(expr) {
    const bare = expr.replace(/"(?:[^"\\]|\\.)*"/g, '""');
    const recorded = [...bare.matchAll(/\b[a-z]+:[a-z0-9_:]+/g)].map(([name]) => name);
    const scraped = [...bare.replace(/\b[a-z]+:[a-z0-9_:]+/g, '').matchAll(/\b(?:openrisk|process)_[a-z0-9_]+/g)].map(([name]) => name);
    return { scraped, recorded };
}

module.exports = { boards, metricsIn, panelsOf, queriesOf, substituted, variablesIn };
