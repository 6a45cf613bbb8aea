/*
 * PostgreSQL reads on behind a row by other texts where matches are many: in the register of
 * 100,000 risks, where thousands have the same score, that must give the rows which the numbered
 * pages give.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "plans_fixture.h"
#include "store/list.h"

enum { PAGES = 4 };

struct fixture {
    struct plans_fixture plans;
    struct arena arena;
    struct database *database;
    struct db *db;
};

static void must(enum status status, const struct err *err)
{
    char text[ERR_FIELD_SIZE + ERR_MESSAGE_SIZE];
    if (status != OK)
        fail_msg("%s", err_text(err, text, sizeof text));
}

static int setup(void **state)
{
    static struct fixture fixture;
    struct err err;
    err_init(&err);
    plans_fixture_open(&fixture.plans);
    arena_init(&fixture.arena);
    must(database_new(fixture.plans.url, &fixture.database, &err), &err);
    must(db_open(fixture.database, &fixture.db, &err), &err);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    db_close(fixture->db);
    database_free(fixture->database);
    plans_fixture_close(&fixture->plans);
    arena_release(&fixture->arena);
    return 0;
}

struct page {
    struct arena *arena;
    char *ids; /* all of them in a row */
    const char *key, *id;
};

static void take_row(void *context, const struct db_rows *rows)
{
    struct page *page = context;
    page->key = db_text_copy(rows, 0, page->arena);
    page->id = db_text_copy(rows, 1, page->arena);
    page->ids = arena_format(page->arena, "%s %s", page->ids, page->id);
}

static struct page read_page(struct fixture *fixture, const struct list_request *request)
{
    struct page page = {.arena = &fixture->arena, .ids = arena_strdup(&fixture->arena, "")};
    struct list_result result;
    struct err err;
    err_init(&err);
    must(db_begin_read(fixture->db, &err), &err);
    must(list_read(fixture->db, request, "2026-03-01", &fixture->arena, take_row, &page, &result,
                   &err),
         &err);
    must(db_commit(fixture->db, &err), &err);
    return page;
}

static void check_pages(struct fixture *fixture, struct list_request *request)
{
    struct page page = read_page(fixture, request);
    for (int64_t number = 2; number <= PAGES && page.id; number++) {
        struct list_request by_number = *request, behind = *request;
        by_number.page = number;
        behind.after_key = page.key;
        behind.after_id = page.id;
        struct page expected = read_page(fixture, &by_number);
        page = read_page(fixture, &behind);
        if (strcmp(page.ids, expected.ids) != 0)
            fail_msg("by %s, page %d:\n%s\ninstead of\n%s",
                     request->spec->sorts[request->sort].name, (int)number, page.ids, expected.ids);
    }
}

static void reading_on_gives_the_numbered_pages(void **state)
{
    struct fixture *fixture = *state;
    /* Those that all, many, some hundred and few risks match */
    static const char *const filters[][2] = {{NULL, NULL},
                                             {"status", "ACTIVE"},
                                             {"tag", "tag0"},
                                             {"level", "LOW"},
                                             {"q", "microsoft"},
                                             {"framework", "Framework 11"},
                                             {"owner", "owner250@example.org"}};
    for (size_t f = 0; f < sizeof filters / sizeof filters[0]; f++)
        for (size_t sort = 0; sort < risk_list.sort_count; sort++)
            for (int descending = 0; descending <= 1; descending++) {
                struct list_request request;
                list_request_init(&request, &risk_list);
                if (filters[f][0])
                    list_request_filter(&request, filters[f][0], filters[f][1]);
                request.sort = sort;
                request.descending = descending != 0;
                check_pages(fixture, &request);
                arena_clear(&fixture->arena);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_on_gives_the_numbered_pages),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
