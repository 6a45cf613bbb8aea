#include "cache/second.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

struct second_level {
    struct second_settings settings;
    char space[SECOND_SPACE_MAX + 1];
    atomic_uint_fast64_t hits, misses, refused, expired, too_large;
};

/** What is before the key. */
struct head {
    char magic[4];
    char version[4];
    int64_t expires_ms; /* wall clock */
    uint32_t key_length;
    uint32_t length;
};
enum { HEAD_BYTES = 24 };
_Static_assert(sizeof(struct head) == HEAD_BYTES, "no holes");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are stored as they are");

static const char magic[4] = "ORsk", version[4] = "v1\0";

/** A value on its way there. */
struct packing {
    struct redis_write write; /* first */
    struct second_level *second;
    struct cache_value *value;
    int64_t expires_ms; /* wall clock */
    size_t name_length, key_length;
    char texts[]; /* the name, the key */
};

struct second_level *second_new(const struct second_settings *settings)
{
    struct second_level *second = mem_zalloc(1, sizeof *second);
    assert(strlen(settings->space) <= SECOND_SPACE_MAX);
    second->settings = *settings;
    snprintf(second->space, sizeof second->space, "%s", settings->space);
    return second;
}

void second_free(struct second_level *second)
{
    free(second);
}

/** What a value of this key and vector is stored under. Returns its length. */
static size_t make_name(const struct second_level *second, const struct cache_key *key,
                        unsigned scopes, const struct cache_vector *vector,
                        char name[SECOND_NAME_MAX])
{
    const struct second_settings *settings = &second->settings;
    uint8_t hash[SECOND_HASH_BYTES];
    size_t used = (size_t)snprintf(name, SECOND_NAME_MAX, "%s:%x", second->space, scopes);
    for (int scope = 0; scopes >> scope; scope++)
        if (scopes & 1u << scope)
            used += (size_t)snprintf(name + used, SECOND_NAME_MAX - used, ".%" PRIx64,
                                     (uint64_t)vector->of[scope]);
    settings->hash(settings->hash_context, "key", 3, key->text, key->length, hash);
    name[used++] = ':';
    text_hex(hash, sizeof hash / 2, name + used); /* 128 bits tell keys apart */
    return used + sizeof hash;
}

/* Asking */

/** The value that was sealed under this name for this key; NULL if there is any doubt. */
static struct cache_value *open_sealed(const struct second_question *question, const char *bytes,
                                       size_t length, int64_t *ret_ttl_ms)
{
    struct second_level *second = question->second;
    const struct second_settings *settings = &second->settings;
    const struct cache_key *key = &question->key;
    struct head head;
    uint8_t seal[SECOND_HASH_BYTES];
    if (length < HEAD_BYTES + SECOND_HASH_BYTES)
        return NULL;
    size_t sealed = length - SECOND_HASH_BYTES;
    memcpy(&head, bytes, HEAD_BYTES);
    if (memcmp(head.magic, magic, sizeof magic) != 0 ||
        memcmp(head.version, version, sizeof version) != 0 || head.key_length != key->length ||
        sealed - HEAD_BYTES < key->length || sealed - HEAD_BYTES - key->length != head.length)
        return NULL;
    settings->hash(settings->hash_context, question->name, question->read.key_length, bytes, sealed,
                   seal);
    if (!text_equal_secret(seal, bytes + sealed, sizeof seal) ||
        memcmp(bytes + HEAD_BYTES, key->text, key->length) != 0)
        return NULL;
    *ret_ttl_ms = head.expires_ms - clock_now_ms(settings->clock);
    return settings->codec.unpack(bytes + HEAD_BYTES + key->length, head.length);
}

static void answered(struct redis_read *read, enum redis_result result, const char *bytes,
                     size_t length)
{
    struct second_question *question = CONTAINER_OF(read, struct second_question, read);
    struct second_level *second = question->second;
    struct cache_value *value = NULL;
    int64_t ttl_ms = 0;
    if (result == REDIS_FOUND) {
        value = open_sealed(question, bytes, length, &ttl_ms);
        if (!value) {
            atomic_fetch_add(&second->refused, 1);
        } else if (ttl_ms <= 0) {
            atomic_fetch_add(&second->expired, 1);
            cache_value_unref(value);
            value = NULL;
        }
    }
    atomic_fetch_add(value ? &second->hits : &second->misses, 1);
    question->answered(question, value, ttl_ms);
}

bool second_ask(struct second_level *second, const struct cache_key *key, unsigned scopes,
                const struct cache_vector *vector, struct second_question *question)
{
    question->second = second;
    question->key = *key;
    question->read = (struct redis_read){.key = question->name, .answered = answered};
    question->read.key_length = make_name(second, key, scopes, vector, question->name);
    return redis_get(second->settings.redis, &question->read);
}

/* Storing */

static int64_t pack(struct redis_write *write, struct buf *name, struct buf *out)
{
    const struct packing *packing = (const struct packing *)write;
    const struct second_settings *settings = &packing->second->settings;
    int64_t ttl_ms = packing->expires_ms - clock_now_ms(settings->clock);
    if (ttl_ms <= 0)
        return 0;
    struct head head = {.expires_ms = packing->expires_ms,
                        .key_length = (uint32_t)packing->key_length};
    memcpy(head.magic, magic, sizeof magic);
    memcpy(head.version, version, sizeof version);
    buf_put(name, packing->texts, packing->name_length);
    buf_put(out, &head, HEAD_BYTES);
    buf_put(out, packing->texts + packing->name_length, packing->key_length);
    size_t before = out->length;
    settings->codec.pack(packing->value, out);
    if (out->overflow || out->length - before > settings->value_max_bytes) {
        atomic_fetch_add(&packing->second->too_large, 1);
        return 0;
    }
    uint32_t length = (uint32_t)(out->length - before);
    uint8_t seal[SECOND_HASH_BYTES];
    memcpy(out->data + offsetof(struct head, length), &length, sizeof length);
    settings->hash(settings->hash_context, name->data, name->length, out->data, out->length, seal);
    buf_put(out, seal, sizeof seal);
    return ttl_ms;
}

static void packing_free(struct redis_write *write)
{
    struct packing *packing = (struct packing *)write;
    cache_value_unref(packing->value);
    free(packing);
}

void second_put(struct second_level *second, const struct cache_key *key,
                const struct cache_terms *terms, const struct cache_vector *vector,
                struct cache_value *value)
{
    char name[SECOND_NAME_MAX];
    size_t name_length = make_name(second, key, terms->scopes, vector, name);
    struct packing *packing = mem_alloc(sizeof *packing + name_length + key->length);
    *packing = (struct packing){
        .write = {.bytes = sizeof *packing + value->bytes, .pack = pack, .done = packing_free},
        .second = second,
        .value = cache_value_ref(value),
        .expires_ms = clock_now_ms(second->settings.clock) + terms->ttl_ms,
        .name_length = name_length,
        .key_length = key->length,
    };
    memcpy(packing->texts, name, name_length);
    memcpy(packing->texts + name_length, key->text, key->length);
    if (!redis_set(second->settings.redis, &packing->write))
        packing_free(&packing->write);
}

void second_statistics(struct second_level *second, struct second_statistics *ret_statistics)
{
    ret_statistics->hits = atomic_load(&second->hits);
    ret_statistics->misses = atomic_load(&second->misses);
    ret_statistics->refused = atomic_load(&second->refused);
    ret_statistics->expired = atomic_load(&second->expired);
    ret_statistics->too_large = atomic_load(&second->too_large);
    redis_statistics(second->settings.redis, &ret_statistics->redis);
}
