/**
 * The second level: values that the nodes share in Redis, so that what one has loaded the others
 * need not load, and one that was started again begins warm.
 *
 * A value is stored under the generations that it shows:
 *
 *     {space}:{scopes}.{generation}.{generation}…:{keyed hash of its key}
 *
 * Whoever looks for it knows K and asks for exactly that. So nothing is ever deleted or overwritten
 * there: a write makes the old names unreachable, and Redis may lose what it had, come back with a
 * snapshot of last week, or be empty, and nothing outdated is found. What nobody asks for any more
 * goes by its time (PX), or by Redis's own eviction.
 *
 * Nor is anything believed. A value carries its full key, its lengths and a seal over all of that
 * and the name it is stored under (`hash`, with a secret of the register). What is damaged, cut
 * off, made by somebody else, or moved here from another name is refused and counted, and then it
 * is a miss.
 *
 *     bytes   0  4  8              16         20         24
 *             │OR│v1│ expires (ms) │key length│ length   │ key │ value │ seal (32)
 *
 * Numbers are little-endian. `expires` (wall clock) bounds what a clock or Redis gets wrong about
 * PX.
 *
 * Thread-safe; nothing waits. Callbacks come on the thread of `redis`.
 */
#ifndef OPENRISK_CACHE_SECOND_H
#define OPENRISK_CACHE_SECOND_H

#include "base/buf.h"
#include "base/clock.h"
#include "cache/memory.h"
#include "cache/redis.h"

struct second_level;

enum { SECOND_HASH_BYTES = 32, SECOND_SPACE_MAX = 128 };

/** What is kept there, in bytes that mean the same to every node. */
struct second_codec {
    /** Append the bytes to `out`. */
    void (*pack)(const struct cache_value *value, struct buf *out);
    /** A new value from bytes that pack() made, with one reference; NULL if they are not such. */
    struct cache_value *(*unpack)(const char *bytes, size_t length);
};

struct second_settings {
    struct redis *redis;
    /**
     * Who may read whose values: the program's build and the database's epoch. At most
     * SECOND_SPACE_MAX characters; copied.
     */
    const char *space;
    /** A keyed hash of two texts, the same on every node; which nobody without the secret can make.
     */
    void (*hash)(const void *context, const void *first, size_t first_length, const void *second,
                 size_t second_length, uint8_t ret_hash[SECOND_HASH_BYTES]);
    const void *hash_context;
    struct second_codec codec;
    const struct clock *clock;
    size_t value_max_bytes; /* larger ones are not stored */
};

/** All is borrowed but `space`. */
struct second_level *second_new(const struct second_settings *settings);
/** After redis_stop(). NULL allowed. */
void second_free(struct second_level *second);

enum { SECOND_NAME_MAX = SECOND_SPACE_MAX + 20 * (CACHE_SCOPES_MAX + 1) + 2 * SECOND_HASH_BYTES };

/** Embedded by who asks; theirs again once `answered` is called. Zeroed but for that. */
struct second_question {
    /**
     * Once. A value (the callee's reference) and for how many ms from now it may be kept; or NULL:
     * it is not there, or not to be had.
     */
    void (*answered)(struct second_question *question, struct cache_value *value, int64_t ttl_ms);
    struct redis_read read; /* its own, and the rest */
    struct second_level *second;
    struct cache_key key;
    char name[SECOND_NAME_MAX];
};
/**
 * Is there a value that shows this vector in these scopes? False, and `answered` is not called, if
 * Redis is not asked now. `key` is borrowed until the answer.
 */
bool second_ask(struct second_level *second, const struct cache_key *key, unsigned scopes,
                const struct cache_vector *vector, struct second_question *question) MUST_CHECK;

/** Store it, some time soon, if there is room in the line for that. */
void second_put(struct second_level *second, const struct cache_key *key,
                const struct cache_terms *terms, const struct cache_vector *vector,
                struct cache_value *value);

struct second_statistics {
    uint64_t hits, misses;
    uint64_t refused; /* of the misses: something was there that was not to be believed … */
    uint64_t expired; /* … or that was too old, whatever Redis says */
    uint64_t too_large;
    struct redis_statistics redis;
};
void second_statistics(struct second_level *second, struct second_statistics *ret_statistics);

#endif
