#include "app/settings.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/config.h"
#include "app/units.h"
#include "base/mem.h"
#include "base/text.h"
#include "cache/redis_url.h"
#include "domain/account.h"
#include "http/http.h"
#include "store/db.h"

/* Numbers with a unit. */

struct unit {
    const char *name;
    int64_t size;
};
static const struct unit duration_units[] = {{"d", DAY},    {"h", HOUR}, {"m", MINUTE},
                                             {"s", SECOND}, {"ms", 1},   {NULL}};
static const struct unit size_units[] = {{"GiB", GIB}, {"MiB", MIB}, {"KiB", KIB}, {"", 1}, {NULL}};

static const struct unit *units_of(enum setting_kind kind)
{
    static const struct unit none[] = {{"", 1}, {NULL}};
    return kind == SETTING_DURATION ? duration_units : kind == SETTING_SIZE ? size_units : none;
}

/** "-3d": digits, then one of the units. A duration of 0 needs no unit. */
static bool parse_number(const char *text, const struct unit *units, int64_t *ret_value)
{
    size_t digits = (size_t)(*text == '-') + strspn(text + (*text == '-'), "0123456789");
    char number[24];
    int64_t value;
    if (digits >= sizeof number)
        return false;
    memcpy(number, text, digits);
    number[digits] = '\0';
    if (!text_to_int(number, &value))
        return false;
    for (const struct unit *unit = units; unit->name; unit++)
        if (strcmp(text + digits, unit->name) == 0 || (value == 0 && !text[digits]))
            return !__builtin_mul_overflow(value, unit->size, ret_value);
    return false;
}

static const char *format_number(int64_t value, const struct unit *units, struct arena *arena)
{
    if (value == 0)
        return "0";
    while (value % units->size != 0)
        units++;
    return arena_format(arena, "%" PRId64 "%s", value / units->size, units->name);
}

/* Texts. */

/** "127.0.0.1:8080" or "[::1]:8080"; port 0 asks for a free one. */
static bool is_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN + 2];
    int64_t port;
    if (!colon || (size_t)(colon - text) >= sizeof host || colon[1] < '0' || colon[1] > '9' ||
        !text_to_int(colon + 1, &port) || port > 65535)
        return false;
    size_t length = (size_t)(colon - text);
    memcpy(host, text, length);
    host[length] = '\0';
    struct in6_addr address;
    if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
        host[length - 1] = '\0';
        return inet_pton(AF_INET6, host + 1, &address) == 1;
    }
    return inet_pton(AF_INET, host, &address) == 1;
}

static bool is_origin(const char *text)
{
    static const char *const schemes[] = {"https://", "http://"};
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        size_t length = strlen(schemes[i]);
        if (strncmp(text, schemes[i], length) == 0)
            return text[length] && !strpbrk(text + length, "/?#@ \t\"\\");
    }
    return false;
}

/** A name or an address, without a port or brackets. */
static bool is_host(const char *text)
{
    static const char characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789-._";
    struct in6_addr address;
    return inet_pton(AF_INET6, text, &address) == 1 ||
           (*text && text[strspn(text, characters)] == '\0');
}

static bool text_is_allowed(const struct setting *setting, const char *text, struct arena *arena)
{
    struct err ignored;
    struct redis_address redis;
    size_t length = text_length(text);
    bool fits =
        (int64_t)length >= setting->min && (!setting->max || (int64_t)length <= setting->max);
    if (!text_is_utf8(text, strlen(text)) || text_has_control(text, false) || !fits)
        return false;
    switch (setting->kind) {
    case SETTING_ADDRESS:
        return is_address(text);
    case SETTING_DATABASE:
        return database_url_is_valid(text);
    case SETTING_REDIS:
        return redis_url_parse(text, arena, &redis, &ignored) == OK;
    case SETTING_HOST:
        return is_host(text);
    case SETTING_EMAIL:
        return account_email(arena, text) != NULL;
    case SETTING_URL:
        return is_origin(text);
    case SETTING_NETWORKS:
        return http_check_trusted(text, &ignored) == OK;
    case SETTING_TEXT:
    case SETTING_CHOICE:
    case SETTING_COUNT:
    case SETTING_DURATION:
    case SETTING_SIZE:
        return true;
    }
    abort();
}

#define MEMBER(type, setting, config) ((type *)((char *)(config) + (setting)->offset))
#define MEMBER_OF(type, setting, config)                                                           \
    ((const type *)((const char *)(config) + (setting)->offset))

static bool parse(const struct setting *setting, const char *text, struct arena *arena,
                  struct config *config)
{
    switch (setting->kind) {
    case SETTING_CHOICE: {
        int index = text_index(setting->names, text);
        if (index >= 0)
            *MEMBER(int, setting, config) = index;
        return index >= 0;
    }
    case SETTING_COUNT:
    case SETTING_DURATION:
    case SETTING_SIZE: {
        int64_t value;
        if (!parse_number(text, units_of(setting->kind), &value) || value < setting->min ||
            value > setting->max)
            return false;
        *MEMBER(int64_t, setting, config) = value;
        return true;
    }
    case SETTING_TEXT:
    case SETTING_ADDRESS:
    case SETTING_DATABASE:
    case SETTING_REDIS:
    case SETTING_HOST:
    case SETTING_EMAIL:
    case SETTING_URL:
    case SETTING_NETWORKS:
        if (!text_is_allowed(setting, text, arena))
            return false;
        *MEMBER(const char *, setting, config) = arena_strdup(arena, text);
        return true;
    }
    abort();
}

/** A URL without its password. */
static const char *shown(const struct setting *setting, const char *text, struct arena *arena)
{
    return setting->kind == SETTING_DATABASE ? database_shown_url(text, arena)
           : setting->kind == SETTING_REDIS  ? redis_url_shown(text, arena)
                                             : text;
}

enum status setting_parse(const struct setting *setting, const char *text, const char *where,
                          struct arena *arena, struct config *config, struct err *err)
{
    if (parse(setting, text, arena, config))
        return OK;
    const char *allowed = setting_allowed(setting, arena), *value = shown(setting, text, arena);
    struct redis_address redis;
    struct err why;
    if (setting->kind == SETTING_REDIS && redis_url_parse(text, arena, &redis, &why) != OK)
        err_add(err, where, "is \"%.60s\", which %s", value, why.items[0].message);
    else if (setting->secret)
        err_add(err, where, "has a value that is not allowed; allowed: %s", allowed);
    else
        err_add(err, where, "is \"%.100s\"; allowed: %s", value, allowed);
    return INVALID;
}

void setting_compute(const struct setting *setting, struct config *config)
{
    *MEMBER(int64_t, setting, config) = setting->compute(config);
}

int64_t setting_number(const struct setting *setting, const struct config *config)
{
    return *MEMBER_OF(int64_t, setting, config);
}

const char *setting_format(const struct setting *setting, const struct config *config,
                           struct arena *arena)
{
    switch (setting->kind) {
    case SETTING_CHOICE:
        return setting->names[*MEMBER_OF(int, setting, config)];
    case SETTING_COUNT:
        if (*MEMBER_OF(int64_t, setting, config) < setting->min)
            return ""; /* one that is not set, such as a port */
        return arena_format(arena, "%" PRId64, *MEMBER_OF(int64_t, setting, config));
    case SETTING_DURATION:
    case SETTING_SIZE:
        return format_number(*MEMBER_OF(int64_t, setting, config), units_of(setting->kind), arena);
    case SETTING_TEXT:
    case SETTING_ADDRESS:
    case SETTING_DATABASE:
    case SETTING_REDIS:
    case SETTING_HOST:
    case SETTING_EMAIL:
    case SETTING_URL:
    case SETTING_NETWORKS:
        break;
    }
    const char *text = *MEMBER_OF(char *, setting, config);
    return !text ? "" : setting->secret ? "***" : shown(setting, text, arena);
}

const char *setting_allowed(const struct setting *setting, struct arena *arena)
{
    switch (setting->kind) {
    case SETTING_TEXT:
        return arena_format(arena, "%" PRId64 " to %" PRId64 " characters", setting->min,
                            setting->max);
    case SETTING_CHOICE:
        return text_alternatives(arena, setting->names);
    case SETTING_COUNT:
        return arena_format(arena, "%" PRId64 " to %" PRId64, setting->min, setting->max);
    case SETTING_DURATION:
    case SETTING_SIZE: {
        const struct unit *units = units_of(setting->kind);
        return arena_format(
            arena, "%s to %s (units: %s)", format_number(setting->min, units, arena),
            format_number(setting->max, units, arena),
            setting->kind == SETTING_DURATION ? "ms, s, m, h, d" : "KiB, MiB, GiB; none for bytes");
    }
    case SETTING_ADDRESS:
        return "an address and a port, such as 127.0.0.1:8080, 0.0.0.0:80 or [::1]:8080";
    case SETTING_DATABASE:
        return "sqlite:PATH, postgres://USER:PASSWORD@HOST:PORT/DATABASE";
    case SETTING_REDIS:
        return "redis://USER:PASSWORD@HOST:PORT/DATABASE, of which only HOST must be there";
    case SETTING_HOST:
        return "a name or an address, such as redis.example.org, 10.0.0.5 or ::1";
    case SETTING_EMAIL:
        return "an e-mail address";
    case SETTING_URL:
        return "http://HOST or https://HOST, with a port if need be, without a path";
    case SETTING_NETWORKS:
        return "addresses and networks with commas between, such as 127.0.0.1, 10.0.0.0/8";
    }
    abort();
}
