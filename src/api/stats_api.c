
#include "api/handlers.h"
#include "api/risk_json.h"
#include "service/risk_service.h"
#include "service/stats_service.h"

static void put_levels(struct json_writer *out, const char *name, const struct day_figure *figure)
{
    json_open_object(out, name);
    for (int level = LEVELS - 1; level >= 0; level--)
        json_put_int(out, level_names[level], figure->levels[level]);
    json_close_object(out);
}

enum status stats_get(struct question *question, struct err *err)
{
    struct tally tally;
    struct mitigation_metrics mitigations;
    enum status status = stats_service_get(question->service, &tally, &mitigations, err);
    if (status != OK)
        return status;
    struct day_figure now = tally_day(&tally, clock_day(question->service->now_ms));
    struct json_writer *out = question->out;
    json_open_object(out, NULL);
    json_put_int(out, "total_risks", tally_count(&tally, -1));
    json_put_int(out, "global_risk_score", global_risk_score(day_total(&now), now.score_sum));
    json_put_int(out, "high_risks", now.levels[LEVEL_HIGH] + now.levels[LEVEL_CRITICAL]);
    json_put_int(out, "mitigated_risks", tally_count(&tally, RISK_MITIGATED));
    put_levels(out, "risks_by_severity", &now);
    json_put_int(out, "overdue_mitigations", mitigations.overdue);
    json_close_object(out);
    return OK;
}

/** Risks that are scored in one cell of the matrix. */
static int64_t scored_in(const struct tally *tally, int impact, int probability)
{
    int64_t count = 0;
    for (int level = 0; level < LEVELS; level++)
        for (int status = 0; status < RISK_STATUSES; status++)
            if (status != RISK_CLOSED)
                count += tally->cells[impact][probability][level][status].count;
    return count;
}

enum status stats_matrix(struct question *question, struct err *err)
{
    struct tally tally;
    enum status status = stats_service_get(question->service, &tally, NULL, err);
    if (status != OK)
        return status;
    struct json_writer *out = question->out;
    json_open_array(out, NULL);
    for (int impact = 0; impact < 5; impact++)
        for (int probability = 0; probability < 5; probability++) {
            int64_t count = scored_in(&tally, impact, probability);
            if (count == 0)
                continue;
            json_open_object(out, NULL);
            json_put_int(out, "impact", impact + 1);
            json_put_int(out, "probability", probability + 1);
            json_put_int(out, "count", count);
            json_close_object(out);
        }
    json_close_array(out);
    return OK;
}

enum status stats_trends(struct question *question, struct err *err)
{
    size_t count = (size_t)question->params[0];
    struct day_figure *days = arena_zalloc(question->service->arena, count, sizeof *days);
    enum status status = stats_service_trend(question->service, count, days, err);
    if (status != OK)
        return status;
    struct json_writer *out = question->out;
    json_open_array(out, NULL);
    for (size_t i = 0; i < count; i++) {
        char date[CLOCK_DATE_SIZE];
        int64_t total = day_total(&days[i]);
        json_open_object(out, NULL);
        json_put_string(out, "date", clock_format_day(days[i].day, date));
        json_put_int(out, "score", global_risk_score(total, days[i].score_sum));
        json_put_int(out, "total", total);
        json_put_int(out, "critical", days[i].levels[LEVEL_CRITICAL]);
        json_put_int(out, "high", days[i].levels[LEVEL_HIGH]);
        json_put_int(out, "medium", days[i].levels[LEVEL_MEDIUM]);
        json_put_int(out, "low", days[i].levels[LEVEL_LOW]);
        json_close_object(out);
    }
    json_close_array(out);
    return OK;
}

/** How many scored risks there are of each score band of five points, of each level and status. */
enum status stats_distribution(struct question *question, struct err *err)
{
    struct tally tally;
    enum status status = stats_service_get(question->service, &tally, NULL, err);
    if (status != OK)
        return status;
    struct day_figure now = tally_day(&tally, 0);
    struct json_writer *out = question->out;
    json_open_object(out, NULL);
    json_put_int(out, "total", day_total(&now));
    put_levels(out, "by_level", &now);
    json_open_object(out, "by_status");
    for (int at = 0; at < RISK_STATUSES; at++)
        if (at != RISK_CLOSED)
            json_put_int(out, risk_status_names[at], tally_count(&tally, at));
    json_close_object(out);
    for (int by_impact = 1; by_impact >= 0; by_impact--) {
        json_open_object(out, by_impact ? "by_impact" : "by_probability");
        for (int value = 0; value < 5; value++) {
            int64_t count = 0;
            for (int other = 0; other < 5; other++)
                count += scored_in(&tally, by_impact ? value : other, by_impact ? other : value);
            json_put_int(out, (const char *[]){"1", "2", "3", "4", "5"}[value], count);
        }
        json_close_object(out);
    }
    json_close_object(out);
    return OK;
}

enum status stats_mitigations(struct question *question, struct err *err)
{
    struct mitigation_metrics all;
    enum status status = stats_service_get(question->service, NULL, &all, err);
    if (status != OK)
        return status;
    struct json_writer *out = question->out;
    json_open_object(out, NULL);
    json_put_int(out, "total", all.total);
    json_put_int(out, "planned", all.counts[MITIGATION_PLANNED]);
    json_put_int(out, "in_progress", all.counts[MITIGATION_IN_PROGRESS]);
    json_put_int(out, "done", all.counts[MITIGATION_DONE]);
    json_put_int(out, "overdue", all.overdue);
    json_put_hundredths(out, "average_progress",
                        all.total ? 100 * all.progress_sum / all.total : 0);
    json_put_hundredths(out, "completion_rate",
                        all.total ? 10000 * all.counts[MITIGATION_DONE] / all.total : 0);
    json_put_int(out, "total_cost", all.cost_sum);
    json_close_object(out);
    return OK;
}

enum status stats_top_risks(struct question *question, struct err *err)
{
    struct risk *risks;
    size_t count;
    enum status status =
        risk_service_top(question->service, (size_t)question->params[0], &risks, &count, err);
    if (status != OK)
        return status;
    struct json_writer *out = question->out;
    json_open_array(out, NULL);
    for (size_t i = 0; i < count; i++)
        put_record(out, NULL, &risk_table, &risks[i]);
    json_close_array(out);
    return OK;
}
