/*
 * serve: starting the parts in the order in which they need each other, and stopping them in the
 * opposite one.
 *
 * Stopping: /readyz says no, so that a load balancer sends nothing new; the API's listener finishes
 * what runs; then the ops listener, so that the state could be watched to the end; then the
 * workers, which have nothing left to do. A timer ends the process if that takes longer than it
 * may.
 *
 * Signals are blocked in all threads and waited for in the main one. After the first, the second
 * takes its default course and ends the process at once.
 */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/api.h"
#include "app/caches.h"
#include "app/command.h"
#include "app/keeper.h"
#include "auth/password.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/http.h"
#include "service/account_service.h"
#include "store/migrate.h"
#include "store/pool.h"

/* Hashing a password takes 20 MB and 25 ms: one at a time, and a short line before it. */
enum { PASSWORD_WORKERS = 1, PASSWORD_WAITING = 16 };
enum { OPS_LOOPS = 1, OPS_CONNECTIONS = 64, OPS_BODY_BYTES = 64 << 10 };
/* Of the time to stop, the last tenth is for the workers and for closing the database. */
enum { DRAIN_TENTHS = 9 };

struct server {
    const struct config *config;
    struct opened opened;  /* `db` only while starting */
    struct caches caches;  /* zeroed: nothing is cached */
    struct keeper *keeper; /* NULL likewise */
    struct pool *pool;
    struct pool *password_pool;
    struct api *api;
    struct http_server *public_server;
    struct http_server *ops_server;
};

static void server_release(struct server *server)
{
    http_server_free(server->public_server);
    http_server_free(server->ops_server);
    keeper_stop(server->keeper);
    pool_free(server->password_pool);
    pool_free(server->pool);
    api_free(server->api);
    opened_release(&server->opened);
    caches_release(&server->caches);
}
#define AUTO_SERVER CLEANUP(server_release)

static enum status open_database(struct server *server, struct call *call,
                                 uint8_t ret_key[TOKEN_KEY_BYTES], struct err *err)
{
    struct opened *opened = &server->opened;
    enum status status = database_new(server->config->database_url, &opened->database, err);
    if (status == OK)
        status = files_lock(opened->database, FILES_SERVE, &opened->lock, err);
    if (status == OK)
        status = db_open(opened->database, &opened->db, err);
    if (status == OK)
        status = migrate(opened->db, clock_now_ms(&call->clock), err);
    if (status != OK)
        return status;
    if (server->config->cache_enabled)
        caches_init(&server->caches, opened->database, (size_t)server->config->cache_max_bytes);
    struct service service = call_service(call, opened, "openrisk serve");
    return account_service_token_key(&service, ret_key, err);
}

/** `ret_password`: NULL if there are users already. */
static enum status make_first_admin(struct server *server, struct call *call, char **ret_password,
                                    struct err *err)
{
    struct service service = call_service(call, &server->opened, "openrisk serve");
    enum status status =
        account_service_first_admin(&service, server->config->initial_admin_email,
                                    server->config->initial_admin_password, ret_password, err);
    return status;
}

static enum status warm(struct server *server, struct err *err)
{
    unsigned count;
    int64_t began_ms = clock_monotonic_ms();
    enum status status = api_warm(server->api, server->opened.db, &count, err);
    if (status == OK)
        log_event(LOG_INFO, "warm", LOG_INT("answers", count),
                  LOG_INT("took_ms", clock_monotonic_ms() - began_ms));
    return status;
}

static enum status start_pools(struct server *server, struct err *err)
{
    const struct config *config = server->config;
    struct pool_settings general = {
        .name = "general",
        .max_workers = (unsigned)config->db_pool_max,
        .max_waiting = (unsigned)config->db_pool_max_waiting,
    };
    struct pool_settings password = {
        .name = "password",
        .max_workers = PASSWORD_WORKERS,
        .max_waiting = PASSWORD_WAITING,
    };
    enum status status = pool_new(server->opened.database, &general, &server->pool, err);
    if (status != OK)
        return status;
    return pool_new(server->opened.database, &password, &server->password_pool, err);
}

static void make_api(struct server *server, const struct clock *clock,
                     const uint8_t token_key[TOKEN_KEY_BYTES])
{
    const struct config *config = server->config;
    struct api_settings all = {
        .clock = clock,
        .pool = server->pool,
        .password_pool = server->password_pool,
        .public_url = config->public_url,
        .trusted_proxies = config->trusted_proxies,
        .version = OPENRISK_VERSION,
        .ops_token = config->ops_token,
        .responses = server->caches.responses,
        .sessions = server->caches.sessions,
        .generations = server->caches.generations,
        .ttl_ms = {[TTL_RISKS] = (unsigned)config->cache_ttl_risks,
                   [TTL_STATS] = (unsigned)config->cache_ttl_stats,
                   [TTL_MATRIX] = (unsigned)config->cache_ttl_matrix,
                   [TTL_TRENDS] = (unsigned)config->cache_ttl_trends},
        .wait_timeout_ms = (unsigned)config->cache_wait_timeout,
        .import_max_bytes = (size_t)config->import_max_bytes,
        .acquire_timeout_ms = (unsigned)config->db_pool_acquire_timeout,
        .write_timeout_ms = (unsigned)config->db_write_timeout,
        .login_burst = (unsigned)config->login_burst,
        .login_drain_ms = (unsigned)config->login_drain,
    };
    memcpy(all.token_key, token_key, sizeof all.token_key);
    server->api = api_new(&all);
}

/** Say which setting an address that cannot be used came from. */
static enum status blame(const char *setting, enum status status, struct err *err)
{
    if (status != OK)
        snprintf(err->items[0].field, sizeof err->items[0].field, "%s", setting);
    return status;
}

static enum status listen_on(struct server *server, struct err *err)
{
    const struct config *config = server->config;
    struct http_settings public_settings = {
        .name = "api",
        .listen = config->listen,
        .loops = (unsigned)config->http_loops,
        .max_connections = (unsigned)config->http_max_connections,
        .idle_timeout_ms = (unsigned)config->http_idle_timeout,
        .request_timeout_ms = (unsigned)config->http_request_timeout,
        .reply_timeout_ms = (unsigned)config->http_reply_timeout,
        .max_body_bytes_in_flight = (size_t)config->http_body_budget,
    };
    struct http_settings ops_settings = public_settings;
    ops_settings.name = "ops";
    ops_settings.listen = config->ops_listen;
    ops_settings.loops = OPS_LOOPS;
    ops_settings.max_connections = OPS_CONNECTIONS;
    ops_settings.max_body_bytes_in_flight = OPS_BODY_BYTES;
    struct http_app public_app = api_public_app(server->api);
    struct http_app ops_app = api_ops_app(server->api);
    enum status status =
        http_server_start(&public_settings, &public_app, &server->public_server, err);
    if (status != OK)
        return blame("OPENRISK_LISTEN", status, err);
    status = http_server_start(&ops_settings, &ops_app, &server->ops_server, err);
    return blame("OPENRISK_OPS_LISTEN", status, err);
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

/** Write and leave: all that a signal handler may do. */
static void give_up(int number)
{
    static const char text[] =
        "openrisk: requests did not end in SHUTDOWN_TIMEOUT; stopped anyway\n";
    if (number == SIGALRM && write(STDERR_FILENO, text, sizeof text - 1) < 0)
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
    api_set_draining(server->api);
    http_server_drain(server->public_server, deadline_ms);
    http_server_drain(server->ops_server, deadline_ms);
    keeper_stop(server->keeper);
    server->keeper = NULL;
    pool_free(server->password_pool);
    pool_free(server->pool);
    server->password_pool = server->pool = NULL;
    log_event(LOG_INFO, "stopped", LOG_INT("took_ms", clock_monotonic_ms() - began_ms));
}

/* Starting */

static void tell_first_admin(const struct server *server, const char *password)
{
    const struct config *config = server->config;
    AUTO_FREE char *url = config->public_url
                              ? mem_strdup(config->public_url)
                              : mem_format("http://%s", http_server_address(server->public_server));
    const char *path = database_path(server->opened.database); /* a URL may hold a password */
    printf("First start: there is now an administrator.\n"
           "  e-mail    %s\n"
           "  password  %s\n"
           "  sign in   POST %s/api/v1/auth/login with {\"email\": …, \"password\": …}\n"
           "  data      %s\n",
           config->initial_admin_email,
           config->initial_admin_password ? "as in INITIAL_ADMIN_PASSWORD" : password, url,
           path ? path : database_engine_name(server->opened.database));
    if (!config->initial_admin_password)
        puts("The password is shown only this once, and must be changed at the first sign-in.");
}

/**
 * The ports are taken before an administrator is made, whose password would be lost if the start
 * failed then; until that is done nobody can sign in.
 */
static enum status start(struct server *server, struct call *call, struct err *err)
{
    uint8_t token_key[TOKEN_KEY_BYTES];
    enum status status = password_init(err);
    if (status == OK)
        status = open_database(server, call, token_key, err);
    if (status == OK)
        status = start_pools(server, err);
    if (status != OK)
        return status;
    make_api(server, &call->clock, token_key);
    status = listen_on(server, err);
    if (status != OK)
        return status;
    char *password;
    status = make_first_admin(server, call, &password, err);
    if (status != OK)
        return status;
    if (password)
        tell_first_admin(server, password);
    if (server->caches.responses)
        status =
            keeper_start(server->opened.database, server->caches.responses, &server->keeper, err);
    if (status == OK && call_option(call, "warm"))
        status = warm(server, err);
    if (status != OK)
        return status;
    db_close(server->opened.db); /* from now on the workers have their own */
    server->opened.db = NULL;
    printf("ready listen=http://%s ops=http://%s store=%s cache=%s\n",
           http_server_address(server->public_server), http_server_address(server->ops_server),
           database_engine_name(server->opened.database),
           server->caches.responses ? "memory" : "none");
    return OK;
}

enum status run_serve(struct call *call, struct err *err)
{
    sigset_t signals;
    const struct config *config = &call->config.values;
    AUTO_SERVER struct server server = {.config = config, .opened = {.lock = -1}};
    block_signals(&signals);
    log_set_level((enum log_level)config->log_level);
    warn_about_settings(config);
    enum status status = start(&server, call, err);
    if (status != OK) {
        call->is_usage = status == INVALID; /* of a setting */
        return status;
    }
    fflush(stdout); /* if nobody reads it, that is no reason not to serve */
    wait_and_drain(&server, &signals);
    return OK;
}
