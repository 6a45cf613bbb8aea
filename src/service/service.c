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

enum status service_begin_read(struct service *service, struct err *err)
{
    return service->in_snapshot ? OK : db_begin_read(service->db, err);
}

void service_end_read(struct service *service)
{
    if (!service->in_snapshot)
        db_rollback(service->db);
}
