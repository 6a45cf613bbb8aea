#include "store/search.h"

#include <string.h>

#include "base/buf.h"
#include "store/list.h"

/* Enough to leave few candidates; the comparison afterwards is exact. */
enum { TRIGRAMS_MAX = 24, MATCH_MAX_BYTES = 4096 };

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

/** Returns how many of its trigrams were added. */
static size_t put_word(struct buf *match, const char *word, size_t most)
{
    size_t count = 0;
    for (const char *at = word; *at && count < most; at += character_bytes(at)) {
        size_t bytes = 0;
        for (int i = 0; i < 3; i++) {
            if (!at[bytes])
                return count;
            bytes += character_bytes(at + bytes);
        }
        put_trigram(match, at, bytes);
        count++;
    }
    return count;
}

struct search search_parse(const char *folded, struct arena *arena)
{
    struct search search = {.words = text_split(arena, folded, ' ')};
    if (search.words.count > LIST_WORDS_MAX)
        search.words.count = LIST_WORDS_MAX;
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
