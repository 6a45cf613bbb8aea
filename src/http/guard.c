#include "http/guard.h"

#include <string.h>

#include "base/text.h"

const char *const http_method_names[] = {"GET",   "HEAD",   "POST",    "PUT",
                                         "PATCH", "DELETE", "OPTIONS", NULL};

static int refuse(int http_status, const char *detail, const char **ret_detail)
{
    *ret_detail = detail;
    return http_status;
}

int guard_method(const char *method, enum http_method *ret_method, const char **ret_detail)
{
    int index = text_index(http_method_names, method);
    if (index < 0)
        return refuse(501, "the method is not known here", ret_detail);
    *ret_method = (enum http_method)index;
    return 0;
}

/**
 * Decode `length` bytes into the arena. NULL unless it is complete escapes and UTF-8 without NUL.
 * In a query '+' is a space.
 */
static char *decode(struct arena *arena, const char *raw, size_t length, bool in_query)
{
    char *decoded = arena_alloc(arena, length + 1), *out = decoded;
    for (const char *at = raw, *end = raw + length; at < end; at++) {
        if (*at == '+' && in_query) {
            *out++ = ' ';
        } else if (*at == '%') {
            if (end - at < 3 || text_hex_digit(at[1]) < 0 || text_hex_digit(at[2]) < 0)
                return NULL;
            *out++ = (char)(text_hex_digit(at[1]) << 4 | text_hex_digit(at[2]));
            at += 2;
        } else {
            *out++ = *at;
        }
    }
    *out = '\0';
    return text_is_utf8(decoded, (size_t)(out - decoded)) ? decoded : NULL;
}

/** Letters, digits, '-', '_' and single '/': what nearly every path consists of, and needs no care.
 */
static bool is_plain_path(const char *raw, size_t length)
{
    static const bool plain[256] = {['a' ... 'z'] = true,
                                    ['A' ... 'Z'] = true,
                                    ['0' ... '9'] = true,
                                    ['-'] = true,
                                    ['_'] = true};
    bool after_slash = false;
    for (size_t i = 0; i < length; i++) {
        bool slash = raw[i] == '/';
        if (slash ? after_slash : !plain[(unsigned char)raw[i]])
            return false;
        after_slash = slash;
    }
    return true;
}

static bool has_dot_segment(const char *path)
{
    for (const char *segment = path; segment; segment = strchr(segment, '/')) {
        segment += *segment == '/';
        size_t length = strcspn(segment, "/");
        if ((length == 1 && segment[0] == '.') || (length == 2 && memcmp(segment, "..", 2) == 0))
            return true;
    }
    return false;
}

static bool has_encoded_slash(const char *raw, size_t length)
{
    for (size_t i = 0; i + 2 < length; i++)
        if (raw[i] == '%' && raw[i + 1] == '2' && (raw[i + 2] == 'F' || raw[i + 2] == 'f'))
            return true;
    return false;
}

static int guard_path(struct arena *arena, const char *raw, size_t length, const char **ret_path,
                      const char **ret_detail)
{
    if (raw[0] != '/')
        return refuse(400, "the path must begin with '/'", ret_detail);
    if (is_plain_path(raw, length)) {
        *ret_path = arena_memdup(arena, raw, length);
        return 0;
    }
    if (has_encoded_slash(raw, length))
        return refuse(400, "an encoded '/' is not allowed in the path", ret_detail);
    const char *path = decode(arena, raw, length, false);
    if (!path || text_has_control(path, false))
        return refuse(400, "the path is not UTF-8 text in URL encoding", ret_detail);
    if (strstr(path, "//"))
        return refuse(400, "'//' is not allowed in the path", ret_detail);
    if (has_dot_segment(path))
        return refuse(400, "'.' and '..' are not allowed as segments of the path", ret_detail);
    *ret_path = path;
    return 0;
}

static int guard_query(struct arena *arena, const char *raw, struct http_params *ret_query,
                       const char **ret_detail)
{
    size_t capacity = 1;
    for (const char *at = raw; *at; at++)
        capacity += *at == '&';
    struct http_param *items = arena_zalloc(arena, capacity, sizeof *items);
    size_t count = 0;
    for (const char *piece = raw; *piece; piece += *piece == '&') {
        size_t length = strcspn(piece, "&"), name_length = strcspn(piece, "=&");
        const char *value = piece + name_length + (name_length < length);
        if (length > 0) {
            struct http_param *item = &items[count++];
            item->name = decode(arena, piece, name_length, true);
            item->value = decode(arena, value, (size_t)(piece + length - value), true);
            if (!item->name || !item->value)
                return refuse(400, "the query is not UTF-8 text in URL encoding", ret_detail);
        }
        piece += length;
    }
    *ret_query = (struct http_params){.items = items, .count = count};
    return 0;
}

int guard_target(struct arena *arena, const char *target, const char **ret_path,
                 struct http_params *ret_query, const char **ret_detail)
{
    for (const char *at = target; *at; at++)
        if (*at <= ' ' || *at > '~' || *at == '#')
            return refuse(400, "the request's target holds a character that must be encoded",
                          ret_detail);
    size_t length = strcspn(target, "?");
    int refused = guard_path(arena, target, length, ret_path, ret_detail);
    if (refused)
        return refused;
    return guard_query(arena, target + length + (target[length] == '?'), ret_query, ret_detail);
}

/* RFC 9110, section 5.6.2 */
static bool is_token(const char *text)
{
    static const bool token[256] = {
        ['a' ... 'z'] = true,  ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['!'] = true,
        ['#' ... '\''] = true, ['*'] = true,         ['+'] = true,         ['-'] = true,
        ['.'] = true,          ['^' ... '`'] = true, ['|'] = true,         ['~'] = true};
    if (!*text)
        return false;
    while (token[(unsigned char)*text])
        text++;
    return !*text;
}

/** A tab is allowed, a CR is not; an LF has ended the line. */
static bool is_value(const char *text)
{
    const char *at = text;
    while (*at >= ' ' && *at < 0x7F)
        at++;
    return !*at || (!text_has_control(text, true) && !strchr(text, '\r') &&
                    text_is_utf8(text, strlen(text)));
}

/** Up to 2^63 - 1; false on anything but digits. */
static bool read_length(const char *text, uint64_t *ret_length)
{
    int64_t length;
    if (!*text || text[strspn(text, "0123456789")] != '\0' || !text_to_int(text, &length))
        return false;
    *ret_length = (uint64_t)length;
    return true;
}

static const char *const counted_names[] = {"Host", "Content-Length", "Transfer-Encoding", "Expect",
                                            NULL};
enum { HOST, CONTENT_LENGTH, TRANSFER_ENCODING, EXPECT, COUNTED };

/** Each header for itself; the framing ones go to `counts` and `values`. */
static int guard_each(struct http_params headers, unsigned counts[COUNTED],
                      const char *values[COUNTED], const char **ret_detail)
{
    for (size_t i = 0; i < headers.count; i++) {
        const struct http_param *header = &headers.items[i];
        if (!is_token(header->name))
            return refuse(400, "the name of a header holds a forbidden character", ret_detail);
        if (!is_value(header->value))
            return refuse(400, "the value of a header is not text", ret_detail);
        for (size_t known = 0; counted_names[known]; known++) {
            if (text_equal_nocase(header->name, counted_names[known])) {
                counts[known]++;
                values[known] = header->value;
            }
        }
    }
    return 0;
}

int guard_headers(struct http_params headers, bool http_1_0, struct guard_framing *ret_framing,
                  const char **ret_detail)
{
    unsigned counts[COUNTED] = {0};
    const char *values[COUNTED] = {0};
    struct guard_framing framing = {0};
    int refused = guard_each(headers, counts, values, ret_detail);
    if (refused)
        return refused;
    if (counts[HOST] > 1 || (counts[HOST] == 0 && !http_1_0))
        return refuse(400, "there must be exactly one Host header", ret_detail);
    if (counts[CONTENT_LENGTH] + counts[TRANSFER_ENCODING] > 1)
        return refuse(400, "the length of the body is ambiguous", ret_detail);
    if (counts[CONTENT_LENGTH] && !read_length(values[CONTENT_LENGTH], &framing.length))
        return refuse(400, "Content-Length must be a number", ret_detail);
    if (counts[TRANSFER_ENCODING] &&
        (http_1_0 || !text_equal_nocase(values[TRANSFER_ENCODING], "chunked")))
        return refuse(400, "the only Transfer-Encoding is chunked", ret_detail);
    framing.chunked = counts[TRANSFER_ENCODING] > 0;
    if (counts[EXPECT] > 1 ||
        (counts[EXPECT] && !text_equal_nocase(values[EXPECT], "100-continue")))
        return refuse(417, "the only Expect is 100-continue", ret_detail);
    framing.expects_continue = counts[EXPECT] && !http_1_0;
    *ret_framing = framing;
    return 0;
}
