#include "api/record.h"

#include "api/count.h"
#include "api/internal.h"
#include "base/clock.h"
#include "base/log.h"

static void log_request(const struct passage *passage, int status, int64_t took_us)
{
    const struct route *route = passage->match.route;
    enum log_level level = status >= 500 ? LOG_WARN : LOG_DEBUG;
    if (!log_enabled(level))
        return;
    log_event(level, "request",
              LOG_TEXT("method", http_method_names[http_method(passage->request)]),
              LOG_TEXT("route", route ? route->pattern : "none"), LOG_INT("status", status),
              LOG_INT("us", took_us), LOG_INT("statements", (int64_t)passage->statements),
              LOG_INT("statement_us", (int64_t)passage->statement_us),
              LOG_INT("round_trips", (int64_t)passage->round_trips),
              LOG_TEXT("cache", answer_way_names[passage->way]),
              LOG_TEXT("result", status_name(passage->status)),
              LOG_TEXT("user", passage->user_id ? passage->user_id : "-"));
}

void record_ended(struct passage *passage)
{
    int status = http_replied_status(passage->request);
    int64_t took_us = clock_monotonic_us() - http_received_us(passage->request);
    count_ended(passage, status, took_us);
    log_request(passage, status, took_us);
}
