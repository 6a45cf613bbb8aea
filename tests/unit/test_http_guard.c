/* What the guard lets through and what it refuses, and whose address a request is said to have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/address.h"
#include "http/guard.h"

#define HEADERS(...)                                                                               \
    ((struct http_params){(const struct http_param[]){__VA_ARGS__},                                \
                          sizeof((const struct http_param[]){__VA_ARGS__}) /                       \
                              sizeof(struct http_param)})
#define HOST                                                                                       \
    {                                                                                              \
        "Host", "localhost"                                                                        \
    }

static void known_methods_pass(void **state)
{
    (void)state;
    enum http_method method;
    const char *detail;
    assert_int_equal(guard_method("GET", &method, &detail), 0);
    assert_int_equal(method, HTTP_GET);
    assert_int_equal(guard_method("OPTIONS", &method, &detail), 0);
    assert_int_equal(method, HTTP_OPTIONS);
    static const char *const unknown[] = {"get", "TRACE", "CONNECT", "BREW", ""};
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        assert_int_equal(guard_method(unknown[i], &method, &detail), 501);
}

static void paths_are_decoded(void **state)
{
    (void)state;
    static const char *const good[][2] = {
        {"/", "/"},         {"/api/v1/risks", "/api/v1/risks"},
        {"/a%20b", "/a b"}, {"/%C3%A9lan", "/élan"},
        {"/a+b", "/a+b"},   {"/a/", "/a/"},
        {"/...", "/..."},   {"/.well-known", "/.well-known"},
        {"/a%25b", "/a%b"},
    };
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        const char *path, *detail;
        struct http_params query;
        assert_int_equal(guard_target(&arena, good[i][0], &path, &query, &detail), 0);
        assert_string_equal(path, good[i][1]);
        assert_int_equal(query.count, 0);
    }
}

static void hostile_targets_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",          "*",        "a",     "http://h/", "//",         "/a//b",    "/.",
        "/..",       "/a/../b",  "/a/.",  "/%2e%2e/b", "/%2E",       "/a%2Fb",   "/a%2fb",
        "/%",        "/%4",      "/%zz",  "/%00",      "/a%0Ab",     "/%ff",     "/%C3",
        "/\xC3\xA9", "/a b",     "/a\tb", "/a#b",      "/a?b=%00",   "/a?b=%c3", "/a?%ff=1",
        "/a?b=%4",   "/a?b=c#d", "/%7f",  "/a?b=\x7f", "/%ed%a0%80",
    };
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const char *path, *detail = NULL;
        struct http_params query;
        if (guard_target(&arena, bad[i], &path, &query, &detail) != 400)
            fail_msg("'%s' is not refused", bad[i]);
        assert_non_null(detail);
    }
}

static void queries_are_decoded(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    const char *path, *detail;
    struct http_params query;
    assert_int_equal(guard_target(&arena, "/a?q=a+b%2Bc&&empty=&flag&x=1=2&q=%C3%A9&=v&/?=/..//",
                                  &path, &query, &detail),
                     0);
    static const struct http_param expected[] = {{"q", "a b+c"}, {"empty", ""}, {"flag", ""},
                                                 {"x", "1=2"},   {"q", "é"},    {"", "v"},
                                                 {"/?", "/..//"}};
    assert_int_equal(query.count, COUNT_OF(expected));
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_string_equal(query.items[i].name, expected[i].name);
        assert_string_equal(query.items[i].value, expected[i].value);
    }
    assert_string_equal(path, "/a");
}

static int headers_status(struct http_params headers, bool http_1_0)
{
    struct guard_framing framing;
    const char *detail = NULL;
    int refused = guard_headers(headers, http_1_0, &framing, &detail);
    assert_true(refused == 0 || detail);
    return refused;
}

static void the_framing_is_read(void **state)
{
    (void)state;
    struct guard_framing framing;
    const char *detail;
    assert_int_equal(
        guard_headers(HEADERS(HOST, {"content-LENGTH", "42"}), false, &framing, &detail), 0);
    assert_int_equal(framing.length, 42);
    assert_false(framing.chunked);
    assert_int_equal(
        guard_headers(HEADERS(HOST, {"transfer-encoding", "Chunked"}, {"Expect", "100-Continue"}),
                      false, &framing, &detail),
        0);
    assert_true(framing.chunked && framing.expects_continue);
    assert_int_equal(framing.length, 0);
    assert_int_equal(
        headers_status(HEADERS(HOST, {"X-Tab", "a\tb"}, {"X-Mark!", "\xC3\xA9"}), false), 0);
    assert_int_equal(headers_status((struct http_params){NULL, 0}, true), 0);
}

static void ambiguous_headers_are_refused(void **state)
{
    (void)state;
    assert_int_equal(headers_status((struct http_params){NULL, 0}, false), 400);
    assert_int_equal(headers_status(HEADERS(HOST, HOST), false), 400);
    assert_int_equal(headers_status(HEADERS(HOST, {"HOST", "other"}), true), 400);
    static const struct http_param second[] = {
        {"Content-Length ", "1"},
        {"X(y)", "1"},
        {"", "1"},
        {"X\xC3\xA9", "1"},
        {"X-A", "a\x01"},
        {"X-A", "a\rb"},
        {"X-A", "\x7f"},
        {"X-A", "\xff"},
        {"Content-Length", "+1"},
        {"Content-Length", "-1"},
        {"Content-Length", "1 "},
        {"Content-Length", ""},
        {"Content-Length", "1, 1"},
        {"Content-Length", "0x1"},
        {"Content-Length", "99999999999999999999"},
        {"Transfer-Encoding", "gzip"},
        {"Transfer-Encoding", "gzip, chunked"},
        {"Transfer-Encoding", "chunked "},
        {"Transfer-Encoding", "identity"},
        {"Transfer-Encoding", ""},
    };
    for (size_t i = 0; i < COUNT_OF(second); i++)
        if (headers_status(HEADERS(HOST, second[i]), false) != 400)
            fail_msg("'%s: %s' is not refused", second[i].name, second[i].value);
    const struct http_param length = {"Content-Length", "1"},
                            chunked = {"Transfer-Encoding", "chunked"};
    assert_int_equal(headers_status(HEADERS(HOST, length, length), false), 400);
    assert_int_equal(headers_status(HEADERS(HOST, length, chunked), false), 400);
    assert_int_equal(headers_status(HEADERS(HOST, chunked, length), false), 400);
    assert_int_equal(headers_status(HEADERS(HOST, chunked, chunked), false), 400);
    assert_int_equal(headers_status(HEADERS(HOST, chunked), true), 400);
    assert_int_equal(headers_status(HEADERS(HOST, {"Expect", "a miracle"}), false), 417);
}

static void the_client_is_behind_trusted_proxies_only(void **state)
{
    (void)state;
    static const struct {
        const char *peer, *forwarded, *trusted, *client;
    } cases[] = {
        {"127.0.0.1", "192.0.2.1", NULL, "127.0.0.1"},
        {"127.0.0.1", "192.0.2.1", "", "127.0.0.1"},
        {"127.0.0.1", "192.0.2.1", "127.0.0.1", "192.0.2.1"},
        {"192.0.2.9", "192.0.2.1", "127.0.0.1", "192.0.2.9"},
        {"127.0.0.1", "6.6.6.6, 192.0.2.1", "127.0.0.1", "192.0.2.1"},
        {"127.0.0.1", "192.0.2.1, 10.1.2.3", "127.0.0.0/8, 10.0.0.0/8", "192.0.2.1"},
        {"127.0.0.1", "192.0.2.1, 11.1.2.3", "127.0.0.0/8, 10.0.0.0/8", "11.1.2.3"},
        {"127.0.0.1", "192.0.2.1, unknown", "127.0.0.1", "127.0.0.1"},
        {"127.0.0.1", "", "127.0.0.1", "127.0.0.1"},
        {"127.0.0.1", "10.0.0.1", "0.0.0.0/0", "10.0.0.1"},
        {"::1", "2001:db8::7", "::1", "2001:db8::7"},
        {"::1", "[2001:DB8::7]:4711", "::/1", "2001:db8::7"},
        {"127.0.0.1", "192.0.2.1:4711", "127.0.0.1/32", "192.0.2.1"},
        {"127.0.0.1", "::ffff:192.0.2.1", "127.0.0.1", "192.0.2.1"},
        {"10.128.0.1", "192.0.2.1", "10.0.0.0/9", "10.128.0.1"},
        {"10.127.0.1", "192.0.2.1", "10.0.0.0/9", "192.0.2.1"},
    };
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *client =
            address_of_client(&arena, cases[i].peer,
                              HEADERS({"x-forwarded-for", cases[i].forwarded}), cases[i].trusted);
        assert_string_equal(client, cases[i].client);
    }
    /* Several headers are one list. */
    assert_string_equal(address_of_client(&arena, "127.0.0.1",
                                          HEADERS({"X-Forwarded-For", "192.0.2.1"},
                                                  {"X-Forwarded-For", "127.0.0.2"}),
                                          "127.0.0.0/8"),
                        "192.0.2.1");
}

static void lists_of_trusted_proxies_are_checked(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(http_check_trusted(NULL, &err), OK);
    assert_int_equal(http_check_trusted("127.0.0.1, 10.0.0.0/8,::1, fd00::/8", &err), OK);
    static const char *const bad[] = {"localhost",   "10.0.0.0/33", "::/129",       "10.0.0.0/",
                                      "10.0.0.0/-1", "10.0.0",      "127.0.0.1 ::1"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(http_check_trusted(bad[i], &err), INVALID);
        assert_non_null(strstr(err.items[0].message, bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_methods_pass),
        cmocka_unit_test(paths_are_decoded),
        cmocka_unit_test(hostile_targets_are_refused),
        cmocka_unit_test(queries_are_decoded),
        cmocka_unit_test(the_framing_is_read),
        cmocka_unit_test(ambiguous_headers_are_refused),
        cmocka_unit_test(the_client_is_behind_trusted_proxies_only),
        cmocka_unit_test(lists_of_trusted_proxies_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
