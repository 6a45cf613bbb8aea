/** The client's address behind trusted proxies. Pure functions, thread-safe. */
#ifndef OPENRISK_HTTP_ADDRESS_H
#define OPENRISK_HTTP_ADDRESS_H

#include "base/arena.h"
#include "http/http.h"

/** See http_client_address(); `headers` may hold several X-Forwarded-For. */
const char *address_of_client(struct arena *arena, const char *peer, struct http_params headers,
                              const char *trusted);

#endif
