/*
 * Where the data is: the engine for a URL, and what all its connections share.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/engine.h"

static const struct db_engine *engine_of(const char *url)
{
    static const struct db_engine *const engines[] = {&sqlite_engine, &postgres_engine};
    for (size_t i = 0; i < COUNT_OF(engines); i++)
        for (const char *const *scheme = engines[i]->schemes; *scheme; scheme++)
            if (strncmp(url, *scheme, strlen(*scheme)) == 0)
                return engines[i];
    return NULL;
}

enum status database_new_of(const struct db_engine *engine, const char *url,
                            struct database **ret_database, struct err *err)
{
    struct engine_shared *shared;
    enum status status = engine->shared_new(url, &shared, err);
    if (status != OK)
        return status;
    *ret_database = mem_zalloc(1, sizeof **ret_database);
    (*ret_database)->engine = engine;
    (*ret_database)->shared = shared;
    return OK;
}

enum status database_new(const char *url, struct database **ret_database, struct err *err)
{
    const struct db_engine *engine = engine_of(url);
    if (!engine)
        return err_set(err, INVALID, "DATABASE_URL",
                       "is not understood: write sqlite:PATH or postgres://USER@HOST/DATABASE");
    return database_new_of(engine, url, ret_database, err);
}

bool database_url_is_valid(const char *url)
{
    struct database *database = NULL;
    struct err ignored;
    bool is_valid = database_new(url, &database, &ignored) == OK;
    database_free(database);
    return is_valid;
}

void database_set_limits(struct database *database, const struct db_limits *limits)
{
    database->slow_us = limits->slow_ms * 1000;
    if (database->engine->set_limits)
        database->engine->set_limits(database->shared, limits);
}

void database_hurry(struct database *database, int64_t deadline_ms)
{
    if (database->engine->hurry)
        database->engine->hurry(database->shared, deadline_ms);
}

void database_free(struct database *database)
{
    if (!database)
        return;
    database->engine->shared_free(database->shared);
    free(database);
}

const char *database_engine_name(const struct database *database)
{
    return database->engine->name;
}

const char *database_path(const struct database *database)
{
    return database->engine->path(database->shared);
}

void database_watch(struct database *database, const struct db_watcher *watcher)
{
    database->watcher = watcher;
}

/** Is the parameter called "password", or "sslpassword", with % codes or without? */
static bool names_password(const char *name, size_t length)
{
    char decoded[64];
    size_t count = 0;
    for (size_t i = 0; i < length && count < sizeof decoded - 1; i++) {
        char hex[3] = {0};
        if (name[i] == '%' && i + 2 < length) {
            memcpy(hex, &name[i + 1], 2);
            i += 2;
        }
        decoded[count++] = hex[0] ? (char)strtol(hex, NULL, 16) : name[i];
    }
    decoded[count] = '\0';
    return strcasestr(decoded, "password") != NULL;
}

/** Of "?name=value&name=value…", or of nothing. */
static const char *shown_parameters(const char *text, struct arena *arena)
{
    const char *shown = "";
    for (const char *end; *text; text = end) {
        const char *name = text + 1, *value = name + strcspn(name, "=&");
        end = name + strcspn(name, "&");
        bool hides = value < end && names_password(name, (size_t)(value - name));
        shown = arena_format(arena, "%s%.*s%s", shown, (int)((hides ? value + 1 : end) - text),
                             text, hides ? "***" : "");
    }
    return shown;
}

/** Behind each ':' of HOST:PORT,HOST:PORT stands a number; else it may be USER:PASSWORD. */
static bool are_ports(const char *hosts, const char *end)
{
    for (const char *c = hosts; c < end; c++) {
        if (*c == '[')
            c += strcspn(c, "]"); /* an address of IPv6 */
        if (*c != ':')
            continue;
        c += 1 + strspn(c + 1, "0123456789");
        if (c < end && *c != ',')
            return false;
    }
    return true;
}

/*
 * Whoever wrote the URL may have left special characters in the password as they are, or have
 * written something else altogether. So all that may be part of a password is hidden: what stands
 * between the first ':' and the last '@', the values of parameters, and what is no URL at all.
 */
char *database_shown_url(const char *url, struct arena *arena)
{
    const char *authority = strstr(url, "://");
    size_t begin = strcspn(url, ":=");
    if (engine_of(url) == &sqlite_engine)
        return arena_strdup(arena, url);
    if (!authority)
        return url[begin] ? arena_format(arena, "%.*s***", (int)begin + 1, url)
                          : arena_strdup(arena, url);
    authority += strlen("://");
    const char *at = strrchr(authority, '@'), *colon = strchr(authority, ':');
    const char *rest = at ? at : authority + strcspn(authority, "/?");
    bool hides = colon && colon < rest && (at || !are_ports(authority, rest));
    const char *parameters = rest + strcspn(rest, "?");
    return arena_format(arena, "%.*s%s%.*s%s", (int)(hides ? colon + 1 - url : rest - url), url,
                        hides ? "***" : "", (int)(parameters - rest), rest,
                        shown_parameters(parameters, arena));
}
