/** What is wrong with the question, or stands in the way of an answer: one line for the operator, and the end. */
'use strict';

class Problem extends Error {}

module.exports = { Problem };
