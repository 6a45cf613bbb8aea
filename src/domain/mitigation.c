#include "domain/mitigation.h"

#include <string.h>

#include "base/mem.h"

const char *const mitigation_status_names[] = {"PLANNED", "IN_PROGRESS", "DONE", NULL};

enum { WRITE = FIELD_WRITABLE | FIELD_TRACKED, WRITE_OR_NULL = WRITE | FIELD_NULLABLE };
enum { DAYS_MAX = 36500 };
#define COST_MAX INT64_C(1000000000000)

#define AT(member) offsetof(struct mitigation, member)
static const struct field mitigation_fields[] = {
    {"id", FIELD_TEXT, AT(id), 0, .about = "UUID version 7"},
    {"risk_id", FIELD_TEXT, AT(risk_id), 0, .about = "the risk it belongs to"},
    {"title", FIELD_TEXT, AT(title), FIELD_REQUIRED | WRITE, 1, 500, .about = "what is done"},
    {"description", FIELD_LONG_TEXT, AT(description), WRITE_OR_NULL, 0, 20000, .about = "how"},
    {"assignee", FIELD_TEXT, AT(assignee), WRITE_OR_NULL, 0, 200,
     .about = "who does it; free text"},
    {"status", FIELD_ENUM, AT(status), WRITE, .names = mitigation_status_names,
     .about = "where it stands"},
    {"progress", FIELD_INT, AT(progress), WRITE, 0, 100,
     .about = "percent; follows the sub-actions unless set by hand"},
    {"due_date", FIELD_DATE, AT(due_date), WRITE_OR_NULL, .about = "YYYY-MM-DD"},
    {"cost", FIELD_INT, AT(cost), WRITE, 0, COST_MAX, .about = "in the team's currency"},
    {"mitigation_time", FIELD_INT, AT(mitigation_time), WRITE, 0, DAYS_MAX,
     .about = "days of work"},
    {"created_by", FIELD_TEXT, AT(created_by), FIELD_NULLABLE, .about = "user id"},
    {"created_at", FIELD_TIME, AT(created_at), 0, .about = "UTC"},
    {"updated_at", FIELD_TIME, AT(updated_at), 0, .about = "UTC"},
    {"version", FIELD_INT, AT(version), 0, .about = "counts writes; first part of the ETag"},
};
#undef AT

#define AT(member) offsetof(struct sub_action, member)
static const struct field sub_action_fields[] = {
    {"id", FIELD_TEXT, AT(id), 0, .about = "UUID version 7"},
    {"title", FIELD_TEXT, AT(title), FIELD_REQUIRED | WRITE, 1, 300, .about = "one step"},
    {"completed", FIELD_BOOL, AT(completed), WRITE, .about = "done?"},
};
#undef AT

const struct field_table mitigation_table = {
    "Mitigation", mitigation_fields, COUNT_OF(mitigation_fields), sizeof(struct mitigation)};
const struct field_table sub_action_table = {
    "SubAction", sub_action_fields, COUNT_OF(sub_action_fields), sizeof(struct sub_action)};

int64_t mitigation_progress(int64_t done, int64_t all)
{
    return all ? done * 100 / all : 0;
}

bool mitigation_is_overdue(const struct mitigation *mitigation, const char *today)
{
    return mitigation->due_date && mitigation->status != MITIGATION_DONE &&
           strcmp(mitigation->due_date, today) < 0;
}
