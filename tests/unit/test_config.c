/*
 * The configuration: sources and their order, values that are refused, what is printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/config.h"
#include "base/mem.h"
#include "base/text.h"

static char file_name[] = "/tmp/openrisk-config-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(file_name);
    if (fd < 0)
        return -1;
    return close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(file_name);
}

/** Load `text` as the file (NULL: no file) and an environment. */
static enum status load(const char *text, char *const *environment, struct loaded_config *config,
                        struct err *err)
{
    struct config_sources sources = {.environment = environment};
    if (text) {
        FILE *file = fopen(file_name, "w");
        assert_non_null(file);
        fputs(text, file);
        assert_int_equal(fclose(file), 0);
        sources.file = file_name;
    }
    err_init(err);
    return config_load(&sources, config, err);
}

static void load_well(const char *text, char *const *environment, struct loaded_config *config)
{
    struct err err;
    char message[400];
    if (load(text, environment, config, &err) != OK)
        fail_msg("%s", err_text(&err, message, sizeof message));
}

static const char *origin(const struct loaded_config *config, const char *name)
{
    return config->origins[setting_find(name) - settings];
}

typedef void print_function(FILE *out);

static char *captured(const struct loaded_config *config, print_function *print)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    if (print)
        print(out);
    else
        config_print(config, out);
    fclose(out);
    return text;
}

/* Sources */

static void later_sources_win(void **state)
{
    (void)state;
    char *const environment[] = {"APP_ENV=production", "LOG_LEVEL=error", NULL};
    struct loaded_config config;
    load_well("LOG_LEVEL=warn\nLOGIN_BURST=7\n", environment, &config);
    assert_int_equal(config.values.log_level, 3);
    assert_string_equal(origin(&config, "LOG_LEVEL"), "environment");
    assert_int_equal(config.values.login_burst, 7);
    assert_non_null(strstr(origin(&config, "LOGIN_BURST"), " line 2"));
    assert_int_equal(config.values.db_pool_acquire_timeout, 1000);
    assert_string_equal(origin(&config, "DB_POOL_ACQUIRE_TIMEOUT"), "default (production)");
    assert_int_equal(config.values.login_drain, 30000);
    assert_string_equal(origin(&config, "LOGIN_DRAIN"), "default");
    config_release(&config);
}

static void the_profile_may_come_from_the_file(void **state)
{
    (void)state;
    struct loaded_config config;
    load_well("APP_ENV=staging\n", NULL, &config);
    assert_int_equal(config.values.db_pool_acquire_timeout, 2000);
    config_release(&config);
}

static void the_command_line_wins_over_all(void **state)
{
    (void)state;
    char *const environment[] = {"DATABASE_URL=sqlite:env.db", NULL};
    struct config_sources sources = {.environment = environment, .database_url = "sqlite:line.db"};
    struct loaded_config config;
    struct err err;
    assert_int_equal(config_load(&sources, &config, &err), OK);
    assert_string_equal(config.values.database_url, "sqlite:line.db");
    assert_string_equal(origin(&config, "DATABASE_URL"), "--database");
    config_release(&config);
}

static void an_empty_value_counts_as_not_given(void **state)
{
    (void)state;
    char *const environment[] = {"LOGIN_BURST=", "OPENRISK_OPS_TOKEN=", NULL};
    struct loaded_config config;
    load_well("LOGIN_BURST=7\nLOG_LEVEL=\n", environment, &config);
    assert_int_equal(config.values.login_burst, 7);
    assert_null(config.values.ops_token);
    assert_string_equal(origin(&config, "LOG_LEVEL"), "default");
    config_release(&config);
}

static void defaults_that_are_computed_follow_other_settings(void **state)
{
    (void)state;
    char *const environment[] = {"DATABASE_URL=postgres://host/openrisk", "DB_POOL_MAX=3", NULL};
    struct loaded_config config;
    load_well(NULL, environment, &config);
    assert_int_equal(config.values.db_pool_max_waiting, 12);
    assert_in_range(config.values.http_loops, 1, 4);
    config_release(&config);
}

static void the_pool_follows_the_profile(void **state)
{
    static const struct {
        const char *env;
        int64_t max, idle, lifetime_min, idle_min, acquire, leak, statement;
    } cases[] = {
        {"APP_ENV=development", 10, 2, 10, 2, 5000, 5000, 30000},
        {"APP_ENV=staging", 50, 10, 30, 5, 2000, 10000, 10000},
        {"APP_ENV=production", 100, 25, 60, 10, 1000, 10000, 5000},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *const environment[] = {(char *)cases[i].env, "DATABASE_URL=postgres://host/x", NULL};
        struct loaded_config config;
        load_well(NULL, environment, &config);
        const struct config *values = &config.values;
        assert_int_equal(values->db_pool_max, cases[i].max);
        assert_int_equal(values->db_pool_max_idle, cases[i].idle);
        assert_int_equal(values->db_pool_lifetime, cases[i].lifetime_min * 60000);
        assert_int_equal(values->db_pool_idle_time, cases[i].idle_min * 60000);
        assert_int_equal(values->db_pool_acquire_timeout, cases[i].acquire);
        assert_int_equal(values->db_pool_leak_warning, cases[i].leak);
        assert_int_equal(values->db_connect_timeout, cases[i].acquire);
        assert_int_equal(values->db_statement_timeout, cases[i].statement);
        assert_int_equal(values->db_pool_max_waiting, 4 * cases[i].max);
        config_release(&config);
    }
}

static void
sqlite_has_as_many_connections_as_its_processors_can_use_but_the_profiles_line(void **state)
{
    (void)state;
    char *const environment[] = {"APP_ENV=production", NULL};
    struct loaded_config config;
    load_well(NULL, environment, &config);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    assert_int_equal(config.values.db_pool_max, processors < 50 ? 2 * processors : 100);
    assert_int_equal(config.values.db_pool_max_waiting, 400);
    config_release(&config);
}

static void a_default_that_another_setting_leaves_no_room_for_is_smaller(void **state)
{
    (void)state;
    char *const environment[] = {"DB_POOL_MAX=1", "DB_POOL_LIFETIME=30s", NULL};
    struct loaded_config config;
    load_well(NULL, environment, &config);
    assert_int_equal(config.values.db_pool_max_idle, 1);
    assert_int_equal(config.values.db_pool_idle_time, 30000);
    config_release(&config);
}

static void settings_of_the_pool_that_contradict_each_other_are_refused(void **state)
{
    static const struct {
        const char *given[2], *name, *message;
    } cases[] = {
        {{"DB_POOL_MAX=5", "DB_POOL_MAX_IDLE=6"},
         "DB_POOL_MAX_IDLE",
         "is 6, but must not be larger than DB_POOL_MAX, which is 5"},
        {{"DB_POOL_IDLE_TIME=11m", "DB_POOL_MAX=5"},
         "DB_POOL_IDLE_TIME",
         "is 11m, but must not be larger than DB_POOL_LIFETIME, which is 10m"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *const environment[] = {(char *)cases[i].given[0], (char *)cases[i].given[1], NULL};
        struct loaded_config config;
        struct err err;
        assert_int_equal(load(NULL, environment, &config, &err), INVALID);
        assert_int_equal(err.count, 1);
        assert_string_equal(err.items[0].field, cases[i].name);
        assert_string_equal(err.items[0].message, cases[i].message);
        config_release(&config);
    }
}

static void a_file_has_comments_quotes_and_either_line_end(void **state)
{
    (void)state;
    struct loaded_config config;
    load_well("# a comment\n\n  \t# another\n"
              " LOG_LEVEL = debug \r\n"
              "INITIAL_ADMIN_PASSWORD=\" with spaces and # and = \"\n"
              "OPENRISK_TRUSTED_PROXIES='127.0.0.1, 10.0.0.0/8'\n"
              "LOGIN_BURST=5",
              NULL, &config);
    assert_int_equal(config.values.log_level, 0);
    assert_string_equal(config.values.initial_admin_password, " with spaces and # and = ");
    assert_string_equal(config.values.trusted_proxies, "127.0.0.1, 10.0.0.0/8");
    assert_int_equal(config.values.login_burst, 5);
    config_release(&config);
}

static void a_bad_line_is_named_by_its_number(void **state)
{
    static const struct {
        const char *text, *where, *what;
    } cases[] = {
        {"\nPROT=80\n", "line 2", "\"PROT\""},
        {"LOG_LEVEL=debug\njust words\n", "line 2", "NAME=value"},
        {"LOG_LEVEL=\"debug\n", "line 1", "quote"},
        {"LOG_LEVEL=\"debug\" x\n", "line 1", "quote"},
        {"LOG_LEVEL=debug\nLOG_LEVEL=info\n", "line 2", "twice"},
        {"log_level=debug\n", "line 1", "\"log_level\""},
        {"\n\nLOGIN_BURST=none\n", "line 3", "\"none\""},
        {"LOGIN_BURST=7 # seven\n", "line 1", "\"7 # seven\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct loaded_config config;
        struct err err;
        assert_int_equal(load(cases[i].text, NULL, &config, &err), INVALID);
        assert_int_equal(err.count, 1);
        assert_non_null(strstr(err.items[0].field, cases[i].where));
        assert_non_null(strstr(err.items[0].message, cases[i].what));
        config_release(&config);
    }
}

static void a_file_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    struct config_sources sources = {.file = "/nowhere/openrisk.conf"};
    struct loaded_config config;
    struct err err;
    assert_int_equal(config_load(&sources, &config, &err), INVALID);
    assert_non_null(strstr(err.items[0].message, "/nowhere/openrisk.conf"));
    config_release(&config);
}

/* Values */

static void values_outside_what_is_allowed_are_refused_with_name_value_and_range(void **state)
{
    static const struct {
        const char *given, *name, *value, *allowed;
    } cases[] = {
        {"APP_ENV=prod", "APP_ENV", "\"prod\"", "development, staging or production"},
        {"PORT=65536", "PORT", "\"65536\"", "0 to 65535"},
        {"PORT=-1", "PORT", "\"-1\"", "0 to 65535"},
        {"PORT=80a", "PORT", "\"80a\"", "0 to 65535"},
        {"LOGIN_BURST=0", "LOGIN_BURST", "\"0\"", "1 to 1000"},
        {"LOGIN_BURST=99999999999999999999", "LOGIN_BURST", "\"9999", "1 to 1000"},
        {"LOGIN_BURST= 5", "LOGIN_BURST", "\" 5\"", "1 to 1000"},
        {"HTTP_IDLE_TIMEOUT=30", "HTTP_IDLE_TIMEOUT", "\"30\"", "1s to 1h (units: ms, s, m, h, d)"},
        {"HTTP_IDLE_TIMEOUT=999ms", "HTTP_IDLE_TIMEOUT", "\"999ms\"", "1s to 1h"},
        {"HTTP_IDLE_TIMEOUT=2h", "HTTP_IDLE_TIMEOUT", "\"2h\"", "1s to 1h"},
        {"HTTP_IDLE_TIMEOUT=s", "HTTP_IDLE_TIMEOUT", "\"s\"", "1s to 1h"},
        {"HTTP_IDLE_TIMEOUT=1 s", "HTTP_IDLE_TIMEOUT", "\"1 s\"", "1s to 1h"},
        {"HTTP_BODY_BUDGET=64MB", "HTTP_BODY_BUDGET", "\"64MB\"", "1MiB to 64GiB"},
        {"HTTP_BODY_BUDGET=18014398509484032KiB", "HTTP_BODY_BUDGET", "\"1801", "1MiB to 64GiB"},
        {"OPENRISK_CLOCK_OFFSET=3", "OPENRISK_CLOCK_OFFSET", "\"3\"", "-3650d to 3650d"},
        {"OPENRISK_LISTEN=8080", "OPENRISK_LISTEN", "\"8080\"", "127.0.0.1:8080"},
        {"OPENRISK_LISTEN=localhost:8080", "OPENRISK_LISTEN", "\"localhost:8080\"", "127.0.0.1"},
        {"OPENRISK_LISTEN=::1:8080", "OPENRISK_LISTEN", "\"::1:8080\"", "[::1]:8080"},
        {"OPENRISK_LISTEN=127.0.0.1:70000", "OPENRISK_LISTEN", "70000", "127.0.0.1:8080"},
        {"OPENRISK_PUBLIC_URL=risk.example.org", "OPENRISK_PUBLIC_URL", "risk.ex", "https://HOST"},
        {"OPENRISK_PUBLIC_URL=https://a.org/x", "OPENRISK_PUBLIC_URL", "/x", "without a path"},
        {"OPENRISK_TRUSTED_PROXIES=10.0.0.0/99", "OPENRISK_TRUSTED_PROXIES", "/99", "10.0.0.0/8"},
        {"DATABASE_URL=data.db", "DATABASE_URL", "\"data.db\"", "sqlite:PATH"},
        {"DATABASE_URL=sqlite:", "DATABASE_URL", "\"sqlite:\"", "sqlite:PATH"},
        {"INITIAL_ADMIN_EMAIL=admin", "INITIAL_ADMIN_EMAIL", "\"admin\"", "e-mail"},
        {"DB_POOL_MAX=0", "DB_POOL_MAX", "\"0\"", "1 to 1000"},
        {"DB_POOL_ACQUIRE_TIMEOUT=0", "DB_POOL_ACQUIRE_TIMEOUT", "\"0\"", "10ms to 10m"},
        {"DB_POOL_LEAK_WARNING=0", "DB_POOL_LEAK_WARNING", "\"0\"", "10ms to 1d"},
        {"DB_STATEMENT_TIMEOUT=5", "DB_STATEMENT_TIMEOUT", "\"5\"", "100ms to 1d"},
        {"OPENRISK_NODES=0", "OPENRISK_NODES", "\"0\"", "1 to 1000"},
        {"LOG_LEVEL=INFO", "LOG_LEVEL", "\"INFO\"", "debug, info, warn or error"},
        {"LOG_LEVEL=\xFF", "LOG_LEVEL", "", "debug, info, warn or error"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *const environment[] = {(char *)cases[i].given, NULL};
        struct loaded_config config;
        struct err err;
        if (load(NULL, environment, &config, &err) != INVALID)
            fail_msg("%s was accepted", cases[i].given);
        assert_int_equal(err.count, 1);
        assert_string_equal(err.items[0].field, cases[i].name);
        if (!strstr(err.items[0].message, cases[i].value) ||
            !strstr(err.items[0].message, cases[i].allowed))
            fail_msg("%s: %s", cases[i].given, err.items[0].message);
        config_release(&config);
    }
}

static void values_are_read_in_their_units(void **state)
{
    (void)state;
    char *const environment[] = {"HTTP_REQUEST_TIMEOUT=500ms",
                                 "LOGIN_DRAIN=1d",
                                 "OPENRISK_CLOCK_OFFSET=-3d",
                                 "HTTP_BODY_BUDGET=2GiB",
                                 "IMPORT_MAX_BYTES=4096",
                                 "OPENRISK_OPS_LISTEN=[::1]:0",
                                 "SHUTDOWN_TIMEOUT=10m",
                                 "OPENRISK_PUBLIC_URL=https://a.org:8443",
                                 NULL};
    struct loaded_config config;
    load_well(NULL, environment, &config);
    assert_int_equal(config.values.http_request_timeout, 500);
    assert_int_equal(config.values.login_drain, 86400000);
    assert_int_equal(config.values.clock_offset, -3 * 86400000LL);
    assert_int_equal(config.values.http_body_budget, 2LL << 30);
    assert_int_equal(config.values.import_max_bytes, 4096);
    assert_int_equal(config.values.shutdown_timeout, 600000);
    assert_string_equal(config.values.ops_listen, "[::1]:0");
    assert_string_equal(config.values.public_url, "https://a.org:8443");
    config_release(&config);
}

static void all_wrong_values_are_told_at_once(void **state)
{
    (void)state;
    char *const environment[] = {"PORT=x", "LOG_LEVEL=y", NULL};
    struct loaded_config config;
    struct err err;
    assert_int_equal(load("LOGIN_BURST=z\n", environment, &config, &err), INVALID);
    assert_int_equal(err.count, 3);
    config_release(&config);
}

static void a_secret_is_never_printed(void **state)
{
    (void)state;
    char *const good[] = {"OPENRISK_OPS_TOKEN=swordfish-swordfish",
                          "INITIAL_ADMIN_PASSWORD=swordfish-swordfish", NULL};
    char *const bad[] = {"OPENRISK_OPS_TOKEN=swordfish", NULL};
    struct loaded_config config;
    struct err err;
    load_well(NULL, good, &config);
    AUTO_FREE char *text = captured(&config, NULL);
    assert_null(strstr(text, "swordfish"));
    assert_non_null(strstr(text, "***"));
    config_release(&config);

    assert_int_equal(load(NULL, bad, &config, &err), INVALID);
    assert_string_equal(err.items[0].field, "OPENRISK_OPS_TOKEN");
    assert_null(strstr(err.items[0].message, "swordfish"));
    config_release(&config);
}

static void port_is_short_for_the_address(void **state)
{
    (void)state;
    char *const port[] = {"PORT=9000", NULL};
    char *const both[] = {"PORT=9000", "OPENRISK_LISTEN=127.0.0.1:9000", NULL};
    char *const unlike[] = {"PORT=9000", "OPENRISK_LISTEN=0.0.0.0:9000", NULL};
    struct loaded_config config;
    struct err err;
    load_well(NULL, port, &config);
    assert_string_equal(config.values.listen, "127.0.0.1:9000");
    assert_string_equal(origin(&config, "OPENRISK_LISTEN"), "PORT");
    config_release(&config);
    load_well(NULL, both, &config);
    assert_string_equal(config.values.listen, "127.0.0.1:9000");
    config_release(&config);
    assert_int_equal(load(NULL, unlike, &config, &err), INVALID);
    assert_string_equal(err.items[0].field, "PORT");
    assert_non_null(strstr(err.items[0].message, "0.0.0.0:9000"));
    config_release(&config);
}

static void an_import_fits_into_the_budget_for_bodies(void **state)
{
    (void)state;
    char *const environment[] = {"IMPORT_MAX_BYTES=65MiB", NULL};
    struct loaded_config config;
    struct err err;
    assert_int_equal(load(NULL, environment, &config, &err), INVALID);
    assert_string_equal(err.items[0].field, "IMPORT_MAX_BYTES");
    config_release(&config);
}

/* The table and what is made of it */

/** Whatever is printed can be put into a file and gives the same configuration. */
static void what_is_printed_can_be_read_again(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    static const char *const redis[APP_ENVS] = {"", "REDIS_HOST=a\n", "REDIS_URL=redis://a\n"};
    for (int env = 0; env < APP_ENVS; env++) {
        AUTO_FREE char *profile = mem_format("APP_ENV=%s\n%s", app_env_names[env], redis[env]);
        struct loaded_config config, again;
        load_well(profile, NULL, &config);
        AUTO_FREE char *text = mem_strdup("");
        for (size_t i = 0; i < settings_count; i++) {
            char *longer = mem_format("%s%s=%s\n", text, settings[i].name,
                                      setting_format(&settings[i], &config.values, &arena));
            free(text);
            text = longer;
        }
        load_well(text, NULL, &again);
        for (size_t i = 0; i < settings_count; i++)
            assert_string_equal(setting_format(&settings[i], &again.values, &arena),
                                setting_format(&settings[i], &config.values, &arena));
        config_release(&config);
        config_release(&again);
    }
}

static void every_default_is_an_allowed_value(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    struct config config = {0};
    struct err err;
    err_init(&err);
    for (size_t i = 0; i < settings_count; i++)
        for (int env = 0; env < APP_ENVS; env++)
            if (settings[i].defaults[env])
                assert_int_equal(setting_parse(&settings[i], settings[i].defaults[env], "default",
                                               &arena, &config, &err),
                                 OK);
}

static void every_setting_is_in_the_help_and_the_reference_page(void **state)
{
    (void)state;
    AUTO_FREE char *help = captured(NULL, config_print_help);
    AUTO_FREE char *page = captured(NULL, config_print_markdown);
    for (size_t i = 0; i < settings_count; i++) {
        AUTO_FREE char *cell = mem_format("\n| `%s` | ", settings[i].name);
        assert_non_null(strstr(help, settings[i].name));
        assert_non_null(strstr(page, cell));
        assert_non_null(strstr(page, settings[i].about));
        assert_int_equal(settings[i].about[strlen(settings[i].about) - 1], '.');
    }
}

static void columns_are_aligned(void **state)
{
    (void)state;
    struct loaded_config config;
    load_well(NULL, NULL, &config);
    AUTO_FREE char *text = captured(&config, NULL);
    size_t column = 0;
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        char *found = strstr(line, "  default");
        found = found ? found : strstr(line, "  not set");
        assert_non_null(found);
        if (column)
            assert_int_equal(found - line, column);
        column = (size_t)(found - line);
    }
    config_release(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(later_sources_win),
        cmocka_unit_test(the_profile_may_come_from_the_file),
        cmocka_unit_test(the_command_line_wins_over_all),
        cmocka_unit_test(an_empty_value_counts_as_not_given),
        cmocka_unit_test(defaults_that_are_computed_follow_other_settings),
        cmocka_unit_test(the_pool_follows_the_profile),
        cmocka_unit_test(
            sqlite_has_as_many_connections_as_its_processors_can_use_but_the_profiles_line),
        cmocka_unit_test(a_default_that_another_setting_leaves_no_room_for_is_smaller),
        cmocka_unit_test(settings_of_the_pool_that_contradict_each_other_are_refused),
        cmocka_unit_test(a_file_has_comments_quotes_and_either_line_end),
        cmocka_unit_test(a_bad_line_is_named_by_its_number),
        cmocka_unit_test(a_file_that_is_not_there_is_an_error),
        cmocka_unit_test(values_outside_what_is_allowed_are_refused_with_name_value_and_range),
        cmocka_unit_test(values_are_read_in_their_units),
        cmocka_unit_test(all_wrong_values_are_told_at_once),
        cmocka_unit_test(a_secret_is_never_printed),
        cmocka_unit_test(port_is_short_for_the_address),
        cmocka_unit_test(an_import_fits_into_the_budget_for_bodies),
        cmocka_unit_test(what_is_printed_can_be_read_again),
        cmocka_unit_test(every_default_is_an_allowed_value),
        cmocka_unit_test(every_setting_is_in_the_help_and_the_reference_page),
        cmocka_unit_test(columns_are_aligned),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
