#include "service/replay.h"

#include <string.h>

#include "base/clock.h"
#include "store/queries.h"

/** What each day changed, ascending; summed up at the end. */
struct changes {
    struct day_figure *days;
    size_t count, capacity;
    struct arena *arena;
};

/** What a risk adds to the scored figures after one write. */
struct state {
    bool counts;
    int level;
    int64_t score;
};

/** The place of a day among the ascending ones, or where it belongs. */
static size_t place_of(const struct changes *changes, int32_t day)
{
    size_t low = 0, high = changes->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (changes->days[middle].day < day)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct day_figure *day_of(struct changes *changes, int32_t day)
{
    size_t place = place_of(changes, day);
    if (place < changes->count && changes->days[place].day == day)
        return &changes->days[place];
    if (changes->count == changes->capacity) {
        size_t capacity = changes->capacity ? 2 * changes->capacity : 64;
        struct day_figure *days = arena_zalloc(changes->arena, capacity, sizeof *days);
        if (changes->count)
            memcpy(days, changes->days, changes->count * sizeof *days);
        changes->days = days;
        changes->capacity = capacity;
    }
    struct day_figure *at = &changes->days[place];
    memmove(at + 1, at, (changes->count - place) * sizeof *at);
    changes->count++;
    *at = (struct day_figure){.day = day};
    return at;
}

static void add(struct day_figure *day, const struct state *state, int sign)
{
    if (!state->counts)
        return;
    day->levels[state->level] += sign;
    day->score_sum += sign * state->score;
}

static void sum_up(struct changes *changes)
{
    for (size_t i = 1; i < changes->count; i++) {
        struct day_figure *day = &changes->days[i];
        for (int level = 0; level < LEVELS; level++)
            day->levels[level] += day[-1].levels[level];
        day->score_sum += day[-1].score_sum;
    }
}

enum status replay_history(struct db *db, struct arena *arena, struct replay *ret_replay,
                           struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status = db_select(db, &queries[QUERY_HISTORY_FIGURES], DB_NO_PARAMS, &rows, err);
    if (status != OK)
        return status;
    struct changes changes = {.arena = arena};
    struct state before = {0};
    int64_t risk_ref = 0;
    while (db_next(&rows)) {
        if (db_int(&rows, 0) != risk_ref)
            before = (struct state){0};
        risk_ref = db_int(&rows, 0);
        const char *risk_status = db_text(&rows, 3);
        struct state after = {
            .counts =
                db_int(&rows, 4) == 0 && text_index(risk_status_names, risk_status) != RISK_CLOSED,
            .level = score_level(db_int(&rows, 2)),
            .score = db_int(&rows, 2),
        };
        struct day_figure *day = day_of(&changes, clock_day(db_int(&rows, 1)));
        add(day, &before, -1);
        add(day, &after, 1);
        before = after;
    }
    sum_up(&changes);
    *ret_replay = (struct replay){.days = changes.days, .count = changes.count};
    return db_end(&rows, err);
}
