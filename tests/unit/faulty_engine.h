/**
 * An engine around another one, whose faults a test controls: the n-th call fails, the database is
 * down, connections break, opening takes until it is let go on, a row changes on its way. It counts
 * what is open. In all else it is the other engine, and so are its connections and statements.
 *
 *     database_new_of(faulty_engine(&sqlite_engine), url, &database, &err);
 *     … faulty_fail_at(3) … the third call from now on fails … faulty_fail_at(0) …
 *     database_free(database);
 *
 * One at a time in a program, as an engine has no context. Thread-safe after faulty_engine().
 */
#ifndef OPENRISK_TESTS_FAULTY_ENGINE_H
#define OPENRISK_TESTS_FAULTY_ENGINE_H

#include <stdbool.h>

#include "store/engine.h"

/** Sound: what was asked of the one before is forgotten. Its databases must have been freed. */
const struct db_engine *faulty_engine(const struct db_engine *inner);

/* What becomes of the call whose turn it is */
enum faulty_way {
    FAULTY_LOSES,   /* UNAVAILABLE, and so are all later ones of its connection; so at first */
    FAULTY_REFUSES, /* BUSY, and its connection stays sound; not for opening and rolling back */
    FAULTY_CUTS,    /* `cut` is called, and then the other engine makes the call; not for opening */
};
typedef void faulty_cut(struct engine_conn *conn);
void faulty_set_way(enum faulty_way way, faulty_cut *cut);

/** The n-th call from now is in turn; 0: none. Returns calls until now, of those that can fail. */
long faulty_fail_at(long n);
/** Opening fails, and with `breaks` all connections are lost, too. */
void faulty_set_down(bool is_down, bool breaks);
/** All connections are lost, as by a restart. */
void faulty_break_all(void);
/** No more are opened: "too many connections"; 0: no limit. */
void faulty_set_limit(unsigned limit);
/** Opening waits. */
void faulty_hold_opening(bool is_held);
/** Wait until so many are being opened (while they are held). */
void faulty_wait_opening(unsigned count);

enum mischief {
    NO_MISCHIEF,
    LOSE_A_ROW,    /* the first one is not written, and all is well */
    NULL_TO_EMPTY, /* NULL is written as an empty text */
    MOVE_A_LETTER, /* from the end of the first value to the beginning of the second */
};
/** Whenever a statement that begins so, and is prepared from now on, is run, by one thread.
 * `beginning` must live on. */
void faulty_do(enum mischief mischief, const char *beginning);

struct faulty_counts {
    unsigned open, most_open, opens, looks, pings;
};
struct faulty_counts faulty_counts(void);

#endif
