/**
 * The parts of an import, shared by its files: import.c drives, a reader per format
 * (import_kev.c, import_json.c) tells what the file says item by item, import_merge.c writes an
 * item.
 *
 * The file is read twice by the same reader: first every item is checked, then, in one
 * transaction, each is merged into the register. So memory holds one item at a time.
 */
#ifndef OPENRISK_SERVICE_IMPORT_ITEM_H
#define OPENRISK_SERVICE_IMPORT_ITEM_H

#include "service/document.h"
#include "service/import.h"
#include "service/name_table.h"
#include "service/writer.h"
#include "store/history_store.h"

struct import_mitigation {
    struct mitigation mitigation;
    field_mask mask; /* of document_tables.mitigation: what the source says */
    struct sub_action *sub_actions;
    size_t sub_action_count;
};

/** A risk as the source says it is. */
struct import_item {
    int64_t row;
    const char *key; /* names the item at its source, for the baseline; NULL: it has no name */
    struct risk risk;
    field_mask mask;     /* of document_tables.risk: what the source says */
    struct texts assets; /* names or ids, as the reader's find_asset understands them */
    struct import_mitigation *mitigations;
    size_t mitigation_count;
    /* of a document that export wrote */
    struct history_entry *history;
    size_t history_count;
    struct baseline *baselines;
    size_t baseline_count;
};

struct import;

struct import_reader {
    const char *source;      /* of its baselines */
    bool mitigations_by_key; /* they are known by import_key, else by id */
    /** Look at the file as a whole. INVALID: refused. */
    enum status (*open)(struct import *import, struct err *err);
    /** Begin with the first item. */
    enum status (*rewind)(struct import *import, struct err *err);
    /**
     * The next item, in the arena `import->row`; its limits need only be checked while
     * `import->checking`. INVALID: this item was refused; MALFORMED: the file was refused and
     * cannot be read on.
     */
    enum status (*next)(struct import *import, struct import_item *ret_item, bool *ret_end,
                        struct err *err);
    /** In the transaction, before the first item; may be NULL. */
    enum status (*prepare)(struct import *import, struct err *err);
    /** The asset of that name or id; made if need be and `make` allows it. NOT_FOUND. */
    enum status (*find_asset)(struct import *import, const char *key, bool make,
                              const struct asset **ret_asset, struct err *err);
};
extern const struct import_reader import_kev;
extern const struct import_reader import_document;

struct import {
    struct service *service;
    const struct import_options *options;
    const struct import_reader *reader;
    void *state; /* the reader's */
    const char *bytes;
    size_t length;
    bool checking;      /* the first reading; refusals of the reader are told once, there */
    bool keeps_history; /* the caller may bring history and authors along */
    struct document_tables tables;
    struct arena *kept; /* lives as long as the result */
    struct arena row;   /* cleared for each item */
    struct import_result *result;
    struct name_table seen;   /* keys in this file */
    struct name_table assets; /* asset keys → struct asset, in `kept` */
    int64_t items;            /* in the file, once it was checked */
    int64_t refused;          /* items refused in this reading */
    int64_t *refused_items;   /* in the first reading: their positions, ascending */
    size_t refused_count, refused_capacity;
    int64_t highest_ref; /* that the file brings along */
    struct writer writer;
    struct text_queue texts; /* of new risks, for the search index */
    int64_t next_ref;
    bool brought_history; /* the days must be computed anew */
};

/** Note why a row (or with 0 the file) is refused or skipped; the column may be NULL. */
void import_note(struct import *import, int64_t row, const char *column, const char *format, ...)
    PRINTF(4, 5);

/** The same for what a reader finds: once, in the first reading. Returns INVALID. */
enum status import_refuse(struct import *import, int64_t row, const char *column,
                          const char *format, ...) PRINTF(4, 5);
/** One refusal per item of `err`. Returns INVALID. */
enum status import_refuse_all(struct import *import, int64_t row, const struct err *err);

/** INVALID, noted, if a key occurs twice in the file. */
enum status import_once(struct import *import, int64_t row, const char *column, const char *key);

/** Write one item, and count what became of it. INVALID: refused, and nothing of it was written. */
enum status import_merge(struct import *import, struct import_item *item,
                         struct err *err) MUST_CHECK;

/* Writing what is new; see import_create.c. */
enum status import_create_risk(struct import *import, struct import_item *item,
                               struct err *err) MUST_CHECK;
enum status import_insert_mitigation(struct import *import, const struct risk *risk,
                                     const struct import_mitigation *source,
                                     struct err *err) MUST_CHECK;
enum status import_insert_sub_action(struct import *import, const struct sub_action *source,
                                     const char *mitigation_id, int64_t position,
                                     struct err *err) MUST_CHECK;
/** The assets of these keys. INVALID, noted, if there is none of one. */
enum status import_find_assets(struct import *import, int64_t row, struct texts keys,
                               struct asset **ret_assets, struct err *err) MUST_CHECK;
/** Progress in percent as the sub-actions say. */
int64_t import_progress(const struct sub_action *sub_actions, size_t count);

/** Read a risk of a document; `err` has all its faults. */
enum status import_read_document_item(const struct document_tables *tables, const json *value,
                                      struct arena *arena, struct import_item *ret_item,
                                      struct err *err) MUST_CHECK;
/** Read a baseline: the members of a risk, none of them required. */
enum status import_read_item(const struct document_tables *tables, const char *json_text,
                             struct arena *arena, struct import_item *ret_item,
                             struct err *err) MUST_CHECK;

#endif
