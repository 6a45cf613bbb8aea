/*
 * The register keeps some things twice, so that no request has to count: figures, labels, counts,
 * search texts. Here they are computed from the rows and the recorded history, the long way.
 */
#include "service/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "service/replay.h"
#include "store/figure_store.h"
#include "store/queries.h"

enum { LINE_MAX_BYTES = 500 };

struct check {
    struct service *service;
    check_report *report;
    void *context;
    int64_t differences;
    struct arena arena; /* of one row */
};

PRINTF(2, 3)
static void differ(struct check *check, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    text_cut_partial(line);
    check->differences++;
    if (check->report)
        check->report(check->context, line);
}

/** Run a query and call `row` for each row. */
typedef void check_row(struct check *check, const struct db_rows *rows, void *state);
static enum status each_row(struct check *check, enum query_id query, const struct db_value *params,
                            size_t count, check_row *row, void *state, struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status = db_select(check->service->db, &queries[query], params, count, &rows, err);
    if (status != OK)
        return status;
    while (db_next(&rows)) {
        arena_clear(&check->arena);
        row(check, &rows, state);
    }
    return db_end(&rows, err);
}

static void check_integrity(struct check *check, const struct db_rows *rows, void *state)
{
    (void)state;
    const char *said = db_text(rows, 0);
    if (!said || strcmp(said, "ok") != 0)
        differ(check, "the database file: %s", said ? said : "the engine says nothing");
}

static void check_reference(struct check *check, const struct db_rows *rows, void *state)
{
    (void)state;
    differ(check, "a row of %s refers to a row of %s that is not there", db_text(rows, 0),
           db_text(rows, 2));
}

/** Score and level of a risk by its links; and its part of the tally. */
static void check_risk(struct check *check, const struct db_rows *rows, void *state)
{
    struct tally *tally = state;
    int64_t ref = db_int(rows, 0);
    const struct risk risk = {
        .impact = db_int(rows, 1),
        .probability = db_int(rows, 2),
        .score = db_int(rows, 3),
        .level = text_index(level_names, db_text(rows, 4)),
        .status = text_index(risk_status_names, db_text(rows, 5)),
        .deleted_at = db_int(rows, 6),
    };
    if (risk.impact < 1 || risk.impact > 5 || risk.probability < 1 || risk.probability > 5 ||
        risk.level < 0 || risk.status < 0) {
        differ(check, "R-%" PRId64 ": impact, probability, level or status cannot be what it is",
               ref);
        return;
    }
    int64_t score = score_of(risk.impact, risk.probability, db_int(rows, 7), db_int(rows, 8));
    if (score != risk.score)
        differ(check, "R-%" PRId64 ": the score is %.2f, its members and assets give %.2f", ref,
               (double)risk.score / 100, (double)score / 100);
    if (risk.level != (int)score_level(risk.score))
        differ(check, "R-%" PRId64 ": the level is %s, the score %.2f gives %s", ref,
               level_names[risk.level], (double)risk.score / 100,
               level_names[score_level(risk.score)]);
    tally_add(tally, &risk, 1);
}

static enum status check_tally(struct check *check, const struct tally *expected, struct err *err)
{
    struct tally kept;
    enum status status = figure_read(check->service->db, check->service->today, &kept, NULL, err);
    if (status == INTERNAL) {
        differ(check, "the tally of risks has rows that cannot be");
        return OK;
    }
    if (status != OK)
        return status;
    for (int impact = 0; impact < 5; impact++)
        for (int probability = 0; probability < 5; probability++)
            for (int level = 0; level < LEVELS; level++)
                for (int at = 0; at < RISK_STATUSES; at++) {
                    const struct tally_cell *is = &kept.cells[impact][probability][level][at];
                    const struct tally_cell *should =
                        &expected->cells[impact][probability][level][at];
                    if (is->count == should->count && is->score_sum == should->score_sum)
                        continue;
                    differ(check,
                           "the tally of %s %s risks of impact %d and probability %d says "
                           "%" PRId64 " with a score of %" PRId64 ", there are %" PRId64
                           " with %" PRId64,
                           risk_status_names[at], level_names[level], impact + 1, probability + 1,
                           is->count, is->score_sum, should->count, should->score_sum);
                }
    return OK;
}

/** A row of the mitigations grouped as their tally is: one cell. */
static void gather_mitigations(struct check *check, const struct db_rows *rows, void *state)
{
    struct mitigation_tally *tally = state;
    const struct mitigation_cell cell = {
        .status = text_index(mitigation_status_names, db_text(rows, 0)),
        .due_date = db_text(rows, 1),
        .count = db_int(rows, 2),
        .progress_sum = db_int(rows, 3),
        .cost_sum = db_int(rows, 4),
    };
    if (cell.status < 0)
        differ(check, "mitigations have the status %s, which there is not", db_text(rows, 0));
    else
        mitigation_tally_add_cell(tally, &cell);
}

static const struct mitigation_cell *find_cell(const struct mitigation_tally *tally,
                                               const struct mitigation_cell *like)
{
    static const struct mitigation_cell nothing = {0};
    for (size_t i = 0; i < tally->count; i++)
        if (tally->cells[i].status == like->status &&
            strcmp(tally->cells[i].due_date, like->due_date) == 0)
            return &tally->cells[i];
    return &nothing;
}

/** Cells of `a` that are others in `b`; with `only_missing` those that `b` lacks. */
static void compare_cells(struct check *check, const struct mitigation_tally *a,
                          const struct mitigation_tally *b, bool only_missing)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct mitigation_cell *is = &a->cells[i], *other = find_cell(b, is);
        if (only_missing && other->due_date)
            continue;
        if (is->count != other->count || is->progress_sum != other->progress_sum ||
            is->cost_sum != other->cost_sum)
            differ(check, "the tally of %s mitigations due %s is wrong",
                   mitigation_status_names[is->status], *is->due_date ? is->due_date : "never");
    }
}

static enum status check_mitigation_tally(struct check *check,
                                          const struct mitigation_tally *expected, struct err *err)
{
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    struct mitigation_tally kept;
    mitigation_tally_init(&kept, &arena);
    enum status status = figure_mitigations(check->service->db, &kept, err);
    if (status != OK)
        return status;
    compare_cells(check, &kept, expected, false);
    compare_cells(check, expected, &kept, true);
    return OK;
}

static bool same_figures(const struct day_figure *a, const struct day_figure *b)
{
    return memcmp(a->levels, b->levels, sizeof a->levels) == 0 && a->score_sum == b->score_sum;
}

/** Where the replayed days are while the kept ones go by. */
struct day_walk {
    const struct replay *replay;
    size_t next;
    struct day_figure kept, replayed;
};

static void compare_days(struct check *check, const struct day_walk *walk, int32_t day)
{
    char date[CLOCK_DATE_SIZE];
    if (!same_figures(&walk->kept, &walk->replayed))
        differ(check,
               "the figures of %s say %" PRId64 " risks with a score of %" PRId64
               ", the history gives %" PRId64 " with %" PRId64,
               clock_format_day(day, date), day_total(&walk->kept), walk->kept.score_sum,
               day_total(&walk->replayed), walk->replayed.score_sum);
}

/** Replayed days before `day`, which the kept ones go over without a change. */
static void pass_days(struct check *check, struct day_walk *walk, int64_t day)
{
    for (; walk->next < walk->replay->count && walk->replay->days[walk->next].day < day;
         walk->next++) {
        walk->replayed = walk->replay->days[walk->next];
        compare_days(check, walk, walk->replayed.day);
    }
}

static void check_day(struct check *check, const struct db_rows *rows, void *state)
{
    struct day_walk *walk = state;
    int32_t day = (int32_t)db_int(rows, 0);
    pass_days(check, walk, day);
    walk->kept = (struct day_figure){.day = day, .score_sum = db_int(rows, 5)};
    walk->kept.levels[LEVEL_CRITICAL] = db_int(rows, 1);
    walk->kept.levels[LEVEL_HIGH] = db_int(rows, 2);
    walk->kept.levels[LEVEL_MEDIUM] = db_int(rows, 3);
    walk->kept.levels[LEVEL_LOW] = db_int(rows, 4);
    if (walk->next < walk->replay->count && walk->replay->days[walk->next].day == day)
        walk->replayed = walk->replay->days[walk->next++];
    compare_days(check, walk, day);
}

static enum status check_days(struct check *check, const struct replay *replay, struct err *err)
{
    struct day_walk walk = {.replay = replay};
    enum status status = each_row(
        check, QUERY_DAYS, DB_PARAMS(DB_INT(INT32_MIN), DB_INT(INT32_MAX)), check_day, &walk, err);
    pass_days(check, &walk, INT64_MAX);
    return status;
}

static void check_asset(struct check *check, const struct db_rows *rows, void *state)
{
    (void)state;
    differ(check, "the asset %s says %" PRId64 " risks, it has %" PRId64, db_text(rows, 0),
           db_int(rows, 1), db_int(rows, 2));
}

struct label_walk {
    int64_t ref; /* of the risk whose labels go by */
    size_t expected, found;
};

static void end_labels(struct check *check, const struct label_walk *walk)
{
    if (walk->ref && walk->found != walk->expected)
        differ(check, "R-%" PRId64 ": %zu of its %zu tags and frameworks can be found", walk->ref,
               walk->found, walk->expected);
}

static void check_label(struct check *check, const struct db_rows *rows, void *state)
{
    struct label_walk *walk = state;
    int64_t ref = db_int(rows, 0);
    struct texts tags = text_split(&check->arena, db_text(rows, 1), '\n');
    struct texts frameworks = text_split(&check->arena, db_text(rows, 2), '\n');
    if (ref != walk->ref) {
        end_labels(check, walk);
        *walk = (struct label_walk){.ref = ref};
        if (db_is_null(rows, 5)) /* a deleted risk is not found at all */
            walk->expected = tags.count + frameworks.count;
    }
    const char *kind = db_text(rows, 3), *label = db_text(rows, 4);
    if (!label)
        return;
    if (texts_contain(strcmp(kind, "tag") == 0 ? tags : frameworks, label))
        walk->found++;
    else
        differ(check, "R-%" PRId64 ": is found by the %s %s, which it does not have", ref, kind,
               label);
}

static enum status check_labels(struct check *check, struct err *err)
{
    struct label_walk walk = {0};
    enum status status = each_row(check, QUERY_CHECK_LABELS, DB_NO_PARAMS, check_label, &walk, err);
    if (status == OK)
        end_labels(check, &walk);
    return status;
}

static void check_mitigation(struct check *check, const struct db_rows *rows, void *state)
{
    (void)state;
    differ(check, "the mitigation %s is hidden while its risk is not, or the other way round",
           db_text(rows, 0));
}

static void check_newest_history(struct check *check, const struct db_rows *rows, void *state)
{
    (void)state;
    differ(check, "R-%" PRId64 ": the newest entry of its history is not what it is",
           db_int(rows, 0));
}

static void check_texts(struct check *check, const struct db_rows *rows, void *state)
{
    (void)state;
    const struct risk risk = {
        .ref = db_int(rows, 0),
        .title = db_text(rows, 1),
        .description = db_text(rows, 2),
        .external_id = db_text(rows, 3),
    };
    if (!text_equal(db_text(rows, 4), text_fold(&check->arena, risk.title)))
        differ(check, "R-%" PRId64 ": is sorted by another title than it has", risk.ref);
    const char *searched = db_is_null(rows, 6) ? risk_search_text(&check->arena, &risk) : NULL;
    if (!text_equal(db_text(rows, 5), searched))
        differ(check, "R-%" PRId64 ": is searched in another text than it has", risk.ref);
}

static void check_search(struct check *check, const struct db_rows *rows, void *state)
{
    (void)state;
    differ(check, "R-%" PRId64 ": is not in the search index, or still there though it is deleted",
           db_int(rows, 0));
}

static void check_orphan(struct check *check, const struct db_rows *rows, void *state)
{
    (void)state;
    differ(check, "R-%" PRId64 ": has a search text or labels, but there is no such risk",
           db_int(rows, 0));
}

/* The checks that need nothing but a query. */
static const struct {
    enum query_id query;
    const char *param;
    check_row *row;
} simple_checks[] = {
    {QUERY_INTEGRITY, NULL, check_integrity},
    {QUERY_CHECK_REFERENCES, NULL, check_reference},
    {QUERY_CHECK_ORPHANS, NULL, check_orphan},
    {QUERY_CHECK_ASSET_COUNTS, NULL, check_asset},
    {QUERY_CHECK_MITIGATIONS, NULL, check_mitigation},
    {QUERY_CHECK_HISTORY, NULL, check_newest_history},
    {QUERY_CHECK_TEXTS, NULL, check_texts},
    /* Every search text ends with the ref, set off by U+001F; see risk_search_text(). */
    {QUERY_CHECK_SEARCH, "\"\x1fr-\"", check_search},
};

/** All figures as the rows and the history give them. */
struct expected {
    struct tally tally;
    struct mitigation_tally mitigations;
    struct replay replay;
};

static enum status compute(struct check *check, struct arena *arena, struct expected *expected,
                           struct err *err)
{
    *expected = (struct expected){0};
    mitigation_tally_init(&expected->mitigations, arena);
    enum status status =
        each_row(check, QUERY_CHECK_LINKS, DB_NO_PARAMS, check_risk, &expected->tally, err);
    if (status == OK)
        status = each_row(check, QUERY_CHECK_MITIGATION_TALLY, DB_NO_PARAMS, gather_mitigations,
                          &expected->mitigations, err);
    if (status == OK)
        status = replay_history(check->service->db, arena, &expected->replay, err);
    return status;
}

/** Without its row a scope's writes are refused, and what is cached under it would never be
 * outdated. */
static enum status check_generations(struct check *check, struct err *err)
{
    int64_t generations[SCOPES];
    enum status status = db_read_generations(check->service->db, generations, err);
    for (int scope = 0; status == OK && scope < SCOPES; scope++)
        if (generations[scope] <= 0)
            differ(check, "the scope %s has no generation", scope_names[scope]);
    return status;
}

static enum status check_all(struct check *check, struct arena *arena, struct err *err)
{
    struct expected expected;
    enum status status = OK;
    for (size_t i = 0; status == OK && i < sizeof simple_checks / sizeof simple_checks[0]; i++)
        status = each_row(check, simple_checks[i].query, DB_PARAMS(DB_TEXT(simple_checks[i].param)),
                          simple_checks[i].row, NULL, err);
    if (status == OK)
        status = check_generations(check, err);
    if (status == OK)
        status = check_labels(check, err);
    if (status == OK)
        status = compute(check, arena, &expected, err);
    if (status == OK)
        status = check_tally(check, &expected.tally, err);
    if (status == OK)
        status = check_mitigation_tally(check, &expected.mitigations, err);
    if (status == OK)
        status = check_days(check, &expected.replay, err);
    return status;
}

enum status check_register(struct service *service, check_report *report, void *context,
                           int64_t *ret_differences, struct err *err)
{
    struct check check = {.service = service, .report = report, .context = context};
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    enum status status = db_begin_read(service->db, err);
    if (status != OK)
        return status;
    arena_init(&check.arena);
    status = check_all(&check, &arena, err);
    arena_release(&check.arena);
    db_rollback(service->db);
    if (status == OK)
        *ret_differences = check.differences;
    return status;
}

enum status check_rebuild_figures(struct service *service, struct err *err)
{
    struct check check = {.service = service};
    struct expected expected;
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    arena_init(&check.arena);
    enum status status = compute(&check, &arena, &expected, err);
    arena_release(&check.arena);
    if (status == OK && check.differences)
        status = err_set(err, INTERNAL, NULL, "the register is damaged: run openrisk check");
    if (status == OK)
        status = figure_replace(service->db, &expected.tally, &expected.mitigations,
                                expected.replay.days, expected.replay.count, err);
    return status;
}
