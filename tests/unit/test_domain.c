/* The pure rules: scores, levels, who may do what, addresses, comparing and copying records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "domain/account.h"
#include "domain/asset.h"
#include "domain/figures.h"
#include "domain/mitigation.h"
#include "domain/risk.h"
#include "domain/score.h"

/**
 * The score by the definition, impact × probability × mean factor, as the fraction top/bottom in
 * hundredths; then the nearest whole number, found by trying them all, a half going up.
 */
static int64_t score_by_definition(int impact, int probability, int assets, int64_t factor_sum)
{
    int64_t bottom = assets ? assets : 1;
    int64_t top = impact * probability * (assets ? factor_sum : 100);
    int64_t nearest = 0;
    for (int64_t s = 1; s <= 4000; s++) {
        int64_t here = llabs(s * bottom - top), there = llabs(nearest * bottom - top);
        if (here <= there)
            nearest = s;
    }
    return nearest;
}

static void a_score_is_the_rounded_product_for_every_set_of_up_to_four_assets(void **state)
{
    (void)state;
    static const int factors[] = {80, 100, 125, 150};
    int sets = 0;
    for (int low = 0; low <= 4; low++)
        for (int medium = 0; low + medium <= 4; medium++)
            for (int high = 0; low + medium + high <= 4; high++)
                for (int critical = 0; low + medium + high + critical <= 4; critical++, sets++) {
                    int assets = low + medium + high + critical;
                    int sum = low * factors[0] + medium * factors[1] + high * factors[2] +
                              critical * factors[3];
                    for (int cell = 0; cell < 25; cell++) {
                        int i = cell / 5 + 1, p = cell % 5 + 1;
                        int64_t score = score_of(i, p, assets, sum);
                        assert_int_equal(score, score_by_definition(i, p, assets, sum));
                        assert_true(score <= SCORE_MAX);
                    }
                }
    assert_int_equal(sets, 70);
    for (int c = 0; c < CRITICALITIES; c++)
        assert_int_equal(criticality_factor((enum criticality)c), factors[c]);
}

static void scores_that_people_can_check(void **state)
{
    (void)state;
    assert_int_equal(score_of(3, 4, 0, 0), 1200);
    assert_int_equal(score_of(5, 5, 1, 150), SCORE_MAX);
    assert_int_equal(score_of(1, 1, 1, 80), 80);
    assert_int_equal(score_of(1, 1, 2, 80 + 125), 103); /* 1.025 goes up */
    assert_int_equal(score_of(1, 1, 3, 80 + 80 + 100), 87);
    assert_int_equal(score_of(5, 5, 100, 100 * 150), SCORE_MAX);
}

static void a_level_begins_at_its_score(void **state)
{
    (void)state;
    static const struct {
        int64_t score;
        enum level level;
    } cases[] = {{0, LEVEL_LOW},         {999, LEVEL_LOW},           {1000, LEVEL_MEDIUM},
                 {1499, LEVEL_MEDIUM},   {1500, LEVEL_HIGH},         {1999, LEVEL_HIGH},
                 {2000, LEVEL_CRITICAL}, {SCORE_MAX, LEVEL_CRITICAL}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(score_level(cases[i].score), cases[i].level);
}

static void a_role_may_what_the_route_says(void **state)
{
    (void)state;
    /* Rows: who; columns: nobody, viewer, analyst, admin. */
    static const enum status expected[][4] = {
        [WHO_PUBLIC] = {OK, OK, OK, OK},
        [WHO_ANY] = {UNAUTHENTICATED, OK, OK, OK},
        [WHO_ANALYST] = {UNAUTHENTICATED, DENIED, OK, OK},
        [WHO_CREATOR_OR_ADMIN] = {UNAUTHENTICATED, DENIED, OK, OK},
        [WHO_ADMIN] = {UNAUTHENTICATED, DENIED, DENIED, OK},
    };
    const struct caller callers[] = {
        {0},
        {.user_id = "v", .role = ROLE_VIEWER},
        {.user_id = "a", .role = ROLE_ANALYST},
        {.user_id = "x", .role = ROLE_ADMIN},
    };
    for (size_t who = 0; who < COUNT_OF(expected); who++)
        for (size_t c = 0; c < COUNT_OF(callers); c++) {
            struct err err;
            assert_int_equal(account_may(&callers[c], (enum who)who, false, &err),
                             expected[who][c]);
            assert_int_equal(account_may(&callers[c], (enum who)who, true, &err), expected[who][c]);
        }
}

static void nobody_with_a_role_is_still_nobody(void **state)
{
    (void)state;
    struct err err;
    const struct caller nobody = {.role = ROLE_ADMIN};
    assert_int_equal(account_may(&nobody, WHO_ADMIN, false, &err), UNAUTHENTICATED);
}

static void a_token_for_reading_writes_nothing(void **state)
{
    (void)state;
    struct err err;
    const struct caller admin = {.user_id = "x", .role = ROLE_ADMIN, .read_only = true};
    for (int who = WHO_ANY; who <= WHO_ADMIN; who++) {
        assert_int_equal(account_may(&admin, (enum who)who, false, &err), OK);
        assert_int_equal(account_may(&admin, (enum who)who, true, &err), DENIED);
    }
}

static void only_the_creator_or_an_admin_deletes(void **state)
{
    (void)state;
    struct err err;
    const struct caller viewer = {.user_id = "v", .role = ROLE_VIEWER},
                        analyst = {.user_id = "a", .role = ROLE_ANALYST},
                        admin = {.user_id = "x", .role = ROLE_ADMIN};
    assert_int_equal(account_may_delete(&analyst, "a", &err), OK);
    assert_int_equal(account_may_delete(&analyst, "b", &err), DENIED);
    assert_int_equal(account_may_delete(&analyst, NULL, &err), DENIED);
    assert_int_equal(account_may_delete(&viewer, "v", &err), DENIED);
    assert_int_equal(account_may_delete(&admin, "b", &err), OK);
    assert_int_equal(account_may_delete(&admin, NULL, &err), OK);
}

static void an_address_is_put_in_one_form_or_refused(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    assert_string_equal(account_email(&arena, "  Ann@Example.ORG \n"), "ann@example.org");
    assert_string_equal(account_email(&arena, "ann.o'neil+risk@example.org"),
                        "ann.o'neil+risk@example.org");
    assert_string_equal(account_email(&arena, "root@localhost"), "root@localhost");
    static const char *const bad[] = {"",        "ann",         "@example.org", "ann@",  "a@b@c",
                                      "a b@c",   "a@b c",       "<a@b>",        "a,b@c", "a;b@c",
                                      "a@b\x01", "a@b\xc2\x85", "\"a\"@b",      "a@b\nc"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_null(account_email(&arena, bad[i]));
    char longest[256];
    memset(longest, 'a', sizeof longest);
    longest[252] = '@';
    longest[254] = '\0';
    assert_non_null(account_email(&arena, longest));
    longest[254] = 'a';
    longest[255] = '\0';
    assert_null(account_email(&arena, longest));
}

static void a_password_has_a_least_and_a_greatest_length(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct err err;
    assert_int_equal(account_check_password("elevenchars", NULL, "password", &err), INVALID);
    assert_string_equal(err.items[0].field, "password");
    assert_int_equal(account_check_password("twelve chars", NULL, "password", &err), OK);
    assert_int_equal(account_check_password("éééééééééééé", NULL, "password", &err), OK);
    char *most = arena_format(&arena, "%256s", "x"), *more = arena_format(&arena, "%257s", "x");
    assert_int_equal(account_check_password(most, NULL, "password", &err), OK);
    assert_int_equal(account_check_password(more, NULL, "password", &err), INVALID);
    assert_int_equal(account_check_password("ann@Example.org", "ann@example.org", "password", &err),
                     INVALID);
}

static void a_ref_is_read_as_people_write_it(void **state)
{
    (void)state;
    assert_int_equal(risk_ref_parse("R-123"), 123);
    assert_int_equal(risk_ref_parse("r-123"), 123);
    assert_int_equal(risk_ref_parse("123"), 123);
    static const char *const bad[] = {
        "", "R-", "R", "R-0", "0", "-1", "R--1", "R-1x", "R 1", "x", "R-99999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(risk_ref_parse(bad[i]), 0);
}

static void search_looks_in_the_folded_parts_but_not_across_them(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct risk risk = risk_defaults();
    risk.title = "Élan Vital";
    risk.description = "Zwei\nZeilen";
    risk.ref = 7;
    assert_string_equal(risk_search_text(&arena, &risk), "elan vital\x1fzwei zeilen\x1f\x1fr-7");
}

static void progress_is_the_share_of_what_is_done(void **state)
{
    (void)state;
    assert_int_equal(mitigation_progress(0, 0), 0);
    assert_int_equal(mitigation_progress(1, 3), 33);
    assert_int_equal(mitigation_progress(2, 3), 66);
    assert_int_equal(mitigation_progress(3, 3), 100);
}

static void overdue_is_the_day_after_and_never_when_done(void **state)
{
    (void)state;
    struct mitigation mitigation = {.due_date = "2026-11-23", .status = MITIGATION_PLANNED};
    assert_false(mitigation_is_overdue(&mitigation, "2026-11-23"));
    assert_true(mitigation_is_overdue(&mitigation, "2026-11-24"));
    mitigation.status = MITIGATION_DONE;
    assert_false(mitigation_is_overdue(&mitigation, "2026-11-24"));
    mitigation = (struct mitigation){.due_date = NULL};
    assert_false(mitigation_is_overdue(&mitigation, "2026-11-24"));
}

static struct risk one_risk(void)
{
    static const char *tags[] = {"a", "b"};
    struct risk risk = risk_defaults();
    risk.title = "t";
    risk.tags = (struct texts){tags, 2};
    risk.score = 100;
    risk.review_date = "2026-11-23";
    return risk;
}

static void a_difference_names_exactly_the_members_that_differ(void **state)
{
    (void)state;
    static const char *other_tags[] = {"b", "a"};
    char title[] = "t";
    struct risk before = one_risk(), after = one_risk();
    after.title = title; /* another text that is equal */
    field_mask all = ~UINT64_C(0);
    assert_true(field_diff(&risk_table, all, &before, &after) == 0);
    after.title = "u";
    after.tags.items = other_tags;
    after.status = RISK_CLOSED;
    after.review_date = NULL;
    after.score = 101;
    after.custom_fields = "{\"a\":1}";
    field_mask expected = field_bit(&risk_table, "title") | field_bit(&risk_table, "tags") |
                          field_bit(&risk_table, "status") | field_bit(&risk_table, "review_date") |
                          field_bit(&risk_table, "score") | field_bit(&risk_table, "custom_fields");
    assert_true(field_diff(&risk_table, all, &before, &after) == expected);
    field_mask tracked = field_mask_of(&risk_table, FIELD_TRACKED);
    assert_true(field_diff(&risk_table, tracked, &before, &after) == expected);
    field_mask only = field_bit(&risk_table, "title");
    assert_true(field_diff(&risk_table, only, &before, &after) == only);
}

static void a_copy_is_equal_and_owns_its_texts(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct risk from = one_risk(), to = {0};
    field_mask all = ~UINT64_C(0);
    field_copy_all(&risk_table, all, &to, &from, &arena);
    assert_true(field_diff(&risk_table, all, &from, &to) == 0);
    assert_ptr_not_equal(from.title, to.title);
    assert_ptr_not_equal(from.tags.items, to.tags.items);
    assert_ptr_not_equal(from.tags.items[0], to.tags.items[0]);
    struct risk part = {0};
    field_copy_all(&risk_table, field_bit(&risk_table, "score"), &part, &from, &arena);
    assert_int_equal(part.score, 100);
    assert_null(part.title);
    struct user user = {.is_active = true, .role = ROLE_ADMIN}, same = {0};
    field_copy_all(&user_table, all, &same, &user, &arena);
    assert_true(field_diff(&user_table, all, &user, &same) == 0);
}

static struct risk scored_risk(int impact, int probability, enum risk_status status)
{
    struct risk risk = risk_defaults();
    risk.impact = impact;
    risk.probability = probability;
    risk.score = score_of(impact, probability, 0, 0);
    risk.level = (int)score_level(risk.score);
    risk.status = (int)status;
    return risk;
}

static void a_tally_counts_what_is_there_and_scores_what_is_open(void **state)
{
    (void)state;
    struct tally tally = {0};
    const struct risk low = scored_risk(2, 3, RISK_ACTIVE),
                      high = scored_risk(5, 3, RISK_MITIGATED),
                      closed = scored_risk(5, 5, RISK_CLOSED);
    struct risk deleted = scored_risk(5, 5, RISK_ACTIVE);
    deleted.deleted_at = 1;
    tally_add(&tally, &low, 1);
    tally_add(&tally, &high, 1);
    tally_add(&tally, &closed, 1);
    tally_add(&tally, &deleted, 1);
    assert_int_equal(tally_count(&tally, -1), 3);
    assert_int_equal(tally_count(&tally, RISK_MITIGATED), 1);
    assert_int_equal(tally_count(&tally, RISK_ACTIVE), 1);
    struct day_figure day = tally_day(&tally, 20000);
    assert_int_equal(day.day, 20000);
    assert_int_equal(day_total(&day), 2);
    assert_int_equal(day.levels[LEVEL_LOW], 1);
    assert_int_equal(day.levels[LEVEL_HIGH], 1);
    assert_int_equal(day.score_sum, 600 + 1500);
}

static void what_leaves_a_tally_leaves_nothing_behind(void **state)
{
    (void)state;
    struct tally tally = {0};
    static const struct tally empty = {0};
    for (int sign = 1; sign >= -1; sign -= 2)
        for (int cell = 0; cell < 25; cell++)
            for (int status = 0; status < RISK_STATUSES; status++) {
                struct risk risk =
                    scored_risk(cell / 5 + 1, cell % 5 + 1, (enum risk_status)status);
                tally_add(&tally, &risk, sign);
            }
    assert_memory_equal(&tally, &empty, sizeof tally);
}

static void the_global_score_falls_by_four_times_the_mean(void **state)
{
    (void)state;
    assert_int_equal(global_risk_score(0, 0), 100);
    assert_int_equal(global_risk_score(1, 100), 96);
    assert_int_equal(global_risk_score(2, 2025), 60); /* mean 10.125, × 4 = 40.5 → 40 */
    assert_int_equal(global_risk_score(1, 2500), 0);
    assert_int_equal(global_risk_score(1, SCORE_MAX), 0);
    assert_int_equal(global_risk_score(1000000, INT64_C(1000000) * 625), 75);
}

/** What every loop over a table relies on. */
static void tables_hold_together(void **state)
{
    (void)state;
    static const struct field_table *const tables[] = {
        &risk_table, &asset_table, &mitigation_table, &sub_action_table, &user_table, &token_table};
    for (size_t t = 0; t < COUNT_OF(tables); t++) {
        const struct field_table *table = tables[t];
        assert_true(table->count <= 64);
        for (size_t i = 0; i < table->count; i++) {
            const struct field *field = &table->fields[i];
            size_t index = table->count;
            assert_ptr_equal(field_find(table, field->name, &index), field);
            assert_int_equal(index, i); /* no name twice */
            assert_true(field->offset < table->record_size);
            assert_true((field->kind == FIELD_ENUM) == (field->names != NULL));
            assert_true(field->about && *field->about);
            assert_true(field->min <= field->max);
            if (field->kind == FIELD_TEXTS || field->kind == FIELD_OBJECT)
                assert_true(field->max_items > 0 && field->max > 0);
        }
    }
    assert_null(field_find(&risk_table, "nothing", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_score_is_the_rounded_product_for_every_set_of_up_to_four_assets),
        cmocka_unit_test(scores_that_people_can_check),
        cmocka_unit_test(a_level_begins_at_its_score),
        cmocka_unit_test(a_role_may_what_the_route_says),
        cmocka_unit_test(nobody_with_a_role_is_still_nobody),
        cmocka_unit_test(a_token_for_reading_writes_nothing),
        cmocka_unit_test(only_the_creator_or_an_admin_deletes),
        cmocka_unit_test(an_address_is_put_in_one_form_or_refused),
        cmocka_unit_test(a_password_has_a_least_and_a_greatest_length),
        cmocka_unit_test(a_ref_is_read_as_people_write_it),
        cmocka_unit_test(search_looks_in_the_folded_parts_but_not_across_them),
        cmocka_unit_test(progress_is_the_share_of_what_is_done),
        cmocka_unit_test(overdue_is_the_day_after_and_never_when_done),
        cmocka_unit_test(a_difference_names_exactly_the_members_that_differ),
        cmocka_unit_test(a_copy_is_equal_and_owns_its_texts),
        cmocka_unit_test(a_tally_counts_what_is_there_and_scores_what_is_open),
        cmocka_unit_test(what_leaves_a_tally_leaves_nothing_behind),
        cmocka_unit_test(the_global_score_falls_by_four_times_the_mean),
        cmocka_unit_test(tables_hold_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
