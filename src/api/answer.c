/*
 * Compression. Each body of some size is compressed when it is made, whether the one who asked
 * takes it or not: browsers always do, and then every later answer costs nothing. It is done by a
 * worker, at zlib's fastest level and with a window of 8 KiB: zlib's own defaults take 256 KiB of
 * memory per call, which costs more time than compressing a small answer. Lists of risks, measured:
 *
 *     body      default window and level    this
 *      5 kB     29 % of its size, 73 µs     31 %, 14 µs
 *     35 kB     15 %, 248 µs                21 %, 73 µs
 *
 * Rejected: compressing at the first request that wants it, which would be on the event loop, or
 * would send a hit to a worker after all.
 */
#include "api/answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "api/internal.h"
#include "base/mem.h"

enum { COMPRESS_MIN_BYTES = 1024, TAG_SIZE = 48 };
enum { GZIP_LEVEL = 1, GZIP_WINDOW = 13 + 16, GZIP_MEMORY = 6 }; /* 16: with gzip's header */

/** A body: held by its form, and by every reply that is on its way. */
struct shared_bytes {
    atomic_uint references;
    size_t length;
    char data[];
};

/** How a body is sent: as it is, or compressed. */
struct form {
    struct shared_bytes *bytes;
    char tag[TAG_SIZE];         /* its ETag; "" for none */
    const char *encoding;       /* Content-Encoding, or NULL */
    struct http_shared *as_hit; /* NULL if there was no memory for it */
};

struct answer {
    struct cache_value value; /* first */
    int http_status;
    int64_t version;
    struct form identity;
    struct form gzip; /* `bytes` NULL: not worth it */
};

static const char *const content_types[] = {"application/json", "application/problem+json"};

static const char *content_type_of(const struct answer *answer)
{
    return content_types[answer->http_status != 200];
}

static const struct http_param way_headers[][2] = {
    [WAY_HIT] = {{"X-Cache", "HIT"}, {"Cache-Status", "openrisk; hit"}},
    [WAY_SECOND] = {{"X-Cache", "HIT"}, {"Cache-Status", "openrisk; hit; detail=second-level"}},
    [WAY_UNVERIFIED] = {{"X-Cache", "HIT"}, {"Cache-Status", "openrisk; hit; detail=unverified"}},
    [WAY_STORED] = {{"X-Cache", "MISS"}, {"Cache-Status", "openrisk; fwd=miss; stored"}},
    [WAY_COLLAPSED] = {{"X-Cache", "MISS"}, {"Cache-Status", "openrisk; fwd=miss; collapsed"}},
    [WAY_MISS] = {{"X-Cache", "MISS"}, {"Cache-Status", "openrisk; fwd=miss"}},
    [WAY_BYPASS] = {{"X-Cache", "MISS"}, {"Cache-Status", "openrisk; fwd=bypass"}},
};
enum { WAY_HEADERS = 2, HEADERS_MAX = 16 };

/* Bodies */

static struct shared_bytes *bytes_new(const void *data, size_t length)
{
    struct shared_bytes *bytes = mem_alloc(sizeof *bytes + length);
    atomic_init(&bytes->references, 1);
    bytes->length = length;
    memcpy(bytes->data, data, length);
    return bytes;
}

static void bytes_unref(void *owner)
{
    struct shared_bytes *bytes = owner;
    if (bytes && atomic_fetch_sub(&bytes->references, 1) == 1)
        free(bytes);
}

/** A reply with a reference of its own. */
static struct http_reply reply_with(int http_status, const char *content_type,
                                    struct shared_bytes *bytes)
{
    atomic_fetch_add_explicit(&bytes->references, 1, memory_order_relaxed);
    return (struct http_reply){.status = http_status,
                               .content_type = content_type,
                               .body = bytes->data,
                               .length = bytes->length,
                               .release = bytes_unref,
                               .owner = bytes,
                               .file = -1};
}

/**
 * RFC 1952. NULL if it does not become smaller. What is kept is a copy: memory that is made smaller
 * leaves the rest of it as a hole.
 */
static struct shared_bytes *compressed(const char *body, size_t length)
{
    z_stream stream = {0};
    if (deflateInit2(&stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    AUTO_FREE Bytef *out = mem_alloc(length);
    stream.next_in = (Bytef *)body; /* it is only read */
    stream.avail_in = (uInt)length;
    stream.next_out = out;
    stream.avail_out = (uInt)length;
    int result = deflate(&stream, Z_FINISH);
    size_t size = stream.total_out;
    deflateEnd(&stream);
    return result == Z_STREAM_END ? bytes_new(out, size) : NULL;
}

/* Forms */

/** All headers but Content-Type, in `headers`, which holds HEADERS_MAX. */
static size_t form_headers(const struct form *form, enum answer_way way, struct http_param *headers)
{
    size_t count = 0;
    for (size_t i = 0; i < output_fixed_header_count; i++)
        headers[count++] = output_fixed_headers[i];
    for (size_t i = 0; i < WAY_HEADERS; i++)
        headers[count++] = way_headers[way][i];
    if (*form->tag)
        headers[count++] = (struct http_param){"ETag", form->tag};
    if (form->encoding)
        headers[count++] = (struct http_param){"Content-Encoding", form->encoding};
    return count;
}

static size_t form_finish(struct form *form, int http_status, const char *content_type)
{
    struct http_param headers[HEADERS_MAX];
    size_t count = form_headers(form, WAY_HIT, headers);
    struct http_reply reply = reply_with(http_status, content_type, form->bytes);
    form->as_hit = http_shared_new(&reply, headers, count);
    return mem_footprint(sizeof *form->bytes + form->bytes->length) +
           (form->as_hit ? http_shared_bytes(form->as_hit) : 0);
}

static void form_release(struct form *form)
{
    http_shared_free(form->as_hit);
    bytes_unref(form->bytes);
}

/* Answers */

static void free_answer(struct cache_value *value)
{
    struct answer *answer = answer_of(value);
    form_release(&answer->identity);
    form_release(&answer->gzip);
    free(answer);
}

/** `bodies` are the answer's then; the compressed one may be NULL. */
static struct answer *make(int http_status, int64_t version, struct shared_bytes *bodies[2])
{
    struct answer *answer = mem_zalloc(1, sizeof *answer);
    struct form *identity = &answer->identity, *gzip = &answer->gzip;
    answer->http_status = http_status;
    answer->version = version;
    identity->bytes = bodies[0];
    gzip->bytes = bodies[1];
    gzip->encoding = "gzip";
    if (http_status == 200) {
        char digest[17];
        token_digest(identity->bytes->data, identity->bytes->length, digest);
        snprintf(identity->tag, TAG_SIZE, "\"%" PRId64 ".%s\"", version, digest);
        snprintf(gzip->tag, TAG_SIZE, "\"%" PRId64 ".%s.gz\"", version, digest);
    }
    size_t bytes = mem_footprint(sizeof *answer);
    bytes += form_finish(identity, http_status, content_type_of(answer));
    if (gzip->bytes)
        bytes += form_finish(gzip, http_status, content_type_of(answer));
    cache_value_init(&answer->value, bytes, free_answer);
    return answer;
}

struct answer *answer_new(int http_status, const char *body, size_t length, int64_t version,
                          bool compress)
{
    bool compresses = compress && length >= COMPRESS_MIN_BYTES;
    struct shared_bytes *bodies[] = {bytes_new(body, length),
                                     compresses ? compressed(body, length) : NULL};
    return make(http_status, version, bodies);
}

/* For a second level */

/** What is before the bodies; who changes it makes another program, which reads no older values. */
struct packed {
    int64_t version, http_status;
    uint32_t lengths[2]; /* of the body, and of the compressed one; 0: none */
};

static void pack(const struct cache_value *value, struct buf *out)
{
    const struct answer *answer = (const struct answer *)value;
    const struct shared_bytes *body = answer->identity.bytes, *small = answer->gzip.bytes;
    struct packed packed = {.version = answer->version, .http_status = answer->http_status};
    packed.lengths[0] = (uint32_t)body->length;
    packed.lengths[1] = small ? (uint32_t)small->length : 0;
    buf_put(out, &packed, sizeof packed);
    buf_put(out, body->data, body->length);
    if (small)
        buf_put(out, small->data, small->length);
}

static struct cache_value *unpack(const char *bytes, size_t length)
{
    struct packed packed;
    if (length < sizeof packed)
        return NULL;
    memcpy(&packed, bytes, sizeof packed);
    size_t rest = length - sizeof packed;
    if ((packed.http_status != 200 && packed.http_status != 404) || packed.lengths[0] > rest ||
        packed.lengths[1] != rest - packed.lengths[0])
        return NULL;
    const char *body = bytes + sizeof packed, *small = body + packed.lengths[0];
    struct shared_bytes *bodies[] = {bytes_new(body, packed.lengths[0]),
                                     packed.lengths[1] > 0 ? bytes_new(small, packed.lengths[1])
                                                           : NULL};
    return answer_value(make(packed.http_status, packed.version, bodies));
}

const struct second_codec answer_codec = {.pack = pack, .unpack = unpack};

struct answer *answer_of(struct cache_value *value)
{
    return (struct answer *)value;
}

struct cache_value *answer_value(struct answer *answer)
{
    return &answer->value;
}

void answer_unref(struct answer *answer)
{
    if (answer)
        cache_value_unref(&answer->value);
}

void answer_reply(struct http_request *request, struct answer *answer, enum answer_way way,
                  void (*send)(struct http_request *, const struct http_reply *))
{
    const struct form *form =
        answer->gzip.bytes && input_accepts_gzip(request) ? &answer->gzip : &answer->identity;
    int status = output_status(request, answer->http_status, form->tag);
    bool is_hit = way == WAY_HIT && send == http_reply;
    if (output_shared(request, is_hit ? form->as_hit : NULL, status))
        return;
    struct http_param headers[HEADERS_MAX];
    output_headers(request, headers, form_headers(form, way, headers));
    struct http_reply reply = reply_with(status, content_type_of(answer), form->bytes);
    send(request, &reply);
}
