/* Lines of the log: what they look like in both formats, whatever the values are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "json/json.h"

enum { LINE_MAX_BYTES = 8192 };

/** What a line with these items sends to standard error. */
static char *logged(enum log_format format, const struct log_item *items, size_t count)
{
    char *text = mem_zalloc(2 * LINE_MAX_BYTES, 1);
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    assert_true(file && saved >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    log_set_format(format);
    log_write(LOG_INFO, "request", items, count);
    log_write(LOG_DEBUG, "below the level", NULL, 0);
    log_set_format(LOG_LOGFMT);
    dup2(saved, STDERR_FILENO);
    ssize_t length = pread(fileno(file), text, 2 * LINE_MAX_BYTES - 1, 0);
    close(saved);
    fclose(file);
    assert_true(length > 0);
    assert_int_equal(length, strlen(text)); /* no NUL */
    assert_ptr_equal(strchr(text, '\n'), text + length - 1);
    return text;
}

/** A line of one text, from that on; the text is called "a". */
static char *logged_text(enum log_format format, const char *text)
{
    AUTO_FREE char *line = logged(format, &LOG_TEXT("a", text), 1);
    const char *at = strstr(line, format == LOG_JSON ? "\"a\":" : "a=");
    assert_non_null(at);
    return mem_strdup(at);
}

static struct json_doc *parsed(const char *line)
{
    struct json_doc *doc;
    struct err err;
    err_init(&err);
    if (json_parse(line, strlen(line), &doc, &err) != OK)
        fail_msg("no JSON: %s", line);
    assert_int_equal(json_kind(json_root(doc)), JSON_KIND_OBJECT);
    return doc;
}

static const char *member(const struct json_doc *doc, const char *name)
{
    const json *value = json_member(json_root(doc), name);
    return value ? json_as_string(value) : NULL;
}

static void a_line_says_all(void **state)
{
    (void)state;
    const struct log_item items[] = {LOG_TEXT("route", "GET /risks"), LOG_INT("status", -200),
                                     LOG_TEXT("plain", "abc"), LOG_TEXT("none", NULL),
                                     LOG_INT("least", INT64_MIN)};
    AUTO_FREE char *line = logged(LOG_LOGFMT, items, COUNT_OF(items));
    assert_memory_equal(line, "time=20", 7);
    assert_string_equal(strstr(line, " level="),
                        " level=info event=request route=\"GET /risks\" status=-200 plain=abc "
                        "none=\"\" least=-9223372036854775808\n");
    AUTO_FREE char *object = logged(LOG_JSON, items, COUNT_OF(items));
    assert_memory_equal(object, "{\"time\":\"20", 11);
    assert_string_equal(strstr(object, "Z\","),
                        "Z\",\"level\":\"info\",\"event\":\"request\",\"route\":\"GET /risks\","
                        "\"status\":-200,\"plain\":\"abc\",\"none\":\"\","
                        "\"least\":-9223372036854775808}\n");
}

static void a_value_cannot_forge_a_line_or_command_a_terminal(void **state)
{
    (void)state;
    static const struct {
        const char *text, *logfmt, *object;
    } cases[] = {
        {"x\ntime=1 level=error", "\"x\\ntime=1 level=error\"", "\"x\\ntime=1 level=error\""},
        {"\"\\=", "\"\\\"\\\\=\"", "\"\\\"\\\\=\""},
        {"\x1b[2J\x7f\r", "\"\\x1b[2J\\x7f\\x0d\"", "\"\\u001b[2J\\u007f\\u000d\""},
        {"\xc2\x9b\xc2\x85\xc3\xa9", "\"\\u009b\\u0085é\"", "\"\\u009b\\u0085é\""},
        {"\xe2\x80\xa8\xe2\x80\xa9", "\"\\u2028\\u2029\"", "\"\\u2028\\u2029\""},
        {"\x9b[2J", "\"\\x9b[2J\"", "\"\uFFFD[2J\""},       /* a C1 control that is no UTF-8 */
        {"\xc0\x8a", "\"\\xc0\\x8a\"", "\"\uFFFD\uFFFD\""}, /* an overlong line feed */
        {"\xed\xa0\x80", "\"\\xed\\xa0\\x80\"", "\"\uFFFD\uFFFD\uFFFD\""}, /* a surrogate */
        {"a\xe2\x82", "\"a\\xe2\\x82\"", "\"a\uFFFD\uFFFD\""},             /* ends too soon */
        {"é€\xf0\x9f\x98\x80", "é€\xf0\x9f\x98\x80", "\"é€\xf0\x9f\x98\x80\""},
        {"a=b", "\"a=b\"", "\"a=b\""},
        {"{}", "{}", "\"{}\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FREE char *logfmt = logged_text(LOG_LOGFMT, cases[i].text);
        AUTO_FREE char *object = logged_text(LOG_JSON, cases[i].text);
        AUTO_FREE char *want_logfmt = mem_format("a=%s\n", cases[i].logfmt);
        AUTO_FREE char *want_object = mem_format("\"a\":%s}\n", cases[i].object);
        assert_string_equal(logfmt, want_logfmt);
        assert_string_equal(object, want_object);
    }
}

/** With every byte in every place, and with many more at random. */
static void every_line_of_json_can_be_read(void **state)
{
    (void)state;
    enum { TEXTS = 3000, TEXT_BYTES = 24 };
    uint64_t random = 88172645463325252u;
    for (unsigned i = 0; i < 256 + TEXTS; i++) {
        char text[TEXT_BYTES + 1] = "ab";
        for (size_t at = 0; i >= 256 && at < TEXT_BYTES; at++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            text[at] = (char)(random >> 32);
        }
        if (i < 256)
            text[1] = (char)i;
        const struct log_item items[] = {LOG_TEXT("a", text), LOG_INT("b", i)};
        AUTO_FREE char *line = logged(LOG_JSON, items, COUNT_OF(items));
        AUTO_JSON struct json_doc *doc = parsed(line);
        int64_t number;
        assert_true(json_as_int(json_member(json_root(doc), "b"), &number));
        assert_int_equal(number, i);
        if (text_is_utf8(text, strlen(text)))
            assert_string_equal(member(doc, "a"), text);
        else
            assert_non_null(strstr(member(doc, "a"), "\uFFFD"));
    }
}

/** Texts that end at, before and behind the greatest length, of characters that take most room. */
static void a_line_has_a_greatest_length_and_is_whole_all_the_same(void **state)
{
    (void)state;
    static const char *const ends[] = {"x", "\"", "\x01", "€", "\xff", "\xc2\x80"};
    for (size_t length = LINE_MAX_BYTES - 120; length < LINE_MAX_BYTES + 20; length++) {
        const char *end = ends[length % COUNT_OF(ends)];
        AUTO_FREE char *text = mem_format("%0*d%s%s%s", (int)length - 20, 1, end, end, end);
        const struct log_item items[] = {LOG_TEXT("a", text), LOG_INT("number", 123456),
                                         LOG_TEXT("last", "the end")};
        AUTO_FREE char *logfmt = logged(LOG_LOGFMT, items, COUNT_OF(items));
        AUTO_FREE char *object = logged(LOG_JSON, items, COUNT_OF(items));
        assert_true(strlen(logfmt) <= LINE_MAX_BYTES && strlen(object) <= LINE_MAX_BYTES);
        AUTO_JSON struct json_doc *doc = parsed(object);
        assert_non_null(member(doc, "a"));
        assert_memory_equal(member(doc, "a"), text, length - 120);
        int64_t number; /* it is whole, or not there */
        const json *value = json_member(json_root(doc), "number");
        assert_true(!value || (json_as_int(value, &number) && number == 123456));
        const char *found = strstr(logfmt, "number=");
        assert_true(!found || strncmp(found, "number=123456", 13) == 0);
    }
}

static void a_line_below_the_level_is_not_written(void **state)
{
    (void)state;
    uint64_t before = log_statistics().written;
    log_set_level(LOG_ERROR);
    log_event(LOG_WARN, "quiet", LOG_INT("a", 1));
    assert_false(log_enabled(LOG_WARN));
    log_set_level(LOG_INFO);
    assert_true(log_enabled(LOG_WARN) && !log_enabled(LOG_DEBUG));
    assert_int_equal(log_statistics().written, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_all),
        cmocka_unit_test(a_value_cannot_forge_a_line_or_command_a_terminal),
        cmocka_unit_test(every_line_of_json_can_be_read),
        cmocka_unit_test(a_line_has_a_greatest_length_and_is_whole_all_the_same),
        cmocka_unit_test(a_line_below_the_level_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
