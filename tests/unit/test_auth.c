/* Passwords, tokens, and limits on tries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "auth/password.h"
#include "auth/throttle.h"
#include "auth/token.h"
#include "base/mem.h"

static int start(void **state)
{
    (void)state;
    struct err err;
    return password_init(&err) == OK ? 0 : -1;
}

static void a_password_matches_its_own_hash_only(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct err err;
    char *hash = NULL, *again = NULL;
    const char *expected = "$argon2id$v=19$m=19456,t=2,p=1$";
    assert_int_equal(password_hash("correct horse battery", &arena, &hash, &err), OK);
    assert_int_equal(password_hash("correct horse battery", &arena, &again, &err), OK);
    assert_memory_equal(hash, expected, strlen(expected));
    assert_string_not_equal(hash, again);
    assert_true(password_matches(hash, "correct horse battery"));
    assert_true(password_matches(again, "correct horse battery"));
    assert_false(password_matches(hash, "correct horse battery "));
    assert_false(password_matches(hash, ""));
    assert_false(password_matches("no hash at all", "correct horse battery"));
}

/** The processor's time, which does not depend on what else runs. */
static int64_t processor_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static int64_t median_us(const char *hash)
{
    int64_t times[5];
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        int64_t begin = processor_us();
        assert_false(password_matches(hash, "a wrong password"));
        int64_t took = processor_us() - begin;
        size_t at = i;
        for (; at > 0 && times[at - 1] > took; at--)
            times[at] = times[at - 1];
        times[at] = took;
    }
    return times[COUNT_OF(times) / 2];
}

static void nobody_takes_as_long_as_somebody(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct err err;
    char *hash = NULL;
    assert_int_equal(password_hash("a password", &arena, &hash, &err), OK);
    int64_t somebody = median_us(hash), nobody = median_us(NULL);
    assert_true(nobody > somebody / 3);
    assert_true(somebody > nobody / 3);
}

static void random_passwords_are_long_and_differ(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    bool seen[256] = {false};
    const char *last = "";
    for (int i = 0; i < 500; i++) {
        const char *password = password_random(&arena);
        assert_int_equal(strlen(password), 20);
        assert_string_not_equal(password, last);
        for (const char *c = password; *c; c++)
            seen[(unsigned char)*c] = true;
        last = password;
    }
    int kinds = 0;
    for (int c = 0; c < 256; c++)
        kinds += seen[c];
    assert_int_equal(kinds, 31);
    for (const char *c = "01loiO"; *c; c++)
        assert_false(seen[(unsigned char)*c]);
}

static void a_token_is_genuine_until_any_character_changes(void **state)
{
    (void)state;
    uint8_t key[TOKEN_KEY_BYTES] = {1, 2, 3}, other_key[TOKEN_KEY_BYTES] = {1, 2, 4};
    char text[TOKEN_TEXT_SIZE];
    assert_ptr_equal(token_new(key, text), text);
    assert_memory_equal(text, "or_", 3);
    size_t length = strlen(text);
    assert_int_equal(length, 3 + 26 + 13);
    assert_int_equal(strspn(text + 3, "0123456789abcdefghjkmnpqrstvwxyz"), length - 3);
    assert_true(token_is_genuine(key, text));
    assert_false(token_is_genuine(other_key, text));
    for (size_t i = 0; i < length; i++) {
        char was = text[i];
        text[i] = was == 'a' ? 'b' : 'a';
        assert_false(token_is_genuine(key, text));
        text[i] = was;
    }
    assert_true(token_is_genuine(key, text));
}

static void what_is_no_token_is_not_genuine(void **state)
{
    (void)state;
    uint8_t key[TOKEN_KEY_BYTES] = {0};
    char text[TOKEN_TEXT_SIZE + 100], longer[TOKEN_TEXT_SIZE + 1];
    token_new(key, text);
    AUTO_FREE char *extended = mem_format("%sx", text);
    assert_false(token_is_genuine(key, extended));
    assert_false(token_is_genuine(key, ""));
    assert_false(token_is_genuine(key, "or_"));
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_false(token_is_genuine(key, longer));
    text[strlen(text) - 1] = '\0';
    assert_false(token_is_genuine(key, text));
}

static void tokens_differ(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    uint8_t key[TOKEN_KEY_BYTES] = {0};
    char tokens[COUNT][TOKEN_TEXT_SIZE];
    for (int i = 0; i < COUNT; i++) {
        token_new(key, tokens[i]);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(tokens[i], tokens[j]);
    }
}

static void the_stored_form_is_blake2b_256_in_hex(void **state)
{
    (void)state;
    char hash[TOKEN_HASH_SIZE];
    /* `printf abc | b2sum -l 256` */
    assert_string_equal(token_hash("abc", hash),
                        "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

static void the_digest_of_a_body_is_siphash_with_a_key_of_zeros(void **state)
{
    (void)state;
    char digest[17];
    token_digest("abc", 3, digest);
    assert_string_equal(
        digest, "deee70479684c83f"); /* as the paper's algorithm gives it, written down anew */
    token_digest("", 0, digest);
    assert_int_equal(strlen(digest), 16);
}

static void a_key_goes_through_its_text(void **state)
{
    (void)state;
    char hex[2 * TOKEN_KEY_BYTES + 1], other[2 * TOKEN_KEY_BYTES + 1], text[TOKEN_TEXT_SIZE];
    uint8_t key[TOKEN_KEY_BYTES], same[TOKEN_KEY_BYTES];
    token_key_new(hex);
    token_key_new(other);
    assert_string_not_equal(hex, other);
    assert_int_equal(strlen(hex), 2 * TOKEN_KEY_BYTES);
    assert_true(token_key_parse(hex, key));
    assert_true(token_key_parse(hex, same));
    assert_memory_equal(key, same, sizeof key);
    assert_true(token_is_genuine(same, token_new(key, text)));
    hex[5] = 'g';
    assert_false(token_key_parse(hex, key));
    hex[5] = '\0';
    assert_false(token_key_parse(hex, key));
    assert_false(token_key_parse("", key));
}

static void a_key_is_limited_after_its_burst_and_free_again_later(void **state)
{
    (void)state;
    struct throttle *throttle = throttle_new(3, 10000);
    struct err err;
    int64_t now = 1000000;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(throttle_check(throttle, "ann", now, &err), OK);
        throttle_fail(throttle, "ann", now);
    }
    assert_int_equal(throttle_check(throttle, "ann", now, &err), LIMITED);
    assert_int_equal(err.retry_after_s, 10);
    assert_int_equal(throttle_check(throttle, "bob", now, &err), OK);
    assert_int_equal(throttle_check(throttle, "ann", now + 9999, &err), LIMITED);
    assert_int_equal(err.retry_after_s, 1);
    assert_int_equal(throttle_check(throttle, "ann", now + 10000, &err), OK);
    throttle_fail(throttle, "ann", now + 10000);
    assert_int_equal(throttle_check(throttle, "ann", now + 10000, &err), LIMITED);
    assert_int_equal(throttle_check(throttle, "ann", now + 100000, &err), OK);
    throttle_free(throttle);
}

static void nobody_is_locked_out_for_longer_by_more_failures(void **state)
{
    (void)state;
    struct throttle *throttle = throttle_new(3, 10000);
    struct err err;
    for (int i = 0; i < 1000; i++)
        throttle_fail(throttle, "ann", 5000);
    assert_int_equal(throttle_check(throttle, "ann", 5000, &err), LIMITED);
    assert_int_equal(err.retry_after_s, 10);
    assert_int_equal(throttle_check(throttle, "ann", 15000, &err), OK);
    throttle_free(throttle);
}

static void a_success_clears_the_key(void **state)
{
    (void)state;
    struct throttle *throttle = throttle_new(1, 10000);
    struct err err;
    throttle_fail(throttle, "ann", 0);
    throttle_fail(throttle, "bob", 0);
    assert_int_equal(throttle_check(throttle, "ann", 0, &err), LIMITED);
    throttle_clear(throttle, "ann");
    throttle_clear(throttle, "never seen");
    assert_int_equal(throttle_check(throttle, "ann", 0, &err), OK);
    assert_int_equal(throttle_check(throttle, "bob", 0, &err), LIMITED);
    throttle_free(throttle);
}

static void a_flood_of_keys_takes_no_memory_and_spares_the_fullest(void **state)
{
    (void)state;
    struct throttle *throttle = throttle_new(5, 10000);
    struct err err;
    for (int i = 0; i < 5; i++)
        throttle_fail(throttle, "ann", 0);
    for (int i = 0; i < 100000; i++) {
        char key[32];
        snprintf(key, sizeof key, "made-up-%d", i);
        throttle_fail(throttle, key, 0);
    }
    assert_int_equal(throttle_check(throttle, "ann", 0, &err), LIMITED);
    throttle_free(throttle);
    throttle_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_matches_its_own_hash_only),
        cmocka_unit_test(nobody_takes_as_long_as_somebody),
        cmocka_unit_test(random_passwords_are_long_and_differ),
        cmocka_unit_test(a_token_is_genuine_until_any_character_changes),
        cmocka_unit_test(what_is_no_token_is_not_genuine),
        cmocka_unit_test(tokens_differ),
        cmocka_unit_test(the_stored_form_is_blake2b_256_in_hex),
        cmocka_unit_test(the_digest_of_a_body_is_siphash_with_a_key_of_zeros),
        cmocka_unit_test(a_key_goes_through_its_text),
        cmocka_unit_test(a_key_is_limited_after_its_burst_and_free_again_later),
        cmocka_unit_test(nobody_is_locked_out_for_longer_by_more_failures),
        cmocka_unit_test(a_success_clears_the_key),
        cmocka_unit_test(a_flood_of_keys_takes_no_memory_and_spares_the_fullest),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
