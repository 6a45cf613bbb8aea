#include "json/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "json/check.h"
#include "json/json_write.h"

/** One member of a body on its way into a record. */
struct member {
    const struct field *field;
    const char *name; /* for messages */
    const json *value;
    void *record;
    struct arena *arena;
    struct err *err;
};

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n\f\v")] == '\0';
}

/** TEXT, LONG_TEXT and DATE are all `const char *` in the record. */
static enum status read_text(const struct member *member, const char *message)
{
    const struct field *field = member->field;
    const char *text = json_as_string(member->value);
    if (!text)
        return json_fault(member->err, member->name, "%s", message);
    bool taken_as_it_is = field->flags & FIELD_HIDDEN;
    if (!taken_as_it_is && is_blank(text))
        text = NULL;
    else if (field->kind == FIELD_TEXT && !taken_as_it_is)
        text = text_trim(member->arena, text);
    else
        text = arena_strdup(member->arena, text);
    *FIELD_AT(const char *, member->record, field) = text;
    return json_check_field(field, member->name, member->record, member->err);
}

static enum status read_int(const struct member *member)
{
    const struct field *field = member->field;
    bool limited = field->min || field->max;
    if (json_as_int(member->value, FIELD_AT(int64_t, member->record, field)))
        return json_check_field(field, member->name, member->record, member->err);
    if (!limited)
        return json_fault(member->err, member->name, "must be a whole number");
    return json_fault(member->err, member->name, "must be a whole number from %lld to %lld",
                      (long long)field->min, (long long)field->max);
}

static enum status read_hundredths(const struct member *member)
{
    double value;
    if (!json_as_real(member->value, &value) || fabs(value) > 1e13)
        return json_fault(member->err, member->name, "must be a number");
    int64_t hundredths = llround(value * 100);
    /* Division rounds to the nearest double, as reading "12.34" did: equal only if it was that. */
    if ((double)hundredths / 100 != value)
        return json_fault(member->err, member->name, "must have at most two decimals");
    *FIELD_AT(int64_t, member->record, member->field) = hundredths;
    return json_check_field(member->field, member->name, member->record, member->err);
}

static enum status read_bool(const struct member *member)
{
    if (!json_as_bool(member->value, FIELD_AT(bool, member->record, member->field)))
        return json_fault(member->err, member->name, "must be true or false");
    return OK;
}

static enum status read_enum(const struct member *member)
{
    const char *const *names = member->field->names;
    const char *text = json_as_string(member->value);
    int position = text ? text_index(names, text) : -1;
    if (position < 0)
        return json_fault(member->err, member->name, "must be one of %s",
                          text_alternatives(member->arena, names));
    *FIELD_AT(int, member->record, member->field) = position;
    return OK;
}

static enum status read_time(const struct member *member)
{
    const char *text = json_as_string(member->value);
    int64_t time_ms;
    /* The record's 0 stands for null, so the first millisecond of 1970 cannot be told from it. */
    if (!text || !clock_parse_time(text, &time_ms) || time_ms <= 0)
        return json_fault(member->err, member->name,
                          "must be a time that exists, as YYYY-MM-DDTHH:MM:SSZ");
    *FIELD_AT(int64_t, member->record, member->field) = time_ms;
    return OK;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum status read_object(const struct member *member)
{
    enum status status = json_check_object(member->field, member->name, member->value, member->err);
    if (status)
        return status;
    size_t count = 0;
    const char **names = arena_zalloc(member->arena, json_count(member->value), sizeof *names);
    for (const char *name = NULL; json_next_member(member->value, &name);)
        names[count++] = name;
    if (count > 1)
        qsort(names, count, sizeof *names, by_bytes);

    AUTO_BUF struct buf text;
    buf_init(&text, SIZE_MAX);
    struct json_writer out;
    json_writer_init(&out, &text);
    json_open_object(&out, NULL);
    for (size_t i = 0; i < count; i++)
        json_put_value(&out, names[i], json_member(member->value, names[i]));
    json_close_object(&out);
    *FIELD_AT(const char *, member->record, member->field) =
        arena_memdup(member->arena, text.data, text.length);
    return OK;
}

static enum status read_null(const struct member *member)
{
    const struct field *field = member->field;
    if (!(field->flags & FIELD_NULLABLE))
        return json_fault(member->err, member->name, "must not be null");
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_LONG_TEXT:
    case FIELD_DATE:
    case FIELD_OBJECT:
        *FIELD_AT(const char *, member->record, field) = NULL;
        return OK;
    case FIELD_INT:
    case FIELD_TIME:
    case FIELD_HUNDREDTHS:
        *FIELD_AT(int64_t, member->record, field) = 0;
        return OK;
    case FIELD_BOOL:
        *FIELD_AT(bool, member->record, field) = false;
        return OK;
    case FIELD_ENUM:
        *FIELD_AT(int, member->record, field) = 0;
        return OK;
    case FIELD_TEXTS:
        *FIELD_AT(struct texts, member->record, field) = (struct texts){0};
        return OK;
    }
    return OK;
}

static enum status read_member(const struct member *member)
{
    const struct field *field = member->field;
    if (json_kind(member->value) == JSON_KIND_NULL)
        return read_null(member);
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_LONG_TEXT:
        return read_text(member, "must be a text");
    case FIELD_DATE:
        return read_text(member, "must be a date that exists, as YYYY-MM-DD");
    case FIELD_INT:
        return read_int(member);
    case FIELD_BOOL:
        return read_bool(member);
    case FIELD_ENUM:
        return read_enum(member);
    case FIELD_TIME:
        return read_time(member);
    case FIELD_HUNDREDTHS:
        return read_hundredths(member);
    case FIELD_TEXTS:
        return json_read_texts(member->value, member->name, (size_t)field->max_items,
                               (size_t)field->max, member->arena,
                               FIELD_AT(struct texts, member->record, field), member->err);
    case FIELD_OBJECT:
        return read_object(member);
    }
    return OK;
}

/** "title", or with a prefix "mitigations[2].title". */
static const char *path(const struct json_read *how, const char *name, struct arena *arena)
{
    return how->prefix ? arena_format(arena, "%s.%s", how->prefix, name) : name;
}

static enum status find_missing(const struct json_read *how, field_mask present,
                                struct arena *arena, struct err *err)
{
    enum status status = OK;
    field_mask missing = field_mask_of(how->table, FIELD_REQUIRED) & ~present;
    for (size_t i = 0; i < how->table->count; i++) {
        if (missing & FIELD_BIT(i))
            status = json_fault(err, path(how, how->table->fields[i].name, arena), "is required");
    }
    return status;
}

enum status json_read_record(const json *value, const struct json_read *how, struct arena *arena,
                             void *record, field_mask *ret_mask, struct err *err)
{
    static const char *const none[] = {NULL};
    const char *const *also = how->also ? how->also : none;
    if (json_kind(value) != JSON_KIND_OBJECT)
        return json_fault(err, how->prefix, "must be a JSON object");
    enum status status = OK;
    field_mask present = 0;
    const json *item;
    for (const char *name = NULL; (item = json_next_member(value, &name));) {
        size_t index;
        const struct field *field = field_find(how->table, name, &index);
        if (!field && text_index(also, name) >= 0)
            continue;
        const struct member member = {.field = field,
                                      .name = path(how, name, arena),
                                      .value = item,
                                      .record = record,
                                      .arena = arena,
                                      .err = err};
        enum status fate;
        if (!field)
            fate = json_fault(err, member.name, "is not known");
        else if (!(field->flags & FIELD_WRITABLE) && !how->trusted)
            fate = json_fault(err, member.name, "cannot be set");
        else
            fate = read_member(&member);
        if (field)
            present |= FIELD_BIT(index);
        if (fate)
            status = fate;
    }
    if (how->whole && find_missing(how, present, arena, err))
        status = INVALID;
    if (!status)
        *ret_mask = present;
    return status;
}

enum status json_read_texts(const json *value, const char *name, size_t max_items,
                            size_t max_length, struct arena *arena, struct texts *ret_texts,
                            struct err *err)
{
    if (json_kind(value) != JSON_KIND_ARRAY)
        return json_fault(err, name, "must be a list of texts");
    struct texts texts = {0};
    size_t count = json_count(value);
    if (count > max_items) /* before memory is taken for them */
        return json_fault(err, name, "must have at most %zu items", max_items);
    texts.items = arena_zalloc(arena, count, sizeof *texts.items);
    for (; texts.count < count; texts.count++) {
        const char *text = json_as_string(json_item(value, texts.count));
        if (!text)
            return json_fault(err, name, "item %zu must be a text", texts.count + 1);
        texts.items[texts.count] = text_trim(arena, text);
    }
    enum status status = json_check_texts(texts, name, max_items, max_length, err);
    if (!status)
        *ret_texts = texts;
    return status;
}
