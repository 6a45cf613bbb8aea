#include "auth/throttle.h"

#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/*
 * The table is a set-associative array: a key may lie in any of the WAYS buckets of its set, and a
 * new key takes the emptiest of them. An attacker with very many keys can so push out others'
 * counts, but never use memory without end; and since the hash is keyed with a random secret,
 * nobody can aim at the set of a chosen key.
 *
 * A bucket is kept as the time at which it will be empty: then draining costs nothing.
 */
enum { SETS = 2048, WAYS = 8, KEY_BYTES = crypto_shorthash_siphashx24_BYTES };

struct bucket {
    uint8_t key[KEY_BYTES];
    int64_t empty_at_ms; /* in the past: empty */
};

struct throttle {
    int64_t full_ms;  /* how far ahead `empty_at_ms` is of a full bucket */
    int64_t drain_ms; /* how far one failure moves it */
    uint8_t secret[crypto_shorthash_siphashx24_KEYBYTES];
    pthread_mutex_t lock; /* guards `buckets` */
    struct bucket buckets[SETS][WAYS];
};

struct throttle *throttle_new(unsigned burst, unsigned drain_ms)
{
    struct throttle *throttle = mem_zalloc(1, sizeof *throttle);
    throttle->drain_ms = drain_ms;
    throttle->full_ms = (int64_t)burst * drain_ms;
    randombytes_buf(throttle->secret, sizeof throttle->secret);
    pthread_mutex_init(&throttle->lock, NULL);
    return throttle;
}

void throttle_free(struct throttle *throttle)
{
    if (!throttle)
        return;
    pthread_mutex_destroy(&throttle->lock);
    free(throttle);
}

/** The bucket of `key`, else, with `take`, the emptiest of its set, emptied for it; or NULL. */
static struct bucket *find(struct throttle *throttle, const char *key, bool take)
{
    uint8_t hash[KEY_BYTES];
    crypto_shorthash_siphashx24(hash, (const uint8_t *)key, strlen(key), throttle->secret);
    size_t set_index = (hash[0] | (size_t)hash[1] << 8) % SETS;
    struct bucket *set = throttle->buckets[set_index], *emptiest = &set[0];
    for (int i = 0; i < WAYS; i++) {
        if (memcmp(set[i].key, hash, sizeof hash) == 0)
            return &set[i];
        if (set[i].empty_at_ms < emptiest->empty_at_ms)
            emptiest = &set[i];
    }
    if (!take)
        return NULL;
    memcpy(emptiest->key, hash, sizeof hash);
    emptiest->empty_at_ms = 0;
    return emptiest;
}

enum status throttle_check(struct throttle *throttle, const char *key, int64_t now_ms,
                           struct err *err)
{
    pthread_mutex_lock(&throttle->lock);
    const struct bucket *bucket = find(throttle, key, false);
    int64_t ahead_ms = bucket ? bucket->empty_at_ms - now_ms : 0;
    pthread_mutex_unlock(&throttle->lock);
    int64_t wait_ms = ahead_ms + throttle->drain_ms - throttle->full_ms;
    if (ahead_ms <= 0 || wait_ms <= 0)
        return OK;
    err_set(err, LIMITED, NULL, "too many failed tries; try again later");
    if (err)
        err->retry_after_s = (int)((wait_ms + 999) / 1000);
    return LIMITED;
}

void throttle_fail(struct throttle *throttle, const char *key, int64_t now_ms)
{
    pthread_mutex_lock(&throttle->lock);
    struct bucket *bucket = find(throttle, key, true);
    if (bucket->empty_at_ms < now_ms)
        bucket->empty_at_ms = now_ms;
    bucket->empty_at_ms += throttle->drain_ms;
    if (bucket->empty_at_ms > now_ms + throttle->full_ms)
        bucket->empty_at_ms = now_ms + throttle->full_ms;
    pthread_mutex_unlock(&throttle->lock);
}

void throttle_clear(struct throttle *throttle, const char *key)
{
    pthread_mutex_lock(&throttle->lock);
    struct bucket *bucket = find(throttle, key, false);
    if (bucket)
        bucket->empty_at_ms = 0;
    pthread_mutex_unlock(&throttle->lock);
}
