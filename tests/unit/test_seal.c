/* Seals: what comes back from outside is known by them, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/password.h"
#include "auth/seal.h"
#include "base/mem.h"

static const uint8_t secret[TOKEN_KEY_BYTES] = "the secret of a database, 32 b.";
static const uint8_t other_secret[TOKEN_KEY_BYTES] = "the secret of another, 32 bytes";

enum { LENGTH = 24 }; /* of what is sealed, as three generations are */
static const char content[LENGTH + 1] = "0123456789abcdef01234567";

static int start(void **state)
{
    (void)state;
    struct err err;
    return password_init(&err) == OK ? 0 : -1;
}

static bool seals_are_equal(const struct seal_key *a, const struct seal_key *b)
{
    uint8_t of_a[SEAL_BYTES], of_b[SEAL_BYTES];
    seal_of(a, "first", 5, "second", 6, of_a);
    seal_of(b, "first", 5, "second", 6, of_b);
    return memcmp(of_a, of_b, SEAL_BYTES) == 0;
}

static void each_purpose_and_each_register_has_a_key_of_its_own(void **state)
{
    (void)state;
    struct seal_key key = seal_key_for(secret, "cache"), again = seal_key_for(secret, "cache");
    struct seal_key purpose = seal_key_for(secret, "token"),
                    longer = seal_key_for(secret, "cache ");
    struct seal_key none = seal_key_for(secret, ""), other = seal_key_for(other_secret, "cache");
    assert_true(seals_are_equal(&key, &again));
    assert_false(seals_are_equal(&key, &purpose));
    assert_false(seals_are_equal(&key, &longer));
    assert_false(seals_are_equal(&key, &none));
    assert_false(seals_are_equal(&key, &other));
    assert_memory_not_equal(key.bytes, secret, SEAL_KEY_BYTES);
}

static void where_the_first_text_ends_is_part_of_the_seal(void **state)
{
    (void)state;
    enum { TEXT = 12 };
    static const char text[] = "name,content";
    struct seal_key key = seal_key_for(secret, "cache");
    uint8_t seals[TEXT + 1][SEAL_BYTES];
    for (size_t end = 0; end <= TEXT; end++) {
        seal_of(&key, text, end, text + end, TEXT - end, seals[end]);
        for (size_t before = 0; before < end; before++)
            assert_memory_not_equal(seals[before], seals[end], SEAL_BYTES);
    }
}

static void every_bit_of_both_texts_is_part_of_the_seal(void **state)
{
    (void)state;
    struct seal_key key = seal_key_for(secret, "cache");
    uint8_t bytes[LENGTH], seal[SEAL_BYTES], changed[SEAL_BYTES];
    seal_of(&key, content, LENGTH / 2, content + LENGTH / 2, LENGTH / 2, seal);
    for (size_t bit = 0; bit < (size_t)8 * LENGTH; bit++) {
        memcpy(bytes, content, LENGTH);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        seal_of(&key, bytes, LENGTH / 2, bytes + LENGTH / 2, LENGTH / 2, changed);
        assert_memory_not_equal(seal, changed, SEAL_BYTES);
    }
}

/* As texts */

static void what_is_written_is_read_back_and_genuine(void **state)
{
    (void)state;
    struct seal_key key = seal_key_for(secret, "token");
    for (size_t length = 0; length <= LENGTH; length++) {
        char text[SEAL_TEXT_SIZE(LENGTH)], bytes[LENGTH] = {0};
        memset(text, '!', sizeof text);
        seal_write(&key, content, length, text);
        assert_true(memchr(text, '\0', SEAL_TEXT_SIZE(length)) != NULL);
        assert_int_equal(strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789-_"),
                         strlen(text)); /* of a header, a cookie, a URL */
        assert_true(seal_peek(text, bytes, length));
        assert_memory_equal(bytes, content, length);
        assert_true(seal_is_genuine(&key, text, length));
    }
}

static void a_text_of_another_key_is_read_but_not_genuine(void **state)
{
    (void)state;
    char text[SEAL_TEXT_SIZE(LENGTH)], bytes[LENGTH];
    struct seal_key key = seal_key_for(secret, "token");
    struct seal_key purpose = seal_key_for(secret, "cache");
    struct seal_key other = seal_key_for(other_secret, "token");
    seal_write(&key, content, LENGTH, text);
    assert_true(seal_peek(text, bytes, LENGTH));
    assert_memory_equal(bytes, content, LENGTH);
    assert_false(seal_is_genuine(&purpose, text, LENGTH));
    assert_false(seal_is_genuine(&other, text, LENGTH));
    assert_true(seal_is_genuine(&key, text, LENGTH));
}

static void no_changed_text_is_genuine(void **state)
{
    (void)state;
    char text[SEAL_TEXT_SIZE(LENGTH)];
    unsigned read = 0, refused = 0;
    struct seal_key key = seal_key_for(secret, "token");
    seal_write(&key, content, LENGTH, text);
    for (size_t at = 0; text[at]; at++) {
        char was = text[at];
        for (int now = 1; now < 256; now++) {
            char bytes[LENGTH];
            text[at] = (char)now;
            if (text[at] == was)
                continue;
            bool peeked = seal_peek(text, bytes, LENGTH);
            read += peeked;
            refused += !peeked;
            assert_false(seal_is_genuine(&key, text, LENGTH));
        }
        text[at] = was;
    }
    assert_true(seal_is_genuine(&key, text, LENGTH));
    assert_true(read > 0 && refused > 0); /* a letter for a letter, and for what is none */
}

/** Nothing is written then. */
static void assert_refused(const char *text)
{
    char bytes[LENGTH], untouched[LENGTH];
    struct seal_key key = seal_key_for(secret, "token");
    memset(bytes, '?', LENGTH);
    memset(untouched, '?', LENGTH);
    if (seal_peek(text, bytes, LENGTH))
        fail_msg("taken for a sealed text: '%s'", text);
    assert_memory_equal(bytes, untouched, LENGTH);
    assert_false(seal_is_genuine(&key, text, LENGTH));
}

static void a_text_of_another_length_is_none(void **state)
{
    (void)state;
    struct seal_key key = seal_key_for(secret, "token");
    for (size_t length = 0; length <= (size_t)4 * LENGTH; length++) {
        char bytes[4 * LENGTH] = {0}, text[SEAL_TEXT_SIZE(4 * LENGTH)];
        seal_write(&key, bytes, length, text);
        if (length != LENGTH)
            assert_refused(text);
    }
}

static void a_text_that_is_cut_or_longer_is_none(void **state)
{
    (void)state;
    struct seal_key key = seal_key_for(secret, "token");
    char text[SEAL_TEXT_SIZE(LENGTH)], cut[SEAL_TEXT_SIZE(LENGTH)];
    seal_write(&key, content, LENGTH, text);
    for (size_t length = 0; length < strlen(text); length++) {
        snprintf(cut, sizeof cut, "%.*s", (int)length, text);
        assert_refused(cut);
    }
    enum { LONG = 100000 };
    AUTO_FREE char *longer = mem_zalloc(1, LONG + 1);
    for (size_t length = strlen(text) + 1; length <= LONG; length *= 2) {
        memset(longer, 'A', length);
        longer[length] = '\0';
        memcpy(longer, text, strlen(text));
        assert_refused(longer);
    }
}

static void a_text_with_padding_spaces_or_other_alphabets_is_none(void **state)
{
    (void)state;
    static const char *const forms[] = {"%s=",  "%s==", " %s",    "%s ",
                                        "%s\n", "\t%s", "\"%s\"", "%s,"};
    struct seal_key key = seal_key_for(secret, "token");
    char text[SEAL_TEXT_SIZE(LENGTH)], other[SEAL_TEXT_SIZE(LENGTH) + 4];
    seal_write(&key, content, LENGTH, text);
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        const char *form = forms[i], *place = strstr(form, "%s");
        snprintf(other, sizeof other, "%.*s%s%s", (int)(place - form), form, text, place + 2);
        assert_refused(other);
    }
    for (const char *bad = "+/=.~ \x7f\x80\xff"; *bad; bad++)
        for (size_t at = 0; text[at]; at++) {
            snprintf(other, sizeof other, "%s", text);
            other[at] = *bad;
            assert_refused(other);
        }
}

/** Whatever byte stands in a place of it: only one is read as what was there. */
static void bytes_have_one_text_only(void **state)
{
    (void)state;
    static const char everything[] = "\0\x10\x83\x10Q\x87 \x92\x8b\xff\xff\xff\xfb\xef\xbe\xff";
    struct seal_key key = seal_key_for(secret, "token");
    char text[SEAL_TEXT_SIZE(LENGTH)];
    seal_write(&key, everything, sizeof everything, text);
    assert_non_null(strchr(text, '_'));
    assert_non_null(strchr(text, '-'));
    for (size_t at = 0; text[at]; at++) {
        char was = text[at];
        unsigned genuine = 0;
        for (int now = 1; now < 256; now++) {
            text[at] = (char)now;
            genuine += seal_is_genuine(&key, text, sizeof everything);
        }
        text[at] = was;
        assert_int_equal(genuine, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_purpose_and_each_register_has_a_key_of_its_own),
        cmocka_unit_test(where_the_first_text_ends_is_part_of_the_seal),
        cmocka_unit_test(every_bit_of_both_texts_is_part_of_the_seal),
        cmocka_unit_test(what_is_written_is_read_back_and_genuine),
        cmocka_unit_test(a_text_of_another_key_is_read_but_not_genuine),
        cmocka_unit_test(no_changed_text_is_genuine),
        cmocka_unit_test(a_text_of_another_length_is_none),
        cmocka_unit_test(a_text_that_is_cut_or_longer_is_none),
        cmocka_unit_test(a_text_with_padding_spaces_or_other_alphabets_is_none),
        cmocka_unit_test(bytes_have_one_text_only),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
