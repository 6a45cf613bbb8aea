#include "auth/token.h"

#include <sodium.h>
#include <string.h>

enum {
    SECRET_CHARACTERS = 26, /* × 5 bits = 130 */
    CHECK_CHARACTERS = 13,  /* × 5 bits = 65, of which 64 are used */
    CHECK_BYTES = 16,       /* the least BLAKE2b makes; the first 8 are used */
    HASH_BYTES = 32,
    DIGEST_BYTES = 8,
};

static const char prefix[] = "or_";
enum {
    PREFIX_CHARACTERS = sizeof prefix - 1,
    SIGNED_CHARACTERS = PREFIX_CHARACTERS + SECRET_CHARACTERS
};
enum { TOKEN_CHARACTERS = SIGNED_CHARACTERS + CHECK_CHARACTERS };
_Static_assert(TOKEN_CHARACTERS < (int)TOKEN_TEXT_SIZE, "a token fits its buffer");

/* Crockford's base 32 in lower case: no i, l, o and u, which people misread. */
static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

/** The check of the token whose first SIGNED_CHARACTERS are at `text`. */
static void write_check(const uint8_t key[TOKEN_KEY_BYTES], const char *text,
                        char check[CHECK_CHARACTERS])
{
    uint8_t mac[CHECK_BYTES];
    uint64_t bits = 0;
    crypto_generichash(mac, sizeof mac, (const uint8_t *)text, SIGNED_CHARACTERS, key,
                       TOKEN_KEY_BYTES);
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | mac[i];
    for (int i = 0; i < CHECK_CHARACTERS; i++, bits >>= 5)
        check[i] = alphabet[bits & 31];
    sodium_memzero(mac, sizeof mac);
}

const char *token_new(const uint8_t key[TOKEN_KEY_BYTES], char *text)
{
    uint8_t random[SECRET_CHARACTERS];
    randombytes_buf(random, sizeof random);
    memcpy(text, prefix, PREFIX_CHARACTERS);
    for (int i = 0; i < SECRET_CHARACTERS; i++)
        text[PREFIX_CHARACTERS + i] = alphabet[random[i] & 31];
    sodium_memzero(random, sizeof random);
    write_check(key, text, text + SIGNED_CHARACTERS);
    text[TOKEN_CHARACTERS] = '\0';
    return text;
}

bool token_is_genuine(const uint8_t key[TOKEN_KEY_BYTES], const char *text)
{
    if (strnlen(text, TOKEN_CHARACTERS + 1) != TOKEN_CHARACTERS ||
        memcmp(text, prefix, PREFIX_CHARACTERS) != 0)
        return false;
    char check[CHECK_CHARACTERS];
    write_check(key, text, check);
    bool genuine = sodium_memcmp(check, text + SIGNED_CHARACTERS, CHECK_CHARACTERS) == 0;
    sodium_memzero(check, sizeof check);
    return genuine;
}

const char *token_hash(const char *text, char *hash)
{
    uint8_t bytes[HASH_BYTES];
    crypto_generichash(bytes, sizeof bytes, (const uint8_t *)text, strlen(text), NULL, 0);
    return sodium_bin2hex(hash, TOKEN_HASH_SIZE, bytes, sizeof bytes);
}

void token_key_new(char hex[2 * TOKEN_KEY_BYTES + 1])
{
    uint8_t key[TOKEN_KEY_BYTES];
    randombytes_buf(key, sizeof key);
    sodium_bin2hex(hex, 2 * TOKEN_KEY_BYTES + 1, key, sizeof key);
    sodium_memzero(key, sizeof key);
}

bool token_key_parse(const char *hex, uint8_t key[TOKEN_KEY_BYTES])
{
    size_t length;
    return strlen(hex) == 2 * TOKEN_KEY_BYTES &&
           sodium_hex2bin(key, TOKEN_KEY_BYTES, hex, 2 * TOKEN_KEY_BYTES, NULL, &length, NULL) ==
               0 &&
           length == TOKEN_KEY_BYTES;
}

void token_digest(const void *bytes, unsigned long long length, char hex[17])
{
    static const uint8_t key[crypto_shorthash_KEYBYTES]; /* no secret */
    uint8_t digest[DIGEST_BYTES];
    _Static_assert((int)DIGEST_BYTES == (int)crypto_shorthash_BYTES, "the library's size");
    crypto_shorthash(digest, bytes, length, key);
    sodium_bin2hex(hex, 2 * DIGEST_BYTES + 1, digest, DIGEST_BYTES);
}
