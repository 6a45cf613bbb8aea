/**
 * Copying a whole register from one database into another, empty one, of any engine.
 *
 *     int64_t rows[COPY_TABLES];
 *     struct copy_options options = {.now_ms = …, .write_timeout_ms = …};
 *     status = copy_register(from, to, &options, rows, err);
 *
 * The source is read in one snapshot; whoever uses it goes on. In the target everything is one
 * transaction, the schema included, so it holds all of the register or is as it was.
 *
 * What goes over goes over unchanged: ids, versions, history, users, hashes of passwords and
 * tokens, and the key that tokens are made with, so that everyone stays signed in. Only the epoch
 * is renewed and the generations go on, for the copy's future is not the source's.
 *
 * Used by a command, which an operator runs: `err` names tables.
 */
#ifndef OPENRISK_STORE_COPY_H
#define OPENRISK_STORE_COPY_H

#include <stdbool.h>

#include "store/db.h"

struct copy_table {
    const char *name;
    const char *key;  /* the columns of its primary key: what orders its rows */
    bool is_begun;    /* a migration puts rows into it */
    bool is_searched; /* a row is a risk's number and text: SQLite has an index beside it */
};

/** All tables, each after those that it refers to. A new one belongs in here: a test compares. */
enum { COPY_TABLES = 18 };
extern const struct copy_table copy_tables[COPY_TABLES];

/** Rows of all tables, written or, when all are, compared. False gives up. */
typedef bool copy_progress(void *context, bool is_comparing, int64_t done, int64_t all);

struct copy_options {
    int64_t now_ms;
    int write_timeout_ms;    /* for other writers of the target */
    copy_progress *progress; /* may be NULL */
    void *context;
};

/**
 * `from` and `to` are two connections outside of transactions, to two databases. `ret_rows`: how
 * many rows each table has.
 *
 * CONFLICT, and nothing is changed, if the source has no schema or not the newest one, if the
 * target has a newer one or is not empty, if what was written is not what is read back, and if
 * `progress` gave up. BUSY and UNAVAILABLE as any writer.
 */
enum status copy_register(struct db *from, struct db *to, const struct copy_options *options,
                          int64_t ret_rows[COPY_TABLES], struct err *err) MUST_CHECK;

/**
 * Is somebody else of this program connected, as far as it can be known? Engines with files: false;
 * files_are_served() knows of those.
 */
enum status copy_has_company(struct db *db, bool *ret_has_company, struct err *err) MUST_CHECK;

#endif
