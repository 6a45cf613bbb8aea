#include "api/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

/* Per address there may be this many times more failed sign-ins than per account and address. */
enum { ADDRESS_FACTOR = 5 };
enum { METRICS_MAX_BYTES = 16 << 20 };

struct api *api_new(const struct api_settings *settings)
{
    struct api *api = mem_zalloc(1, sizeof *api);
    api->settings = *settings;
    api->openapi = api_openapi(settings->version);
    api->web = web_new();
    api->login_by_account = throttle_new(settings->login_burst, settings->login_drain_ms);
    api->login_by_address = throttle_new(settings->login_burst * ADDRESS_FACTOR,
                                         settings->login_drain_ms / ADDRESS_FACTOR + 1);
    fingerprint_key_new(api->fingerprint_key);
    AUTO_FREE char *purpose = mem_format("consistency token %s", settings->epoch);
    api->consistency_key = seal_key_for(settings->token_key, purpose);
    return api;
}

void api_free(struct api *api)
{
    if (!api)
        return;
    throttle_free(api->login_by_account);
    throttle_free(api->login_by_address);
    web_free(api->web);
    free(api->openapi);
    free(api);
}

bool api_has_pages(const struct api *api)
{
    return api->web != NULL;
}

void api_set_ready(struct api *api)
{
    atomic_store(&api->ready, true);
}

void api_set_draining(struct api *api)
{
    atomic_store(&api->draining, true);
}

bool api_second(const struct api *api, struct second_statistics *ret_now)
{
    *ret_now = (struct second_statistics){.redis.state = BREAKER_CLOSED};
    if (api->settings.second)
        second_statistics(api->settings.second, ret_now);
    return api->settings.second != NULL;
}

static void reply_ops(struct http_request *request, int status, const char *text)
{
    struct http_reply reply = {
        .status = status,
        .content_type = "text/plain; charset=utf-8",
        .body = text,
        .length = strlen(text),
        .file = -1,
    };
    output_common_headers(request);
    http_reply(request, &reply);
}

/** Without a token set, everyone may; the comparison takes the same time for every wrong one. */
static bool ops_may(const struct api *api, struct http_request *request)
{
    const char *want = api->settings.ops_token;
    const char *have = http_header(request, "Authorization");
    if (!want)
        return true;
    if (!have || strncmp(have, "Bearer ", 7) != 0 || strlen(have + 7) != strlen(want))
        return false;
    return text_equal_secret(want, have + 7, strlen(want));
}

/** The database is migrated before there is a listener. Asks nobody, so it never waits. */
static void reply_ready(struct api *api, struct http_request *request)
{
    struct watch_state database;
    struct second_statistics second;
    watch_state(api->settings.watch, &database);
    api_second(api, &second);
    if (!atomic_load(&api->ready))
        reply_ops(request, 503, "not ready: starting\n");
    else if (atomic_load(&api->draining))
        reply_ops(request, 503, "not ready: going down\n");
    else if (!database.is_up)
        reply_ops(request, 503, "not ready: the database does not answer\n");
    else if (second.redis.state != BREAKER_CLOSED)
        reply_ops(request, 200, "ready, degraded: Redis does not answer\n");
    else
        reply_ops(request, 200, "ready\n");
}

struct metrics_reading *api_read_metrics(const struct api *api)
{
    struct metrics_reading *reading = metrics_read();
    api->settings.read_metrics(api->settings.metrics_context, reading);
    return reading;
}

static void reply_metrics(const struct api *api, struct http_request *request)
{
    AUTO_READING struct metrics_reading *reading = api_read_metrics(api);
    AUTO_BUF struct buf text;
    buf_init(&text, METRICS_MAX_BYTES);
    metrics_write(reading, &text);
    struct http_reply reply = {
        .status = 200,
        .content_type = "text/plain; version=0.0.4; charset=utf-8",
        .release = free,
        .file = -1,
    };
    reply.body = reply.owner = buf_detach(&text, &reply.length);
    output_common_headers(request);
    http_reply(request, &reply);
}

static void ops_handle(void *context, struct http_request *request)
{
    struct api *api = context;
    enum http_method method = http_method(request);
    const char *path = http_path(request);
    if (method != HTTP_GET && method != HTTP_HEAD)
        reply_ops(request, 405, "only GET\n");
    else if (strcmp(path, "/livez") == 0)
        reply_ops(request, 200, "alive\n");
    else if (!ops_may(api, request))
        reply_ops(request, 401, "the token of OPENRISK_OPS_TOKEN is needed\n");
    else if (strcmp(path, "/readyz") == 0)
        reply_ready(api, request);
    else if (strcmp(path, "/metrics") == 0)
        reply_metrics(api, request);
    else
        reply_ops(request, 404, "here are /livez, /readyz and /metrics\n");
}

static void ops_begin(void *context, struct http_request *request)
{
    (void)context;
    (void)request; /* nothing here takes a body */
}

struct http_app api_ops_app(struct api *api)
{
    return (struct http_app){
        .context = api,
        .begin = ops_begin,
        .handle = ops_handle,
        .problem = output_problem,
    };
}
