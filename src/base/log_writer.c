/*
 * The log of a server is written by a thread of its own.
 *
 * The problem. An event loop must never wait, and write(2) on standard error may: whoever reads it
 * (journald, a container's runtime, a shell's pipe) can be slow, be stopped, or hang on a full disk
 * itself. Then a pipe holds 64 KiB, and the next line stops every thread that has something to say.
 * An outage makes the most lines, and the log would make it worse.
 *
 * The choice. Each thread that logs has a ring (log_ring.h), into which it copies the line that it
 * has formatted: no lock, no line of cache that two producers share. If the ring is full the line
 * is dropped and counted. The writer goes over all rings in passes: it notes how far each is
 * filled, then takes their lines in the order of their times, and writes many with one call. So
 * lines of one pass are in order; one that was still being formatted when a pass began may come
 * after younger ones of other threads. Lines of one thread never overtake each other.
 *
 * Waking. A producer makes no system call while the writer is awake, and also not while it dozes:
 * after each pass that found something it rests for DOZE_MS, so that lines gather, and then looks
 * again. Only if a ring is a quarter full it is called sooner. A writer that found nothing says
 * that it sleeps, looks once more at all rings, and then waits for its eventfd. No call is lost,
 * because
 *
 *     a producer  stores `written`,        then loads `state`;
 *     the writer  stores `state` = ASLEEP, then loads every `written`;
 *
 * and all four are sequentially consistent, so there is one order of them: if the producer's load
 * comes before the writer's store, then its own store does too, and the writer's look sees the
 * line. Else the producer sees ASLEEP, and calls. (The same by fences would be Dekker's; TSan does
 * not know these, and on x86-64 both are one locked instruction.) Several producers may see ASLEEP;
 * whoever changes it to AWAKE makes the call. A ring that is new is found in the list if its line
 * is: it is pushed before the line is put. A call for a writer that woke by itself meanwhile wakes
 * it once for nothing.
 *
 * Waiting. The writer waits in poll(2) for room, together with the eventfd, and then writes at most
 * PIPE_BUF, which goes into a pipe with room as one piece: so it does not wait in write(2), where
 * nobody could call it, and its lines are not mixed with those of other processes on the same pipe.
 * A file takes all at once. If another process fills the pipe between the two calls, or a terminal
 * is stopped, it waits in write(2) all the same; log_stop() then leaves without it.
 *
 * Rejected. A mutex around a buffer: who holds it may be descheduled, and an event loop waits for
 * that. One ring for all with atomic positions: every line would move a line of cache between the
 * processors, and a producer that stops in the middle stops the reader. O_NONBLOCK: it belongs to
 * the open file, which other processes share (a shell, a supervisor), and would break their writes.
 * syslog(3): a socket with the same trouble, a lock inside, and no structure; whoever wants the
 * journal gets it from standard error. Formatting in the writer: texts would have to be copied
 * anyway, and are shorter as a line.
 *
 * A process that aborts loses what was put in the last DOZE_MS; what it says about itself (an
 * assertion, no memory) goes past this, directly to standard error.
 */
#include "base/log_writer.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_line.h"
#include "base/log_ring.h"
#include "base/mem.h"
#include "base/thread.h"

enum {
    BATCH_BYTES = 64 << 10,
    DOZE_MS = 2,
    PAUSE_MS = 10, /* if there is room but not enough */
    STACK_BYTES = 64 << 10,
    END_SLACK_MS = 100, /* for the writer to notice that its time is over */
};

enum state { AWAKE, DOZING, ASLEEP };

/* There is one standard error, so there is one of this. */
static struct {
    atomic_bool is_on;   /* producers put lines into their rings */
    _Atomic int state;   /* enum state */
    int bell;            /* an eventfd; stays open, since a late producer may still ring it */
    atomic_bool stops;   /* from now on … */
    int64_t deadline_ms; /* … this counts; set before `stops` */
    _Atomic uint64_t written, failed; /* lines; what had no room is counted by its ring */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool has_ended; /* guarded by `lock`, told by `changed` */
    /* Of whoever starts and stops it. */
    pthread_t thread;
    bool is_lost; /* it hangs in write(2): there will be no other */
    /* The thread's own. */
    uint64_t told;      /* how many were dropped, by log_dropped */
    size_t piece_bytes; /* of one write(2) */
    bool works;         /* the last write(2) did */
    bool is_torn;       /* a line was begun that could not be ended */
    size_t length;      /* of the batch */
    char batch[BATCH_BYTES];
} writer = {.bell = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

static uint64_t dropped_so_far(void)
{
    uint64_t count = atomic_load_explicit(&writer.failed, memory_order_relaxed);
    for (const struct log_ring *ring = log_ring_all(); ring; ring = ring->next)
        count += atomic_load_explicit(&ring->dropped, memory_order_relaxed);
    return count;
}

struct log_statistics log_statistics(void)
{
    struct log_statistics now = {.written = atomic_load(&writer.written),
                                 .dropped = dropped_so_far()};
    for (const struct log_ring *ring = log_ring_all(); ring; ring = ring->next)
        now.rings++;
    return now;
}

static void ring_bell(void)
{
    ssize_t written = write(writer.bell, &(uint64_t){1}, sizeof(uint64_t));
    (void)written; /* it fails if it has been rung 2⁶⁴ times, and then it is heard */
}

static void hush_bell(void)
{
    uint64_t times;
    ssize_t length = read(writer.bell, &times, sizeof times);
    (void)length; /* nobody may have rung */
}

/* Producers */

static void write_at_once(const char *line, size_t length)
{
    bool is_written = write(STDERR_FILENO, line, length) == (ssize_t)length;
    atomic_fetch_add_explicit(is_written ? &writer.written : &writer.failed, 1,
                              memory_order_relaxed);
}

void log_writer_put(int64_t time_us, const char *line, size_t length)
{
    if (!atomic_load_explicit(&writer.is_on, memory_order_acquire)) {
        write_at_once(line, length);
        return;
    }
    size_t used;
    struct log_ring *ring = log_ring_mine();
    if (!ring) {
        atomic_fetch_add_explicit(&writer.failed, 1, memory_order_relaxed);
        return;
    }
    if (!log_ring_put(ring, time_us, line, length, &used))
        used = LOG_RING_BYTES;
    int state = atomic_load(&writer.state);
    bool is_call = state == ASLEEP || (state == DOZING && used >= LOG_RING_LOOK_BYTES);
    if (is_call && atomic_compare_exchange_strong(&writer.state, &state, AWAKE))
        ring_bell();
}

/* Writing */

static size_t lines_in(const char *bytes, size_t length)
{
    size_t count = 0;
    const char *end = bytes + length;
    while ((bytes = memchr(bytes, '\n', (size_t)(end - bytes)))) {
        count++;
        bytes++;
    }
    return count;
}

/** Until standard error takes something, or says why not. False: the time of log_stop() is over. */
static bool wait_for_room(void)
{
    struct pollfd fds[] = {{.fd = STDERR_FILENO, .events = POLLOUT},
                           {.fd = writer.bell, .events = POLLIN}};
    while (!atomic_load(&writer.stops)) {
        int count = poll(fds, COUNT_OF(fds), -1);
        if (count > 0 && fds[1].revents)
            hush_bell();
        if (count > 0 && fds[0].revents)
            return true;
    }
    int64_t left_ms = writer.deadline_ms - clock_monotonic_ms();
    return left_ms > 0 && poll(fds, 1, left_ms < INT_MAX ? (int)left_ms : INT_MAX) > 0;
}

/** The first lines, as many as make a piece; of a longer line its beginning. */
static size_t piece_of(const char *bytes, size_t length)
{
    if (length <= writer.piece_bytes)
        return length;
    size_t end = writer.piece_bytes;
    while (end > 0 && bytes[end - 1] != '\n')
        end--;
    return end > 0 ? end : writer.piece_bytes;
}

/** Returns how much was written. */
static size_t write_out(const char *bytes, size_t length)
{
    size_t done = 0;
    while (done < length && wait_for_room()) {
        ssize_t count = write(STDERR_FILENO, bytes + done, piece_of(bytes + done, length - done));
        if (count >= 0)
            done += (size_t)count;
        else if (errno == EAGAIN) /* somebody has made it non-blocking */
            poll(NULL, 0, PAUSE_MS);
        else if (errno != EINTR)
            break;
    }
    writer.works = done == length;
    if (done > 0)
        writer.is_torn = bytes[done - 1] != '\n';
    return done;
}

static void write_batch(void)
{
    size_t done = 0;
    if (writer.length == 0)
        return;
    if (!writer.is_torn || write_out("\n", 1) == 1)
        done = write_out(writer.batch, writer.length);
    size_t lines = lines_in(writer.batch, done);
    size_t left = lines_in(writer.batch + done, writer.length - done);
    atomic_fetch_add_explicit(&writer.written, lines, memory_order_relaxed);
    atomic_fetch_add_explicit(&writer.failed, left, memory_order_relaxed);
    writer.length = 0;
}

/** Not counted as dropped itself if it cannot be written: it is said the next time. */
static void tell_drops(void)
{
    uint64_t dropped = dropped_so_far();
    if (!writer.works || dropped == writer.told || !log_enabled(LOG_WARN))
        return;
    const struct log_entry entry = {.time_us = clock_now_us(),
                                    .level = LOG_WARN,
                                    .event = "log_dropped",
                                    .items = &LOG_INT("lines", (int64_t)(dropped - writer.told)),
                                    .count = 1};
    size_t length = log_line(log_format(), &entry, writer.batch);
    if (write_out(writer.batch, length) < length)
        return;
    atomic_fetch_add_explicit(&writer.written, 1, memory_order_relaxed);
    writer.told = dropped;
}

/* The thread */

/** Those rings in which there is something, as a list. */
static struct log_ring *begin_pass(void)
{
    struct log_ring *unread = NULL;
    for (struct log_ring *ring = log_ring_all(); ring; ring = ring->next) {
        if (!log_ring_begin(ring))
            continue;
        ring->next_unread = unread;
        unread = ring;
    }
    return unread;
}

/** Write what was there when it began, the oldest line first. False: there was nothing. */
static bool pass(void)
{
    struct log_ring *unread = begin_pass();
    bool found = unread;
    while (unread) {
        struct log_ring **oldest = &unread;
        for (struct log_ring **at = &unread->next_unread; *at; at = &(*at)->next_unread)
            if (log_ring_time(*at) < log_ring_time(*oldest))
                oldest = at;
        if (BATCH_BYTES - writer.length < LOG_LINE_MAX_BYTES)
            write_batch();
        writer.length += log_ring_take(*oldest, writer.batch + writer.length);
        if (!log_ring_is_unread(*oldest))
            *oldest = (*oldest)->next_unread;
    }
    write_batch();
    return found;
}

/** Let lines gather; or, asleep, wait for one. */
static void rest(enum state state)
{
    struct pollfd bell = {.fd = writer.bell, .events = POLLIN};
    atomic_store(&writer.state, state);
    if ((state == DOZING || !begin_pass()) && poll(&bell, 1, state == DOZING ? DOZE_MS : -1) > 0)
        hush_bell();
    atomic_store(&writer.state, AWAKE);
}

static void *run(void *context)
{
    while (!atomic_load(&writer.stops)) {
        bool found = pass();
        tell_drops();
        rest(found ? DOZING : ASLEEP);
    }
    while (pass())
        continue;
    tell_drops();
    pthread_mutex_lock(&writer.lock);
    writer.has_ended = true;
    pthread_cond_signal(&writer.changed);
    pthread_mutex_unlock(&writer.lock);
    return context;
}

enum status log_start(struct err *err)
{
    struct stat target;
    assert(!atomic_load(&writer.is_on));
    if (writer.bell < 0)
        writer.bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (writer.bell < 0 || writer.is_lost)
        return err_set(err, UNAVAILABLE, NULL, "the log cannot have a thread of its own");
    bool is_file = fstat(STDERR_FILENO, &target) == 0 && S_ISREG(target.st_mode);
    writer.piece_bytes = is_file ? BATCH_BYTES : PIPE_BUF;
    writer.told = dropped_so_far();
    writer.works = true;
    writer.has_ended = false;
    atomic_store(&writer.stops, false);
    thread_condition_init(&writer.changed);
    int failed = thread_start(&writer.thread, STACK_BYTES, run, NULL);
    if (failed)
        return err_set(err, UNAVAILABLE, NULL, "the log cannot have a thread of its own: %s",
                       strerror(failed));
    atomic_store(&writer.is_on, true);
    return OK;
}

void log_stop(int64_t deadline_ms)
{
    if (!atomic_load(&writer.is_on))
        return;
    atomic_store(&writer.is_on, false);
    writer.deadline_ms = deadline_ms;
    atomic_store(&writer.stops, true);
    ring_bell();
    struct timespec end = thread_deadline(deadline_ms + END_SLACK_MS);
    int failed = 0;
    pthread_mutex_lock(&writer.lock);
    while (!writer.has_ended && failed == 0)
        failed = pthread_cond_timedwait(&writer.changed, &writer.lock, &end);
    writer.is_lost = !writer.has_ended;
    pthread_mutex_unlock(&writer.lock);
    if (writer.is_lost) {
        pthread_detach(writer.thread);
        return;
    }
    pthread_join(writer.thread, NULL);
    pthread_cond_destroy(&writer.changed);
}
