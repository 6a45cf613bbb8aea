#include "app/config.h"

#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "cache/redis_url.h"

enum { FILE_LINE_MAX = 8192 };

/** A value as it was given, per setting; text NULL: not given. */
struct given {
    const char *text;
    const char *origin; /* for people */
    const char *where;  /* the field of an error about it */
};

static size_t index_of(const char *name)
{
    return (size_t)(setting_find(name) - settings);
}

/* The file: NAME=value lines. */

/** Strip white space, and quotes if the value has them. False if a quote is left open. */
static bool unquote(char *text, char **ret_value)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]))
        text[--length] = '\0';
    if (*text == '"' || *text == '\'') {
        if (length < 2 || strchr(text + 1, *text) != text + length - 1)
            return false;
        text[length - 1] = '\0';
        text++;
    }
    *ret_value = text;
    return true;
}

static enum status read_line(char *line, const char *where, struct loaded_config *config,
                             struct given *given, struct err *err)
{
    line += strspn(line, " \t");
    char *equals = strchr(line, '='), *value;
    if (*line == '#' || line[strspn(line, "\r\n")] == '\0')
        return OK;
    if (!equals) {
        err_add(err, where, "expected NAME=value");
        return INVALID;
    }
    *equals = '\0';
    for (char *end = equals; end > line && strchr(" \t", end[-1]);)
        *--end = '\0';
    const struct setting *setting = setting_find(line);
    if (!setting) {
        err_add(err, where, "there is no setting \"%.60s\"; \"openrisk config\" lists them all",
                line);
        return INVALID;
    }
    if (!unquote(equals + 1, &value)) {
        err_add(err, where, "%s: a quoted value must end with its quote, and nothing may follow",
                setting->name);
        return INVALID;
    }
    struct given *slot = &given[setting - settings];
    if (slot->origin) {
        err_add(err, where, "%s is set twice (first in %s)", setting->name, slot->origin);
        return INVALID;
    }
    slot->origin = arena_strdup(&config->arena, where);
    slot->where = arena_format(&config->arena, "%s (%s)", setting->name, where);
    slot->text = *value ? arena_strdup(&config->arena, value) : NULL;
    return OK;
}

static void close_file(FILE **file)
{
    if (*file)
        fclose(*file);
}

static enum status read_file(const char *path, struct loaded_config *config, struct given *given,
                             struct err *err)
{
    FILE *file CLEANUP(close_file) = fopen(path, "re");
    if (!file)
        return err_set(err, INVALID, "--config", "cannot read %s: %s", path, strerror(errno));
    AUTO_FREE char *copy = mem_strdup(path);
    const char *name = basename(copy);
    enum status status = OK;
    char line[FILE_LINE_MAX];
    for (int number = 1; fgets(line, sizeof line, file); number++) {
        const char *where = arena_format(&config->arena, "%.50s line %d", name, number);
        if (strlen(line) == sizeof line - 1 && line[sizeof line - 2] != '\n')
            return err_set(err, INVALID, where, "is too long (at most %d bytes)",
                           FILE_LINE_MAX - 2);
        if (read_line(line, where, config, given, err) != OK)
            status = INVALID;
    }
    if (ferror(file))
        return err_set(err, INVALID, "--config", "cannot read %s: %s", path, strerror(errno));
    return status;
}

/* The other sources. */

static void give(struct given *slot, const char *text, const char *origin, const char *where)
{
    if (text && *text)
        *slot = (struct given){text, origin, where};
}

static const char *look_up(char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (; environment && *environment; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

static enum status apply(const struct setting *setting, const struct given *given,
                         struct loaded_config *config, struct err *err)
{
    const char **origin = &config->origins[setting - settings];
    if (given->text) {
        *origin = given->origin;
        return setting_parse(setting, given->text, given->where, &config->arena, &config->values,
                             err);
    }
    enum app_env env = (enum app_env)config->values.app_env;
    const char *text = setting_default(setting, env);
    if (!text && !setting->compute)
        *origin = "not set";
    else if (setting->defaults[env] && env != ENV_DEVELOPMENT)
        *origin = arena_format(&config->arena, "default (%s)", app_env_names[env]);
    else
        *origin = "default";
    if (setting->compute) {
        setting_compute(setting, &config->values);
        if (!*setting_format(setting, &config->values, &config->arena))
            *origin = "not set";
    }
    return text ? setting_parse(setting, text, setting->name, &config->arena, &config->values, err)
                : OK;
}

/** PORT is another way of writing OPENRISK_LISTEN; both may be there if they agree. */
static enum status apply_port(const struct given *port, const struct given *listen,
                              struct loaded_config *config, struct err *err)
{
    if (config->values.port < 0)
        return OK;
    const char *address = arena_format(&config->arena, "127.0.0.1:%" PRId64, config->values.port);
    if (listen->text && strcmp(listen->text, address) != 0) {
        err_add(err, port->where, "means OPENRISK_LISTEN=%s, but that is %.100s (%s); give one",
                address, listen->text, listen->origin);
        return INVALID;
    }
    config->values.listen = address;
    if (!listen->text)
        config->origins[index_of("OPENRISK_LISTEN")] = "PORT";
    return OK;
}

/** One setting's value must not be larger than another's. */
static const struct {
    const char *small, *large;
} orders[] = {
    {"IMPORT_MAX_BYTES", "HTTP_BODY_BUDGET"},
    {"DB_POOL_MAX_IDLE", "DB_POOL_MAX"},
    {"DB_POOL_IDLE_TIME", "DB_POOL_LIFETIME"},
};

static enum status check_order(const struct given *given, struct loaded_config *config,
                               struct err *err)
{
    enum status status = OK;
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        const struct setting *small = setting_find(orders[i].small),
                             *large = setting_find(orders[i].large);
        if (setting_number(small, &config->values) <= setting_number(large, &config->values))
            continue;
        const struct given *slot = &given[small - settings];
        err_add(err, slot->where ? slot->where : small->name,
                "is %s, but must not be larger than %s, which is %s",
                setting_format(small, &config->values, &config->arena), large->name,
                setting_format(large, &config->values, &config->arena));
        status = INVALID;
    }
    return status;
}

/** What is said about Redis beside REDIS_HOST: of no use without it. */
static const char *const redis_details[] = {"REDIS_PORT", "REDIS_USERNAME", "REDIS_PASSWORD",
                                            "REDIS_DB"};

/** Redis is described once, by REDIS_URL or by REDIS_HOST and the others, and with a cache. */
static enum status check_redis(const struct given *given, struct loaded_config *config,
                               struct err *err)
{
    const struct given *url = &given[index_of("REDIS_URL")], *host = &given[index_of("REDIS_HOST")],
                       *user = &given[index_of("REDIS_USERNAME")],
                       *cache = &given[index_of("CACHE_ENABLED")];
    size_t items = err->count;
    if (url->text && host->text)
        err_add(err, host->where, "is given, but so is REDIS_URL (%s); give one", url->origin);
    for (size_t i = 0; i < COUNT_OF(redis_details); i++) {
        const struct given *detail = &given[index_of(redis_details[i])];
        if (detail->text && url->text)
            err_add(err, detail->where, "is given, but so is REDIS_URL (%s), where it belongs into",
                    url->origin);
        else if (detail->text && !host->text)
            err_add(err, detail->where, "is of no use without REDIS_HOST");
    }
    if (user->text && host->text && !config->values.redis_password)
        err_add(err, user->where, "is of no use without REDIS_PASSWORD");
    if ((url->text || host->text) && !config->values.cache_enabled)
        err_add(err, url->text ? url->where : host->where,
                "is given, but CACHE_ENABLED=false (%s) says that nothing is cached; give one",
                cache->origin);
    return err->count == items ? OK : INVALID;
}

static enum status apply_all(const struct given *given, struct loaded_config *config,
                             struct err *err)
{
    enum status status = OK;
    for (size_t i = 0; i < settings_count; i++)
        if (apply(&settings[i], &given[i], config, err) != OK)
            status = INVALID;
    if (status != OK)
        return status;
    status = check_order(given, config, err);
    if (check_redis(given, config, err) != OK)
        status = INVALID;
    if (apply_port(&given[index_of("PORT")], &given[index_of("OPENRISK_LISTEN")], config, err) !=
        OK)
        status = INVALID;
    return status;
}

enum status config_load(const struct config_sources *sources, struct loaded_config *ret_config,
                        struct err *err)
{
    struct loaded_config *config = ret_config;
    memset(config, 0, sizeof *config);
    arena_init(&config->arena);
    config->values.port = -1;
    config->origins = arena_zalloc(&config->arena, settings_count, sizeof *config->origins);
    struct given *given = arena_zalloc(&config->arena, settings_count, sizeof *given);
    enum status status = OK;
    err_init(err);
    if (sources->file)
        status = read_file(sources->file, config, given, err);
    for (size_t i = 0; i < settings_count; i++)
        give(&given[i], look_up(sources->environment, settings[i].name), "environment",
             settings[i].name);
    give(&given[index_of("DATABASE_URL")], sources->database_url, "--database", "--database");
    return apply_all(given, config, err) == OK ? status : INVALID;
}

void config_release(struct loaded_config *config)
{
    arena_release(&config->arena);
}

bool config_redis(const struct config *config, struct arena *arena,
                  struct redis_address *ret_address)
{
    if (config->redis_url) {
        struct err ignored;
        if (redis_url_parse(config->redis_url, arena, ret_address, &ignored) != OK)
            abort(); /* it was checked when it was loaded */
        return true;
    }
    if (config->redis_host)
        *ret_address = (struct redis_address){config->redis_host, (int)config->redis_port,
                                              config->redis_username, config->redis_password,
                                              (int)config->redis_db};
    return config->redis_host != NULL;
}

/* Printing. */

void config_print(const struct loaded_config *config, FILE *out)
{
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    int name_width = 0, value_width = 0;
    const char **values = arena_alloc(&arena, settings_count * sizeof *values);
    for (size_t i = 0; i < settings_count; i++) {
        values[i] = setting_format(&settings[i], &config->values, &arena);
        int name = (int)strlen(settings[i].name), value = (int)strlen(values[i]);
        name_width = name > name_width ? name : name_width;
        value_width = value > value_width ? value : value_width;
    }
    for (size_t i = 0; i < settings_count; i++)
        fprintf(out, "%-*s  %-*s  %s\n", name_width, settings[i].name, value_width, values[i],
                config->origins[i]);
}

/** The default in words: "5s (staging 2s, production 1s)". */
static const char *default_text(const struct setting *setting, struct arena *arena)
{
    if (setting->computed)
        return setting->computed;
    const char *text = setting->defaults[ENV_DEVELOPMENT];
    if (!text)
        return "not set";
    if (!setting->defaults[ENV_STAGING] && !setting->defaults[ENV_PRODUCTION])
        return text;
    return arena_format(arena, "%s (staging %s, production %s)", text,
                        setting_default(setting, ENV_STAGING),
                        setting_default(setting, ENV_PRODUCTION));
}

void config_print_help(FILE *out)
{
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < settings_count; i++)
        fprintf(out, "  %s\n      %s\n      Default: %s. Allowed: %s.\n", settings[i].name,
                settings[i].about, default_text(&settings[i], &arena),
                setting_allowed(&settings[i], &arena));
}

void config_print_markdown(FILE *out)
{
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    fputs("# Configuration\n\n"
          "This page is printed by `openrisk config --markdown` from the program's own table.\n\n"
          "A setting is taken from the first of these that has it: the environment, the file given "
          "by\n"
          "`--config FILE`, the default of the `APP_ENV` profile, the built-in default. An empty "
          "value\n"
          "counts as not given. `openrisk config` prints each setting, its value and where it came "
          "from.\n\n"
          "The file has `NAME=value` lines; a value may stand in single or double quotes, and "
          "lines that begin\n"
          "with `#` are comments. A name that is not in this table is refused there.\n\n"
          "| setting | default | allowed | what it does |\n|---|---|---|---|\n",
          out);
    for (size_t i = 0; i < settings_count; i++)
        fprintf(out, "| `%s` | %s | %s | %s%s |\n", settings[i].name,
                default_text(&settings[i], &arena), setting_allowed(&settings[i], &arena),
                settings[i].about, settings[i].secret ? " Secret: never printed." : "");
}
