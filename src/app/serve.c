/*
 * serve: starting the parts in the order in which they need each other, and stopping them in the
 * opposite one.
 *
 * A timer ends the process if stopping takes longer than it may. The log comes first and goes last,
 * so that every thread can log as long as it lives; if nobody reads it, it is waited for a moment
 * and then left behind.
 *
 * Signals are blocked in all threads and waited for in the main one. After the first, the second
 * takes its default course and ends the process at once.
 */
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/command.h"
#include "app/server.h"
#include "app/telemetry.h"
#include "auth/password.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/account_service.h"
#include "store/migrate.h"
#include "store/queries.h"

/*
 * Of the time to stop, the last tenth is for the workers and for closing the database, and at most
 * a twentieth, at the end, for the log.
 */
enum { DRAIN_TENTHS = 9, LOG_TWENTIETHS = 1, NEAR_PERCENT = 80 };

static enum status open_database(struct call *call, struct opened *opened,
                                 struct telemetry *telemetry,
                                 struct register_identity *ret_identity, struct err *err)
{
    const struct config *config = &call->config.values;
    const struct db_limits limits = {.connect_ms = (int)config->db_connect_timeout,
                                     .statement_ms = (int)config->db_statement_timeout,
                                     .slow_ms = config->log_slow_ms};
    enum status status = database_new(config->database_url, &opened->database, err);
    if (status == OK) {
        telemetry_start(telemetry, database_engine_name(opened->database));
        database_set_limits(opened->database, &limits);
        status = files_lock(opened->database, FILES_SERVE, &opened->lock, err);
    }
    if (status == OK)
        status = db_open(opened->database, &opened->db, err);
    if (status == OK)
        status = migrate(opened->db, clock_now_ms(&call->clock), err);
    if (status != OK)
        return status;
    struct service service = call_service(call, opened, "openrisk serve");
    return account_service_identity(&service, ret_identity, err);
}

/** `ret_password`: NULL if there are users already. */
static enum status make_first_admin(struct call *call, const struct opened *opened,
                                    char **ret_password, struct err *err)
{
    const struct config *config = &call->config.values;
    struct service service = call_service(call, opened, "openrisk serve");
    return account_service_first_admin(&service, config->initial_admin_email,
                                       config->initial_admin_password, ret_password, err);
}

static enum status warm(struct api *api, struct db *db, struct err *err)
{
    unsigned count;
    int64_t began_ms = clock_monotonic_ms();
    enum status status = api_warm(api, db, &count, err);
    if (status == OK)
        log_event(LOG_INFO, "warm", LOG_INT("answers", count),
                  LOG_INT("took_ms", clock_monotonic_ms() - began_ms));
    return status;
}

/**
 * All nodes together must leave room on the server for others: its own work, backups, a person who
 * looks what is wrong.
 */
static enum status warn_about_connections(const struct config *config, struct db *db,
                                          struct err *err)
{
    int64_t most = 0, ours = config->nodes * (config->db_pool_max + SERVER_OTHER_CONNECTIONS);
    enum status status = db_begin_read(db, err);
    if (status == OK)
        status = db_select_int(db, &queries[QUERY_CONNECTIONS_MAX], DB_NO_PARAMS, &most, err);
    db_rollback(db);
    if (status == OK && most > 0 && 100 * ours > NEAR_PERCENT * most)
        log_event(LOG_WARN, "many_connections", LOG_INT("may_open", ours),
                  LOG_INT("server_takes", most), LOG_INT("nodes", config->nodes),
                  LOG_TEXT("hint", "lower DB_POOL_MAX, or raise max_connections of PostgreSQL"));
    return status;
}

static void warn_about_settings(const struct config *config)
{
    if (strncmp(config->ops_listen, "127.", 4) != 0 && strncmp(config->ops_listen, "[::1]", 5) != 0)
        log_event(
            LOG_WARN, "ops_not_loopback", LOG_TEXT("listen", config->ops_listen),
            LOG_TEXT("hint", config->ops_token
                                 ? "the token goes over the network in clear text"
                                 : "anyone who reaches it may read it: set OPENRISK_OPS_TOKEN"));
    if (config->clock_offset != 0)
        log_event(LOG_WARN, "clock_shifted", LOG_INT("offset_ms", config->clock_offset),
                  LOG_TEXT("hint", "OPENRISK_CLOCK_OFFSET is for tests"));
}

/* Stopping */

static void block_signals(sigset_t *ret_set)
{
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(ret_set);
    sigaddset(ret_set, SIGTERM);
    sigaddset(ret_set, SIGINT);
    pthread_sigmask(SIG_BLOCK, ret_set, NULL);
}

/** Look, write and leave: all that a signal handler may do. Past the log, which may be stuck. */
static void give_up(int number)
{
    static const char text[] =
        "openrisk: requests did not end in SHUTDOWN_TIMEOUT; stopped anyway\n";
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (number == SIGALRM && poll(&out, 1, 0) > 0 &&
        write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(EXIT_FAILED); /* there is nobody to tell */
    _exit(EXIT_FAILED);
}

static void set_alarm(int64_t timeout_ms)
{
    struct sigaction action = {.sa_handler = give_up};
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    struct itimerspec when = {
        .it_value = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000}};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
        timer_settime(timer, 0, &when, NULL);
}

static void wait_and_drain(struct server *server, const sigset_t *signals)
{
    int number = 0;
    while (sigwait(signals, &number) != 0)
        continue;
    int64_t began_ms = clock_monotonic_ms(), timeout_ms = server->config->shutdown_timeout;
    log_event(LOG_INFO, "stopping", LOG_TEXT("signal", strsignal(number)));
    set_alarm(timeout_ms);
    pthread_sigmask(SIG_UNBLOCK, signals, NULL);

    int64_t deadline_ms = began_ms + timeout_ms / 10 * DRAIN_TENTHS;
    server_drain(server, deadline_ms);
    log_event(LOG_INFO, "stopped", LOG_INT("took_ms", clock_monotonic_ms() - began_ms));
}

/* Starting */

static void tell_first_admin(const struct server *server, const char *password)
{
    const struct config *config = server->config;
    AUTO_FREE char *url = config->public_url
                              ? mem_strdup(config->public_url)
                              : mem_format("http://%s", http_server_address(server->public_server));
    AUTO_FREE char *where =
        api_has_pages(server->api)
            ? mem_format("%s/", url)
            : mem_format("POST %s/api/v1/auth/login with {\"email\": …, \"password\": …}", url);
    const char *path = database_path(server->database); /* a URL may hold a password */
    printf("First start: there is now an administrator.\n"
           "  e-mail    %s\n"
           "  password  %s\n"
           "  sign in   %s\n"
           "  data      %s\n",
           config->initial_admin_email,
           config->initial_admin_password ? "as in INITIAL_ADMIN_PASSWORD" : password, where,
           path ? path : database_engine_name(server->database));
    if (!config->initial_admin_password)
        puts("The password is shown only this once, and must be changed at the first sign-in.");
}

static void tell_ready(const struct server *server)
{
    printf("ready listen=http://%s ops=http://%s store=%s cache=%s\n",
           http_server_address(server->public_server), http_server_address(server->ops_server),
           database_engine_name(server->database),
           !server->caches.responses ? "none"
           : server->second          ? "memory+redis"
                                     : "memory");
    fflush(stdout); /* if nobody reads it, that is no reason not to serve */
}

/**
 * The ports are taken before an administrator is made, whose password would be lost if the start
 * failed then; until that is done nobody can sign in.
 */
static enum status start(struct call *call, struct opened *opened, struct telemetry *telemetry,
                         struct server *server, struct err *err)
{
    struct register_identity identity;
    enum status status = password_init(err);
    if (status == OK)
        status = open_database(call, opened, telemetry, &identity, err);
    if (status == OK)
        status = warn_about_connections(&call->config.values, opened->db, err);
    if (status == OK)
        status = server_start(server, &call->config.values, opened->database, &call->clock,
                              &identity, err);
    if (status != OK)
        return status;
    char *password;
    status = make_first_admin(call, opened, &password, err);
    if (status != OK)
        return status;
    if (password)
        tell_first_admin(server, password);
    if (call_option(call, "warm"))
        status = warm(server->api, opened->db, err);
    return status;
}

static enum status serve(struct call *call, const sigset_t *signals, struct err *err)
{
    AUTO_TELEMETRY struct telemetry telemetry = {0}; /* the last to go: all others count */
    AUTO_OPENED struct opened opened = {.lock = -1};
    AUTO_SERVER struct server server = {0};
    warn_about_settings(&call->config.values);
    enum status status = start(call, &opened, &telemetry, &server, err);
    db_close(opened.db); /* from now on the workers have their own */
    opened.db = NULL;
    if (status != OK) {
        call->is_usage = status == INVALID; /* of a setting */
        return status;
    }
    api_set_ready(server.api);
    tell_ready(&server);
    wait_and_drain(&server, signals);
    return OK;
}

enum status run_serve(struct call *call, struct err *err)
{
    sigset_t signals;
    const struct config *config = &call->config.values;
    block_signals(&signals);
    log_set_level((enum log_level)config->log_level);
    log_set_format((enum log_format)config->log_format);
    enum status status = log_start(err);
    if (status != OK)
        return status;
    status = serve(call, &signals, err);
    log_stop(clock_monotonic_ms() + config->shutdown_timeout * LOG_TWENTIETHS / 20);
    return status;
}
