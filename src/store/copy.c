/*
 * How a copy comes to be trusted. While a table is read from the source, each value goes into a
 * checksum on its way. When all tables are written, the target is asked for them in the same order
 * and the same checksum is made of what it says, inside the transaction that wrote them. Only equal
 * counts and checksums are committed. So what a database does to a value (a type that rounds, a
 * text that is cut, a trigger) cannot go by unseen, and no file is trusted in between.
 *
 * Every value goes as text or NULL. That is one path for all tables and both engines: SQLite's
 * columns turn digits into numbers by their affinity, PostgreSQL's parameters take the types of the
 * columns they are for. Columns have the same order in both, for both come from the same
 * migrations. Texts are ordered by their bytes in both, so keys are, too.
 *
 * Dumping the one into a file and loading it into the other was the alternative: it needs a format,
 * disk space, and a second program, and gives up the one snapshot and the one transaction.
 */
#include "store/copy.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "store/migrate.h"
#include "store/queries.h"

enum { COLUMNS_MAX = 64, REPORT_ROWS = 64, STATEMENT_MAX_BYTES = 2048 };

const struct copy_table copy_tables[COPY_TABLES] = {
    {"meta", "name", .is_begun = true},
    {"cache_generation", "scope", .is_begun = true},
    {"counter", "name", .is_begun = true},
    {"account", "id"},
    {"token", "id"},
    {"risk", "ref"},
    {"risk_text", "risk_ref", .is_searched = true},
    {"risk_label", "kind, label, risk_ref"},
    {"asset", "id"},
    {"risk_asset", "risk_ref, asset_id"},
    {"mitigation", "id"},
    {"sub_action", "id"},
    {"risk_history", "seq"},
    {"risk_tally", "impact, probability, level, status"},
    {"day_figure", "day"},
    {"mitigation_tally", "status, due_date"},
    {"import_baseline", "source, external_id"},
    {"audit_log", "seq"},
};

/* For PostgreSQL: rows that bring their numbers do not move the counters that number the next ones.
 */
static const struct query after_writing[] = {
    {"copy_history_seq", "", TOUCHES_NOTHING,
     "SELECT setval(pg_get_serial_sequence('risk_history', 'seq'), COALESCE(max(seq), 1), "
     "max(seq) IS NOT NULL) FROM risk_history"},
    {"copy_audit_seq", "", TOUCHES_NOTHING,
     "SELECT setval(pg_get_serial_sequence('audit_log', 'seq'), COALESCE(max(seq), 1), "
     "max(seq) IS NOT NULL) FROM audit_log"},
};

/* Checksums: 64-bit FNV-1a (Fowler, Noll and Vo; draft-eastlake-fnv, "The FNV Non-Cryptographic
 * Hash Algorithm"). It finds accidents; nobody is kept from making two registers of one sum. */

static const uint64_t FNV_BASIS = UINT64_C(0xcbf29ce484222325);
static const uint64_t FNV_PRIME = UINT64_C(0x100000001b3);

struct digest {
    int64_t rows;
    uint64_t sum;
};

static uint64_t fnv(uint64_t sum, const void *bytes, size_t length)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < length; i++)
        sum = (sum ^ byte[i]) * FNV_PRIME;
    return sum;
}

/** Each value with its length, so that no two rows look alike by where their values end. */
static void digest_row(struct digest *digest, const struct db_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool is_null = values[i].kind == DB_KIND_NULL;
        uint64_t length = is_null ? UINT64_MAX : strlen(values[i].text);
        digest->sum = fnv(digest->sum, &length, sizeof length);
        if (!is_null)
            digest->sum = fnv(digest->sum, values[i].text, length);
    }
    digest->rows++;
}

/* One pass over a table */

struct copying {
    struct db *from, *to;
    const struct copy_options *options;
    struct digest read[COPY_TABLES]; /* what the source said */
    int64_t done, all;
};

static bool report(struct copying *copying, bool is_comparing)
{
    const struct copy_options *options = copying->options;
    return !options->progress ||
           options->progress(options->context, is_comparing, copying->done, copying->all);
}

/** There are two databases here: say which one it is about. */
static enum status blame(enum status status, const char *side, struct err *err)
{
    if (status != OK)
        snprintf(err->items[0].field, sizeof err->items[0].field, "%s", side);
    return status;
}

static enum status stopped(struct err *err)
{
    return err_set(err, CONFLICT, NULL, "stopped; nothing was changed");
}

static char *insert_text(const struct copy_table *table, size_t columns)
{
    AUTO_BUF struct buf text;
    buf_init(&text, STATEMENT_MAX_BYTES);
    buf_printf(&text, "INSERT INTO %s VALUES (", table->name);
    for (size_t i = 1; i <= columns; i++)
        buf_printf(&text, "%s$%zu", i > 1 ? ", " : "", i);
    buf_puts(&text, ")");
    assert(!text.overflow);
    return mem_strdup(text.data);
}

/** `rows` is at the row that `values` are of. */
static enum status insert_row(struct copying *copying, const struct copy_table *table,
                              const char *sql, const struct db_rows *rows,
                              const struct db_value *values, size_t columns, struct err *err)
{
    struct query insert = {.name = "copy_insert", .sql = sql, .touches = TOUCHES_NOTHING};
    enum status status = db_queue(copying->to, &insert, values, columns, err);
    if (status == OK && table->is_searched)
        status = db_queue(copying->to, &queries[QUERY_RISK_SEARCH_INSERT],
                          DB_PARAMS(DB_INT(db_int(rows, 0)), values[1]), err);
    if (status == CONFLICT)
        err_set(err, CONFLICT, NULL, "it refuses a row of table %s", table->name);
    return blame(status, "target", err);
}

/** Read a table of `db` in its order; if it is the source, write each row into the target. */
static enum status pass(struct copying *copying, struct db *db, const struct copy_table *table,
                        struct digest *ret_digest, struct err *err)
{
    bool is_source = db == copying->from;
    const char *side = is_source ? "source" : "target";
    AUTO_FREE char *sql = mem_format("SELECT * FROM %s ORDER BY %s", table->name, table->key);
    AUTO_FREE char *insert = NULL;
    struct query select = {.name = "copy_select", .sql = sql, .streams = true};
    struct digest digest = {.sum = FNV_BASIS};
    AUTO_ROWS struct db_rows rows = {0};
    enum status status = blame(db_select(db, &select, DB_NO_PARAMS, &rows, err), side, err);
    while (status == OK && db_next(&rows)) {
        struct db_value values[COLUMNS_MAX];
        size_t columns = (size_t)db_column_count(&rows);
        assert(columns <= COLUMNS_MAX);
        for (size_t i = 0; i < columns; i++)
            values[i] = DB_TEXT(db_text(&rows, (int)i));
        digest_row(&digest, values, columns);
        if (is_source && !insert)
            insert = insert_text(table, columns);
        if (is_source)
            status = insert_row(copying, table, insert, &rows, values, columns, err);
        if (status == OK && ++copying->done % REPORT_ROWS == 0 && !report(copying, !is_source))
            status = stopped(err);
    }
    if (status == OK)
        status = blame(db_end(&rows, err), side, err);
    if (status == OK)
        *ret_digest = digest;
    return status;
}

/* Before */

static enum status count_rows(struct db *db, const struct copy_table *table, int64_t *ret_count,
                              struct err *err)
{
    AUTO_FREE char *sql = mem_format("SELECT count(*) FROM %s", table->name);
    struct query count = {.name = "copy_count", .sql = sql};
    return db_select_int(db, &count, DB_NO_PARAMS, ret_count, err);
}

static enum status look_at_source(struct copying *copying, struct err *err)
{
    enum status status = migrate_check_here(copying->from, err);
    for (size_t i = 0; i < COPY_TABLES && status == OK; i++) {
        int64_t rows = 0;
        status = count_rows(copying->from, &copy_tables[i], &rows, err);
        copying->all += rows;
    }
    return blame(status, "source", err);
}

/** Two names of one database, which has users, are told apart from a target that is in use. */
static enum status refuse_full(struct copying *copying, const int64_t counts[COPY_TABLES],
                               struct err *err)
{
    int64_t users = 0, risks = 0;
    const char *table = NULL;
    for (size_t i = 0; i < COPY_TABLES; i++) {
        if (strcmp(copy_tables[i].name, "account") == 0)
            users = counts[i];
        if (strcmp(copy_tables[i].name, "risk") == 0)
            risks = counts[i];
        if (counts[i] > 0 && !table)
            table = copy_tables[i].name;
    }
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    char *ours, *theirs;
    enum status status = meta_get(copying->from, "epoch", &arena, &ours, err);
    if (status == OK)
        status = meta_get(copying->to, "epoch", &arena, &theirs, err);
    if (status != OK)
        return status;
    if (strcmp(ours, theirs) == 0)
        return err_set(err, CONFLICT, NULL, "it is the source itself, or a copy of its file");
    if (users > 0 || risks > 0)
        return err_set(err, CONFLICT, NULL,
                       "it is not empty: it has %" PRId64 " users and %" PRId64
                       " risks; name a new file or an empty database",
                       users, risks);
    return err_set(err, CONFLICT, NULL,
                   "it is not empty: there are rows in table %s; name a new file or an empty "
                   "database",
                   table);
}

/** Its schema; then there must be nothing but what the migrations put there, which goes. */
static enum status prepare_target(struct copying *copying, struct err *err)
{
    int64_t counts[COPY_TABLES] = {0}, found = 0;
    enum status status = migrate_apply(copying->to, err);
    for (size_t i = 0; i < COPY_TABLES && status == OK; i++) {
        if (!copy_tables[i].is_begun)
            status = count_rows(copying->to, &copy_tables[i], &counts[i], err);
        found += counts[i];
    }
    if (status == OK && found > 0)
        status = refuse_full(copying, counts, err);
    for (size_t i = 0; i < COPY_TABLES && status == OK; i++) {
        if (!copy_tables[i].is_begun)
            continue;
        AUTO_FREE char *sql = mem_format("DELETE FROM %s", copy_tables[i].name);
        struct query clear = {.name = "copy_clear", .sql = sql, .touches = TOUCHES_NOTHING};
        status = db_exec(copying->to, &clear, DB_NO_PARAMS, NULL, err);
    }
    return blame(status, "target", err);
}

/* The copy */

static enum status write_all(struct copying *copying, struct err *err)
{
    enum status status = report(copying, false) ? OK : stopped(err);
    for (size_t i = 0; i < COPY_TABLES && status == OK; i++)
        status = pass(copying, copying->from, &copy_tables[i], &copying->read[i], err);
    for (size_t i = 0; i < COUNT_OF(after_writing) && status == OK; i++)
        status =
            blame(db_exec(copying->to, &after_writing[i], DB_NO_PARAMS, NULL, err), "target", err);
    return status;
}

static enum status compare_all(struct copying *copying, struct err *err)
{
    copying->done = 0;
    enum status status = report(copying, true) ? OK : stopped(err);
    for (size_t i = 0; i < COPY_TABLES && status == OK; i++) {
        struct digest *read = &copying->read[i], found;
        status = pass(copying, copying->to, &copy_tables[i], &found, err);
        if (status != OK)
            break;
        if (found.rows != read->rows)
            status = err_set(err, CONFLICT, NULL,
                             "table %s has %" PRId64 " rows in the target and %" PRId64
                             " in the source; nothing was changed",
                             copy_tables[i].name, found.rows, read->rows);
        else if (found.sum != read->sum)
            status = err_set(err, CONFLICT, NULL,
                             "table %s reads differently in the target (checksum %016" PRIx64
                             ", not %016" PRIx64 "); nothing was changed",
                             copy_tables[i].name, found.sum, read->sum);
    }
    return status;
}

static enum status finish(struct copying *copying, struct err *err)
{
    enum status status = blame(migrate_renew_epoch(copying->to, err), "target", err);
    if (status == OK && !report(copying, true))
        status = stopped(err);
    if (status == OK)
        db_touch(copying->to, (1u << SCOPES) - 1);
    return status;
}

/** The answer to a commit may be lost with the connection. */
static enum status commit(struct db *to, struct err *err)
{
    enum status status = db_commit(to, err);
    if (status == UNAVAILABLE && db_is_broken(to))
        err_set(err, status, NULL,
                "the connection was lost, and whether everything or nothing was "
                "copied is not known: \"openrisk check\" there tells");
    return blame(status, "target", err);
}

enum status copy_has_company(struct db *db, bool *ret_has_company, struct err *err)
{
    static const struct query company = {
        "copy_company", "", READS,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND application_name LIKE 'openrisk%'"};
    int64_t count = 0;
    enum status status = blame(db_begin_read(db, err), "source", err);
    if (status != OK)
        return status;
    status = db_select_int(db, &company, DB_NO_PARAMS, &count, err);
    db_rollback(db);
    *ret_has_company = count > 0;
    return status == NOT_FOUND ? OK : blame(status, "source", err);
}

/** Both transactions are open. */
static enum status copy_here(struct copying *copying, struct err *err)
{
    enum status status = look_at_source(copying, err);
    if (status == OK)
        status = prepare_target(copying, err);
    if (status == OK)
        status = write_all(copying, err);
    db_rollback(copying->from); /* its snapshot keeps others from tidying up */
    if (status == OK)
        status = compare_all(copying, err);
    return status == OK ? finish(copying, err) : status;
}

enum status copy_register(struct db *from, struct db *to, const struct copy_options *options,
                          int64_t ret_rows[COPY_TABLES], struct err *err)
{
    struct copying copying = {.from = from, .to = to, .options = options};
    db_set_statement_limit(from, 0); /* one statement reads a whole table */
    db_bulk(to, true);
    enum status status = blame(db_begin_read(from, err), "source", err);
    if (status == OK)
        status = blame(db_begin_write(to, options->now_ms, options->write_timeout_ms, err),
                       "target", err);
    if (status == OK)
        status = copy_here(&copying, err);
    if (status == OK)
        status = commit(to, err);
    db_rollback(from);
    db_rollback(to);
    db_bulk(to, false);
    for (size_t i = 0; i < COPY_TABLES && status == OK; i++)
        ret_rows[i] = copying.read[i].rows;
    return status;
}
