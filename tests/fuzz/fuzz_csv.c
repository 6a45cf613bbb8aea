/*
 * Any bytes: read them as CSV with each separator; what was read, written as CSV, reads the same.
 *
 * With libFuzzer:  clang -fsanitize=fuzzer,address,undefined … fuzz_csv.c
 * Replay of a corpus, as the test run does: with replay.c, and the files on the command line.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "service/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CAP = 1 << 24 };

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

static void write_row(struct buf *text, const struct csv_row *row, char separator)
{
    for (size_t i = 0; i < row->count; i++) {
        if (i)
            buf_putc(text, separator);
        buf_putc(text, '"');
        for (const char *c = row->cells[i]; *c; c++) {
            if (*c == '"')
                buf_putc(text, '"');
            buf_putc(text, *c);
        }
        buf_putc(text, '"');
    }
    buf_puts(text, "\r\n");
}

/** Read all rows and write them; returns whether the text was good to its end. */
static bool rewrite(const char *bytes, size_t size, char separator, struct buf *ret_text)
{
    AUTO_ARENA struct arena arena = {0};
    struct csv csv;
    struct csv_row row;
    struct err err;
    bool end = false;
    int64_t line = 0;
    csv_init(&csv, bytes, size, separator);
    while (csv_next(&csv, &arena, &row, &end, &err) == OK && !end) {
        require(row.count >= 1 && row.count <= CSV_CELLS_MAX, "a row has cells");
        require(row.line > line, "lines go up");
        line = row.line;
        write_row(ret_text, &row, separator);
        arena_clear(&arena);
    }
    require(end || err.count > 0, "a refusal has a reason");
    return end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char separators[] = ",;\t";
    /* A copy of exactly this size, so that reading past its end is seen. */
    char *bytes = malloc(size ? size : 1);
    if (size)
        memcpy(bytes, data, size);
    for (const char *separator = separators; *separator; separator++) {
        AUTO_BUF struct buf once, twice;
        buf_init(&once, CAP);
        buf_init(&twice, CAP);
        rewrite(bytes, size, *separator, &once);
        require(rewrite(once.data, once.length, *separator, &twice), "what is written can be read");
        require(strcmp(once.data, twice.data) == 0, "the same cells come back");
    }
    free(bytes);
    return 0;
}
