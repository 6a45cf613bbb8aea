/**
 * Migrations: the schema's steps, in order, each in one transaction, one runner at a time.
 *
 * The files migrations/NNNN_name.sql are built into the program. Table `meta` holds `schema`, the
 * number of the last step, `epoch`, random and renewed whenever the data is not the continuation of
 * what a cache may have seen (restore, copy), and `token_key`.
 */
#ifndef OPENRISK_STORE_MIGRATE_H
#define OPENRISK_STORE_MIGRATE_H

#include <stddef.h>

#include "store/db.h"

struct migration {
    int number;
    const char *name;
    const char *sql[DIALECTS];
};
extern const struct migration migrations[];
extern const size_t migration_count;

/** The number of the last migration that this program knows. */
int migrate_newest(void);

/**
 * Bring the database to the newest schema; makes an empty one. CONFLICT if it is newer than the
 * program, which says so and changes nothing.
 */
enum status migrate(struct db *db, int64_t now_ms, struct err *err) MUST_CHECK;

/** The same inside a write transaction that is open, for more than the schema. */
enum status migrate_apply(struct db *db, struct err *err) MUST_CHECK;

/** For commands that must not change it: CONFLICT if the schema is not the newest one. */
enum status migrate_check(struct db *db, struct err *err) MUST_CHECK;
/** The same inside a transaction that is open. */
enum status migrate_check_here(struct db *db, struct err *err) MUST_CHECK;

/** The data is not the continuation of what a cache may have seen. In a write transaction. */
enum status migrate_renew_epoch(struct db *db, struct err *err) MUST_CHECK;

/** A value of `meta`, NOT_FOUND if it is not there; and setting one, inside a write transaction. */
enum status meta_get(struct db *db, const char *name, struct arena *arena, char **ret_value,
                     struct err *err) MUST_CHECK;
enum status meta_set(struct db *db, const char *name, const char *value,
                     struct err *err) MUST_CHECK;

#endif
