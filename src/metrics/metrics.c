#include "metrics/metrics.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "metrics/internal.h"

enum { CACHE_LINE_BYTES = 64 };

/** Written by one thread at a time, read by all. */
struct block {
    struct block *next; /* never changes once the block is on the list */
    atomic_bool is_taken;
    _Alignas(CACHE_LINE_BYTES) _Atomic uint64_t cells[];
};

/** `layout` does not change between start and stop. */
static struct {
    struct metrics_layout *layout;
    pthread_key_t gives_back;
    _Atomic(struct block *) blocks;
} all;

static _Thread_local struct block *mine;

/* The layout */

static size_t count_of(const struct metrics_layout *layout, enum metric_set set)
{
    return set == SET_NONE ? 1 : layout->values[set].count;
}

static size_t lay_out(struct metrics_layout *layout, bool asked_for, size_t next)
{
    for (int metric = 0; metric < METRICS; metric++) {
        const struct metric_row *row = &metric_table[metric];
        if (row->is_asked_for != asked_for)
            continue;
        layout->first[metric] = next;
        layout->width[metric] = row->kind == METRIC_HISTOGRAM ? row->bound_count + 2 : 1;
        next +=
            layout->width[metric] * count_of(layout, row->sets[0]) * count_of(layout, row->sets[1]);
    }
    return next;
}

const struct metrics_layout *metrics_layout(void)
{
    return all.layout;
}

size_t metrics_place(const struct metrics_layout *layout, enum metric metric, size_t first,
                     size_t second)
{
    const enum metric_set *sets = metric_table[metric].sets;
    size_t seconds = count_of(layout, sets[1]);
    assert(first < count_of(layout, sets[0]) && second < seconds);
    return layout->first[metric] + (first * seconds + second) * layout->width[metric];
}

size_t metrics_count_of(enum metric_set set)
{
    return all.layout ? count_of(all.layout, set) : 0;
}

/* Blocks */

static void give_back(void *block)
{
    atomic_store_explicit(&((struct block *)block)->is_taken, false, memory_order_release);
}

static struct block *take_old(void)
{
    struct block *block = atomic_load_explicit(&all.blocks, memory_order_acquire);
    for (; block; block = block->next) {
        bool taken = false;
        if (atomic_compare_exchange_strong_explicit(&block->is_taken, &taken, true,
                                                    memory_order_acquire, memory_order_relaxed))
            return block;
    }
    return NULL;
}

static struct block *make_new(void)
{
    size_t bytes = sizeof(struct block) + all.layout->counted * sizeof(uint64_t);
    struct block *block = mem_aligned(CACHE_LINE_BYTES, bytes);
    atomic_init(&block->is_taken, true);
    block->next = atomic_load_explicit(&all.blocks, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&all.blocks, &block->next, block,
                                                  memory_order_release, memory_order_relaxed))
        continue;
    return block;
}

/** NULL: it has no block yet, and then it gets one; or nothing is started. */
static struct block *block_of_thread(void)
{
    if (mine || !all.layout)
        return mine;
    mine = take_old();
    if (!mine)
        mine = make_new();
    pthread_setspecific(all.gives_back, mine);
    return mine;
}

size_t metrics_block_count(void)
{
    size_t count = 0;
    const struct block *block = atomic_load_explicit(&all.blocks, memory_order_acquire);
    for (; block; block = block->next)
        count++;
    return count;
}

/** Only this thread writes the cell, so nothing comes between the two. */
static void raise_cell(struct block *block, size_t place, uint64_t by)
{
    _Atomic uint64_t *cell = &block->cells[place];
    uint64_t value = atomic_load_explicit(cell, memory_order_relaxed);
    atomic_store_explicit(cell, value + by, memory_order_relaxed);
}

/* Start, stop */

void metrics_start(const struct metric_values values[METRIC_SETS])
{
    assert(!all.layout);
    struct metrics_layout *layout = mem_zalloc(1, sizeof *layout);
    memcpy(layout->values, values, sizeof layout->values);
    layout->counted = lay_out(layout, false, 0);
    layout->all = lay_out(layout, true, layout->counted);
    int failed = pthread_key_create(&all.gives_back, give_back);
    assert(failed == 0); /* there are 1024 */
    (void)failed;
    all.layout = layout;
}

void metrics_stop(void)
{
    if (!all.layout)
        return;
    pthread_key_delete(all.gives_back);
    struct block *block = atomic_load(&all.blocks);
    for (struct block *next; block; block = next) {
        next = block->next;
        free(block);
    }
    free(all.layout);
    atomic_store(&all.blocks, NULL);
    all.layout = NULL;
    mine = NULL;
}

/* Counting */

void metrics_add(enum metric metric, size_t first, size_t second, uint64_t count)
{
    struct block *block = block_of_thread();
    if (block)
        raise_cell(block, metrics_place(all.layout, metric, first, second), count);
}

void metrics_move(enum metric metric, int64_t by)
{
    metrics_add(metric, 0, 0, (uint64_t)by);
}

void metrics_observe(enum metric metric, size_t first, size_t second, int64_t us)
{
    struct block *block = block_of_thread();
    if (!block)
        return;
    const struct metric_row *row = &metric_table[metric];
    size_t place = metrics_place(all.layout, metric, first, second), bucket = 0;
    while (bucket < row->bound_count && us > row->bounds_us[bucket])
        bucket++;
    raise_cell(block, place + bucket, 1);
    raise_cell(block, place + row->bound_count + 1, us > 0 ? (uint64_t)us : 0);
}

/* Reading */

struct metrics_reading *metrics_read(void)
{
    const struct metrics_layout *layout = all.layout;
    assert(layout);
    struct metrics_reading *reading = mem_zalloc(1, sizeof *reading + layout->all * sizeof(double));
    AUTO_FREE uint64_t *sums = mem_zalloc(layout->counted, sizeof *sums);
    const struct block *block = atomic_load_explicit(&all.blocks, memory_order_acquire);
    for (; block; block = block->next)
        for (size_t i = 0; i < layout->counted; i++)
            sums[i] += atomic_load_explicit(&block->cells[i], memory_order_relaxed);
    /* A gauge may be below 0 in one thread and above in another: together they are not. */
    for (size_t i = 0; i < layout->counted; i++)
        reading->values[i] = (double)(int64_t)sums[i];
    reading->count = layout->all;
    return reading;
}

void metrics_reading_free(struct metrics_reading *reading)
{
    free(reading);
}

void metrics_reading_free_pointer(struct metrics_reading **reading)
{
    metrics_reading_free(*reading);
}

void metrics_set(struct metrics_reading *reading, enum metric metric, size_t first, size_t second,
                 double value)
{
    assert(metric_table[metric].is_asked_for);
    reading->values[metrics_place(all.layout, metric, first, second)] = value;
}

void metrics_set_histogram(struct metrics_reading *reading, enum metric metric, size_t first,
                           size_t second, const uint64_t *buckets, uint64_t total_us)
{
    const struct metric_row *row = &metric_table[metric];
    assert(row->is_asked_for && row->kind == METRIC_HISTOGRAM);
    double *values = &reading->values[metrics_place(all.layout, metric, first, second)];
    for (size_t i = 0; i <= row->bound_count; i++)
        values[i] = (double)buckets[i];
    values[row->bound_count + 1] = (double)total_us;
}

double metrics_value(const struct metrics_reading *reading, enum metric metric, size_t first,
                     size_t second)
{
    assert(metric_table[metric].kind != METRIC_HISTOGRAM);
    return reading->values[metrics_place(all.layout, metric, first, second)];
}

const double *metrics_buckets(const struct metrics_reading *reading, enum metric metric,
                              size_t first, size_t second)
{
    assert(metric_table[metric].kind == METRIC_HISTOGRAM);
    return &reading->values[metrics_place(all.layout, metric, first, second)];
}
