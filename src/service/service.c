#include "service/service.h"

enum { WRITE_TIMEOUT_MS = 5000 };

struct service service_new(struct db *db, struct arena *arena, int64_t now_ms,
                           const struct caller *caller)
{
    struct service service = {
        .db = db,
        .arena = arena,
        .now_ms = now_ms,
        .caller = caller,
        .action = "",
        .write_timeout_ms = WRITE_TIMEOUT_MS,
    };
    clock_format_day(clock_day(now_ms), service.today);
    return service;
}
