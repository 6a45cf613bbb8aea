#include "base/thread.h"

int thread_start(pthread_t *ret_thread, size_t stack_bytes, void *(*run)(void *context),
                 void *context)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack_bytes);
    int failure = pthread_create(ret_thread, &attributes, run, context);
    pthread_attr_destroy(&attributes);
    return failure;
}

void thread_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

struct timespec thread_deadline(int64_t monotonic_ms)
{
    return (struct timespec){.tv_sec = monotonic_ms / 1000,
                             .tv_nsec = monotonic_ms % 1000 * 1000000};
}
