/**
 * Threads with small stacks, and waiting by the monotonic clock. Thread-safe.
 */
#ifndef OPENRISK_BASE_THREAD_H
#define OPENRISK_BASE_THREAD_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/status.h"

/** Start a thread that must be joined. 0, or the errno of the failure. */
int thread_start(pthread_t *ret_thread, size_t stack_bytes, void *(*run)(void *context),
                 void *context) MUST_CHECK;

/** A condition whose timed waits go by the monotonic clock. */
void thread_condition_init(pthread_cond_t *condition);
/** A time of the monotonic clock in the form that timed waits take. */
struct timespec thread_deadline(int64_t monotonic_ms);

#endif
