/*
 * Signing in beside other writers: it waits for none of them where the engine can do that, and it
 * never outlives a change of the password.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "auth/password.h"
#include "service/account_service.h"
#include "store/account_store.h"
#include "store/queries.h"
#include "store_fixture.h"

static const char password[] = "a password for tests only";
static const uint8_t key[TOKEN_KEY_BYTES] = {1};

static int setup(void **state)
{
    static struct store_fixture store;
    struct err err;
    char *unused;
    store_fixture_open(&store);
    assert_int_equal(password_init(&err), OK);
    assert_int_equal(
        account_service_first_admin(&store.service, "ann@example.org", password, &unused, &err),
        OK);
    *state = &store;
    return 0;
}

static int teardown(void **state)
{
    store_fixture_close(*state);
    return 0;
}

static enum status sign_in(struct store_fixture *store, struct err *err)
{
    struct new_session session;
    return account_service_login(&store->service, key, "ann@example.org", password, &session, err);
}

static void who_signs_in_waits_for_other_writers_only_where_there_can_be_one(void **state)
{
    struct store_fixture *store = *state;
    struct db *writer;
    struct err err;
    assert_int_equal(db_open(store->database, &writer, &err), OK);
    assert_int_equal(db_begin_write(writer, store->service.now_ms, 1000, &err), OK);
    assert_int_equal(db_exec(writer, &queries[QUERY_META_SET],
                             DB_PARAMS(DB_TEXT("test"), DB_TEXT("1")), NULL, &err),
                     OK);
    store->service.write_timeout_ms = 50;
    assert_int_equal(sign_in(store, &err), db_dialect(writer) == DIALECT_SQLITE ? BUSY : OK);
    db_close(writer);
    assert_int_equal(sign_in(store, &err), OK);
}

/** As if somebody else had changed it between the comparison and the session. */
static void no_session_begins_with_a_password_that_was_changed_meanwhile(void **state)
{
    struct store_fixture *store = *state;
    struct user user;
    struct err err;
    assert_int_equal(account_service_find(&store->service, "ann@example.org", &user, &err), OK);
    struct user changed = user;
    changed.password_hash = "another";
    assert_int_equal(db_begin_write(store->db, store->service.now_ms, 1000, &err), OK);
    assert_int_equal(account_store_update(store->db, &changed, &err), OK);
    assert_int_equal(db_commit(store->db, &err), OK);

    assert_int_equal(db_begin_note(store->db, store->service.now_ms, 1000, &err), OK);
    assert_int_equal(account_store_signed_in(store->db, &user, 1, &err), NOT_FOUND);
    db_rollback(store->db);
    assert_int_equal(db_begin_note(store->db, store->service.now_ms, 1000, &err), OK);
    assert_int_equal(account_store_signed_in(store->db, &changed, 1, &err), OK);
    db_rollback(store->db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            who_signs_in_waits_for_other_writers_only_where_there_can_be_one, setup, teardown),
        cmocka_unit_test_setup_teardown(
            no_session_begins_with_a_password_that_was_changed_meanwhile, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
