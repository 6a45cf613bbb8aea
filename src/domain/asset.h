/**
 * An asset: what risks threaten. Its criticality weighs in the score of its risks. Pure; no I/O.
 */
#ifndef OPENRISK_DOMAIN_ASSET_H
#define OPENRISK_DOMAIN_ASSET_H

#include <stdint.h>

#include "base/field.h"
#include "domain/score.h"

struct asset {
    const char *id;
    const char *name;
    const char *type;
    int criticality; /* enum criticality */
    const char *owner;
    const char *external_id;
    int64_t risk_count; /* risks that are not deleted */
    const char *created_by;
    int64_t created_at;
    int64_t updated_at;
    int64_t version;
};

extern const struct field_table asset_table;

/** Criticality MEDIUM, version 1. */
struct asset asset_defaults(void);

#endif
