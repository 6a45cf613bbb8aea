#include "service/stats_service.h"

#include <string.h>

enum status stats_service_get(struct service *service, struct stats *ret_stats, struct err *err)
{
    mitigation_tally_init(&ret_stats->mitigations, service->arena);
    enum status status = db_begin_read(service->db, err);
    if (status != OK)
        return status;
    status = figure_tally(service->db, &ret_stats->tally, err);
    if (status == OK)
        status = figure_mitigations(service->db, &ret_stats->mitigations, err);
    db_rollback(service->db);
    return status;
}

int64_t stats_overdue(const struct stats *stats, const char *today)
{
    int64_t overdue = 0;
    for (size_t i = 0; i < stats->mitigations.count; i++) {
        const struct mitigation_cell *cell = &stats->mitigations.cells[i];
        if (cell->status != MITIGATION_DONE && cell->due_date[0] &&
            strcmp(cell->due_date, today) < 0)
            overdue += cell->count;
    }
    return overdue;
}

enum status stats_service_trend(struct service *service, size_t count, struct day_figure *ret_days,
                                struct err *err)
{
    int32_t today = clock_day(service->now_ms);
    enum status status = db_begin_read(service->db, err);
    if (status != OK)
        return status;
    status = figure_days(service->db, today - (int32_t)count + 1, count, ret_days, err);
    db_rollback(service->db);
    return status;
}
