/*
 * `openrisk serve` over a SQLite database that is away while there is a file of its name with
 * ".away" behind it: then nothing can be opened and no transaction begun. With ".unwritable" behind
 * it, only nothing can be written. For tests/http/sqlite_grace.test.js and sqlite_metrics.test.js.
 *
 * Settings come from the environment, and so does the first administrator. Prints
 * "ready listen=URL ops=URL" and ends with SIGTERM.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/command.h"
#include "app/server.h"
#include "app/telemetry.h"
#include "auth/password.h"
#include "base/log.h"
#include "service/account_service.h"
#include "store/engine.h"
#include "store/migrate.h"

/* Set before there are threads; an engine has no context. */
static char away_file[4096], unwritable_file[4096];

static enum status check(const char *file, struct err *err)
{
    if (access(file, F_OK) != 0)
        return OK;
    return err_set(err, UNAVAILABLE, NULL, "the database does not answer");
}

static enum status away_open(struct engine_shared *shared, struct engine_conn **ret_conn,
                             struct err *err)
{
    enum status status = check(away_file, err);
    return status == OK ? sqlite_engine.open(shared, ret_conn, err) : status;
}

static bool away_is_broken(const struct engine_conn *conn)
{
    (void)conn;
    return access(away_file, F_OK) == 0;
}

static bool away_is_alive(struct engine_conn *conn, int ping_timeout_ms)
{
    (void)ping_timeout_ms;
    return !away_is_broken(conn);
}

static enum status away_begin_read(struct engine_conn *conn, struct err *err)
{
    enum status status = check(away_file, err);
    return status == OK ? sqlite_engine.begin_read(conn, err) : status;
}

static enum status away_begin_write(struct engine_conn *conn, int timeout_ms, bool alone,
                                    struct err *err)
{
    enum status status = check(away_file, err);
    if (status == OK)
        status = check(unwritable_file, err);
    return status == OK ? sqlite_engine.begin_write(conn, timeout_ms, alone, err) : status;
}

static enum status load_config(struct call *call, struct err *err)
{
    struct config_sources sources = {.environment = environ};
    arena_init(&call->arena);
    enum status status = config_load(&sources, &call->config, err);
    if (status != OK)
        return status;
    log_set_level((enum log_level)call->config.values.log_level);
    call->clock.offset_ms = call->config.values.clock_offset;
    return OK;
}

/** Migrated, and with an administrator. */
static enum status open_database(struct call *call, const struct db_engine *engine,
                                 struct opened *opened, struct register_identity *ret_identity,
                                 struct err *err)
{
    const struct config *config = &call->config.values;
    enum status status = database_new_of(engine, config->database_url, &opened->database, err);
    if (status == OK)
        status = db_open(opened->database, &opened->db, err);
    if (status == OK)
        status = migrate(opened->db, clock_now_ms(&call->clock), err);
    if (status != OK)
        return status;
    const char *path = database_path(opened->database);
    snprintf(away_file, sizeof away_file, "%s.away", path);
    snprintf(unwritable_file, sizeof unwritable_file, "%s.unwritable", path);
    char *password;
    struct service service = call_service(call, opened, "away");
    status = account_service_first_admin(&service, config->initial_admin_email,
                                         config->initial_admin_password, &password, err);
    if (status == OK)
        status = account_service_identity(&service, ret_identity, err);
    db_close(opened->db);
    opened->db = NULL;
    return status;
}

static enum status serve(struct call *call, struct opened *opened, struct server *server,
                         const sigset_t *signals, struct err *err)
{
    static struct db_engine engine;
    struct register_identity identity;
    int number;
    engine = sqlite_engine;
    engine.open = away_open;
    engine.is_broken = away_is_broken;
    engine.is_alive = away_is_alive;
    engine.begin_read = away_begin_read;
    engine.begin_write = away_begin_write;
    enum status status = load_config(call, err);
    if (status == OK)
        status = password_init(err);
    if (status == OK)
        status = open_database(call, &engine, opened, &identity, err);
    if (status == OK)
        status = server_start(server, &call->config.values, opened->database, &call->clock,
                              &identity, err);
    if (status != OK)
        return status;
    api_set_ready(server->api);
    printf("ready listen=http://%s ops=http://%s\n", http_server_address(server->public_server),
           http_server_address(server->ops_server));
    fflush(stdout);
    while (sigwait(signals, &number) != 0)
        continue;
    server_drain(server, clock_monotonic_ms() + call->config.values.shutdown_timeout);
    return OK;
}

int main(void)
{
    sigset_t signals;
    struct call call = {0};
    struct err err;
    err_init(&err);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    enum status status;
    {
        AUTO_TELEMETRY struct telemetry telemetry = {0};
        AUTO_OPENED struct opened opened = {.lock = -1};
        AUTO_SERVER struct server server = {0};
        telemetry_start(&telemetry, "away");
        status = serve(&call, &opened, &server, &signals, &err);
    }
    config_release(&call.config);
    arena_release(&call.arena);
    if (status == OK)
        return EXIT_OK;
    fprintf(stderr, "away: %s: %s\n", err.items[0].field, err.items[0].message);
    return EXIT_FAILED;
}
