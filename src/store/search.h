/**
 * What a person typed into the search box, taken apart for the index.
 *
 * All words must be in a risk's search text. The index knows trigrams; words of three characters
 * and more are looked up by theirs and then compared. If no word is that long, the text is taken as
 * the beginning of a title.
 */
#ifndef OPENRISK_STORE_SEARCH_H
#define OPENRISK_STORE_SEARCH_H

#include "base/arena.h"
#include "base/text.h"

struct search {
    const char *prefix, *prefix_end; /* titles from … to before …; NULL: by words */
    struct texts words;
    const char *trigrams; /* FTS5: "abc" AND "bcd" */
};

/** `folded` is not empty and comes from text_fold(). */
struct search search_parse(const char *folded, struct arena *arena);

/** For LIKE: the word, anywhere. */
char *search_pattern(const char *word, struct arena *arena);

#endif
