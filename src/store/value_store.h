/**
 * The values in use: what a member of the risks holds now, to choose from instead of typing it.
 *
 * In a transaction of the caller. Not thread-safe.
 */
#ifndef OPENRISK_STORE_VALUE_STORE_H
#define OPENRISK_STORE_VALUE_STORE_H

#include "base/text.h"
#include "store/db.h"

enum value_member { VALUE_OWNER, VALUE_CATEGORY, VALUE_TAG, VALUE_FRAMEWORK, VALUE_SOURCE };
extern const char *const value_member_names[]; /* NULL-terminated */

/** So many different values are looked at, the first in the order of their bytes. */
enum { VALUES_LOOKED_AT_MAX = 2000 };

struct value_list {
    struct texts items;
    bool is_complete; /* there are no others */
};

/**
 * Of the risks that are not deleted, each value once, in the order of what they are folded; at most
 * `most`. `part`: folded, what each must hold anywhere; NULL: all. One statement, whose cost grows
 * with the values and not with the risks.
 */
enum status value_store_find(struct db *db, enum value_member member, const char *part, size_t most,
                             struct arena *arena, struct value_list *ret_list,
                             struct err *err) MUST_CHECK;

#endif
