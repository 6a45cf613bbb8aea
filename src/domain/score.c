#include "domain/score.h"

const char *const criticality_names[] = {"LOW", "MEDIUM", "HIGH", "CRITICAL", 0};
const char *const level_names[] = {"LOW", "MEDIUM", "HIGH", "CRITICAL", 0};

int64_t criticality_factor(enum criticality criticality)
{
    static const int64_t factors[CRITICALITIES] = {80, 100, 125, 150};
    return factors[criticality];
}

int64_t score_of(int64_t impact, int64_t probability, int64_t asset_count, int64_t factor_sum)
{
    int64_t base = impact * probability;
    if (asset_count == 0)
        return 100 * base;
    return (2 * base * factor_sum + asset_count) / (2 * asset_count);
}

enum level score_level(int64_t score)
{
    return score >= SCORE_CRITICAL ? LEVEL_CRITICAL
           : score >= SCORE_HIGH   ? LEVEL_HIGH
           : score >= SCORE_MEDIUM ? LEVEL_MEDIUM
                                   : LEVEL_LOW;
}
