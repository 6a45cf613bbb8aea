#include "cache/breaker.h"

#include <stddef.h>

const char *const breaker_state_names[] = {"closed", "open", "half_open", NULL};

/** Splitmix64: each number is as good as any other, whatever the seed. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t number = *state += 0x9E3779B97F4A7C15U;
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9U;
    number = (number ^ number >> 27) * 0x94D049BB133111EBU;
    return number ^ number >> 31;
}

void breaker_init(struct breaker *breaker, const struct breaker_settings *settings, uint64_t seed)
{
    *breaker = (struct breaker){.settings = *settings, .state = BREAKER_HALF_OPEN, .random = seed};
}

static void open_for_a_while(struct breaker *breaker, int64_t now_ms)
{
    const struct breaker_settings *settings = &breaker->settings;
    breaker->open_ms = breaker->open_ms ? 2 * breaker->open_ms : settings->open_min_ms;
    if (breaker->open_ms > settings->open_max_ms)
        breaker->open_ms = settings->open_max_ms;
    uint64_t shorter_max = (uint64_t)breaker->open_ms * settings->jitter_hundredths / 100;
    uint64_t shorter = next_random(&breaker->random) % (shorter_max + 1);
    breaker->due_ms = now_ms + breaker->open_ms - (int64_t)shorter;
    breaker->state = BREAKER_OPEN;
}

bool breaker_failed(struct breaker *breaker, int64_t now_ms)
{
    switch (breaker->state) {
    case BREAKER_CLOSED:
        if (++breaker->failures < breaker->settings.failures)
            return false;
        break;
    case BREAKER_HALF_OPEN:
        break;
    case BREAKER_OPEN:
        return false;
    }
    open_for_a_while(breaker, now_ms);
    return true;
}

bool breaker_succeeded(struct breaker *breaker)
{
    switch (breaker->state) {
    case BREAKER_CLOSED:
        breaker->open_ms = 0;
        breaker->failures = 0;
        return false;
    case BREAKER_HALF_OPEN:
        breaker->state = BREAKER_CLOSED;
        breaker->failures = 0;
        return true;
    case BREAKER_OPEN:
        break; /* an answer to what was asked before it opened */
    }
    return false;
}

bool breaker_try(struct breaker *breaker, int64_t now_ms)
{
    if (breaker->state != BREAKER_OPEN || now_ms < breaker->due_ms)
        return false;
    breaker->state = BREAKER_HALF_OPEN;
    return true;
}
