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
    if (database->engine->set_limits)
        database->engine->set_limits(database->shared, limits);
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

/** What stands between `://NAME:` and the last @ of that part, and after `password=`. */
char *database_shown_url(const char *url, struct arena *arena)
{
    char *shown = arena_strdup(arena, url);
    char *authority = strstr(shown, "://");
    if (!authority)
        return shown;
    authority += 3;
    char *rest = authority + strcspn(authority, "/?#"), *at = NULL, *out;
    for (char *c = authority; c < rest; c++)
        if (*c == '@')
            at = c;
    char *colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
    if (colon) {
        out = arena_format(arena, "%.*s:***%s", (int)(colon - shown), shown, at);
        shown = out;
    }
    char *word = strstr(shown, "password=");
    if (!word)
        return shown;
    word += strlen("password=");
    return arena_format(arena, "%.*s***%s", (int)(word - shown), shown, word + strcspn(word, "&"));
}
