/* What is made of statements alone: records, and single values. */
#include <stdlib.h>

#include "store/db.h"

void db_bind_record(const struct field_table *table, const void *record, struct arena *arena,
                    struct db_value *values)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        switch (field->kind) {
        case FIELD_TEXT:
        case FIELD_LONG_TEXT:
        case FIELD_DATE:
        case FIELD_OBJECT:
            values[i] = DB_TEXT(*FIELD_OF(char *, record, field));
            break;
        case FIELD_INT:
        case FIELD_HUNDREDTHS:
            values[i] = DB_INT(*FIELD_OF(int64_t, record, field));
            break;
        case FIELD_TIME:
            values[i] = DB_INT_OR_NULL(*FIELD_OF(int64_t, record, field));
            break;
        case FIELD_BOOL:
            values[i] = DB_INT(*FIELD_OF(bool, record, field));
            break;
        case FIELD_ENUM:
            values[i] = DB_TEXT(field->names[*FIELD_OF(int, record, field)]);
            break;
        case FIELD_TEXTS:
            values[i] = DB_TEXT(text_join(arena, *FIELD_OF(struct texts, record, field), '\n'));
            break;
        }
    }
}

void db_read_record(const struct db_rows *rows, int first, const struct field_table *table,
                    struct arena *arena, void *record)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        int column = first + (int)i;
        switch (field->kind) {
        case FIELD_TEXT:
        case FIELD_LONG_TEXT:
        case FIELD_DATE:
        case FIELD_OBJECT:
            *FIELD_AT(const char *, record, field) = db_text_copy(rows, column, arena);
            break;
        case FIELD_INT:
        case FIELD_HUNDREDTHS:
        case FIELD_TIME:
            *FIELD_AT(int64_t, record, field) = db_int(rows, column);
            break;
        case FIELD_BOOL:
            *FIELD_AT(bool, record, field) = db_int(rows, column) != 0;
            break;
        case FIELD_ENUM: {
            int index = text_index(field->names, db_text(rows, column));
            *FIELD_AT(int, record, field) = index < 0 ? 0 : index;
            break;
        }
        case FIELD_TEXTS:
            *FIELD_AT(struct texts, record, field) = text_split(arena, db_text(rows, column), '\n');
            break;
        }
    }
}

enum status db_select_int(struct db *db, const struct query *query, const struct db_value *params,
                          size_t count, int64_t *ret_value, struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status = db_select(db, query, params, count, &rows, err);
    if (status != OK)
        return status;
    bool found = db_next(&rows);
    int64_t value = found ? db_int(&rows, 0) : 0;
    status = db_end(&rows, err);
    if (status != OK)
        return status;
    if (!found)
        return err_set(err, NOT_FOUND, NULL, "there is no such thing");
    *ret_value = value;
    return OK;
}

enum status db_select_text(struct db *db, const struct query *query, const struct db_value *params,
                           size_t count, struct arena *arena, char **ret_text, struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status = db_select(db, query, params, count, &rows, err);
    if (status != OK)
        return status;
    bool found = db_next(&rows);
    char *text = found ? db_text_copy(&rows, 0, arena) : NULL;
    status = db_end(&rows, err);
    if (status != OK)
        return status;
    if (!found)
        return err_set(err, NOT_FOUND, NULL, "there is no such thing");
    *ret_text = text;
    return OK;
}
