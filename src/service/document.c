#include "service/document.h"

#include <string.h>

#include "base/mem.h"
#include "domain/mitigation.h"
#include "store/history_store.h"

static const struct field more_of_risk[] = {
    {"deleted_at", FIELD_TIME, offsetof(struct risk, deleted_at), FIELD_NULLABLE},
};

static const struct field more_of_mitigation[] = {
    {"progress_by_hand", FIELD_BOOL, offsetof(struct mitigation, progress_by_hand), 0},
    {"import_key", FIELD_TEXT, offsetof(struct mitigation, import_key), FIELD_NULLABLE, 0, 300},
};

#define AT(member) offsetof(struct history_entry, member)
static const struct field history_fields[] = {
    {"at", FIELD_TIME, AT(at), FIELD_REQUIRED},
    {"actor_id", FIELD_TEXT, AT(actor_id), FIELD_NULLABLE, 0, 100},
    {"actor", FIELD_TEXT, AT(actor), FIELD_NULLABLE, 0, 300},
    {"action", FIELD_TEXT, AT(action), FIELD_REQUIRED, 1, 100},
    {"version", FIELD_INT, AT(version), FIELD_REQUIRED, 1, INT64_C(1000000000000)},
    {"score", FIELD_HUNDREDTHS, AT(score), FIELD_REQUIRED, 0, SCORE_MAX},
    {"status", FIELD_ENUM, AT(status), FIELD_REQUIRED, .names = risk_status_names},
    {"deleted", FIELD_BOOL, AT(deleted), FIELD_REQUIRED},
};
#undef AT
const struct field_table history_table = {"History", history_fields, COUNT_OF(history_fields),
                                          sizeof(struct history_entry)};

static const struct field baseline_fields[] = {
    {"source", FIELD_TEXT, offsetof(struct baseline, source), FIELD_REQUIRED, 1, 100},
    {"external_id", FIELD_TEXT, offsetof(struct baseline, external_id), FIELD_REQUIRED, 1, 300},
};
const struct field_table baseline_table = {"Baseline", baseline_fields, COUNT_OF(baseline_fields),
                                           sizeof(struct baseline)};

static struct field_table joined(const struct field_table *table, const struct field *more,
                                 size_t count, struct arena *arena)
{
    struct field *fields = arena_zalloc(arena, table->count + count, sizeof *fields);
    memcpy(fields, table->fields, table->count * sizeof *fields);
    memcpy(fields + table->count, more, count * sizeof *fields);
    struct field_table whole = *table;
    whole.fields = fields;
    whole.count += count;
    return whole;
}

void document_tables_init(struct document_tables *tables, struct arena *arena)
{
    tables->risk = joined(&risk_table, more_of_risk, COUNT_OF(more_of_risk), arena);
    tables->mitigation =
        joined(&mitigation_table, more_of_mitigation, COUNT_OF(more_of_mitigation), arena);
}
