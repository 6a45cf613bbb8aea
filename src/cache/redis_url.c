#include "cache/redis_url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

static const char scheme[] = "redis://", tls_scheme[] = "rediss://";
enum { HOST_MAX_LENGTH = 253 };

/** Its words never repeat a part of the URL, as any may turn out to be the password. */
static enum status refuse(struct err *err, const char *words)
{
    return err_set(err, INVALID, "REDIS_URL", "%s", words);
}

/** In place. False for an incomplete %XX and for %00. */
static bool decode(char *text)
{
    char *end = text;
    for (; *text; text++) {
        if (*text == '%') {
            int high = text_hex_digit(text[1]), low = high < 0 ? -1 : text_hex_digit(text[2]);
            if (low < 0 || high + low == 0)
                return false;
            *end++ = (char)(high * 16 + low);
            text += 2;
        } else
            *end++ = *text;
    }
    *end = '\0';
    return true;
}

/** Decimal digits and nothing else, from `min` to `max`. */
static bool to_number(const char *text, int64_t min, int64_t max, int *ret_number)
{
    int64_t number;
    if (*text == '-' || !text_to_int(text, &number) || number < min || number > max)
        return false;
    *ret_number = (int)number;
    return true;
}

static bool is_ipv6(const char *text)
{
    struct in6_addr address;
    return inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_host(const char *text)
{
    size_t length = strlen(text);
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '.' && *c != '_')
            return false;
    return length > 0 && length <= HOST_MAX_LENGTH;
}

static enum status parse_user(char *text, struct redis_address *address, struct err *err)
{
    char *password = strchr(text, ':');
    if (!password)
        return refuse(err, "needs a password before the '@': redis://USER:PASSWORD@HOST, "
                           "or redis://:PASSWORD@HOST for the default user");
    *password++ = '\0';
    if (!*password)
        return refuse(err, "has an empty password before the '@'; without a password, write "
                           "redis://HOST");
    if (!decode(text) || !decode(password))
        return refuse(err, "has a '%' in the user or the password that does not begin a "
                           "percent-encoded character; '%' itself is written %25");
    address->user = *text ? text : NULL;
    address->password = password;
    return OK;
}

static enum status parse_place(char *text, struct redis_address *address, struct err *err)
{
    char *port = strchr(text, ':');
    bool in_brackets = *text == '[';
    if (in_brackets) {
        char *end = strchr(text++, ']');
        if (!end || (end[1] != '\0' && end[1] != ':'))
            return refuse(err, "has an IPv6 address whose ']' is missing or misplaced");
        port = end[1] ? end + 1 : NULL;
        *end = '\0';
    }
    if (port)
        *port++ = '\0';
    if (in_brackets ? !is_ipv6(text) : !is_host(text))
        return refuse(err, in_brackets ? "has no IPv6 address between the brackets"
                                       : "needs the name or the address of a host; IPv6 addresses "
                                         "stand in brackets");
    if (port && !to_number(port, 1, 65535, &address->port))
        return refuse(err, "has a port that is not a number from 1 to 65535; if this is in the "
                           "password, percent-encode '@' (%40), ':' (%3A) and '/' (%2F) there");
    address->host = text;
    return OK;
}

enum status redis_url_parse(const char *url, struct arena *arena, struct redis_address *ret_address,
                            struct err *err)
{
    if (strncasecmp(url, tls_scheme, strlen(tls_scheme)) == 0)
        return refuse(err,
                      "asks for TLS (rediss://), which OpenRisk does not speak with Redis; use "
                      "redis:// within a private network, or through a tunnel");
    if (strncasecmp(url, scheme, strlen(scheme)) != 0)
        return refuse(err, "must begin with redis://");
    char *text = arena_strdup(arena, url + strlen(scheme));
    if (strpbrk(text, "?#"))
        return refuse(err, "has a '?' or '#'; there are no parameters, and in a password they are "
                           "percent-encoded: %3F, %23");
    struct redis_address address = {.port = REDIS_DEFAULT_PORT};
    char *database = strchr(text, '/');
    if (database)
        *database++ = '\0';
    char *at = strrchr(text, '@');
    if (at)
        *at = '\0';
    enum status status = parse_place(at ? at + 1 : text, &address, err);
    if (status == OK && at)
        status = parse_user(text, &address, err);
    if (status != OK)
        return status;
    if (database && *database && !to_number(database, 0, REDIS_DATABASE_MAX, &address.database))
        return refuse(err, "has a database after the '/' that is not a number from 0 to 9999; in a "
                           "password, '/' is percent-encoded: %2F");
    *ret_address = address;
    return OK;
}

/** For a terminal or a log. */
static char *printable(char *text)
{
    for (char *c = text; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    return text;
}

/** Where the user begins. */
static const char *after_scheme(const char *url)
{
    if (strncasecmp(url, scheme, strlen(scheme)) == 0)
        return url + strlen(scheme);
    return strncasecmp(url, tls_scheme, strlen(tls_scheme)) == 0 ? url + strlen(tls_scheme) : url;
}

char *redis_url_shown(const char *url, struct arena *arena)
{
    struct redis_address address;
    struct err err;
    bool parses = redis_url_parse(url, arena, &address, &err) == OK;
    const char *at = strrchr(url, '@'), *hidden = after_scheme(url);
    if (parses && !at)
        return printable(arena_strdup(arena, url));
    /* Of one that does not parse, all before the last '@' may be the password; and without an '@'
     * all of it, if somebody forgot the host. */
    if (parses)
        hidden = strchr(hidden, ':') + 1;
    return printable(arena_format(arena, "%.*s***%s", (int)(hidden - url), url, at ? at : ""));
}
