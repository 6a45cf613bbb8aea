#include "service/csv.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

void csv_init(struct csv *csv, const char *bytes, size_t length, char separator)
{
    static const char mark[] = "\xEF\xBB\xBF";
    size_t skipped = length >= 3 && memcmp(bytes, mark, 3) == 0 ? 3 : 0;
    *csv = (struct csv){
        .at = bytes + skipped, .end = bytes + length, .separator = separator, .line = 1};
}

static bool at_line_end(const struct csv *csv)
{
    return csv->at < csv->end && (*csv->at == '\r' || *csv->at == '\n');
}

/** CR LF, LF or CR. */
static void skip_line_end(struct csv *csv)
{
    bool cr = *csv->at++ == '\r';
    if (cr && csv->at < csv->end && *csv->at == '\n')
        csv->at++;
    csv->line++;
}

static enum status check_cell(const struct csv *csv, const char *cell, size_t length,
                              struct err *err)
{
    if (text_is_utf8(cell, length))
        return OK;
    return err_set(err, INVALID, NULL, "line %" PRId64 " is not UTF-8 text", csv->line);
}

/** From behind the opening quote to behind the closing one. */
static enum status read_quoted(struct csv *csv, struct arena *arena, const char **ret_cell,
                               struct err *err)
{
    int64_t line = csv->line;
    const char *start = csv->at, *close = start;
    size_t doubled = 0;
    for (;; close += 2, doubled++) {
        close = memchr(close, '"', (size_t)(csv->end - close));
        if (!close)
            return err_set(err, INVALID, NULL,
                           "the quote that opens on line %" PRId64
                           " is never closed: is the file truncated?",
                           line);
        if (close + 1 == csv->end || close[1] != '"')
            break;
    }
    size_t length = (size_t)(close - start), kept = 0;
    enum status status = check_cell(csv, start, length, err);
    if (status != OK)
        return status;
    char *cell = arena_alloc(arena, length - doubled + 1);
    for (size_t i = 0; i < length; i++) {
        csv->line += start[i] == '\n';
        cell[kept++] = start[i];
        i += start[i] == '"'; /* the second of two */
    }
    cell[kept] = '\0';
    csv->at = close + 1;
    if (csv->at < csv->end && *csv->at != csv->separator && !at_line_end(csv))
        return err_set(err, INVALID, NULL,
                       "line %" PRId64 " has text behind a closing quote: quotes inside a cell "
                       "must be doubled",
                       csv->line);
    *ret_cell = cell;
    return OK;
}

static enum status read_plain(struct csv *csv, struct arena *arena, const char **ret_cell,
                              struct err *err)
{
    const char *start = csv->at;
    while (csv->at < csv->end && *csv->at != csv->separator && !at_line_end(csv))
        csv->at++;
    size_t length = (size_t)(csv->at - start);
    enum status status = check_cell(csv, start, length, err);
    if (status == OK)
        *ret_cell = arena_memdup(arena, start, length);
    return status;
}

static enum status read_cell(struct csv *csv, struct arena *arena, const char **ret_cell,
                             struct err *err)
{
    if (csv->at < csv->end && *csv->at == '"') {
        csv->at++;
        return read_quoted(csv, arena, ret_cell, err);
    }
    return read_plain(csv, arena, ret_cell, err);
}

enum status csv_next(struct csv *csv, struct arena *arena, struct csv_row *ret_row, bool *ret_end,
                     struct err *err)
{
    while (at_line_end(csv))
        skip_line_end(csv);
    *ret_end = csv->at == csv->end;
    if (*ret_end)
        return OK;
    const char *cells[CSV_CELLS_MAX];
    struct csv_row row = {.line = csv->line};
    for (bool more = true; more;) {
        if (row.count == CSV_CELLS_MAX)
            return err_set(err, INVALID, NULL, "line %" PRId64 " has more than %d cells", row.line,
                           CSV_CELLS_MAX);
        enum status status = read_cell(csv, arena, &cells[row.count], err);
        if (status != OK)
            return status;
        row.count++;
        more = csv->at < csv->end && *csv->at == csv->separator;
        csv->at += more;
    }
    if (csv->at < csv->end)
        skip_line_end(csv);
    row.cells = arena_alloc(arena, row.count * sizeof *cells);
    memcpy(row.cells, cells, row.count * sizeof *cells);
    *ret_row = row;
    return OK;
}
