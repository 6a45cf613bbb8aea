/**
 * Risks, what hangs on them, and users as JSON, in one form everywhere.
 */
#ifndef OPENRISK_API_RISK_JSON_H
#define OPENRISK_API_RISK_JSON_H

#include "api/route.h"
#include "domain/account.h"
#include "store/list.h"
#include "store/risk_store.h"
#include "json/json_write.h"

/** id, ref, title, score, level, status */
void put_risk_brief(struct json_writer *out, const char *name, const struct risk *risk);
/** "risk": {id, ref, title}, in lists of what belongs to risks */
void put_risk_name(struct json_writer *out, const char *id, int64_t ref, const char *title);
void put_risk(struct json_writer *out, const char *name, const struct risk_page *page);
/** `sub_actions` are always there. */
void put_mitigation(struct json_writer *out, const char *name, const struct mitigation_page *page);
/** Every member of a record as an object. */
void put_record(struct json_writer *out, const char *name, const struct field_table *table,
                const void *record);
/** A user as the whole answer, with its version for the ETag. */
enum status answer_user(struct question *question, const struct user *user);
/** The members around the items of a list: total, total_is_exact, page, limit, next. */
void put_list_end(struct json_writer *out, const struct list_request *request,
                  const struct list_result *result);

#endif
