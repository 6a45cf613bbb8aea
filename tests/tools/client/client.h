/**
 * What the test client can do, and what its command line says.
 */
#ifndef OPENRISK_TESTS_CLIENT_CLIENT_H
#define OPENRISK_TESTS_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct options {
    const char *url, *token, *tokens, *risks, *path; /* "" if not given */
    int64_t connections, operations, writers, seed;
    bool leave;
};

/**
 * Reads mixed with writes, and what each answer must show after what came before it. Prints the
 * figures; `ret_is_well` is false if anything was not as it must be.
 */
enum status history_run(const struct options *options, bool *ret_is_well,
                        struct err *err) MUST_CHECK;

/** The same request on all connections at once; likewise. */
enum status herd_run(const struct options *options, bool *ret_is_well, struct err *err) MUST_CHECK;

#endif
