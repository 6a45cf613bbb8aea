/**
 * The score of a risk, in integer hundredths: impact × probability × the mean factor of its assets.
 *
 * No asset: 100·i·p. n assets with factors F in hundredths: (2·i·p·ΣF + n) / (2n) in integer
 * division, which rounds half up; at most 37.50 (5 × 5 × 1.50). Pure and thread-safe.
 */
#ifndef OPENRISK_DOMAIN_SCORE_H
#define OPENRISK_DOMAIN_SCORE_H

#include <stdint.h>

enum criticality { CRITICALITY_LOW, CRITICALITY_MEDIUM, CRITICALITY_HIGH, CRITICALITY_CRITICAL };
enum { CRITICALITIES = 4 };
extern const char *const criticality_names[]; /* NULL-terminated */

enum level { LEVEL_LOW, LEVEL_MEDIUM, LEVEL_HIGH, LEVEL_CRITICAL };
enum { LEVELS = 4 };
extern const char *const level_names[]; /* NULL-terminated */

enum { SCORE_HIGH = 1500, SCORE_CRITICAL = 2000, SCORE_MEDIUM = 1000, SCORE_MAX = 3750 };

/** In hundredths: 80, 100, 125, 150. */
int64_t criticality_factor(enum criticality criticality);

/** `factor_sum`: the sum of the assets' factors, in hundredths. */
int64_t score_of(int64_t impact, int64_t probability, int64_t asset_count, int64_t factor_sum);

enum level score_level(int64_t score);

#endif
