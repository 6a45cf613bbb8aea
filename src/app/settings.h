/**
 * The settings: one table (settings_table.c), and how each kind of value is read and written
 * (settings.c).
 *
 * Validation, `openrisk config`, the help texts and docs/configuration.md are made from this table.
 * To add a setting, add a member to `struct config` (config.h) and a row there.
 */
#ifndef OPENRISK_APP_SETTINGS_H
#define OPENRISK_APP_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

enum app_env { ENV_DEVELOPMENT, ENV_STAGING, ENV_PRODUCTION };
enum { APP_ENVS = 3 };
extern const char *const app_env_names[]; /* NULL-terminated */

enum setting_kind {                   /* C type at `offset`; how it is written */
                    SETTING_TEXT,     /* const char *, NULL if not set; min to max characters */
                    SETTING_CHOICE,   /* int, position in `names` */
                    SETTING_COUNT,    /* int64_t */
                    SETTING_DURATION, /* int64_t ms; 500ms, 30s, 10m, 1h, 3d */
                    SETTING_SIZE,     /* int64_t bytes; 512KiB, 64MiB, 2GiB, or a number of bytes */
                    SETTING_ADDRESS,  /* const char *; 127.0.0.1:8080, [::1]:8080 */
                    SETTING_DATABASE, /* const char *; as store/db.h takes it */
                    SETTING_REDIS,    /* const char *; as cache/redis_url.h takes it */
                    SETTING_HOST,     /* const char *; redis.example.org, 10.0.0.5, ::1 */
                    SETTING_EMAIL,    /* const char * */
                    SETTING_URL,      /* const char *; https://risk.example.org, no path */
                    SETTING_NETWORKS, /* const char *; 127.0.0.1, 10.0.0.0/8 */
};

struct config;

struct setting {
    const char *name;
    enum setting_kind kind;
    size_t offset;
    const char *defaults[APP_ENVS]; /* [1] and [2] NULL: as [0]; [0] NULL: not set, or computed */
    int64_t (*compute)(const struct config *config); /* the default, from earlier rows */
    const char *computed;                            /* … in words */
    int64_t min, max;         /* of numbers, in ms or bytes; of texts, in characters */
    const char *const *names; /* SETTING_CHOICE */
    bool secret;              /* never printed */
    const char *about;
};

extern const struct setting settings[];
extern const size_t settings_count;

/** The row of this name, NULL if there is none. */
const struct setting *setting_find(const char *name);

/** The default as text for an APP_ENV: NULL if there is none or it is computed. */
const char *setting_default(const struct setting *setting, enum app_env env);

/**
 * Read `text` into the setting's member of `config`; texts are copied into `arena`. INVALID with
 * `where` as the error's field, the value (unless it is secret) and what is allowed.
 */
enum status setting_parse(const struct setting *setting, const char *text, const char *where,
                          struct arena *arena, struct config *config, struct err *err) MUST_CHECK;

/** Set the member of `config` to the computed default. Only for rows that have one. */
void setting_compute(const struct setting *setting, struct config *config);

/** The value of a count, a duration in ms or a size in bytes. */
int64_t setting_number(const struct setting *setting, const struct config *config);
/** The value in the form in which it is written; "" for one that is not set, *** for a secret. */
const char *setting_format(const struct setting *setting, const struct config *config,
                           struct arena *arena);

/** What may be written: "1 to 64", "debug, info, warn or error". */
const char *setting_allowed(const struct setting *setting, struct arena *arena);

#endif
