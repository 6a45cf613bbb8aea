/**
 * SQLite behind a wrapper that fails a call, or does mischief to a row that is being written.
 *
 *     mischief_init();
 *     database_new_of(&mischief_engine, "sqlite:PATH", …);
 *     mischief_fail_at(n); … the n-th call from now on fails … mischief_fail_at(0);
 *
 * For one thread.
 */
#ifndef OPENRISK_TESTS_MISCHIEF_H
#define OPENRISK_TESTS_MISCHIEF_H

#include "store/engine.h"

extern struct db_engine mischief_engine;

enum mischief {
    NO_MISCHIEF,
    LOSE_A_ROW,    /* the first one is not written, and all is well */
    NULL_TO_EMPTY, /* NULL is written as an empty text */
    MOVE_A_LETTER, /* from the end of the first value to the beginning of the second */
};

/** Sound again. */
void mischief_init(void);
/** The n-th of the calls that can fail does so, UNAVAILABLE; 0: none. */
void mischief_fail_at(int64_t n);
/** Whenever a statement that begins so, and is prepared from now on, is run. Both must live on. */
void mischief_do(enum mischief mischief, const char *beginning);

#endif
