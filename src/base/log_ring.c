#include "base/log_ring.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/** Stands before each line; lines begin and end at multiples of its size, so it is never cut. */
struct head {
    int64_t time_us;
    uint64_t length;
};

_Static_assert(sizeof(struct head) == LOG_RING_UNIT_BYTES, "a head is a unit");
_Static_assert(LOG_RING_BYTES % LOG_RING_UNIT_BYTES == 0, "a ring has whole units");

/* All rings, and this thread's. */
static _Atomic(struct log_ring *) newest;
static _Thread_local struct log_ring *mine;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_exit;

/** The thread ends. If another destructor logs after this one, it takes a ring once more. */
static void give_back(void *ring_of_thread)
{
    struct log_ring *ring = ring_of_thread;
    mine = NULL;
    atomic_store_explicit(&ring->is_taken, false, memory_order_release);
}

static void make_key(void)
{
    int failed = pthread_key_create(&at_exit, give_back);
    assert(!failed); /* there are a thousand, and few use one */
    (void)failed;
}

static struct log_ring *find_free(void)
{
    for (struct log_ring *ring = log_ring_all(); ring; ring = ring->next) {
        bool is_taken = false;
        if (!atomic_load_explicit(&ring->is_taken, memory_order_relaxed) &&
            atomic_compare_exchange_strong_explicit(&ring->is_taken, &is_taken, true,
                                                    memory_order_acquire, memory_order_relaxed))
            return ring;
    }
    return NULL;
}

static struct log_ring *make(void)
{
    struct log_ring *ring = aligned_alloc(alignof(struct log_ring), sizeof *ring);
    if (!ring)
        return NULL;
    memset(ring, 0, sizeof *ring);
    atomic_store_explicit(&ring->is_taken, true, memory_order_relaxed);
    ring->next = atomic_load_explicit(&newest, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&newest, &ring->next, ring, memory_order_release,
                                                  memory_order_relaxed))
        continue;
    return ring;
}

struct log_ring *log_ring_mine(void)
{
    if (mine)
        return mine;
    pthread_once(&once, make_key);
    struct log_ring *ring = find_free();
    if (!ring)
        ring = make();
    if (ring && pthread_setspecific(at_exit, ring) != 0) {
        atomic_store_explicit(&ring->is_taken, false, memory_order_release);
        return NULL;
    }
    mine = ring;
    return ring;
}

struct log_ring *log_ring_all(void)
{
    return atomic_load_explicit(&newest, memory_order_acquire);
}

/** The place of a line's head in the ring. */
static struct head *head_at(struct log_ring *ring, uint64_t at)
{
    return (struct head *)(void *)&ring->bytes[at % LOG_RING_BYTES];
}

static uint64_t end_of(uint64_t at, size_t length)
{
    size_t units = (length + LOG_RING_UNIT_BYTES - 1) / LOG_RING_UNIT_BYTES;
    return at + sizeof(struct head) + units * LOG_RING_UNIT_BYTES;
}

/** How much of `length` bytes from `at` on lies before the ring's end. */
static size_t before_end(uint64_t at, size_t length)
{
    size_t left = LOG_RING_BYTES - at % LOG_RING_BYTES;
    return length < left ? length : left;
}

bool log_ring_put(struct log_ring *ring, int64_t time_us, const char *line, size_t length,
                  size_t *ret_used)
{
    uint64_t at = atomic_load_explicit(&ring->written, memory_order_relaxed);
    uint64_t end = end_of(at, length);
    if (end - ring->read_before > LOG_RING_LOOK_BYTES)
        ring->read_before = atomic_load_explicit(&ring->read, memory_order_acquire);
    if (end - ring->read_before > LOG_RING_BYTES) {
        uint64_t dropped = atomic_load_explicit(&ring->dropped, memory_order_relaxed);
        atomic_store_explicit(&ring->dropped, dropped + 1, memory_order_relaxed);
        *ret_used = at - ring->read_before;
        return false;
    }
    *head_at(ring, at) = (struct head){.time_us = time_us, .length = length};
    uint64_t text = at + sizeof(struct head);
    size_t first = before_end(text, length);
    memcpy(&ring->bytes[text % LOG_RING_BYTES], line, first);
    memcpy(ring->bytes, line + first, length - first);
    *ret_used = end - ring->read_before;
    atomic_store(&ring->written, end); /* sequentially consistent: see log_writer.c */
    return true;
}

bool log_ring_begin(struct log_ring *ring)
{
    ring->until = atomic_load(&ring->written); /* so is this */
    return log_ring_is_unread(ring);
}

bool log_ring_is_unread(const struct log_ring *ring)
{
    return ring->until != atomic_load_explicit(&ring->read, memory_order_relaxed);
}

int64_t log_ring_time(struct log_ring *ring)
{
    return head_at(ring, atomic_load_explicit(&ring->read, memory_order_relaxed))->time_us;
}

size_t log_ring_take(struct log_ring *ring, char *ret_line)
{
    uint64_t at = atomic_load_explicit(&ring->read, memory_order_relaxed);
    size_t length = head_at(ring, at)->length;
    uint64_t text = at + sizeof(struct head);
    size_t first = before_end(text, length);
    memcpy(ret_line, &ring->bytes[text % LOG_RING_BYTES], first);
    memcpy(ret_line + first, ring->bytes, length - first);
    atomic_store_explicit(&ring->read, end_of(at, length), memory_order_release);
    return length;
}
