/**
 * The files of a SQLite database: who may use them, copying them, putting a copy back.
 *
 * Locks are on PATH.lock (open file description locks, fcntl(2)), byte 0 for "being served"
 * (exclusive) and byte 1 for "in use" (shared by every process that opens the database; exclusive
 * for restore). They vanish with the process that holds them; the lock file itself stays.
 *
 * Used by commands, which an operator runs: `err` names paths and repeats the engine's words.
 */
#ifndef OPENRISK_STORE_FILES_H
#define OPENRISK_STORE_FILES_H

#include <stdbool.h>

#include "base/status.h"
#include "store/db.h"

enum files_lock {
    FILES_USE,     /* shared: a command */
    FILES_SERVE,   /* a server: exclusive among servers, shared with commands */
    FILES_REPLACE, /* restore: nobody else at all */
};

/**
 * Take a lock for the life of the process, or until files_unlock. BUSY, saying who holds it (the
 * process id is written in the lock file by FILES_SERVE) and what to do. Creates the file's folder
 * (0700; its parent must exist) and the lock file (0600) if need be. For engines without files: OK,
 * *ret_fd = −1.
 */
enum status files_lock(const struct database *database, enum files_lock lock, int *ret_fd,
                       struct err *err) MUST_CHECK;
void files_unlock(int fd); /* −1 allowed */

/** Is there a database yet? For engines without files: true. */
bool files_exist(const struct database *database);

/** Do both name the same file? False while one of them is not there. */
bool files_are_same(const struct database *a, const struct database *b);

/** Does a server hold FILES_SERVE just now? For engines without files: false. */
bool files_are_served(const struct database *database);

/**
 * Remove a database that this process has just made, with all that lies beside it. The caller
 * holds FILES_REPLACE; no connection is open. `with_lock`: the lock file, too.
 */
void files_remove(const struct database *database, bool with_lock);
/** Is there a lock file? Then it is not ours to remove. */
bool files_lock_exists(const struct database *database);

/** Progress in pages; returns false to give up, and the copying ends with CONFLICT. */
typedef bool files_progress(void *context, int64_t done, int64_t all);

/**
 * A consistent copy of the database as it is at one moment, also while a server writes to it. The
 * target must not exist; it appears (0600) whole or not at all. The copy is checked before it is
 * named. `progress` may be NULL.
 */
enum status files_backup(const struct database *database, const char *target,
                         files_progress *progress, void *context, struct err *err) MUST_CHECK;

/**
 * Replace the database by a backup: checks that the file is an intact OpenRisk database, copies it
 * beside the target, renews its epoch, and renames it into place. The caller holds FILES_REPLACE.
 * On failure the database is as it was. `progress` may be NULL.
 */
enum status files_restore(const struct database *database, const char *backup,
                          files_progress *progress, void *context, struct err *err) MUST_CHECK;

#endif
