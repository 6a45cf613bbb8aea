/**
 * A migrated database of one's own, for tests: SQLite in a folder, or with
 * OPENRISK_TEST_ENGINE=postgres a new one in the cluster of OPENRISK_TEST_POSTGRES, a superuser's
 * URL.
 *
 *     struct store_fixture store; store_fixture_open(&store);
 *     … store.db, store.service …
 *     store_fixture_close(&store);
 */
#ifndef OPENRISK_TESTS_STORE_FIXTURE_H
#define OPENRISK_TESTS_STORE_FIXTURE_H

#include "service/service.h"

struct store_fixture {
    char folder[64];  /* of SQLite */
    char *url;        /* one may open it once more */
    bool has_trigger; /* of store_fixture_fail_commits(), in PostgreSQL */
    struct database *database;
    struct db *db;
    struct arena arena;
    struct caller caller; /* an admin */
    struct service service;
};

void store_fixture_open(struct store_fixture *store);

/** "sqlite" or "postgres". */
const char *store_fixture_engine(void);

/**
 * From now on commits that write a generation fail, as on a full disk; or no more. With SQLite no
 * file of this process can be written meanwhile. Not while a transaction writes.
 */
void store_fixture_fail_commits(struct store_fixture *store, bool fail);

void store_fixture_close(struct store_fixture *store);

#endif
