/*
 * copy: a register moves house.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "app/interrupt.h"
#include "app/progress.h"
#include "base/mem.h"
#include "store/copy.h"

/** Ctrl-C ends the copying between two rows, so that the target is left as it was. */
static bool show(void *context, bool is_comparing, int64_t done, int64_t all)
{
    struct progress *progress = context;
    progress->label = is_comparing ? "comparing" : "copying";
    progress_show(progress, done, all);
    return !interrupt_came();
}

/** What a failure must take away again. */
struct traces {
    bool has_file, has_lock;
};

/** The message names the database by its place in the command, not by a setting. */
static enum status blame(enum status status, const char *side, struct err *err)
{
    if (status != OK && *err->items[0].field)
        snprintf(err->items[0].field, sizeof err->items[0].field, "%s", side);
    return status;
}

/** A URL that cannot be read is wrong usage. */
static enum status new_database(struct call *call, const char *option, struct opened *opened,
                                struct err *err)
{
    enum status status = database_new(call_option(call, option), &opened->database, err);
    AUTO_FREE char *shown = mem_format("--%s", option);
    call->is_usage = status == INVALID;
    return blame(status, shown, err);
}

static enum status open_source(struct call *call, struct opened *source, struct err *err)
{
    enum status status = new_database(call, "from", source, err);
    if (status != OK)
        return status;
    if (!files_exist(source->database))
        return err_set(err, NOT_FOUND, NULL, "there is no database %s",
                       database_path(source->database));
    status = files_lock(source->database, FILES_USE, &source->lock, err);
    return status == OK ? blame(db_open(source->database, &source->db, err), "source", err)
                        : status;
}

static enum status open_target(struct call *call, const struct opened *source,
                               struct opened *target, struct traces *ret_traces, struct err *err)
{
    enum status status = new_database(call, "to", target, err);
    if (status != OK)
        return status;
    if (files_are_same(source->database, target->database))
        return err_set(err, CONFLICT, NULL, "source and target are the same database");
    struct traces traces = {files_exist(target->database), files_lock_exists(target->database)};
    status = files_lock(target->database, FILES_REPLACE, &target->lock, err);
    if (status != OK)
        return status;
    *ret_traces = traces;
    return blame(db_open(target->database, &target->db, err), "target", err);
}

static void print_summary(const int64_t rows[COPY_TABLES], int64_t took_ms, const char *from,
                          const char *to)
{
    int64_t all = 0;
    for (size_t i = 0; i < COPY_TABLES; i++) {
        printf("%-18s %9" PRId64 "\n", copy_tables[i].name, rows[i]);
        all += rows[i];
    }
    printf("copied %" PRId64 " rows in %.2f s from %s to %s; every row was read back and "
           "compared\n",
           all, (double)took_ms / 1000, from, to);
}

static enum status is_in_use(const struct opened *source, bool *ret_is_used, struct err *err)
{
    if (!files_are_served(source->database))
        return copy_has_company(source->db, ret_is_used, err);
    *ret_is_used = true;
    return OK;
}

static enum status copy_opened(struct call *call, struct opened *source, struct opened *target,
                               struct err *err)
{
    struct progress progress;
    struct copy_options options = {
        .now_ms = clock_now_ms(&call->clock),
        .write_timeout_ms = (int)call->config.values.db_write_timeout,
        .progress = show,
        .context = &progress,
    };
    int64_t rows[COPY_TABLES], began_ms = clock_monotonic_ms();
    bool is_used = false;
    enum status status = is_in_use(source, &is_used, err);
    if (status != OK)
        return status;
    progress_init(&progress, "copying");
    status = copy_register(source->db, target->db, &options, rows, err);
    progress_end(&progress);
    if (status != OK)
        return status;
    print_summary(rows, clock_monotonic_ms() - began_ms,
                  database_shown_url(call_option(call, "from"), &call->arena),
                  database_shown_url(call_option(call, "to"), &call->arena));
    if (is_used)
        printf("a server is using the source: what it has written since the copy began is not in "
               "the copy\n");
    return OK;
}

enum status run_copy(struct call *call, struct err *err)
{
    const char *from = call_option(call, "from"), *to = call_option(call, "to");
    if (!from || !to)
        return call_misused(call, err, "--%s is missing", from ? "to" : "from");
    if (call->has_database)
        return call_misused(call, err,
                            "--database has no meaning here: name both with --from and "
                            "--to");
    AUTO_OPENED struct opened source = {.lock = -1};
    AUTO_OPENED struct opened target = {.lock = -1};
    struct traces traces = {true, true};
    interrupt_catch(); /* before there is anything to take away */
    enum status status = open_source(call, &source, err);
    if (status == OK)
        status = open_target(call, &source, &target, &traces, err);
    if (status == OK)
        status = copy_opened(call, &source, &target, err);
    if (status != OK && !traces.has_file) {
        db_close(target.db);
        target.db = NULL;
        files_remove(target.database, !traces.has_lock);
    }
    return status;
}
