/**
 * Lines on their way from the threads that log to the one that writes: a ring per thread. Part of
 * base/log.h.
 *
 * A ring has one producer, the thread that has taken it, and one consumer, the writer. A thread
 * takes one when it logs for the first time, of those that have been given back if there is one;
 * it is given back when the thread ends, with whatever the writer has not read yet. Rings are never
 * freed, so there are as many as threads have ever logged at the same time.
 *
 * Why no lock is needed:
 *   `written` is changed by the producer only, `read` by the consumer only; both count bytes and
 *   only rise. The bytes between them belong to the consumer, the others to the producer; each side
 *   gives bytes away by a store that releases and sees them by a load that acquires.
 *   `is_taken` hands the producer's side over: who gives back releases, who takes acquires.
 *   The list is only pushed to.
 */
#ifndef OPENRISK_BASE_LOG_RING_H
#define OPENRISK_BASE_LOG_RING_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOG_RING_BYTES = 32 << 10,
    LOG_RING_LOOK_BYTES = LOG_RING_BYTES / 4, /* from here on the producer looks what is read */
    LOG_RING_UNIT_BYTES = 16,
    LOG_RING_CACHE_LINE_BYTES = 64,
};

struct log_ring {
    /* The producer's … */
    alignas(LOG_RING_CACHE_LINE_BYTES) _Atomic uint64_t written;
    uint64_t read_before;     /* `read` as of the last look at it */
    _Atomic uint64_t dropped; /* lines for which there was no room; anyone may read it */
    /* … the consumer's … */
    alignas(LOG_RING_CACHE_LINE_BYTES) _Atomic uint64_t read;
    uint64_t until;               /* `written` as of this pass over the rings */
    struct log_ring *next_unread; /* those of this pass */
    /* … and everybody's. */
    alignas(LOG_RING_CACHE_LINE_BYTES) atomic_bool is_taken;
    struct log_ring *next; /* constant */
    alignas(LOG_RING_UNIT_BYTES) unsigned char bytes[LOG_RING_BYTES];
};

/** This thread's; NULL if there is no memory for one. */
struct log_ring *log_ring_mine(void);
/** The newest; the others are its `next`. Thread-safe. */
struct log_ring *log_ring_all(void);

/**
 * Producer: add a line, or count it as dropped: then false. `ret_used`: how many bytes wait there
 * now; below LOG_RING_LOOK_BYTES it may be fewer.
 */
bool log_ring_put(struct log_ring *ring, int64_t time_us, const char *line, size_t length,
                  size_t *ret_used);

/* Consumer. */

/** A pass begins: is there a line? What is put from now on belongs to the next one. */
bool log_ring_begin(struct log_ring *ring);
/** Has the pass still lines to take here? */
bool log_ring_is_unread(const struct log_ring *ring);
/** Of a ring that is unread: the time of the first line. */
int64_t log_ring_time(struct log_ring *ring);
/** Likewise: copies that line and gives its place to the producer. Returns its length. */
size_t log_ring_take(struct log_ring *ring, char *ret_line);

#endif
