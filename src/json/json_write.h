/**
 * Writing JSON into a buffer; commas and quotes are looked after.
 *
 *     struct json_writer out; json_writer_init(&out, &buf);
 *     json_open_object(&out, NULL);
 *       json_put_string(&out, "title", risk->title);
 *       json_open_array(&out, "tags"); … json_close_array(&out);
 *     json_close_object(&out);
 *
 * `name` is the member's name, NULL inside an array and at the root. Output is compact UTF-8 in the
 * order of the calls; depth up to JSON_WRITE_DEPTH_MAX, beyond is an assertion. Texts must be
 * UTF-8. `<`, `>`, `&`, U+2028 and U+2029 go out as they are. What passes the buffer's cap is
 * dropped: check `buf.overflow` at the end. Not thread-safe.
 */
#ifndef OPENRISK_JSON_JSON_WRITE_H
#define OPENRISK_JSON_JSON_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/field.h"
#include "json/json.h"

enum { JSON_WRITE_DEPTH_MAX = 31 };

struct json_writer {
    struct buf *buf;
    uint32_t has_item; /* bit d: something was written at depth d */
    unsigned depth;
};

void json_writer_init(struct json_writer *out, struct buf *buf);
void json_open_object(struct json_writer *out, const char *name);
void json_close_object(struct json_writer *out);
void json_open_array(struct json_writer *out, const char *name);
void json_close_array(struct json_writer *out);
void json_put_string(struct json_writer *out, const char *name, const char *text_or_null);
void json_put_int(struct json_writer *out, const char *name, int64_t value);
/** Shortest digits that read back as the same number; whole numbers without a point. */
void json_put_real(struct json_writer *out, const char *name, double value);
void json_put_bool(struct json_writer *out, const char *name, bool value);
void json_put_null(struct json_writer *out, const char *name);
/** 1250 → 12.5, 2000 → 20, 825 → 8.25 */
void json_put_hundredths(struct json_writer *out, const char *name, int64_t hundredths);
/** RFC 3339; 0 → null */
void json_put_time(struct json_writer *out, const char *name, int64_t time_ms);
void json_put_texts(struct json_writer *out, const char *name, struct texts texts);
/** JSON that is known to be well-formed, as it is; NULL → null */
void json_put_raw(struct json_writer *out, const char *name, const char *json_text);
/** A parsed value, compact, members in its order; NULL → null */
void json_put_value(struct json_writer *out, const char *name, const json *value_or_null);

/** One member of a record, by its field. FIELD_HIDDEN members too: the caller chooses. */
void json_put_field(struct json_writer *out, const struct field *field, const void *record);
/** The members of `mask` into the open object, without FIELD_HIDDEN ones. */
void json_put_fields(struct json_writer *out, const struct field_table *table, field_mask mask,
                     const void *record);
/** One member's value alone as JSON text, for the timeline: "\"ACTIVE\"", "4", "null". */
char *json_field_text(const struct field *field, const void *record, struct arena *arena);

#endif
