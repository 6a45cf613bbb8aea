#include "auth/fingerprint.h"

#include <sodium.h>

_Static_assert(FINGERPRINT_KEY_BYTES == crypto_shorthash_siphashx24_KEYBYTES &&
                   sizeof(struct fingerprint) == crypto_shorthash_siphashx24_BYTES,
               "the library's sizes");

void fingerprint_key_new(uint8_t key[FINGERPRINT_KEY_BYTES])
{
    randombytes_buf(key, FINGERPRINT_KEY_BYTES);
}

struct fingerprint fingerprint_of(const uint8_t key[FINGERPRINT_KEY_BYTES], const void *bytes,
                                  size_t length)
{
    struct fingerprint fingerprint;
    crypto_shorthash_siphashx24((uint8_t *)fingerprint.words, bytes, length, key);
    return fingerprint;
}
