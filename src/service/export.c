#include "service/export.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "service/document.h"
#include "store/asset_store.h"
#include "store/history_store.h"
#include "store/queries.h"
#include "store/risk_store.h"
#include "json/json_write.h"

/* Risks are read and written in batches of this many; a batch must fit its buffer. */
enum { BATCH = 100, FLUSH_BYTES = 1 << 16 };
#define BATCH_MAX_BYTES ((size_t)1 << 31)

struct export
{
    struct service *service;
    const struct list_request *view; /* NULL: everything */
    struct document_tables tables;
    struct arena arena; /* of the batch */
    struct buf text;
    struct json_writer out;
    int fd;
    struct risk_page pages[BATCH];
    size_t count;
    int64_t done, all;
    void (*progress)(void *context, int64_t done, int64_t all);
    void *context;
};

static enum status flush(struct export *export, struct err *err)
{
    const struct buf *text = &export->text;
    if (text->overflow)
        return err_set(err, INTERNAL, NULL, "a part of the register is too large to export");
    for (size_t written = 0; written < text->length;) {
        ssize_t n = write(export->fd, text->data + written, text->length - written);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, UNAVAILABLE, NULL, "the export cannot be written: %s",
                           strerror(errno));
        written += (size_t)n;
    }
    buf_clear(&export->text);
    return OK;
}

static enum status flush_some(struct export *export, struct err *err)
{
    return export->text.length < FLUSH_BYTES ? OK : flush(export, err);
}

static void put_mitigation(struct export *export, const struct mitigation_page *page)
{
    struct json_writer *out = &export->out;
    json_open_object(out, NULL);
    json_put_fields(out, &export->tables.mitigation, ~UINT64_C(0), &page->mitigation);
    json_open_array(out, "sub_actions");
    for (size_t i = 0; i < page->sub_action_count; i++) {
        json_open_object(out, NULL);
        json_put_fields(out, &sub_action_table, ~UINT64_C(0), &page->sub_actions[i]);
        json_close_object(out);
    }
    json_close_array(out);
    json_close_object(out);
}

static enum status put_history(struct export *export, int64_t ref, struct err *err)
{
    struct json_writer *out = &export->out;
    struct history_entry *entries;
    size_t count;
    enum status status =
        history_store_of(export->service->db, ref, &export->arena, &entries, &count, err);
    if (status != OK)
        return status;
    json_open_array(out, "history");
    for (size_t i = 0; i < count; i++) {
        json_open_object(out, NULL);
        json_put_fields(out, &history_table, ~UINT64_C(0), &entries[i]);
        json_put_raw(out, "changes", entries[i].changes);
        json_close_object(out);
    }
    json_close_array(out);
    return OK;
}

/** What imports said, but for imports of documents: their baseline is of this register alone. */
static enum status put_baselines(struct export *export, int64_t ref, struct err *err)
{
    struct json_writer *out = &export->out;
    struct baseline *baselines;
    size_t count;
    enum status status =
        baseline_store_of(export->service->db, ref, &export->arena, &baselines, &count, err);
    if (status != OK)
        return status;
    json_open_array(out, "baselines");
    for (size_t i = 0; i < count; i++) {
        if (strcmp(baselines[i].source, DOCUMENT_SOURCE) == 0)
            continue;
        json_open_object(out, NULL);
        json_put_fields(out, &baseline_table, ~UINT64_C(0), &baselines[i]);
        json_put_raw(out, "members", baselines[i].members);
        json_close_object(out);
    }
    json_close_array(out);
    return OK;
}

static enum status put_risk(struct export *export, const struct risk_page *page, struct err *err)
{
    struct json_writer *out = &export->out;
    json_open_object(out, NULL);
    json_put_fields(out, &export->tables.risk, ~UINT64_C(0), &page->risk);
    json_open_array(out, "asset_ids");
    for (size_t i = 0; i < page->asset_count; i++)
        json_put_string(out, NULL, page->assets[i].id);
    json_close_array(out);
    json_open_array(out, "mitigations");
    for (size_t i = 0; i < page->mitigation_count; i++)
        put_mitigation(export, &page->mitigations[i]);
    json_close_array(out);
    enum status status = put_history(export, page->risk.ref, err);
    if (status == OK)
        status = put_baselines(export, page->risk.ref, err);
    json_close_object(out);
    buf_putc(&export->text, '\n');
    return status;
}

static enum status put_batch(struct export *export, struct err *err)
{
    struct db *db = export->service->db;
    enum status status = OK;
    if (export->view)
        status = risk_store_load(db, export->pages, export->count, &export->arena, err);
    if (status == OK)
        status = risk_store_fill(db, export->pages, export->count, &export->arena, err);
    for (size_t i = 0; status == OK && i < export->count; i++) {
        status = put_risk(export, &export->pages[i], err);
        if (status == OK)
            status = flush_some(export, err);
    }
    export->done += (int64_t) export->count;
    if (status == OK && export->progress && !export->view)
        export->progress(export->context, export->done, export->all);
    export->count = 0;
    arena_clear(&export->arena);
    return status;
}

/** Everything: whole rows. A view: their numbers, so that no whole rows are sorted. */
static enum status select_risks(struct export *export, struct db_rows *ret_rows, struct err *err)
{
    struct service *service = export->service;
    if (export->view)
        return list_select_all(service->db, export->view, service->today, "", NULL, service->arena,
                               ret_rows, err);
    enum status status =
        db_select_int(service->db, &queries[QUERY_RISKS_COUNT], DB_NO_PARAMS, &export->all, err);
    if (status == OK)
        status = db_select(service->db, &queries[QUERY_RISKS_ALL], DB_NO_PARAMS, ret_rows, err);
    return status;
}

static void read_risk(struct export *export, const struct db_rows *rows, struct risk *risk)
{
    if (export->view) {
        risk->ref = db_int(rows, 0);
        return;
    }
    db_read_record(rows, 0, &risk_table, &export->arena, risk);
    risk->deleted_at = db_int(rows, (int)risk_table.count);
}

static enum status put_risks(struct export *export, struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status = select_risks(export, &rows, err);
    json_open_array(&export->out, "risks");
    while (status == OK && db_next(&rows)) {
        struct risk_page *page = &export->pages[export->count++];
        *page = (struct risk_page){0};
        read_risk(export, &rows, &page->risk);
        if (export->count == BATCH)
            status = put_batch(export, err);
    }
    if (status == OK)
        status = db_end(&rows, err);
    if (status == OK)
        status = put_batch(export, err);
    json_close_array(&export->out);
    return status;
}

/** Of a view only those that its risks name: import needs them, and nobody asked for others. */
static enum status select_assets(struct export *export, struct db_rows *ret_rows, struct err *err)
{
    struct service *service = export->service;
    if (!export->view)
        return db_select(service->db, &queries[QUERY_ASSETS_ALL], DB_NO_PARAMS, ret_rows, err);
    const char *before = arena_format(service->arena,
                                      "SELECT %s FROM asset WHERE id IN (SELECT asset_id "
                                      "FROM risk_asset WHERE risk_ref IN (",
                                      asset_columns);
    return list_select_all(service->db, export->view, service->today, before, ")) ORDER BY id",
                           service->arena, ret_rows, err);
}

static enum status put_assets(struct export *export, struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status = select_assets(export, &rows, err);
    json_open_array(&export->out, "assets");
    while (status == OK && db_next(&rows)) {
        struct asset asset;
        arena_clear(&export->arena);
        db_read_record(&rows, 0, &asset_table, &export->arena, &asset);
        json_open_object(&export->out, NULL);
        json_put_fields(&export->out, &asset_table, ~UINT64_C(0), &asset);
        json_close_object(&export->out);
        buf_putc(&export->text, '\n');
        status = flush_some(export, err);
    }
    json_close_array(&export->out);
    return status == OK ? db_end(&rows, err) : status;
}

static enum status put_document(struct export *export, struct err *err)
{
    struct json_writer *out = &export->out;
    json_open_object(out, NULL);
    json_put_string(out, "format", DOCUMENT_FORMAT);
    json_put_int(out, "version", DOCUMENT_VERSION);
    json_put_time(out, "exported_at", export->service->now_ms);
    enum status status = put_assets(export, err);
    if (status == OK)
        status = put_risks(export, err);
    json_close_object(out);
    buf_putc(&export->text, '\n');
    return status == OK ? flush(export, err) : status;
}

enum status export_json(struct service *service, const struct list_request *view, int fd,
                        void (*progress)(void *context, int64_t done, int64_t all), void *context,
                        struct err *err)
{
    enum status status = service_begin_read(service, err);
    if (status != OK)
        return status;
    struct export *export = arena_zalloc(service->arena, 1, sizeof *export);
    export->service = service;
    export->view = view;
    export->fd = fd;
    export->progress = progress;
    export->context = context;
    arena_init(&export->arena);
    buf_init(&export->text, BATCH_MAX_BYTES);
    json_writer_init(&export->out, &export->text);
    document_tables_init(&export->tables, service->arena);
    status = put_document(export, err);
    buf_release(&export->text);
    arena_release(&export->arena);
    service_end_read(service);
    return status;
}
