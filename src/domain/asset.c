#include "domain/asset.h"

#include "base/mem.h"

enum { WRITE = FIELD_WRITABLE | FIELD_TRACKED, WRITE_OR_NULL = WRITE | FIELD_NULLABLE };

#define AT(member) offsetof(struct asset, member)
static const struct field asset_fields[] = {
    {"id", FIELD_TEXT, AT(id), 0, .about = "UUID version 7"},
    {"name", FIELD_TEXT, AT(name), FIELD_REQUIRED | WRITE, 1, 300, .about = "unique"},
    {"type", FIELD_TEXT, AT(type), WRITE_OR_NULL, 0, 100, .about = "server, product, data, …"},
    {"criticality", FIELD_ENUM, AT(criticality), WRITE, .names = criticality_names,
     .about = "weighs in the score of its risks"},
    {"owner", FIELD_TEXT, AT(owner), WRITE_OR_NULL, 0, 200, .about = "free text"},
    {"external_id", FIELD_TEXT, AT(external_id), WRITE_OR_NULL, 0, 300,
     .about = "its name elsewhere; unique"},
    {"risk_count", FIELD_INT, AT(risk_count), 0, .about = "risks that are not deleted"},
    {"created_by", FIELD_TEXT, AT(created_by), FIELD_NULLABLE, .about = "user id"},
    {"created_at", FIELD_TIME, AT(created_at), 0, .about = "UTC"},
    {"updated_at", FIELD_TIME, AT(updated_at), 0, .about = "UTC"},
    {"version", FIELD_INT, AT(version), 0, .about = "counts writes; first part of the ETag"},
};

const struct field_table asset_table = {"Asset", asset_fields, COUNT_OF(asset_fields),
                                        sizeof(struct asset)};

struct asset asset_defaults(void)
{
    return (struct asset){.criticality = CRITICALITY_MEDIUM, .version = 1};
}
