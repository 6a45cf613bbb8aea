#include "json/json.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/mem.h"

struct json_doc {
    json_t *root;
};

/* A `json` of ours is the library's json_t under a name that callers can use without its header. */
static const json *ours(const json_t *value)
{
    return (const json *)value;
}

/* The library's look-ups take a pointer to non-const, but change nothing. */
static json_t *theirs(const json *value)
{
    return (json_t *)value;
}

struct place {
    size_t line, column; /* from 1 */
};

static bool inside_character(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/** Where the character of the byte at `offset` is. */
static struct place place_of(const char *bytes, size_t length, size_t offset)
{
    struct place place = {1, 1};
    while (offset > 0 && offset < length && inside_character(bytes[offset]))
        offset--;
    for (size_t i = 0; i < offset; i++) {
        if (bytes[i] == '\n')
            place = (struct place){place.line + 1, 1};
        else if (!inside_character(bytes[i]))
            place.column++;
    }
    return place;
}

/**
 * The first bracket that nests too deep, or `length`. The library's own limit is far higher, and so
 * deep a tree would have to be walked by everyone who comes after. Looks no further than the value
 * at `bytes` goes, since a document may hold very many of them.
 */
static size_t find_too_deep(const char *bytes, size_t length)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < length; i++) {
        char c = bytes[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > JSON_DEPTH_MAX)
                return i;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
        bool between = in_string || c == ' ' || c == '\t' || c == '\n' || c == '\r';
        if (depth == 0 && !between)
            return length;
    }
    return length;
}

/** MALFORMED for a member that occurs twice; `end` is where its second name ends. */
static enum status twice(const char *bytes, size_t end, struct place place, struct err *err)
{
    size_t start = end > 0 ? end - 1 : 0;
    while (start > 0) {
        size_t backslashes = 0;
        start--;
        if (bytes[start] != '"')
            continue;
        while (backslashes < start && bytes[start - 1 - backslashes] == '\\')
            backslashes++;
        if (backslashes % 2 == 0)
            break;
    }
    json_t *name = json_loadb(bytes + start, end - start, JSON_DECODE_ANY, NULL);
    const char *text = json_string_value(name);
    err_set(err, MALFORMED, text, "occurs twice, at line %zu, column %zu", place.line,
            place.column);
    json_decref(name);
    return MALFORMED;
}

/** The library's error in words for the person who sent the text. */
static enum status explain(const char *bytes, size_t length, const json_error_t *error,
                           struct err *err)
{
    size_t at = error->position > 0 ? (size_t)error->position : 0;
    if (at > length)
        at = length;
    struct place place = place_of(bytes, length, at > 0 ? at - 1 : 0);
    const char *what = "this is not valid JSON", *nul = "the character NUL is not allowed";
    switch (json_error_code(error)) {
    case json_error_duplicate_key:
        return twice(bytes, at, place, err);
    case json_error_out_of_memory:
        return err_set(err, INTERNAL, NULL, "there is not enough memory to read this");
    case json_error_premature_end_of_input:
        /* The library takes a NUL between values for the end. */
        what = at > 0 && bytes[at - 1] == '\0' ? nul : "the JSON ends too early";
        break;
    case json_error_end_of_input_expected:
        what = "something follows the JSON value";
        break;
    case json_error_invalid_utf8:
        what = "this is not valid UTF-8";
        break;
    case json_error_null_character:
    case json_error_null_byte_in_key:
        what = nul;
        break;
    case json_error_numeric_overflow:
        what = "a number is out of range";
        break;
    case json_error_unknown:
    case json_error_stack_overflow:
    case json_error_cannot_open_file:
    case json_error_invalid_argument:
    case json_error_invalid_syntax:
    case json_error_invalid_format:
    case json_error_wrong_type:
    case json_error_null_value:
    case json_error_item_not_found:
    case json_error_index_out_of_range:
        break;
    }
    return err_set(err, MALFORMED, NULL, "%s, at line %zu, column %zu", what, place.line,
                   place.column);
}

static enum status parse(const char *bytes, size_t length, size_t flags, struct json_doc **ret_doc,
                         size_t *ret_used, struct err *err)
{
    size_t too_deep = find_too_deep(bytes, length);
    if (too_deep < length) {
        struct place place = place_of(bytes, length, too_deep);
        return err_set(err, MALFORMED, NULL,
                       "the JSON is nested more than %d deep, at line %zu, column %zu",
                       JSON_DEPTH_MAX, place.line, place.column);
    }
    json_error_t error;
    json_t *root =
        json_loadb(bytes, length, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | flags, &error);
    if (!root)
        return explain(bytes, length, &error, err);
    struct json_doc *doc = mem_alloc(sizeof *doc);
    doc->root = root;
    *ret_doc = doc;
    if (ret_used)
        *ret_used = (size_t)error.position;
    return OK;
}

enum status json_parse(const char *bytes, size_t length, struct json_doc **ret_doc, struct err *err)
{
    return parse(bytes, length, 0, ret_doc, NULL, err);
}

enum status json_parse_prefix(const char *bytes, size_t length, struct json_doc **ret_doc,
                              size_t *ret_used, struct err *err)
{
    return parse(bytes, length, JSON_DISABLE_EOF_CHECK, ret_doc, ret_used, err);
}

void json_free(struct json_doc *doc)
{
    if (!doc)
        return;
    json_decref(doc->root);
    free(doc);
}

void json_free_pointer(struct json_doc **doc)
{
    json_free(*doc);
}

const json *json_root(const struct json_doc *doc)
{
    return ours(doc->root);
}

enum json_kind json_kind(const json *value)
{
    switch (json_typeof(theirs(value))) {
    case JSON_OBJECT:
        return JSON_KIND_OBJECT;
    case JSON_ARRAY:
        return JSON_KIND_ARRAY;
    case JSON_STRING:
        return JSON_KIND_STRING;
    case JSON_INTEGER:
        return JSON_KIND_INT;
    case JSON_REAL:
        return JSON_KIND_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_KIND_BOOL;
    case JSON_NULL:
        return JSON_KIND_NULL;
    }
    abort();
}

const json *json_member(const json *value, const char *name)
{
    return ours(json_object_get(theirs(value), name));
}

size_t json_count(const json *array_or_object)
{
    return json_array_size(theirs(array_or_object)) + json_object_size(theirs(array_or_object));
}

const json *json_item(const json *array, size_t index)
{
    return ours(json_array_get(theirs(array), index));
}

const json *json_next_member(const json *object, const char **name)
{
    json_t *tree = theirs(object);
    void *at = *name ? json_object_iter_next(tree, json_object_key_to_iter(*name))
                     : json_object_iter(tree);
    if (!at)
        return NULL;
    *name = json_object_iter_key(at);
    return ours(json_object_iter_value(at));
}

const char *json_as_string(const json *value)
{
    return json_string_value(theirs(value));
}

bool json_as_int(const json *value, int64_t *ret_value)
{
    if (!json_is_integer(theirs(value)))
        return false;
    *ret_value = json_integer_value(theirs(value));
    return true;
}

bool json_as_real(const json *value, double *ret_value)
{
    if (!json_is_number(theirs(value)))
        return false;
    *ret_value = json_number_value(theirs(value));
    return true;
}

bool json_as_bool(const json *value, bool *ret_value)
{
    if (!json_is_boolean(theirs(value)))
        return false;
    *ret_value = json_is_true(theirs(value));
    return true;
}
