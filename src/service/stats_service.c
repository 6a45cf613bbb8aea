#include "service/stats_service.h"

enum status stats_service_get(struct service *service, struct tally *ret_tally,
                              struct mitigation_metrics *ret_metrics, struct err *err)
{
    enum status status = service_begin_read(service, err);
    if (status != OK)
        return status;
    db_last_round(service->db);
    status = figure_read(service->db, service->today, ret_tally, ret_metrics, err);
    service_end_read(service);
    return status;
}

enum status stats_service_trend(struct service *service, size_t count, struct day_figure *ret_days,
                                struct err *err)
{
    int32_t today = clock_day(service->now_ms);
    enum status status = service_begin_read(service, err);
    if (status != OK)
        return status;
    db_last_round(service->db);
    status = figure_days(service->db, today - (int32_t)count + 1, count, ret_days, err);
    service_end_read(service);
    return status;
}
