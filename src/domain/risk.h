/**
 * A risk: what may happen, how bad, how likely, and what is done about it. Pure; no I/O.
 *
 * Records are plain structs whose texts belong to the arena they were read into.
 */
#ifndef OPENRISK_DOMAIN_RISK_H
#define OPENRISK_DOMAIN_RISK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/field.h"
#include "base/status.h"
#include "domain/score.h"

enum risk_status { RISK_DRAFT, RISK_ACTIVE, RISK_MITIGATED, RISK_ACCEPTED, RISK_CLOSED };
enum { RISK_STATUSES = 5 };
extern const char *const risk_status_names[];

enum risk_treatment { TREATMENT_MITIGATE, TREATMENT_ACCEPT, TREATMENT_TRANSFER, TREATMENT_AVOID };
extern const char *const risk_treatment_names[];

enum { RISK_ASSETS_MAX = 100, RISK_CUSTOM_FIELDS_MAX = 50 };

struct risk {
    const char *id;
    int64_t ref;
    const char *title;
    const char *description;
    int64_t impact;
    int64_t probability;
    int64_t score; /* hundredths */
    int level;     /* enum level */
    int status;    /* enum risk_status */
    const char *category;
    int treatment; /* enum risk_treatment */
    const char *owner;
    struct texts tags;
    struct texts frameworks;
    const char *source;
    const char *external_id;
    const char *custom_fields; /* JSON object */
    const char *review_date;
    const char *created_by; /* user id */
    int64_t created_at;
    int64_t updated_at;
    int64_t version;
    int64_t deleted_at; /* 0 = not deleted; not a member of the API */
};

/** In the order of the columns of table `risk`; `deleted_at` comes last there. */
extern const struct field_table risk_table;

/** What a new risk holds before the body is read: status ACTIVE, treatment MITIGATE, version 1. */
struct risk risk_defaults(void);

/** "R-123" → 123, also "r-123" and "123"; 0 if it is not a ref. */
int64_t risk_ref_parse(const char *text);

/** The text that search looks in: title, description, external id, ref; folded. */
char *risk_search_text(struct arena *arena, const struct risk *risk);

#endif
