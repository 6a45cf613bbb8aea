/**
 * What the files of this room share: the API's state, and the life of a request in it.
 */
#ifndef OPENRISK_API_INTERNAL_H
#define OPENRISK_API_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/api.h"
#include "api/route.h"
#include "auth/throttle.h"

/** What /health found, remembered for a second. */
struct health {
    pthread_mutex_t lock; /* guards the rest */
    int64_t checked_ms;   /* monotonic; 0 = never */
    bool database_up;
    int64_t latency_us;
};

struct api {
    struct api_settings settings;
    char *openapi;
    struct throttle *login_by_account; /* per account and address */
    struct throttle *login_by_address;
    struct health health;
    atomic_bool draining;
};

/** One request on its way through the API; kept in the http_request, freed when it is done. */
struct passage {
    struct pool_job job; /* first */
    struct api *api;
    struct http_request *request;
    struct route_match match;
    const char *token; /* from Authorization or the cookie; NULL */
    bool by_cookie;
    struct buf out;
    uint64_t statements, statement_us;
    const char *user_id; /* for the log */
    enum status status;
};

/* Parts of dispatch.c, in their own files. */

/** Take the token from the request; UNAUTHENTICATED if there is a header that is none. */
enum status access_find_token(struct passage *passage, struct err *err) MUST_CHECK;
/** Who is it, and may they use this route? Fills `ret_caller`. */
enum status access_check(struct passage *passage, struct service *service,
                         struct caller *ret_caller, struct err *err) MUST_CHECK;
/** A browser says where a request comes from. DENIED if that is another site. */
enum status access_check_origin(struct api *api, struct http_request *request,
                                bool *ret_from_browser, struct err *err) MUST_CHECK;
/** The session cookie: its name, and the header that sets or clears it (`token` NULL). */
const char *access_cookie_name(const struct api *api);
void access_set_cookie(struct call *call, const char *token);

/** Query parameters, If-Match. */
enum status input_parameters(struct passage *passage, struct question *question,
                             struct err *err) MUST_CHECK;
enum status input_if_match(struct http_request *request, int64_t *ret_version,
                           struct err *err) MUST_CHECK;
/** Does the body have the content type that the route takes? */
bool input_content_type_fits(const struct route *route, struct http_request *request);

/** Headers that every answer has. */
void output_common_headers(struct http_request *request);
/** Both listeners' `problem` (see http.h): a refusal by the server itself. */
void output_problem(void *context, struct http_request *request, int http_status,
                    const char *detail);
/** ETag and 304 for a body; adds the headers. */
struct http_reply output_reply(struct http_request *request, const struct route *route,
                               const struct call *call);

#endif
