/* How long and how much a client may send, and what it hears when that is too long or too much. */
#include "http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"

#define HOST "Host: localhost\r\n"
#define ECHO "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nfirst"
#define CHUNKED "Transfer-Encoding: chunked\r\n\r\n"

enum { SHORT_MS = 300 };

static int set_up_small(void **state)
{
    struct http_settings settings = fixture_settings();
    settings.loops = 1;
    settings.max_connections = 3;
    settings.max_body_bytes_in_flight = 1000;
    *state = fixture_start(&settings);
    return 0;
}

static int set_up_impatient(void **state)
{
    struct http_settings settings = fixture_settings();
    settings.idle_timeout_ms = SHORT_MS;
    settings.request_timeout_ms = SHORT_MS;
    settings.reply_timeout_ms = SHORT_MS;
    *state = fixture_start(&settings);
    return 0;
}

static void expect_problem(int client, int status)
{
    const char *response = client_read(client);
    assert_int_equal(response_status(response), status);
    assert_non_null(strstr(response, "application/problem+json"));
    assert_non_null(strstr(response, "Connection: close"));
    client_expect_close(client);
}

static void send_zeros(int client, size_t size)
{
    AUTO_FREE char *zeros = mem_zalloc(1, size);
    client_send_bytes(client, zeros, size);
}

static void expect_healthy(struct fixture *fixture)
{
    assert_string_equal(response_body(client_exchange(fixture, ECHO)), "first");
}

static void a_body_within_the_limit_is_taken_whole(void **state)
{
    int client = client_connect(*state);
    client_send(client, "POST /big HTTP/1.1\r\n" HOST "Content-Length: 1048576\r\n\r\n");
    send_zeros(client, 1 << 20);
    assert_string_equal(response_body(client_read(client)), "1048576 bytes");
    client_send(client, "POST /big HTTP/1.1\r\n" HOST CHUNKED "100000\r\n");
    send_zeros(client, 1 << 20);
    client_send(client, "\r\n0\r\n\r\n");
    assert_string_equal(response_body(client_read(client)), "1048576 bytes");
    close(client);
}

static void a_body_over_the_limit_is_read_and_refused(void **state)
{
    int client = client_connect(*state);
    client_send(client, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 4000000\r\n\r\n");
    send_zeros(client, 4000000);
    expect_problem(client, 413);
    client = client_connect(*state);
    client_send(client, "POST /none HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx");
    expect_problem(client, 413);
    expect_healthy(*state);
}

static void a_chunked_body_over_the_limit_is_read_and_refused(void **state)
{
    int client = client_connect(*state);
    client_send(client, "POST /big HTTP/1.1\r\n" HOST CHUNKED "3d0900\r\n");
    send_zeros(client, 4000000);
    client_send(client, "\r\n0\r\n\r\n");
    expect_problem(client, 413);
    expect_healthy(*state);
}

static void an_endless_body_is_refused_after_64_mib(void **state)
{
    int64_t began_ms = clock_monotonic_ms();
    int client = client_connect(*state);
    client_send(client, "POST /echo HTTP/1.1\r\n" HOST CHUNKED "40000000\r\n");
    for (int i = 0; i < 65; i++)
        send_zeros(client, 1 << 20);
    expect_problem(client, 413);
    /* Not by the deadline of five seconds, which would answer it as well. */
    assert_in_range(clock_monotonic_ms() - began_ms, 0, 4500);
    client = client_connect(*state);
    client_send(client, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 99999999999\r\n\r\n");
    expect_problem(client, 413);
    expect_healthy(*state);
}

static void with_expect_a_body_over_the_limit_is_not_asked_for(void **state)
{
    static const char *const heads[] = {
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 101\r\nExpect: 100-continue\r\n\r\n",
        "POST /none HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n" CHUNKED,
    };
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        int client = client_connect(*state);
        client_send(client, heads[i]);
        expect_problem(client, 413);
    }
}

static void with_expect_a_good_body_is_asked_for(void **state)
{
    int client = client_connect(*state);
    client_send(client, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n"
                        "Expect: 100-continue\r\n\r\n");
    assert_int_equal(response_status(client_read_head(client)), 100);
    client_send(client, "first");
    assert_string_equal(response_body(client_read(client)), "first");
    close(client);
}

static void bodies_beyond_the_budget_are_refused(void **state)
{
    struct fixture *fixture = *state;
    int first = client_connect(fixture), second = client_connect(fixture);
    /* In one segment, which the only loop reads to its end before it turns to the second. */
    char start[1000] = "POST /big HTTP/1.1\r\n" HOST "Content-Length: 900\r\n\r\n";
    client_send_bytes(first, start, strlen(start) + 800);
    fixture_wait(fixture, &fixture->begun, 1);
    client_send(second, "POST /big HTTP/1.1\r\n" HOST CHUNKED "384\r\n");
    send_zeros(second, 900);
    client_send(second, "\r\n0\r\n\r\n");
    expect_problem(second, 503);
    send_zeros(first, 100);
    assert_string_equal(response_body(client_read(first)), "900 bytes");
    /* What they took has been given back. */
    for (int i = 0; i < 3; i++) {
        client_send(first, "POST /big HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n");
        send_zeros(first, 1000);
        assert_string_equal(response_body(client_read(first)), "1000 bytes");
    }
    close(first);
}

static void connections_beyond_the_limit_are_closed(void **state)
{
    int clients[3];
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        clients[i] = client_connect(*state);
        client_send(clients[i], ECHO);
        client_read(clients[i]);
    }
    client_expect_close(client_connect(*state));
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        client_send(clients[i], ECHO);
        client_read(clients[i]);
        close(clients[i]);
    }
}

/** Send `head`, then a byte whenever the server has been silent for 10 ms: the ms until it closes.
 */
static int64_t drip(struct fixture *fixture, const char *head, const char *byte)
{
    int64_t began_ms = clock_monotonic_ms();
    int client = client_connect(fixture);
    client_send(client, head);
    while (!client_closed_within(client, 10)) {
        if (clock_monotonic_ms() > began_ms + FIXTURE_PATIENCE_MS)
            fail_msg("a slow client is still served");
        if (send(client, byte, strlen(byte), MSG_NOSIGNAL) < 0)
            break;
    }
    close(client);
    return clock_monotonic_ms() - began_ms;
}

static void slow_clients_are_closed_in_spite_of_their_activity(void **state)
{
    static const char *const slow[][2] = {
        {"", "G"},
        {"GET /none HTTP/1.1\r\n" HOST "X-Slow: ", "x"},
        {"POST /big HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n", "x"},
        {"POST /big HTTP/1.1\r\n" HOST CHUNKED, "1\r\nx\r\n"},
        {ECHO, ""},
        {"", "\r\n"},
    };
    for (size_t i = 0; i < COUNT_OF(slow); i++) {
        int64_t took_ms = drip(*state, slow[i][0], slow[i][1]);
        assert_in_range(took_ms, SHORT_MS - 20, FIXTURE_PATIENCE_MS);
    }
}

static void a_client_that_does_not_take_its_reply_is_closed(void **state)
{
    struct fixture *fixture = *state;
    int64_t began_ms = clock_monotonic_ms();
    int client = client_connect(fixture);
    client_send(client, "GET /flood HTTP/1.1\r\n" HOST "\r\n");
    fixture_wait(fixture, &fixture->done, 1);
    assert_in_range(clock_monotonic_ms() - began_ms, SHORT_MS - 20, FIXTURE_PATIENCE_MS);
    client_expect_close(client);
}

static void a_refused_body_that_does_not_end_is_answered_at_the_deadline(void **state)
{
    int client = client_connect(*state);
    client_send(client, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\nstalled");
    expect_problem(client, 413);
    client = client_connect(*state);
    client_send(client, "POST /early HTTP/1.1\r\n" HOST CHUNKED "5\r\nstal");
    const char *response = client_read(client);
    assert_int_equal(response_status(response), 401);
    assert_string_equal(response_body(response), "who are you?");
    client_expect_close(client);
}

static void a_suspended_request_has_no_deadline_of_ours(void **state)
{
    struct fixture *fixture = *state;
    int client = client_connect(fixture);
    client_send(client, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    fixture_wait(fixture, &fixture->suspended_count, 1);
    client_expect_close(client_connect(fixture)); /* All deadlines are equal, so ours has passed. */
    fixture_answer_later(fixture);
    assert_string_equal(response_body(client_read(client)), "/later, later");
    close(client);
}

#define LIMIT_TEST(name, set_up_function)                                                          \
    cmocka_unit_test_setup_teardown(name, set_up_function, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIMIT_TEST(a_body_within_the_limit_is_taken_whole, fixture_set_up),
        LIMIT_TEST(a_body_over_the_limit_is_read_and_refused, fixture_set_up),
        LIMIT_TEST(a_chunked_body_over_the_limit_is_read_and_refused, fixture_set_up),
        LIMIT_TEST(an_endless_body_is_refused_after_64_mib, fixture_set_up),
        LIMIT_TEST(with_expect_a_body_over_the_limit_is_not_asked_for, fixture_set_up),
        LIMIT_TEST(with_expect_a_good_body_is_asked_for, fixture_set_up),
        LIMIT_TEST(bodies_beyond_the_budget_are_refused, set_up_small),
        LIMIT_TEST(connections_beyond_the_limit_are_closed, set_up_small),
        LIMIT_TEST(slow_clients_are_closed_in_spite_of_their_activity, set_up_impatient),
        LIMIT_TEST(a_client_that_does_not_take_its_reply_is_closed, set_up_impatient),
        LIMIT_TEST(a_refused_body_that_does_not_end_is_answered_at_the_deadline, set_up_impatient),
        LIMIT_TEST(a_suspended_request_has_no_deadline_of_ours, set_up_impatient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
