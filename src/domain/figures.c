#include "domain/figures.h"

void tally_add(struct tally *tally, const struct risk *risk, int sign)
{
    if (risk->deleted_at)
        return;
    struct tally_cell *cell =
        &tally->cells[risk->impact - 1][risk->probability - 1][risk->level][risk->status];
    cell->count += sign;
    cell->score_sum += sign * risk->score;
}

struct day_figure tally_day(const struct tally *tally, int32_t day)
{
    struct day_figure figure = {.day = day};
    for (int impact = 0; impact < 5; impact++)
        for (int probability = 0; probability < 5; probability++)
            for (int level = 0; level < LEVELS; level++)
                for (int status = 0; status < RISK_STATUSES; status++) {
                    if (status == RISK_CLOSED)
                        continue;
                    const struct tally_cell *cell =
                        &tally->cells[impact][probability][level][status];
                    figure.levels[level] += cell->count;
                    figure.score_sum += cell->score_sum;
                }
    return figure;
}

int64_t day_total(const struct day_figure *figure)
{
    int64_t total = 0;
    for (int level = 0; level < LEVELS; level++)
        total += figure->levels[level];
    return total;
}

int64_t tally_count(const struct tally *tally, int status)
{
    int64_t count = 0;
    for (int impact = 0; impact < 5; impact++)
        for (int probability = 0; probability < 5; probability++)
            for (int level = 0; level < LEVELS; level++)
                for (int s = 0; s < RISK_STATUSES; s++)
                    if (status < 0 || s == status)
                        count += tally->cells[impact][probability][level][s].count;
    return count;
}

int64_t global_risk_score(int64_t count, int64_t score_sum)
{
    if (count <= 0)
        return 100;
    int64_t score = 100 - 4 * score_sum / (100 * count);
    return score > 0 ? score : 0;
}
