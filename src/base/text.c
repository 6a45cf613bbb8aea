#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

#include "base/mem.h"

bool text_is_utf8(const char *bytes, size_t length)
{
    const uint8_t *at = (const uint8_t *)bytes, *end = at + length;
    while (at < end) {
        if (*at < 0x80) {
            if (*at++ == 0)
                return false;
            continue;
        }
        utf8proc_int32_t point;
        utf8proc_ssize_t used = utf8proc_iterate(at, end - at, &point);
        if (used <= 0)
            return false;
        at += used;
    }
    return true;
}

size_t text_length(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

void text_cut_partial(char *text)
{
    size_t length = strlen(text), start = length;
    while (start > 0 && length - start < 4 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (length - (start - 1) < want)
        text[start - 1] = '\0';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/** White space as one space, none at the ends; in place. */
static char *squeeze(char *text)
{
    char *out = text;
    for (const char *in = text; *in; in++) {
        if (!is_space(*in))
            *out++ = *in;
        else if (out > text && out[-1] != ' ')
            *out++ = ' ';
    }
    while (out > text && out[-1] == ' ')
        out--;
    *out = '\0';
    return text;
}

static bool is_ascii(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

char *text_fold(struct arena *arena, const char *text)
{
    if (is_ascii(text)) {
        char *copy = arena_strdup(arena, text);
        for (char *c = copy; *c; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c - 'A' + 'a');
        return squeeze(copy);
    }
    utf8proc_uint8_t *mapped = NULL;
    utf8proc_ssize_t length =
        utf8proc_map((const utf8proc_uint8_t *)text, 0, &mapped,
                     UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT |
                         UTF8PROC_CASEFOLD | UTF8PROC_STRIPMARK | UTF8PROC_IGNORE);
    if (length < 0) /* only for text that is not UTF-8, which never gets this far */
        return squeeze(arena_strdup(arena, text));
    char *copy = arena_memdup(arena, mapped, (size_t)length);
    free(mapped);
    return squeeze(copy);
}

bool text_has_control(const char *text, bool multiline)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == 0x7F || (*c < 0x20 && !(multiline && (*c == '\t' || *c == '\n' || *c == '\r'))))
            return true;
        if (*c == 0xC2 && c[1] >= 0x80 && c[1] < 0xA0) /* C1: U+0080 to U+009F */
            return true;
    }
    return false;
}

char *text_trim(struct arena *arena, const char *text)
{
    while (is_space(*text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && is_space(text[length - 1]))
        length--;
    return arena_memdup(arena, text, length);
}

bool text_equal_nocase(const char *a, const char *b)
{
    /* Most pairs differ in the first letter already; 0x20 is what cases differ in. */
    return ((*a ^ *b) & ~0x20) == 0 && strcasecmp(a, b) == 0;
}

bool text_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool text_to_int(const char *text, int64_t *ret_value)
{
    const char *digits = *text == '-' ? text + 1 : text;
    if (*digits < '0' || *digits > '9')
        return false;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || *end)
        return false;
    *ret_value = value;
    return true;
}

int text_index(const char *const *names, const char *text)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    return -1;
}

char *text_alternatives(struct arena *arena, const char *const *names)
{
    char *list = arena_strdup(arena, "");
    for (size_t i = 0; names[i]; i++)
        list = arena_format(arena, "%s%s%s", list,
                            i == 0         ? ""
                            : names[i + 1] ? ", "
                                           : " or ",
                            names[i]);
    return list;
}

struct texts text_split(struct arena *arena, const char *text, char separator)
{
    struct texts texts = {0};
    if (!text || !*text)
        return texts;
    size_t most = 1;
    for (const char *c = text; *c; c++)
        most += *c == separator;
    texts.items = arena_alloc(arena, most * sizeof *texts.items);
    while (*text) {
        const char *end = strchrnul(text, separator);
        if (end > text)
            texts.items[texts.count++] = arena_memdup(arena, text, (size_t)(end - text));
        text = *end ? end + 1 : end;
    }
    return texts;
}

char *text_join(struct arena *arena, struct texts texts, char separator)
{
    size_t size = 1;
    for (size_t i = 0; i < texts.count; i++)
        size += strlen(texts.items[i]) + 1;
    char *joined = arena_alloc(arena, size), *out = joined;
    for (size_t i = 0; i < texts.count; i++) {
        if (i)
            *out++ = separator;
        out = stpcpy(out, texts.items[i]);
    }
    *out = '\0';
    return joined;
}

char *text_hex(const void *bytes, size_t length, char *text)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = bytes;
    for (size_t i = 0; i < length; i++) {
        text[2 * i] = digits[from[i] >> 4];
        text[2 * i + 1] = digits[from[i] & 15];
    }
    text[2 * length] = '\0';
    return text;
}

int text_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool text_equal_secret(const void *a, const void *b, size_t length)
{
    const unsigned char *one = a, *other = b;
    unsigned difference = 0;
    for (size_t i = 0; i < length; i++)
        difference |= one[i] ^ other[i];
    return difference == 0;
}

bool texts_equal(struct texts a, struct texts b)
{
    if (a.count != b.count)
        return false;
    for (size_t i = 0; i < a.count; i++)
        if (strcmp(a.items[i], b.items[i]) != 0)
            return false;
    return true;
}

bool texts_contain(struct texts texts, const char *text)
{
    for (size_t i = 0; i < texts.count; i++)
        if (strcmp(texts.items[i], text) == 0)
            return true;
    return false;
}

struct texts texts_copy(struct arena *arena, struct texts texts)
{
    struct texts copy = {.count = texts.count};
    if (texts.count)
        copy.items = arena_alloc(arena, texts.count * sizeof *copy.items);
    for (size_t i = 0; i < texts.count; i++)
        copy.items[i] = arena_strdup(arena, texts.items[i]);
    return copy;
}
