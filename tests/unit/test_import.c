/* Importing CISA's catalogue: what a row becomes, what a second run changes, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "service/check.h"
#include "service/import.h"
#include "service/mitigation_service.h"
#include "service/risk_service.h"
#include "store/history_store.h"
#include "store_fixture.h"

#define HEADER                                                                                     \
    "cveID,vendorProject,product,vulnerabilityName,dateAdded,shortDescription,requiredAction,"     \
    "dueDate,knownRansomwareCampaignUse,notes,cwes\n"
#define GIT                                                                                        \
    "CVE-2025-48384,Git,Git,Git Link Following,2025-08-25,Git has a flaw.,Apply updates.,"         \
    "2025-09-15,Unknown,https://git-scm.com,\"CWE-59, CWE-436\"\n"
#define CITRIX                                                                                     \
    "CVE-2024-8068,Citrix,Session Recording,Citrix Flaw,2025-08-25,\"A, flaw\","                   \
    "\"Apply \"\"updates\"\".\",2025-09-16,Known,,\"CWE-269\"\n"
#define KEV HEADER GIT CITRIX

static int setup(void **state)
{
    static struct store_fixture store;
    store_fixture_open(&store);
    *state = &store;
    return 0;
}

/** Whatever an import did, openrisk check must agree with it. */
static void found(void *context, const char *difference)
{
    (void)context;
    print_error("%s\n", difference);
}

static int teardown(void **state)
{
    struct store_fixture *store = *state;
    struct err err;
    int64_t differences = -1;
    enum status status = check_register(&store->service, found, NULL, &differences, &err);
    store_fixture_close(store);
    return status == OK && differences == 0 ? 0 : -1;
}

static struct import_result import_with(struct store_fixture *store, const char *text,
                                        struct import_options options, enum status expected)
{
    struct import_result result;
    struct err err;
    enum status status = import_risks(&store->service, &options, text, strlen(text), &result, &err);
    if (status != expected)
        fail_msg("%s: %s; %s", status_name(status), status ? err.items[0].message : "",
                 result.error_count ? result.errors[0].reason : "");
    assert_false(db_in_transaction(store->db));
    return result;
}

static struct import_result import(struct store_fixture *store, const char *text)
{
    return import_with(store, text, (struct import_options){0}, OK);
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

static void set_title(struct store_fixture *store, const char *ref, const char *title)
{
    struct risk_change change = {.risk.title = title, .mask = field_bit(&risk_table, "title")};
    struct risk_page page;
    struct err err;
    assert_int_equal(risk_service_update(&store->service, ref, 0, &change, &page, &err), OK);
}

static size_t count_history(struct store_fixture *store, int64_t ref)
{
    struct history_entry *entries;
    size_t count = 0;
    struct err err;
    assert_int_equal(db_begin_read(store->db, &err), OK);
    assert_int_equal(history_store_of(store->db, ref, &store->arena, &entries, &count, &err), OK);
    db_rollback(store->db);
    return count;
}

static int64_t count_risks(struct store_fixture *store)
{
    struct list_request request;
    struct risk_list_page page;
    struct err err;
    list_request_init(&request, &risk_list);
    assert_int_equal(risk_service_list(&store->service, &request, &page, &err), OK);
    return page.result.total.total;
}

static void a_row_becomes_a_risk_a_product_and_an_action(void **state)
{
    struct store_fixture *store = *state;
    assert_counts(import(store, KEV), 2, 0, 0, 0);
    struct risk_page git = get(store, "R-1"), citrix = get(store, "R-2");
    assert_string_equal(git.risk.title, "Git Link Following");
    assert_string_equal(git.risk.description, "Git has a flaw.");
    assert_string_equal(git.risk.source, "CISA-KEV");
    assert_string_equal(git.risk.external_id, "CVE-2025-48384");
    assert_string_equal(git.risk.custom_fields,
                        "{\"date_added\":\"2025-08-25\",\"notes\":\"https://git-scm.com\",\"product\":\"Git\","
                        "\"vendor\":\"Git\"}");
    assert_int_equal(git.risk.score, 2000);
    assert_int_equal(git.risk.tags.count, 2);
    assert_string_equal(git.risk.tags.items[1], "CWE-436");
    assert_string_equal(git.assets[0].name, "Git");
    assert_string_equal(git.assets[0].type, "product");
    assert_string_equal(git.mitigations[0].mitigation.title, "Apply updates.");
    assert_string_equal(git.mitigations[0].mitigation.due_date, "2025-09-15");
    assert_null(git.mitigations[0].mitigation.description);
    assert_int_equal(citrix.risk.score, 2500);
    assert_string_equal(citrix.risk.description, "A, flaw");
    assert_string_equal(citrix.risk.tags.items[0], "ransomware");
    assert_string_equal(citrix.assets[0].name, "Citrix Session Recording");
    assert_string_equal(citrix.mitigations[0].mitigation.title, "Apply \"updates\".");
    assert_int_equal(citrix.assets[0].risk_count, 1);
}

static void a_long_action_is_cut_at_a_word_and_kept_whole_below(void **state)
{
    struct store_fixture *store = *state;
    AUTO_BUF struct buf text;
    buf_init(&text, 1 << 16);
    buf_puts(&text, HEADER "CVE-2025-1000,A,B,Name,,,");
    for (int i = 0; i < 150; i++)
        buf_puts(&text, "wörd ");
    buf_puts(&text, "end.,,,,\n");
    assert_counts(import(store, text.data), 1, 0, 0, 0);
    const struct mitigation *mitigation = &get(store, "1").mitigations[0].mitigation;
    assert_true(text_length(mitigation->title) <= 500 && text_length(mitigation->title) > 490);
    assert_string_equal(strrchr(mitigation->title, ' '), " wörd…");
    assert_non_null(strstr(mitigation->description, "end."));
    assert_null(mitigation->due_date);
}

static void the_same_file_again_changes_nothing(void **state)
{
    struct store_fixture *store = *state;
    import(store, KEV);
    assert_counts(import(store, KEV), 0, 0, 2, 0);
    assert_int_equal(get(store, "R-1").risk.version, 1);
    assert_int_equal(count_history(store, 1), 1);
    assert_int_equal(count_risks(store), 2);
}

static void corrections_by_hand_survive_until_the_source_changes_that_member(void **state)
{
    struct store_fixture *store = *state;
    import(store, KEV);
    set_title(store, "R-1", "By hand");
    assert_counts(import(store, KEV), 0, 0, 2, 0);
    assert_string_equal(get(store, "R-1").risk.title, "By hand");

    static const char changed[] =
        HEADER "CVE-2025-48384,Git,Git,Git Link Following,2025-08-25,It is worse.,Apply now.,"
               "2025-10-01,Known,,CWE-59\n" CITRIX;
    assert_counts(import(store, changed), 0, 1, 1, 0);
    struct risk_page git = get(store, "R-1");
    assert_string_equal(git.risk.title, "By hand");
    assert_string_equal(git.risk.description, "It is worse.");
    assert_int_equal(git.risk.impact, 5);
    assert_int_equal(git.risk.version, 3);
    assert_string_equal(git.mitigations[0].mitigation.title, "Apply now.");
    assert_string_equal(git.mitigations[0].mitigation.due_date, "2025-10-01");
    assert_int_equal(git.mitigation_count, 1);
    assert_int_equal(count_history(store, 1), 3);

    static const char renamed[] =
        HEADER "CVE-2025-48384,Git,Git,New name,2025-08-25,It is worse.,Apply now.,"
               "2025-10-01,Known,,CWE-59\n";
    assert_counts(import(store, renamed), 0, 1, 0, 0);
    assert_string_equal(get(store, "R-1").risk.title, "New name");
}

static void a_source_that_says_what_is_here_already_changes_nothing(void **state)
{
    struct store_fixture *store = *state;
    import(store, KEV);
    set_title(store, "R-1", "New name");
    static const char renamed[] =
        HEADER "CVE-2025-48384,Git,Git,New name,2025-08-25,Git has a flaw.,Apply updates.,"
               "2025-09-15,Unknown,https://git-scm.com,\"CWE-59, CWE-436\"\n";
    assert_counts(import(store, renamed), 0, 0, 1, 0);
    assert_int_equal(get(store, "R-1").risk.version, 2);
    set_title(store, "R-1", "By hand");
    assert_counts(import(store, renamed), 0, 0, 1, 0);
    assert_string_equal(get(store, "R-1").risk.title, "By hand");
}

static void another_product_at_the_source_is_linked_beside_what_was_linked_by_hand(void **state)
{
    struct store_fixture *store = *state;
    import(store, KEV);
    struct texts ids = {
        .items = (const char *[]){get(store, "R-1").assets[0].id, get(store, "R-2").assets[0].id},
        .count = 2};
    struct risk_change change = {.asset_ids = &ids};
    struct risk_page page;
    struct err err;
    assert_int_equal(risk_service_update(&store->service, "R-1", 0, &change, &page, &err), OK);
    static const char moved[] =
        HEADER "CVE-2025-48384,Git,GitK,Git Link Following,2025-08-25,Git has a flaw.,"
               "Apply updates.,2025-09-15,Unknown,https://git-scm.com,\"CWE-59, CWE-436\"\n";
    assert_counts(import(store, moved), 0, 1, 0, 0);
    page = get(store, "R-1");
    assert_int_equal(page.asset_count, 2);
    assert_string_equal(page.assets[0].name, "Citrix Session Recording");
    assert_string_equal(page.assets[1].name, "Git GitK");
}

static void a_mitigation_deleted_by_hand_stays_deleted(void **state)
{
    struct store_fixture *store = *state;
    import(store, KEV);
    struct err err;
    struct risk_page page = get(store, "R-1");
    assert_int_equal(
        mitigation_service_delete(&store->service, page.mitigations[0].mitigation.id, 0, &err), OK);
    assert_counts(import(store, KEV), 0, 0, 2, 0);
    static const char changed[] =
        HEADER "CVE-2025-48384,Git,Git,Other,2025-08-25,,Do more.,2025-09-15,Known,,\n";
    assert_counts(import(store, changed), 0, 1, 0, 0);
    assert_int_equal(get(store, "R-1").mitigation_count, 0);
}

static void a_deleted_risk_is_skipped_with_a_reason_unless_restored(void **state)
{
    struct store_fixture *store = *state;
    import(store, KEV);
    struct err err;
    assert_int_equal(risk_service_delete(&store->service, "R-1", 0, &err), OK);
    struct import_result result = import(store, KEV);
    assert_counts(result, 0, 0, 1, 1);
    assert_int_equal(result.errors[0].row, 1);
    assert_non_null(strstr(result.errors[0].reason, "was deleted here as R-1"));
    result = import_with(store, KEV, (struct import_options){.restore = true}, OK);
    assert_counts(result, 0, 1, 1, 0);
    assert_int_equal(get(store, "R-1").mitigation_count, 1);
}

static void only_who_may_delete_a_risk_may_restore_it(void **state)
{
    struct store_fixture *store = *state;
    import(store, KEV);
    struct err err;
    assert_int_equal(risk_service_delete(&store->service, "R-1", 0, &err), OK);
    store->caller.role = ROLE_ANALYST;
    store->caller.user_id = "00000000-0000-7000-8000-000000000002";
    struct import_result result =
        import_with(store, KEV, (struct import_options){.restore = true}, OK);
    assert_counts(result, 0, 0, 1, 1);
    assert_non_null(strstr(result.errors[0].reason, "only who created it"));
}

static void a_risk_made_by_hand_is_taken_over(void **state)
{
    struct store_fixture *store = *state;
    struct risk_change change = {.risk = risk_defaults()};
    struct risk_page page;
    struct err err;
    change.risk.title = "Mine";
    change.risk.impact = change.risk.probability = 1;
    change.risk.status = RISK_ACCEPTED;
    change.risk.source = "CISA-KEV";
    change.risk.external_id = "CVE-2025-48384";
    assert_int_equal(risk_service_create(&store->service, &change, &page, &err), OK);
    assert_counts(import(store, KEV), 1, 1, 0, 0);
    page = get(store, "R-1");
    assert_string_equal(page.risk.title, "Git Link Following");
    assert_int_equal(page.risk.status, RISK_ACCEPTED);
    assert_int_equal(page.asset_count, 1);
    assert_int_equal(page.mitigation_count, 1);
    assert_counts(import(store, KEV), 0, 0, 2, 0);
}

static void products_are_one_asset_whatever_their_letters(void **state)
{
    struct store_fixture *store = *state;
    static const char text[] = HEADER "CVE-2025-1000,Élan,Tool,A,,,Do.,,,,\n"
                                      "CVE-2025-1001,ELAN,tool,B,,,Do.,,,,\n"
                                      "CVE-2025-1002,Élan,Élan Tool,C,,,Do.,,,,\n"
                                      "CVE-2025-1003,Git,GitHub,D,,,Do.,,,,\n"
                                      "CVE-2025-1004,,Thing,E,,,Do.,,,,\n";
    assert_counts(import(store, text), 5, 0, 0, 0);
    assert_int_equal(get(store, "R-3").assets[0].risk_count, 3);
    assert_string_equal(get(store, "R-3").assets[0].name, "Élan Tool");
    assert_string_equal(get(store, "R-4").assets[0].name, "Git GitHub");
    assert_string_equal(get(store, "R-5").assets[0].name, "Thing");
}

static void every_fault_is_told_by_row_and_column_and_nothing_is_written(void **state)
{
    struct store_fixture *store = *state;
    static const struct {
        int64_t row;
        const char *column, *reason;
    } expected[] = {
        {2, "cveID", "must be a CVE number"},
        {3, "vulnerabilityName", "must not be empty"},
        {4, "dueDate", "must be a date that exists"},
        {4, "knownRansomwareCampaignUse", "must be Known or Unknown"},
        {5, "", "has 3 cells, the header has 11: is the file truncated?"},
        {6, "cveID", "is the same as in row 1"},
        {7, "product", "must not be empty"},
        {7, "dateAdded", "must be a date that exists"},
        {8, "requiredAction", "must not be empty"},
    };
    static const char text[] =
        HEADER GIT "GHSA-1,A,B,Name,,,Do.,,,,\n"
                   "CVE-2025-1000,A,B, ,,,Do.,,,,\n"
                   "CVE-2025-1001,A,B,Name,,,Do.,2026-02-30,Perhaps,,\n"
                   "CVE-2025-1002,A,B\n" GIT "CVE-2025-1003,,,Name,soon,,Do.,,,,\n"
                   "CVE-2025-1004,A,B,Name,,,,,,,\n";
    struct import_result result = import_with(store, text, (struct import_options){0}, INVALID);
    for (size_t i = 0; i < COUNT_OF(expected) && i < result.error_count; i++) {
        assert_int_equal(result.errors[i].row, expected[i].row);
        assert_string_equal(result.errors[i].column, expected[i].column);
        if (!strstr(result.errors[i].reason, expected[i].reason))
            fail_msg("%zu: %s", i, result.errors[i].reason);
    }
    assert_int_equal(result.error_count, COUNT_OF(expected));
    assert_int_equal(result.errors_total, COUNT_OF(expected));
    assert_int_equal(count_risks(store), 0);

    result = import_with(store, text, (struct import_options){.skip_invalid = true}, OK);
    assert_counts(result, 1, 0, 0, 7);
    assert_int_equal(result.error_count, COUNT_OF(expected));
    assert_int_equal(count_risks(store), 1);
}

static void a_truncated_file_is_refused_wherever_it_is_cut(void **state)
{
    struct store_fixture *store = *state;
    for (size_t length = 0; length < strlen(KEV); length++) {
        AUTO_FREE char *text = mem_strdup(KEV);
        text[length] = '\0';
        if (length != strlen(HEADER) && length != strlen(HEADER GIT))
            import_with(store, text, (struct import_options){0}, INVALID);
    }
    assert_int_equal(count_risks(store), 0);
}

static void only_as_many_refusals_are_listed_as_fit(void **state)
{
    struct store_fixture *store = *state;
    AUTO_BUF struct buf text;
    buf_init(&text, 1 << 20);
    buf_puts(&text, HEADER);
    for (int i = 0; i < 1500; i++)
        buf_puts(&text, "x\n");
    struct import_result result =
        import_with(store, text.data, (struct import_options){0}, INVALID);
    assert_int_equal(result.error_count, IMPORT_REFUSALS_MAX);
    assert_int_equal(result.errors_total, 1500);
    assert_int_equal(result.errors[999].row, 1000);
}

static void what_is_no_catalogue_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "\n\n",
        "a,b\n1,2\n",
        "cveID\n",
        "{\"risks\":[]}",
        "\xFF\xFE\n",
        "cveID,cveID,vendorProject\n",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct import_result result =
            import_with(*state, texts[i], (struct import_options){0}, INVALID);
        assert_true(result.error_count > 0);
        assert_int_equal(result.errors[0].row, 0);
    }
}

static void a_dry_run_answers_the_same_and_writes_nothing(void **state)
{
    struct store_fixture *store = *state;
    assert_counts(import_with(store, KEV, (struct import_options){.dry_run = true}, OK), 2, 0, 0,
                  0);
    assert_int_equal(count_risks(store), 0);
    import(store, KEV);
    assert_int_equal(get(store, "R-1").risk.ref, 1); /* the dry run used up no number */
}

static void unknown_columns_are_named_and_line_ends_do_not_matter(void **state)
{
    static const char text[] =
        "\xEF\xBB\xBF"
        "extra,CVEID,vendorProject,product,vulnerabilityName,dateAdded,"
        "shortDescription,requiredAction,dueDate,knownRansomwareCampaignUse,more\r\n"
        "1,CVE-2025-1000,A,B,Name,2025-01-01,\"x\r\ny\",Do.,,Unknown,2\r\n";
    struct import_result result = import(*state, text);
    assert_counts(result, 1, 0, 0, 0);
    assert_int_equal(result.unknown_columns.count, 2);
    assert_string_equal(result.unknown_columns.items[0], "extra");
    assert_string_equal(result.unknown_columns.items[1], "more");
}

static void note_progress(void *context, int64_t done, int64_t all)
{
    int64_t *last = context;
    assert_true(done >= *last && done <= all);
    *last = done;
}

static void progress_goes_up_to_all(void **state)
{
    int64_t last = 0;
    struct import_options options = {.progress = note_progress, .progress_context = &last};
    import_with(*state, KEV, options, OK);
    assert_int_equal(last, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_row_becomes_a_risk_a_product_and_an_action),
        TEST(a_long_action_is_cut_at_a_word_and_kept_whole_below),
        TEST(the_same_file_again_changes_nothing),
        TEST(corrections_by_hand_survive_until_the_source_changes_that_member),
        TEST(a_source_that_says_what_is_here_already_changes_nothing),
        TEST(another_product_at_the_source_is_linked_beside_what_was_linked_by_hand),
        TEST(a_mitigation_deleted_by_hand_stays_deleted),
        TEST(a_deleted_risk_is_skipped_with_a_reason_unless_restored),
        TEST(only_who_may_delete_a_risk_may_restore_it),
        TEST(a_risk_made_by_hand_is_taken_over),
        TEST(products_are_one_asset_whatever_their_letters),
        TEST(every_fault_is_told_by_row_and_column_and_nothing_is_written),
        TEST(a_truncated_file_is_refused_wherever_it_is_cut),
        TEST(only_as_many_refusals_are_listed_as_fit),
        TEST(what_is_no_catalogue_is_refused),
        TEST(a_dry_run_answers_the_same_and_writes_nothing),
        TEST(unknown_columns_are_named_and_line_ends_do_not_matter),
        TEST(progress_goes_up_to_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
