/**
 * Lists: filtered, sorted and paged reading of one table, from a description of it.
 *
 * A `struct list_spec` says which parameters a list knows; reading a query string, the SQL text,
 * the total and the OpenAPI document all come from it. A list takes two statements, whatever the
 * filters: one counts (up to LIST_COUNT_MAX + 1), one reads a page.
 *
 * How a page is found depends on that count. Few matches are collected by the filters' indexes and
 * then sorted. Many are met soon by walking the index of the order and testing each row, where
 * collecting would touch most of the table. Both forms of each condition stand in the spec; a test
 * looks at the plan of all combinations. Testing is cheap, without a look at the row, where the
 * matches are known as a set of rows (`sift`), so such a filter walks from LIST_SIFT_MIN matches.
 *
 * Not thread-safe; specs are constant.
 */
#ifndef OPENRISK_STORE_LIST_H
#define OPENRISK_STORE_LIST_H

#include "store/db.h"

enum {
    LIST_FILTERS_MAX = 16,
    LIST_COUNT_MAX = 10000,
    LIST_SIFT_MIN = 1000,
    LIST_LIMIT_MAX = 200,
    LIST_LIMIT_DEFAULT = 20,
    LIST_DEPTH_MAX = 100000,
    LIST_WORDS_MAX = 32,
    LIST_SCALE_MAX = 5, /* of impact and probability */
};

enum list_kind {
    LIST_TEXT,       /* any text up to 300 characters */
    LIST_NAME,       /* one of `names`, matched as text */
    LIST_LEVEL,      /* one of the levels, matched as a range of scores: two parameters */
    LIST_HUNDREDTHS, /* 12.5 */
    LIST_DATE,
    LIST_TIME,
    LIST_NUMBER,     /* a whole number */
    LIST_SCALE,      /* a whole number from 1 to LIST_SCALE_MAX */
    LIST_FLAG,       /* true or false; true adds the condition, false its `otherwise` */
    LIST_SEARCH,     /* words; conditions are built for store/search.c's tables */
    LIST_SEARCH_NAME /* one text, folded, found anywhere in a column: the parameter */
};

struct list_filter {
    const char *name;
    enum list_kind kind;
    const char *collect;    /* condition for the filter's index; each ? is a parameter */
    const char *walk;       /* for testing a row; NULL: the same */
    const char *same_order; /* in this order, walking too goes by `collect`: it bounds the index */
    const char *bound;      /* where the index of that order has another key: what bounds it */
    const char *in_order;   /* its index has the matches in this order */
    /* What to count if it is the only filter: a table and a condition on it, which hold for rows of
     * `base` only; NULL: count as with any other. */
    const char *alone;
    /* Tests the row's number against the set of all matches; NULL: they are not known as such. Of
     * LIST_SEARCH any text: it is made with the others. */
    const char *sift;
    const char *otherwise;    /* LIST_FLAG: for false; NULL: no condition */
    const char *const *names; /* LIST_NAME */
    const char *about;
    bool internal; /* set by the program, not by a query string */
};

struct list_sort {
    const char *name;
    const char *key;      /* an expression without NULLs, indexed together with the id */
    bool text_key;        /* the key is a text, else a number */
    bool id_opposite;     /* the index has the id in the opposite direction of the key */
    bool ascending_first; /* the direction without sort_dir */
};

struct list_spec {
    const char *name; /* of the query: "risk_list" */
    const char *table;
    const char *columns; /* of the outer SELECT */
    const char *row;     /* a unique column: "ref" */
    const char *id;      /* ties are ordered by it */
    bool id_is_number;
    const char *base; /* a condition that always holds; "1 = 1" */
    const struct list_filter *filters;
    size_t filter_count;
    const struct list_sort *sorts; /* the first is the default */
    size_t sort_count;
    /** An exact count of the whole, where there is a cheaper one than counting; else NULL. */
    const struct query *total;
};

/** What was asked for. Texts are the arena's. */
struct list_request {
    const struct list_spec *spec;
    const char *values[LIST_FILTERS_MAX]; /* checked; NULL: not filtered */
    size_t sort;
    bool descending;
    int64_t page, limit;
    const char *after_key, *after_id; /* keyset; NULL: by page */
    unsigned seen;                    /* parameters that were set, to refuse repeated ones */
    const char *after;                /* as it came */
    bool sort_dir_set;
};

void list_request_init(struct list_request *request, const struct list_spec *spec);

/**
 * Take a parameter of a query string: a filter, sort_by, sort_dir, page, limit or after. MALFORMED,
 * naming it, if it is not declared, repeated, or does not parse.
 */
enum status list_request_set(struct list_request *request, const char *name, const char *value,
                             struct arena *arena, struct err *err) MUST_CHECK;
/** After the last parameter: the checks that take several together. */
enum status list_request_finish(struct list_request *request, struct arena *arena,
                                struct err *err) MUST_CHECK;
/** Set a filter from the program; the name must exist. */
void list_request_filter(struct list_request *request, const char *name, const char *value);

/** The token that reads on after the row with this key and id. */
char *list_request_next(const struct list_request *request, const char *key, const char *id,
                        struct arena *arena);

struct list_total {
    int64_t total;
    bool is_exact;
};

/** Columns of the spec begin here in a row; before them stand the sort key and the id. */
enum { LIST_FIRST_COLUMN = 2 };

struct list_result {
    struct list_total total;
    size_t count;     /* rows on this page */
    const char *next; /* the token that reads on; NULL on the last page */
};

/** Count, then read a page, calling `row` for each row of it: two statements. */
typedef void list_row(void *context, const struct db_rows *rows);
enum status list_read(struct db *db, const struct list_request *request, const char *today,
                      struct arena *arena, list_row *row, void *context,
                      struct list_result *ret_result, struct err *err) MUST_CHECK;

/**
 * All rows that are asked for, whatever page and limit say: their numbers, in the order of the
 * request. With `after` another statement has them as a set instead: "SELECT … WHERE risk_ref IN ("
 * and ")". The rows stream, and are the caller's to end.
 */
enum status list_select_all(struct db *db, const struct list_request *request, const char *today,
                            const char *before, const char *after, struct arena *arena,
                            struct db_rows *ret_rows, struct err *err) MUST_CHECK;

/** The SQL texts alone, for the test of plans. `form`: 0 collects, 1 sifts, 2 walks. */
struct query list_page_query(const struct list_request *request, enum db_dialect dialect, int form,
                             struct arena *arena);
struct query list_count_query(const struct list_request *request, enum db_dialect dialect,
                              struct arena *arena);
struct query list_all_query(const struct list_request *request, enum db_dialect dialect,
                            const char *before, const char *after, struct arena *arena);

/* The lists of the program. */
extern const struct list_spec risk_list;
extern const struct list_spec mitigation_list;
extern const struct list_spec asset_list;
extern const struct list_spec user_list;
extern const struct list_spec history_list;
extern const struct list_spec audit_list;
extern const struct list_spec *const all_lists[]; /* NULL-terminated */

#endif
