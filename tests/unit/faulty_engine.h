/**
 * An engine around another one, whose faults a test controls: the n-th call fails, the database is
 * down, connections break, opening takes until it is let go on. It counts what is open.
 *
 *     struct faulty faulty; struct database *database;
 *     faulty_init(&faulty, &sqlite_engine); faulty_database(&faulty, url, &database);
 *     … faulty_fail_after(&faulty, 3) …
 *     database_free(database); faulty_release(&faulty);
 *
 * Thread-safe after faulty_database().
 */
#ifndef OPENRISK_TESTS_FAULTY_ENGINE_H
#define OPENRISK_TESTS_FAULTY_ENGINE_H

#include <pthread.h>
#include <stdbool.h>

#include "store/engine.h"

struct faulty {
    const struct db_engine *inner;
    struct db_engine engine;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    unsigned open, most_open, opens, looks, pings;
    long calls, fails_at; /* of calls that can fail; 0: none does */
    bool is_down;         /* nothing opens */
    bool is_held;         /* opening waits */
    unsigned opening;
    unsigned limit;  /* no more are opened: "too many connections"; 0: no limit */
    uint64_t breaks; /* connections opened before the last break are broken */
};

void faulty_init(struct faulty *faulty, const struct db_engine *inner);
void faulty_release(struct faulty *faulty);
/** A database of the inner engine's `url`. */
void faulty_database(struct faulty *faulty, const char *url, struct database **ret_database);

/** The n-th call from now fails, and breaks its connection; 0: none. Returns calls until now. */
long faulty_fail_at(struct faulty *faulty, long n);
/** Opening fails, and with `breaks` all connections are lost, too. */
void faulty_set_down(struct faulty *faulty, bool is_down, bool breaks);
/** All connections are lost, as by a restart. */
void faulty_break_all(struct faulty *faulty);
void faulty_set_limit(struct faulty *faulty, unsigned limit);
void faulty_hold_opening(struct faulty *faulty, bool is_held);
/** Wait until so many are being opened (while they are held). */
void faulty_wait_opening(struct faulty *faulty, unsigned count);

struct faulty_counts {
    unsigned open, most_open, opens, looks, pings;
};
struct faulty_counts faulty_counts(struct faulty *faulty);

#endif
