/**
 * What a piece of work needs: a connection, memory, the time, and who asks for what.
 *
 * Made once per request or command; `now_ms` and `today` are taken once, from the injected clock,
 * and are the only time that rules and SQL see. Service functions begin and end their own
 * transactions and leave none open, but reading ones also work in a snapshot of their caller's
 * (`in_snapshot`). Not thread-safe: one per thread.
 */
#ifndef OPENRISK_SERVICE_SERVICE_H
#define OPENRISK_SERVICE_SERVICE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/status.h"
#include "domain/account.h"
#include "store/db.h"

struct service {
    struct db *db;
    struct arena *arena;
    int64_t now_ms;
    char today[CLOCK_DATE_SIZE];
    const struct caller *caller; /* never NULL; `{0}` is nobody, commands have an `email` only */
    const char *action;          /* for the audit log: "PATCH /risks/{id}", "openrisk import" */
    int write_timeout_ms;        /* how long to wait for other writers */
    bool in_snapshot;            /* the maker began a read transaction and will end it */
};

struct service service_new(struct db *db, struct arena *arena, int64_t now_ms,
                           const struct caller *caller);

/**
 * Reading functions read between these two: in a snapshot of their own, or in the one of the
 * service's maker, who wants to know which state of the database the answer shows.
 */
enum status service_begin_read(struct service *service, struct err *err) MUST_CHECK;
void service_end_read(struct service *service);

#endif
