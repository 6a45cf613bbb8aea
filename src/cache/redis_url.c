#include "cache/redis_url.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

static const char scheme[] = "redis://";
static const char tls_scheme[] = "rediss:";

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c ? strchr(digits, c | 0x20) : NULL;
    return found ? (int)(found - digits) : -1;
}

/** A piece of the URL without % codes; NULL if one is broken, or there is no text then. */
static char *decoded(const char *text, size_t length, struct arena *arena)
{
    char *copy = arena_alloc(arena, length + 1);
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        copy[count] = text[i];
        if (text[i] == '%') {
            int high = i + 2 < length ? hex_digit(text[i + 1]) : -1;
            int low = i + 2 < length ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0)
                return NULL;
            copy[count] = (char)(high << 4 | low);
            i += 2;
        }
        count++;
    }
    copy[count] = '\0';
    return count > 0 && text_is_utf8(copy, count) ? copy : NULL;
}

/** Digits and nothing else, in this range. */
static bool is_number(const char *text, int64_t min, int64_t max, int *ret_number)
{
    int64_t number;
    if (strlen(text) > 5 || text[strspn(text, "0123456789")] || !text_to_int(text, &number) ||
        number < min || number > max)
        return false;
    *ret_number = (int)number;
    return true;
}

/** "[USER]:PASSWORD" */
static bool parse_user(const char *text, size_t length, struct arena *arena,
                       struct redis_address *address)
{
    const char *colon = memchr(text, ':', length);
    if (!colon)
        return false;
    size_t user = (size_t)(colon - text);
    address->user = user ? decoded(text, user, arena) : NULL;
    address->password = decoded(colon + 1, length - user - 1, arena);
    return (!user || address->user) && address->password;
}

/** "HOST[:PORT]" */
static bool parse_host(char *text, struct arena *arena, struct redis_address *address)
{
    char *end = text + strcspn(text, ":");
    struct in6_addr ignored;
    if (*text == '[') {
        char *bracket = strchr(text, ']');
        if (!bracket)
            return false;
        *bracket = '\0';
        end = bracket + 1;
        address->host = text + 1;
        if (inet_pton(AF_INET6, address->host, &ignored) != 1 || (*end && *end != ':'))
            return false;
    } else {
        address->host = decoded(text, (size_t)(end - text), arena);
        if (!address->host || strpbrk(address->host, " /@[]?#\\") ||
            text_has_control(address->host, false))
            return false;
    }
    return !*end || is_number(end + 1, 1, 65535, &address->port);
}

enum status redis_url_parse(const char *url, struct arena *arena, struct redis_address *ret_address,
                            struct err *err)
{
    static const char field[] = "REDIS_URL";
    struct redis_address address = {.port = REDIS_DEFAULT_PORT};
    if (strncasecmp(url, tls_scheme, strlen(tls_scheme)) == 0)
        return err_set(err, INVALID, field,
                       "asks for TLS (rediss://), which is not supported; use redis:// over a "
                       "private network or "
                       "through a tunnel such as stunnel");
    if (strncasecmp(url, scheme, strlen(scheme)) != 0)
        return err_set(err, INVALID, field, "must begin with redis://");
    char *authority = arena_strdup(arena, url + strlen(scheme));
    if (strpbrk(authority, "?#"))
        return err_set(err, INVALID, field, "has no parameters; write ? as %%3F and # as %%23");
    char *slash = strchr(authority, '/');
    if (slash)
        *slash = '\0';
    if (slash && slash[1] && !is_number(slash + 1, 0, REDIS_DATABASE_MAX, &address.database))
        return err_set(err, INVALID, field,
                       "may have a number of a database, 0 to %d, behind its /; in a password "
                       "write / as %%2F",
                       REDIS_DATABASE_MAX);
    char *at = strrchr(authority, '@');
    if (at && !parse_user(authority, (size_t)(at - authority), arena, &address))
        return err_set(err, INVALID, field, "must have USER:PASSWORD or :PASSWORD before its @");
    if (!parse_host(at ? at + 1 : authority, arena, &address))
        return err_set(err, INVALID, field, "must name HOST or HOST:PORT, port 1 to 65535");
    *ret_address = address;
    return OK;
}

/*
 * Whoever wrote the URL may have left special characters in the password as they are. So all that
 * may be part of one is hidden: what stands before the last '@', but for a user before a ':', what
 * stands for a port and is none, parameters, and what is no URL at all.
 */
char *redis_url_shown(const char *url, struct arena *arena)
{
    size_t begin = strcspn(url, ":=@");
    const char *authority = url + begin;
    if (strncmp(authority, "://", strlen("://")) != 0) {
        return url[begin] ? arena_format(arena, "%.*s***", (int)begin + 1, url)
                          : arena_strdup(arena, url);
    }
    authority += strlen("://");
    const char *at = strrchr(authority, '@'), *host = at ? at + 1 : authority;
    const char *colon = authority + strcspn(authority, ":");
    const char *hidden = !at ? host : colon < at ? colon + 1 : authority; /* from here to the '@' */
    const char *port = host + (*host == '[' ? strcspn(host, "]") : 0);
    port += strcspn(port, ":/?#");
    port += *port == ':';
    const char *path = port + strspn(port, "0123456789");
    const char *end = path + (*path == '/');
    if (*path == '/')
        end += strspn(end, "0123456789");
    return arena_format(arena, "%.*s%s%.*s%s", (int)(hidden - url), url, at ? "***@" : "",
                        (int)(end - host), host, *end ? "***" : "");
}
