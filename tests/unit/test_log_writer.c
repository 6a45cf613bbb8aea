/* The log's rings and its writer: nobody waits, and every line is written or counted. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

enum { PATIENCE_MS = 30000, THREADS = 8, PIPE_BYTES = 4096, TEXT_BYTES = 64 << 20 };

/** Standard error is a pipe, of which a thread keeps what it is let read. */
struct tap {
    int saved, out, in;
    pthread_t reader;
    bool reads;
    struct buf text; /* the reader's until it is joined */
    struct log_statistics before;
};

static void tap_begin(struct tap *tap)
{
    int ends[2];
    *tap = (struct tap){.saved = dup(STDERR_FILENO), .before = log_statistics()};
    assert_int_equal(pipe(ends), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES) >= 0);
    tap->in = ends[0];
    tap->out = ends[1];
    assert_true(dup2(tap->out, STDERR_FILENO) >= 0);
    buf_init(&tap->text, TEXT_BYTES);
}

static void start_log(void)
{
    struct err err;
    err_init(&err);
    assert_int_equal(log_start(&err), OK);
}

static void stop_log(void)
{
    log_stop(clock_monotonic_ms() + PATIENCE_MS);
}

static void *keep_reading(void *context)
{
    struct tap *tap = context;
    char bytes[PIPE_BYTES];
    for (ssize_t length; (length = read(tap->in, bytes, sizeof bytes)) > 0;)
        buf_put(&tap->text, bytes, (size_t)length);
    return NULL;
}

static void tap_read(struct tap *tap)
{
    assert_int_equal(pthread_create(&tap->reader, NULL, keep_reading, tap), 0);
    tap->reads = true;
}

/** Standard error is as it was; what came through the pipe is in `text` now. */
static void tap_end(struct tap *tap)
{
    assert_true(dup2(tap->saved, STDERR_FILENO) >= 0);
    close(tap->saved);
    close(tap->out);
    if (tap->reads)
        pthread_join(tap->reader, NULL);
    close(tap->in);
}

static uint64_t written_since(const struct tap *tap)
{
    return log_statistics().written - tap->before.written;
}

static uint64_t dropped_since(const struct tap *tap)
{
    return log_statistics().dropped - tap->before.dropped;
}

static int64_t number_in(const char *line, const char *name)
{
    const char *at = strstr(line, name);
    assert_non_null(at);
    return strtoll(at + strlen(name), NULL, 10);
}

struct count {
    uint64_t lines, told; /* of the threads; drops, by lines of the writer */
};

/** Each line is whole, those of a thread are in order, and each is there once at most. */
static struct count check_lines(const struct buf *text)
{
    struct count count = {0};
    int64_t last[THREADS];
    memset(last, -1, sizeof last);
    assert_false(text->overflow);
    for (char *line = text->data, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        assert_non_null(end);
        *end = '\0';
        assert_memory_equal(line, "time=20", 7);
        if (strstr(line, " event=log_dropped ")) {
            assert_non_null(strstr(line, " level=warn "));
            count.told += (uint64_t)number_in(line, " lines=");
            continue;
        }
        int64_t thread = number_in(line, " thread="), number = number_in(line, " number=");
        assert_true(thread >= 0 && thread < THREADS && number > last[thread]);
        last[thread] = number;
        const char *fill = strstr(line, " fill=");
        assert_int_equal(strlen(fill), 6 + (size_t)number % 120 + 1);
        assert_int_equal(strspn(fill + 6, "x"), strlen(fill) - 6);
        count.lines++;
    }
    return count;
}

struct speaker {
    pthread_t thread;
    pthread_barrier_t *all_live; /* or NULL: each has a ring of its own; a ring may be full */
    int number;
    int lines;
};

static void say(int thread, int number)
{
    char fill[121];
    memset(fill, 'x', sizeof fill);
    fill[number % 120 + 1] = '\0';
    log_event(LOG_INFO, "said", LOG_INT("thread", thread), LOG_INT("number", number),
              LOG_TEXT("fill", fill));
}

static void *speak(void *context)
{
    const struct speaker *speaker = context;
    if (speaker->all_live)
        pthread_barrier_wait(speaker->all_live);
    for (int i = 0; i < speaker->lines; i++)
        say(speaker->number, i);
    if (speaker->all_live)
        pthread_barrier_wait(speaker->all_live);
    return NULL;
}

static void speak_all(int lines)
{
    pthread_barrier_t all_live;
    struct speaker speakers[THREADS];
    pthread_barrier_init(&all_live, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        speakers[i] = (struct speaker){.all_live = &all_live, .number = i, .lines = lines};
        assert_int_equal(pthread_create(&speakers[i].thread, NULL, speak, &speakers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(speakers[i].thread, NULL);
    pthread_barrier_destroy(&all_live);
}

static void each_line_arrives_whole_and_once_or_is_counted(void **state)
{
    (void)state;
    enum { LINES = 20000 };
    struct tap tap;
    tap_begin(&tap);
    tap_read(&tap);
    start_log();
    speak_all(LINES);
    stop_log();
    tap_end(&tap);
    struct count count = check_lines(&tap.text);
    assert_int_equal(count.lines + dropped_since(&tap), (uint64_t)THREADS * LINES);
    assert_int_equal(count.told, dropped_since(&tap));
    printf("# figure: %d threads x %d lines through a pipe of one page: %llu arrived, the others "
           "are counted\n",
           THREADS, LINES, (unsigned long long)count.lines);
    buf_release(&tap.text);
}

/** What no ring is too small for: nothing is dropped. */
static void a_few_lines_of_many_threads_all_arrive(void **state)
{
    (void)state;
    enum { LINES = 100, ROUNDS = 20 };
    for (int round = 0; round < ROUNDS; round++) {
        struct tap tap;
        tap_begin(&tap);
        tap_read(&tap);
        start_log();
        speak_all(LINES);
        stop_log();
        assert_int_equal(dropped_since(&tap), 0);
        assert_int_equal(written_since(&tap), THREADS * LINES);
        tap_end(&tap);
        assert_int_equal(check_lines(&tap.text).lines, THREADS * LINES);
        buf_release(&tap.text);
    }
}

static void nobody_waits_for_a_pipe_that_nobody_reads(void **state)
{
    (void)state;
    enum { LINES = 20000 };
    struct tap tap;
    tap_begin(&tap);
    start_log();
    speak_all(LINES); /* ends */
    uint64_t dropped = dropped_since(&tap);
    /* What the pipe, the writer and the rings hold, of lines of 80 bytes and more. */
    assert_true((uint64_t)THREADS * LINES - dropped < (4096 + 65536 + THREADS * 32768) / 80);
    tap_read(&tap);
    stop_log();
    assert_int_equal(dropped_since(&tap), dropped);
    tap_end(&tap);
    struct count count = check_lines(&tap.text);
    assert_int_equal(count.lines, (uint64_t)THREADS * LINES - dropped);
    assert_int_equal(count.told, dropped);
    assert_int_equal(written_since(&tap), count.lines + 1); /* and the one that tells */
    buf_release(&tap.text);
}

/** The rings of two threads that speak in turn, while the writer is kept from looking. */
struct turns {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int next, last;
    int64_t last_us;
};

struct turn_taker {
    pthread_t thread;
    struct turns *turns;
    int number;
};

static void *take_turns(void *context)
{
    const struct turn_taker *taker = context;
    struct turns *turns = taker->turns;
    pthread_mutex_lock(&turns->lock);
    while (turns->next < turns->last) {
        if (turns->next % THREADS != taker->number) {
            pthread_cond_wait(&turns->changed, &turns->lock);
            continue;
        }
        while (clock_now_us() <= turns->last_us)
            continue;
        say(taker->number, turns->next++);
        turns->last_us = clock_now_us();
        pthread_cond_broadcast(&turns->changed);
    }
    pthread_mutex_unlock(&turns->lock);
    return NULL;
}

static void lines_come_in_the_order_of_their_times(void **state)
{
    (void)state;
    struct turns turns = {.lock = PTHREAD_MUTEX_INITIALIZER,
                          .changed = PTHREAD_COND_INITIALIZER,
                          .last = THREADS * 50};
    struct turn_taker takers[THREADS];
    struct tap tap;
    tap_begin(&tap);
    start_log();
    while (dropped_since(&tap) == 0) /* until the pipe, the writer and this ring are full */
        log_event(LOG_INFO, "filler", LOG_INT("a", 1));
    for (int i = 0; i < THREADS; i++) {
        takers[i] = (struct turn_taker){.turns = &turns, .number = i};
        assert_int_equal(pthread_create(&takers[i].thread, NULL, take_turns, &takers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(takers[i].thread, NULL);
    tap_read(&tap);
    stop_log();
    tap_end(&tap);
    int expected = 0;
    for (char *at = tap.text.data; (at = strstr(at, " event=said ")); at++)
        assert_int_equal(number_in(at, " number="), expected++);
    assert_int_equal(expected, turns.last);
    buf_release(&tap.text);
}

/** Does something come out within the time that a lost call would take for ever? */
static bool can_read(int file)
{
    return poll(&(struct pollfd){.fd = file, .events = POLLIN}, 1, PATIENCE_MS) == 1;
}

/** Lines that come about when the writer, which has dozed since the one before, falls asleep. */
static void a_writer_that_falls_asleep_misses_no_line(void **state)
{
    (void)state;
    enum { LINES = 2000, DOZE_US = 2000, SPREAD_US = 400 };
    uint64_t random = 88172645463325252u;
    struct tap tap;
    char bytes[PIPE_BYTES];
    tap_begin(&tap);
    start_log();
    for (int i = 0; i < LINES; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        int64_t until_us = clock_monotonic_us() + DOZE_US + (int64_t)(random % SPREAD_US);
        while (clock_monotonic_us() < until_us)
            continue;
        say(0, i);
        assert_true(can_read(tap.in));
        assert_true(read(tap.in, bytes, sizeof bytes) > 0);
    }
    stop_log();
    assert_int_equal(written_since(&tap), LINES);
    tap_end(&tap);
    buf_release(&tap.text);
}

static void a_thread_gives_its_ring_back(void **state)
{
    (void)state;
    enum { ROUNDS = 30 };
    struct tap tap;
    tap_begin(&tap);
    tap_read(&tap);
    start_log();
    speak_all(1);
    unsigned rings = log_statistics().rings;
    for (int i = 0; i < ROUNDS; i++) {
        struct speaker speaker = {.number = i % THREADS, .lines = 1};
        assert_int_equal(pthread_create(&speaker.thread, NULL, speak, &speaker), 0);
        pthread_join(speaker.thread, NULL);
    }
    assert_int_equal(log_statistics().rings, rings);
    assert_true(rings <= THREADS + 1); /* and this one's */
    stop_log();
    assert_int_equal(written_since(&tap), THREADS + ROUNDS);
    assert_int_equal(dropped_since(&tap), 0);
    tap_end(&tap);
    buf_release(&tap.text);
}

static void stopping_does_not_wait_for_a_pipe_that_nobody_reads(void **state)
{
    (void)state;
    enum { LINES = 1000, LIMIT_MS = 300 };
    struct tap tap;
    tap_begin(&tap);
    start_log();
    speak_all(LINES);
    int64_t began_ms = clock_monotonic_ms();
    log_stop(began_ms + LIMIT_MS);
    int64_t took_ms = clock_monotonic_ms() - began_ms;
    assert_true(took_ms >= LIMIT_MS && took_ms < LIMIT_MS + 10000);
    assert_int_equal(written_since(&tap) + dropped_since(&tap), THREADS * LINES);
    tap_read(&tap);
    tap_end(&tap);
    assert_int_equal(check_lines(&tap.text).lines, written_since(&tap));
    buf_release(&tap.text);
}

/** Standard error is `file`; what is said is dropped, and told when it is a pipe again. */
static void drops_and_tells(int file)
{
    enum { LINES = 50 };
    struct tap tap;
    tap_begin(&tap);
    if (file >= 0)
        dup2(file, STDERR_FILENO);
    else
        close(STDERR_FILENO);
    start_log();
    for (int i = 0; i < LINES; i++)
        say(0, i);
    int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (dropped_since(&tap) < LINES && clock_monotonic_ms() < end_ms)
        continue;
    assert_int_equal(dropped_since(&tap), LINES);
    assert_int_equal(written_since(&tap), 0);
    tap_read(&tap);
    dup2(tap.out, STDERR_FILENO);
    say(0, LINES);
    stop_log();
    tap_end(&tap);
    struct count count = check_lines(&tap.text);
    assert_int_equal(count.lines, 1);
    assert_int_equal(count.told, LINES);
    buf_release(&tap.text);
}

static void a_log_that_cannot_be_written_harms_nobody(void **state)
{
    (void)state;
    int ends[2], full = open("/dev/full", O_WRONLY);
    assert_true(full >= 0 && pipe(ends) == 0);
    close(ends[0]);
    drops_and_tells(full);    /* ENOSPC */
    drops_and_tells(ends[1]); /* EPIPE */
    drops_and_tells(-1);      /* EBADF */
    close(ends[1]);
    close(full);
}

/** A disk is full in the middle of a line: what comes later does not go on in that line. */
static void a_torn_line_ends_before_the_next(void **state)
{
    (void)state;
    enum { ROOM_BYTES = 200 };
    struct rlimit all, little;
    struct tap tap;
    FILE *file = tmpfile();
    char text[4096] = "";
    tap_begin(&tap);
    assert_true(file && dup2(fileno(file), STDERR_FILENO) >= 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
    little = (struct rlimit){.rlim_cur = ROOM_BYTES, .rlim_max = all.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    start_log();
    for (int i = 60; i < 63; i++)
        say(0, i);
    while (dropped_since(&tap) < 2)
        continue;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
    say(0, 63);
    stop_log();
    tap_end(&tap);
    assert_true(pread(fileno(file), text, sizeof text - 1, 0) > 0);
    fclose(file);
    assert_int_equal(dropped_since(&tap), 2);
    const char *second = strchr(text, '\n') + 1, *third = strchr(second, '\n') + 1,
               *fourth = strchr(third, '\n') + 1;
    assert_int_equal(number_in(text, " number="), 60);
    assert_int_equal(third - text, ROOM_BYTES + 1); /* the torn one */
    assert_memory_equal(third, "time=", 5);
    assert_int_equal(number_in(third, " number="), 63);
    assert_int_equal(number_in(fourth, " lines="), 2);
    buf_release(&tap.text);
}

/** It is shared with other processes, and any of them may have done it. */
static void a_pipe_that_does_not_block_is_waited_for(void **state)
{
    (void)state;
    enum { LINES = 500 };
    struct tap tap;
    tap_begin(&tap);
    assert_int_equal(fcntl(tap.out, F_SETFL, O_NONBLOCK), 0);
    start_log();
    for (int i = 0; i < 100; i++)
        say(0, i);
    for (int i = 100; i < LINES; i += 100) {
        assert_true(can_read(tap.in));
        for (int j = i; j < i + 100; j++)
            say(0, j);
    }
    tap_read(&tap);
    stop_log();
    tap_end(&tap);
    assert_int_equal(check_lines(&tap.text).lines + dropped_since(&tap), LINES);
    buf_release(&tap.text);
}

static double ns_per_line(int lines)
{
    int64_t began_us = clock_monotonic_us();
    for (int i = 0; i < lines; i++)
        say(0, i);
    return (double)(clock_monotonic_us() - began_us) * 1000 / lines;
}

static void what_a_line_costs(void **state)
{
    (void)state;
    enum { LINES = 150, ROUNDS = 40 }; /* fewer than a ring holds, so that none is dropped */
    struct tap tap;
    tap_begin(&tap);
    tap_read(&tap);
    double at_once = ns_per_line(LINES * ROUNDS), by_ring = 0;
    start_log();
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t before = written_since(&tap);
        by_ring += ns_per_line(LINES) / ROUNDS;
        while (written_since(&tap) < before + LINES)
            continue;
    }
    stop_log();
    assert_int_equal(dropped_since(&tap), 0);
    printf("# figure: a line of 180 bytes: %.0f ns written at once into a pipe, %.0f ns by a "
           "ring\n",
           at_once, by_ring);
    tap_end(&tap);
    buf_release(&tap.text);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_arrives_whole_and_once_or_is_counted),
        cmocka_unit_test(a_few_lines_of_many_threads_all_arrive),
        cmocka_unit_test(nobody_waits_for_a_pipe_that_nobody_reads),
        cmocka_unit_test(lines_come_in_the_order_of_their_times),
        cmocka_unit_test(a_writer_that_falls_asleep_misses_no_line),
        cmocka_unit_test(a_thread_gives_its_ring_back),
        cmocka_unit_test(stopping_does_not_wait_for_a_pipe_that_nobody_reads),
        cmocka_unit_test(a_log_that_cannot_be_written_harms_nobody),
        cmocka_unit_test(a_torn_line_ends_before_the_next),
        cmocka_unit_test(a_pipe_that_does_not_block_is_waited_for),
        cmocka_unit_test(what_a_line_costs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
