/**
 * Seals: what this register has written and comes back from outside (Redis, a client) is known by a
 * keyed hash, BLAKE2b (RFC 7693), that nobody can make who does not know the secret of the
 * database.
 *
 * Each purpose has a key of its own, so what was sealed for one is worth nothing for another.
 * Thread-safe.
 */
#ifndef OPENRISK_AUTH_SEAL_H
#define OPENRISK_AUTH_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/token.h"

enum { SEAL_KEY_BYTES = 32, SEAL_BYTES = 32, SEAL_SHORT_BYTES = 16 };

struct seal_key {
    uint8_t bytes[SEAL_KEY_BYTES];
};

/** From the secret of the database; `purpose` may name anything else that it depends on. */
struct seal_key seal_key_for(const uint8_t secret[TOKEN_KEY_BYTES], const char *purpose);

/** The hash of two texts; where the first one ends is part of it. */
void seal_of(const struct seal_key *key, const void *first, size_t first_length, const void *second,
             size_t second_length, uint8_t ret_seal[SEAL_BYTES]);

/** Characters, and a NUL, of so many bytes with their seal (RFC 4648, section 5, unpadded). */
#define SEAL_TEXT_SIZE(bytes) (((bytes) + SEAL_SHORT_BYTES) * 4 / 3 + 3)
/** Bytes with a seal of 128 bits, as a text. `text` holds SEAL_TEXT_SIZE(length). */
void seal_write(const struct seal_key *key, const void *bytes, size_t length, char *text);
/** The bytes of such a text, whoever wrote it. False if it is none of that length. */
bool seal_peek(const char *text, void *bytes, size_t length);
/** Was it sealed with this key? For a text that seal_peek() takes. */
bool seal_is_genuine(const struct seal_key *key, const char *text, size_t length);

#endif
