/*
 * The history of a register as its clients see it. Every answer is held against two rules:
 *
 *   A write that was acknowledged is seen by every request that begins afterwards, whoever asks.
 *   No connection is shown a risk in an older version than it has seen already.
 *
 * One thread drives all connections, so "afterwards" needs no clock: the acknowledged versions are
 * copied before a request's first byte goes out, and raised when a write's answer has come. A write
 * makes at least the next version; where its answer does not tell the risk's version, as with
 * mitigations, this least one counts as acknowledged.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "client.h"
#include "plan.h"
#include "wire.h"

enum { REQUEST_MAX_BYTES = 4096, SHOWN_FAULTS = 10, SHOWN_BODY_BYTES = 200 };

struct figures {
    uint64_t operations, reads, writes, hits, not_modified, refused;
    uint64_t stale, backwards, errors; /* faults */
};

struct history {
    struct wire wire;
    struct buf request;
    struct arena arena;
    struct plan plan;
    struct client *clients; /* one for each connection */
    struct figures figures;
};

static void history_release(struct history *history)
{
    wire_release(&history->wire);
    buf_release(&history->request);
    arena_release(&history->arena);
}

static uint64_t count_faults(const struct figures *figures)
{
    return figures->stale + figures->backwards + figures->errors;
}

static void PRINTF(4, 5) report_fault(struct history *history, const struct client *client,
                                      uint64_t *counter, const char *format, ...)
{
    const struct connection *connection = client->connection;
    ++*counter;
    if (count_faults(&history->figures) > SHOWN_FAULTS)
        return;
    va_list args;
    va_start(args, format);
    printf("fault: %s %s on connection %u (X-Cache: %s; Cache-Status: %s): ",
           kinds[client->kind].method, client->path, connection->number, connection->answer.x_cache,
           connection->answer.cache_status);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/** Hold what an answer shows of a risk against the rules. */
static void judge(struct history *history, struct client *client, size_t risk, int64_t version)
{
    const char *id = history->plan.risks[risk].id;
    if (version < client->must[risk])
        report_fault(history, client, &history->figures.stale,
                     "stale: version %" PRId64 " of risk %s, but %" PRId64 " was acknowledged",
                     version, id, client->must[risk]);
    if (version < client->seen[risk])
        report_fault(history, client, &history->figures.backwards,
                     "backwards: version %" PRId64 " of risk %s, but it has seen %" PRId64, version,
                     id, client->seen[risk]);
    if (version > client->seen[risk] && version > history->plan.risks[risk].acknowledged) {
        client->follows_up = true;
        client->risk = risk;
    }
    client->seen[risk] = larger(client->seen[risk], version);
}

/** An answer about one risk, or one mitigation, with its body. */
static bool read_one(struct history *history, struct client *client, struct thing *ret_thing)
{
    struct err err = {0};
    size_t count = 0;
    const struct answer *answer = &client->connection->answer;
    enum status status = answer_read_things(answer, DEPTH_ONE, ret_thing, 1, &count, &err);
    if (status == OK && (count != 1 || !*ret_thing->id))
        status = err_set(&err, MALFORMED, NULL, "sent no thing with an id");
    if (status != OK)
        report_fault(history, client, &history->figures.errors, "%s", err.items[0].message);
    return status == OK;
}

static int64_t tag_version(const char *tag)
{
    return *tag == '"' ? strtoll(tag + 1, NULL, 10) : 0;
}

static void take_risk(struct history *history, struct client *client)
{
    struct thing thing = {0};
    struct risk *risk = &history->plan.risks[client->risk];
    const struct answer *answer = &client->connection->answer;
    if (!read_one(history, client, &thing))
        return;
    if (strcmp(thing.id, risk->id) != 0 || tag_version(answer->etag) != thing.version) {
        report_fault(history, client, &history->figures.errors,
                     "version %" PRId64 " of risk %s with the ETag %s", thing.version, thing.id,
                     answer->etag);
        return;
    }
    memcpy(client->tags[client->risk], answer->etag, sizeof answer->etag);
    risk->ref = thing.ref;
    judge(history, client, client->risk, thing.version);
    if (client->kind == PATCH_RISK)
        risk->acknowledged = larger(risk->acknowledged, thing.version);
}

static void take_unchanged(struct history *history, struct client *client)
{
    const char *tag = client->tags[client->risk], *etag = client->connection->answer.etag;
    history->figures.not_modified++;
    if (strcmp(tag, etag) != 0)
        report_fault(history, client, &history->figures.errors, "304 for %s with the ETag %s", tag,
                     etag);
    judge(history, client, client->risk, tag_version(tag));
}

static size_t find_risk(const struct plan *plan, const char *id)
{
    size_t i = 0;
    while (i < plan->risk_count && strcmp(plan->risks[i].id, id) != 0)
        i++;
    return i;
}

static void take_list(struct history *history, struct client *client)
{
    struct err err = {0};
    struct thing things[RISKS_MAX];
    size_t count = 0, found = 0;
    enum status status = answer_read_things(&client->connection->answer, DEPTH_ITEMS, things,
                                            COUNT_OF(things), &count, &err);
    for (size_t i = 0; status == OK && i < count; i++) {
        size_t risk = find_risk(&history->plan, things[i].id);
        if (risk == history->plan.risk_count)
            continue;
        found++;
        judge(history, client, risk, things[i].version);
    }
    if (status == OK && client->kind == READ_ALL && found != history->plan.risk_count)
        status = err_set(&err, NOT_FOUND, NULL, "only %zu of %zu risks are in the list", found,
                         history->plan.risk_count);
    if (status != OK)
        report_fault(history, client, &history->figures.errors, "%s", err.items[0].message);
}

/** A write that raised the risk's version and does not say to what. */
static void take_step(struct history *history, struct client *client)
{
    struct thing thing = {0};
    struct risk *risk = &history->plan.risks[client->risk];
    int64_t least = client->must[client->risk];
    if (client->kind == ADD_MITIGATION) {
        if (!read_one(history, client, &thing))
            return;
        memcpy(client->mitigation, thing.id, sizeof thing.id);
        client->mitigation_risk = client->risk;
    }
    client->next_step = client->kind == DELETE_MITIGATION ? ADD_MITIGATION : client->kind + 1;
    client->seen[client->risk] = larger(client->seen[client->risk], least);
    risk->acknowledged = larger(risk->acknowledged, least);
}

static void take_success(struct history *history, struct client *client)
{
    client->follows_up = kinds[client->kind].is_write;
    switch (client->kind) {
    case READ_BY_ID:
    case READ_BY_REF:
    case READ_IF_CHANGED:
    case PATCH_RISK:
        take_risk(history, client);
        break;
    case READ_ALL:
    case READ_NEWEST:
        take_list(history, client);
        break;
    case ADD_MITIGATION:
    case ADD_SUB_ACTION:
    case PATCH_MITIGATION:
    case DELETE_MITIGATION:
        take_step(history, client);
        break;
    case KINDS:
        break;
    }
}

static void take_answer(struct history *history, struct client *client)
{
    struct figures *figures = &history->figures;
    const struct connection *connection = client->connection;
    const struct answer *answer = &connection->answer;
    const struct kind_row *kind = &kinds[client->kind];
    if (*connection->fault) {
        report_fault(history, client, &figures->errors, "%s", connection->fault);
        return;
    }
    figures->operations++;
    *(kind->is_write ? &figures->writes : &figures->reads) += 1;
    figures->hits += text_equal(answer->x_cache, "HIT");
    if (answer->status == 503 && *answer->retry_after)
        figures->refused++;
    else if (answer->status == 304 && client->kind == READ_IF_CHANGED)
        take_unchanged(history, client);
    else if (answer->status == kind->success)
        take_success(history, client);
    else
        report_fault(history, client, &figures->errors, "status %d: %.*s", answer->status,
                     answer->length < SHOWN_BODY_BYTES ? (int)answer->length : SHOWN_BODY_BYTES,
                     answer->body);
}

/** Send what was chosen for the client. */
static void ask(struct history *history, struct client *client)
{
    const struct plan *plan = &history->plan;
    struct connection *connection = client->connection;
    plan_put_request(plan, client, history->wire.host, &history->request);
    for (size_t i = 0; i < plan->risk_count; i++)
        client->must[i] = plan->risks[i].acknowledged;
    if (kinds[client->kind].is_write)
        client->must[client->risk] =
            1 + larger(client->must[client->risk], client->seen[client->risk]);
    if (!wire_send(&history->wire, connection, history->request.data, history->request.length))
        report_fault(history, client, &history->figures.errors, "%s", connection->fault);
}

/** Read each risk once, for its ref and the version that it begins with. */
static enum status learn_risks(struct history *history, struct err *err)
{
    struct client *client = &history->clients[0];
    struct plan *plan = &history->plan;
    for (size_t i = 0; i < plan->risk_count; i++) {
        client->kind = READ_BY_ID;
        client->risk = i;
        ask(history, client);
        if (wire_next(&history->wire))
            take_answer(history, client);
        plan->risks[i].acknowledged = client->seen[i];
        if (client->seen[i] == 0)
            return err_set(err, UNAVAILABLE, NULL, "cannot read risk %s: status %d",
                           plan->risks[i].id, client->connection->answer.status);
    }
    client->follows_up = false;
    history->figures = (struct figures){0};
    return OK;
}

static void run_operations(struct history *history, int64_t operations)
{
    struct connection *connection;
    for (size_t i = 0; i < history->wire.count && history->plan.begun < operations; i++) {
        plan_choose(&history->plan, &history->clients[i]);
        ask(history, &history->clients[i]);
    }
    while ((connection = wire_next(&history->wire))) {
        struct client *client = &history->clients[connection->number];
        take_answer(history, client);
        if (history->plan.begun < operations && !*connection->fault) {
            plan_choose(&history->plan, client);
            ask(history, client);
        }
    }
    for (size_t i = 0; i < history->wire.count; i++)
        if (history->wire.connections[i].waits)
            report_fault(history, &history->clients[i], &history->figures.errors, "no answer");
}

static enum status read_options(struct history *history, const struct options *options,
                                struct err *err)
{
    struct texts ids = text_split(&history->arena, options->risks, ',');
    if (ids.count == 0 || ids.count > RISKS_MAX)
        return err_set(err, INVALID, "--risks", "must name 1 to %d risks", RISKS_MAX);
    for (size_t i = 0; i < ids.count; i++) {
        if (!id_is_valid(ids.items[i]))
            return err_set(err, INVALID, "--risks", "%s is not an id", ids.items[i]);
        memcpy(history->plan.risks[i].id, ids.items[i], ID_SIZE);
    }
    history->plan.risk_count = ids.count;
    return OK;
}

static void make_clients(struct history *history, const struct options *options)
{
    const char *all = arena_format(&history->arena, "%s,%s", options->token, options->tokens);
    struct texts tokens = text_split(&history->arena, all, ',');
    size_t count = history->wire.count, writers = (size_t)options->writers;
    history->clients = arena_zalloc(&history->arena, count, sizeof *history->clients);
    for (size_t i = 0; i < count; i++)
        history->clients[i] = (struct client){
            .connection = &history->wire.connections[i],
            .token = tokens.items[i < writers ? 0 : i % tokens.count],
            .random = (uint64_t)options->seed * 1000003 + i,
            .is_writer = i < writers,
            .next_step = ADD_MITIGATION,
        };
}

static void print_figures(const struct figures *figures, int64_t elapsed_ms)
{
    printf("history: operations=%" PRIu64 " reads=%" PRIu64 " writes=%" PRIu64 " hits=%" PRIu64
           " not_modified=%" PRIu64 " refused=%" PRIu64 " stale=%" PRIu64 " backwards=%" PRIu64
           " errors=%" PRIu64 " seconds=%.1f\n",
           figures->operations, figures->reads, figures->writes, figures->hits,
           figures->not_modified, figures->refused, figures->stale, figures->backwards,
           figures->errors, (double)elapsed_ms / 1000);
}

enum status history_run(const struct options *options, bool *ret_is_well, struct err *err)
{
    CLEANUP(history_release) struct history history = {0};
    arena_init(&history.arena);
    buf_init(&history.request, REQUEST_MAX_BYTES);
    enum status status = read_options(&history, options, err);
    if (status == OK)
        status = wire_open(&history.wire, options->url, (size_t)options->connections, err);
    if (status != OK)
        return status;
    make_clients(&history, options);
    status = learn_risks(&history, err);
    if (status != OK)
        return status;
    int64_t began_ms = clock_monotonic_ms();
    run_operations(&history, options->operations);
    print_figures(&history.figures, clock_monotonic_ms() - began_ms);
    *ret_is_well = count_faults(&history.figures) == 0 &&
                   history.figures.operations == (uint64_t)options->operations;
    return OK;
}
