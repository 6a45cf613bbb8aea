/*
 * Who asks, and may they: tokens, the session cookie, where a browser comes from.
 */
#include <string.h>
#include <strings.h>

#include "api/internal.h"
#include "service/account_service.h"

/* By whether the server is reached by https (RFC 6265bis, section 4.1.3). */
static const char *const cookie_names[][2] = {
    [COOKIE_SESSION] = {"openrisk_session", "__Host-openrisk_session"},
    [COOKIE_CONSISTENCY] = {"openrisk_consistency", "__Host-openrisk_consistency"},
};
/* A consistency token matters no longer than a node may answer without having read the generations:
 * the longest CACHE_DB_GRACE. */
static const int cookie_seconds[] = {
    [COOKIE_SESSION] = SESSION_MS / 1000, [COOKIE_CONSISTENCY] = 3600};

static bool is_secure(const struct api *api)
{
    const char *url = api->settings.public_url;
    return url && strncmp(url, "https://", 8) == 0;
}

const char *access_cookie(const struct api *api, struct http_request *request,
                          enum access_cookie cookie)
{
    return http_cookie(request, cookie_names[cookie][is_secure(api)]);
}

void access_set_cookie(const struct api *api, struct http_request *request,
                       enum access_cookie cookie, const char *value)
{
    bool secure = is_secure(api);
    http_add_header(request, "Set-Cookie",
                    arena_format(http_arena(request),
                                 "%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s",
                                 cookie_names[cookie][secure], value ? value : "",
                                 value ? cookie_seconds[cookie] : 0, secure ? "; Secure" : ""));
}

enum status access_find_token(struct passage *passage, struct err *err)
{
    const char *header = http_header(passage->request, "Authorization");
    if (header) {
        if (strncasecmp(header, "Bearer ", 7) != 0 || !header[7])
            return err_set(err, UNAUTHENTICATED, NULL,
                           "the Authorization header must be: Bearer TOKEN");
        passage->token = header + 7;
        return OK;
    }
    passage->token = access_cookie(passage->api, passage->request, COOKIE_SESSION);
    if (passage->token && !*passage->token)
        passage->token = NULL;
    passage->by_cookie = passage->token != NULL;
    return OK;
}

/** The origin under which people see this server, as a browser writes it. */
static const char *own_origin(struct api *api, struct http_request *request)
{
    const char *url = api->settings.public_url;
    struct arena *arena = http_arena(request);
    if (!url) {
        const char *host = http_header(request, "Host");
        return arena_format(arena, "http://%s", host ? host : "");
    }
    const char *host = strstr(url, "://");
    size_t length = host ? (size_t)(host + 3 - url) + strcspn(host + 3, "/") : strlen(url);
    return arena_memdup(arena, url, length);
}

enum status access_check_origin(struct api *api, struct http_request *request,
                                bool *ret_from_browser, struct err *err)
{
    const char *origin = http_header(request, "Origin");
    const char *site = http_header(request, "Sec-Fetch-Site");
    *ret_from_browser = origin || site;
    if (origin) {
        const char *own = own_origin(api, request);
        if (strcasecmp(origin, own) == 0)
            return OK;
        return err_set(err, DENIED, "Origin",
                       "this request comes from another site; if this server is reached under "
                       "another address than %s, set OPENRISK_PUBLIC_URL",
                       own);
    }
    if (!site || strcmp(site, "same-origin") == 0)
        return OK;
    return err_set(err, DENIED, "Sec-Fetch-Site", "this request comes from another site");
}

static bool is_write(enum http_method method)
{
    return method != HTTP_GET && method != HTTP_HEAD;
}

/** Until a printed first password is changed, its owner may only do that. */
static bool is_for_new_password(const struct route *route)
{
    return strcmp(route->pattern, "/users/me/password") == 0 ||
           strcmp(route->pattern, "/auth/logout") == 0 ||
           (strcmp(route->pattern, "/users/me") == 0 && route->method == HTTP_GET);
}

enum status access_may(const struct passage *passage, const struct caller *caller, struct err *err)
{
    const struct route *route = passage->match.route;
    if (caller->must_change_password && !is_for_new_password(route))
        return err_set(err, DENIED, NULL,
                       "change the first password before anything else: "
                       "POST /api/v1/users/me/password");
    return account_may(caller, route->who, is_write(route->method), err);
}

/** Ask the database, and remember what it says. */
static enum status authenticate(struct passage *passage, struct service *service, struct err *err)
{
    const struct api *api = passage->api;
    struct authentication found;
    enum status status =
        account_service_authenticate(service, api->settings.token_key, passage->token, &found, err);
    if (status != OK)
        return status;
    passage->session = session_keep(api, passage->token, &found);
    return OK;
}

void access_note_use(const struct service *service, struct session *session)
{
    struct service hasty = *service;
    struct err ignored;
    hasty.write_timeout_ms = 0;
    if (account_service_note_use(&hasty, session->caller.token_id, &ignored) == OK)
        atomic_store(&session->note_at, service->now_ms + NOTE_USE_MS);
}

enum status access_check(struct passage *passage, struct service *service,
                         struct caller *ret_caller, struct err *err)
{
    const struct route *route = passage->match.route;
    if (passage->by_cookie && is_write(route->method)) {
        bool from_browser;
        enum status status =
            access_check_origin(passage->api, passage->request, &from_browser, err);
        if (status == OK && !from_browser)
            status = err_set(err, DENIED, "Origin",
                             "a request with the session cookie must say where it comes from");
        if (status != OK)
            return status;
    }
    if (route->who == WHO_PUBLIC)
        return OK;
    /* It may have waited in line since its session was found. */
    session_unref(passage->session);
    passage->user_id = NULL;
    passage->session = session_find(passage->api, passage->token, service->now_ms);
    enum status status = passage->session ? OK : authenticate(passage, service, err);
    if (status != OK)
        return status;
    const char *address = ret_caller->address;
    *ret_caller = passage->session->caller;
    ret_caller->address = address;
    ret_caller->by_cookie = passage->by_cookie;
    passage->user_id = ret_caller->user_id;
    if (passage->notes_use || session_claim_note(passage->session, service->now_ms))
        access_note_use(service, passage->session);
    return access_may(passage, ret_caller, err);
}
