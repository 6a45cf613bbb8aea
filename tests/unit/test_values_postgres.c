/*
 * PostgreSQL finds the values in use by going from one to the next in an index: in the register of
 * 100,000 risks a statement visits about as many entries as there are values, and gives all of
 * them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "plans_fixture.h"
#include "store/queries.h"
#include "store/value_store.h"

/* Entries of deleted rows are not in the indexes; each value is looked up once, and read once. */
enum { VISITS_PER_VALUE = 3, EXECUTIONS_BEFORE = 5 };

struct fixture {
    struct plans_fixture plans;
    struct arena arena;
};

static int setup(void **state)
{
    static struct fixture fixture;
    plans_fixture_open(&fixture.plans);
    arena_init(&fixture.arena);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    plans_fixture_close(&fixture->plans);
    arena_release(&fixture->arena);
    return 0;
}

static const struct {
    enum query_id query;
    const char *distinct; /* the same by reading all risks */
} members[] = {
    {QUERY_OWNERS_IN_USE, "SELECT DISTINCT owner FROM risk WHERE deleted_at IS NULL"},
    {QUERY_CATEGORIES_IN_USE, "SELECT DISTINCT category FROM risk WHERE deleted_at IS NULL"},
    {QUERY_TAGS_IN_USE, "SELECT DISTINCT label FROM risk_label WHERE kind = 'tag'"},
    {QUERY_FRAMEWORKS_IN_USE, "SELECT DISTINCT label FROM risk_label WHERE kind = 'framework'"},
    {QUERY_SOURCES_IN_USE, "SELECT DISTINCT source FROM risk WHERE deleted_at IS NULL"},
};

static void values_in_use_are_found_without_reading_the_risks(void **state)
{
    struct fixture *fixture = *state;
    const struct db_value most[] = {DB_INT(VALUES_LOOKED_AT_MAX + 1)};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const struct query *query = &queries[members[i].query];
        char *words;
        char *count = arena_format(&fixture->arena, "SELECT count(d) FROM (%s) AS all_of (d)",
                                   members[i].distinct);
        double values = plans_number(&fixture->plans, count, NULL, 0);
        assert_true(values > 1);
        char *found = arena_format(&fixture->arena, "SELECT count(*) FROM (%s) AS f", query->sql);
        assert_true(plans_number(&fixture->plans, found, most, 1) == values);
        assert_true(plans_prepare(&fixture->plans, "values", query->sql, &fixture->arena, &words));
        for (int before = 0; before < EXECUTIONS_BEFORE; before++)
            plans_plan(&fixture->plans, "values", most, 1, &fixture->arena);
        struct plan plan = plans_execute(&fixture->plans, "values", most, 1, &fixture->arena);
        plans_exec(&fixture->plans, "DEALLOCATE values");
        printf("# figure: %s: %.0f values, %.0f entries visited\n", query->name, values,
               plan.visited);
        if (plan.reads_whole_table || plan.visited > VISITS_PER_VALUE * (values + 2))
            fail_msg("%s visits %.0f rows\n%s", query->name, plan.visited, plan.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_in_use_are_found_without_reading_the_risks),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
