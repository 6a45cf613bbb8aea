/**
 * The recorded history of risks, the audit log, and what imports last said. Inside a transaction of
 * the caller.
 */
#ifndef OPENRISK_STORE_HISTORY_STORE_H
#define OPENRISK_STORE_HISTORY_STORE_H

#include "domain/risk.h"
#include "store/list.h"

/** One write to a risk: what changed, and the figures after it. */
struct history_entry {
    int64_t at;
    const char *actor_id; /* NULL: a command */
    const char *actor;    /* e-mail address; of commands "(command line)" */
    const char *action;   /* "created", "updated", "deleted", … */
    int64_t version;
    int64_t score;
    int status; /* enum risk_status */
    bool deleted;
    const char *changes; /* JSON: [{"member":…,"from":…,"to":…}] */
    /* of the risk, in lists */
    const char *risk_id;
    int64_t risk_ref;
    const char *risk_title;
};

enum status history_store_insert(struct db *db, int64_t risk_ref, const struct history_entry *entry,
                                 struct err *err) MUST_CHECK;

struct history_list_page {
    struct history_entry *items;
    struct list_result result;
};
/** Newest first. */
enum status history_store_list(struct db *db, const struct list_request *request,
                               struct arena *arena, struct history_list_page *ret_page,
                               struct err *err) MUST_CHECK;
/** All of a risk, oldest first; for export. */
enum status history_store_of(struct db *db, int64_t risk_ref, struct arena *arena,
                             struct history_entry **ret_items, size_t *ret_count,
                             struct err *err) MUST_CHECK;

struct audit_entry {
    int64_t at;
    const char *actor_id; /* NULL: nobody, or a command */
    const char *actor;    /* e-mail address as given, or "" */
    const char *action;   /* "POST /risks", "login", "openrisk import" */
    const char *target;   /* what it was done to: an id, a file */
    const char *address;  /* the client's */
    const char *result;   /* "ok", or the name of a status */
    const char *detail;
};
enum status audit_store_insert(struct db *db, const struct audit_entry *entry,
                               struct err *err) MUST_CHECK;
struct audit_list_page {
    struct audit_entry *items;
    struct list_result result;
};
enum status audit_store_list(struct db *db, const struct list_request *request, struct arena *arena,
                             struct audit_list_page *ret_page, struct err *err) MUST_CHECK;

/** What the last import from this source said of this risk, as JSON. NOT_FOUND. */
enum status baseline_store_get(struct db *db, const char *source, const char *external_id,
                               struct arena *arena, int64_t *ret_risk_ref, char **ret_members,
                               struct err *err) MUST_CHECK;
/** CONFLICT if there is one. */
enum status baseline_store_insert(struct db *db, const char *source, const char *external_id,
                                  int64_t risk_ref, const char *members,
                                  struct err *err) MUST_CHECK;
enum status baseline_store_update(struct db *db, const char *source, const char *external_id,
                                  const char *members, struct err *err) MUST_CHECK;

struct baseline {
    const char *source, *external_id, *members;
};
enum status baseline_store_of(struct db *db, int64_t risk_ref, struct arena *arena,
                              struct baseline **ret_items, size_t *ret_count,
                              struct err *err) MUST_CHECK;

#endif
