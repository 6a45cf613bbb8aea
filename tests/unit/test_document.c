/* The JSON document: everything out and in again, merging, documents by hand, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "service/asset_service.h"
#include "service/check.h"
#include "service/export.h"
#include "service/import.h"
#include "service/mitigation_service.h"
#include "service/risk_service.h"
#include "store/figure_store.h"
#include "store_fixture.h"

enum { DAYS = 4 };

static int setup(void **state)
{
    static struct store_fixture stores[2];
    store_fixture_open(&stores[0]);
    store_fixture_open(&stores[1]);
    *state = stores;
    return 0;
}

static void found(void *context, const char *difference)
{
    (void)context;
    print_error("%s\n", difference);
}

static int teardown(void **state)
{
    struct store_fixture *stores = *state;
    int64_t all = 0;
    for (size_t i = 0; i < 2; i++) {
        struct err err;
        int64_t differences = 1;
        if (check_register(&stores[i].service, found, NULL, &differences, &err) != OK)
            print_error("%s\n", err.items[0].message);
        all += differences;
        store_fixture_close(&stores[i]);
    }
    return all == 0 ? 0 : -1;
}

/** The document, to be freed. */
static char *export(struct store_fixture *store)
{
    struct err err;
    int fd = memfd_create("export", 0);
    assert_int_equal(export_json(&store->service, NULL, fd, NULL, NULL, &err), OK);
    size_t length = (size_t)lseek(fd, 0, SEEK_END);
    char *text = mem_zalloc(length + 1, 1);
    assert_int_equal(pread(fd, text, length, 0), length);
    close(fd);
    return text;
}

static struct import_result import(struct store_fixture *store, const char *text,
                                   enum status expected)
{
    struct import_options options = {.format = IMPORT_JSON};
    struct import_result result;
    struct err err;
    enum status status = import_risks(&store->service, &options, text, strlen(text), &result, &err);
    if (status != expected)
        fail_msg("%s: %s; %s", status_name(status), status ? err.items[0].message : "",
                 result.error_count ? result.errors[0].reason : "");
    return result;
}

static void assert_counts(struct import_result result, int64_t imported, int64_t updated,
                          int64_t unchanged, int64_t skipped)
{
    assert_int_equal(result.imported, imported);
    assert_int_equal(result.updated, updated);
    assert_int_equal(result.unchanged, unchanged);
    assert_int_equal(result.skipped, skipped);
}

static struct risk_page get(struct store_fixture *store, const char *ref)
{
    struct risk_page page;
    struct err err;
    assert_int_equal(risk_service_get(&store->service, ref, &page, &err), OK);
    return page;
}

static const char *make_asset(struct store_fixture *store, const char *name, int criticality)
{
    struct asset_change change = {.asset = asset_defaults()};
    struct asset_page page;
    struct err err;
    change.asset.name = name;
    change.asset.criticality = criticality;
    assert_int_equal(asset_service_create(&store->service, &change, &page, &err), OK);
    return page.asset.id;
}

static void make_risk(struct store_fixture *store, const char *title, const char *asset_id)
{
    struct texts ids = {.items = &asset_id, .count = 1};
    struct risk_change change = {.risk = risk_defaults(), .asset_ids = asset_id ? &ids : NULL};
    struct risk_page page;
    struct err err;
    change.risk.title = title;
    change.risk.impact = 4;
    change.risk.probability = 3;
    change.risk.description = "Two\nlines";
    change.risk.tags = text_split(&store->arena, "z\na\nü", '\n');
    change.risk.custom_fields = "{\"a\":-1.25,\"b\":\"ü\",\"c\":true}";
    assert_int_equal(risk_service_create(&store->service, &change, &page, &err), OK);
}

static void set(struct store_fixture *store, const char *ref, const char *member, struct risk risk)
{
    struct risk_change change = {.risk = risk, .mask = field_bit(&risk_table, member)};
    struct risk_page page;
    struct err err;
    assert_int_equal(risk_service_update(&store->service, ref, 0, &change, &page, &err), OK);
}

static void make_mitigation(struct store_fixture *store, const char *ref)
{
    struct mitigation_change change = {.mitigation.title = "Do it", .mitigation.cost = 7};
    struct sub_action_change step = {.sub_action = {.title = "First", .completed = true}};
    struct mitigation_page page;
    struct err err;
    int index;
    step.mask = field_bit(&sub_action_table, "title") | field_bit(&sub_action_table, "completed");
    assert_int_equal(mitigation_service_create(&store->service, ref, &change, &page, &err), OK);
    const char *id = page.mitigation.id;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            mitigation_service_sub_action(&store->service, id, NULL, 0, &step, &page, &index, &err),
            OK);
        step.sub_action = (struct sub_action){.title = "Second"};
    }
}

/** A register with a bit of everything, written over three days. */
static void fill(struct store_fixture *store)
{
    struct err err;
    int64_t now_ms = store->service.now_ms;
    store->service.now_ms = now_ms - 3 * CLOCK_DAY_MS;
    const char *asset = make_asset(store, "Crown \"jewels\"", CRITICALITY_HIGH);
    make_asset(store, "Alone", CRITICALITY_LOW);
    make_risk(store, "First =1+1 😀", asset);
    make_risk(store, "Second", NULL);
    make_risk(store, "Third", asset);
    make_mitigation(store, "R-1");
    store->service.now_ms = now_ms - CLOCK_DAY_MS;
    set(store, "R-1", "impact", (struct risk){.impact = 5});
    set(store, "R-2", "status", (struct risk){.status = RISK_CLOSED});
    assert_int_equal(risk_service_delete(&store->service, "R-3", 0, &err), OK);
    store->service.now_ms = now_ms;
}

static void assert_same_days(struct store_fixture *a, struct store_fixture *b)
{
    struct day_figure days[2][DAYS];
    struct store_fixture *stores[] = {a, b};
    struct err err;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(db_begin_read(stores[i]->db, &err), OK);
        int32_t first = clock_day(a->service.now_ms) - DAYS + 1;
        assert_int_equal(figure_days(stores[i]->db, first, DAYS, days[i], &err), OK);
        db_rollback(stores[i]->db);
    }
    for (size_t i = 0; i < DAYS; i++) {
        assert_int_equal(day_total(&days[0][i]), day_total(&days[1][i]));
        assert_int_equal(days[0][i].score_sum, days[1][i].score_sum);
    }
    assert_int_equal(day_total(&days[0][0]), 3);
    assert_int_equal(day_total(&days[0][DAYS - 1]), 1);
}

static void everything_comes_back_equal_into_an_empty_register(void **state)
{
    struct store_fixture *stores = *state;
    fill(&stores[0]);
    AUTO_FREE char *text = export(&stores[0]);
    assert_counts(import(&stores[1], text, OK), 3, 0, 0, 0);
    AUTO_FREE char *again = export(&stores[1]);
    assert_string_equal(text, again); /* both at the same time of day */
    assert_same_days(&stores[0], &stores[1]);
    make_risk(&stores[1], "Next", NULL);
    assert_string_equal(get(&stores[1], "R-4").risk.title, "Next");
}

static void the_same_document_again_changes_nothing(void **state)
{
    struct store_fixture *stores = *state;
    fill(&stores[0]);
    AUTO_FREE char *text = export(&stores[0]);
    for (size_t i = 0; i < 2; i++) {
        assert_counts(import(&stores[0], text, OK), 0, 0, 3, 0);
        AUTO_FREE char *again = export(&stores[0]);
        assert_string_equal(text, again);
    }
    import(&stores[1], text, OK);
    assert_counts(import(&stores[1], text, OK), 0, 0, 3, 0);
}

/** `text` with the first `from` replaced, to be freed. */
static char *with(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    assert_non_null(at);
    return mem_format("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void corrections_by_hand_survive_a_newer_document(void **state)
{
    struct store_fixture *stores = *state;
    fill(&stores[0]);
    AUTO_FREE char *text = export(&stores[0]);
    import(&stores[1], text, OK);
    set(&stores[1], "R-1", "title", (struct risk){.title = "By hand"});
    AUTO_FREE char *owner = with(text, "\"owner\":null,\"tags\":", "\"owner\":\"Ann\",\"tags\":");
    AUTO_FREE char *step = with(owner, "\"title\":\"Second\",\"completed\":false",
                                "\"title\":\"Second\",\"completed\":true");
    AUTO_FREE char *newer = with(step, "\"cost\":7", "\"cost\":8");
    assert_counts(import(&stores[1], newer, OK), 0, 1, 2, 0);
    struct risk_page page = get(&stores[1], "R-1");
    assert_string_equal(page.risk.title, "By hand");
    assert_string_equal(page.risk.owner, "Ann");
    assert_int_equal(page.mitigations[0].mitigation.cost, 8);
    assert_int_equal(page.mitigations[0].mitigation.progress, 100);
    assert_true(page.mitigations[0].sub_actions[1].completed);
    assert_int_equal(page.mitigations[0].sub_action_count, 2);
}

static void a_criticality_of_here_weighs_and_is_told(void **state)
{
    struct store_fixture *stores = *state;
    fill(&stores[0]);
    make_asset(&stores[1], "crown \"JEWELS\"", CRITICALITY_LOW);
    AUTO_FREE char *text = export(&stores[0]);
    struct import_result result = import(&stores[1], text, OK);
    assert_counts(result, 3, 0, 0, 0);
    assert_int_equal(result.error_count, 1);
    assert_non_null(strstr(result.errors[0].reason, "left as it is"));
    struct risk_page page = get(&stores[1], "R-1");
    assert_int_equal(page.risk.score, 5 * 3 * 80);
    assert_int_equal(page.asset_count, 1);
}

static void a_taken_ref_is_replaced_by_a_new_one(void **state)
{
    struct store_fixture *stores = *state;
    fill(&stores[0]);
    make_risk(&stores[1], "Was here", NULL);
    AUTO_FREE char *text = export(&stores[0]);
    assert_counts(import(&stores[1], text, OK), 3, 0, 0, 0);
    assert_string_equal(get(&stores[1], "R-1").risk.title, "Was here");
    assert_string_equal(get(&stores[1], "R-2").risk.title, "Second");
    assert_string_equal(get(&stores[1], "R-4").risk.title, "First =1+1 😀");
}

static void only_admins_bring_history_and_authors_along(void **state)
{
    struct store_fixture *stores = *state;
    fill(&stores[0]);
    AUTO_FREE char *text = export(&stores[0]);
    stores[1].caller.role = ROLE_ANALYST;
    stores[1].caller.user_id = "00000000-0000-7000-8000-000000000009";
    stores[1].caller.email = "ann@example.org";
    assert_counts(import(&stores[1], text, OK), 3, 0, 0, 0);
    assert_string_equal(get(&stores[1], "R-1").risk.created_by, stores[1].caller.user_id);
    AUTO_FREE char *brought = export(&stores[1]);
    assert_null(strstr(brought, "admin@example.org"));
}

static void a_document_by_hand_needs_little(void **state)
{
    struct store_fixture *store = *state;
    static const char text[] =
        " {\"risks\" : [\n{\"title\":\"A\",\"impact\":2,\"probability\":3,\"mitigations\":"
        "[{\"title\":\"M\",\"progress\":40}]},\n"
        "{\"title\":\"B\",\"impact\":5,\"probability\":5,\"source\":\"x\",\"external_id\":\"1\"}\n"
        "]}\n";
    assert_counts(import(store, text, OK), 2, 0, 0, 0);
    assert_int_equal(get(store, "R-1").risk.score, 600);
    assert_int_equal(get(store, "R-1").mitigations[0].mitigation.progress, 40);
    assert_true(get(store, "R-1").mitigations[0].mitigation.progress_by_hand);
    assert_int_equal(get(store, "R-2").risk.status, RISK_ACTIVE);
    /* What has a name at its source is known again. */
    assert_counts(import(store, text, OK), 1, 0, 1, 0);
}

static void faults_are_told_by_item_and_member(void **state)
{
    struct store_fixture *store = *state;
    static const char text[] =
        "{\"assets\":[{\"name\":\"\"}],\"risks\":["
        "{\"title\":\"A\",\"impact\":9,\"probability\":3},"
        "{\"impact\":1,\"probability\":3,\"nope\":1},"
        "{\"title\":\"A\",\"impact\":1,\"probability\":1,\"mitigations\":[{\"title\":\"\"}]},"
        "{\"title\":\"A\",\"impact\":1,\"probability\":1,\"id\":\"x\"},"
        "{\"title\":\"A\",\"impact\":1,\"probability\":1,\"external_id\":\"1\"},"
        "{\"title\":\"A\",\"impact\":1,\"probability\":1,\"external_id\":\"1\"},"
        "5]}";
    static const struct {
        int64_t row;
        const char *column;
    } expected[] = {{0, "assets[0].name"},       {1, "impact"}, {2, "nope"},        {2, "title"},
                    {3, "mitigations[0].title"}, {4, "id"},     {6, "external_id"}, {7, ""}};
    struct import_result result = import(store, text, INVALID);
    for (size_t i = 0; i < COUNT_OF(expected) && i < result.error_count; i++) {
        assert_int_equal(result.errors[i].row, expected[i].row);
        assert_string_equal(result.errors[i].column, expected[i].column);
    }
    assert_int_equal(result.error_count, COUNT_OF(expected));
}

static void an_unknown_asset_refuses_its_risk(void **state)
{
    struct store_fixture *store = *state;
    static const char text[] =
        "{\"risks\":[{\"title\":\"A\",\"impact\":1,\"probability\":1,\"asset_ids\":"
        "[\"00000000-0000-7000-8000-00000000000f\"]},"
        "{\"title\":\"B\",\"impact\":1,\"probability\":1}]}";
    struct import_result result = import(store, text, INVALID);
    assert_int_equal(result.errors[0].row, 1);
    assert_string_equal(result.errors[0].column, "asset_ids");
    assert_int_equal(result.imported, 0);
    struct import_options options = {.format = IMPORT_JSON, .skip_invalid = true};
    struct err err;
    assert_int_equal(import_risks(&store->service, &options, text, strlen(text), &result, &err),
                     OK);
    assert_counts(result, 1, 0, 0, 1);
    assert_string_equal(get(store, "R-1").risk.title, "B");
}

static void what_is_no_document_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "null",
        "[]",
        "{}",
        "{\"risks\":5}",
        "{\"risks\":[]}x",
        "{\"risks\":[],}",
        "{\"risks\":[{}",
        "{\"risks\":[],\"risks\":[]}",
        "{\"risks\":[],\"nope\":1}",
        "{\"format\":\"other\",\"risks\":[]}",
        "{\"format\":\"openrisk\",\"version\":2,\"risks\":[]}",
        "{\"risks\":[{\"title\":\"A\",\"title\":\"B\",\"impact\":1,\"probability\":1}]}",
        "{\"risks\":[1 2]}",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct import_result result = import(*state, texts[i], INVALID);
        if (!result.error_count)
            fail_msg("no reason for %s", texts[i]);
    }
}

static void a_truncated_document_is_refused_wherever_it_is_cut(void **state)
{
    struct store_fixture *stores = *state;
    fill(&stores[0]);
    AUTO_FREE char *text = export(&stores[0]);
    size_t length = strlen(text);
    assert_int_equal(text[length - 1], '\n');
    for (size_t cut = 0; cut < length - 1; cut += 1 + cut % 7) {
        AUTO_FREE char *part = mem_format("%.*s", (int)cut, text);
        import(&stores[1], part, INVALID);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_comes_back_equal_into_an_empty_register),
        TEST(the_same_document_again_changes_nothing),
        TEST(corrections_by_hand_survive_a_newer_document),
        TEST(a_criticality_of_here_weighs_and_is_told),
        TEST(a_taken_ref_is_replaced_by_a_new_one),
        TEST(only_admins_bring_history_and_authors_along),
        TEST(a_document_by_hand_needs_little),
        TEST(faults_are_told_by_item_and_member),
        TEST(an_unknown_asset_refuses_its_risk),
        TEST(what_is_no_document_is_refused),
        TEST(a_truncated_document_is_refused_wherever_it_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
