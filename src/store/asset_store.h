/**
 * Assets in the database. Inside a transaction of the caller; records go to the arena given.
 */
#ifndef OPENRISK_STORE_ASSET_STORE_H
#define OPENRISK_STORE_ASSET_STORE_H

#include "domain/asset.h"
#include "store/list.h"

enum status asset_store_get(struct db *db, const char *id, struct arena *arena,
                            struct asset *ret_asset, struct err *err) MUST_CHECK;
/** By name, case and accents folded. */
enum status asset_store_find(struct db *db, const char *name, struct arena *arena,
                             struct asset *ret_asset, struct err *err) MUST_CHECK;
/** CONFLICT with field "name" or "external_id". */
enum status asset_store_insert(struct db *db, const struct asset *asset, struct arena *arena,
                               struct err *err) MUST_CHECK;
enum status asset_store_update(struct db *db, const struct asset *asset, struct arena *arena,
                               struct err *err) MUST_CHECK;
/** Its links must be gone. */
enum status asset_store_delete(struct db *db, const char *id, struct err *err) MUST_CHECK;
/** Change how many risks it has that are not deleted. */
enum status asset_store_count(struct db *db, const char *id, int64_t difference,
                              struct err *err) MUST_CHECK;

struct asset_list_page {
    struct asset *items;
    struct list_result result;
};
enum status asset_store_list(struct db *db, const struct list_request *request, struct arena *arena,
                             struct asset_list_page *ret_page, struct err *err) MUST_CHECK;

#endif
