/**
 * Answers as the test client reads them: strictly.
 *
 * What a tolerant client would forgive is a fault here: a head without a length, a header twice,
 * chunks, the announcement that the connection ends. Nothing is compressed, as nobody asks for it.
 */
#ifndef OPENRISK_TESTS_CLIENT_ANSWER_H
#define OPENRISK_TESTS_CLIENT_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "base/status.h"

/** Headers are "" where the answer has none. */
struct answer {
    int status;
    char etag[80], x_cache[16], cache_status[128], retry_after[16];
    char content_length[24], transfer_encoding[24], connection[24]; /* for the reader itself */
    const char *body;
    size_t length; /* of the body */
};

/**
 * Read a head that ends with its empty line, and set all but `body` in a zeroed answer. `head` is
 * changed. MALFORMED if anything is not as it should be.
 */
enum status answer_read_head(struct answer *answer, char *head, size_t length,
                             struct err *err) MUST_CHECK;

/** A risk or a mitigation in a body. */
struct thing {
    char id[ID_SIZE];
    int64_t ref, version; /* 0 for one that says none */
};

/** How deep the things lie: an answer about one thing, and the items of a list. */
enum { DEPTH_ONE = 1, DEPTH_ITEMS = 3 };

/**
 * The things of a JSON body that lie `depth` deep, at most `capacity`; what they contain is passed
 * over. MALFORMED if the body is cut or not JSON, as far as this can be seen in passing, or holds
 * more things.
 */
enum status answer_read_things(const struct answer *answer, int depth, struct thing *things,
                               size_t capacity, size_t *ret_count, struct err *err) MUST_CHECK;

#endif
