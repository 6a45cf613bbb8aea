/**
 * Reading JSON: the only room that uses the JSON library.
 *
 * Documents are strict RFC 8259: UTF-8 without NUL, no duplicate members, no lone surrogates, depth
 * up to JSON_DEPTH_MAX, integers of 64 bits and finite reals. A `json` is a borrowed view of a
 * value inside a `struct json_doc`, and is valid while the document is. Not thread-safe per
 * document.
 *
 *     AUTO_JSON struct json_doc *doc = NULL;
 *     enum status status = json_parse(body, length, &doc, err);
 *     if (!status)
 *         status = json_read_record(json_root(doc), &how, arena, &risk, &present, err);
 *
 * The library's own names also begin json_ (json_string(), json_object(), …): a new name here must
 * not be one of them, or the program links to the wrong function.
 */
#ifndef OPENRISK_JSON_JSON_H
#define OPENRISK_JSON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/field.h"
#include "base/status.h"

struct json_doc;                /* owns a tree */
typedef struct json_value json; /* a borrowed value; never NULL but where said */

enum { JSON_DEPTH_MAX = 64 };

enum json_kind {
    JSON_KIND_NULL,
    JSON_KIND_BOOL,
    JSON_KIND_INT,
    JSON_KIND_REAL,
    JSON_KIND_STRING,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT
};

/** MALFORMED with line and column, and a duplicate member's name. Any value may be the root. */
enum status json_parse(const char *bytes, size_t length, struct json_doc **ret_doc,
                       struct err *err) MUST_CHECK;
/**
 * Parse the one value at `bytes` and tell how many bytes it took; what follows is not looked at.
 * For documents too large for a tree: the caller walks the outer structure itself.
 */
enum status json_parse_prefix(const char *bytes, size_t length, struct json_doc **ret_doc,
                              size_t *ret_used, struct err *err) MUST_CHECK;
void json_free(struct json_doc *doc); /* NULL allowed */
void json_free_pointer(struct json_doc **doc);
#define AUTO_JSON __attribute__((cleanup(json_free_pointer)))

const json *json_root(const struct json_doc *doc);
enum json_kind json_kind(const json *value);
/** NULL if `value` is NULL, is no object or has no such member. */
const json *json_member(const json *value, const char *name);
size_t json_count(const json *array_or_object);         /* 0 for other kinds */
const json *json_item(const json *array, size_t index); /* NULL past the end */
/**
 * The members in the document's order. Begin with `*name` NULL; NULL after the last one:
 *
 *     for (const char *name = NULL; (value = json_next_member(object, &name));) …
 */
const json *json_next_member(const json *object, const char **name);

const char *json_as_string(const json *value); /* NULL if it is not a string */
/** False, and nothing written, if it is another kind: 3.0 is no integer. */
bool json_as_int(const json *value, int64_t *ret_value);
bool json_as_real(const json *value, double *ret_value); /* integers too */
bool json_as_bool(const json *value, bool *ret_value);

/**
 * How json_read_record() reads. All faults are added to `err`, which the caller has begun with
 * err_init(), and then INVALID is returned: unknown and read-only members, wrong types, values
 * outside their limits, and with `whole` (a new record) a missing required member.
 *
 * Texts are copied to `arena`. FIELD_TEXT is trimmed, but for FIELD_HIDDEN ones (a password is
 * taken as it is). A text of nothing but white space counts as null where null is allowed, else as
 * empty. Items of lists are trimmed; empty and repeated ones are refused. A FIELD_OBJECT becomes
 * compact JSON with its members in the order of their bytes, so that equal objects have equal
 * texts.
 *
 * Absent members of `record` stay as they are; what faulty ones hold afterwards is not said.
 */
struct json_read {
    const struct field_table *table;
    const char *const *also; /* members the caller reads itself, NULL-terminated; may be NULL */
    const char *prefix;      /* "mitigations[2]": its title's fault is at "mitigations[2].title";
                                may be NULL */
    bool whole;
    bool trusted; /* read-only members are taken too: a file that export wrote */
};
/** `ret_mask`: which members of the table were present. A `value` that is no object is INVALID. */
enum status json_read_record(const json *value, const struct json_read *how, struct arena *arena,
                             void *record, field_mask *ret_mask, struct err *err) MUST_CHECK;

/**
 * The same limits for one member of a record that was not read from JSON (a row of an import).
 * Texts are taken as they are: trim them before. INVALID adds to `err` under `name`.
 */
enum status json_check_field(const struct field *field, const char *name, const void *record,
                             struct err *err) MUST_CHECK;

/**
 * An array of texts, each 1 to `max_length` characters without control characters once trimmed, at
 * most `max_items`, none twice. INVALID adds to `err` under `name`.
 */
enum status json_read_texts(const json *value, const char *name, size_t max_items,
                            size_t max_length, struct arena *arena, struct texts *ret_texts,
                            struct err *err) MUST_CHECK;

#endif
