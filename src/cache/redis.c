/*
 * One thread does everything that touches the connection, with poll(2) and hiredis without waiting
 * (cache/redis_wire.h). All others put questions and writes into two queues, and ring.
 *
 * Why one connection and one thread: Redis answers in order, and a pipeline of many questions costs
 * it and us less than as many connections. What one slow answer holds up is limited by the limit of
 * 50 ms, behind which there is the load that would have been made without Redis.
 *
 * A question's time counts from redis_get(). When it is over, who asked is told at once, and the
 * question stays in the line without an owner ("late"), so that its answer, when it comes, is given
 * to nobody. Late answers do not count as answers: a Redis that takes 200 ms for everything does
 * not serve, and the breaker stays open, as the probe has the same limit.
 *
 * Reads go first. Writes wait in their queue until there is room on the wire: no more than
 * WIRE_WRITES_BYTES are unanswered at a time, which bounds what a read finds before it. They are
 * packed on this thread just before they are sent, a few at a time (TURN_BYTES), between which
 * reads are sent and answers taken.
 *
 * Failures, for the breaker: a read out of time, a read answered with an error, a connection that
 * cannot be opened or is lost, a handshake or a probe that is refused or late, and silence: the
 * oldest question, whoever waits for it, has had no answer for SILENCE_MS. The last is what notices
 * a Redis that is written to only. A write that Redis refuses (full, read-only) is counted and is
 * no failure, nor is it a success: reads go on. A connection that Redis closes while nothing is
 * under way, after it stood for long, is its setting `timeout`; it is opened again, and is no
 * failure.
 *
 * Whatever is lost with a connection has failed, also what was still queued; so there is nothing to
 * keep in order from one connection to the next, and queues are empty whenever `takes` is false.
 *
 * The connection: AWAY → CONNECTING → GREETING (user and password, database) → PROBING (PING, to be
 * answered within the limit of reads) → READY; from everywhere back to AWAY. While the breaker is
 * open it stays AWAY; otherwise the next try is made at once. The probe of the half open breaker is
 * this way to READY.
 *
 * Names are looked up by getaddrinfo(3), which waits, for seconds if a name server is away. Nothing
 * is under way then, and nothing is taken; redis_end() waits for it too. Of several addresses the
 * first that does not refuse at once is taken, IPv4 before IPv6.
 *
 * Locks: `lock` guards the queues, `woken`, `stopping`, `late` and the statistics, and `takes` is
 * changed under it, so that nothing can enter a queue which nobody empties; it is also read
 * without, so that a refusal costs nothing. What follows in the struct is the thread's alone.
 * Callbacks are called without the lock. Inside them the owner may ask and write again.
 */
#include "cache/redis.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/thread.h"
#include "cache/redis_internal.h"

enum { STACK_BYTES = 256 * 1024, KEY_MAX_BYTES = 1024 };

const char *const redis_command_names[] = {"get", "set", NULL};

struct redis_settings redis_usual(void)
{
    return (struct redis_settings){
        .limit_ms = 50,
        .connect_limit_ms = 500,
        .reads_max = 4096,
        .writes_max = 4096,
        .writes_max_bytes = 16 * 1024 * 1024,
        .value_max_bytes = 1024 * 1024 + 64 * 1024,
        .breaker = {.failures = 5,
                    .open_min_ms = 1000,
                    .open_max_ms = 8000,
                    .jitter_hundredths = 20},
    };
}

static void ring(struct redis *redis)
{
    uint64_t once = 1;
    ssize_t written = write(redis->bell, &once, sizeof once);
    (void)written; /* it can only be full, and then it rings */
}

bool redis_get(struct redis *redis, struct redis_read *read)
{
    bool is_asked = false, wakes = false;
    if (atomic_load_explicit(&redis->takes, memory_order_relaxed)) {
        pthread_mutex_lock(&redis->lock);
        struct redis_statistics *statistics = &redis->statistics;
        is_asked = atomic_load(&redis->takes) &&
                   statistics->reading + redis->late < redis->settings.reads_max;
        if (is_asked) {
            read->next = NULL;
            read->deadline_ms = clock_monotonic_ms() + redis->settings.limit_ms;
            *redis->reads_end = read;
            redis->reads_end = &read->next;
            statistics->gets++;
            statistics->reading++;
            wakes = !redis->woken;
            redis->woken = true;
        }
        pthread_mutex_unlock(&redis->lock);
    }
    if (!is_asked)
        atomic_fetch_add_explicit(&redis->refused, 1, memory_order_relaxed);
    if (wakes)
        ring(redis);
    return is_asked;
}

bool redis_set(struct redis *redis, struct redis_write *write)
{
    if (!atomic_load_explicit(&redis->takes, memory_order_relaxed))
        return false;
    pthread_mutex_lock(&redis->lock);
    struct redis_statistics *statistics = &redis->statistics;
    size_t room = redis->settings.writes_max_bytes - statistics->writing_bytes;
    bool takes = atomic_load(&redis->takes);
    bool is_taken =
        takes && statistics->writing < redis->settings.writes_max && write->bytes <= room;
    if (is_taken) {
        write->next = NULL;
        *redis->writes_end = write;
        redis->writes_end = &write->next;
        statistics->writing++;
        statistics->writing_bytes += write->bytes;
    } else if (takes)
        statistics->dropped++;
    bool wakes = is_taken && !redis->woken;
    redis->woken |= wakes;
    pthread_mutex_unlock(&redis->lock);
    if (wakes)
        ring(redis);
    return is_taken;
}

void redis_statistics(struct redis *redis, struct redis_statistics *ret_statistics)
{
    pthread_mutex_lock(&redis->lock);
    *ret_statistics = redis->statistics;
    pthread_mutex_unlock(&redis->lock);
    ret_statistics->refused = atomic_load_explicit(&redis->refused, memory_order_relaxed);
}

static char *copy_or_null(const char *text)
{
    return text ? mem_strdup(text) : NULL;
}

static void redis_free(struct redis *redis)
{
    close(redis->bell);
    pthread_mutex_destroy(&redis->lock);
    wire_release(&redis->wire);
    buf_release(&redis->key);
    buf_release(&redis->value);
    free((char *)redis->settings.address.host);
    free((char *)redis->settings.address.user);
    free((char *)redis->settings.address.password);
    free(redis);
}

enum status redis_start(const struct redis_settings *settings, struct redis **ret_redis,
                        struct err *err)
{
    struct redis *redis = mem_zalloc(1, sizeof *redis);
    redis->settings = *settings;
    redis->settings.address.host = mem_strdup(settings->address.host);
    redis->settings.address.user = copy_or_null(settings->address.user);
    redis->settings.address.password = copy_or_null(settings->address.password);
    pthread_mutex_init(&redis->lock, NULL);
    redis->reads_end = &redis->reads;
    redis->writes_end = &redis->writes;
    wire_init(&redis->wire, settings->value_max_bytes);
    buf_init(&redis->key, KEY_MAX_BYTES);
    buf_init(&redis->value, settings->value_max_bytes);
    uint64_t seed;
    id_random(&seed, sizeof seed);
    breaker_init(&redis->breaker, &settings->breaker, seed);
    redis->statistics.state = redis->breaker.state;
    redis->statistics.since_ms = clock_monotonic_ms();
    redis->statistics.used_bytes = redis->statistics.max_bytes = -1;
    redis->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int failure = redis->bell < 0
                      ? errno
                      : thread_start(&redis->thread, STACK_BYTES, redis_thread_run, redis);
    if (failure == 0) {
        *ret_redis = redis;
        return OK;
    }
    redis_free(redis);
    return err_set(err, INTERNAL, NULL, "the thread for Redis cannot be started: %s",
                   strerror(failure));
}

void redis_end(struct redis *redis)
{
    if (!redis || redis->stopping)
        return;
    pthread_mutex_lock(&redis->lock);
    redis->stopping = true;
    pthread_mutex_unlock(&redis->lock);
    ring(redis);
    pthread_join(redis->thread, NULL);
}

void redis_stop(struct redis *redis)
{
    redis_end(redis);
    if (redis)
        redis_free(redis);
}
