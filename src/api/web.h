/**
 * The web interface: its files and pages, sent from the program itself.
 *
 * They are the same for everybody, so nobody is asked who they are, and no worker, cache or
 * database is needed: on the event loop, with replies that are built at the start. What the
 * interface then shows comes from the API, like for any client.
 */
#ifndef OPENRISK_API_WEB_H
#define OPENRISK_API_WEB_H

#include "api/web_files.h"
#include "http/http.h"

struct web;      /* all of it; immutable, thread-safe */
struct web_item; /* one file with its replies */

/** NULL if the program is built without the interface; the other functions take that, too. */
struct web *web_new(void);
void web_free(struct web *web); /* replies on their way go on */

/** What is at this path: a file, or the page. NULL: nothing. */
const struct web_item *web_find(const struct web *web, const char *path);
/** What is shown where nothing is: the page, which says so; NULL for who wants none. */
const struct web_item *web_find_lost(const struct web *web, const struct http_request *request);

/**
 * On the event loop: reply with it, or with 304 if the client has it. `http_status`: 200, or 404
 * for what is not there, which is always sent.
 */
void web_reply(struct http_request *request, const struct web_item *item, int http_status);

/** Does a path fit a pattern of web_pages[]? */
bool web_fits(const char *pattern, const char *path);

#endif
