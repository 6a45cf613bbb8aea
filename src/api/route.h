/**
 * The one table of routes, and what a handler gets.
 *
 * Dispatch, 405, permissions, parameters, body limits, caching, OpenAPI and tests read the table;
 * metric labels will. To add a route: write its handler in the file of its thing, declare it
 * in handlers.h, add a row to routes.c.
 */
#ifndef OPENRISK_API_ROUTE_H
#define OPENRISK_API_ROUTE_H

#include "api/api.h"
#include "base/buf.h"
#include "domain/account.h"
#include "http/http.h"
#include "service/service.h"
#include "store/list.h"
#include "json/json.h"
#include "json/json_write.h"

/** What all patterns but "/" are below; that one stands for all pages and files of web.h. */
#define API_BASE_PATH "/api/v1"

enum { ROUTE_ARGS_MAX = 2, ROUTE_PARAMS_MAX = 4 };

enum param_kind {
    PARAM_INT,  /* min to max */
    PARAM_FLAG, /* true or false; "" is true; 0 or 1 */
    PARAM_NAME, /* one of `names`; its position */
    PARAM_PART, /* up to `max` characters to look for; folded, NULL if there is nothing */
};

/** A query parameter that is not a list's. */
struct param {
    const char *name;
    enum param_kind kind;
    int64_t min, max, otherwise; /* `otherwise`: the value if it is absent; of a name −1: none */
    const char *const *names;
    const char *about;
};

/**
 * What a reading handler gets: the question and where the answer goes. There is no caller in it, so
 * that an answer cannot depend on who asks, and may be given to another who asks the same.
 */
struct question {
    struct service *service;
    const char *args[ROUTE_ARGS_MAX];    /* what stood for {id}, … in the path */
    struct list_request list;            /* of routes with a list */
    int64_t params[ROUTE_PARAMS_MAX];    /* of routes with parameters */
    const char *texts[ROUTE_PARAMS_MAX]; /* likewise: those that are texts */
    struct json_writer *out;             /* the answer's body */
    int64_t version;                     /* of the thing that is answered, for its ETag; 0: none */
};

/** What an acting handler gets: the question, who asks, and the body. */
struct call {
    struct question question; /* first: service, args, list, params, out, version */
    struct api *api;
    struct http_request *request;
    const struct caller *caller;
    const json *body; /* of routes with a JSON body: an object; else NULL */
    int64_t if_match; /* the version from If-Match, 0 = any */
    int status;       /* of the answer; starts as the route's */
    int file;         /* a file to send instead of `out`, −1 for none */
    uint64_t file_bytes;
    const char *content_type; /* starts as application/json */
};

typedef enum status read_handler(struct question *question, struct err *err);
typedef enum status act_handler(struct call *call, struct err *err);

enum lane {
    LANE_GENERAL,  /* a worker with a connection */
    LANE_PASSWORD, /* the one worker that hashes passwords */
    /* At once, on the event loop, without a database, a service and a caller. Whoever is not known
     * there yet goes the general way first. */
    LANE_LOOP,
};

/**
 * Whether and how answers are cached. `scopes` are all that the handler reads (bits of enum scope):
 * a write to one of them makes the answer outdated. 0: not cached.
 */
struct cache_policy {
    unsigned scopes;
    enum ttl ttl;
};

enum body_kind { BODY_NONE, BODY_JSON, BODY_FILE };

/** What a schema of the OpenAPI document is made of. */
struct schema {
    const char *name;
    enum schema_kind {
        SCHEMA_RECORD, /* the members of `table`, then `more` */
        SCHEMA_PAGE,   /* {items,total,total_is_exact,page,limit,next} of `item` */
        SCHEMA_ITEMS,  /* {items,total} of `item` */
        SCHEMA_ARRAY,  /* an array of `item` */
    } kind;
    const struct field_table *table; /* NULL: only `more` */
    bool for_writing;                /* only the members that a body may have */
    const char *more;                /* "name:type …", see openapi.c for the types */
    const char *item;                /* the name of another schema */
};

struct route {
    enum http_method method;
    const char *pattern; /* below /api/v1: "/risks/{id}" */
    enum who who;
    read_handler *read; /* one of both; one that reads is cached by `cache` */
    act_handler *act;
    struct cache_policy cache;
    int status; /* of a success */
    enum body_kind body_kind;
    enum lane lane;
    const struct list_spec *list; /* its filters, sorts and pages are parameters */
    bool is_whole;                /* all of the list is answered: pages are no parameters */
    const struct param *params;
    size_t param_count;
    const char *takes;   /* schema of the body; NULL: see body_kind */
    const char *answers; /* schema of the answer; NULL: none */
    const char *summary;
};

extern const struct route routes[];
extern const size_t route_count;
extern const struct schema schemas[];
extern const size_t schema_count;

enum { ROUTE_LABEL_SIZE = 128 };
/**
 * The pattern with what stands before it, as clients see it: "/api/v1/risks/{id}". Never the path,
 * which has no end of values. "none" for NULL. Returns `buffer`, which holds ROUTE_LABEL_SIZE.
 */
const char *route_label(const struct route *route, char *buffer);
const char *route_method(const struct route *route); /* "GET"; "none" for NULL */

/** Where a path leads: the row for its method, or which methods there are. */
struct route_match {
    const struct route *route; /* NULL: none for this method */
    const char *args[ROUTE_ARGS_MAX];
    unsigned methods; /* bits of enum http_method that the path knows; 0: unknown path */
};
/** `path` is what follows /api/v1. HEAD finds GET. Texts are the arena's. */
struct route_match route_find(enum http_method method, const char *path, struct arena *arena);

#endif
