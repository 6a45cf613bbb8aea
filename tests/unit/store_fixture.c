#include "store_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/migrate.h"

/* 2026-03-01T12:00:00Z */
#define FIXTURE_NOW_MS INT64_C(1772366400000)

static void must(enum status status, const struct err *err)
{
    char text[ERR_FIELD_SIZE + ERR_MESSAGE_SIZE];
    if (status == OK)
        return;
    fprintf(stderr, "fixture: %s\n", err_text(err, text, sizeof text));
    abort();
}

void store_fixture_open(struct store_fixture *store)
{
    struct err err;
    err_init(&err);
    *store = (struct store_fixture){.caller = {.user_id = "00000000-0000-7000-8000-000000000001",
                                               .email = "admin@example.org",
                                               .role = ROLE_ADMIN,
                                               .address = "127.0.0.1"}};
    snprintf(store->folder, sizeof store->folder, "/tmp/openrisk-test-XXXXXX");
    if (!mkdtemp(store->folder))
        abort();
    char url[128];
    snprintf(url, sizeof url, "sqlite:%s/test.db", store->folder);
    must(database_new(url, &store->database, &err), &err);
    must(db_open(store->database, &store->db, &err), &err);
    must(migrate(store->db, FIXTURE_NOW_MS, &err), &err);
    arena_init(&store->arena);
    store->service = service_new(store->db, &store->arena, FIXTURE_NOW_MS, &store->caller);
    store->service.action = "test";
}

void store_fixture_close(struct store_fixture *store)
{
    db_close(store->db);
    database_free(store->database);
    arena_release(&store->arena);
    DIR *folder = opendir(store->folder);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
    rmdir(store->folder);
}
