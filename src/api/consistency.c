#include "api/consistency.h"

#include <string.h>

static const char header_name[] = "Consistency-Token";

enum status consistency_read(struct passage *passage, struct err *err)
{
    const struct api *api = passage->api;
    const struct generations *k = api->settings.generations;
    passage->needs_look = k && api->settings.is_strict;
    const char *header = http_header(passage->request, header_name);
    const char *text = header;
    if (!text && passage->by_cookie)
        text = access_cookie(api, passage->request, COOKIE_CONSISTENCY);
    if (!text)
        return OK;
    if (!seal_peek(text, passage->bumped, sizeof passage->bumped))
        return header ? err_set(err, MALFORMED, header_name,
                                "is not a token that an answer of this server carried")
                      : OK;
    struct cache_vector token = cache_vector_of(passage->bumped, SCOPES);
    if (k && generations_reach(k, &token))
        return OK; /* whoever made it: there is nothing that this node does not know */
    if (seal_is_genuine(&api->consistency_key, text, sizeof passage->bumped))
        passage->needs_look = k != NULL;
    else
        memset(passage->bumped, 0, sizeof passage->bumped);
    return OK;
}

void consistency_tell(struct passage *passage, struct db *db)
{
    struct api *api = passage->api;
    struct http_request *request = passage->request;
    int64_t now_bumped[SCOPES];
    char text[SEAL_TEXT_SIZE(sizeof passage->bumped)];
    if (!db_take_bumped(db, now_bumped))
        return;
    for (int scope = 0; scope < SCOPES; scope++)
        if (now_bumped[scope] > passage->bumped[scope])
            passage->bumped[scope] = now_bumped[scope];
    seal_write(&api->consistency_key, passage->bumped, sizeof passage->bumped, text);
    http_add_header(request, header_name, arena_strdup(http_arena(request), text));
    if (passage->by_cookie)
        access_set_cookie(api, request, COOKIE_CONSISTENCY, text);
}
