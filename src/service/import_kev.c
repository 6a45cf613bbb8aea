/*
 * CISA's catalogue of Known Exploited Vulnerabilities as CSV: a row is a risk, its product an
 * asset, the required action a mitigation.
 */
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "service/csv.h"
#include "service/import_item.h"
#include "store/asset_store.h"
#include "json/json.h"

#define KEV_SOURCE "CISA-KEV"
#define KEV_CATEGORY "Known exploited vulnerability"
enum {
    KEV_PROBABILITY = 5,
    KEV_IMPACT = 4,
    KEV_IMPACT_RANSOMWARE = 5,
    ACTION_TITLE_MAX = 500,
    NOTES_MAX = 2000
};

enum column {
    CVE_ID,
    VENDOR,
    PRODUCT,
    NAME,
    DATE_ADDED,
    DESCRIPTION,
    REQUIRED_ACTION,
    DUE_DATE,
    RANSOMWARE,
    NOTES, /* from here on a file may lack them */
    CWES,
    COLUMNS,
};
static const char *const column_names[COLUMNS] = {
    [CVE_ID] = "cveID",
    [VENDOR] = "vendorProject",
    [PRODUCT] = "product",
    [NAME] = "vulnerabilityName",
    [DATE_ADDED] = "dateAdded",
    [DESCRIPTION] = "shortDescription",
    [REQUIRED_ACTION] = "requiredAction",
    [DUE_DATE] = "dueDate",
    [RANSOMWARE] = "knownRansomwareCampaignUse",
    [NOTES] = "notes",
    [CWES] = "cwes",
};

struct kev {
    struct csv csv;
    size_t cells;          /* of the header */
    size_t place[COLUMNS]; /* of each column, `cells` if it is not there */
    int64_t row;
    field_mask risk, mitigation; /* the members that a row gives */
};

/** A row on its way to an item. */
struct row {
    struct import *import;
    int64_t number;
    const char *cells[COLUMNS]; /* trimmed; "" for missing columns */
    enum status status;
};

static enum status read_header(struct import *import, struct kev *kev, const struct csv_row *header)
{
    enum status status = OK;
    for (size_t i = 0; i < COLUMNS; i++)
        kev->place[i] = header->count;
    kev->cells = header->count;
    struct texts unknown = {.items = arena_zalloc(import->kept, header->count, sizeof(char *))};
    for (size_t i = 0; i < header->count; i++) {
        const char *name = text_trim(&import->row, header->cells[i]);
        size_t column = 0;
        while (column < COLUMNS && !text_equal_nocase(column_names[column], name))
            column++;
        if (column == COLUMNS)
            unknown.items[unknown.count++] = arena_strdup(import->kept, name);
        else if (kev->place[column] < header->count)
            status = import_refuse(import, 0, column_names[column], "is there twice");
        else
            kev->place[column] = i;
    }
    for (size_t i = 0; i < NOTES; i++)
        if (kev->place[i] == header->count)
            status =
                import_refuse(import, 0, column_names[i],
                              "the header lacks this column: is this CISA's catalogue as CSV?");
    if (import->checking)
        import->result->unknown_columns = unknown;
    return status;
}

/** The last row without its line end may be half a row, with half a cell that looks like a whole
 * one. */
static bool is_cut_off(const struct kev *kev)
{
    return kev->csv.at == kev->csv.end && kev->csv.at[-1] != '\n' && kev->csv.at[-1] != '\r';
}

static enum status kev_rewind(struct import *import, struct err *err)
{
    struct kev *kev = import->state;
    struct csv_row header;
    bool end;
    csv_init(&kev->csv, import->bytes, import->length, ',');
    enum status status = csv_next(&kev->csv, &import->row, &header, &end, err);
    if (status != OK)
        return import_refuse_all(import, 0, err);
    if (end)
        return import_refuse(import, 0, NULL, "the file is empty");
    if (is_cut_off(kev))
        return import_refuse(import, 0, NULL, "there is nothing behind the header");
    kev->row = 0;
    return read_header(import, kev, &header);
}

static field_mask bits(const struct field_table *table, const char *const *names)
{
    field_mask mask = 0;
    for (; *names; names++)
        mask |= field_bit(table, *names);
    return mask;
}

static enum status kev_open(struct import *import, struct err *err)
{
    /* The rest is the same in all rows, so the source never changes it. */
    static const char *const of_risk[] = {"title", "description",   "impact",
                                          "tags",  "custom_fields", NULL};
    static const char *const of_mitigation[] = {"title", "description", "due_date", "import_key",
                                                NULL};
    (void)err;
    struct kev *kev = arena_zalloc(import->kept, 1, sizeof *kev);
    kev->risk = bits(&import->tables.risk, of_risk);
    kev->mitigation = bits(&import->tables.mitigation, of_mitigation);
    import->state = kev;
    return OK;
}

static void refuse(struct row *row, enum column column, const char *reason)
{
    row->status = import_refuse(row->import, row->number, column_names[column], "%s", reason);
}

/** The same limits as the API's; a fault is told under the column's name. */
static void check(struct row *row, enum column column, const struct field_table *table,
                  const char *member, const void *record)
{
    struct err err;
    err_init(&err);
    const struct field *field = field_find(table, member, NULL);
    if (json_check_field(field, column_names[column], record, &err) != OK)
        row->status = import_refuse_all(row->import, row->number, &err);
}

/** "CVE-2021-44228": a year and at least four digits. */
static bool is_cve(const char *text)
{
    static const char digits[] = "0123456789";
    return strncmp(text, "CVE-", 4) == 0 && strspn(text + 4, digits) == 4 && text[8] == '-' &&
           strspn(text + 9, digits) >= 4 && text[9 + strspn(text + 9, digits)] == '\0';
}

static const char *or_null(const char *text)
{
    return *text ? text : NULL;
}

/** "Vendor Product", but not "Git Git": the product may name its vendor already. */
static const char *asset_name(struct row *row)
{
    const char *vendor = row->cells[VENDOR], *product = row->cells[PRODUCT];
    struct arena *arena = &row->import->row;
    size_t length = strlen(vendor);
    char *start = arena_strdup(arena, product);
    if (strlen(product) >= length)
        start[length] = '\0';
    bool ends = product[strlen(start)] == '\0' || product[strlen(start)] == ' ';
    if (!*vendor || !*product || (text_equal_nocase(start, vendor) && ends))
        return *product ? product : vendor;
    return arena_format(arena, "%s %s", vendor, product);
}

static const char *custom_fields(struct row *row)
{
    static const struct {
        const char *name;
        enum column column;
    } members[] = {{"date_added", DATE_ADDED},
                   {"notes", NOTES}, /* mostly links: to follow, not to search in */
                   {"product", PRODUCT},
                   {"vendor", VENDOR}};
    AUTO_BUF struct buf text;
    buf_init(&text, 1 << 20);
    struct json_writer out;
    json_writer_init(&out, &text);
    json_open_object(&out, NULL);
    for (size_t i = 0; i < sizeof members / sizeof members[0];
         i++) /* in the order of their bytes */
        if (*row->cells[members[i].column])
            json_put_string(&out, members[i].name, row->cells[members[i].column]);
    json_close_object(&out);
    return arena_strdup(&row->import->row, text.data);
}

static struct texts tags(struct row *row, bool ransomware)
{
    struct arena *arena = &row->import->row;
    struct texts cwes = text_split(arena, row->cells[CWES], ',');
    struct texts tags = {.items = arena_zalloc(arena, cwes.count + 1, sizeof *tags.items)};
    if (ransomware)
        tags.items[tags.count++] = "ransomware";
    for (size_t i = 0; i < cwes.count; i++) {
        const char *cwe = text_trim(arena, cwes.items[i]);
        if (*cwe && !texts_contain(tags, cwe))
            tags.items[tags.count++] = cwe;
    }
    return tags;
}

static struct risk read_risk(struct row *row)
{
    const char *const *cells = row->cells;
    bool ransomware = text_equal_nocase(cells[RANSOMWARE], "Known");
    struct risk risk = risk_defaults();
    risk.title = cells[NAME];
    risk.description = or_null(cells[DESCRIPTION]);
    risk.impact = ransomware ? KEV_IMPACT_RANSOMWARE : KEV_IMPACT;
    risk.probability = KEV_PROBABILITY;
    risk.category = KEV_CATEGORY;
    risk.tags = tags(row, ransomware);
    risk.source = KEV_SOURCE;
    risk.external_id = cells[CVE_ID];
    risk.custom_fields = custom_fields(row);
    return risk;
}

/** At most `most` characters, cut between words. */
static char *cut(struct arena *arena, const char *text, size_t most)
{
    char *start = arena_strdup(arena, text), *end = start;
    for (size_t characters = 0; *end && characters + 1 < most; characters++)
        do
            end++;
        while (((unsigned char)*end & 0xC0) == 0x80);
    *end = '\0';
    char *space = strrchr(start, ' ');
    if (space && space > start)
        *space = '\0';
    return arena_format(arena, "%s…", start);
}

/** Titles are one line. */
static char *one_line(struct arena *arena, const char *text)
{
    char *line = arena_strdup(arena, text);
    for (char *c = line; *c; c++)
        if (*c == '\n' || *c == '\r' || *c == '\t')
            *c = ' ';
    return line;
}

static struct mitigation read_mitigation(struct row *row)
{
    struct arena *arena = &row->import->row;
    const char *action = row->cells[REQUIRED_ACTION];
    char *title = one_line(arena, action);
    struct mitigation mitigation = {.title = title, .version = 1};
    if (text_length(title) > ACTION_TITLE_MAX)
        mitigation.title = cut(arena, title, ACTION_TITLE_MAX);
    if (strcmp(mitigation.title, action) != 0)
        mitigation.description = action;
    mitigation.due_date = or_null(row->cells[DUE_DATE]);
    mitigation.import_key = arena_format(arena, "kev:%s", row->cells[CVE_ID]);
    return mitigation;
}

static void check_row(struct row *row, const struct import_item *item)
{
    const struct risk *risk = &item->risk;
    const struct asset asset = {.name =
                                    item->assets.items[0]}; /* so custom_fields is checked too */
    const struct risk notes = {.description = row->cells[NOTES]}; /* what a text may hold */
    const char *use = row->cells[RANSOMWARE];
    int32_t day;
    if (!is_cve(risk->external_id))
        refuse(row, CVE_ID, "must be a CVE number like CVE-2021-44228");
    check(row, PRODUCT, &asset_table, "name", &asset);
    check(row, NAME, &risk_table, "title", risk);
    if (*row->cells[DATE_ADDED] && !clock_parse_day(row->cells[DATE_ADDED], &day))
        refuse(row, DATE_ADDED, "must be a date that exists, as YYYY-MM-DD");
    check(row, DESCRIPTION, &risk_table, "description", risk);
    check(row, NOTES, &risk_table, "description", &notes);
    if (text_length(row->cells[NOTES]) > NOTES_MAX)
        refuse(row, NOTES, "may have at most 2000 characters");
    check(row, REQUIRED_ACTION, &mitigation_table, "title", &item->mitigations[0].mitigation);
    check(row, REQUIRED_ACTION, &mitigation_table, "description", &item->mitigations[0].mitigation);
    check(row, DUE_DATE, &mitigation_table, "due_date", &item->mitigations[0].mitigation);
    if (*use && !text_equal_nocase(use, "Known") && !text_equal_nocase(use, "Unknown"))
        refuse(row, RANSOMWARE, "must be Known or Unknown");
    check(row, CWES, &risk_table, "tags", risk);
    if (row->status == OK)
        row->status = import_once(row->import, row->number, column_names[CVE_ID], item->key);
}

static enum status read_item(struct import *import, const struct csv_row *cells,
                             struct import_item *ret_item)
{
    const struct kev *kev = import->state;
    struct arena *arena = &import->row;
    struct row row = {.import = import, .number = kev->row};
    if (cells->count != kev->cells)
        return import_refuse(import, row.number, NULL,
                             "has %zu cells, the header has %zu: is the file truncated?",
                             cells->count, kev->cells);
    for (size_t i = 0; i < COLUMNS; i++)
        row.cells[i] =
            kev->place[i] < kev->cells ? text_trim(arena, cells->cells[kev->place[i]]) : "";
    if (is_cut_off(kev))
        return import_refuse(import, row.number, NULL,
                             "is not ended by a line end: is the file truncated?");
    struct import_item item = {.row = row.number, .key = row.cells[CVE_ID]};
    item.risk = read_risk(&row);
    item.mask = kev->risk;
    item.assets = (struct texts){arena_zalloc(arena, 1, sizeof(char *)), 1};
    item.assets.items[0] = asset_name(&row);
    item.mitigations = arena_zalloc(arena, 1, sizeof *item.mitigations);
    item.mitigations[0].mitigation = read_mitigation(&row);
    item.mitigations[0].mask = kev->mitigation;
    item.mitigation_count = 1;
    if (import->checking)
        check_row(&row, &item);
    *ret_item = item;
    return row.status;
}

static enum status kev_next(struct import *import, struct import_item *ret_item, bool *ret_end,
                            struct err *err)
{
    struct kev *kev = import->state;
    struct csv_row cells;
    kev->row++;
    enum status status = csv_next(&kev->csv, &import->row, &cells, ret_end, err);
    if (status != OK) {
        import_refuse_all(import, kev->row, err);
        return MALFORMED;
    }
    return *ret_end ? OK : read_item(import, &cells, ret_item);
}

static enum status make_asset(struct import *import, const char *name, struct asset *ret_asset,
                              struct err *err)
{
    const struct service *service = import->service;
    char id[ID_SIZE];
    struct asset asset = asset_defaults();
    asset.id = id_new(service->now_ms, id);
    asset.name = name;
    asset.type = "product";
    asset.created_by = service->caller->user_id;
    asset.created_at = asset.updated_at = service->now_ms;
    asset.id = arena_strdup(import->kept, id);
    *ret_asset = asset;
    return asset_store_insert(import->writer.db, &asset, &import->row, err);
}

/** Products are known by their folded names; what was found once is remembered. */
static enum status kev_find_asset(struct import *import, const char *key, bool make,
                                  const struct asset **ret_asset, struct err *err)
{
    char *folded = text_fold(&import->row, key);
    *ret_asset = name_table_get(&import->assets, folded);
    if (*ret_asset)
        return OK;
    struct asset found;
    enum status status = asset_store_find(import->writer.db, key, import->kept, &found, err);
    if (status == NOT_FOUND && make)
        status = make_asset(import, arena_strdup(import->kept, key), &found, err);
    if (status != OK)
        return status;
    struct asset *kept = arena_alloc(import->kept, sizeof *kept);
    *kept = found;
    name_table_put(&import->assets, arena_strdup(import->kept, folded), kept);
    *ret_asset = kept;
    return OK;
}

const struct import_reader import_kev = {
    .source = KEV_SOURCE,
    .mitigations_by_key = true,
    .open = kev_open,
    .rewind = kev_rewind,
    .next = kev_next,
    .find_asset = kev_find_asset,
};
