/**
 * Passwords: argon2id (RFC 9106) by libsodium with t=2, 19 MiB, p=1. One hash takes about 25 ms and
 * 20 MB, so the program makes one at a time (the lane of app/server.c). Thread-safe.
 */
#ifndef OPENRISK_AUTH_PASSWORD_H
#define OPENRISK_AUTH_PASSWORD_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/status.h"

/** Once at the start, before anything else in auth/. INTERNAL if there is no randomness. */
enum status password_init(struct err *err) MUST_CHECK;

/** The hash as text, "$argon2id$v=19$m=19456,t=2,p=1$…". INTERNAL if memory is short. */
enum status password_hash(const char *password, struct arena *arena, char **ret_hash,
                          struct err *err) MUST_CHECK;

/**
 * Does the password match? With `hash` NULL (no such user) it takes as long and answers false, so
 * that time does not tell whether an account exists.
 */
bool password_matches(const char *hash, const char *password);

/** A random password for people to copy: 20 characters of 31 that are hard to confuse, 99 bits. */
char *password_random(struct arena *arena);

#endif
