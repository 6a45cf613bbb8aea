/** The command line and the environment of script/verify; what is wrong with them is a Usage. */
'use strict';

const fs = require('node:fs');

const { CHECKS } = require('./checks');

class Usage extends Error {}

const TIMEOUT_MAX_S = 600;

function url(name, text) {
    let found;
    try {
        found = new URL(text);
    } catch {
        found = undefined;
    }
    if (!found || !['http:', 'https:'].includes(found.protocol) || found.search || found.hash) {
        throw new Usage(`${name}: is "${text}"; it must be a URL that begins with http:// or https://`);
    }
    return found.href.replace(/\/+$/, '');
}

function seconds(name, text) {
    const value = Number(text);
    if (!(value > 0 && value <= TIMEOUT_MAX_S)) {
        throw new Usage(`${name}: is "${text}"; allowed: seconds, up to ${TIMEOUT_MAX_S}`);
    }
    return value * 1000;
}

function only(name, text) {
    const starts = text.split(',');
    const stray = starts.find((start) => start === '' || !CHECKS.some((check) => check.name.startsWith(start)));
    if (stray !== undefined) {
        throw new Usage(`${name}: no check begins with "${stray}"; --list shows all`);
    }
    return starts;
}

const text = (name, value) => value;

/** That it cannot be written must not be learnt at the end. */
function file(name, value) {
    try {
        fs.closeSync(fs.openSync(value, 'a'));
    } catch (error) {
        throw new Usage(`${name}: ${value} cannot be written (${error.code})`);
    }
    return value;
}

/** `many`: may be given more than once. Without `read` it takes no value. */
const OPTIONS = {
    '--ops': { member: 'ops', read: url, many: true },
    '--redis-stop': { member: 'redisStop', read: text },
    '--redis-start': { member: 'redisStart', read: text },
    '--prometheus': { member: 'prometheus', read: url },
    '--alertmanager': { member: 'alertmanager', read: url },
    '--grafana': { member: 'grafana', read: url },
    '--insecure': { member: 'insecure' },
    '--timeout': { member: 'timeoutMs', read: seconds },
    '--only': { member: 'only', read: only },
    '--json': { member: 'json', read: file },
    '--list': { member: 'list' },
};

function grafanaSignIn({ GRAFANA_TOKEN: token, GRAFANA_USER: user = 'admin', GRAFANA_PASSWORD: password }) {
    if (token) {
        return `Bearer ${token}`;
    }
    return password ? `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` : undefined;
}

function readOptions(args, env) {
    const options = { ops: [], insecure: false, timeoutMs: 10000 };
    const left = [...args];
    while (left.length > 0) {
        const argument = left.shift();
        const option = OPTIONS[argument];
        if (!argument.startsWith('-')) {
            if (options.url !== undefined) {
                throw new Usage(`"${argument}": there is a URL already, ${options.url}`);
            }
            options.url = url('URL', argument).replace(/\/api\/v1$/, '');
            if (new URL(options.url).username) {
                throw new Usage('URL: holds a name, and others can see arguments; who signs in comes from the environment');
            }
        } else if (!option) {
            throw new Usage(`there is no option ${argument}; script/verify --help shows all`);
        } else if (!option.read) {
            options[option.member] = true;
        } else if (left.length === 0 || left[0] === '') {
            throw new Usage(`${argument} wants a value`);
        } else {
            const value = option.read(argument, left.shift());
            options[option.member] = option.many ? [...options[option.member], value] : value;
        }
    }
    return options.list ? options : complete(options, env);
}

function complete(options, env) {
    if (options.url === undefined) {
        throw new Usage('which OpenRisk? script/verify URL');
    }
    if ((options.redisStop === undefined) !== (options.redisStart === undefined)) {
        throw new Usage('--redis-stop and --redis-start: both or none, for what is stopped must be started again');
    }
    const { OPENRISK_EMAIL: email, OPENRISK_PASSWORD: password, OPENRISK_TOKEN: token, OPENRISK_OPS_TOKEN: opsToken } = env;
    if (!token && !(email && password)) {
        throw new Usage('who signs in? Set OPENRISK_EMAIL and OPENRISK_PASSWORD, or OPENRISK_TOKEN, in the environment');
    }
    return { ...options, email, password: token ? undefined : password, token, opsToken, grafanaSignIn: grafanaSignIn(env) };
}

module.exports = { Usage, readOptions };
