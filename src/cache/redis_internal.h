/**
 * What the two halves of the connection to Redis share: redis.c, which all call, and
 * redis_thread.c, which is alone with the connection. The essay at the head of redis.c explains
 * both.
 */
#ifndef OPENRISK_CACHE_REDIS_INTERNAL_H
#define OPENRISK_CACHE_REDIS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "cache/redis.h"
#include "cache/redis_wire.h"

enum phase { AWAY, CONNECTING, GREETING, PROBING, READY };

struct redis {
    struct redis_settings settings; /* its texts are ours; never changed */
    pthread_t thread;
    int bell; /* an eventfd */
    atomic_bool takes;
    atomic_uint_fast64_t refused;

    pthread_mutex_t lock;
    bool stopping, woken;
    struct redis_read *reads, **reads_end;
    struct redis_write *writes, **writes_end;
    unsigned late;
    struct redis_statistics statistics;

    struct wire wire;
    struct breaker breaker;
    enum phase phase;
    int64_t due_ms;        /* CONNECTING, GREETING, PROBING: must have come further by then */
    int64_t ready_ms;      /* READY: since when */
    int64_t memory_due_ms; /* READY: when Redis is asked for its memory; INT64_MAX: never */
    int64_t stalled_ms;    /* when a read that was given up was counted last */
    bool is_told_open;     /* the log knows */
    size_t wire_bytes;     /* of writes on the wire */
    bool has_more;         /* writes could be sent at once, but the turn was over */
    struct buf key, value; /* for packing */
};

/** The thread: until `stopping`. Then everything is answered, and `takes` is false. */
void *redis_thread_run(void *redis);

#endif
