#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/handlers.h"
#include "api/internal.h"
#include "base/log.h"
#include "service/export.h"
#include "service/import.h"

static void put_result(struct json_writer *out, const struct import_result *result)
{
    json_put_int(out, "imported", result->imported);
    json_put_int(out, "updated", result->updated);
    json_put_int(out, "unchanged", result->unchanged);
    json_put_int(out, "skipped", result->skipped);
    json_put_texts(out, "unknown_columns", result->unknown_columns);
    json_open_array(out, "errors");
    for (size_t i = 0; i < result->error_count; i++) {
        json_open_object(out, NULL);
        json_put_int(out, "row", result->errors[i].row);
        json_put_string(out, "column", result->errors[i].column);
        json_put_string(out, "reason", result->errors[i].reason);
        json_close_object(out);
    }
    json_close_array(out);
    json_put_int(out, "errors_total", result->errors_total);
}

/** A refused file is a problem with the same members as a success, so that one reader does for
 * both. */
static void put_refused(struct call *call, const struct import_result *result,
                        const struct err *why)
{
    struct json_writer *out = call->question.out;
    char line[ERR_FIELD_SIZE + ERR_MESSAGE_SIZE];
    err_text(why, line, sizeof line);
    call->status = 422;
    call->content_type = "application/problem+json";
    json_open_object(out, NULL);
    json_put_string(out, "type", "about:blank");
    json_put_string(out, "title", "Unprocessable Content");
    json_put_int(out, "status", 422);
    json_put_string(out, "detail", line);
    json_put_string(out, "error", line);
    put_result(out, result);
    json_close_object(out);
}

enum status import_post(struct call *call, struct err *err)
{
    const int64_t *params = call->question.params;
    struct import_options options = {
        .format = (enum import_format)params[0],
        .dry_run = params[1] != 0,
        .skip_invalid = params[2] != 0,
        .restore = params[3] != 0,
    };
    size_t length;
    const char *bytes = http_body(call->request, &length);
    struct import_result result = {0};
    enum status status =
        import_risks(call->question.service, &options, bytes, length, &result, err);
    if (status == INVALID) {
        put_refused(call, &result, err);
        return OK;
    }
    if (status != OK)
        return status;
    json_open_object(call->question.out, NULL);
    put_result(call->question.out, &result);
    json_close_object(call->question.out);
    return OK;
}

/** A file without a name, that goes when it is closed. */
static int open_spool(void)
{
    const char *folder = getenv("TMPDIR");
    int fd = open(folder && *folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return fd >= 0 ? fd : memfd_create("export", MFD_CLOEXEC);
}

/** Whoever names a filter or an order means the list as it is shown, else everything is meant. */
enum status export_get(struct call *call, struct err *err)
{
    const struct list_request *list = &call->question.list;
    const struct list_request *view = list->seen ? list : NULL;
    int fd = open_spool();
    if (fd < 0) {
        log_event(LOG_ERROR, "no_spool_file", LOG_TEXT("error", strerror(errno)));
        return err_set(err, UNAVAILABLE, NULL, "there is no room for the export");
    }
    enum status status = export_json(call->question.service, view, fd, NULL, NULL, err);
    off_t size = status == OK ? lseek(fd, 0, SEEK_END) : -1;
    if (size < 0) {
        close(fd);
        return status != OK ? status : err_set(err, UNAVAILABLE, NULL, "the export is lost");
    }
    lseek(fd, 0, SEEK_SET);
    call->file = fd;
    call->file_bytes = (uint64_t)size;
    http_add_header(call->request, "Content-Disposition",
                    arena_format(call->question.service->arena,
                                 "attachment; filename=\"openrisk-%s%s.json\"", view ? "view-" : "",
                                 call->question.service->today));
    return OK;
}
