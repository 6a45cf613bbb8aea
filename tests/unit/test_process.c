/* What /metrics says of the process itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "metrics/metrics.h"
#include "metrics/process.h"

enum { STACK_BYTES = 256 * 1024 };

static int start(void **state)
{
    (void)state;
    static const char *const names[] = {"a"};
    struct metric_values values[METRIC_SETS];
    for (int set = 0; set < METRIC_SETS; set++)
        values[set] = (struct metric_values){names, COUNT_OF(names)};
    metrics_start(values);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    metrics_stop();
    return 0;
}

static double asked(enum metric metric)
{
    AUTO_READING struct metrics_reading *reading = metrics_read();
    process_read(reading);
    return metrics_value(reading, metric, 0, 0);
}

static double work_until(double cpu_seconds)
{
    double now;
    while ((now = (double)clock() / CLOCKS_PER_SEC) < cpu_seconds)
        continue;
    return now;
}

static void what_is_said_of_the_process_is_so(void **state)
{
    (void)state;
    double pages = asked(METRIC_PROCESS_RESIDENT) / (double)sysconf(_SC_PAGESIZE);
    assert_true(pages == floor(pages) && pages > 100 && pages < 1e7);
    assert_true(asked(METRIC_PROCESS_VIRTUAL) >= asked(METRIC_PROCESS_RESIDENT));
    double began = asked(METRIC_PROCESS_START), now = (double)time(NULL);
    assert_true(began > now - 600 && began < now + 5);
    assert_true(asked(METRIC_PROCESS_FDS_MAX) >= asked(METRIC_PROCESS_FDS));

    double before = asked(METRIC_PROCESS_FDS);
    int descriptor = dup(STDERR_FILENO);
    assert_true(asked(METRIC_PROCESS_FDS) == before + 1);
    close(descriptor);
    assert_true(asked(METRIC_PROCESS_FDS) == before);

    double worked = work_until(asked(METRIC_PROCESS_CPU) + 0.1);
    double counted = asked(METRIC_PROCESS_CPU);
    assert_true(counted > worked - 0.05 && counted < worked + 0.5);
}

static void *end_at_once(void *context)
{
    return context;
}

static void *wait_twice(void *context)
{
    pthread_barrier_wait(context);
    pthread_barrier_wait(context);
    return NULL;
}

static void threads_are_counted(void **state)
{
    (void)state;
    pthread_barrier_t both;
    pthread_t thread;
    /* With the first one ThreadSanitizer starts one of its own. */
    assert_int_equal(thread_start(&thread, STACK_BYTES, end_at_once, NULL), 0);
    pthread_join(thread, NULL);
    double before = asked(METRIC_PROCESS_THREADS);
    pthread_barrier_init(&both, NULL, 2);
    assert_int_equal(thread_start(&thread, STACK_BYTES, wait_twice, &both), 0);
    pthread_barrier_wait(&both);
    /* One that has ended may be seen a moment longer, but none has been started beside ours. */
    assert_true(asked(METRIC_PROCESS_THREADS) >= 2);
    assert_true(asked(METRIC_PROCESS_THREADS) <= before + 1);
    pthread_barrier_wait(&both);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_of_the_process_is_so),
        cmocka_unit_test(threads_are_counted),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
