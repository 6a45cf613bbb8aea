#include "json/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { MEMBER_NAME_MAX = 64 };

enum status json_fault(struct err *err, const char *name, const char *format, ...)
{
    char message[ERR_MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    err_add(err, name, "%s", message);
    return INVALID;
}

static enum status check_text(const struct field *field, const char *name, const char *text,
                              struct err *err)
{
    bool taken_as_it_is = field->flags & FIELD_HIDDEN;
    if (!text || !*text)
        return field->flags & FIELD_NULLABLE ? OK : json_fault(err, name, "must not be empty");
    if (!taken_as_it_is && text_has_control(text, field->kind == FIELD_LONG_TEXT))
        return json_fault(err, name, "must not contain control characters");
    if (!field->max)
        return OK;
    size_t length = text_length(text);
    if (length < (size_t)field->min)
        return json_fault(err, name, "must have at least %" PRId64 " characters", field->min);
    if (length > (size_t)field->max)
        return json_fault(err, name, "must have at most %" PRId64 " characters", field->max);
    return OK;
}

static enum status check_number(const struct field *field, const char *name, int64_t value,
                                struct err *err)
{
    bool limited = field->min || field->max;
    if (!limited || (value >= field->min && value <= field->max))
        return OK;
    if (field->kind == FIELD_HUNDREDTHS)
        return json_fault(err, name, "must be a number from %g to %g", (double)field->min / 100,
                          (double)field->max / 100);
    return json_fault(err, name, "must be a whole number from %" PRId64 " to %" PRId64, field->min,
                      field->max);
}

static enum status check_date(const struct field *field, const char *name, const char *date,
                              struct err *err)
{
    int32_t day;
    if (!date)
        return field->flags & FIELD_NULLABLE ? OK : json_fault(err, name, "must not be empty");
    if (!clock_parse_day(date, &day))
        return json_fault(err, name, "must be a date that exists, as YYYY-MM-DD");
    return OK;
}

enum status json_check_texts(struct texts texts, const char *name, size_t max_items,
                             size_t max_length, struct err *err)
{
    if (texts.count > max_items)
        return json_fault(err, name, "must have at most %zu items", max_items);
    for (size_t i = 0; i < texts.count; i++) {
        const char *item = texts.items[i];
        if (!*item)
            return json_fault(err, name, "item %zu must not be empty", i + 1);
        if (text_has_control(item, false))
            return json_fault(err, name, "item %zu must not contain control characters", i + 1);
        if (text_length(item) > max_length)
            return json_fault(err, name, "item %zu must have at most %zu characters", i + 1,
                              max_length);
        if (texts_contain((struct texts){texts.items, i}, item))
            return json_fault(err, name, "item %zu is there twice", i + 1);
    }
    return OK;
}

static enum status check_member(const struct field *field, const char *name, const char *member,
                                const json *value, struct err *err)
{
    size_t length = text_length(member);
    if (length < 1 || length > MEMBER_NAME_MAX)
        return json_fault(err, name, "names in it must have 1 to %d characters", MEMBER_NAME_MAX);
    if (text_has_control(member, false))
        return json_fault(err, name, "names in it must not contain control characters");
    if (json_kind(value) == JSON_KIND_OBJECT || json_kind(value) == JSON_KIND_ARRAY)
        return json_fault(err, name, "\"%s\" must be a text, a number, true, false or null",
                          member);
    const char *text = json_as_string(value);
    if (!text)
        return OK;
    if (text_has_control(text, true))
        return json_fault(err, name, "\"%s\" must not contain control characters", member);
    if (field->max && text_length(text) > (size_t)field->max)
        return json_fault(err, name, "\"%s\" must have at most %" PRId64 " characters", member,
                          field->max);
    return OK;
}

enum status json_check_object(const struct field *field, const char *name, const json *value,
                              struct err *err)
{
    if (json_kind(value) != JSON_KIND_OBJECT)
        return json_fault(err, name, "must be an object");
    if (json_count(value) > (size_t)field->max_items)
        return json_fault(err, name, "must have at most %" PRId64 " members", field->max_items);
    const json *item;
    for (const char *member = NULL; (item = json_next_member(value, &member));) {
        enum status status = check_member(field, name, member, item, err);
        if (status)
            return status;
    }
    return OK;
}

static enum status check_object_text(const struct field *field, const char *name, const char *text,
                                     struct err *err)
{
    if (!text)
        return field->flags & FIELD_NULLABLE ? OK : json_fault(err, name, "must not be empty");
    AUTO_JSON struct json_doc *doc = NULL;
    struct err parse_err;
    if (json_parse(text, strlen(text), &doc, &parse_err))
        return json_fault(err, name, "must be an object in JSON");
    return json_check_object(field, name, json_root(doc), err);
}

enum status json_check_field(const struct field *field, const char *name, const void *record,
                             struct err *err)
{
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_LONG_TEXT:
        return check_text(field, name, *FIELD_OF(char *, record, field), err);
    case FIELD_INT:
    case FIELD_HUNDREDTHS:
        return check_number(field, name, *FIELD_OF(int64_t, record, field), err);
    case FIELD_DATE:
        return check_date(field, name, *FIELD_OF(char *, record, field), err);
    case FIELD_TEXTS:
        return json_check_texts(*FIELD_OF(struct texts, record, field), name,
                                (size_t)field->max_items, (size_t)field->max, err);
    case FIELD_OBJECT:
        return check_object_text(field, name, *FIELD_OF(char *, record, field), err);
    case FIELD_BOOL:
    case FIELD_ENUM:
    case FIELD_TIME:
        return OK; /* whatever their C type can hold is allowed */
    }
    return OK;
}
