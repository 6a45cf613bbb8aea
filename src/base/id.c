#include "base/id.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Guards the rest. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    int64_t ms;
    unsigned counter;
} last;
static struct {
    uint8_t bytes[1024]; /* asked of the kernel at once, which costs as much as for one id */
    size_t used;
} random_store = {.used = sizeof random_store.bytes};

/** With the lock held. */
static void take_random(uint8_t *bytes, size_t size)
{
    if (random_store.used + size > sizeof random_store.bytes) {
        id_random(random_store.bytes, sizeof random_store.bytes);
        random_store.used = 0;
    }
    memcpy(bytes, random_store.bytes + random_store.used, size);
    random_store.used += size;
}

void id_random(void *bytes, size_t size)
{
    unsigned char *at = bytes;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno != EINTR)
            abort();
        if (got > 0) {
            at += got;
            size -= (size_t)got;
        }
    }
}

const char *id_new(int64_t now_ms, char *buffer)
{
    uint8_t b[16];
    pthread_mutex_lock(&lock);
    take_random(b, sizeof b);
    if (now_ms > last.ms) {
        last.ms = now_ms;
        last.counter = ((unsigned)b[6] << 8 | b[7]) & 0x7FF; /* room to count up */
    } else if (++last.counter > 0xFFF) {
        last.ms++;
        last.counter = 0;
    }
    int64_t ms = last.ms;
    unsigned counter = last.counter;
    pthread_mutex_unlock(&lock);

    for (int i = 0; i < 6; i++)
        b[i] = (uint8_t)(ms >> (8 * (5 - i)));
    b[6] = (uint8_t)(0x70 | counter >> 8);
    b[7] = (uint8_t)counter;
    b[8] = (uint8_t)((b[8] & 0x3F) | 0x80);

    static const char hex[] = "0123456789abcdef";
    char *out = buffer;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = hex[b[i] >> 4];
        *out++ = hex[b[i] & 15];
    }
    *out = '\0';
    return buffer;
}

bool id_is_valid(const char *text)
{
    if (strlen(text) != 36)
        return false;
    for (int i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !strchr("0123456789abcdef", text[i]))
            return false;
    }
    return true;
}
