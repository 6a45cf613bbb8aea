/**
 * Mitigations and their sub-actions in the database. Inside a transaction of the caller; records go
 * to the arena given.
 */
#ifndef OPENRISK_STORE_MITIGATION_STORE_H
#define OPENRISK_STORE_MITIGATION_STORE_H

#include "domain/mitigation.h"
#include "store/list.h"

/** Columns of the list and of single mitigations, read from `first` on. */
void mitigation_store_read(const struct db_rows *rows, int first, struct arena *arena,
                           struct mitigation *mitigation);

enum status mitigation_store_get(struct db *db, const char *id, struct arena *arena,
                                 struct mitigation *ret_mitigation, struct err *err) MUST_CHECK;
/** `hidden`: its risk is deleted. */
enum status mitigation_store_insert(struct db *db, const struct mitigation *mitigation, bool hidden,
                                    struct arena *arena, struct err *err) MUST_CHECK;
enum status mitigation_store_update(struct db *db, const struct mitigation *mitigation,
                                    struct arena *arena, struct err *err) MUST_CHECK;
/** With its sub-actions. */
enum status mitigation_store_delete(struct db *db, const char *id, struct err *err) MUST_CHECK;
enum status mitigation_store_hide(struct db *db, int64_t risk_ref, bool hidden,
                                  struct err *err) MUST_CHECK;

struct mitigation_list_page {
    struct mitigation *items;
    struct list_result result;
};
enum status mitigation_store_list(struct db *db, const struct list_request *request,
                                  const char *today, struct arena *arena,
                                  struct mitigation_list_page *ret_page,
                                  struct err *err) MUST_CHECK;

enum status sub_action_store_get(struct db *db, const char *id, struct arena *arena,
                                 struct sub_action *ret_sub_action, struct err *err) MUST_CHECK;
enum status sub_action_store_insert(struct db *db, const struct sub_action *sub_action,
                                    struct err *err) MUST_CHECK;
enum status sub_action_store_update(struct db *db, const struct sub_action *sub_action,
                                    struct err *err) MUST_CHECK;
enum status sub_action_store_delete(struct db *db, const char *id, struct err *err) MUST_CHECK;

#endif
