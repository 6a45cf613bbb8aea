/*
 * What a browser is told beside a file. The policy lets a page load what this server sends and
 * nothing else, and run no script or style that stands in the page: so text that somebody has
 * written into the register stays text, even where the interface has a fault. A form is never sent
 * by the browser (`form-action`), for a page whose script did not run would put what was typed into
 * the address.
 */
#include "api/web.h"

#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "base/mem.h"

enum { HEADERS_MAX = 16 };

static const struct http_param fixed_headers[] = {
    {"Vary", "Accept-Encoding"},
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
     "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), "
                           "midi=(), payment=(), usb=()"},
};

struct web_item {
    const struct web_file *file;
    struct http_shared *replies[WEB_FORMS]; /* NULL if there was no memory for it, or no form */
};

struct web {
    const struct web_item *page; /* one of: */
    size_t count;
    struct web_item items[];
};

/** All headers but Content-Type, in `headers`, which holds HEADERS_MAX. */
static size_t headers_of(const struct web_file *file, int which, struct http_param *headers)
{
    size_t count = COUNT_OF(fixed_headers);
    memcpy(headers, fixed_headers, sizeof fixed_headers);
    headers[count++] = (struct http_param){
        "Cache-Control", file->is_immutable ? "public, max-age=31536000, immutable" : "no-cache"};
    headers[count++] = (struct http_param){"ETag", file->forms[which].tag};
    if (which == WEB_GZIP)
        headers[count++] = (struct http_param){"Content-Encoding", "gzip"};
    return count;
}

static void keep(void *owner)
{
    (void)owner; /* the bytes are the program's */
}

static struct http_reply reply_with(const struct web_file *file, int which, int http_status)
{
    const struct web_form *form = &file->forms[which];
    return (struct http_reply){.status = http_status,
                               .content_type = file->content_type,
                               .body = form->bytes,
                               .length = form->length,
                               .release = keep,
                               .file = -1};
}

static void prepare(struct web_item *item, const struct web_file *file)
{
    item->file = file;
    for (int which = 0; which < WEB_FORMS && file->forms[which].tag; which++) {
        struct http_param headers[HEADERS_MAX];
        size_t count = headers_of(file, which, headers);
        struct http_reply reply = reply_with(file, which, 200);
        item->replies[which] = http_shared_new(&reply, headers, count);
    }
}

struct web *web_new(void)
{
    size_t count = 0;
    while (web_files[count].path)
        count++;
    if (count == 0)
        return NULL;
    struct web *web = mem_zalloc(1, sizeof *web + count * sizeof *web->items);
    web->count = count;
    for (size_t i = 0; i < count; i++) {
        prepare(&web->items[i], &web_files[i]);
        if (strcmp(web_files[i].path, "/index.html") == 0)
            web->page = &web->items[i];
    }
    return web;
}

void web_free(struct web *web)
{
    if (!web)
        return;
    for (size_t i = 0; i < web->count; i++)
        for (int which = 0; which < WEB_FORMS; which++)
            http_shared_free(web->items[i].replies[which]);
    free(web);
}

bool web_fits(const char *pattern, const char *path)
{
    while (*pattern && *path) {
        if (*pattern == ':') {
            size_t length = strcspn(path, "/");
            if (length == 0)
                return false;
            pattern += strcspn(pattern, "/");
            path += length;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return !*pattern && !*path;
}

const struct web_item *web_find(const struct web *web, const char *path)
{
    if (!web)
        return NULL;
    for (size_t i = 0; web_pages[i]; i++)
        if (web_fits(web_pages[i], path))
            return web->page;
    /* The page itself is at the addresses of pages only. */
    for (size_t i = 0; i < web->count; i++)
        if (strcmp(web->items[i].file->path, path) == 0 && &web->items[i] != web->page)
            return &web->items[i];
    return NULL;
}

const struct web_item *web_find_lost(const struct web *web, const struct http_request *request)
{
    enum http_method method = http_method(request);
    const char *accept = http_header(request, "Accept");
    bool is_browser = accept && strcasestr(accept, "text/html");
    /* A body is dropped before the answer, for which the answer has to be made anew. */
    if (!web || !is_browser || (method != HTTP_GET && method != HTTP_HEAD) ||
        http_has_body(request))
        return NULL;
    return web->page;
}

void web_reply(struct http_request *request, const struct web_item *item, int http_status)
{
    const struct web_file *file = item->file;
    int which = file->forms[WEB_GZIP].tag && input_accepts_gzip(request) ? WEB_GZIP : WEB_IDENTITY;
    int status = output_status(request, http_status, file->forms[which].tag);
    if (output_shared(request, item->replies[which], status))
        return;
    struct http_param headers[HEADERS_MAX];
    output_headers(request, headers, headers_of(file, which, headers));
    struct http_reply reply = reply_with(file, which, status);
    http_reply(request, &reply);
}
