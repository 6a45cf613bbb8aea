/*
 * import, export and check.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/command.h"
#include "app/progress.h"
#include "base/buf.h"
#include "base/mem.h"
#include "service/check.h"
#include "service/export.h"
#include "service/import.h"

enum { FILE_MAX_BYTES = 1 << 30, READ_BYTES = 1 << 16, ERRORS_SHOWN = 20 };

static void show(void *context, int64_t done, int64_t all)
{
    progress_show(context, done, all);
}

static void close_input(int *fd)
{
    if (*fd > STDERR_FILENO)
        close(*fd);
}

static enum status read_input(const char *path, struct buf *ret_text, struct err *err)
{
    char bytes[READ_BYTES];
    ssize_t length;
    int fd CLEANUP(close_input) =
        strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, NOT_FOUND, NULL, "cannot read %s: %s", path, strerror(errno));
    while ((length = read(fd, bytes, sizeof bytes)) > 0)
        buf_put(ret_text, bytes, (size_t)length);
    if (length < 0)
        return err_set(err, INVALID, NULL, "cannot read %s: %s", path, strerror(errno));
    if (ret_text->overflow)
        return err_set(err, TOO_LARGE, NULL, "%s is larger than 1 GiB", path);
    return OK;
}

/** Why rows were refused or skipped; the first ones, and how many there are. */
static void print_refusals(const struct import_result *result)
{
    size_t shown = result->error_count < ERRORS_SHOWN ? result->error_count : ERRORS_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        const struct import_refusal *error = &result->errors[i];
        if (error->row > 0)
            fprintf(stderr, "row %" PRId64 "%s", error->row, *error->column ? ", " : "");
        fprintf(stderr, "%s%s%s\n", error->column, error->row > 0 || *error->column ? ": " : "",
                error->reason);
    }
    if (result->errors_total > (int64_t)shown)
        fprintf(stderr, "… and %" PRId64 " more\n", result->errors_total - (int64_t)shown);
}

static enum status import_text(struct call *call, const struct opened *opened,
                               struct import_options *options, const struct buf *text,
                               struct err *err)
{
    struct import_result result = {0};
    struct progress progress;
    progress_init(&progress, "importing");
    options->progress = show;
    options->progress_context = &progress;
    struct service service = call_service(call, opened, "openrisk import");
    enum status status = import_risks(&service, options, text->data, text->length, &result, err);
    progress_end(&progress);
    if (status == OK || status == INVALID)
        print_refusals(&result);
    if (status == INVALID && result.errors_total > 0)
        return err_set(err, INVALID, NULL, "%s was refused and nothing was changed%s",
                       call->arguments[0],
                       options->skip_invalid
                           ? ""
                           : "; correct it, or import only its good rows with --skip-invalid");
    if (status != OK)
        return status;
    printf("%s%" PRId64 " imported, %" PRId64 " updated, %" PRId64 " unchanged, %" PRId64
           " skipped\n",
           options->dry_run ? "dry run, nothing was written: " : "", result.imported,
           result.updated, result.unchanged, result.skipped);
    return OK;
}

enum status run_import(struct call *call, struct err *err)
{
    const char *format = call_option(call, "format");
    if (!format)
        return call_misused(call, err, "--format is missing; allowed: %s",
                            text_alternatives(&call->arena, import_format_names));
    int index = text_index(import_format_names, format);
    if (index < 0)
        return call_misused(call, err, "--format is \"%.40s\"; allowed: %s", format,
                            text_alternatives(&call->arena, import_format_names));
    struct import_options options = {
        .format = (enum import_format)index,
        .dry_run = call_option(call, "dry-run"),
        .skip_invalid = call_option(call, "skip-invalid"),
        .restore = call_option(call, "restore"),
    };
    AUTO_BUF struct buf text;
    buf_init(&text, FILE_MAX_BYTES);
    AUTO_OPENED struct opened opened = {.lock = -1};
    enum status status = read_input(call->arguments[0], &text, err);
    if (status == OK)
        status = opened_init(call, OPEN_OR_MAKE, &opened, err);
    return status == OK ? import_text(call, &opened, &options, &text, err) : status;
}

/** To a new file, which goes again if it could not be written whole. */
static enum status export_to_file(struct service *service, const char *path,
                                  struct progress *progress, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return err_set(err, CONFLICT, NULL, "%s exists already; choose another name", path);
    if (fd < 0)
        return err_set(err, UNAVAILABLE, NULL, "cannot make %s: %s", path, strerror(errno));
    enum status status = export_json(service, NULL, fd, show, progress, err);
    if (status == OK && fsync(fd) != 0)
        status = err_set(err, UNAVAILABLE, NULL, "cannot write %s: %s", path, strerror(errno));
    close(fd);
    if (status != OK)
        unlink(path);
    return status;
}

enum status run_export(struct call *call, struct err *err)
{
    const char *path = call_option(call, "output"), *format = call_option(call, "format");
    if (format && strcmp(format, "json") != 0)
        return call_misused(call, err, "--format is \"%.40s\"; allowed: json", format);
    AUTO_OPENED struct opened opened;
    enum status status = opened_init(call, OPEN_EXISTING, &opened, err);
    if (status != OK)
        return status;
    struct progress progress;
    struct service service = call_service(call, &opened, "openrisk export");
    progress_init(&progress, "exporting");
    status = path ? export_to_file(&service, path, &progress, err)
                  : export_json(&service, NULL, STDOUT_FILENO, isatty(STDOUT_FILENO) ? NULL : show,
                                &progress, err);
    progress_end(&progress);
    if (status == OK && path)
        printf("exported to %s\n", path);
    return status;
}

static void print_difference(void *context, const char *difference)
{
    (void)context;
    puts(difference);
}

enum status run_check(struct call *call, struct err *err)
{
    AUTO_OPENED struct opened opened;
    enum status status = opened_init(call, OPEN_EXISTING, &opened, err);
    if (status != OK)
        return status;
    int64_t differences = 0;
    struct service service = call_service(call, &opened, "openrisk check");
    status = check_register(&service, print_difference, NULL, &differences, err);
    if (status != OK)
        return status;
    if (differences > 0)
        return err_set(err, CONFLICT, NULL,
                       "%" PRId64 " differences; keep this database and its backups, and report it",
                       differences);
    puts("ok: everything agrees with the rows");
    return OK;
}
