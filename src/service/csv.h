/**
 * Reading CSV (RFC 4180): quoted cells with commas, quotes and line feeds, any line end, a byte
 * order mark.
 *
 * Rows are read one after the other from a text in memory. A quote that is never closed is an
 * error: it is what a truncated file looks like. A quote inside a cell that does not begin with one
 * stands for itself. Empty lines are passed over. Not thread-safe.
 *
 *     struct csv csv;
 *     csv_init(&csv, bytes, length, ',');
 *     struct csv_row row;
 *     bool end;
 *     while ((status = csv_next(&csv, &arena, &row, &end, err)) == OK && !end)
 *         use(row.cells, row.count);
 */
#ifndef OPENRISK_SERVICE_CSV_H
#define OPENRISK_SERVICE_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

enum { CSV_CELLS_MAX = 1000 };

struct csv {
    const char *at, *end;
    char separator;
    int64_t line; /* of `at`, from 1 */
};

struct csv_row {
    const char **cells;
    size_t count;
    int64_t line; /* that it begins on, from 1 */
};

/** `bytes` are borrowed and need not end in NUL. */
void csv_init(struct csv *csv, const char *bytes, size_t length, char separator);

/**
 * The next row, its cells copied to `arena`. INVALID for a quote without its end, text behind a
 * closing quote, bytes that are not UTF-8 (or NUL), and more than CSV_CELLS_MAX cells; there is no
 * reading on then, since nobody knows where the next row begins.
 */
enum status csv_next(struct csv *csv, struct arena *arena, struct csv_row *ret_row, bool *ret_end,
                     struct err *err) MUST_CHECK;

#endif
