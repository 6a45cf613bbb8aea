/*
 * Every call into PostgreSQL's engine fails once, for every piece of work: each path says so,
 * leaves no transaction open and the register sound, and the connection can be used again, or is
 * known to be lost and can be closed.
 *
 * A call fails in two ways: it is refused as if the server had, or the network is cut just before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "faulty_engine.h"
#include "postgres_fixture.h"
#include "service/asset_service.h"
#include "service/check.h"
#include "service/mitigation_service.h"
#include "service/risk_service.h"
#include "service/stats_service.h"
#include "store/postgres_wire.h"

/** The connection is the real engine's. */
static void cut(struct engine_conn *conn)
{
    shutdown(PQsocket(conn->pg), SHUT_RDWR);
}

/* What is done; each on a risk of its own, R-1, with an asset and a mitigation */

struct works {
    struct service service; /* on the connection that fails */
    const char *risk, *asset, *mitigation;
};

static enum status get(struct works *w, struct err *err)
{
    struct risk_page page;
    return risk_service_get(&w->service, w->risk, &page, err);
}

static enum status list(struct works *w, struct err *err)
{
    struct list_request request;
    struct risk_list_page page;
    list_request_init(&request, &risk_list);
    return risk_service_list(&w->service, &request, &page, err);
}

static enum status stats(struct works *w, struct err *err)
{
    static struct tally tally;
    struct mitigation_metrics metrics;
    return stats_service_get(&w->service, &tally, &metrics, err);
}

static enum status history(struct works *w, struct err *err)
{
    struct list_request request;
    struct history_list_page page;
    list_request_init(&request, &history_list);
    return risk_service_history(&w->service, w->risk, &request, &page, err);
}

static enum status create_risk(struct works *w, struct err *err)
{
    struct risk_page page;
    struct risk_change change = {.risk = risk_defaults()};
    const char *ids[] = {w->asset};
    struct texts assets = {.items = ids, .count = 1};
    change.risk.title = "Made";
    change.risk.impact = change.risk.probability = 4;
    change.asset_ids = &assets;
    return risk_service_create(&w->service, &change, &page, err);
}

static enum status update_risk(struct works *w, struct err *err)
{
    static int64_t turn;
    struct risk_page page;
    struct risk_change change = {.mask = field_bit(&risk_table, "impact")};
    change.risk.impact = 1 + ++turn % 5;
    return risk_service_update(&w->service, w->risk, 0, &change, &page, err);
}

static enum status delete_and_restore(struct works *w, struct err *err)
{
    struct risk_page page;
    enum status status = risk_service_delete(&w->service, w->risk, 0, err);
    return status == OK ? risk_service_restore(&w->service, w->risk, &page, err) : status;
}

static enum status bulk(struct works *w, struct err *err)
{
    static int64_t turn;
    struct risk_change change = {.mask = field_bit(&risk_table, "probability")};
    change.risk.probability = 1 + ++turn % 5;
    struct bulk_item item = {.id = w->risk, .change = &change};
    return risk_service_bulk(&w->service, BULK_SET, &item, 1, "ids", err);
}

static enum status update_asset(struct works *w, struct err *err)
{
    static int turn;
    struct asset_page page;
    struct asset_change change = {.mask = field_bit(&asset_table, "criticality")};
    change.asset.criticality = ++turn % 2;
    return asset_service_update(&w->service, w->asset, 0, &change, &page, err);
}

static enum status update_mitigation(struct works *w, struct err *err)
{
    static int turn;
    struct mitigation_page page;
    struct mitigation_change change = {.mask = field_bit(&mitigation_table, "cost")};
    change.mitigation.cost = ++turn;
    return mitigation_service_update(&w->service, w->mitigation, 0, &change, &page, err);
}

/* Around them */

struct fixture {
    struct postgres_fixture pg; /* its connection is sound */
    struct database *database;
    struct db *db; /* this one fails */
    struct works works;
};

static void make_what_is_worked_on(struct fixture *f)
{
    struct service *service = &f->pg.store.service;
    struct risk_change risk = {.risk = risk_defaults()};
    struct asset_change asset = {.asset = asset_defaults()};
    struct mitigation_change mitigation = {.mitigation = {.title = "A mitigation"}};
    struct risk_page risk_page;
    struct asset_page asset_page;
    struct mitigation_page mitigation_page;
    asset.asset.name = "An asset";
    assert_int_equal(asset_service_create(service, &asset, &asset_page, &f->pg.err), OK);
    f->works.asset = asset_page.asset.id;
    const char *ids[] = {f->works.asset};
    struct texts assets = {.items = ids, .count = 1};
    risk.risk.title = "A risk";
    risk.risk.impact = risk.risk.probability = 3;
    risk.asset_ids = &assets;
    assert_int_equal(risk_service_create(service, &risk, &risk_page, &f->pg.err), OK);
    f->works.risk = risk_page.risk.id;
    assert_int_equal(mitigation_service_create(service, f->works.risk, &mitigation,
                                               &mitigation_page, &f->pg.err),
                     OK);
    f->works.mitigation = mitigation_page.mitigation.id;
}

static int setup(void **state)
{
    static struct fixture f;
    postgres_fixture_open(&f.pg);
    assert_int_equal(
        database_new_of(faulty_engine(&postgres_engine), f.pg.store.url, &f.database, &f.pg.err),
        OK);
    database_set_limits(f.database, &(struct db_limits){5000, 5000});
    make_what_is_worked_on(&f);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    database_free(f->database);
    postgres_fixture_close(&f->pg);
    return 0;
}

static void open_again(struct fixture *f)
{
    f->db = fixture_connect(f->database);
    f->works.service = f->pg.store.service;
    f->works.service.db = f->db;
    f->works.service.write_timeout_ms = WRITE_MS;
}

/** A delete may have come through, and its restoring not. */
static void put_back(struct fixture *f)
{
    struct risk_page page;
    enum status status =
        risk_service_restore(&f->pg.store.service, f->works.risk, &page, &f->pg.err);
    assert_true(status == OK || status == CONFLICT);
}

static void assert_sound(struct fixture *f)
{
    int64_t differences;
    wait_until_int(&f->pg,
                   "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                   "AND state LIKE 'idle in transaction%'",
                   0);
    wait_until_int(&f->pg, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", 0);
    assert_int_equal(check_register(&f->pg.store.service, NULL, NULL, &differences, &f->pg.err),
                     OK);
    assert_int_equal(differences, 0);
}

static const struct {
    const char *name;
    enum status (*work)(struct works *works, struct err *err);
} all[] = {
    {"get", get},
    {"list", list},
    {"stats", stats},
    {"history", history},
    {"create_risk", create_risk},
    {"update_risk", update_risk},
    {"delete_and_restore", delete_and_restore},
    {"bulk", bulk},
    {"update_asset", update_asset},
    {"update_mitigation", update_mitigation},
};

/** The n-th call of one piece of work. Was there one? */
static bool fail_nth(struct fixture *f, size_t which, enum faulty_way way, int n)
{
    struct err err;
    err_init(&err);
    long began = faulty_fail_at(n);
    enum status status = all[which].work(&f->works, &err);
    long calls = faulty_fail_at(0) - began;
    bool was_there = calls >= n;
    /* The network is of no importance where all answers are here already. */
    bool is_right = !was_there              ? status == OK
                    : way == FAULTY_REFUSES ? status == BUSY
                                            : status == UNAVAILABLE || status == OK;
    if (!is_right)
        fail_msg("%s, call %d of %ld: %s", all[which].name, n, calls, status_name(status));
    assert_false(db_in_transaction(f->db));
    return was_there;
}

static void every_call_fails_once(struct fixture *f, enum faulty_way way)
{
    int failures = 0;
    faulty_set_way(way, cut);
    open_again(f);
    for (size_t i = 0; i < COUNT_OF(all); i++)
        for (int n = 1; fail_nth(f, i, way, n); n++, failures++) {
            assert_int_equal(db_is_alive(f->db, 0), way == FAULTY_REFUSES);
            if (way == FAULTY_CUTS) {
                assert_true(db_is_broken(f->db));
                db_close(f->db);
                open_again(f);
            }
            put_back(f);
            if (get(&f->works, &f->pg.err) != OK)
                fail_msg("after call %d of %s nothing works", n, all[i].name);
        }
    db_close(f->db);
    assert_sound(f);
    printf("# figure: %d calls of %zu kinds of work %s\n", failures, COUNT_OF(all),
           way == FAULTY_CUTS ? "found the network cut" : "were refused");
}

static void a_call_that_is_refused(void **state)
{
    every_call_fails_once(*state, FAULTY_REFUSES);
}

static void a_call_that_finds_the_network_cut(void **state)
{
    every_call_fails_once(*state, FAULTY_CUTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_is_refused),
        cmocka_unit_test(a_call_that_finds_the_network_cut),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
