#include "store/migrate.h"

#include <inttypes.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/engine.h"
#include "store/queries.h"
#include "store/sqlite.h"

/* How long a second starter waits for the one that migrates. */
enum { MIGRATION_TIMEOUT_MS = 60000 };

int migrate_newest(void)
{
    return migrations[migration_count - 1].number;
}

enum status meta_get(struct db *db, const char *name, struct arena *arena, char **ret_value,
                     struct err *err)
{
    return db_select_text(db, &queries[QUERY_META_GET], DB_PARAMS(DB_TEXT(name)), arena, ret_value,
                          err);
}

enum status meta_set(struct db *db, const char *name, const char *value, struct err *err)
{
    return db_exec(db, &queries[QUERY_META_SET], DB_PARAMS(DB_TEXT(name), DB_TEXT(value)), NULL,
                   err);
}

static enum status another_programs(struct err *err)
{
    return err_set(err, CONFLICT, "DATABASE_URL",
                   "the database belongs to another program: it has a table meta that is not ours");
}

/** The number of the schema, 0 for an empty database. Inside a transaction. */
static enum status schema_number(struct db *db, int64_t *ret_number, struct err *err)
{
    int64_t tables = 0;
    enum status status = db_select_int(db, &queries[QUERY_META_EXISTS], DB_NO_PARAMS, &tables, err);
    if (status != OK)
        return status;
    if (tables == 1)
        return another_programs(err);
    if (tables == 0) {
        *ret_number = 0;
        return OK;
    }
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    char *text;
    status = meta_get(db, "schema", &arena, &text, err);
    if (status == NOT_FOUND)
        return another_programs(err);
    if (status != OK)
        return status;
    if (!text_to_int(text, ret_number))
        return err_set(err, INTERNAL, NULL, "the database's schema number is damaged");
    return OK;
}

static enum status newer_than_program(int64_t number, struct err *err)
{
    return err_set(err, CONFLICT, "DATABASE_URL",
                   "the database has schema %" PRId64 ", this program knows up to %d: use a newer "
                   "openrisk, or restore a backup",
                   number, migrate_newest());
}

enum status migrate_renew_epoch(struct db *db, struct err *err)
{
    unsigned char bytes[8];
    char epoch[2 * sizeof bytes + 1];
    id_random(bytes, sizeof bytes);
    return meta_set(db, "epoch", text_hex(bytes, sizeof bytes, epoch), err);
}

static enum status apply(struct db *db, const struct migration *migration, struct err *err)
{
    enum db_dialect dialect = db_dialect(db);
    enum status status = db_script(db, migration->sql[dialect], err);
    if (status == INTERNAL || status == CONFLICT)
        err_set(err, status, "DATABASE_URL",
                "the database cannot be brought to schema %d, and is as it was; the log says why",
                migration->number);
    if (status == OK && migration->number == 1 && dialect == DIALECT_SQLITE) {
        AUTO_FREE char *mark = mem_format("PRAGMA application_id = %d", SQLITE_APPLICATION_ID);
        status = db_script(db, mark, err);
    }
    if (status == OK && migration->number == 1)
        status = migrate_renew_epoch(db, err);
    if (status != OK)
        return status;
    AUTO_FREE char *number = mem_format("%d", migration->number);
    log_event(LOG_INFO, "migrated", LOG_INT("schema", migration->number),
              LOG_TEXT("name", migration->name));
    return meta_set(db, "schema", number, err);
}

enum status migrate_apply(struct db *db, struct err *err)
{
    int64_t number;
    enum status status = schema_number(db, &number, err);
    if (status != OK)
        return status;
    if (number > migrate_newest())
        return newer_than_program(number, err);
    for (size_t i = 0; i < migration_count; i++) {
        if (migrations[i].number <= number)
            continue;
        status = apply(db, &migrations[i], err);
        if (status != OK)
            return status;
    }
    return OK;
}

enum status migrate_check_here(struct db *db, struct err *err)
{
    int64_t number;
    enum status status = schema_number(db, &number, err);
    if (status != OK)
        return status;
    if (number > migrate_newest())
        return newer_than_program(number, err);
    if (number < migrate_newest())
        return err_set(err, CONFLICT, "DATABASE_URL",
                       number == 0 ? "there is no OpenRisk database: start openrisk serve first"
                                   : "the database has an older schema: start openrisk serve once");
    return OK;
}

enum status migrate_check(struct db *db, struct err *err)
{
    enum status status = db_begin_read(db, err);
    if (status != OK)
        return status;
    status = migrate_check_here(db, err);
    db_rollback(db);
    return status;
}

enum status migrate(struct db *db, int64_t now_ms, struct err *err)
{
    /* Nothing to do is the common case, and needs no write lock. */
    int64_t number;
    enum status status = db_begin_read(db, err);
    if (status != OK)
        return status;
    status = schema_number(db, &number, err);
    db_rollback(db);
    if (status == OK && number == migrate_newest())
        return OK;
    if (status != OK)
        return status;

    db_set_statement_limit(db, 0); /* an index of a large table takes its time */
    status = db_begin_write(db, now_ms, MIGRATION_TIMEOUT_MS, err);
    if (status != OK)
        return status;
    status = migrate_apply(db, err);
    if (status != OK) {
        db_rollback(db);
        return status;
    }
    return db_commit(db, err);
}
