/* openrisk check: each kind of damage is found, and an intact register is not complained of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "service/check.h"
#include "service/import.h"
#include "service/risk_service.h"
#include "store/engine.h"
#include "store_fixture.h"

static const char text[] =
    "{\"assets\":[{\"id\":\"00000000-0000-7000-8000-000000000001\",\"name\":\"Asset\"}],"
    "\"risks\":[{\"title\":\"A\",\"impact\":4,\"probability\":5,\"tags\":[\"t\"],"
    "\"frameworks\":[\"f\"],\"asset_ids\":[\"00000000-0000-7000-8000-000000000001\"],"
    "\"mitigations\":[{\"title\":\"M\",\"cost\":5}]},"
    "{\"title\":\"B\",\"impact\":1,\"probability\":1}]}";

static int setup(void **state)
{
    static struct store_fixture store;
    struct import_options options = {.format = IMPORT_JSON};
    struct import_result result;
    struct err err;
    store_fixture_open(&store);
    *state = &store;
    return import_risks(&store.service, &options, text, strlen(text), &result, &err) == OK ? 0 : -1;
}

static int teardown(void **state)
{
    store_fixture_close(*state);
    return 0;
}

static void gather(void *context, const char *difference)
{
    struct buf *all = context;
    buf_printf(all, "%s\n", difference);
}

static int64_t check(struct store_fixture *store, struct buf *all)
{
    struct err err;
    int64_t differences = -1;
    assert_int_equal(check_register(&store->service, gather, all, &differences, &err), OK);
    assert_false(db_in_transaction(store->db));
    return differences;
}

static void run(struct store_fixture *store, const char *sql)
{
    struct err err;
    assert_int_equal(db_begin_write(store->db, store->service.now_ms, 1000, &err), OK);
    assert_int_equal(db_script(store->db, sql, &err), OK);
    assert_int_equal(db_commit(store->db, &err), OK);
}

static void an_intact_register_has_no_differences(void **state)
{
    AUTO_BUF struct buf all;
    buf_init(&all, 1 << 16);
    int64_t differences = check(*state, &all);
    assert_string_equal(all.data, "");
    assert_int_equal(differences, 0);
}

static void each_kind_of_damage_is_found(void **state)
{
    static const struct {
        const char *damage, *found;
        const char *engine; /* the only one that has what is damaged; NULL: all */
    } cases[] = {
        {"UPDATE risk SET score = 100 WHERE ref = 1", "R-1: the score is 1.00"},
        {"UPDATE risk SET level = 'LOW' WHERE ref = 1", "R-1: the level is LOW"},
        {"UPDATE risk SET impact = 9 WHERE ref = 1", "R-1: impact, probability, level or status"},
        {"UPDATE risk SET status = 'NOPE' WHERE ref = 1", "R-1: impact, probability, level"},
        {"UPDATE asset SET criticality = 'LOW'", "R-1: the score is 20.00"},
        {"DELETE FROM risk_asset", "the asset Asset says 1 risks, it has 0"},
        {"UPDATE asset SET risk_count = 7", "the asset Asset says 7 risks, it has 1"},
        {"UPDATE risk_tally SET count = count + 1", "the tally of ACTIVE CRITICAL risks"},
        {"DELETE FROM risk_tally", "the tally of ACTIVE LOW risks"},
        {"UPDATE risk_tally SET level = 'NOPE'", "the tally of risks has rows that cannot be"},
        {"UPDATE mitigation_tally SET cost_sum = 1", "the tally of PLANNED mitigations due never"},
        {"DELETE FROM mitigation_tally", "the tally of PLANNED mitigations due never"},
        {"UPDATE mitigation SET hidden = 1", "is hidden while its risk is not"},
        {"UPDATE day_figure SET high = 5", "the figures of 2026-03-01 say 7 risks"},
        {"DELETE FROM day_figure", "the figures of 2026-03-01 say 0 risks"},
        {"UPDATE risk_history SET score = 100 WHERE risk_ref = 1", "R-1: the newest entry of its"},
        {"DELETE FROM risk_history WHERE risk_ref = 2", "R-2: the newest entry of its history"},
        {"UPDATE risk SET version = 5 WHERE ref = 2", "R-2: the newest entry of its history"},
        {"INSERT INTO risk_label VALUES ('tag', 'x', 999)", "R-999: has a search text or labels"},
        {"DELETE FROM risk_label WHERE kind = 'tag'", "R-1: 1 of its 2 tags and frameworks"},
        {"UPDATE risk_label SET label = 'x' WHERE kind = 'tag'", "R-1: is found by the tag x"},
        {"UPDATE risk SET title_fold = 'x' WHERE ref = 2", "R-2: is sorted by another title"},
        {"UPDATE risk SET description = 'x' WHERE ref = 2", "R-2: is searched in another text"},
        {"DELETE FROM cache_generation WHERE scope = 'risks'", "the scope risks has no generation"},
        {"INSERT INTO risk_search (risk_search) VALUES ('delete-all')", "R-1: is not in the search",
         "sqlite"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF struct buf all;
        void *fixture;
        buf_init(&all, 1 << 16);
        if (cases[i].engine && strcmp(cases[i].engine, store_fixture_engine()) != 0)
            continue;
        assert_int_equal(setup(&fixture), 0);
        run(fixture, cases[i].damage);
        int64_t differences = check(fixture, &all);
        if (differences == 0 || !strstr(all.data, cases[i].found))
            fail_msg("%s: %s", cases[i].damage, all.data);
        teardown(&fixture);
    }
}

static void rebuilt_figures_are_right(void **state)
{
    struct store_fixture *store = *state;
    AUTO_BUF struct buf all;
    struct err err;
    buf_init(&all, 1 << 16);
    run(store, "UPDATE risk_tally SET count = 9; DELETE FROM day_figure; "
               "INSERT INTO day_figure VALUES (1, 1, 1, 1, 1, 1); DELETE FROM mitigation_tally");
    assert_true(check(store, &all) > 0);
    assert_int_equal(db_begin_write(store->db, store->service.now_ms, 1000, &err), OK);
    assert_int_equal(check_rebuild_figures(&store->service, &err), OK);
    assert_int_equal(db_commit(store->db, &err), OK);
    assert_int_equal(check(store, &all), 0);
}

static void a_damaged_register_is_not_made_the_truth(void **state)
{
    struct store_fixture *store = *state;
    struct err err;
    run(store, "UPDATE risk SET impact = 9 WHERE ref = 1");
    assert_int_equal(db_begin_write(store->db, store->service.now_ms, 1000, &err), OK);
    assert_int_equal(check_rebuild_figures(&store->service, &err), INTERNAL);
    db_rollback(store->db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_intact_register_has_no_differences, setup, teardown),
        cmocka_unit_test(each_kind_of_damage_is_found),
        cmocka_unit_test_setup_teardown(rebuilt_figures_are_right, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_register_is_not_made_the_truth, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
