/*
 * What the pool costs: jobs that do nothing.
 *
 *     pool_bench [ROUNDS]
 *
 * Prints lines of `name value unit`: the cost of borrowing and giving back for one worker with a
 * line before it, and the way from pool_submit() to the job and back for 1 and for 64 threads, each
 * of which submits a job and waits for it. Median of the rounds.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "store/pool.h"

enum { LINE_JOBS = 100000, TURNS = 2000, THREADS_MAX = 64, ROUNDS_MAX = 101, STACK_BYTES = 65536 };

struct work {
    struct pool_job job; /* first */
    struct bench *bench;
    bool is_done; /* guarded by `lock` */
    pthread_mutex_t lock;
    pthread_cond_t done;
};

struct bench {
    struct pool *pool;
    struct work *line; /* LINE_JOBS */
    atomic_int left;
    _Atomic int64_t began_ns, ended_ns;
    pthread_mutex_t gate; /* held while the line is filled */
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void must(enum status status)
{
    if (status != OK)
        abort();
}

static void submit(struct bench *bench, struct work *work)
{
    struct err err;
    work->job.deadline_ms = clock_monotonic_ms() + 600 * 1000;
    work->job.label = "bench";
    work->bench = bench;
    must(pool_submit(bench->pool, &work->job, &err));
}

/* One worker, a line that is there already */

static void wait_for_gate(struct pool_job *job, struct db *db, enum status status,
                          const struct err *err)
{
    struct bench *bench = ((struct work *)job)->bench;
    (void)db, (void)err;
    must(status);
    pthread_mutex_lock(&bench->gate);
    pthread_mutex_unlock(&bench->gate);
    atomic_store(&bench->began_ns, now_ns());
}

static void count_down(struct pool_job *job, struct db *db, enum status status,
                       const struct err *err)
{
    struct bench *bench = ((struct work *)job)->bench;
    (void)db, (void)err;
    must(status);
    if (atomic_fetch_sub(&bench->left, 1) == 1)
        atomic_store(&bench->ended_ns, now_ns());
}

static double line_ns(struct bench *bench)
{
    struct work first = {.job = {.run = wait_for_gate}};
    atomic_store(&bench->left, LINE_JOBS);
    atomic_store(&bench->ended_ns, 0);
    pthread_mutex_lock(&bench->gate);
    submit(bench, &first);
    for (int i = 0; i < LINE_JOBS; i++) {
        bench->line[i] = (struct work){.job = {.run = count_down}};
        submit(bench, &bench->line[i]);
    }
    pthread_mutex_unlock(&bench->gate);
    while (atomic_load(&bench->ended_ns) == 0)
        usleep(1000);
    return (double)(atomic_load(&bench->ended_ns) - atomic_load(&bench->began_ns)) / LINE_JOBS;
}

/* Threads that wait for their jobs */

static void tell(struct pool_job *job, struct db *db, enum status status, const struct err *err)
{
    struct work *work = (struct work *)job;
    (void)db, (void)err;
    must(status);
    pthread_mutex_lock(&work->lock);
    work->is_done = true;
    pthread_cond_signal(&work->done);
    pthread_mutex_unlock(&work->lock);
}

static void *take_turns(void *context)
{
    struct bench *bench = context;
    struct work work = {.job = {.run = tell}};
    pthread_mutex_init(&work.lock, NULL);
    pthread_cond_init(&work.done, NULL);
    for (int i = 0; i < TURNS; i++) {
        work.is_done = false;
        submit(bench, &work);
        pthread_mutex_lock(&work.lock);
        while (!work.is_done)
            pthread_cond_wait(&work.done, &work.lock);
        pthread_mutex_unlock(&work.lock);
    }
    pthread_cond_destroy(&work.done);
    pthread_mutex_destroy(&work.lock);
    return NULL;
}

/** Time of all, divided by the number of jobs. */
static double turns_us(struct bench *bench, int threads)
{
    pthread_t ids[THREADS_MAX];
    int64_t began_ns = now_ns();
    for (int i = 0; i < threads; i++)
        if (thread_start(&ids[i], STACK_BYTES, take_turns, bench) != 0)
            abort();
    for (int i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    return (double)(now_ns() - began_ns) / 1000 / (TURNS * threads);
}

/* Rounds */

static int by_value(const void *left, const void *right)
{
    const double *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return values[count / 2];
}

static struct pool *make_pool(struct database *database, unsigned max_open)
{
    struct pool_settings settings = pool_usual("bench", max_open);
    struct pool *pool;
    struct err err;
    settings.max_waiting = 2 * LINE_JOBS;
    must(pool_new(database, &settings, &pool, &err));
    return pool;
}

static void measure(struct database *database, int rounds)
{
    static double line[ROUNDS_MAX], alone[ROUNDS_MAX], crowd[ROUNDS_MAX];
    struct bench narrow = {.pool = make_pool(database, 1)},
                 wide = {.pool = make_pool(database, 10)};
    narrow.line = mem_zalloc(LINE_JOBS, sizeof *narrow.line);
    pthread_mutex_init(&narrow.gate, NULL);
    for (int i = 0; i < rounds; i++) {
        line[i] = line_ns(&narrow);
        alone[i] = turns_us(&wide, 1);
        crowd[i] = turns_us(&wide, THREADS_MAX);
    }
    struct pool_statistics now;
    pool_statistics(wide.pool, &now);
    printf("borrow_and_give_uncontended %.0f ns\n", median(line, rounds));
    printf("submit_and_hear_1_thread %.2f us\n", median(alone, rounds));
    printf("submit_and_hear_64_threads %.2f us\n", median(crowd, rounds));
    printf("submit_and_hear_64_threads_mean_wait_in_line %.1f us\n",
           (double)now.wait.total_us / (double)now.wait.count);
    pool_free(narrow.pool);
    pool_free(wide.pool);
    pthread_mutex_destroy(&narrow.gate);
    free(narrow.line);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 9;
    char folder[] = "/tmp/openrisk-bench-XXXXXX";
    struct database *database;
    struct err err;
    if (rounds < 1 || rounds > ROUNDS_MAX || !mkdtemp(folder))
        return 2;
    AUTO_FREE char *path = mem_format("%s/bench.db", folder);
    AUTO_FREE char *url = mem_format("sqlite:%s", path);
    must(database_new(url, &database, &err));
    measure(database, rounds);
    database_free(database);
    unlink(path);
    rmdir(folder);
    return 0;
}
