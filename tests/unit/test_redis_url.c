/*
 * REDIS_URL: what it may be, in which words it is refused, and that no password is shown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "cache/redis_url.h"

static void assert_same(const char *is, const char *expected)
{
    if (expected)
        assert_string_equal(is, expected);
    else
        assert_null(is);
}

static void urls_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host;
        int port;
        const char *user, *password;
        int database;
    } rows[] = {
        {"redis://cache", "cache", 6379, NULL, NULL, 0},
        {"REDIS://Cache_1.example.org/", "Cache_1.example.org", 6379, NULL, NULL, 0},
        {"redis://127.0.0.1:7000/3", "127.0.0.1", 7000, NULL, NULL, 3},
        {"redis://:secret@cache", "cache", 6379, NULL, "secret", 0},
        {"redis://app:secret@cache:1/9999", "cache", 1, "app", "secret", 9999},
        {"redis://a%3Ab:p%40s%2fs%25%20%3a@cache", "cache", 6379, "a:b", "p@s/s% :", 0},
        {"redis://:a:b@c@cache", "cache", 6379, NULL, "a:b@c", 0},
        {"redis://:s%C3%A9cret@cache", "cache", 6379, NULL, "sécret", 0},
        {"redis://[::1]", "::1", 6379, NULL, NULL, 0},
        {"redis://app:x@[2001:db8::7]:65535/1", "2001:db8::7", 65535, "app", "x", 1},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_ARENA struct arena arena;
        arena_init(&arena);
        struct redis_address address;
        struct err err;
        if (redis_url_parse(rows[i].url, &arena, &address, &err) != OK)
            fail_msg("%s: %s", rows[i].url, err.items[0].message);
        assert_string_equal(address.host, rows[i].host);
        assert_int_equal(address.port, rows[i].port);
        assert_same(address.user, rows[i].user);
        assert_same(address.password, rows[i].password);
        assert_int_equal(address.database, rows[i].database);
    }
}

static void others_are_refused_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *url, *words;
    } rows[] = {
        {"", "must begin with redis://"},
        {"redis:/cache", "must begin with redis://"},
        {"http://cache", "must begin with redis://"},
        {"rediss://:hunter2@cache", "asks for TLS (rediss://)"},
        {"redis://", "needs the name or the address of a host"},
        {"redis:///3", "needs the name or the address of a host"},
        {"redis://:hunter2@", "needs the name or the address of a host"},
        {"redis://:hunter2/2@cache", "needs the name or the address of a host"},
        {"redis://a cache", "needs the name or the address of a host"},
        {"redis://::1", "needs the name or the address of a host"},
        {"redis://[::1", "']' is missing"},
        {"redis://[::1]7000", "']' is missing or misplaced"},
        {"redis://[cache]", "no IPv6 address between the brackets"},
        {"redis://[127.0.0.1]", "no IPv6 address between the brackets"},
        {"redis://cache:", "has a port that is not a number"},
        {"redis://cache:0", "has a port that is not a number"},
        {"redis://cache:65536", "has a port that is not a number"},
        {"redis://cache:+1", "has a port that is not a number"},
        {"redis://cache:-1", "has a port that is not a number"},
        {"redis://cache:hunter2", "has a port that is not a number"},
        {"redis://hunter2@cache", "needs a password before the '@'"},
        {"redis://:@cache", "has an empty password"},
        {"redis://app:@cache", "has an empty password"},
        {"redis://:hunter%2@cache", "has a '%'"},
        {"redis://:hunter%@cache", "has a '%'"},
        {"redis://:hunter%zz@cache", "has a '%'"},
        {"redis://:hunter%00@cache", "has a '%'"},
        {"redis://hunter%002:x@cache", "has a '%'"},
        {"redis://cache/10000", "has a database"},
        {"redis://cache/-1", "has a database"},
        {"redis://cache/x", "has a database"},
        {"redis://cache/1/2", "has a database"},
        {"redis://cache?db=1", "has a '?' or '#'"},
        {"redis://:hunter2#x@cache", "has a '?' or '#'"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_ARENA struct arena arena;
        arena_init(&arena);
        struct redis_address address;
        struct err err;
        if (redis_url_parse(rows[i].url, &arena, &address, &err) != INVALID)
            fail_msg("%s is taken", rows[i].url);
        const struct err_item *item = &err.items[0];
        assert_string_equal(item->field, "REDIS_URL");
        if (!strstr(item->message, rows[i].words))
            fail_msg("%s: %s", rows[i].url, item->message);
        assert_null(strstr(item->message, "hunter"));
    }
}

static void no_password_is_shown(void **state)
{
    (void)state;
    static const struct {
        const char *url, *shown;
    } rows[] = {
        {"redis://cache:7000/3", "redis://cache:7000/3"},
        {"redis://:hunter2@cache", "redis://:***@cache"},
        {"redis://app:hunter2@[::1]:7000/3", "redis://app:***@[::1]:7000/3"},
        {"redis://:hunter2@hunter2@cache", "redis://:***@cache"},
        {"rediss://app:hunter2@cache", "rediss://***@cache"},
        {"redis://hunter2@cache", "redis://***@cache"},
        {"redis://:hunter2/hunter2@cache", "redis://***@cache"},
        {"redis://:hunter2", "redis://***"},
        {"hunter2", "***"},
        {"hunter2@cache://x", "***@cache://x"},
        {"redis://:hunter2@cache/\x1b[2J", "redis://***@cache/?[2J"},
        {"", "***"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_ARENA struct arena arena;
        arena_init(&arena);
        assert_string_equal(redis_url_shown(rows[i].url, &arena), rows[i].shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_read),
        cmocka_unit_test(others_are_refused_in_words),
        cmocka_unit_test(no_password_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
