/**
 * An answer to a question: what a cache keeps.
 *
 * It has the body once as it is and, if that is worth it, once compressed, and for each a reply
 * that is built already, with all its headers: a hit is that reply and costs no copy, whatever its
 * size. Counted and immutable; made by a worker, given away by anyone. Thread-safe.
 */
#ifndef OPENRISK_API_ANSWER_H
#define OPENRISK_API_ANSWER_H

#include "cache/cache.h"
#include "http/http.h"

struct answer;

/**
 * 200 or 404. `version`: of the thing that is shown, for its ETag; 0 if it has none. `compress`:
 * make the compressed form too, if the body is large enough. Takes copies.
 */
struct answer *answer_new(int http_status, const char *body, size_t length, int64_t version,
                          bool compress);
struct answer *answer_of(struct cache_value *value);
struct cache_value *answer_value(struct answer *answer);
void answer_unref(struct answer *answer); /* NULL allowed */

/** To and from bytes, for a second level (cache/second.h). */
extern const struct second_codec answer_codec;

/**
 * How the cache took part, as Cache-Status and X-Cache tell it. Unverified: while the database was
 * away.
 */
enum answer_way {
    WAY_NONE, /* not at all */
    WAY_HIT,
    WAY_SECOND, /* of the second level */
    WAY_UNVERIFIED,
    WAY_STORED,
    WAY_COLLAPSED,
    WAY_MISS,
    WAY_BYPASS
};

/**
 * Reply with it: with `send` http_reply or http_reply_later; hits are shared where they can be.
 * Chooses the form by Accept-Encoding, and 304 by If-None-Match. `answer` must live until `done`.
 */
void answer_reply(struct http_request *request, struct answer *answer, enum answer_way way,
                  void (*send)(struct http_request *, const struct http_reply *));

#endif
