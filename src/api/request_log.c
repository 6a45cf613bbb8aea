#include "api/request_log.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "api/count.h"
#include "api/internal.h"
#include "base/log.h"
#include "base/mem.h"

enum { REFUSALS_PER_SECOND = 20, ITEMS_MAX = 16 };

/* What an event loop remembers. Nobody else's, so it is counted without atomics. */
struct loop {
    unsigned hits;          /* since the last one that was logged */
    int64_t second;         /* of the monotonic clock, in which … */
    unsigned refusals;      /* … so many were logged */
    unsigned busy, limited; /* 503 and 429 that were not, and have not been told of yet */
    bool is_known;          /* that the thread's end tells of them */
};

static _Thread_local struct loop mine;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_exit;

static void tell(void *loop_of_thread)
{
    struct loop *loop = loop_of_thread;
    log_event(LOG_WARN, "requests_not_logged", LOG_INT("count", loop->busy + loop->limited),
              LOG_INT("status_503", loop->busy), LOG_INT("status_429", loop->limited));
    loop->busy = loop->limited = 0;
    loop->is_known = false;
}

static void make_key(void)
{
    int failed = pthread_key_create(&at_exit, tell);
    assert(!failed); /* there are a thousand, and few use one */
    (void)failed;
}

/** The thread's end tells of what it has left out, if nothing does before it. */
static void leave_out(int status)
{
    if (status == 503)
        mine.busy++;
    else
        mine.limited++;
    if (mine.is_known)
        return;
    pthread_once(&once, make_key);
    mine.is_known = pthread_setspecific(at_exit, &mine) == 0;
}

/** Has this second one to spare? */
static bool may_refuse(int64_t second)
{
    if (second != mine.second) {
        mine.second = second;
        mine.refusals = 0;
    }
    return mine.refusals < REFUSALS_PER_SECOND;
}

/** Told as soon as the second is over and something ends here. */
static void tell_what_was_left_out(int64_t second)
{
    if ((mine.busy == 0 && mine.limited == 0) || second == mine.second)
        return;
    tell(&mine);
    pthread_setspecific(at_exit, NULL);
}

static bool is_hit(const struct passage *passage)
{
    return passage->way == WAY_HIT || passage->way == WAY_SECOND || passage->way == WAY_UNVERIFIED;
}

/** Is this hit one of those that have a line? */
static bool samples(unsigned sample)
{
    if (sample == 0 || ++mine.hits < sample)
        return false;
    mine.hits = 0;
    return true;
}

static size_t hex_digits(const char *text)
{
    return strspn(text, "0123456789abcdef");
}

bool request_log_is_traceparent(const char *text)
{
    enum { TRACE = 3, TRACE_DIGITS = 32, PARENT = 36, PARENT_DIGITS = 16, FLAGS = 53, LENGTH = 55 };
    return strlen(text) == LENGTH && strncmp(text, "00-", TRACE) == 0 &&
           hex_digits(text + TRACE) == TRACE_DIGITS && text[PARENT - 1] == '-' &&
           hex_digits(text + PARENT) == PARENT_DIGITS && text[FLAGS - 1] == '-' &&
           hex_digits(text + FLAGS) == LENGTH - FLAGS && strspn(text + TRACE, "0") < TRACE_DIGITS &&
           strspn(text + PARENT, "0") < PARENT_DIGITS;
}

/** That something is not there is an answer like others where it is kept. */
static enum status result_of(const struct passage *passage, int http_status)
{
    return passage->status == OK && http_status == 404 ? NOT_FOUND : passage->status;
}

static void write_line(const struct passage *passage, enum log_level level, int status,
                       int64_t took_us, unsigned sample)
{
    struct http_request *request = passage->request;
    const char *id = http_added_header(request, "X-Request-Id"); /* shared answers have none */
    const char *trace = http_header(request, "traceparent");
    char route[ROUTE_LABEL_SIZE];
    struct log_item items[ITEMS_MAX] = {
        LOG_TEXT("id", id ? id : "-"),
        LOG_TEXT("method", http_method_names[http_method(request)]),
        LOG_TEXT("route", route_label(passage->match.route, route)),
        LOG_INT("status", status),
        LOG_INT("us", took_us),
        LOG_TEXT("cache", count_result_name(passage->way)),
        LOG_INT("statements", (int64_t)passage->statements),
        LOG_INT("statement_us", (int64_t)passage->statement_us),
        LOG_INT("round_trips", (int64_t)passage->round_trips),
        LOG_TEXT("result", status_name(result_of(passage, status))),
        LOG_TEXT("user", passage->user_id ? passage->user_id : "-"),
    };
    size_t count = 11;
    if (trace && request_log_is_traceparent(trace))
        items[count++] = LOG_TEXT("traceparent", trace);
    if (sample > 0)
        items[count++] = LOG_INT("sample", sample);
    log_write(level, "request", items, count);
}

void request_log(const struct passage *passage, int status, int64_t took_us, int64_t now_us)
{
    enum log_level level = status >= 500 ? LOG_WARN : LOG_INFO;
    int64_t second = now_us / 1000000;
    tell_what_was_left_out(second);
    if (!log_enabled(level))
        return;
    unsigned sample = 0;
    if (is_hit(passage)) {
        sample = passage->api->settings.log_hit_sample;
        if (!samples(sample))
            return;
    } else if (status == 503 || status == 429) {
        if (!may_refuse(second)) {
            leave_out(status);
            return;
        }
        mine.refusals++;
    }
    write_line(passage, level, status, took_us, sample);
}
