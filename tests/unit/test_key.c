/* Keys of cached answers, over all routes: every declared parameter changes the key, their order
 * does not, and what is not declared is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <string.h>

#include "api/internal.h"
#include "api/key.h"
#include "base/mem.h"

enum { DAY = 20000, VALUES_MAX = 16, DECLARED_MAX = LIST_FILTERS_MAX + ROUTE_PARAMS_MAX + 8 };

/** A declared parameter and values of it that mean different things. */
struct declared {
    const char *name;
    const char *values[VALUES_MAX];
    size_t count;
};

struct key_test {
    struct arena arena;
    struct api api; /* of it a key needs only the secret of its hash */
    size_t routes, parameters, values, refusals;
};

static int setup(void **state)
{
    static struct key_test test;
    arena_init(&test.arena);
    fingerprint_key_new(test.api.fingerprint_key);
    *state = &test;
    return 0;
}

static int teardown(void **state)
{
    struct key_test *test = *state;
    arena_release(&test->arena);
    return 0;
}

/** The key of a route without arguments, or what refuses the parameters. */
static enum status ask(struct key_test *test, const struct route *route,
                       const struct http_param *items, size_t count, struct cache_key *ret_key)
{
    struct question question = {0};
    struct err err;
    err_init(&err);
    enum status status =
        input_parameters(route, (struct http_params){items, count}, &test->arena, &question, &err);
    if (status == OK)
        *ret_key = key_of_question(&test->api, route, &question, DAY, &test->arena);
    return status;
}

static struct cache_key key_of(struct key_test *test, const struct route *route,
                               const struct http_param *items, size_t count)
{
    struct cache_key key = {0};
    if (ask(test, route, items, count, &key) != OK)
        fail_msg("%s refuses %s=%s", route->pattern, items[0].name, items[0].value);
    return key;
}

static bool equal(struct cache_key a, struct cache_key b)
{
    bool same = a.length == b.length && memcmp(a.text, b.text, a.length) == 0;
    assert_true(same == (a.hash == b.hash)); /* by 64 bits of a good hash */
    return same;
}

/* What a route declares */

static void add(struct declared *declared, const char *value)
{
    assert_true(declared->count < VALUES_MAX);
    declared->values[declared->count++] = value;
}

static void add_names(struct declared *declared, const char *const *names)
{
    for (; *names; names++)
        add(declared, *names);
}

static void add_two(struct declared *declared, const char *one, const char *other)
{
    add(declared, one);
    add(declared, other);
}

static struct declared of_param(const struct param *param, struct arena *arena)
{
    struct declared declared = {.name = param->name};
    switch (param->kind) {
    case PARAM_INT:
        for (int64_t value = param->min; value < param->min + 3; value++)
            add(&declared, arena_format(arena, "%" PRId64, value));
        break;
    case PARAM_FLAG:
        add_two(&declared, "true", "false");
        break;
    case PARAM_NAME:
        add_names(&declared, param->names);
        break;
    case PARAM_PART:
        add_two(&declared, "one", "one two");
        break;
    }
    return declared;
}

static struct declared of_filter(const struct list_filter *filter)
{
    struct declared declared = {.name = filter->name};
    switch (filter->kind) {
    case LIST_NAME:
    case LIST_LEVEL:
        add_names(&declared, filter->names);
        break;
    case LIST_TEXT:
    case LIST_SEARCH:
    case LIST_SEARCH_NAME:
        add_two(&declared, "one", "one two");
        break;
    case LIST_HUNDREDTHS:
        add_two(&declared, "4.5", "4.55");
        break;
    case LIST_DATE:
    case LIST_TIME:
        add_two(&declared, "2026-01-31", "2026-02-01");
        break;
    case LIST_NUMBER:
        add_two(&declared, "7", "-7");
        break;
    case LIST_SCALE:
        add_two(&declared, "1", "5");
        break;
    case LIST_FLAG:
        add_two(&declared, "true", "false");
        break;
    }
    return declared;
}

/** What every list has; pages, if it has any. `after` and `page` exclude each other. */
static size_t of_every_list(const struct route *route, struct declared *all, bool with_page,
                            struct arena *arena)
{
    const struct list_spec *spec = route->list;
    struct list_request request;
    list_request_init(&request, spec);
    all[0] = (struct declared){.name = "sort_by"};
    for (size_t i = 0; i < spec->sort_count; i++)
        add(&all[0], spec->sorts[i].name);
    all[1] = (struct declared){.name = "sort_dir"};
    add_two(&all[1], request.descending ? "desc" : "asc", request.descending ? "asc" : "desc");
    if (route->is_whole)
        return 2;
    all[2] = (struct declared){.name = "limit"};
    add_two(&all[2], "7", "200");
    all[3] = (struct declared){.name = with_page ? "page" : "after"};
    if (with_page) {
        add_two(&all[3], "2", "3");
    } else {
        add_two(&all[3], list_request_next(&request, "5", "6", arena),
                list_request_next(&request, "5", "7", arena));
        add(&all[3], list_request_next(&request, "6", "6", arena));
    }
    return 4;
}

static size_t declared_by(const struct route *route, bool with_page, struct declared *all,
                          struct arena *arena)
{
    size_t count = 0;
    for (size_t i = 0; i < route->param_count; i++)
        all[count++] = of_param(&route->params[i], arena);
    if (!route->list)
        return count;
    for (size_t i = 0; i < route->list->filter_count; i++)
        if (!route->list->filters[i].internal)
            all[count++] = of_filter(&route->list->filters[i]);
    return count + of_every_list(route, all + count, with_page, arena);
}

/* Tests */

/** The keys of a route so far; the first is the one without parameters. */
struct seen {
    struct cache_key keys[DECLARED_MAX * VALUES_MAX];
    size_t count;
};

/** At most one value is what holds without the parameter; each other one has a key of its own. */
static void try_values(struct key_test *test, const struct route *route,
                       const struct declared *declared, struct seen *seen)
{
    size_t defaults = 0;
    for (size_t i = 0; i < declared->count; i++) {
        struct http_param param = {declared->name, declared->values[i]};
        struct cache_key key = key_of(test, route, &param, 1);
        bool is_default = equal(key, seen->keys[0]);
        for (size_t before = 1; before < seen->count && !is_default; before++)
            if (equal(key, seen->keys[before]))
                fail_msg("%s: another question has the key of %s=%s", route->pattern, param.name,
                         param.value);
        defaults += is_default;
        seen->keys[seen->count++] = key;
    }
    if (defaults > 1)
        fail_msg("%s: %s does not change the key", route->pattern, declared->name);
    test->parameters++;
    test->values += declared->count;
}

static void every_declared_parameter_changes_the_key(void **state)
{
    struct key_test *test = *state;
    struct declared all[DECLARED_MAX];
    test->parameters = test->values = 0;
    for (size_t i = 0; i < route_count; i++) {
        struct seen seen = {.keys = {key_of(test, &routes[i], NULL, 0)}, .count = 1};
        size_t count = declared_by(&routes[i], true, all, &test->arena);
        for (size_t k = 0; k < count; k++)
            try_values(test, &routes[i], &all[k], &seen);
        if (!routes[i].list || routes[i].is_whole)
            continue;
        count = declared_by(&routes[i], false, all, &test->arena);
        try_values(test, &routes[i], &all[count - 1], &seen);
    }
    print_message("# figure: keys: %zu routes, %zu parameters, %zu values\n", route_count,
                  test->parameters, test->values);
    assert_true(test->parameters > 0);
}

/** All that a route declares at once, in every rotation, forwards and backwards. */
static void try_orders(struct key_test *test, const struct route *route, bool with_page)
{
    struct declared all[DECLARED_MAX];
    struct http_param items[DECLARED_MAX];
    size_t count = declared_by(route, with_page, all, &test->arena);
    struct cache_key first = {0};
    for (size_t turn = 0; turn < 2 * count; turn++) {
        for (size_t i = 0; i < count; i++) {
            size_t place = turn < count ? (i + turn) % count : (2 * count - 1 - i + turn) % count;
            items[place] = (struct http_param){all[i].name, all[i].values[0]};
        }
        struct cache_key key = key_of(test, route, items, count);
        if (turn == 0)
            first = key;
        if (!equal(first, key))
            fail_msg("%s: another order, another key", route->pattern);
        test->values++;
    }
    test->routes += count > 1;
}

static void the_order_of_parameters_does_not_change_the_key(void **state)
{
    struct key_test *test = *state;
    test->routes = test->values = 0;
    for (size_t i = 0; i < route_count; i++) {
        try_orders(test, &routes[i], true);
        if (routes[i].list)
            try_orders(test, &routes[i], false);
    }
    print_message("# figure: keys: %zu sets of parameters in %zu orders\n", test->routes,
                  test->values);
    assert_true(test->routes > 0);
}

static bool is_declared(const struct route *route, const char *name, struct arena *arena)
{
    struct declared all[DECLARED_MAX];
    for (int with_page = 0; with_page < 2; with_page++) {
        size_t count = declared_by(route, with_page, all, arena);
        for (size_t i = 0; i < count; i++)
            if (strcmp(all[i].name, name) == 0)
                return true;
    }
    return false;
}

static void try_undeclared(struct key_test *test, const struct route *route, const char *name,
                           const char *value)
{
    struct http_param param = {name, value};
    struct cache_key key;
    if (is_declared(route, name, &test->arena))
        return;
    if (ask(test, route, &param, 1, &key) != MALFORMED)
        fail_msg("%s takes %s", route->pattern, name);
    test->refusals++;
}

/** What others declare, what the program sets, and what only looks like a declared name. */
static void what_is_not_declared_never_reaches_the_key(void **state)
{
    struct key_test *test = *state;
    struct declared all[DECLARED_MAX];
    test->refusals = 0;
    for (size_t i = 0; i < route_count; i++) {
        try_undeclared(test, &routes[i], "undeclared", "1");
        try_undeclared(test, &routes[i], "", "");
        for (size_t other = 0; other < route_count; other++) {
            size_t count = declared_by(&routes[other], other % 2, all, &test->arena);
            for (size_t k = 0; k < count; k++) {
                const char *name = all[k].name, *value = all[k].values[0];
                try_undeclared(test, &routes[i], name, value);
                try_undeclared(test, &routes[i], arena_format(&test->arena, "%s ", name), value);
                try_undeclared(test, &routes[i], arena_format(&test->arena, "%s[]", name), value);
            }
        }
        for (size_t k = 0; all_lists[k]; k++)
            for (size_t f = 0; f < all_lists[k]->filter_count; f++)
                if (all_lists[k]->filters[f].internal)
                    try_undeclared(test, &routes[i], all_lists[k]->filters[f].name, "1");
    }
    print_message("# figure: keys: %zu undeclared parameters refused\n", test->refusals);
}

static void routes_arguments_and_days_have_keys_of_their_own(void **state)
{
    struct key_test *test = *state;
    struct cache_key keys[2 * ROUTE_ARGS_MAX + 2];
    for (size_t i = 0; i < route_count; i++) {
        const struct route *route = &routes[i];
        struct question question = {0};
        size_t count = 0;
        struct err err;
        assert_int_equal(
            input_parameters(route, (struct http_params){0}, &test->arena, &question, &err), OK);
        for (size_t other = 0; other < i; other++)
            if (strcmp(routes[other].pattern, route->pattern) != 0)
                assert_false(
                    equal(key_of(test, route, NULL, 0), key_of(test, &routes[other], NULL, 0)));
        keys[count++] = key_of_question(&test->api, route, &question, DAY, &test->arena);
        keys[count++] = key_of_question(&test->api, route, &question, DAY + 1, &test->arena);
        for (size_t arg = 0; arg < ROUTE_ARGS_MAX; arg++) {
            question.args[arg] = "1";
            keys[count++] = key_of_question(&test->api, route, &question, DAY, &test->arena);
            question.args[arg] = "R-1";
            keys[count++] = key_of_question(&test->api, route, &question, DAY, &test->arena);
        }
        for (size_t a = 0; a < count; a++)
            for (size_t b = 0; b < a; b++)
                assert_false(equal(keys[a], keys[b]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_declared_parameter_changes_the_key),
        cmocka_unit_test(the_order_of_parameters_does_not_change_the_key),
        cmocka_unit_test(what_is_not_declared_never_reaches_the_key),
        cmocka_unit_test(routes_arguments_and_days_have_keys_of_their_own),
    };
    return cmocka_run_group_tests_name("key", tests, setup, teardown);
}
