#include "auth/password.h"

#include <sodium.h>
#include <string.h>

enum { PASSES = 2, MEMORY_KIB = 19456, RANDOM_CHARACTERS = 20 };

/* What password_matches(NULL, …) works on; written once by password_init(). */
static char nobodys_hash[crypto_pwhash_STRBYTES];

static bool make_hash(const char *password, char hash[crypto_pwhash_STRBYTES])
{
    return crypto_pwhash_str_alg(hash, password, strlen(password), PASSES,
                                 (size_t)MEMORY_KIB * 1024, crypto_pwhash_ALG_ARGON2ID13) == 0;
}

enum status password_init(struct err *err)
{
    if (sodium_init() < 0)
        return err_set(err, INTERNAL, NULL, "the system gives no random numbers");
    if (nobodys_hash[0])
        return OK;
    char password[crypto_pwhash_SALTBYTES * 2 + 1];
    unsigned char random[crypto_pwhash_SALTBYTES];
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(password, sizeof password, random, sizeof random);
    bool made = make_hash(password, nobodys_hash);
    sodium_memzero(random, sizeof random);
    sodium_memzero(password, sizeof password);
    if (!made)
        return err_set(err, INTERNAL, NULL, "there is not enough memory to hash a password");
    return OK;
}

enum status password_hash(const char *password, struct arena *arena, char **ret_hash,
                          struct err *err)
{
    char hash[crypto_pwhash_STRBYTES];
    if (!make_hash(password, hash))
        return err_set(err, INTERNAL, NULL, "there is not enough memory to hash a password");
    *ret_hash = arena_strdup(arena, hash);
    sodium_memzero(hash, sizeof hash);
    return OK;
}

bool password_matches(const char *hash, const char *password)
{
    const char *known = hash ? hash : nobodys_hash;
    bool matches = crypto_pwhash_str_verify(known, password, strlen(password)) == 0;
    return hash && matches;
}

char *password_random(struct arena *arena)
{
    /* Without 0, 1, l, o and i, which look like each other in many typefaces. */
    static const char alphabet[] = "23456789abcdefghjkmnpqrstuvwxyz";
    char password[RANDOM_CHARACTERS + 1];
    for (int i = 0; i < RANDOM_CHARACTERS; i++)
        password[i] = alphabet[randombytes_uniform(sizeof alphabet - 1)];
    password[RANDOM_CHARACTERS] = '\0';
    char *copy = arena_strdup(arena, password);
    sodium_memzero(password, sizeof password);
    return copy;
}
