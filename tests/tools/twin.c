/*
 * One database, served twice: with the caches of `openrisk serve`, and by a second server with the
 * cache off, which tests/http/oracle.test.js believes. The program itself refuses to serve a
 * database twice. Both belong to one process, so what is written through either is known to the
 * cache before it is acknowledged. But the cache learns nothing from what the second one reads: it
 * must do without that help.
 *
 * Settings come from the environment, as for `openrisk serve`, and so does the first administrator.
 * Prints "ready listen=URL ops=URL plain=URL" and ends with SIGTERM.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "app/command.h"
#include "app/server.h"
#include "app/telemetry.h"
#include "auth/password.h"
#include "base/log.h"
#include "service/account_service.h"
#include "store/migrate.h"

struct twin {
    struct call call;
    struct config plain_config;
    struct opened opened, plain_opened;
    struct server cached, plain;
    struct db_watcher writes; /* of the second one */
};

static void twin_release(struct twin *twin)
{
    server_release(&twin->plain);
    server_release(&twin->cached);
    opened_release(&twin->plain_opened);
    opened_release(&twin->opened);
    config_release(&twin->call.config);
    arena_release(&twin->call.arena);
}
#define AUTO_TWIN CLEANUP(twin_release)

static enum status load_config(struct twin *twin, struct err *err)
{
    struct loaded_config *config = &twin->call.config;
    struct config_sources sources = {.environment = environ};
    arena_init(&twin->call.arena);
    enum status status = config_load(&sources, config, err);
    if (status != OK)
        return status;
    log_set_level((enum log_level)config->values.log_level);
    twin->call.clock.offset_ms = config->values.clock_offset;
    twin->plain_config = config->values;
    twin->plain_config.cache_enabled = 0;
    return OK;
}

/** Both ways to the database; it is migrated and has an administrator. */
static enum status open_database(struct twin *twin, struct register_identity *ret_identity,
                                 struct err *err)
{
    const struct config *config = &twin->call.config.values;
    struct opened *opened = &twin->opened;
    enum status status = database_new(config->database_url, &opened->database, err);
    if (status == OK)
        status = database_new(config->database_url, &twin->plain_opened.database, err);
    if (status == OK)
        status = db_open(opened->database, &opened->db, err);
    if (status == OK)
        status = migrate(opened->db, clock_now_ms(&twin->call.clock), err);
    if (status != OK)
        return status;
    char *password;
    struct service service = call_service(&twin->call, opened, "twin");
    status = account_service_first_admin(&service, config->initial_admin_email,
                                         config->initial_admin_password, &password, err);
    if (status == OK)
        status = account_service_identity(&service, ret_identity, err);
    db_close(opened->db);
    opened->db = NULL;
    return status;
}

static struct db_look look_away(void *context)
{
    (void)context;
    return (struct db_look){0};
}

static void keep_to_oneself(void *context, struct db_look look, const int64_t generations[SCOPES])
{
    (void)context, (void)look, (void)generations;
}

static enum status start(struct twin *twin, struct err *err)
{
    struct register_identity identity;
    const struct clock *clock = &twin->call.clock;
    enum status status = load_config(twin, err);
    if (status == OK)
        status = password_init(err);
    if (status == OK)
        status = open_database(twin, &identity, err);
    if (status == OK)
        status = server_start(&twin->cached, &twin->call.config.values, twin->opened.database,
                              clock, &identity, err);
    if (status != OK)
        return status;
    twin->writes = twin->cached.caches.watcher;
    twin->writes.look = look_away;
    twin->writes.seen = keep_to_oneself;
    database_watch(twin->plain_opened.database, &twin->writes);
    return server_start(&twin->plain, &twin->plain_config, twin->plain_opened.database, clock,
                        &identity, err);
}

static void serve_until(const struct twin *twin, const sigset_t *signals)
{
    int number;
    api_set_ready(twin->cached.api);
    printf("ready listen=http://%s ops=http://%s plain=http://%s\n",
           http_server_address(twin->cached.public_server),
           http_server_address(twin->cached.ops_server),
           http_server_address(twin->plain.public_server));
    fflush(stdout);
    while (sigwait(signals, &number) != 0)
        continue;
}

int main(void)
{
    sigset_t signals;
    AUTO_TELEMETRY struct telemetry telemetry = {0}; /* both count in it */
    AUTO_TWIN struct twin twin = {.opened = {.lock = -1}, .plain_opened = {.lock = -1}};
    struct err err;
    err_init(&err);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    telemetry_start(&telemetry, "twin");
    if (start(&twin, &err) != OK) {
        fprintf(stderr, "twin: %s: %s\n", err.items[0].field, err.items[0].message);
        return EXIT_FAILED;
    }
    serve_until(&twin, &signals);
    int64_t deadline_ms = clock_monotonic_ms() + twin.call.config.values.shutdown_timeout;
    server_drain(&twin.plain, deadline_ms);
    server_drain(&twin.cached, deadline_ms);
    return EXIT_OK;
}
