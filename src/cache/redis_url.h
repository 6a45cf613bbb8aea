/**
 * REDIS_URL: redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]. Percent-encoded where need be; IPv6
 * addresses in brackets. Thread-safe.
 */
#ifndef OPENRISK_CACHE_REDIS_URL_H
#define OPENRISK_CACHE_REDIS_URL_H

#include "base/arena.h"
#include "base/status.h"
#include "cache/redis.h"

enum { REDIS_DEFAULT_PORT = 6379, REDIS_DATABASE_MAX = 9999 };

/** Texts go to `arena`. INVALID with field "REDIS_URL" and words; rediss:// (TLS) is refused. */
enum status redis_url_parse(const char *url, struct arena *arena, struct redis_address *ret_address,
                            struct err *err) MUST_CHECK;
/** A URL as it may be shown: without the password. Also one that does not parse. */
char *redis_url_shown(const char *url, struct arena *arena);

#endif
