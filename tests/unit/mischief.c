#include "mischief.h"

#include <stdio.h>
#include <string.h>

enum { STATEMENTS = 256, PARAMS_MAX = 256 };

static struct {
    int64_t calls, fail_at; /* 0: none */
    enum mischief mischief;
    const char *beginning; /* of the statement that it happens to */
    struct engine_statement *statements[STATEMENTS];
    size_t count;
} fault;

struct db_engine mischief_engine;

static bool fails(struct err *err)
{
    if (++fault.calls != fault.fail_at)
        return false;
    err_set(err, UNAVAILABLE, NULL, "the test lets a call fail");
    return true;
}

static bool is_target(const struct engine_statement *statement)
{
    for (size_t i = 0; i < fault.count; i++)
        if (fault.statements[i] == statement)
            return true;
    return false;
}

static enum status mischief_begin_read(struct engine_conn *conn, struct err *err)
{
    return fails(err) ? UNAVAILABLE : sqlite_engine.begin_read(conn, err);
}

static enum status mischief_begin_write(struct engine_conn *conn, int timeout_ms, bool alone,
                                        struct err *err)
{
    return fails(err) ? UNAVAILABLE : sqlite_engine.begin_write(conn, timeout_ms, alone, err);
}

static enum status mischief_commit(struct engine_conn *conn, struct err *err)
{
    if (!fails(err))
        return sqlite_engine.commit(conn, err);
    sqlite_engine.rollback(conn);
    return UNAVAILABLE;
}

static enum status mischief_script(struct engine_conn *conn, const char *sql, struct err *err)
{
    return fails(err) ? UNAVAILABLE : sqlite_engine.script(conn, sql, err);
}

static enum status mischief_prepare(struct engine_conn *conn, const char *sql,
                                    struct engine_statement **ret_statement, struct err *err)
{
    enum status status =
        fails(err) ? UNAVAILABLE : sqlite_engine.prepare(conn, sql, ret_statement, err);
    if (status == OK && fault.mischief &&
        strncmp(sql, fault.beginning, strlen(fault.beginning)) == 0 && fault.count < STATEMENTS)
        fault.statements[fault.count++] = *ret_statement;
    return status;
}

static enum status mischief_bind(struct engine_statement *statement, const struct db_value *params,
                                 size_t count, bool streams, struct err *err)
{
    struct db_value changed[PARAMS_MAX];
    static char texts[2][200]; /* SQLite reads them when the statement is run */
    if (fails(err))
        return UNAVAILABLE;
    if (!is_target(statement))
        return sqlite_engine.bind(statement, params, count, streams, err);
    memcpy(changed, params, count * sizeof *params);
    for (size_t i = 0; i < count && fault.mischief == NULL_TO_EMPTY; i++)
        if (changed[i].kind == DB_KIND_NULL)
            changed[i] = DB_TEXT("");
    if (fault.mischief == MOVE_A_LETTER) {
        size_t length = strlen(params[0].text);
        snprintf(texts[0], sizeof texts[0], "%.*s", (int)length - 1, params[0].text);
        snprintf(texts[1], sizeof texts[1], "%c%s", params[0].text[length - 1], params[1].text);
        changed[0] = DB_TEXT(texts[0]);
        changed[1] = DB_TEXT(texts[1]);
    }
    return sqlite_engine.bind(statement, changed, count, streams, err);
}

static enum engine_step mischief_step(struct engine_statement *statement, enum status *ret_status,
                                      struct err *err)
{
    if (fails(err)) {
        *ret_status = UNAVAILABLE;
        return ENGINE_FAILED;
    }
    if (fault.mischief == LOSE_A_ROW && is_target(statement)) {
        fault.mischief = NO_MISCHIEF;
        return ENGINE_DONE;
    }
    return sqlite_engine.step(statement, ret_status, err);
}

void mischief_init(void)
{
    memset(&fault, 0, sizeof fault);
    mischief_engine = sqlite_engine;
    mischief_engine.begin_read = mischief_begin_read;
    mischief_engine.begin_write = mischief_begin_write;
    mischief_engine.commit = mischief_commit;
    mischief_engine.script = mischief_script;
    mischief_engine.prepare = mischief_prepare;
    mischief_engine.bind = mischief_bind;
    mischief_engine.step = mischief_step;
}

void mischief_fail_at(int64_t n)
{
    fault.calls = 0;
    fault.fail_at = n;
}

void mischief_do(enum mischief mischief, const char *beginning)
{
    fault.count = 0;
    fault.mischief = mischief;
    fault.beginning = beginning;
}
