/*
 * The configuration of Redis: what is refused, where it is then, and that its password stays
 * secret.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "app/config.h"
#include "base/mem.h"
#include "base/text.h"

static enum status load(char *const *environment, struct loaded_config *config, struct err *err)
{
    struct config_sources sources = {.environment = environment};
    err_init(err);
    return config_load(&sources, config, err);
}

static void load_well(char *const *environment, struct loaded_config *config)
{
    struct err err;
    char message[400];
    if (load(environment, config, &err) != OK)
        fail_msg("%s", err_text(&err, message, sizeof message));
}

static char *printed(const struct loaded_config *config)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    config_print(config, out);
    fclose(out);
    return text;
}

static void redis_is_described_once_and_wholly(void **state)
{
    static const struct {
        const char *given[4], *name, *message;
    } cases[] = {
        {{"REDIS_URL=redis://a", "REDIS_HOST=b"}, "REDIS_HOST", "REDIS_URL (environment)"},
        {{"REDIS_URL=redis://a", "REDIS_PORT=6379"}, "REDIS_PORT", "REDIS_URL (environment)"},
        {{"REDIS_URL=redis://a", "REDIS_USERNAME=u"}, "REDIS_USERNAME", "REDIS_URL (environment)"},
        {{"REDIS_URL=redis://a", "REDIS_PASSWORD=p"}, "REDIS_PASSWORD", "REDIS_URL (environment)"},
        {{"REDIS_URL=redis://a", "REDIS_DB=0"}, "REDIS_DB", "REDIS_URL (environment)"},
        {{"REDIS_PORT=6379"}, "REDIS_PORT", "without REDIS_HOST"},
        {{"REDIS_USERNAME=u"}, "REDIS_USERNAME", "without REDIS_HOST"},
        {{"REDIS_PASSWORD=p"}, "REDIS_PASSWORD", "without REDIS_HOST"},
        {{"REDIS_DB=0"}, "REDIS_DB", "without REDIS_HOST"},
        {{"REDIS_HOST=a", "REDIS_USERNAME=u"}, "REDIS_USERNAME", "without REDIS_PASSWORD"},
        {{"REDIS_HOST=a", "CACHE_ENABLED=false"}, "REDIS_HOST", "CACHE_ENABLED=false"},
        {{"REDIS_URL=redis://a", "CACHE_ENABLED=false"}, "REDIS_URL", "CACHE_ENABLED=false"},
        {{"REDIS_URL=rediss://a"}, "REDIS_URL", "which asks for TLS (rediss://)"},
        {{"REDIS_URL=a:6379"}, "REDIS_URL", "redis://"},
        {{"REDIS_URL=redis://a/10000"}, "REDIS_URL", "9999"},
        {{"REDIS_HOST=a:6379"}, "REDIS_HOST", "is \"a:6379\"; allowed: a name or an address"},
        {{"REDIS_HOST=[::1]"}, "REDIS_HOST", "such as redis.example.org, 10.0.0.5 or ::1"},
        {{"REDIS_HOST=a", "REDIS_PORT=0"}, "REDIS_PORT", "1 to 65535"},
        {{"REDIS_HOST=a", "REDIS_DB=10000"}, "REDIS_DB", "0 to 9999"},
        {{"REDIS_HOST=a", "REDIS_TIMEOUT=0"}, "REDIS_TIMEOUT", "1ms to 10s"},
        {{"CACHE_CONSISTENCY=none"}, "CACHE_CONSISTENCY", "bounded or strict"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct loaded_config config;
        struct err err;
        if (load((char *const *)cases[i].given, &config, &err) != INVALID)
            fail_msg("%s was accepted", cases[i].given[0]);
        assert_int_equal(err.count, 1);
        assert_string_equal(err.items[0].field, cases[i].name);
        if (!strstr(err.items[0].message, cases[i].message))
            fail_msg("%s: %s", cases[i].given[0], err.items[0].message);
        config_release(&config);
    }
}

static void redis_is_where_the_configuration_says(void **state)
{
    static const struct {
        const char *given[6];
        struct redis_address address;
    } cases[] = {
        {{"REDIS_URL=redis://a"}, {"a", 6379, NULL, NULL, 0}},
        {{"REDIS_URL=redis://u:p%40q@[::1]:7000/15"}, {"::1", 7000, "u", "p@q", 15}},
        {{"REDIS_HOST=a.example.org"}, {"a.example.org", 6379, NULL, NULL, 0}},
        {{"REDIS_HOST=::1", "REDIS_PASSWORD=p"}, {"::1", 6379, NULL, "p", 0}},
        {{"REDIS_HOST=10.0.0.5", "REDIS_PORT=7000", "REDIS_USERNAME=u", "REDIS_PASSWORD=p",
          "REDIS_DB=9999"},
         {"10.0.0.5", 7000, "u", "p", 9999}},
    };
    (void)state;
    struct redis_address address;
    struct loaded_config config;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct redis_address *expected = &cases[i].address;
        load_well((char *const *)cases[i].given, &config);
        assert_true(config_redis(&config.values, &config.arena, &address));
        assert_string_equal(address.host, expected->host);
        assert_int_equal(address.port, expected->port);
        assert_true(text_equal(address.user, expected->user));
        assert_true(text_equal(address.password, expected->password));
        assert_int_equal(address.database, expected->database);
        assert_int_equal(config.values.redis_timeout, 50);
        config_release(&config);
    }
    load_well(NULL, &config);
    assert_false(config_redis(&config.values, &config.arena, &address));
    assert_string_equal(config.origins[setting_find("REDIS_PORT") - settings], "not set");
    config_release(&config);
}

static void no_password_of_redis_is_printed(void **state)
{
    static const char *const good[][4] = {
        {"REDIS_URL=redis://user:swordfish@host/1"},
        {"REDIS_URL=redis://:sword%2Ffish@host:7000"},
        {"REDIS_HOST=host", "REDIS_PASSWORD=swordfish"},
    };
    static const char *const bad[][4] = {
        {"REDIS_URL=rediss://user:swordfish@host"},
        {"REDIS_URL=redis://swordfish@host"},
        {"REDIS_URL=redis://user:swordfish"},
        {"REDIS_URL=redis://user:x/swordfish@y@host"},
        {"REDIS_URL=redis://user:x/swordfish"},
        {"REDIS_URL=redis://host?password=swordfish"},
        {"REDIS_URL=redis://user:swordfish%@host"},
        {"REDIS_URL=redis://user:swordfish\x01@host"},
        {"REDIS_URL=redis://user:swordfish\xFF@host"},
        {"REDIS_URL=user:swordfish@host"},
        {"REDIS_URL=:swordfish@host://"},
        {"REDIS_URL=redis://user:swordfish@host", "REDIS_HOST=host"},
        {"REDIS_HOST=host", "REDIS_PASSWORD=swordfish", "CACHE_ENABLED=false"},
        {"REDIS_PASSWORD=swordfish"},
        {"REDIS_HOST=host", "REDIS_PASSWORD=swordfish\x01"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct loaded_config config;
        load_well((char *const *)good[i], &config);
        AUTO_FREE char *text = printed(&config);
        assert_null(strstr(text, "fish"));
        assert_non_null(strstr(text, "***"));
        config_release(&config);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct loaded_config config;
        struct err err;
        if (load((char *const *)bad[i], &config, &err) != INVALID)
            fail_msg("%s was accepted", bad[i][0]);
        for (size_t k = 0; k < err.count; k++)
            if (strstr(err.items[k].message, "fish"))
                fail_msg("%s: %s", bad[i][0], err.items[k].message);
        config_release(&config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redis_is_described_once_and_wholly),
        cmocka_unit_test(redis_is_where_the_configuration_says),
        cmocka_unit_test(no_password_of_redis_is_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
