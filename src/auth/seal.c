#include "auth/seal.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

enum { VARIANT = sodium_base64_VARIANT_URLSAFE_NO_PADDING, SEALED_MAX = 128 };

_Static_assert((int)SEAL_KEY_BYTES == (int)TOKEN_KEY_BYTES, "a key derives another of its size");

struct seal_key seal_key_for(const uint8_t secret[TOKEN_KEY_BYTES], const char *purpose)
{
    struct seal_key key;
    crypto_generichash(key.bytes, sizeof key.bytes, (const uint8_t *)purpose, strlen(purpose),
                       secret, TOKEN_KEY_BYTES);
    return key;
}

static void hash_parts(const struct seal_key *key, const void *first, size_t first_length,
                       const void *second, size_t second_length, uint8_t *ret_seal, size_t size)
{
    crypto_generichash_state state;
    uint64_t length = first_length;
    crypto_generichash_init(&state, key->bytes, sizeof key->bytes, size);
    crypto_generichash_update(&state, (const uint8_t *)&length, sizeof length);
    crypto_generichash_update(&state, first, first_length);
    crypto_generichash_update(&state, second, second_length);
    crypto_generichash_final(&state, ret_seal, size);
}

void seal_of(const struct seal_key *key, const void *first, size_t first_length, const void *second,
             size_t second_length, uint8_t ret_seal[SEAL_BYTES])
{
    hash_parts(key, first, first_length, second, second_length, ret_seal, SEAL_BYTES);
}

static void short_seal(const struct seal_key *key, const uint8_t *bytes, size_t length,
                       uint8_t *ret_seal)
{
    hash_parts(key, bytes, length, "", 0, ret_seal, SEAL_SHORT_BYTES);
}

void seal_write(const struct seal_key *key, const void *bytes, size_t length, char *text)
{
    uint8_t sealed[SEALED_MAX];
    assert(length + SEAL_SHORT_BYTES <= sizeof sealed);
    memcpy(sealed, bytes, length);
    short_seal(key, bytes, length, sealed + length);
    sodium_bin2base64(text, SEAL_TEXT_SIZE(length), sealed, length + SEAL_SHORT_BYTES, VARIANT);
}

static bool read_text(const char *text, uint8_t sealed[SEALED_MAX], size_t length)
{
    /* libsodium takes any byte beyond ASCII for an underscore. */
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t found;
    assert(length + SEAL_SHORT_BYTES <= SEALED_MAX);
    return text[strspn(text, alphabet)] == '\0' &&
           sodium_base642bin(sealed, SEALED_MAX, text, strlen(text), NULL, &found, NULL, VARIANT) ==
               0 &&
           found == length + SEAL_SHORT_BYTES;
}

bool seal_peek(const char *text, void *bytes, size_t length)
{
    uint8_t sealed[SEALED_MAX];
    if (!read_text(text, sealed, length))
        return false;
    memcpy(bytes, sealed, length);
    return true;
}

bool seal_is_genuine(const struct seal_key *key, const char *text, size_t length)
{
    uint8_t sealed[SEALED_MAX], seal[SEAL_SHORT_BYTES];
    if (!read_text(text, sealed, length))
        return false;
    short_seal(key, sealed, length, seal);
    return sodium_memcmp(seal, sealed + length, sizeof seal) == 0;
}
