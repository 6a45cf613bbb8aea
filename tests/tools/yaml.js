/**
 * Reads the YAML of deploy/: as much of the language as those files need, and what it does not know is an error, not a guess.
 *
 *   parseYaml('services:\n  redis: {image: "redis:7"}\n');   // { services: { redis: { image: 'redis:7' } } }
 *
 * Known: mappings and sequences by indentation, sequences and mappings in brackets on one line, plain and quoted strings,
 * blocks (| and >, with - or +), comments, empty values (null). Every scalar is a string, as it stands there: `"3"`, `3` and
 * `true` are '3', '3' and 'true'. Not known: anchors, tags, several documents, brackets over several lines, tabs.
 */
'use strict';

class Reader {
    constructor(text) {
        this.lines = text.split('\n');
        this.at = 0;
    }

    fail(what) {
        throw new Error(`line ${this.at + 1}: ${what}: ${this.lines[this.at]}`);
    }

    /** The indentation of the next line that says something; -1 at the end. */
    next() {
        while (this.at < this.lines.length && /^\s*(#.*)?$/.test(this.lines[this.at])) {
            this.at++;
        }
        if (this.at === this.lines.length) {
            return -1;
        }
        const [, indent] = /^( *)\S/.exec(this.lines[this.at]) || this.fail('a tab');
        return indent.length;
    }

    /** The text of the current line from column `from` on. */
    rest(from) {
        return this.lines[this.at].slice(from);
    }

    /** What begins at the next line, if that is indented by `indent` or more. */
    node(indent) {
        const found = this.next();
        if (found < indent) {
            return null;
        }
        return this.rest(found).startsWith('- ') || this.rest(found) === '-' ? this.sequence(found) : this.mapping(found);
    }

    sequence(indent) {
        const items = [];
        while (this.next() === indent && /^-( |$)/.test(this.rest(indent))) {
            const inner = this.rest(indent + 1);
            if (/^\s*(#.*)?$/.test(inner)) {
                this.at++;
                items.push(this.node(indent + 1));
            } else if (KEY.test(inner.trim())) {
                // A mapping that begins on the line of its dash: as if the dash were a space.
                this.lines[this.at] = `${' '.repeat(indent + 1)}${inner}`;
                items.push(this.mapping(this.next()));
            } else {
                items.push(this.value(inner.trim(), indent));
            }
        }
        return items;
    }

    mapping(indent) {
        const members = {};
        while (this.next() === indent) {
            const match = KEY.exec(this.rest(indent)) || this.fail('neither a key nor an item');
            const name = scalar(match[1]);
            if (name in members) {
                this.fail('a second value for the same key');
            }
            const text = (match[2] || '').trim();
            if (text === '' || text.startsWith('#')) {
                this.at++;
                // A sequence may stand at the indentation of its key.
                const deeper = this.next() === indent && /^-( |$)/.test(this.rest(indent)) ? indent : indent + 1;
                members[name] = this.node(deeper);
            } else {
                members[name] = this.value(text, indent);
            }
        }
        if (this.next() > indent) {
            this.fail('indented further than what it belongs to');
        }
        return members;
    }

    /** A value that begins on the current line; what it belongs to is indented by `indent`. */
    value(text, indent) {
        const block = /^([|>])([-+]?)$/.exec(text);
        if (block !== null) {
            this.at++;
            return this.block(block[1], block[2], indent);
        }
        const inline = new Inline(text, (what) => this.fail(what));
        const found = inline.value('');
        if (!/^\s*(#.*)?$/.test(inline.text)) {
            this.fail('more than one value');
        }
        this.at++;
        return found;
    }

    block(style, keep, indent) {
        const lines = [];
        while (this.at < this.lines.length && (this.lines[this.at].trim() === '' || /^ */.exec(this.lines[this.at])[0].length > indent)) {
            lines.push(this.lines[this.at++]);
        }
        const depth = Math.min(...lines.filter((line) => line.trim() !== '').map((line) => /^ */.exec(line)[0].length));
        const text = lines.map((line) => line.slice(depth)).join(style === '|' ? '\n' : ' ').trimEnd();
        return keep === '-' ? text : `${text}\n`;
    }
}

/** A key with its colon, and what follows. */
const KEY = /^("[^"]*"|'[^']*'|[\w./][\w./-]*):(?:\s+(.*))?$/;

/** Values within a line. */
class Inline {
    constructor(text, fail) {
        this.text = text;
        this.fail = fail;
    }

    /** Take what matches at the beginning. */
    take(pattern) {
        const match = pattern.exec(this.text);
        if (match !== null) {
            this.text = this.text.slice(match[0].length);
        }
        return match;
    }

    /** `ends`: the characters that end a plain string here, besides a comment. */
    value(ends) {
        if (/^[&*!|>%@`]/.test(this.text)) {
            this.fail('not known');
        }
        if (this.take(/^\[\s*/)) {
            const items = [];
            while (!this.take(/^\]\s*/)) {
                items.push(this.value(',]'));
                this.comma(']');
            }
            return items;
        }
        if (this.take(/^\{\s*/)) {
            const members = {};
            while (!this.take(/^\}\s*/)) {
                const [, name] = this.take(/^([\w.-]+):\s+/) || this.fail('no key');
                members[name] = this.value(',}');
                this.comma('}');
            }
            return members;
        }
        const quoted = this.take(/^"(?:[^"\\]|\\.)*"\s*|^'(?:[^']|'')*'\s*/);
        if (quoted !== null) {
            return scalar(quoted[0].trim());
        }
        const [plain] = this.take(ends === '' ? /^(?:[^#]|(?<=\S)#)*/ : new RegExp(`^[^#${ends.replace(']', '\\]')}]+`)) || this.fail('no value');
        return plain.trim();
    }

    comma(end) {
        if (!this.take(/^,\s*/) && !this.text.startsWith(end)) {
            this.fail('no end in this line');
        }
    }
}

function scalar(text) {
    if (text.startsWith('"')) {
        return JSON.parse(text);
    }
    return text.startsWith("'") ? text.slice(1, -1).replace(/''/g, "'") : text;
}

function parseYaml(text) {
    const reader = new Reader(text);
    const found = reader.node(0);
    if (reader.next() !== -1) {
        reader.fail('it belongs to nothing');
    }
    return found;
}

module.exports = { parseYaml };
