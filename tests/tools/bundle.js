/** The web interface as the build has made it, beside the program that it is in. */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { binary } = require('../http/lib');

const FOLDER = path.join(path.dirname(binary()), 'ui-dist');

function filesBelow(folder) {
    return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
        const file = path.join(folder, entry.name);
        return entry.isDirectory() ? filesBelow(file) : [file];
    });
}

/** [{path, bytes}]: all that is in the program, by the paths of the table. */
function bundledFiles() {
    assert.ok(fs.existsSync(FOLDER), `no ${FOLDER}: run script/ui and script/build`);
    return filesBelow(FOLDER)
        .map((file) => ({ path: `/${path.relative(FOLDER, file)}`, bytes: fs.readFileSync(file) }))
        .filter((file) => file.path !== '/pages');
}

/** The patterns of all pages: "/risks/:id". */
function bundledPages() {
    return fs.readFileSync(path.join(FOLDER, 'pages'), 'utf8').split('\n').filter((line) => line !== '');
}

module.exports = { bundledFiles, bundledPages };
