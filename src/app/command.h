/**
 * Commands: what `openrisk NAME` does, declared once.
 *
 * main.c holds the table, reads the command line by it, prints the help from it, and turns what a
 * command returns into an exit code.
 */
#ifndef OPENRISK_APP_COMMAND_H
#define OPENRISK_APP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "app/config.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/status.h"
#include "service/service.h"
#include "store/db.h"
#include "store/files.h"

enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,      /* the command failed, or check found differences */
    EXIT_USAGE = 2,       /* wrong usage or configuration */
    EXIT_UNAVAILABLE = 3, /* the database is unavailable or busy */
};

enum { COMMAND_OPTIONS_MAX = 12 };

struct command_option {
    const char *name;  /* without the dashes */
    const char *value; /* what follows it: "FILE"; NULL for a flag */
    const char *about;
};

/** One call of a command. */
struct call {
    const struct command *command;
    struct loaded_config config;
    struct clock clock;
    struct arena arena;
    const char *values[COMMAND_OPTIONS_MAX]; /* by the command's options; "" for a flag */
    char *const *arguments;
    size_t argument_count;
    bool has_database; /* --database was given */
    bool is_usage;     /* the error is in how the command was called */
};

struct command {
    const char *name;
    const char *arguments; /* for the help: "FILE", "" */
    size_t arguments_min, arguments_max;
    const char *summary;
    const char *about; /* further lines of the command's help; may be NULL */
    struct command_option options[COMMAND_OPTIONS_MAX];
    bool lists_settings; /* its help ends with the table of settings */
    enum status (*run)(struct call *call, struct err *err);
};

/** The value of an option, NULL if it was not given. `name` must be in the command's table. */
const char *call_option(const struct call *call, const char *name);
/** Makes the error one of usage, which exits with 2: `return call_misused(call, err, "…");` */
enum status call_misused(struct call *call, struct err *err, const char *format, ...) PRINTF(3, 4);

/** A database that a command uses: locked, open, of the newest schema. */
struct opened {
    struct database *database;
    struct db *db;
    int lock; /* −1: none */
};
#define AUTO_OPENED __attribute__((cleanup(opened_release)))

enum open_mode {
    OPEN_FILES,    /* only the lock: `db` stays NULL. NOT_FOUND if there is no database yet */
    OPEN_EXISTING, /* NOT_FOUND likewise */
    OPEN_OR_MAKE,
};

/**
 * Open the database of the configuration under FILES_USE. `ret_opened` must be released also after
 * a failure; zeroed is released.
 */
enum status opened_init(const struct call *call, enum open_mode mode, struct opened *ret_opened,
                        struct err *err) MUST_CHECK;
void opened_release(struct opened *opened);

/** For service functions; `action` is what the audit log says: "openrisk user add". */
struct service call_service(struct call *call, const struct opened *opened, const char *action);

enum status run_serve(struct call *call, struct err *err);
enum status run_import(struct call *call, struct err *err);
enum status run_export(struct call *call, struct err *err);
enum status run_user(struct call *call, struct err *err);
enum status run_token(struct call *call, struct err *err);
enum status run_backup(struct call *call, struct err *err);
enum status run_restore(struct call *call, struct err *err);
enum status run_copy(struct call *call, struct err *err);
enum status run_check(struct call *call, struct err *err);

#endif
