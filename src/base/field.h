/**
 * Field tables: what members a record has, declared once.
 *
 * A domain record is a plain struct; a table of `struct field` says for each member its name, its
 * kind, where it lies and what it may hold. Reading a body, writing an answer, storing, comparing
 * two versions for the timeline and the OpenAPI document all loop over the same table.
 *
 * A mask of fields (`field_mask`) has bit i set for the i-th row of the table.
 */
#ifndef OPENRISK_BASE_FIELD_H
#define OPENRISK_BASE_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"

enum field_kind {                   /* C type at `offset`; in JSON; in SQL */
                  FIELD_TEXT,       /* const char *, one line; string or null; TEXT */
                  FIELD_LONG_TEXT,  /* const char *, may hold line feeds and tabs; string or null;
                                       TEXT */
                  FIELD_INT,        /* int64_t; integer; BIGINT */
                  FIELD_BOOL,       /* bool; true or false; 0 or 1 */
                  FIELD_ENUM,       /* int, position in `names`; one of the names; TEXT */
                  FIELD_DATE,       /* const char *, "YYYY-MM-DD" or NULL; string or null; TEXT */
                  FIELD_TIME,       /* int64_t, UTC ms, 0 = null; RFC 3339 string or null; BIGINT */
                  FIELD_HUNDREDTHS, /* int64_t; number with two decimals, 1250 ↔ 12.5; BIGINT */
                  FIELD_TEXTS,  /* struct texts, one line each; array of strings; lines of a TEXT */
                  FIELD_OBJECT, /* const char *, compact JSON of an object of scalars; object; TEXT
                                 */
};

enum {
    FIELD_REQUIRED = 1 << 0, /* must be present and not empty when the record is made */
    FIELD_WRITABLE = 1 << 1, /* may be set by a body; others are refused there as read-only */
    FIELD_NULLABLE = 1 << 2, /* null is allowed: NULL, or 0 for numbers */
    FIELD_HIDDEN = 1 << 3,   /* never in an answer: a password */
    FIELD_TRACKED = 1 << 4,  /* a change of it is an entry of the timeline */
};

struct field {
    const char *name;
    enum field_kind kind;
    size_t offset;
    unsigned flags;
    int64_t min, max;         /* numbers: the range. Texts: characters. Lists: max characters of an
                                 item. 0, 0: no limit but those of the kind. */
    int64_t max_items;        /* FIELD_TEXTS */
    const char *const *names; /* FIELD_ENUM, NULL-terminated */
    const char *about;        /* one line for OpenAPI */
};

typedef uint64_t field_mask;

struct field_table {
    const char *name; /* "Risk" */
    const struct field *fields;
    size_t count; /* ≤ 64 */
    size_t record_size;
};

#define FIELD_AT(type, record, field) ((type *)((char *)(record) + (field)->offset))
#define FIELD_OF(type, record, field) ((const type *)((const char *)(record) + (field)->offset))
#define FIELD_BIT(index) (UINT64_C(1) << (index))

/** The row with this name, NULL if there is none; `ret_index` may be NULL. */
const struct field *field_find(const struct field_table *table, const char *name,
                               size_t *ret_index);

/** The bit of the field with this name; aborts if there is none, for names in the program. */
field_mask field_bit(const struct field_table *table, const char *name);

/** Is this member equal in two records? Lists in order, texts by bytes. */
bool field_equal(const struct field *field, const void *a, const void *b);

/** Copy a member; texts are copied into `arena`. */
void field_copy(const struct field *field, void *to, const void *from, struct arena *arena);

/** The members of `mask` in which two records differ. */
field_mask field_diff(const struct field_table *table, field_mask mask, const void *a,
                      const void *b);

/** Copy the members of `mask`. */
void field_copy_all(const struct field_table *table, field_mask mask, void *to, const void *from,
                    struct arena *arena);

/** The mask of the fields that have all of `flags`. */
field_mask field_mask_of(const struct field_table *table, unsigned flags);

#endif
