/**
 * How a function says what happened.
 *
 * A fallible function returns `enum status` and takes `struct err *err` last. On success `err` is
 * untouched; on failure it says, in words for the person who sent the request, what is wrong and
 * where. `struct err` has a fixed size, needs no release and may live on the stack.
 *
 * Low layers return errors, the edge (api, app) reports them. One place, api/problem.c, maps a
 * status to HTTP; another, app/main.c, to an exit code.
 */
#ifndef OPENRISK_BASE_STATUS_H
#define OPENRISK_BASE_STATUS_H

#include <stdarg.h>
#include <stddef.h>

enum status {
    OK = 0,
    MALFORMED,       /* cannot be read at all: broken JSON, an undeclared parameter */
    INVALID,         /* was read, but a value is not allowed */
    UNAUTHENTICATED, /* nobody, or nobody we know */
    DENIED,          /* known, but not allowed to */
    NOT_FOUND,
    CONFLICT, /* the state of things forbids it: a duplicate, the last admin */
    STALE,    /* the caller's version is not the current one (If-Match) */
    TOO_LARGE,
    LIMITED,     /* too many tries; come back later */
    BUSY,        /* a deadline passed while waiting for a turn */
    UNAVAILABLE, /* a part we depend on is away */
    INTERNAL,    /* our own fault; details go to the log, not to the client */
};

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))

enum { ERR_ITEMS_MAX = 8, ERR_FIELD_SIZE = 80, ERR_MESSAGE_SIZE = 240 };

struct err_item {
    char field[ERR_FIELD_SIZE]; /* member, parameter, row or setting; "" if none */
    char message[ERR_MESSAGE_SIZE];
};

/** What went wrong; the first item is the headline. Further ones beyond the capacity are counted.
 */
struct err {
    size_t count;
    struct err_item items[ERR_ITEMS_MAX];
    int retry_after_s; /* with LIMITED, BUSY, UNAVAILABLE; 0 = unknown */
};

/** The name of a status in lower case, for logs: "not_found". Never NULL. */
const char *status_name(enum status status);

/** Begin an empty error. */
void err_init(struct err *err);

/** Add an item. `field` may be NULL. Texts that do not fit are cut at a character's boundary. */
void err_add(struct err *err, const char *field, const char *format, ...) PRINTF(3, 4);

/**
 * Start `err` afresh with one item and return `status`, so that a function can end with
 * `return err_set(err, INVALID, "title", "must not be empty");`. `err` may be NULL.
 */
enum status err_set(struct err *err, enum status status, const char *field, const char *format, ...)
    PRINTF(4, 5);

/** The headline for a log or a terminal: "field: message" or "message". Valid while `err` lives. */
const char *err_text(const struct err *err, char *buffer, size_t size);

#endif
