/**
 * One connection to Redis, on a thread of its own: questions that are answered soon or not at all,
 * and writes that nobody waits for.
 *
 * Redis may be away, slow, full or wrong, and nobody who asks is held up by that: a question that
 * is not answered within `limit_ms` has failed, and after some failures in a row nothing is asked
 * any more until a probe, behind the circuit breaker (cache/breaker.h), has found that it answers
 * again. The connection is opened by the thread and opened again when it is lost; that it cannot be
 * opened at the start is nothing special. Until it is open for the first time, nothing is asked.
 *
 * Keys and values are opaque here. What comes from Redis is not to be trusted: the owner checks it
 * (cache/second.h).
 *
 * All functions are thread-safe and never wait, but redis_end() and redis_stop(). Callbacks come on
 * the thread of this connection and never under a lock; they may ask and write again, but not stop
 * it.
 */
#ifndef OPENRISK_CACHE_REDIS_H
#define OPENRISK_CACHE_REDIS_H

#include "base/buf.h"
#include "base/status.h"
#include "cache/breaker.h"

struct redis;

struct redis_address {
    const char *host;
    int port;
    const char *user;     /* or NULL: the default user */
    const char *password; /* or NULL: neither it nor the user is sent */
    int database;
};

struct redis_settings {
    struct redis_address address; /* texts are copied */
    unsigned limit_ms;            /* from a question to its answer; also of the probe */
    unsigned connect_limit_ms;    /* for opening the connection and being let in */
    unsigned reads_max;           /* questions under way, and given up but not answered yet; more
                                     are refused */
    unsigned writes_max;          /* writes that wait or are under way; more are dropped … */
    size_t writes_max_bytes;      /* … and so is what goes beyond this */
    size_t value_max_bytes;       /* an answer that is longer is a fault of the other side */
    unsigned memory_each_ms;      /* Redis is asked for its memory so often; 0: never */
    struct breaker_settings breaker;
};

/** As the program uses them, but for the address. */
struct redis_settings redis_usual(void);

/** Starts the thread. Fails only if there can be none. */
enum status redis_start(const struct redis_settings *settings, struct redis **ret_redis,
                        struct err *err) MUST_CHECK;
/**
 * Ends what is under way: questions have failed, writes are done, and from now on nothing is taken.
 * Others may still call. May wait while a name is looked up. Again is nothing; NULL allowed.
 */
void redis_end(struct redis *redis);
/** The same, and gone: no other call may be under way. NULL allowed. */
void redis_stop(struct redis *redis);

/** The commands that are measured (METRIC_COMMAND_SECONDS). */
enum redis_command { REDIS_GET, REDIS_SET };
extern const char *const redis_command_names[]; /* NULL-terminated */

enum redis_result { REDIS_FOUND, REDIS_ABSENT, REDIS_FAILED };

/** Embedded by who asks; theirs again once `answered` is called. */
struct redis_read {
    const char *key; /* borrowed until then */
    size_t key_length;
    /** Once. `value` (with REDIS_FOUND) is borrowed until it returns. */
    void (*answered)(struct redis_read *read, enum redis_result result, const char *value,
                     size_t length);
    int64_t deadline_ms;     /* its own … */
    struct redis_read *next; /* … and this */
};
/** False if it is not asked, and `answered` is not called: the breaker is not closed, or too many
 * ask. */
bool redis_get(struct redis *redis, struct redis_read *read);

/** Embedded by who writes; theirs again once `done` is called. */
struct redis_write {
    size_t bytes; /* about what it is going to take */
    /**
     * Make the key and the value, both empty at first. For so many ms Redis keeps it; 0: it is not
     * worth writing any more.
     */
    int64_t (*pack)(struct redis_write *write, struct buf *key, struct buf *value);
    void (*done)(struct redis_write *write); /* once, whether it was written or not */
    struct redis_write *next;                /* its own */
};
/** False if it is dropped: not closed, or no room. `done` is not called then. */
bool redis_set(struct redis *redis, struct redis_write *write);

struct redis_statistics {
    enum breaker_state state; /* closed: it is asked; half open until it has answered at first */
    int64_t since_ms;         /* monotonic: since when */
    char trouble[128]; /* the last failure, in plain ASCII; "" if there was none since it closed */
    uint64_t gets;     /* questions that were asked … */
    uint64_t found, absent; /* … and answered */
    uint64_t get_errors;    /* … or failed: an error, the connection lost … */
    uint64_t get_timeouts;  /* … or no answer in time */
    uint64_t refused;       /* not asked, as the breaker is not closed or too many ask */
    uint64_t sets;          /* written */
    uint64_t set_errors;    /* refused by Redis (full, read-only …), or the connection was lost */
    uint64_t dropped; /* writes for which there was no room; not those while it is not closed */
    uint64_t connects, connect_errors; /* with being let in and the probe */
    uint64_t opened;                   /* how often the breaker opened */
    unsigned reading, writing;         /* now */
    size_t writing_bytes;
    int64_t used_bytes, max_bytes; /* of Redis's memory; −1: it is not known */
};
void redis_statistics(struct redis *redis, struct redis_statistics *ret_statistics);

#endif
