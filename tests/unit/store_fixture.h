/**
 * A migrated SQLite database in a folder of its own, for tests.
 *
 *     struct store_fixture store; store_fixture_open(&store);
 *     … store.db, store.service …
 *     store_fixture_close(&store);
 */
#ifndef OPENRISK_TESTS_STORE_FIXTURE_H
#define OPENRISK_TESTS_STORE_FIXTURE_H

#include "service/service.h"

struct store_fixture {
    char folder[64];
    struct database *database;
    struct db *db;
    struct arena arena;
    struct caller caller; /* an admin */
    struct service service;
};

void store_fixture_open(struct store_fixture *store);
void store_fixture_close(struct store_fixture *store);

#endif
