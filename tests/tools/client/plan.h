/**
 * What the clients of a history ask next, and the requests for it.
 *
 * The choice depends on the seed and, as far as writes go, on the order of the answers: three in a
 * hundred requests are writes, fewer if the readers outrun them, and they come in bursts. Within a
 * burst readers meet changes; between bursts the same is asked for often enough to be kept
 * somewhere. Some risks are chosen more often than others, for the same reason. Who has written, or
 * was shown a version that nobody has acknowledged yet, asks for the same risk again: this is when
 * an old version would come.
 */
#ifndef OPENRISK_TESTS_CLIENT_PLAN_H
#define OPENRISK_TESTS_CLIENT_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "base/buf.h"
#include "base/id.h"

enum { RISKS_MAX = 200 }; /* a page of a list holds all of them */

enum kind {
    READ_BY_ID,
    READ_BY_REF,
    READ_IF_CHANGED, /* If-None-Match, if it was read before */
    READ_ALL,
    READ_NEWEST,
    PATCH_RISK,
    /* What a writer does with a mitigation of its own: in this order, and then again. */
    ADD_MITIGATION,
    ADD_SUB_ACTION,
    PATCH_MITIGATION,
    DELETE_MITIGATION,
    KINDS
};

struct kind_row {
    const char *method;
    int success; /* status */
    bool is_write;
};
extern const struct kind_row kinds[KINDS];

struct risk {
    char id[ID_SIZE];
    int64_t ref;
    int64_t acknowledged; /* version */
};

/** What all clients share. */
struct plan {
    struct risk risks[RISKS_MAX];
    size_t risk_count;
    int64_t begun, writes_begun; /* requests */
};

/** One client: a connection and what was seen on it. */
struct client {
    struct connection *connection;
    const char *token;
    uint64_t random;
    bool is_writer;
    bool follows_up; /* its next request is a read that shows `risk` */

    enum kind kind; /* of the request under way, or the last one */
    size_t risk;
    char path[160];
    int64_t must[RISKS_MAX]; /* the versions that the answer may not be below */

    int64_t seen[RISKS_MAX];                               /* versions */
    char tags[RISKS_MAX][sizeof((struct answer){0}.etag)]; /* of the last answer about the risk */
    enum kind next_step;                                   /* with its mitigation */
    char mitigation[ID_SIZE];
    size_t mitigation_risk;
};

/** Decide what the client does next: `kind` and `risk`. */
void plan_choose(struct plan *plan, struct client *client);

/** The request for what was chosen, in place of what is in `out`; sets the client's `path`. */
void plan_put_request(const struct plan *plan, struct client *client, const char *host,
                      struct buf *out);

#endif
