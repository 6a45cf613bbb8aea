/*
 * Driving an import: two readings, one transaction, and the list of refusals.
 */
#include "service/import.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "service/check.h"
#include "service/import_item.h"

enum { PROGRESS_EVERY = 200 };

const char *const import_format_names[] = {"kev", "json", NULL};

PRINTF(4, 0)
static void note(struct import *import, int64_t row, const char *column, const char *format,
                 va_list args)
{
    struct import_result *result = import->result;
    result->errors_total++;
    if (result->error_count == IMPORT_REFUSALS_MAX)
        return;
    if (!result->errors)
        result->errors = arena_zalloc(import->kept, IMPORT_REFUSALS_MAX, sizeof *result->errors);
    char reason[ERR_MESSAGE_SIZE];
    vsnprintf(reason, sizeof reason, format, args);
    text_cut_partial(reason);
    result->errors[result->error_count++] = (struct import_refusal){
        .row = row,
        .column = column ? arena_strdup(import->kept, column) : "",
        .reason = arena_strdup(import->kept, reason),
    };
}

void import_note(struct import *import, int64_t row, const char *column, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note(import, row, column, format, args);
    va_end(args);
}

enum status import_refuse(struct import *import, int64_t row, const char *column,
                          const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (import->checking)
        note(import, row, column, format, args);
    va_end(args);
    return INVALID;
}

enum status import_refuse_all(struct import *import, int64_t row, const struct err *err)
{
    for (size_t i = 0; i < err->count && i < ERR_ITEMS_MAX; i++)
        import_refuse(import, row, err->items[i].field, "%s", err->items[i].message);
    return INVALID;
}

enum status import_once(struct import *import, int64_t row, const char *column, const char *key)
{
    int64_t *first = name_table_get(&import->seen, key);
    if (first && *first != row)
        return import_refuse(import, row, column, "is the same as in row %" PRId64, *first);
    if (!first) {
        first = arena_alloc(import->kept, sizeof *first);
        *first = row;
        name_table_put(&import->seen, arena_strdup(import->kept, key), first);
    }
    return OK;
}

static void remember_refused(struct import *import, int64_t position)
{
    if (import->refused_count == import->refused_capacity) {
        size_t capacity = import->refused_capacity ? 2 * import->refused_capacity : 64;
        int64_t *items = arena_alloc(import->kept, capacity * sizeof *items);
        if (import->refused_count)
            memcpy(items, import->refused_items, import->refused_count * sizeof *items);
        import->refused_items = items;
        import->refused_capacity = capacity;
    }
    import->refused_items[import->refused_count++] = position;
}

/** First reading: check all items. */
static enum status check_items(struct import *import, struct err *err)
{
    enum status status = import->reader->rewind(import, err);
    while (status == OK) {
        struct import_item item = {0};
        bool end = false;
        arena_clear(&import->row);
        status = import->reader->next(import, &item, &end, err);
        if (end)
            break;
        if (status == INVALID) {
            import->refused++;
            remember_refused(import, import->items);
            status = OK;
        }
        import->items++;
    }
    return status;
}

/** Second reading: merge those that were not refused. */
static enum status merge_items(struct import *import, struct err *err)
{
    const struct import_options *options = import->options;
    size_t next_refused = 0;
    enum status status = import->reader->rewind(import, err);
    for (int64_t done = 0; status == OK && done < import->items; done++) {
        struct import_item item = {0};
        bool end, skip;
        arena_clear(&import->row);
        status = import->reader->next(import, &item, &end, err);
        skip = next_refused < import->refused_count && import->refused_items[next_refused] == done;
        next_refused += skip;
        if (status == OK && !skip)
            status = import_merge(import, &item, err);
        if (status == INVALID || skip) {
            import->refused++;
            status = OK;
        }
        if (options->progress && (done + 1 == import->items || done % PROGRESS_EVERY == 0))
            options->progress(options->progress_context, done + 1, import->items);
    }
    return status;
}

static enum status refused(struct import *import, struct err *err)
{
    struct import_result *result = import->result;
    int64_t total = result->errors_total;
    result->imported = result->updated = result->unchanged = result->skipped = 0;
    return err_set(err, INVALID, NULL,
                   "the file was refused for %" PRId64 " reason%s; nothing was imported", total,
                   total == 1 ? "" : "s");
}

/** The first reading: is the file acceptable? */
static enum status check(struct import *import, struct err *err)
{
    import->checking = true;
    import->refused = 0;
    enum status status = import->reader->open(import, err);
    if (status == OK)
        status = check_items(import, err);
    import->checking = false;
    if (status == INVALID || status == MALFORMED)
        return refused(import, err);
    if (status == OK && import->refused && !import->options->skip_invalid)
        return refused(import, err);
    return status;
}

/** The second reading, inside the transaction. */
static enum status merge_all(struct import *import, struct err *err)
{
    int64_t first;
    enum status status = risk_store_new_refs(import->writer.db, 0, &first, err);
    if (status != OK)
        return status;
    import->next_ref = first > import->highest_ref ? first : import->highest_ref + 1;
    import->refused = 0;
    if (import->reader->prepare)
        status = import->reader->prepare(import, err);
    if (status == OK)
        status = merge_items(import, err);
    /* Also for risks that brought their own refs: those must not be given again. */
    if (status == OK && import->result->imported > 0)
        status = risk_store_keep_refs(import->writer.db, import->next_ref - 1, err);
    return status;
}

/** History from elsewhere may reach into any day: compute all figures anew from the rows. */
static enum status rebuild_figures(struct import *import, struct err *err)
{
    enum status status = check_rebuild_figures(import->service, err);
    import->writer.figures = figure_changes_new(import->kept);
    return status;
}

static enum status write(struct import *import, struct err *err)
{
    struct import_result *result = import->result;
    enum status status = writer_begin(&import->writer, import->service, err);
    if (status != OK)
        return status;
    import->writer.arena = &import->row;
    import->writer.later = &import->texts;
    status = merge_all(import, err);
    result->skipped += import->refused;
    if (status == OK && import->refused && !import->options->skip_invalid)
        status = INVALID;
    if (status == OK && import->brought_history)
        status = rebuild_figures(import, err);
    import->writer.target = "";
    import->writer.detail = arena_format(
        import->kept,
        "%" PRId64 " imported, %" PRId64 " updated, %" PRId64 " unchanged, %" PRId64 " skipped",
        result->imported, result->updated, result->unchanged, result->skipped);
    if (status == OK && import->options->dry_run)
        db_rollback(import->writer.db);
    else
        status = writer_end(&import->writer, status, err);
    return status == INVALID ? refused(import, err) : status;
}

enum status import_risks(struct service *service, const struct import_options *options,
                         const char *bytes, size_t length, struct import_result *ret_result,
                         struct err *err)
{
    static const struct import_reader *const readers[] = {
        [IMPORT_KEV] = &import_kev,
        [IMPORT_JSON] = &import_document,
    };
    struct import import = {
        .service = service,
        .options = options,
        .reader = readers[options->format],
        .bytes = bytes,
        .length = length,
        .keeps_history = !service->caller->user_id || service->caller->role == ROLE_ADMIN,
        .kept = service->arena,
        .result = ret_result,
    };
    *ret_result = (struct import_result){0};
    arena_init(&import.row);
    text_queue_init(&import.texts);
    document_tables_init(&import.tables, import.kept);
    name_table_init(&import.seen, import.kept);
    name_table_init(&import.assets, import.kept);
    enum status status = check(&import, err);
    if (status == OK) {
        db_bulk(service->db, true);
        status = write(&import, err);
        db_bulk(service->db, false);
    }
    text_queue_release(&import.texts);
    arena_release(&import.row);
    return status;
}
