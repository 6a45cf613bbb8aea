#include "api/record.h"

#include "api/count.h"
#include "api/internal.h"
#include "api/request_log.h"
#include "base/clock.h"

void record_ended(struct passage *passage)
{
    int status = http_replied_status(passage->request);
    int64_t now_us = clock_monotonic_us(), took_us = now_us - http_received_us(passage->request);
    count_ended(passage, status, took_us);
    request_log(passage, status, took_us, now_us);
}
