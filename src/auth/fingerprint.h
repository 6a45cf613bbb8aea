/**
 * Fingerprints: 128 bits of SipHash-2-4 (Aumasson and Bernstein, 2012) under a key of this process.
 *
 * A keyed pseudo-random function: who does not know the key can neither find two texts with the same
 * fingerprint, nor slow a table down by choosing texts that fall into one place, nor learn the text
 * from it. So a token's fingerprint can stand for the token in memory. It takes about 50 ns where
 * token_hash() takes several times as long; it means nothing to another process and is never stored.
 *
 * Thread-safe.
 */
#ifndef OPENRISK_AUTH_FINGERPRINT_H
#define OPENRISK_AUTH_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

enum { FINGERPRINT_KEY_BYTES = 16, FINGERPRINT_BYTES = 16 };

struct fingerprint {
    uint64_t words[2];
};

void fingerprint_key_new(uint8_t key[FINGERPRINT_KEY_BYTES]);
struct fingerprint fingerprint_of(const uint8_t key[FINGERPRINT_KEY_BYTES], const void *bytes,
                                  size_t length);

#endif
