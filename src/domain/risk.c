#include "domain/risk.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"

const char *const risk_status_names[] = {"DRAFT",    "ACTIVE", "MITIGATED",
                                         "ACCEPTED", "CLOSED", NULL};
const char *const risk_treatment_names[] = {"MITIGATE", "ACCEPT", "TRANSFER", "AVOID", NULL};

#define AT(member) offsetof(struct risk, member)
enum {
    WRITE = FIELD_WRITABLE | FIELD_TRACKED,
    WRITE_OR_NULL = WRITE | FIELD_NULLABLE,
};

static const struct field risk_fields[] = {
    {"id", FIELD_TEXT, AT(id), 0, .about = "UUID version 7, made by the server"},
    {"ref", FIELD_INT, AT(ref), 0, .about = "short number for people: R-123"},
    {"title", FIELD_TEXT, AT(title), FIELD_REQUIRED | WRITE, 1, 300, .about = "one line"},
    {"description", FIELD_LONG_TEXT, AT(description), WRITE_OR_NULL, 0, 20000,
     .about = "what may happen and why"},
    {"impact", FIELD_INT, AT(impact), FIELD_REQUIRED | WRITE, 1, 5,
     .about = "1 very low … 5 very high"},
    {"probability", FIELD_INT, AT(probability), FIELD_REQUIRED | WRITE, 1, 5,
     .about = "1 very low … 5 very high"},
    {"score", FIELD_HUNDREDTHS, AT(score), FIELD_TRACKED, 0, SCORE_MAX,
     .about = "impact × probability × the mean factor of the assets"},
    {"level", FIELD_ENUM, AT(level), 0, .names = level_names, .about = "from the score"},
    {"status", FIELD_ENUM, AT(status), WRITE, .names = risk_status_names,
     .about = "where it stands"},
    {"category", FIELD_TEXT, AT(category), WRITE_OR_NULL, 0, 100, .about = "free text"},
    {"treatment", FIELD_ENUM, AT(treatment), WRITE, .names = risk_treatment_names,
     .about = "what is to be done (ISO 31000: risk treatment)"},
    {"owner", FIELD_TEXT, AT(owner), WRITE_OR_NULL, 0, 200,
     .about = "who answers for it; free text"},
    {"tags", FIELD_TEXTS, AT(tags), WRITE, 1, 60, 50, .about = "labels"},
    {"frameworks", FIELD_TEXTS, AT(frameworks), WRITE, 1, 100, 50,
     .about = "ISO 27001, NIST CSF, …"},
    {"source", FIELD_TEXT, AT(source), WRITE_OR_NULL, 0, 100, .about = "where it comes from"},
    {"external_id", FIELD_TEXT, AT(external_id), WRITE_OR_NULL, 0, 200,
     .about = "its name at the source; unique together with source"},
    {"custom_fields", FIELD_OBJECT, AT(custom_fields), WRITE, 0, 2000, RISK_CUSTOM_FIELDS_MAX,
     .about = "names with a text, number or boolean each"},
    {"review_date", FIELD_DATE, AT(review_date), WRITE_OR_NULL, .about = "YYYY-MM-DD"},
    {"created_by", FIELD_TEXT, AT(created_by), FIELD_NULLABLE, .about = "user id"},
    {"created_at", FIELD_TIME, AT(created_at), 0, .about = "UTC"},
    {"updated_at", FIELD_TIME, AT(updated_at), 0, .about = "UTC"},
    {"version", FIELD_INT, AT(version), 0, .about = "counts writes; first part of the ETag"},
};

const struct field_table risk_table = {"Risk", risk_fields, COUNT_OF(risk_fields),
                                       sizeof(struct risk)};

struct risk risk_defaults(void)
{
    return (struct risk){
        .status = RISK_ACTIVE,
        .treatment = TREATMENT_MITIGATE,
        .custom_fields = "{}",
        .version = 1,
    };
}

int64_t risk_ref_parse(const char *text)
{
    if ((text[0] == 'R' || text[0] == 'r') && text[1] == '-')
        text += 2;
    int64_t ref;
    if (*text < '1' || *text > '9' || !text_to_int(text, &ref))
        return 0;
    return ref;
}

char *risk_search_text(struct arena *arena, const struct risk *risk)
{
    /* A line feed between the parts would be folded to a space; U+001F keeps a query from matching
     * across them, since no query can hold it. */
    char *title = text_fold(arena, risk->title);
    char *description = text_fold(arena, risk->description ? risk->description : "");
    char *external_id = text_fold(arena, risk->external_id ? risk->external_id : "");
    return arena_format(arena, "%s\x1f%s\x1f%s\x1fr-%" PRId64, title, description, external_id,
                        risk->ref);
}
