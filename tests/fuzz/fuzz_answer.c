/*
 * Bytes of a second level, as an answer: none, or one of which the same bytes are made. (A value is
 * unpacked only if its seal is genuine, so nobody but another node of this build can have made it;
 * this is for the day when that is not so.)
 *
 * With libFuzzer:  clang -fsanitize=fuzzer,address,undefined … fuzz_answer.c
 * Replay of a corpus, as the test run does: with replay.c, and the files on the command line.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/answer.h"
#include "base/buf.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CAP = 4 << 20, SHORT = 64 };

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

/** In memory of its own, so that a sanitizer sees a read beyond it. */
static struct cache_value *unpack(const void *data, size_t size)
{
    AUTO_FREE char *bytes = mem_alloc(size > 0 ? size : 1);
    memcpy(bytes, data, size);
    return answer_codec.unpack(bytes, size);
}

static void require_no_answer(const void *data, size_t size, const char *what)
{
    struct cache_value *value = unpack(data, size);
    require(!value, what);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF struct buf again;
    buf_init(&again, CAP);
    struct cache_value *value = unpack(data, size);
    if (!value)
        return 0;
    require(value->bytes >= size, "an answer takes as much as its bytes at least");
    answer_codec.pack(value, &again);
    cache_value_unref(value);
    require(again.length == size && memcmp(again.data, data, size) == 0,
            "packing what was unpacked gives the same bytes");
    for (size_t cut = 1; cut <= size && cut <= SHORT; cut++)
        require_no_answer(data, size - cut, "what is cut off is no answer");
    buf_putc(&again, 'x');
    require_no_answer(again.data, again.length, "what has more is no answer");
    return 0;
}
