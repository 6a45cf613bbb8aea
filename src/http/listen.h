/**
 * Listening sockets: several on one port for the event loops of one server, and no second server.
 */
#ifndef OPENRISK_HTTP_LISTEN_H
#define OPENRISK_HTTP_LISTEN_H

#include <stddef.h>

#include "base/status.h"

/**
 * Listen on `listen` ("127.0.0.1:8080", "[::1]:0") with `count` sockets, into `ret_sockets`, the
 * caller's. `ret_address` gets the address with the port that was taken. OK; CONFLICT if
 * something listens there already; INVALID for an address that cannot be used.
 */
enum status listen_open(const char *listen, size_t count, int *ret_sockets, char *ret_address,
                        size_t address_size, struct err *err) MUST_CHECK;

#endif
