#include "base/status.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

const char *status_name(enum status status)
{
    switch (status) {
    case OK:
        return "ok";
    case MALFORMED:
        return "malformed";
    case INVALID:
        return "invalid";
    case UNAUTHENTICATED:
        return "unauthenticated";
    case DENIED:
        return "denied";
    case NOT_FOUND:
        return "not_found";
    case CONFLICT:
        return "conflict";
    case STALE:
        return "stale";
    case TOO_LARGE:
        return "too_large";
    case LIMITED:
        return "limited";
    case BUSY:
        return "busy";
    case UNAVAILABLE:
        return "unavailable";
    case INTERNAL:
        return "internal";
    }
    return "unknown";
}

void err_init(struct err *err)
{
    err->count = 0;
    err->retry_after_s = 0;
    err->items[0].field[0] = '\0';
    err->items[0].message[0] = '\0';
}

PRINTF(3, 0)
static void add(struct err *err, const char *field, const char *format, va_list args)
{
    if (err->count < ERR_ITEMS_MAX) {
        struct err_item *item = &err->items[err->count];
        snprintf(item->field, sizeof item->field, "%s", field ? field : "");
        vsnprintf(item->message, sizeof item->message, format, args);
        text_cut_partial(item->field);
        text_cut_partial(item->message);
    }
    err->count++;
}

void err_add(struct err *err, const char *field, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(err, field, format, args);
    va_end(args);
}

enum status err_set(struct err *err, enum status status, const char *field, const char *format, ...)
{
    if (err) {
        va_list args;
        err_init(err);
        va_start(args, format);
        add(err, field, format, args);
        va_end(args);
    }
    return status;
}

const char *err_text(const struct err *err, char *buffer, size_t size)
{
    if (err->count == 0)
        snprintf(buffer, size, "unknown error");
    else if (err->items[0].field[0])
        snprintf(buffer, size, "%s: %s", err->items[0].field, err->items[0].message);
    else
        snprintf(buffer, size, "%s", err->items[0].message);
    return buffer;
}
