/**
 * What a piece of work needs: a connection, memory, the time, and who asks for what.
 *
 * Made once per request or command; `now_ms` and `today` are taken once, from the injected clock,
 * and are the only time that rules and SQL see. Service functions begin and end their own
 * transactions and leave none open. Not thread-safe: one per thread.
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
};

struct service service_new(struct db *db, struct arena *arena, int64_t now_ms,
                           const struct caller *caller);

#endif
