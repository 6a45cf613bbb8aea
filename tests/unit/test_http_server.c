/* The server as a client on a raw socket sees it. */
#include "http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"

#define HOST "Host: localhost\r\n"
#define ECHO_1 "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nfirst"
#define ECHO_2                                                                                     \
    "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"                            \
    "3;note=x\r\nsec\r\n3\r\nond\r\n0\r\nX-Trailer: t\r\n\r\n"
#define LATER "GET /later HTTP/1.1\r\n" HOST "\r\n"
#define GET_NONE "GET /none HTTP/1.1\r\n" HOST "\r\n"

static void a_connection_serves_many_requests(void **state)
{
    int client = client_connect(*state);
    for (int i = 0; i < 3; i++) {
        client_send(client, ECHO_1);
        const char *response = client_read(client);
        expect_body(response, "first");
        assert_null(strstr(response, "Connection: close"));
        assert_non_null(strstr(response, "\r\nDate: "));
        client_send(client, ECHO_2);
        expect_body(client_read(client), "second");
    }
    close(client);
}

static void an_early_answer_keeps_the_connection(void **state)
{
    int client = client_connect(*state);
    client_send(client, "POST /early HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nfirst");
    assert_int_equal(response_status(client_read(client)), 401);
    client_send(client, "GET /early HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(response_status(client_read(client)), 401);
    client_send(client, ECHO_1);
    expect_body(client_read(client), "first");
    close(client);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct fixture *fixture = *state;
    int client = client_connect(fixture);
    client_send(client, ECHO_1 LATER ECHO_2);
    expect_body(client_read(client), "first");
    fixture_wait(fixture, &fixture->suspended_count, 1);
    fixture_answer_later(fixture);
    expect_body(client_read(client), "/later, later");
    expect_body(client_read(client), "second");
    close(client);
}

static void what_was_sent_is_read(void **state)
{
    expect_body(client_exchange(*state, "GET /query?a=b+c&d=%C3%A9 HTTP/1.1\r\n" HOST "\r\n"),
                "[a=b c][d=é]");
    const char *response = client_exchange(*state, "GET /header HTTP/1.1\r\n" HOST
                                                   "x-TEST:  v\r\nCookie: a=b; c=d=e; c=f\r\n\r\n");
    expect_body(response, "v|d=e");
    assert_non_null(strstr(response, "\r\nX-Answer: yes\r\n"));
    assert_non_null(strstr(response, "\r\nContent-Type: text/plain\r\n"));
    expect_body(client_exchange(*state, "GET /header HTTP/1.0\r\n\r\n"), "none|none");
}

static void head_is_answered_without_a_body(void **state)
{
    int client = client_connect(*state);
    client_send(client, "HEAD /file HTTP/1.1\r\n" HOST "\r\n");
    const char *response = client_read_head(client);
    assert_int_equal(response_status(response), 200);
    assert_non_null(strstr(response, "Content-Length: 300000"));
    client_send(client, ECHO_1);
    expect_body(client_read(client), "first");
    close(client);
}

static void a_file_is_sent(void **state)
{
    int client = client_connect(*state);
    client_send(client, "GET /file HTTP/1.1\r\n" HOST "\r\n");
    const char *response = client_read(client);
    assert_int_equal(response_status(response), 200);
    assert_int_equal(strspn(response_body(response), "f"), FIXTURE_FILE_BYTES);
    client_send(client, ECHO_1);
    expect_body(client_read(client), "first");
    close(client);
}

static void the_client_address_needs_trust(void **state)
{
    static const char forwarded[] = HOST "X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.1.1.1\r\n\r\n";
    char request[256];
    snprintf(request, sizeof request, "GET /client HTTP/1.1\r\n%s", forwarded);
    expect_body(client_exchange(*state, request), "192.0.2.1");
    snprintf(request, sizeof request, "GET /peer HTTP/1.1\r\n%s", forwarded);
    expect_body(client_exchange(*state, request), "127.0.0.1");
}

/** One answer, a problem with `status`, then the end. */
static void expect_refusal(struct fixture *fixture, const char *bytes, size_t size, int status)
{
    int client = client_connect(fixture);
    client_send_bytes(client, bytes, size);
    const char *response = client_read(client);
    if (response_status(response) != status || !strstr(response, "application/problem+json") ||
        !strstr(response, "Connection: close"))
        fail_msg("%s\nis answered with\n%s", bytes, response);
    client_expect_close(client);
}

#define REFUSED(text, status)                                                                      \
    {                                                                                              \
        text GET_NONE, sizeof(text GET_NONE) - 1, status                                           \
    }
#define POST "POST /echo HTTP/1.1\r\n"

static void ambiguous_requests_are_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        int status;
    } cases[] = {
        REFUSED("BREW /none HTTP/1.1\r\n" HOST "\r\n", 501),
        REFUSED("GET /../none HTTP/1.1\r\n" HOST "\r\n", 400),
        REFUSED("GET /no ne HTTP/1.1\r\n" HOST "\r\n", 400),
        REFUSED("GET  /none HTTP/1.1\r\n" HOST "\r\n", 400),
        REFUSED("GET /none\0 HTTP/1.1\r\n" HOST "\r\n", 400),
        REFUSED("GET /none HTTP/1.1\r\n\r\n", 400),
        REFUSED("GET /none HTTP/1.1\r\n" HOST HOST "\r\n", 400),
        REFUSED("GET /none HTTP/1.1\r\n" HOST "X y: 1\r\n\r\n", 400),
        REFUSED("GET /none HTTP/1.1\r\n" HOST "X-A: a\0b\r\n\r\n", 400),
        REFUSED("GET /none HTTP/1.1\r\n" HOST "X-A: a\rb\r\n\r\n", 400),
        REFUSED("GET /none HTTP/1.1\n" HOST "\r\n", 400),
        REFUSED("GET /none HTTP/1.1\r\nHost: localhost\nX-A: b\r\n\r\n", 400),
        REFUSED("GET /none HTTP/1.1\r\n" HOST "X-A: b\r\n\n", 400),
        REFUSED("GET /none HTTP/1.1\r\n" HOST "X-A: b\r\n c\r\n\r\n", 400),
        REFUSED(POST HOST "Transfer-Encoding: x\r\n y\r\nX-A:b\r\n\r\n", 400),
        REFUSED(POST HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nfirst", 400),
        REFUSED(POST HOST "Content-Length: 5, 5\r\n\r\nfirst", 400),
        REFUSED(POST HOST "Content-Length: +5\r\n\r\nfirst", 400),
        REFUSED(POST HOST "Content-Length: 99999999999999999999\r\n\r\n", 413),
        REFUSED(POST HOST "Content-Length : 5\r\n\r\nfirst", 400),
        REFUSED(POST HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        REFUSED(POST HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
        REFUSED(POST HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\nfirst\r\n0\r\n\r\n", 400),
        REFUSED(POST HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nfirst\r\n0\r\n\r\n", 400),
        REFUSED(POST HOST "Expect: 200-ok\r\nContent-Length: 5\r\n\r\nfirst", 417),
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect_refusal(*state, cases[i].bytes, cases[i].size, cases[i].status);
    expect_body(client_exchange(*state, ECHO_1), "first");
}

/** A request whose head has `size` bytes. */
static char *request_with_head_of(size_t size)
{
    static const char start[] = "GET /header HTTP/1.1\r\n" HOST "X-Test: ";
    char *request = mem_alloc(size + 1);
    memset(request, 'x', size);
    memcpy(request, start, sizeof start - 1);
    memcpy(request + size - 4, "\r\n\r\n", 5);
    return request;
}

static void a_head_may_have_7000_bytes_but_not_9000(void **state)
{
    AUTO_FREE char *good = request_with_head_of(7000);
    assert_int_equal(response_status(client_exchange(*state, good)), 200);
    static const size_t too_large[] = {9000, 20000};
    for (size_t i = 0; i < COUNT_OF(too_large); i++) {
        AUTO_FREE char *bad = request_with_head_of(too_large[i]);
        const char *response = client_exchange(*state, bad);
        assert_int_equal(response_status(response), 431);
        assert_non_null(strstr(response, "application/problem+json"));
    }
}

static void a_suspended_request_is_answered_from_another_thread(void **state)
{
    enum { CLIENTS = 8 };
    struct fixture *fixture = *state;
    int clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = client_connect(fixture);
        client_send(clients[i], LATER);
    }
    fixture_wait(fixture, &fixture->suspended_count, CLIENTS);
    expect_body(client_exchange(fixture, ECHO_1), "first");
    fixture_answer_later(fixture);
    for (int i = 0; i < CLIENTS; i++) {
        expect_body(client_read(clients[i]), "/later, later");
        client_send(clients[i], ECHO_1);
        expect_body(client_read(clients[i]), "first");
        close(clients[i]);
    }
}

static void a_client_may_go_while_its_request_is_suspended(void **state)
{
    struct fixture *fixture = *state;
    int polite = client_connect(fixture), rude = client_connect(fixture);
    client_send(polite, LATER);
    client_send(rude, LATER);
    fixture_wait(fixture, &fixture->suspended_count, 2);
    close(polite);
    const struct linger reset = {.l_onoff = 1};
    setsockopt(rude, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(rude);
    fixture_answer_later(fixture);
    fixture_wait(fixture, &fixture->done, 2);
    expect_body(client_exchange(fixture, ECHO_1), "first");
}

static void a_second_server_on_the_port_fails(void **state)
{
    struct fixture *fixture = *state;
    struct http_settings settings = fixture_settings();
    settings.listen = http_server_address(fixture->server);
    struct http_app app = {0};
    struct http_server *second = NULL;
    struct err err;
    assert_int_equal(http_server_start(&settings, &app, &second, &err), CONFLICT);
    assert_non_null(strstr(err.items[0].message, settings.listen));
    settings.loops = 1;
    assert_int_equal(http_server_start(&settings, &app, &second, &err), CONFLICT);
    settings.listen = "192.0.2.1:80";
    assert_int_equal(http_server_start(&settings, &app, &second, &err), INVALID);
    static const char *const bad[] = {"localhost:80", "127.0.0.1",       "127.0.0.1:",  ":80",
                                      "[::1:80",      "127.0.0.1:65536", "127.0.0.1:x", ""};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        settings.listen = bad[i];
        assert_int_equal(http_server_start(&settings, &app, &second, &err), INVALID);
    }
    assert_null(second);
    expect_body(client_exchange(fixture, ECHO_1), "first");
}

static void a_thousand_connections_are_kept_on_all_loops(void **state)
{
    enum { CLIENTS = 1000 };
    struct fixture *fixture = *state;
    AUTO_FREE int *clients = mem_zalloc(CLIENTS, sizeof *clients);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = client_connect(fixture);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < CLIENTS; i++)
            client_send(clients[i], ECHO_1);
        for (int i = 0; i < CLIENTS; i++)
            expect_body(client_read(clients[i]), "first");
    }
    assert_int_equal(fixture->thread_count, 2);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
}

static void draining_lets_suspended_requests_finish(void **state)
{
    struct fixture *fixture = *state;
    int idle = client_connect(fixture), busy = client_connect(fixture);
    client_send(idle, ECHO_1);
    expect_body(client_read(idle), "first");
    client_send(busy, LATER);
    fixture_wait(fixture, &fixture->suspended_count, 1);
    pthread_t drainer;
    assert_int_equal(pthread_create(&drainer, NULL, fixture_drain, fixture), 0);
    client_expect_close(idle); /* so the drain has begun */
    fixture_answer_later(fixture);
    const char *response = client_read(busy);
    expect_body(response, "/later, later");
    assert_non_null(strstr(response, "Connection: close"));
    client_expect_close(busy);
    pthread_join(drainer, NULL);
    assert_int_equal(fixture->done, 2);
}

static void draining_ends_at_its_deadline(void **state)
{
    struct fixture *fixture = *state;
    int slow = client_connect(fixture), taker = client_connect(fixture);
    client_send(slow, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nfir");
    client_send(taker, "GET /flood HTTP/1.1\r\n" HOST "\r\n");
    fixture_wait(fixture, &fixture->begun, 2);
    fixture_wait(fixture, &fixture->handled, 1);
    int64_t began_ms = clock_monotonic_ms();
    http_server_drain(fixture->server, began_ms + 50);
    assert_in_range(clock_monotonic_ms() - began_ms, 50, FIXTURE_PATIENCE_MS);
    client_expect_close(slow);
    client_expect_close(taker);
    assert_int_equal(fixture->done, 2);
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(a_connection_serves_many_requests),
        SERVER_TEST(an_early_answer_keeps_the_connection),
        SERVER_TEST(pipelined_requests_are_answered_in_order),
        SERVER_TEST(what_was_sent_is_read),
        SERVER_TEST(head_is_answered_without_a_body),
        SERVER_TEST(a_file_is_sent),
        SERVER_TEST(the_client_address_needs_trust),
        SERVER_TEST(ambiguous_requests_are_refused),
        SERVER_TEST(a_head_may_have_7000_bytes_but_not_9000),
        SERVER_TEST(a_suspended_request_is_answered_from_another_thread),
        SERVER_TEST(a_client_may_go_while_its_request_is_suspended),
        SERVER_TEST(a_second_server_on_the_port_fails),
        SERVER_TEST(a_thousand_connections_are_kept_on_all_loops),
        SERVER_TEST(draining_lets_suspended_requests_finish),
        SERVER_TEST(draining_ends_at_its_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
