#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "metrics/metrics.h"
#include "store/postgres_wire.h"

const char *postgres_words(const char *message, char *text, size_t size)
{
    snprintf(text, size, "%s", message ? message : "");
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
        text[--length] = '\0';
    for (char *c = text; *c; c++)
        if (*c == '\n' || *c == '\t')
            *c = ' ';
    return text;
}

/**
 * The last column of a violated primary key. The server tells it only in a sentence of its own
 * language, but in all of them as "(one, other)=(1, 2)".
 */
static const char *key_column(const PGresult *result, char *text, size_t size)
{
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char *end = detail ? strstr(detail, ")=(") : NULL, *begin = end;
    while (begin && begin > detail && begin[-1] != '(' && begin[-1] != ' ')
        begin--;
    if (!end)
        return NULL;
    snprintf(text, size, "%.*s", (int)(end - begin), begin);
    return text;
}

static void cut_ending(char *text, const char *ending)
{
    size_t length = strlen(text), cut = strlen(ending);
    if (length > cut && strcmp(text + length - cut, ending) == 0)
        text[length - cut] = '\0';
}

/**
 * The column that a violated constraint is about, from its name: "asset_by_name",
 * "account_email_key" and "token_user_id_fkey" of tables "asset", "account" and "token". It is
 * told itself only where it must not be NULL.
 */
static const char *violated_column(const PGresult *result, char *text, size_t size)
{
    const char *column = PQresultErrorField(result, PG_DIAG_COLUMN_NAME);
    const char *table = PQresultErrorField(result, PG_DIAG_TABLE_NAME);
    const char *name = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    if (column) {
        snprintf(text, size, "%s", column);
        return text;
    }
    if (!table || !name)
        return NULL;
    size_t length = strlen(table);
    if (strncmp(name, table, length) == 0 && name[length] == '_')
        name += length + 1;
    if (strcmp(name, "pkey") == 0)
        return key_column(result, text, size);
    if (strncmp(name, "by_", 3) == 0)
        name += 3;
    snprintf(text, size, "%s", name);
    cut_ending(text, "_key");
    cut_ending(text, "_fkey");
    return text;
}

static bool says_full(const char *state)
{
    return strcmp(state, "53100") == 0;
}

static enum status unusable(const char *state, const char *words, const char *sql, struct err *err)
{
    bool is_full = says_full(state);
    log_event(LOG_ERROR, is_full ? "database_full" : "database_unavailable", LOG_TEXT("doing", sql),
              LOG_TEXT("code", state), LOG_TEXT("error", words));
    return err_set(err, UNAVAILABLE, NULL,
                   is_full ? "the database's disk is full" : "the database cannot be used");
}

/* Classes and codes: PostgreSQL's manual, appendix A. */
enum status postgres_failure(struct engine_conn *conn, const PGresult *result, const char *sql,
                             struct err *err)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    char text[300], begin[300], column[ERR_FIELD_SIZE];
    sql = postgres_words(sql, begin, sizeof begin); /* a script is long */
    const char *words =
        postgres_words(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), text, sizeof text);
    if (!state) { /* the connection is lost */
        postgres_break(conn, postgres_words(PQerrorMessage(conn->pg), text, sizeof text));
        return err_set(err, UNAVAILABLE, NULL, "the database cannot be used");
    }
    if (strncmp(state, "23", 2) == 0)
        return err_set(err, CONFLICT, violated_column(result, column, sizeof column),
                       "is already taken");
    if (strcmp(state, "55P03") == 0 || strncmp(state, "40", 2) == 0) {
        metrics_add(METRIC_DB_ERRORS, DB_ERROR_BUSY, 0, 1);
        return err_set(err, BUSY, NULL, "another writer is at work; try again");
    }
    if (strcmp(state, "57014") == 0) {
        metrics_add(METRIC_DB_ERRORS, DB_ERROR_TIMEOUT, 0, 1);
        log_event(LOG_WARN, "statement_timeout", LOG_TEXT("doing", sql));
        return err_set(err, BUSY, NULL, "the database took too long; try again");
    }
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    bool is_last_word = severity && strcmp(severity, "ERROR") != 0;
    /* 25006: a primary that has become a standby; look for the new one */
    if (is_last_word || strcmp(state, "25006") == 0) {
        postgres_break(conn, words);
        return unusable(state, words, sql, err);
    }
    static const char *const classes[] = {"08", "53", "57P", "58", NULL};
    for (const char *const *class = classes; *class; class ++)
        if (strncmp(state, *class, strlen(*class)) == 0) {
            metrics_add(METRIC_DB_ERRORS, says_full(state) ? DB_ERROR_FULL : DB_ERROR_UNAVAILABLE,
                        0, 1);
            return unusable(state, words, sql, err);
        }
    metrics_add(METRIC_DB_ERRORS, DB_ERROR_OTHER, 0, 1);
    log_event(LOG_ERROR, "database_error", LOG_TEXT("doing", sql), LOG_TEXT("code", state),
              LOG_TEXT("error", words));
    return err_set(err, INTERNAL, NULL, "the database refused a statement");
}
