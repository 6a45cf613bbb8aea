#include "plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    BURST_REQUESTS = 500, /* in so many requests … */
    BURST_WRITES = 15,    /* … so many are writes, at their beginning */
    STEP_EVERY = 5,       /* one write in five is about a mitigation */
};

const struct kind_row kinds[KINDS] = {
    [READ_BY_ID] = {"GET", 200},
    [READ_BY_REF] = {"GET", 200},
    [READ_IF_CHANGED] = {"GET", 200},
    [READ_ALL] = {"GET", 200},
    [READ_NEWEST] = {"GET", 200},
    [PATCH_RISK] = {"PATCH", 200, .is_write = true},
    [ADD_MITIGATION] = {"POST", 201, .is_write = true},
    [ADD_SUB_ACTION] = {"POST", 201, .is_write = true},
    [PATCH_MITIGATION] = {"PATCH", 200, .is_write = true},
    [DELETE_MITIGATION] = {"DELETE", 204, .is_write = true},
};

/** In a hundred reads. */
static const struct {
    enum kind kind;
    uint64_t share;
} reads[] = {
    {READ_BY_ID, 40}, {READ_BY_REF, 20}, {READ_IF_CHANGED, 20}, {READ_ALL, 10}, {READ_NEWEST, 10},
};

/** A number from 0 to `limit` - 1 (splitmix64). */
static uint64_t below(struct client *client, uint64_t limit)
{
    uint64_t mixed = client->random += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (mixed ^ (mixed >> 31)) % limit;
}

/** The first risks more often than the last ones. */
static size_t choose_risk(const struct plan *plan, struct client *client)
{
    return below(client, below(client, plan->risk_count) + 1);
}

static enum kind choose_read(struct client *client)
{
    uint64_t number = below(client, 100);
    size_t i = 0;
    while (number >= reads[i].share)
        number -= reads[i++].share;
    return reads[i].kind;
}

static void choose_write(const struct plan *plan, struct client *client)
{
    client->kind = below(client, STEP_EVERY) == 0 ? client->next_step : PATCH_RISK;
    client->risk =
        client->kind > ADD_MITIGATION ? client->mitigation_risk : choose_risk(plan, client);
}

void plan_choose(struct plan *plan, struct client *client)
{
    int64_t writes_due = (plan->begun++ / BURST_REQUESTS + 1) * BURST_WRITES;
    if (client->is_writer && !client->follows_up && plan->writes_begun < writes_due) {
        plan->writes_begun++;
        choose_write(plan, client);
        return;
    }
    if (!client->follows_up)
        client->risk = choose_risk(plan, client);
    client->follows_up = false;
    client->kind = choose_read(client);
}

static void set_path(const struct plan *plan, struct client *client)
{
    const struct risk *risk = &plan->risks[client->risk];
    char *path = client->path;
    const size_t size = sizeof client->path;
    switch (client->kind) {
    case READ_BY_ID:
    case READ_IF_CHANGED:
    case PATCH_RISK:
        snprintf(path, size, "/api/v1/risks/%s", risk->id);
        break;
    case READ_BY_REF:
        snprintf(path, size, "/api/v1/risks/R-%" PRId64, risk->ref);
        break;
    case READ_ALL:
        snprintf(path, size, "/api/v1/risks?limit=%d", RISKS_MAX);
        break;
    case READ_NEWEST:
        snprintf(path, size, "/api/v1/risks?sort_by=updated_at&sort_dir=desc&limit=5");
        break;
    case ADD_MITIGATION:
        snprintf(path, size, "/api/v1/risks/%s/mitigations", risk->id);
        break;
    case ADD_SUB_ACTION:
        snprintf(path, size, "/api/v1/mitigations/%s/subactions", client->mitigation);
        break;
    case PATCH_MITIGATION:
    case DELETE_MITIGATION:
        snprintf(path, size, "/api/v1/mitigations/%s", client->mitigation);
        break;
    case KINDS:
        break;
    }
}

/** Every write changes something, or the version would stay. "" for what has no body. */
static void format_body(const struct plan *plan, struct client *client, char *body, size_t size)
{
    *body = '\0';
    if (client->kind == PATCH_RISK)
        snprintf(body, size, "{\"owner\":\"change %" PRId64 "\",\"impact\":%d}", plan->begun,
                 1 + (int)below(client, 5));
    else if (client->kind == ADD_MITIGATION || client->kind == ADD_SUB_ACTION)
        snprintf(body, size, "{\"title\":\"added as %" PRId64 "\"}", plan->begun);
    else if (client->kind == PATCH_MITIGATION)
        snprintf(body, size, "{\"progress\":50}");
}

void plan_put_request(const struct plan *plan, struct client *client, const char *host,
                      struct buf *out)
{
    char body[160];
    const char *tag = client->tags[client->risk];
    set_path(plan, client);
    format_body(plan, client, body, sizeof body);
    buf_clear(out);
    buf_printf(out, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n",
               kinds[client->kind].method, client->path, host, client->token);
    if (client->kind == READ_IF_CHANGED && *tag)
        buf_printf(out, "If-None-Match: %s\r\n", tag);
    if (*body)
        buf_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
    buf_printf(out, "\r\n%s", body);
}
