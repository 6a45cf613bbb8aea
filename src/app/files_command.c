/*
 * backup and restore.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "app/command.h"
#include "app/interrupt.h"
#include "app/progress.h"

/** Ctrl-C ends the copying between two steps, so that its temporary file is removed. */
static bool show(void *context, int64_t done, int64_t all)
{
    progress_show(context, done, all);
    return !interrupt_came();
}

static void print_size(const char *what, const char *path)
{
    struct stat file;
    if (stat(path, &file) == 0)
        printf("%s %s (%.1f MiB)\n", what, path, (double)file.st_size / (1 << 20));
}

enum status run_backup(struct call *call, struct err *err)
{
    const char *target = call->arguments[0];
    struct progress progress;
    AUTO_OPENED struct opened opened;
    enum status status = opened_init(call, OPEN_FILES, &opened, err);
    if (status != OK)
        return status;
    interrupt_catch();
    progress_init(&progress, "copying");
    status = files_backup(opened.database, target, show, &progress, err);
    progress_end(&progress);
    if (status == OK)
        print_size("backed up to", target);
    return status;
}

enum status run_restore(struct call *call, struct err *err)
{
    struct progress progress;
    AUTO_OPENED struct opened opened = {.lock = -1};
    enum status status = database_new(call->config.values.database_url, &opened.database, err);
    if (status == OK)
        status = files_lock(opened.database, FILES_REPLACE, &opened.lock, err);
    if (status != OK)
        return status;
    interrupt_catch();
    progress_init(&progress, "copying");
    status = files_restore(opened.database, call->arguments[0], show, &progress, err);
    progress_end(&progress);
    if (status == OK)
        printf("restored %s; \"openrisk check\" looks at its contents\n",
               database_path(opened.database));
    return status;
}
