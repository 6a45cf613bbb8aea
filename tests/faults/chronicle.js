/**
 * What many clients of several nodes were shown, held against what they had written.
 *
 *   const chronicle = new Chronicle();
 *   const state = risk.write(fields);     // just before it is sent; `undefined` for a deletion
 *   risk.acknowledge(state);              // or refuse(), or doubt() if nobody can know
 *   chronicle.see({ began, ended, client, own, … });
 *   const found = chronicle.check({ limitMs: 1000 });
 *
 * One process has all clients, so all times are of one clock. No two writes of one thing are under way at
 * once, so the states of a thing have an order: a state was there from some time between its `began` and
 * its `ended`, until some time between those of the next one. It follows what a read that began at `b` and
 * ended at `e` may show:
 *
 *   - no state whose write began after `e`;
 *   - with a limit S, no state of which the next one was acknowledged before b − S: how long before, is how
 *     old the answer was;
 *   - to one who carries a token, no state older than their own last write.
 *
 * The same holds of a thing that a list does not show: then one of the states that may be shown is one
 * that the list would not have. And of a figure: it lies between how many things it must count and how
 * many it may. What one body shows must have been there at one time.
 *
 * A write that nobody can know of may have taken effect, or may yet; its thing is not written any more.
 */
'use strict';

const assert = require('node:assert');

const SHOWN_FAULTS = 8;

/** A risk or an asset, through all of its states; in the first it is not there yet. */
class Thing {
    constructor(chronicle, name) {
        this.chronicle = chronicle;
        this.name = name;
        this.states = [{ index: 0, began: -Infinity, ended: -Infinity, fields: undefined }]; // by their versions
        this.isBusy = false; // somebody is writing it
        this.isFrozen = false;
    }

    get last() {
        return this.states.at(-1);
    }

    write(fields) {
        assert.ok(!this.isBusy && !this.isFrozen, `${this.name} is being written`);
        this.isBusy = true;
        const state = { index: this.states.length, began: performance.now(), ended: Infinity, fields };
        this.states.push(state);
        return state;
    }

    acknowledge(state, ended = performance.now()) {
        state.ended = ended;
        this.isBusy = false;
        this.chronicle.writes++;
    }

    /** It has had no effect. */
    refuse() {
        this.states.pop();
        this.isBusy = false;
    }

    doubt() {
        this.isBusy = false;
        this.isFrozen = true;
        this.chronicle.doubts++;
    }

    /** The index of the last state that was acknowledged by then. */
    knownBy(time) {
        let [low, high] = [0, this.states.length - 1];
        while (low < high) {
            const middle = (low + high + 1) >> 1;
            [low, high] = this.states[middle].ended <= time ? [middle, high] : [low, middle - 1];
        }
        return low;
    }

    /** The index of the last state whose write had begun by then. */
    begunBy(time) {
        let index = this.states.length - 1;
        while (this.states[index].began > time) {
            index--;
        }
        return index;
    }

    /** How long before `began` was what follows the state acknowledged? Negative: it was not. */
    ageOf(index, began) {
        const next = this.states[index + 1];
        return next ? began - next.ended : -Infinity;
    }
}

class Chronicle {
    constructor() {
        this.things = [];
        this.readings = [];
        this.faults = [];
        this.operations = 0;
        this.writes = 0;
        this.doubts = 0;
    }

    thing(name) {
        const thing = new Thing(this, name);
        this.things.push(thing);
        return thing;
    }

    fault(text) {
        this.faults.push(text);
    }

    /**
     * A body was shown. `what`: for messages; `client`: who, if they carry a token; `own`: how much they had
     * written when they asked; `items`: [{thing, version, marker}], without version if that is not shown, and
     * with none of both if it is said that the thing is not there; `counts`: [{name, matches(fields), number}];
     * `lists(fields)`: if the items are all things of a kind, which kind; `isUnverified`: it may be old.
     */
    see(reading) {
        this.readings.push(reading);
    }

    /**
     * Hold everything against the limit: what is wrong is added to `faults`. Gives how many bodies there were,
     * how many of them were unverified, and how many went to somebody who had written; the ages of those that
     * were old, in their order; and how many figures were.
     */
    check({ limitMs }) {
        const found = { reads: 0, unverified: 0, ages: [], staleCounts: 0, ownChecked: 0 };
        const owned = new Map(); // client → {done, of: thing → index}
        for (const reading of this.readings) {
            const own = reading.client && this.ownOf(owned, reading);
            found.reads++;
            found.unverified += Number(reading.isUnverified);
            found.ownChecked += Number(own !== undefined && own.size > 0);
            this.checkItems(reading, limitMs, own, found);
            this.checkCounts(reading, limitMs, own, found);
        }
        found.ages.sort((a, b) => a - b);
        return found;
    }

    /** What who asks had written by then. */
    ownOf(owned, { client, own }) {
        if (!owned.has(client)) {
            owned.set(client, { done: 0, of: new Map() });
        }
        const known = owned.get(client);
        for (; known.done < own; known.done++) {
            const { thing, index } = client.written[known.done];
            known.of.set(thing, Math.max(index, known.of.get(thing) || 0));
        }
        return known.of;
    }

    /** Is the state `index` of a thing too old for this reading? Its age, if it may be shown. */
    checkState(reading, thing, index, limitMs, own, how) {
        const age = thing.ageOf(index, reading.began);
        const where = () => `${reading.what}: ${thing.name} ${how}, version ${index} of ${thing.last.index}`;
        if (age > limitMs && !reading.isUnverified) {
            this.fault(`${where()}: ${age.toFixed(1)} ms too late, and ${limitMs} are allowed`);
        }
        if (own && own.has(thing) && index < own.get(thing)) {
            this.fault(`${where()}: they had written version ${own.get(thing)} themselves`);
        }
        return age;
    }

    checkItems(reading, limitMs, own, found) {
        let [oldest, latestBegun, firstOver] = [-Infinity, -Infinity, Infinity];
        const shown = new Set();
        for (const { thing, version, marker } of reading.items || []) {
            shown.add(thing);
            const index = this.indexOf(reading, thing, version, marker);
            if (index === undefined) {
                continue;
            }
            oldest = Math.max(oldest, this.checkState(reading, thing, index, limitMs, own, 'is shown'));
            latestBegun = Math.max(latestBegun, thing.states[index].began);
            firstOver = Math.min(firstOver, index + 1 < thing.states.length ? thing.states[index + 1].ended : Infinity);
        }
        if (latestBegun > firstOver) {
            this.fault(`${reading.what}: shows what was never there at one time`);
        }
        if (reading.lists) {
            this.things.forEach((thing) => {
                if (!shown.has(thing)) {
                    oldest = Math.max(oldest, this.checkMissing(reading, thing, limitMs, own));
                }
            });
        }
        if (oldest > 0 && !reading.isUnverified) {
            found.ages.push(oldest);
        }
    }

    /** Which state is it that is shown? Where several look the same, the one that speaks for the server. */
    indexOf(reading, thing, version, marker) {
        const looks = ({ fields }) => (marker === undefined ? fields === undefined : fields !== undefined && fields.marker === marker);
        let index = version === undefined ? thing.begunBy(reading.ended) : version;
        while (version === undefined && index >= 0 && !looks(thing.states[index])) {
            index--;
        }
        const state = thing.states[index];
        if (!state || !looks(state)) {
            this.fault(`${reading.what}: ${thing.name} never was as it is shown: version ${version}, "${marker}"`);
            return undefined;
        }
        if (state.began > reading.ended) {
            this.fault(`${reading.what}: ${thing.name} is shown with version ${version} before anybody wrote it`);
        }
        return index;
    }

    /** A list does not show it: then it was not as all of the list are, in a state that may be shown. */
    checkMissing(reading, thing, limitMs, own) {
        let index = thing.begunBy(reading.ended);
        while (index >= 0 && thing.states[index].fields && reading.lists(thing.states[index].fields)) {
            index--;
        }
        if (index < 0) {
            this.fault(`${reading.what}: ${thing.name} is missing`);
            return -Infinity;
        }
        return this.checkState(reading, thing, index, limitMs, own, 'is not shown');
    }

    checkCounts(reading, limitMs, own, found) {
        for (const { name, matches, number } of reading.counts || []) {
            const [least, most] = this.bounds(reading, matches, reading.isUnverified ? Infinity : limitMs, own);
            if (number < least || number > most) {
                this.fault(`${reading.what}: ${name} is ${number}, and must be from ${least} to ${most}`);
            }
            const [now, orNow] = this.bounds(reading, matches, 0, own);
            found.staleCounts += Number(number < now || number > orNow);
        }
    }

    /** How many things must, and may, a figure count? */
    bounds(reading, matches, limitMs, own) {
        let [least, most] = [0, 0];
        for (const thing of this.things) {
            const first = Math.max(thing.knownBy(reading.began - limitMs), (own && own.get(thing)) || 0);
            const all = thing.states.slice(first, thing.begunBy(reading.ended) + 1).map(({ fields }) => Boolean(fields && matches(fields)));
            least += Number(all.every(Boolean));
            most += Number(all.some(Boolean));
        }
        return [least, most];
    }

    assertSound() {
        assert.strictEqual(this.faults.length, 0, `${this.faults.length} faults:\n${this.faults.slice(0, SHOWN_FAULTS).join('\n')}`);
    }
}

module.exports = { Chronicle };
