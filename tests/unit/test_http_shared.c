/*
 * What requests share: replies that are built once and sent to many, and the notes on targets that
 * were asked for a moment ago.
 */
#include "http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <malloc.h>

#include "base/mem.h"
#include "http/target.h"

#define HOST "Host: localhost\r\n"
#define GET(target) "GET " target " HTTP/1.1\r\n" HOST "\r\n"
#define ECHO_1 "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nfirst"

enum { SHARED_BYTES = 5000, MANY_BYTES = 32 << 20 };
#define SHARED_LENGTH "\r\nContent-Length: 5000\r\n"

/** All connections are on one event loop, so that they share its targets. */
static int set_up_one_loop(void **state)
{
    struct http_settings settings = fixture_settings();
    settings.loops = 1;
    *state = fixture_start(&settings);
    return 0;
}

/* Shared replies */

/** How many bodies of shared replies were given back so far. */
static unsigned released(struct fixture *fixture)
{
    pthread_mutex_lock(&fixture->lock);
    unsigned count = fixture->released;
    pthread_mutex_unlock(&fixture->lock);
    return count;
}

static void expect_shared(const char *response)
{
    const char *body = response_body(response);
    assert_int_equal(response_status(response), 200);
    assert_int_equal(strspn(body, "s"), SHARED_BYTES);
    assert_int_equal(strlen(body), SHARED_BYTES);
    assert_non_null(strstr(response, "\r\nX-Shared: yes\r\n"));
    assert_non_null(strstr(response, "\r\nContent-Type: text/plain\r\n"));
    assert_non_null(strstr(response, "\r\nDate: "));
    assert_non_null(strstr(response, SHARED_LENGTH));
}

static void many_requests_share_a_reply(void **state)
{
    enum { CLIENTS = 20, REQUESTS = 10 };
    static const char *const requests[] = {
        GET("/shared"), GET("/shared/soon"),
        "POST /shared HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nfirst",
        "POST /shared/soon HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nfirst"};
    struct fixture *fixture = *state;
    int clients[CLIENTS];
    fixture_share(fixture, SHARED_BYTES);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = client_connect(fixture);
    for (int n = 0; n < REQUESTS; n++) {
        for (int i = 0; i < CLIENTS; i++)
            client_send(clients[i], requests[(size_t)(n + i) % COUNT_OF(requests)]);
        for (int i = 0; i < CLIENTS; i++) {
            const char *response = client_read(clients[i]);
            expect_shared(response);
            assert_null(strstr(response, "Connection: close"));
            client_send(clients[i], ECHO_1);
            expect_body(client_read(clients[i]), "first");
        }
    }
    assert_int_equal(released(fixture), 0);
    fixture_unshare(fixture);
    fixture_wait(fixture, &fixture->released, 1);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
}

static void head_and_304_measure_the_body_and_leave_it_out(void **state)
{
    struct fixture *fixture = *state;
    int client = client_connect(fixture);
    fixture_share(fixture, SHARED_BYTES);
    for (int i = 0; i < 3; i++) {
        client_send(client, "HEAD /shared HTTP/1.1\r\n" HOST "\r\n");
        const char *response = client_read_head(client);
        assert_int_equal(response_status(response), 200);
        assert_non_null(strstr(response, SHARED_LENGTH));
        client_send(client, GET("/shared/304"));
        response = client_read_head(client);
        assert_int_equal(response_status(response), 304);
        assert_non_null(strstr(response, SHARED_LENGTH));
        assert_non_null(strstr(response, "\r\nX-Shared: yes\r\n"));
        client_send(client, GET("/shared"));
        expect_shared(client_read(client));
    }
    close(client);
    fixture_unshare(fixture);
}

static void who_wants_to_close_is_closed(void **state)
{
    static const char *const requests[] = {"GET /shared HTTP/1.1\r\n" HOST
                                           "Connection: close\r\n\r\n",
                                           "GET /shared HTTP/1.0\r\n\r\n"};
    struct fixture *fixture = *state;
    fixture_share(fixture, SHARED_BYTES);
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        int client = client_connect(fixture);
        client_send(client, requests[i]);
        const char *response = client_read(client);
        expect_shared(response);
        client_expect_close(client);
    }
    fixture_unshare(fixture);
}

static void while_the_server_closes_nothing_is_shared(void **state)
{
    struct fixture *fixture = *state;
    int idle = client_connect(fixture), busy = client_connect(fixture);
    fixture_share(fixture, SHARED_BYTES);
    client_send(idle, GET("/shared"));
    expect_shared(client_read(idle));
    client_send(busy, "POST /shared HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nfir");
    fixture_wait(fixture, &fixture->begun, 2);
    pthread_t drainer;
    assert_int_equal(pthread_create(&drainer, NULL, fixture_drain, fixture), 0);
    client_expect_close(idle); /* so it has begun */
    client_send(busy, "st");
    const char *response = client_read(busy);
    expect_body(response, "not shared");
    assert_non_null(strstr(response, "Connection: close"));
    client_expect_close(busy);
    pthread_join(drainer, NULL);
    fixture_unshare(fixture);
    assert_int_equal(released(fixture), 1);
}

/** A body that is still on its way when its head has come. */
static void ask_for_many(struct fixture *fixture, int *clients, int count)
{
    char length[64];
    snprintf(length, sizeof length, "\r\nContent-Length: %d\r\n", MANY_BYTES);
    fixture_share(fixture, MANY_BYTES);
    for (int i = 0; i < count; i++) {
        clients[i] = client_connect(fixture);
        client_send(clients[i], GET("/shared"));
        assert_non_null(strstr(client_read_head(clients[i]), length));
    }
}

static void a_reply_that_is_freed_on_its_way_gets_there(void **state)
{
    enum { CLIENTS = 3 };
    struct fixture *fixture = *state;
    int clients[CLIENTS];
    AUTO_FREE char *bytes = mem_alloc(MANY_BYTES + 1);
    ask_for_many(fixture, clients, CLIENTS);
    fixture_unshare(fixture);
    fixture_share(fixture, SHARED_BYTES); /* others go on */
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(released(fixture), 0);
        client_read_bytes(clients[i], bytes, MANY_BYTES);
        bytes[MANY_BYTES] = '\0';
        assert_int_equal(strspn(bytes, "s"), MANY_BYTES);
        client_send(clients[i], GET("/shared"));
        expect_shared(client_read(clients[i]));
    }
    fixture_wait(fixture, &fixture->released, 1);
    fixture_unshare(fixture);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    fixture_wait(fixture, &fixture->released, 2);
}

static void a_reply_to_clients_that_go_is_released_once(void **state)
{
    enum { CLIENTS = 5 };
    struct fixture *fixture = *state;
    int clients[CLIENTS];
    ask_for_many(fixture, clients, CLIENTS);
    fixture_unshare(fixture);
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(released(fixture), 0);
        close(clients[i]);
    }
    fixture_wait(fixture, &fixture->done, CLIENTS);
    fixture_wait(fixture, &fixture->released, 1);
}

static void a_server_may_end_while_replies_are_on_their_way(void **state)
{
    enum { CLIENTS = 2 };
    struct fixture *fixture = *state;
    int clients[CLIENTS];
    ask_for_many(fixture, clients, CLIENTS);
    http_server_drain(fixture->server, 0);
    assert_int_equal(released(fixture), 0);
    fixture_unshare(fixture);
    assert_int_equal(released(fixture), 1);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
}

/* The bytes of shared replies */

static void ignore(void *owner)
{
    (void)owner;
}

/** With such headers as answers have. */
static struct http_shared *share_something(void)
{
    static const struct http_param headers[] = {
        {"Cache-Control", "private, no-cache"},
        {"Vary", "Accept-Encoding, Authorization, Cookie"},
        {"X-Content-Type-Options", "nosniff"},
        {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
        {"Referrer-Policy", "no-referrer"},
        {"X-Cache", "HIT"},
        {"Cache-Status", "openrisk; hit"},
        {"ETag", "\"123.0123456789abcdef.gz\""},
        {"Content-Encoding", "gzip"},
    };
    struct http_reply reply = {.status = 200,
                               .content_type = "application/json",
                               .body = "{}",
                               .length = 2,
                               .release = ignore,
                               .file = -1};
    return http_shared_new(&reply, headers, COUNT_OF(headers));
}

/** Sanitizers have an allocator of their own, which tells nothing. */
static size_t allocated_bytes(void)
{
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

static void the_bytes_are_about_what_the_allocator_gave(void **state)
{
    enum { COUNT = 1000 };
    static struct http_shared *shared[COUNT];
    size_t said = 0, before = allocated_bytes();
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        shared[i] = share_something();
        said += http_shared_bytes(shared[i]);
    }
    size_t given = allocated_bytes() - before;
    for (int i = 0; i < COUNT; i++)
        http_shared_free(shared[i]);
    print_message("# figure: http: %d shared replies take %zu bytes and say %zu\n", COUNT, given,
                  said);
    assert_in_range(said, given - given / 4, given + given / 4);
}

/* Notes */

static void a_note_is_there_when_its_target_is_asked_for_again(void **state)
{
    int client = client_connect(*state), other = client_connect(*state);
    client_send(client, GET("/note?a=1"));
    expect_body(client_read(client), "new");
    client_send(client, GET("/note?a=1"));
    expect_body(client_read(client), "/note with 1 parameters");
    client_send(other, GET("/note?a=1"));
    expect_body(client_read(other), "/note with 1 parameters");
    client_send(client, GET("/note?a=2&b=3"));
    expect_body(client_read(client), "new");
    client_send(client, GET("/note?a=%31")); /* the same only to those who decode it */
    expect_body(client_read(client), "new");
    client_send(client, GET("/note?a=2&b=3"));
    expect_body(client_read(client), "/note with 2 parameters");
    client_send(client, GET("/note?a=1"));
    expect_body(client_read(client), "/note with 1 parameters");
    close(client);
    close(other);
}

static void other_targets_take_the_places_of_old_ones(void **state)
{
    enum { TARGETS = 40 * TARGETS_KEPT };
    int client = client_connect(*state);
    client_send(client, GET("/note?a=first"));
    expect_body(client_read(client), "new");
    for (int i = 0; i < TARGETS; i++) {
        char request[128];
        snprintf(request, sizeof request, GET("/note?a=%d"), i);
        client_send(client, request);
        expect_body(client_read(client), "new");
    }
    client_send(client, GET("/note?a=first"));
    expect_body(client_read(client), "new");
    close(client);
}

static void a_note_lives_until_done_though_its_place_is_taken(void **state)
{
    enum { TARGETS = 40 * TARGETS_KEPT };
    struct fixture *fixture = *state;
    int waiting = client_connect(fixture), client = client_connect(fixture);
    client_send(waiting, GET("/note/later?a=1"));
    fixture_wait(fixture, &fixture->suspended_count, 1);
    const char *note = fixture->note;
    for (int i = 0; i < TARGETS; i++) {
        char request[128];
        snprintf(request, sizeof request, GET("/query?b=%d"), i);
        client_send(client, request);
        assert_int_equal(response_status(client_read(client)), 200);
    }
    assert_string_equal(note, "/note/later with 1 parameters");
    fixture_answer_later(fixture);
    expect_body(client_read(waiting), "/note/later, later");
    close(waiting);
    close(client);
}

static void a_refused_target_is_refused_again(void **state)
{
    for (int i = 0; i < 3; i++)
        assert_int_equal(response_status(client_exchange(*state, GET("/note?a=%zz"))), 400);
}

/** "GET /PATH?a=xxx…" whose target has so many bytes. */
static char *request_for_target_of(const char *path, size_t size)
{
    AUTO_FREE char *value = mem_zalloc(1, size);
    memset(value, 'x', size - strlen(path) - strlen("?a="));
    return mem_format("GET %s?a=%s HTTP/1.1\r\n" HOST "\r\n", path, value);
}

static void long_targets_work_but_are_not_kept(void **state)
{
    static const size_t sizes[] = {TARGET_KEPT_BYTES_MAX - 1, TARGET_KEPT_BYTES_MAX,
                                   TARGET_KEPT_BYTES_MAX + 1, 4000};
    int client = client_connect(*state);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        AUTO_FREE char *query = request_for_target_of("/query", sizes[i]);
        AUTO_FREE char *note = request_for_target_of("/note", sizes[i]);
        for (int n = 0; n < 2; n++) {
            client_send(client, query);
            const char *body = response_body(client_read(client));
            assert_memory_equal(body, "[a=x", 4);
            assert_int_equal(strspn(body + 3, "x"), sizes[i] - strlen("/query?a="));
            client_send(client, note);
            bool is_kept = n > 0 && sizes[i] <= TARGET_KEPT_BYTES_MAX;
            expect_body(client_read(client), is_kept ? "/note with 1 parameters" : "new");
        }
    }
    close(client);
}

#define SHARED_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
#define NOTE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_one_loop, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHARED_TEST(many_requests_share_a_reply),
        SHARED_TEST(head_and_304_measure_the_body_and_leave_it_out),
        SHARED_TEST(who_wants_to_close_is_closed),
        SHARED_TEST(while_the_server_closes_nothing_is_shared),
        SHARED_TEST(a_reply_that_is_freed_on_its_way_gets_there),
        SHARED_TEST(a_reply_to_clients_that_go_is_released_once),
        SHARED_TEST(a_server_may_end_while_replies_are_on_their_way),
        NOTE_TEST(a_note_is_there_when_its_target_is_asked_for_again),
        NOTE_TEST(other_targets_take_the_places_of_old_ones),
        NOTE_TEST(a_note_lives_until_done_though_its_place_is_taken),
        NOTE_TEST(a_refused_target_is_refused_again),
        NOTE_TEST(long_targets_work_but_are_not_kept),
    };
    const struct CMUnitTest measured[] = {
        cmocka_unit_test(the_bytes_are_about_what_the_allocator_gave),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (allocated_bytes() > 0)
        failed += cmocka_run_group_tests(measured, NULL, NULL);
    return failed;
}
