#include "store/figure_store.h"

#include <string.h>

#include "base/clock.h"
#include "store/queries.h"

void mitigation_tally_init(struct mitigation_tally *tally, struct arena *arena)
{
    *tally = (struct mitigation_tally){.arena = arena};
}

static uint32_t hash_of(int status, const char *due_date)
{
    uint32_t hash = 2166136261u ^ (uint32_t)status; /* FNV-1a */
    for (const char *c = due_date; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    return hash;
}

/** Where this cell's position is, or would be, noted in `slots`. */
static uint32_t *slot_of(const struct mitigation_tally *tally, int status, const char *due_date)
{
    size_t mask = 2 * tally->capacity - 1;
    for (size_t at = hash_of(status, due_date) & mask;; at = (at + 1) & mask) {
        uint32_t *slot = &tally->slots[at];
        if (*slot == 0)
            return slot;
        const struct mitigation_cell *cell = &tally->cells[*slot - 1];
        if (cell->status == status && strcmp(cell->due_date, due_date) == 0)
            return slot;
    }
}

/** Twice the room, and `slots` made anew. */
static void grow(struct mitigation_tally *tally)
{
    struct mitigation_cell *cells = tally->cells;
    tally->capacity = tally->capacity ? 2 * tally->capacity : 16;
    tally->cells = arena_zalloc(tally->arena, tally->capacity, sizeof *cells);
    tally->slots = arena_zalloc(tally->arena, 2 * tally->capacity, sizeof *tally->slots);
    if (tally->count)
        memcpy(tally->cells, cells, tally->count * sizeof *cells);
    for (size_t i = 0; i < tally->count; i++)
        *slot_of(tally, cells[i].status, cells[i].due_date) = (uint32_t)i + 1;
}

static struct mitigation_cell *cell_of(struct mitigation_tally *tally, int status,
                                       const char *due_date)
{
    if (tally->count == tally->capacity)
        grow(tally);
    uint32_t *slot = slot_of(tally, status, due_date);
    if (*slot == 0) {
        tally->cells[tally->count] = (struct mitigation_cell){
            .status = status, .due_date = arena_strdup(tally->arena, due_date)};
        *slot = (uint32_t)++tally->count;
    }
    return &tally->cells[*slot - 1];
}

void mitigation_tally_add_cell(struct mitigation_tally *tally, const struct mitigation_cell *cell)
{
    struct mitigation_cell *sum = cell_of(tally, cell->status, cell->due_date);
    sum->count += cell->count;
    sum->progress_sum += cell->progress_sum;
    sum->cost_sum += cell->cost_sum;
}

void mitigation_tally_add(struct mitigation_tally *tally, const struct mitigation *mitigation,
                          int sign)
{
    const struct mitigation_cell cell = {
        .status = mitigation->status,
        .due_date = mitigation->due_date ? mitigation->due_date : "",
        .count = sign,
        .progress_sum = sign * mitigation->progress,
        .cost_sum = sign * mitigation->cost,
    };
    mitigation_tally_add_cell(tally, &cell);
}

struct figure_changes *figure_changes_new(struct arena *arena)
{
    struct figure_changes *changes = arena_zalloc(arena, 1, sizeof *changes);
    mitigation_tally_init(&changes->mitigations, arena);
    return changes;
}

void figure_changes_risk(struct figure_changes *changes, const struct risk *before,
                         const struct risk *after)
{
    if (before)
        tally_add(&changes->risks, before, -1);
    if (after)
        tally_add(&changes->risks, after, 1);
}

void figure_changes_mitigation(struct figure_changes *changes, const struct mitigation *before,
                               const struct mitigation *after)
{
    if (before)
        mitigation_tally_add(&changes->mitigations, before, -1);
    if (after)
        mitigation_tally_add(&changes->mitigations, after, 1);
}

/** Call `add` for each cell that is not zero. */
static enum status write_tally(struct db *db, const struct tally *tally, struct err *err)
{
    for (int impact = 0; impact < 5; impact++)
        for (int probability = 0; probability < 5; probability++)
            for (int level = 0; level < LEVELS; level++)
                for (int status = 0; status < RISK_STATUSES; status++) {
                    const struct tally_cell *cell =
                        &tally->cells[impact][probability][level][status];
                    if (cell->count == 0 && cell->score_sum == 0)
                        continue;
                    enum status done = db_queue(
                        db, &queries[QUERY_TALLY_ADD],
                        DB_PARAMS(DB_INT(impact + 1), DB_INT(probability + 1),
                                  DB_TEXT(level_names[level]), DB_TEXT(risk_status_names[status]),
                                  DB_INT(cell->count), DB_INT(cell->score_sum)),
                        err);
                    if (done != OK)
                        return done;
                }
    return OK;
}

static enum status write_mitigation_tally(struct db *db, const struct mitigation_tally *tally,
                                          struct err *err)
{
    for (size_t i = 0; i < tally->count; i++) {
        const struct mitigation_cell *cell = &tally->cells[i];
        if (cell->count == 0 && cell->progress_sum == 0 && cell->cost_sum == 0)
            continue;
        enum status status = db_queue(db, &queries[QUERY_MITIGATION_TALLY_ADD],
                                      DB_PARAMS(DB_TEXT(mitigation_status_names[cell->status]),
                                                DB_TEXT(cell->due_date), DB_INT(cell->count),
                                                DB_INT(cell->progress_sum), DB_INT(cell->cost_sum)),
                                      err);
        if (status != OK)
            return status;
    }
    return OK;
}

static enum status write_day(struct db *db, enum query_id query, const struct day_figure *day,
                             struct err *err)
{
    return db_queue(db, &queries[query],
                    DB_PARAMS(DB_INT(day->day), DB_INT(day->levels[LEVEL_CRITICAL]),
                              DB_INT(day->levels[LEVEL_HIGH]), DB_INT(day->levels[LEVEL_MEDIUM]),
                              DB_INT(day->levels[LEVEL_LOW]), DB_INT(day->score_sum)),
                    err);
}

static bool changes_something(const struct day_figure *day)
{
    bool changed = day->score_sum != 0;
    for (int level = 0; level < LEVELS; level++)
        changed |= day->levels[level] != 0;
    return changed;
}

enum status figure_changes_write(struct db *db, const struct figure_changes *changes,
                                 int64_t now_ms, struct err *err)
{
    enum status status = write_mitigation_tally(db, &changes->mitigations, err);
    if (status == OK)
        status = write_tally(db, &changes->risks, err);
    if (status != OK)
        return status;
    struct day_figure day = tally_day(&changes->risks, clock_day(now_ms));
    if (!changes_something(&day))
        return OK;
    status = db_queue(db, &queries[QUERY_DAY_OPEN], DB_PARAMS(DB_INT(day.day)), err);
    if (status != OK)
        return status;
    return write_day(db, QUERY_DAY_ADD, &day, err);
}

static enum status read_tally(struct db_rows *rows, struct tally *ret_tally, struct err *err)
{
    struct tally tally = {0};
    while (db_next(rows)) {
        int64_t impact = db_int(rows, 0), probability = db_int(rows, 1);
        int level = text_index(level_names, db_text(rows, 2));
        int risk_status = text_index(risk_status_names, db_text(rows, 3));
        if (impact < 1 || impact > 5 || probability < 1 || probability > 5 || level < 0 ||
            risk_status < 0)
            return err_set(err, INTERNAL, NULL, "the tally is damaged: run openrisk check");
        struct tally_cell *cell = &tally.cells[impact - 1][probability - 1][level][risk_status];
        cell->count += db_int(rows, 4);
        cell->score_sum += db_int(rows, 5);
    }
    enum status status = db_end(rows, err);
    if (status == OK)
        *ret_tally = tally;
    return status;
}

enum status figure_mitigations(struct db *db, struct mitigation_tally *ret_tally, struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status =
        db_select(db, &queries[QUERY_MITIGATION_TALLY_ALL], DB_NO_PARAMS, &rows, err);
    if (status != OK)
        return status;
    while (db_next(&rows)) {
        int at = text_index(mitigation_status_names, db_text(&rows, 0));
        struct mitigation_cell *cell = cell_of(ret_tally, at < 0 ? 0 : at, db_text(&rows, 1));
        cell->count += db_int(&rows, 2);
        cell->progress_sum += db_int(&rows, 3);
        cell->cost_sum += db_int(&rows, 4);
    }
    return db_end(&rows, err);
}

static enum status read_metrics(struct db_rows *rows, struct mitigation_metrics *ret_metrics,
                                struct err *err)
{
    struct mitigation_metrics metrics = {0};
    while (db_next(rows)) {
        int at = text_index(mitigation_status_names, db_text(rows, 0));
        if (at < 0)
            return err_set(err, INTERNAL, NULL, "the tally is damaged: run openrisk check");
        metrics.counts[at] = db_int(rows, 1);
        metrics.total += db_int(rows, 1);
        metrics.progress_sum += db_int(rows, 2);
        metrics.cost_sum += db_int(rows, 3);
        if (at != MITIGATION_DONE)
            metrics.overdue += db_int(rows, 4);
    }
    enum status status = db_end(rows, err);
    if (status == OK)
        *ret_metrics = metrics;
    return status;
}

enum status figure_read(struct db *db, const char *today, struct tally *ret_tally,
                        struct mitigation_metrics *ret_metrics, struct err *err)
{
    AUTO_ROWS struct db_rows tally = {0}, metrics = {0};
    enum status status = OK;
    if (ret_tally)
        status = db_select(db, &queries[QUERY_TALLY_ALL], DB_NO_PARAMS, &tally, err);
    if (status == OK && ret_metrics)
        status = db_select(db, &queries[QUERY_MITIGATION_METRICS], DB_PARAMS(DB_TEXT(today)),
                           &metrics, err);
    if (status == OK && ret_tally)
        status = read_tally(&tally, ret_tally, err);
    if (status == OK && ret_metrics)
        status = read_metrics(&metrics, ret_metrics, err);
    return status;
}

enum status figure_days(struct db *db, int32_t first, size_t count, struct day_figure *ret_days,
                        struct err *err)
{
    int32_t last = first + (int32_t)count - 1;
    AUTO_ROWS struct db_rows rows = {0};
    enum status status =
        db_select(db, &queries[QUERY_DAYS], DB_PARAMS(DB_INT(first), DB_INT(last)), &rows, err);
    if (status != OK)
        return status;
    struct day_figure state = {0};
    size_t at = 0;
    while (db_next(&rows)) {
        int32_t day = (int32_t)db_int(&rows, 0);
        for (; at < count && first + (int32_t)at < day; at++) {
            ret_days[at] = state;
            ret_days[at].day = first + (int32_t)at;
        }
        state.levels[LEVEL_CRITICAL] = db_int(&rows, 1);
        state.levels[LEVEL_HIGH] = db_int(&rows, 2);
        state.levels[LEVEL_MEDIUM] = db_int(&rows, 3);
        state.levels[LEVEL_LOW] = db_int(&rows, 4);
        state.score_sum = db_int(&rows, 5);
    }
    for (; at < count; at++) {
        ret_days[at] = state;
        ret_days[at].day = first + (int32_t)at;
    }
    return db_end(&rows, err);
}

enum status figure_replace(struct db *db, const struct tally *tally,
                           const struct mitigation_tally *mitigations,
                           const struct day_figure *days, size_t day_count, struct err *err)
{
    static const enum query_id clearing[] = {QUERY_TALLY_CLEAR, QUERY_MITIGATION_TALLY_CLEAR,
                                             QUERY_DAYS_CLEAR};
    for (size_t i = 0; i < sizeof clearing / sizeof clearing[0]; i++) {
        enum status status = db_queue(db, &queries[clearing[i]], DB_NO_PARAMS, err);
        if (status != OK)
            return status;
    }
    enum status status = write_tally(db, tally, err);
    if (status == OK)
        status = write_mitigation_tally(db, mitigations, err);
    for (size_t i = 0; status == OK && i < day_count; i++)
        status = write_day(db, QUERY_DAY_SET, &days[i], err);
    return status;
}
