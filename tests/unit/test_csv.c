/* Reading CSV: quotes, line ends, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "service/csv.h"

/** All rows as "cell|cell/cell|cell", or "!" and the message. */
static const char *read_all(const char *text, size_t length, char separator, struct arena *arena)
{
    AUTO_BUF struct buf out;
    struct csv csv;
    struct csv_row row;
    struct err err;
    bool end = false;
    buf_init(&out, 1 << 20);
    csv_init(&csv, text, length, separator);
    while (csv_next(&csv, arena, &row, &end, &err) == OK && !end)
        for (size_t i = 0; i < row.count; i++)
            buf_printf(&out, "%s%s", i ? "|" : out.length ? "/" : "", row.cells[i]);
    if (!end)
        buf_printf(&out, "!%s", err.items[0].message);
    return arena_strdup(arena, out.data);
}

static void rows_and_cells_are_told_apart(void **state)
{
    static const struct {
        const char *text, *rows;
    } cases[] = {
        {"", ""},
        {"\n\r\n\n", ""},
        {"a", "a"},
        {"a,b\nc,d\n", "a|b/c|d"},
        {"a,b\r\nc,d", "a|b/c|d"},
        {"a,b\rc,d\r", "a|b/c|d"},
        {"\xEF\xBB\xBF"
         "a,b\n",
         "a|b"},
        {"a,,\n,,b\n", "a||/||b"},
        {"a,\n", "a|"},
        {"\"a\"", "a"},
        {"\"a,b\",c\n", "a,b|c"},
        {"\"a\nb\",c\n", "a\nb|c"},
        {"\"a\r\nb\"\r\nc\r\n", "a\r\nb/c"},
        {"\"say \"\"hi\"\"\",x\n", "say \"hi\"|x"},
        {"\"\",\"\"\"\"\n", "|\""},
        {"5\" disk,a\"b\n", "5\" disk|a\"b"},
        {" \"a\" ,b\n", " \"a\" |b"},
        {"a\n\nb\n", "a/b"},
        {"\xC3\xBC,\xE2\x82\xAC\n", "\xC3\xBC|\xE2\x82\xAC"},
    };
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(read_all(cases[i].text, strlen(cases[i].text), ',', &arena),
                            cases[i].rows);
    assert_string_equal(read_all("a;b,c\n", 6, ';', &arena), "a|b,c");
}

static void what_cannot_be_read_is_told_with_its_line(void **state)
{
    static const struct {
        const char *text;
        size_t length; /* 0: of the text */
        const char *reason;
    } cases[] = {
        {"a\n\"b", 0, "the quote that opens on line 2 is never closed"},
        {"a\n\"b\nc\nd", 0, "the quote that opens on line 2 is never closed"},
        {"\"a\"\"", 0, "the quote that opens on line 1 is never closed"},
        {"\"a\"b,c\n", 0, "line 1 has text behind a closing quote"},
        {"\"a\n\"b,c\n", 0, "line 2 has text behind a closing quote"},
        {"a\n\xFF\n", 0, "line 2 is not UTF-8 text"},
        {"a\n\"\xC3\"\n", 0, "line 2 is not UTF-8 text"},
        {"a\n\0b", 4, "line 2 is not UTF-8 text"},
    };
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t length = cases[i].length ? cases[i].length : strlen(cases[i].text);
        const char *rows = read_all(cases[i].text, length, ',', &arena);
        if (!strstr(rows, cases[i].reason))
            fail_msg("case %zu: %s", i, rows);
    }
}

static void a_row_knows_its_line(void **state)
{
    (void)state;
    static const char text[] = "a\r\n\"b\nb\"\n\nc\n";
    static const int64_t lines[] = {1, 2, 5};
    AUTO_ARENA struct arena arena = {0};
    struct csv csv;
    struct csv_row row;
    struct err err;
    bool end;
    csv_init(&csv, text, strlen(text), ',');
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        assert_int_equal(csv_next(&csv, &arena, &row, &end, &err), OK);
        assert_int_equal(row.line, lines[i]);
    }
}

static void a_row_has_a_limit_of_cells(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    char text[CSV_CELLS_MAX + 1];
    memset(text, ',', sizeof text);
    assert_null(strchr(read_all(text, CSV_CELLS_MAX - 1, ',', &arena), '!'));
    assert_non_null(strstr(read_all(text, CSV_CELLS_MAX, ',', &arena), "more than 1000 cells"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_and_cells_are_told_apart),
        cmocka_unit_test(what_cannot_be_read_is_told_with_its_line),
        cmocka_unit_test(a_row_knows_its_line),
        cmocka_unit_test(a_row_has_a_limit_of_cells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
