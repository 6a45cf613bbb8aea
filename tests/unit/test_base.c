/* Memory, buffers, text, time, ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/text.h"

static void an_arena_keeps_what_it_gave(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    enum { PIECES = 3000 };
    unsigned char *pieces[PIECES];
    for (size_t i = 0; i < PIECES; i++) {
        size_t size = i % 100 == 0 ? 70000 : i % 61;
        pieces[i] = arena_alloc(&arena, size);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        memset(pieces[i], (int)(i & 0xFF), size);
    }
    for (size_t i = 0; i < PIECES; i++) {
        size_t size = i % 100 == 0 ? 70000 : i % 61;
        for (size_t at = 0; at < size; at++)
            assert_int_equal(pieces[i][at], i & 0xFF);
    }
    assert_true(arena.total_bytes > (size_t)PIECES / 100 * 70000);
}

static void a_cleared_arena_is_used_again_without_growing(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    arena_clear(&arena);
    arena_alloc(&arena, 100);
    size_t before = arena.total_bytes;
    for (int i = 0; i < 1000; i++) {
        arena_clear(&arena);
        arena_alloc(&arena, 1000);
    }
    assert_int_equal(arena.total_bytes, before);
    arena_release(&arena);
    assert_int_equal(arena.total_bytes, 0);
    assert_string_equal(arena_format(&arena, "%d-%s", 5, "x"), "5-x");
}

static void arena_texts_are_copies(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    char text[] = "abc";
    char *copy = arena_strdup(&arena, text);
    text[0] = 'x';
    assert_string_equal(copy, "abc");
    assert_null(arena_strdup(&arena, NULL));
    assert_string_equal(arena_memdup(&arena, "abcd", 2), "ab");
    assert_string_equal(arena_memdup(&arena, NULL, 0), "");
    int64_t *zeros = arena_zalloc(&arena, 10, sizeof *zeros);
    for (int i = 0; i < 10; i++)
        assert_int_equal(zeros[i], 0);
}

static void a_buffer_stops_at_its_cap_and_says_so(void **state)
{
    (void)state;
    AUTO_BUF struct buf buf;
    buf_init(&buf, 5);
    assert_string_equal(buf.data, "");
    buf_puts(&buf, "abc");
    buf_puts(&buf, "de");
    assert_false(buf.overflow);
    buf_putc(&buf, 'f');
    assert_true(buf.overflow);
    assert_string_equal(buf.data, "abcde");
    buf_clear(&buf);
    assert_false(buf.overflow);
    buf_printf(&buf, "%s", "123456");
    assert_true(buf.overflow);
    buf_puts(&buf, "1");
    assert_string_equal(buf.data, ""); /* nothing more after what was dropped */
}

static void a_buffer_without_a_cap_grows(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, SIZE_MAX);
    for (int i = 0; i < 10000; i++)
        buf_printf(&buf, "%04d", i);
    assert_false(buf.overflow);
    assert_int_equal(buf.length, 40000);
    assert_memory_equal(buf.data + 4 * 1234, "1234", 4);
    size_t length;
    AUTO_FREE char *data = buf_detach(&buf, &length);
    assert_int_equal(length, 40000);
    assert_int_equal(strlen(data), 40000);
    AUTO_FREE char *nothing = buf_detach(&buf, NULL);
    assert_string_equal(nothing, "");
    buf_release(&buf);
}

static void only_well_formed_utf8_passes(void **state)
{
    (void)state;
    static const char *const good[] = {
        "", "abc", "é", "€", "😀", "\xf4\x8f\xbf\xbf", "\xef\xbf\xbe"};
    static const char *const bad[] = {
        "\x80",
        "\xc3",
        "\xc0\x80",
        "\xe0\x80\x80",
        "\xed\xa0\x80",
        "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xff",
        "a\xc3",
        "\xe2\x82",
        "\xc3(",
    };
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(text_is_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(text_is_utf8(bad[i], strlen(bad[i])));
    assert_false(text_is_utf8("a\0b", 3));
}

static void length_counts_characters(void **state)
{
    (void)state;
    assert_int_equal(text_length(""), 0);
    assert_int_equal(text_length("aé€😀"), 4);
}

static void a_cut_text_loses_only_its_broken_character(void **state)
{
    (void)state;
    const char *whole = "aé€😀";
    static const char *const expected[] = {"",    "a",   "a",   "aé",  "aé",  "aé",
                                           "aé€", "aé€", "aé€", "aé€", "aé€😀"};
    for (size_t length = 0; length <= strlen(whole); length++) {
        char cut[16] = "";
        memcpy(cut, whole, length);
        text_cut_partial(cut);
        assert_string_equal(cut, expected[length]);
    }
}

static void folding_forgets_case_accents_and_needless_space(void **state)
{
    (void)state;
    static const struct {
        const char *text, *folded;
    } cases[] = {
        {"Élan  Vital", "elan vital"},
        {"  A\tb\r\n c ", "a b c"},
        {"", ""},
        {" \n ", ""},
        {"Straße", "strasse"},
        {"ÅNGSTRÖM", "angstrom"},
        {"ﬁle", "file"},
        {"ΣΊΣΥΦΟΣ", "σισυφοσ"},
        {"e\xcc\x81", "e"},
        {"\xc2\xa0x\xe2\x80\x83y", "x y"},
        {"CVE-2024-1", "cve-2024-1"},
        {"İ", "i"},
    };
    AUTO_ARENA struct arena arena = {0};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_string_equal(text_fold(&arena, cases[i].text), cases[i].folded);
        assert_string_equal(text_fold(&arena, cases[i].folded), cases[i].folded);
    }
}

static void control_characters_are_found(void **state)
{
    (void)state;
    assert_false(text_has_control("aé 😀", false));
    assert_false(text_has_control("a\n\t\r", true));
    assert_true(text_has_control("a\n", false));
    assert_true(text_has_control("a\x1b[1m", true));
    assert_true(text_has_control("\x7f", true));
    assert_true(text_has_control("\xc2\x9b", true));
    assert_false(text_has_control("\xc2\xa0", false));
}

static void numbers_are_read_whole_or_not_at_all(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},
                {"-12", -12},
                {"007", 7},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN}};
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "0x10",
                                      "1e3",
                                      "--1",
                                      "9223372036854775808",
                                      "-9223372036854775809"};
    int64_t value = 0;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_true(text_to_int(good[i].text, &value));
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(text_to_int(bad[i], &value));
}

static void lists_are_split_joined_and_compared(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct texts texts = text_split(&arena, "a,,b,", ',');
    assert_int_equal(texts.count, 2);
    assert_string_equal(text_join(&arena, texts, '\n'), "a\nb");
    assert_string_equal(text_join(&arena, (struct texts){0}, ','), "");
    assert_int_equal(text_split(&arena, NULL, ',').count, 0);
    assert_int_equal(text_split(&arena, ",,", ',').count, 0);
    assert_true(texts_contain(texts, "b"));
    assert_false(texts_contain(texts, "B"));
    struct texts copy = texts_copy(&arena, texts);
    assert_true(texts_equal(texts, copy));
    assert_ptr_not_equal(texts.items[0], copy.items[0]);
    copy.count = 1;
    assert_false(texts_equal(texts, copy));
    static const char *const names[] = {"A", "B", "C", NULL};
    assert_string_equal(text_alternatives(&arena, names), "A, B or C");
    assert_int_equal(text_index(names, "C"), 2);
    assert_int_equal(text_index(names, "c"), -1);
    assert_string_equal(text_trim(&arena, " \t a b\r\n"), "a b");
    assert_true(text_equal(NULL, NULL));
    assert_false(text_equal(NULL, ""));
    assert_true(text_equal_nocase("AbC", "aBc"));
}

/** Every day of the years that can be written, counted on a calendar kept by hand. */
static void each_day_is_written_and_read_back(void **state)
{
    (void)state;
    int year = 1970, month = 1, day = 1;
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    for (int32_t days = 0; year < 10000; days++) {
        char written[CLOCK_DATE_SIZE], expected[32];
        int32_t read = -1;
        clock_format_day(days, written);
        snprintf(expected, sizeof expected, "%04d-%02d-%02d", year, month, day);
        if (strcmp(written, expected) != 0 || !clock_parse_day(written, &read) || read != days)
            fail_msg("day %d: %s, expected %s, read back as %d", days, written, expected, read);
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        if (++day > month_days[month - 1] + (month == 2 && leap)) {
            day = 1;
            if (++month > 12) {
                month = 1;
                year++;
            }
        }
    }
}

static void days_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    static const char *const good[] = {"2024-02-29", "2000-02-29", "1970-01-01", "9999-12-31"};
    static const char *const bad[] = {
        "2023-02-29",           "2100-02-29",  "2024-02-30",  "2024-04-31", "2024-13-01",
        "2024-00-01",           "2024-01-00",  "1969-12-31",  "2024-1-1",   "24-01-01",
        "2024/01/01",           "2024-01-01 ", " 2024-01-01", "",           "2024-01",
        "2024-01-01T00:00:00Z", "10000-01-01", "2024-01-1x",
    };
    int32_t day = 0;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(clock_parse_day(good[i], &day));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(clock_parse_day(bad[i], &day));
}

static void times_are_written_and_read_back(void **state)
{
    (void)state;
    char written[CLOCK_TIME_SIZE];
    assert_string_equal(clock_format_time(INT64_C(1795442587123), written),
                        "2026-11-23T14:03:07.123Z");
    assert_string_equal(clock_format_time(0, written), "1970-01-01T00:00:00.000Z");
    assert_string_equal(clock_format_time(-1, written), "1969-12-31T23:59:59.999Z");
    for (int64_t time_ms = 0; time_ms < INT64_C(253402300800000); time_ms += INT64_C(12345678901)) {
        int64_t read = -1;
        assert_true(clock_parse_time(clock_format_time(time_ms, written), &read));
        assert_true(read == time_ms);
        time_t seconds = (time_t)(time_ms / 1000);
        struct tm parts;
        char expected[32];
        gmtime_r(&seconds, &parts);
        strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S", &parts);
        assert_memory_equal(written, expected, 19);
        assert_int_equal(clock_day(time_ms), time_ms / CLOCK_DAY_MS);
    }
    assert_int_equal(clock_day(-1), -1);
    assert_int_equal(clock_day(-CLOCK_DAY_MS), -1);
    assert_int_equal(clock_day(-CLOCK_DAY_MS - 1), -2);
}

static void times_with_offsets_and_fractions_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t time_ms;
    } good[] = {
        {"2026-11-23T14:03:07Z", INT64_C(1795442587000)},
        {"2026-11-23t14:03:07z", INT64_C(1795442587000)},
        {"2026-11-23 14:03:07.1Z", INT64_C(1795442587100)},
        {"2026-11-23T14:03:07.1239999Z", INT64_C(1795442587123)},
        {"2026-11-23T15:33:07+01:30", INT64_C(1795442587000)},
        {"2026-11-22T23:03:07-15:00", INT64_C(1795442587000)},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000)},
        {"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
    };
    static const char *const bad[] = {
        "2026-11-23",
        "2026-11-23T14:03Z",
        "2026-11-23T14:03:07",
        "2026-11-23T24:00:00Z",
        "2026-11-23T14:60:00Z",
        "2026-11-23T14:03:61Z",
        "2026-02-30T00:00:00Z",
        "2026-11-23T14:03:07.Z",
        "2026-11-23T14:03:07+0100",
        "2026-11-23T14:03:07+24:00",
        "2026-11-23T14:03:07Zx",
        "",
        "1970-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:60Z",
    };
    int64_t time_ms = 0;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_true(clock_parse_time(good[i].text, &time_ms));
        assert_true(time_ms == good[i].time_ms);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (clock_parse_time(bad[i], &time_ms))
            fail_msg("%s was taken", bad[i]);
}

static void a_shifted_clock_is_ahead_by_its_offset(void **state)
{
    (void)state;
    const struct clock now = {0}, tomorrow = {.offset_ms = CLOCK_DAY_MS};
    int64_t ahead = clock_now_ms(&tomorrow) - clock_now_ms(&now);
    assert_true(ahead <= CLOCK_DAY_MS && ahead > CLOCK_DAY_MS - 60000);
    int64_t begin = clock_monotonic_us();
    assert_true(clock_monotonic_us() >= begin);
}

static void each_id_sorts_after_all_earlier_ones(void **state)
{
    (void)state;
    char last[ID_SIZE] = "", id[ID_SIZE];
    int64_t now = INT64_C(1795442587123);
    for (int i = 0; i < 20000; i++) {
        /* Far more than 4,096 in a millisecond, and a clock that jumps back. */
        id_new(i < 10000 ? now : now - 3600000, id);
        assert_true(id_is_valid(id));
        assert_int_equal(id[14], '7');
        assert_non_null(strchr("89ab", id[19]));
        assert_true(strcmp(id, last) > 0);
        strcpy(last, id);
    }
    id_new(now + 3600000, id);
    assert_true(strcmp(id, last) > 0);
    char expected[16];
    snprintf(expected, sizeof expected, "%012llx", (unsigned long long)now + 3600000);
    assert_memory_equal(id, expected, 8);
    assert_memory_equal(id + 9, expected + 8, 4);
}

static void only_ids_are_valid_ids(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "0190b2a0-0000-7000-8000-00000000000",
                                      "0190b2a0-0000-7000-8000-0000000000000",
                                      "0190B2A0-0000-7000-8000-000000000000",
                                      "0190b2a0-0000-7000-8000-00000000000g",
                                      "0190b2a00-000-7000-8000-000000000000",
                                      "R-12",
                                      "0190b2a0_0000-7000-8000-000000000000"};
    assert_true(id_is_valid("0190b2a0-0000-7000-8000-000000000000"));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(id_is_valid(bad[i]));
}

static void an_error_keeps_its_first_items_and_counts_the_rest(void **state)
{
    (void)state;
    struct err err;
    char text[400];
    err_init(&err);
    assert_string_equal(err_text(&err, text, sizeof text), "unknown error");
    for (int i = 0; i < ERR_ITEMS_MAX + 3; i++)
        err_add(&err, "member", "fault %d", i);
    assert_int_equal(err.count, ERR_ITEMS_MAX + 3);
    assert_string_equal(err_text(&err, text, sizeof text), "member: fault 0");
    assert_string_equal(err.items[ERR_ITEMS_MAX - 1].message, "fault 7");
    assert_int_equal(err_set(&err, CONFLICT, NULL, "only this"), CONFLICT);
    assert_int_equal(err.count, 1);
    assert_string_equal(err_text(&err, text, sizeof text), "only this");
    assert_int_equal(err_set(NULL, STALE, NULL, "nobody asks"), STALE);
}

static void a_long_error_is_cut_between_characters(void **state)
{
    (void)state;
    struct err err;
    AUTO_BUF struct buf text;
    buf_init(&text, 10000);
    for (int i = 0; i < 200; i++)
        buf_puts(&text, "€");
    for (int shift = 0; shift < 3; shift++) {
        err_init(&err);
        err_add(&err, text.data, "%s%s", shift == 0 ? "" : shift == 1 ? "a" : "aa", text.data);
        assert_true(text_is_utf8(err.items[0].message, strlen(err.items[0].message)));
        assert_true(text_is_utf8(err.items[0].field, strlen(err.items[0].field)));
        assert_true(strlen(err.items[0].message) > ERR_MESSAGE_SIZE - 5);
    }
}

static void bytes_are_written_and_read_as_hex(void **state)
{
    static const unsigned char bytes[] = {0, 0x09, 0xaf, 0xff};
    char text[2 * sizeof bytes + 1];
    (void)state;
    assert_string_equal(text_hex(bytes, sizeof bytes, text), "0009afff");
    assert_string_equal(text_hex(bytes, 0, text), "");
    assert_int_equal(text_hex_digit('0'), 0);
    assert_int_equal(text_hex_digit('f'), 15);
    assert_int_equal(text_hex_digit('A'), 10);
    for (const char *c = "gG/:@`\xe9"; *c; c++)
        assert_int_equal(text_hex_digit(*c), -1);
    assert_int_equal(text_hex_digit('\0'), -1);
}

static void secrets_are_equal_if_every_byte_is(void **state)
{
    (void)state;
    assert_true(text_equal_secret("secret", "secret", 6));
    assert_true(text_equal_secret("secret", "secrets", 6));
    assert_false(text_equal_secret("secret", "Secret", 6));
    assert_false(text_equal_secret("secret", "secreT", 6));
    assert_true(text_equal_secret("", "x", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_written_and_read_as_hex),
        cmocka_unit_test(secrets_are_equal_if_every_byte_is),
        cmocka_unit_test(an_arena_keeps_what_it_gave),
        cmocka_unit_test(a_cleared_arena_is_used_again_without_growing),
        cmocka_unit_test(arena_texts_are_copies),
        cmocka_unit_test(a_buffer_stops_at_its_cap_and_says_so),
        cmocka_unit_test(a_buffer_without_a_cap_grows),
        cmocka_unit_test(only_well_formed_utf8_passes),
        cmocka_unit_test(length_counts_characters),
        cmocka_unit_test(a_cut_text_loses_only_its_broken_character),
        cmocka_unit_test(folding_forgets_case_accents_and_needless_space),
        cmocka_unit_test(control_characters_are_found),
        cmocka_unit_test(numbers_are_read_whole_or_not_at_all),
        cmocka_unit_test(lists_are_split_joined_and_compared),
        cmocka_unit_test(each_day_is_written_and_read_back),
        cmocka_unit_test(days_that_do_not_exist_are_refused),
        cmocka_unit_test(times_are_written_and_read_back),
        cmocka_unit_test(times_with_offsets_and_fractions_are_understood),
        cmocka_unit_test(a_shifted_clock_is_ahead_by_its_offset),
        cmocka_unit_test(each_id_sorts_after_all_earlier_ones),
        cmocka_unit_test(only_ids_are_valid_ids),
        cmocka_unit_test(an_error_keeps_its_first_items_and_counts_the_rest),
        cmocka_unit_test(a_long_error_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
