/**
 * Asking for a password: from a terminal without echo, or from standard input. Never from the
 * command line, which every process of the machine can read.
 */
#ifndef OPENRISK_APP_SECRET_H
#define OPENRISK_APP_SECRET_H

#include "base/arena.h"
#include "base/status.h"

/**
 * Ask twice on the terminal. INVALID if standard input is none, or if the two answers differ.
 * `prompt`: "Password for ann@example.org".
 */
enum status secret_ask(const char *prompt, struct arena *arena, char **ret_secret,
                       struct err *err) MUST_CHECK;

/** The first line of standard input, without its line feed. INVALID if there is none. */
enum status secret_read(struct arena *arena, char **ret_secret, struct err *err) MUST_CHECK;

#endif
