/**
 * A circuit breaker: when to stop asking somebody who does not answer, and when to try again.
 *
 * Closed, everything is asked, and failures in a row are counted. With too many of them it opens:
 * nothing is asked for a while, which doubles with each try that fails and differs by some chance,
 * so that the nodes do not all try at once. Then it is half open: one probe is made, and decides.
 * That a probe is answered does not make the next wait short again, an answer to what is asked in
 * earnest does: who answers probes alone is tried ever less often. At the start nothing is known,
 * so it begins half open. (Nygard, "Release It!", 2nd edition, section 5.2)
 *
 * A pure state machine: the time (monotonic) is passed in. Not thread-safe.
 */
#ifndef OPENRISK_CACHE_BREAKER_H
#define OPENRISK_CACHE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };
enum { BREAKER_STATES = 3 };
extern const char *const breaker_state_names[]; /* "closed", "open", "half_open"; NULL-terminated */

struct breaker_settings {
    unsigned failures;          /* in a row, until it opens */
    unsigned open_min_ms;       /* the first time … */
    unsigned open_max_ms;       /* … and at most */
    unsigned jitter_hundredths; /* each wait is shorter by up to that much, at random */
};

struct breaker {
    struct breaker_settings settings;
    enum breaker_state state;
    unsigned failures;
    int64_t open_ms; /* how long it is open this time, without jitter */
    int64_t due_ms;  /* open: when it becomes half open */
    uint64_t random;
};

/** Half open: the caller makes a probe. `seed` is any number; breakers with different ones wait
 * differently. */
void breaker_init(struct breaker *breaker, const struct breaker_settings *settings, uint64_t seed);
/** What was asked was not answered. True if the state is another one now. */
bool breaker_failed(struct breaker *breaker, int64_t now_ms);
/** It was answered. True if the state is another one now. */
bool breaker_succeeded(struct breaker *breaker);
/** Open, and it is time: half open now, and the caller makes the probe. */
bool breaker_try(struct breaker *breaker, int64_t now_ms);

#endif
