/**
 * UTF-8 text: checking, measuring, folding, splitting, reading numbers.
 *
 * Texts are NUL-terminated and valid UTF-8 unless said otherwise. All functions are thread-safe.
 */
#ifndef OPENRISK_BASE_TEXT_H
#define OPENRISK_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/** A list of texts; items are the arena's that made them. `{0}` is the empty list. */
struct texts {
    const char **items;
    size_t count;
};

/** True for well-formed UTF-8 (RFC 3629, section 4) without NUL. */
bool text_is_utf8(const char *bytes, size_t length);

/** Characters (code points), not bytes. */
size_t text_length(const char *text);

/** Cut a character that a fixed buffer has truncated off the end of `text`. */
void text_cut_partial(char *text);

/**
 * The form in which texts are compared and searched: NFKD without marks, case folded, runs of
 * white space as one space, ends trimmed ("Élan  Vital" → "elan vital").
 */
char *text_fold(struct arena *arena, const char *text);

/** True if `text` holds a control character other than tab, LF and CR (all of them if !multiline)
 */
bool text_has_control(const char *text, bool multiline);

/** A copy without white space at its ends. */
char *text_trim(struct arena *arena, const char *text);

/** True if both are equal when ASCII letters' case is ignored. */
bool text_equal_nocase(const char *a, const char *b);

/** Equal, where NULL equals only NULL. */
bool text_equal(const char *a, const char *b);

/** A decimal number and nothing else: "-12". False on anything else and on overflow. */
bool text_to_int(const char *text, int64_t *ret_value);

/** Bytes as lower-case hex and a NUL. Returns `text`, which holds 2 × length + 1 bytes. */
char *text_hex(const void *bytes, size_t length, char *text);
/** The value of a hex digit in either case; -1 for anything else. */
int text_hex_digit(char c);

/** Are so many bytes equal? Takes a time that tells nothing about where they differ. */
bool text_equal_secret(const void *a, const void *b, size_t length);

/** The position of `text` in a NULL-terminated list of names, -1 if it is not there. */
int text_index(const char *const *names, const char *text);

/** Names as "A, B or C", for messages. */
char *text_alternatives(struct arena *arena, const char *const *names);

/** Pieces between separators; empty pieces are left out. */
struct texts text_split(struct arena *arena, const char *text, char separator);
char *text_join(struct arena *arena, struct texts texts, char separator);
bool texts_equal(struct texts a, struct texts b);
bool texts_contain(struct texts texts, const char *text);
struct texts texts_copy(struct arena *arena, struct texts texts);

#endif
