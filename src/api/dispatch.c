/*
 * The path of a request.
 *
 *   event loop   begin    the route is found; 404, 405 and missing tokens are answered at once,
 *                         and so is what the cache has (reading.c)
 *                handle   content type; then the request is suspended and put in the pool's line
 *   worker       run      who asks, may they; parameters, body; the handler; the answer is made
 *   event loop            the answer goes out;
 *                done     the log line, and everything is freed
 */
#include <string.h>
#include <unistd.h>

#include "api/answer.h"
#include "api/consistency.h"
#include "api/count.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/problem.h"
#include "api/reading.h"
#include "api/request_log.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/audit_service.h"

enum { JSON_BODY_MAX_BYTES = 1 << 20 };

static void reply_http_error(struct passage *passage, int http_status, const char *text)
{
    struct err err;
    err_set(&err, INVALID, NULL, "%s", text);
    passage->status = INVALID;
    output_common_headers(passage->request);
    struct http_reply reply = problem_reply(passage->request, http_status, &err);
    http_reply(passage->request, &reply);
}

/** Outside the API a browser is shown a page that says so. */
static void reply_nothing_here(struct passage *passage)
{
    const char *path = http_path(passage->request);
    bool is_in_api = strncmp(path, "/api", 4) == 0 && (path[4] == '/' || !path[4]);
    const struct web_item *page =
        is_in_api ? NULL : web_find_lost(passage->api->web, passage->request);
    if (page)
        web_reply(passage->request, page, 404);
    else
        reply_http_error(passage, 404, "there is nothing here; the API is below /api/v1");
}

static void reply_method_not_allowed(struct passage *passage)
{
    struct arena *arena = http_arena(passage->request);
    char *allow = arena_strdup(arena, "");
    unsigned methods = passage->match.methods;
    if (methods & 1u << HTTP_GET)
        methods |= 1u << HTTP_HEAD;
    for (int method = 0; http_method_names[method]; method++)
        if (methods & 1u << method)
            allow =
                arena_format(arena, "%s%s%s", allow, *allow ? ", " : "", http_method_names[method]);
    http_add_header(passage->request, "Allow", allow);
    reply_http_error(passage, 405, arena_format(arena, "here are only %s", allow));
}

static size_t body_limit(const struct api *api, const struct route *route)
{
    switch (route->body_kind) {
    case BODY_NONE:
        return 0;
    case BODY_JSON:
        return JSON_BODY_MAX_BYTES;
    case BODY_FILE:
        return api->settings.import_max_bytes;
    }
    return 0;
}

/** False if there is none for this path and method, which has been said then. */
static bool find_route(struct passage *passage)
{
    struct http_request *request = passage->request;
    const char *path = http_path(request);
    size_t prefix = strlen(API_BASE_PATH);
    bool below = strncmp(path, API_BASE_PATH, prefix) == 0 && path[prefix] == '/';
    passage->web_item = below ? NULL : web_find(passage->api->web, path);
    const char *name = below ? path + prefix : passage->web_item ? "/" : path;
    passage->match = route_find(http_method(request), name, http_arena(request));
    /* Only the pages lie outside the base path. */
    if (!passage->match.methods || (below == (strcmp(name, "/") == 0))) {
        reply_nothing_here(passage);
        return false;
    }
    if (!passage->match.route)
        reply_method_not_allowed(passage);
    return passage->match.route != NULL;
}

/** Who brings a token for a route that wants one; by what is known here, or not yet. */
static enum status identify(struct passage *passage, struct err *err)
{
    const struct api *api = passage->api;
    if (passage->match.route->lane != LANE_LOOP) {
        enum status status = consistency_read(passage, err);
        if (status != OK)
            return status;
    }
    if (!passage->needs_look)
        passage->session = session_find(api, passage->token, passage->now_ms);
    if (passage->session)
        passage->user_id = passage->session->caller.user_id;
    else if (!token_is_genuine(api->settings.token_key, passage->token))
        return err_set(err, UNAUTHENTICATED, NULL, "this token is unknown, expired or revoked");
    return OK;
}

static void begin(void *context, struct http_request *request)
{
    struct api *api = context;
    struct passage *passage = arena_zalloc(http_arena(request), 1, sizeof *passage);
    passage->api = api;
    passage->request = request;
    passage->now_ms = clock_now_coarse_ms(api->settings.clock);
    buf_init(&passage->out, ANSWER_MAX_BYTES);
    http_set_data(request, passage);
    count_begun();

    if (!reading_recall(passage) && !find_route(passage))
        return;
    if (passage->web_item)
        return; /* whoever asks */
    const struct route *route = passage->match.route;
    struct err err;
    err_init(&err);
    enum status status = access_find_token(passage, &err);
    if (status == OK && route->who != WHO_PUBLIC) {
        struct caller nobody = {0};
        status = passage->token ? identify(passage, &err)
                                : account_may(&nobody, route->who, false, &err);
    }
    if (status != OK)
        passage_reply_error(passage, status, &err, http_reply);
    else if (passage->needs_look || !route->read || !reading_begin(passage))
        http_expect_body(request, body_limit(api, route));
}

/** Parse the body of a route that takes JSON: an object. */
static enum status read_body(const struct passage *passage, struct json_doc **ret_doc,
                             struct err *err)
{
    size_t length;
    const char *bytes = http_body(passage->request, &length);
    if (length == 0)
        return err_set(err, MALFORMED, NULL, "the body is empty; it must be a JSON object");
    enum status status = json_parse(bytes, length, ret_doc, err);
    if (status == OK && json_kind(json_root(*ret_doc)) != JSON_KIND_OBJECT)
        return err_set(err, MALFORMED, NULL, "the body must be a JSON object");
    return status;
}

static enum status answer(struct passage *passage, struct call *call, struct err *err)
{
    const struct route *route = passage->match.route;
    AUTO_JSON struct json_doc *doc = NULL;
    enum status status = input_parameters(route, http_query(passage->request),
                                          http_arena(passage->request), &call->question, err);
    if (status == OK)
        status = input_if_match(passage->request, &call->if_match, err);
    if (status == OK && route->body_kind == BODY_JSON) {
        status = read_body(passage, &doc, err);
        call->body = doc ? json_root(doc) : NULL;
    }
    if (status != OK)
        return status;
    status = route->act(call, err);
    if (status == OK && passage->out.overflow)
        return err_set(err, TOO_LARGE, NULL, "the answer is too large; ask for less");
    return status;
}

/** Refused writes of known people are part of the audit log; the handler's own rows say "ok". */
static void note_refusal(struct passage *passage, struct service *service, enum status status,
                         const struct err *err)
{
    enum http_method method = http_method(passage->request);
    if (!service->caller->user_id || method == HTTP_GET || method == HTTP_HEAD)
        return;
    char line[ERR_FIELD_SIZE + ERR_MESSAGE_SIZE];
    struct err ignored;
    const char *target = passage->match.args[0] ? passage->match.args[0] : "";
    if (audit_service_refused(service, service->caller->email, target, status,
                              err_text(err, line, sizeof line), &ignored) != OK)
        log_event(LOG_WARN, "audit_not_written", LOG_TEXT("action", service->action));
}

/** A route that acts. */
static void run_act(struct passage *passage, struct db *db, enum status status,
                    const struct err *why)
{
    struct http_request *request = passage->request;
    const struct api_settings *settings = &passage->api->settings;
    const struct route *route = passage->match.route;
    struct arena *arena = http_arena(request);
    if (status != OK) {
        if (route->act == auth_login)
            count_login(LOGIN_BUSY);
        passage_reply_error(passage, status, why, http_reply_later);
        return;
    }

    struct caller caller = {.address = http_client_address(request, settings->trusted_proxies)};
    struct service service = service_new(db, arena, clock_now_ms(settings->clock), &caller);
    service.write_timeout_ms = (int)settings->write_timeout_ms;
    service.action = arena_format(arena, "%s %s", http_method_names[route->method], route->pattern);
    struct json_writer out;
    json_writer_init(&out, &passage->out);
    struct call call = {
        .question = {.service = &service, .out = &out},
        .api = passage->api,
        .request = request,
        .caller = &caller,
        .status = route->status,
        .file = -1,
        .content_type = "application/json",
    };
    memcpy(call.question.args, passage->match.args, sizeof call.question.args);

    struct err err;
    err_init(&err);
    db_take_bumped(db, (int64_t[SCOPES]){0}); /* of whoever had the connection before */
    status = access_check(passage, &service, &caller, &err);
    if (status == OK)
        status = answer(passage, &call, &err);
    consistency_tell(passage, db);
    if (db_in_transaction(db))
        db_rollback(db);
    if (status != OK || call.status >= 400)
        note_refusal(passage, &service, status != OK ? status : INVALID, &err);
    passage_count_statements(passage, db);
    if (status != OK) {
        if (call.file >= 0)
            close(call.file);
        passage_reply_error(passage, status, &err, http_reply_later);
        return;
    }
    passage->status = OK;
    output_common_headers(request);
    struct http_reply reply = output_reply(request, route, &call);
    http_reply_later(request, &reply);
}

static void run(struct pool_job *job, struct db *db, enum status status, const struct err *why)
{
    struct passage *passage = (struct passage *)job;
    passage_begin_count(passage, db);
    if (passage->match.route->read)
        reading_run(passage, db, status, why);
    else
        run_act(passage, db, status, why);
}

/**
 * Whoever is not known here goes the general way, where the database is asked; while it is away,
 * who was known is believed for CACHE_DB_GRACE. (That a token was used is not noted here: in an
 * outage the answer would have to wait for that.)
 */
static bool is_for_loop(struct passage *passage)
{
    const struct api_settings *settings = &passage->api->settings;
    const struct route *route = passage->match.route;
    if (route->lane != LANE_LOOP || route->who == WHO_PUBLIC)
        return route->lane == LANE_LOOP;
    if (!passage->session && settings->generations && generations_are_away(settings->generations)) {
        passage->session = session_find_unverified(passage->api, passage->token, passage->now_ms);
        passage->user_id = passage->session ? passage->session->caller.user_id : NULL;
    }
    return passage->session != NULL;
}

/** A route that needs neither worker nor database. */
static void run_on_loop(struct passage *passage,
                        void (*send)(struct http_request *, const struct http_reply *))
{
    struct json_writer out;
    json_writer_init(&out, &passage->out);
    struct call call = {
        .question = {.out = &out},
        .api = passage->api,
        .request = passage->request,
        .status = passage->match.route->status,
        .file = -1,
        .content_type = "application/json",
    };
    struct err err;
    err_init(&err);
    enum status status =
        passage->session ? access_may(passage, &passage->session->caller, &err) : OK;
    if (status == OK)
        status = input_parameters(passage->match.route, http_query(passage->request),
                                  http_arena(passage->request), &call.question, &err);
    if (status == OK)
        status = passage->match.route->act(&call, &err);
    if (status != OK) {
        passage_reply_error(passage, status, &err, send);
        return;
    }
    output_common_headers(passage->request);
    struct http_reply reply = output_reply(passage->request, passage->match.route, &call);
    send(passage->request, &reply);
}

/** Suspended. */
static void go_on(struct passage *passage)
{
    if (!passage->match.route->read || !reading_enter(passage))
        passage_submit(passage);
}

/** The generations have been read since it came. On the watch's thread. */
static void looked(struct watch_waiter *waiter, enum status status, const struct err *why)
{
    struct passage *passage = CONTAINER_OF(waiter, struct passage, look);
    if (status == OK)
        passage->session = session_find(passage->api, passage->token, passage->now_ms);
    passage->user_id = passage->session ? passage->session->caller.user_id : NULL;
    if (is_for_loop(passage))
        run_on_loop(passage, http_reply_later);
    else if (status == OK)
        go_on(passage);
    else
        passage_reply_error(passage, status, why, http_reply_later);
}

static void look_first(struct passage *passage)
{
    struct err err;
    passage->look.looked = looked;
    if (watch_ask(passage->api->settings.watch, &passage->look))
        return;
    err_set(&err, UNAVAILABLE, NULL, "the database does not answer");
    looked(&passage->look, UNAVAILABLE, &err);
}

static void handle(void *context, struct http_request *request)
{
    (void)context;
    struct passage *passage = http_data(request);
    const struct route *route = passage->match.route;
    if (passage->web_item) {
        web_reply(request, passage->web_item, 200);
        return;
    }
    if (!input_content_type_fits(route, request)) {
        reply_http_error(passage, 415,
                         route->body_kind == BODY_JSON
                             ? "the body must be sent as Content-Type: application/json"
                             : "the body must be sent as text/csv, application/json or "
                               "application/octet-stream");
        return;
    }
    if (is_for_loop(passage)) {
        run_on_loop(passage, http_reply);
        return;
    }
    passage->job.run = run;
    http_suspend(request);
    /* Who should not need a worker may be unknown only because K has not been read for too long. */
    if (passage->needs_look || route->lane == LANE_LOOP)
        look_first(passage);
    else
        go_on(passage);
}

static void done(void *context, struct http_request *request)
{
    (void)context;
    struct passage *passage = http_data(request);
    if (!passage)
        return;
    int status = http_replied_status(request);
    int64_t now_us = clock_monotonic_us(), took_us = now_us - http_received_us(request);
    count_ended(passage, status, took_us);
    request_log(passage, status, took_us, now_us);
    buf_release(&passage->out);
    answer_unref(passage->answer);
    session_unref(passage->session);
}

static void refuse(void *context, struct http_request *request, int http_status, const char *detail)
{
    count_rejected(http_status);
    output_problem(context, request, http_status, detail);
}

struct http_app api_public_app(struct api *api)
{
    return (struct http_app){
        .context = api,
        .begin = begin,
        .handle = handle,
        .done = done,
        .problem = refuse,
        .crowded = count_crowded,
        .unread = count_unread,
    };
}
