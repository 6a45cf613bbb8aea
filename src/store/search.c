#include "store/search.h"

#include <string.h>

#include "base/buf.h"

/* Every third trigram and the last one cover a word. Each more costs a list to go through and
 * leaves fewer candidates; the comparison afterwards is exact. */
enum { TRIGRAMS_MAX = 8, CHARACTERS_MAX = 300, MATCH_MAX_BYTES = 4096 };

static size_t character_bytes(const char *text)
{
    unsigned char lead = (unsigned char)*text;
    size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    return strnlen(text, size);
}

/** `text` and everything that begins with it lies before this: U+10FFFF is in no title. */
static const char *after_prefix(const char *text, struct arena *arena)
{
    return arena_format(arena, "%s\xF4\x8F\xBF\xBF", text);
}

static void put_trigram(struct buf *match, const char *at, size_t bytes)
{
    buf_puts(match, match->length ? " AND \"" : "\"");
    for (size_t i = 0; i < bytes; i++) {
        if (at[i] == '"')
            buf_putc(match, '"');
        buf_putc(match, at[i]);
    }
    buf_putc(match, '"');
}

/** Where the characters of a word begin, and where it ends; returns how many there are. */
static size_t characters_of(const char *word, const char *starts[CHARACTERS_MAX + 1])
{
    size_t count = 0;
    starts[0] = word;
    while (*starts[count] && count < CHARACTERS_MAX) {
        starts[count + 1] = starts[count] + character_bytes(starts[count]);
        count++;
    }
    return count;
}

/** Returns how many trigrams were added; none for words of one or two characters. */
static size_t put_word(struct buf *match, const char *word, size_t most)
{
    const char *starts[CHARACTERS_MAX + 1];
    size_t length = characters_of(word, starts), count = 0;
    if (length < 3)
        return 0;
    for (size_t at = 0; at + 3 <= length && count < most; count++) {
        put_trigram(match, starts[at], (size_t)(starts[at + 3] - starts[at]));
        bool is_last = at + 3 == length;
        at = at + 6 <= length || is_last ? at + 3 : length - 3;
    }
    return count;
}

struct search search_parse(const char *folded, struct arena *arena)
{
    struct search search = {.words = text_split(arena, folded, ' ')};
    AUTO_BUF struct buf match;
    buf_init(&match, MATCH_MAX_BYTES);
    size_t trigrams = 0;
    for (size_t i = 0; i < search.words.count; i++)
        trigrams += put_word(&match, search.words.items[i], TRIGRAMS_MAX - trigrams);
    if (trigrams == 0) {
        search.prefix = folded;
        search.prefix_end = after_prefix(folded, arena);
        return search;
    }
    search.trigrams = arena_strdup(arena, match.data);
    return search;
}

char *search_pattern(const char *word, struct arena *arena)
{
    char *pattern = arena_alloc(arena, 2 * strlen(word) + 3), *end = pattern;
    *end++ = '%';
    for (; *word; word++) {
        if (strchr("%_\\", *word))
            *end++ = '\\';
        *end++ = *word;
    }
    *end++ = '%';
    *end = '\0';
    return pattern;
}
