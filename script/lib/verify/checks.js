/** All checks, in their order: the one table that is run, listed, and printed for docs/staging-checklist.md. */
'use strict';

const access = require('./checks_access');
const cache = require('./checks_cache');
const { NEEDS } = require('./check');
const monitoring = require('./checks_monitoring');
const parts = require('./checks_parts');

const CHECKS = [...parts.health, ...access.signIn, ...cache.checks, ...access.checks, ...parts.checks, ...monitoring];

function markdown() {
    const rows = CHECKS.map(({ name, needs, about }) => `| \`${name}\` | ${about} | ${needs.map((need) => NEEDS[need].text.replace(/(--[a-z-]+|[A-Z]+_[A-Z_]+)/g, '`$1`')).join(', ')} |`);
    return ['| check | passes if | needs |', '|---|---|---|', ...rows].join('\n');
}

module.exports = { CHECKS, markdown };
