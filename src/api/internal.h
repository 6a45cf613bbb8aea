/**
 * What the files of this room share: the API's state, and the life of a request in it.
 */
#ifndef OPENRISK_API_INTERNAL_H
#define OPENRISK_API_INTERNAL_H

#include <stdatomic.h>

#include "api/answer.h"
#include "api/api.h"
#include "api/route.h"
#include "api/session.h"
#include "api/web.h"
#include "auth/fingerprint.h"
#include "auth/seal.h"
#include "auth/throttle.h"
#include "cache/cache.h"

struct api {
    struct api_settings settings;
    char *openapi;
    struct web *web;                   /* NULL: built without the web interface */
    struct throttle *login_by_account; /* per account and address */
    struct throttle *login_by_address;
    atomic_bool ready, draining;
    uint8_t fingerprint_key[FINGERPRINT_KEY_BYTES];
    struct seal_key consistency_key;
};

enum { ANSWER_MAX_BYTES = 64 << 20 };

/** What is asked of a route that reads; depends on the target and the day alone. */
struct asked {
    const struct route *route;
    int32_t day;
    struct question question; /* args, list, params */
    struct cache_key key;     /* of routes that are cached */
};

/** One request on its way through the API; in the request's arena. */
struct passage {
    struct pool_job job; /* first */
    struct api *api;
    struct http_request *request;
    struct route_match match;
    const struct web_item *web_item; /* the file or page that is asked for; NULL: no such thing */
    int64_t now_ms;                  /* wall clock, when it came */
    const char *token;               /* from Authorization or the cookie; NULL */
    bool by_cookie;
    bool needs_look;          /* at the generations, from when it came; see consistency.h */
    struct watch_waiter look; /* for that */
    int64_t bumped[SCOPES];   /* the token it brought; later, the one it is given */
    struct session *session;  /* who asks, if it is known: a reference until the end; NULL */
    bool notes_use;           /* it has claimed to note the session's use */
    /* of routes that read */
    const struct asked *asked;           /* NULL until it has been understood */
    bool is_admitted;                    /* the event loop knows who asks, and they may */
    struct cache_waiter waiter;          /* for who asks, then for the answer */
    struct cache_flight *session_flight; /* which this passage leads; else NULL */
    struct cache_flight *flight;         /* of the answer, likewise */
    struct answer *answer; /* what it is answered with: a reference until the end; NULL */
    enum answer_way way;
    struct buf out; /* of routes that act: the body */
    /* for the log */
    uint64_t statements, statement_us, round_trips;                      /* what its job cost … */
    uint64_t statements_before, statement_us_before, round_trips_before; /* … since then */
    const char *user_id;
    enum status status;
};

/* passage.c */

void passage_reply_error(struct passage *passage, enum status status, const struct err *err,
                         void (*send)(struct http_request *, const struct http_reply *));
/** Stand in the line for a worker; `job.run` is set. If it is full, `job.run` hears it at once. */
void passage_submit(struct passage *passage);
/** On a worker: what the job costs, between the two. `db` may be NULL. */
void passage_begin_count(struct passage *passage, struct db *db);
void passage_count_statements(struct passage *passage, struct db *db);

/**
 * The state of the second level; false, and it counts as closed, if none is configured. Not closed:
 * answers are slower, but nothing is wrong.
 */
bool api_second(const struct api *api, struct second_statistics *ret_now);

/* Parts of dispatch.c, in their own files. */

/** Take the token from the request; UNAUTHENTICATED if there is a header that is none. */
enum status access_find_token(struct passage *passage, struct err *err) MUST_CHECK;
/** May this caller use the passage's route? */
enum status access_may(const struct passage *passage, const struct caller *caller,
                       struct err *err) MUST_CHECK;
/** On a worker: who is it, and may they use this route? Fills `ret_caller`. */
enum status access_check(struct passage *passage, struct service *service,
                         struct caller *ret_caller, struct err *err) MUST_CHECK;
/** A browser says where a request comes from. DENIED if that is another site. */
enum status access_check_origin(struct api *api, struct http_request *request,
                                bool *ret_from_browser, struct err *err) MUST_CHECK;
/**
 * An API token has been used. Not worth waiting for: if others write, it is tried again a second
 * after it was claimed (session_claim_note()).
 */
void access_note_use(const struct service *service, struct session *session);
enum access_cookie { COOKIE_SESSION, COOKIE_CONSISTENCY };
/** The value that the request brings, or NULL; and the header that sets or clears it (NULL). */
const char *access_cookie(const struct api *api, struct http_request *request,
                          enum access_cookie cookie);
void access_set_cookie(const struct api *api, struct http_request *request,
                       enum access_cookie cookie, const char *value);

/** Query parameters, as the route declares them: fills `list` and `params` of the question. */
enum status input_parameters(const struct route *route, struct http_params given,
                             struct arena *arena, struct question *question,
                             struct err *err) MUST_CHECK;
enum status input_if_match(struct http_request *request, int64_t *ret_version,
                           struct err *err) MUST_CHECK;
/** Does the body have the content type that the route takes? */
bool input_content_type_fits(const struct route *route, struct http_request *request);

/** Does the client take gzip? (RFC 9110, section 12.5.3) */
bool input_accepts_gzip(struct http_request *request);

/** Headers that every answer has … */
extern const struct http_param output_fixed_headers[];
extern const size_t output_fixed_header_count;
/** … and X-Request-Id: the one given, or a new one (`given` NULL). A hit has it only if it was
 * given.
 */
void output_request_id(struct http_request *request, const char *given);
const char *output_given_request_id(const struct http_request *request); /* a valid one, or NULL */
void output_common_headers(struct http_request *request);                /* all of these */
/** The status of an answer whose ETag is known: 304 instead of 200 if the client has it. */
int output_status(const struct http_request *request, int http_status, const char *tag);
/** Send `shared` (NULL: none) if this answer may be the one that others get, too; else false. */
bool output_shared(struct http_request *request, struct http_shared *shared, int http_status);
/** Headers of an answer that is not shared, and X-Request-Id. */
void output_headers(struct http_request *request, const struct http_param *headers, size_t count);
/** Both listeners' `problem` (see http.h): a refusal by the server itself. */
void output_problem(void *context, struct http_request *request, int http_status,
                    const char *detail);
/** ETag and 304 for a body; adds the headers. */
struct http_reply output_reply(struct http_request *request, const struct route *route,
                               const struct call *call);

#endif
