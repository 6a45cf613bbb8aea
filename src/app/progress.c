#include "app/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { BAR_WIDTH = 30, INTERVAL_MS = 50 };

void progress_init(struct progress *progress, const char *label)
{
    const char *terminal = getenv("TERM");
    *progress = (struct progress){
        .label = label,
        .is_shown = isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0,
    };
}

void progress_show(struct progress *progress, int64_t done, int64_t all)
{
    static const char full[] = "##############################";
    _Static_assert(sizeof full - 1 == BAR_WIDTH, "one character per step of the bar");
    if (!progress->is_shown)
        return;
    int64_t now_ms = clock_monotonic_ms();
    if (now_ms < progress->next_ms && done < all)
        return;
    progress->next_ms = now_ms + INTERVAL_MS;
    if (all <= 0) {
        fprintf(stderr, "\r%s %" PRId64 "\033[K", progress->label, done);
        return;
    }
    int steps = done >= all ? BAR_WIDTH : (int)(done * BAR_WIDTH / all);
    fprintf(stderr, "\r%s [%.*s%*s] %3" PRId64 " %%  %" PRId64 " of %" PRId64 "\033[K",
            progress->label, steps, full, BAR_WIDTH - steps, "", done * 100 / all, done, all);
}

void progress_end(struct progress *progress)
{
    if (progress->is_shown)
        fputs("\r\033[K", stderr);
}
