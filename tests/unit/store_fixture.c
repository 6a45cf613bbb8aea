#include "store_fixture.h"

#include <dirent.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/id.h"
#include "base/mem.h"
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

static bool is_postgres(void)
{
    const char *engine = getenv("OPENRISK_TEST_ENGINE");
    return engine && strcmp(engine, "postgres") == 0;
}

static const char *cluster_url(void)
{
    const char *url = getenv("OPENRISK_TEST_POSTGRES");
    if (!url || !strrchr(url, '/')) {
        fputs("fixture: OPENRISK_TEST_POSTGRES names no cluster; script/test does it\n", stderr);
        abort();
    }
    return url;
}

/** CREATE or DROP DATABASE, of which the engine knows nothing. */
static void change_cluster(const char *command, const char *url, const char *options)
{
    AUTO_FREE char *sql = mem_format("%s %s %s", command, strrchr(url, '/') + 1, options);
    PGconn *conn = PQconnectdb(cluster_url());
    PGresult *result = PQexec(conn, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        fprintf(stderr, "fixture: %s: %s\n", sql, PQerrorMessage(conn));
        abort();
    }
    PQclear(result);
    PQfinish(conn);
}

static void create_postgres(struct store_fixture *store)
{
    const char *cluster = cluster_url();
    uint64_t number;
    id_random(&number, sizeof number);
    store->url = mem_format("%.*s/unit_%016" PRIx64, (int)(strrchr(cluster, '/') - cluster),
                            cluster, number);
    change_cluster("CREATE DATABASE", store->url, "TEMPLATE template0");
}

static void create_sqlite(struct store_fixture *store)
{
    snprintf(store->folder, sizeof store->folder, "/tmp/openrisk-test-XXXXXX");
    if (!mkdtemp(store->folder))
        abort();
    store->url = mem_format("sqlite:%s/test.db", store->folder);
}

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
    rmdir(path);
}

void store_fixture_open(struct store_fixture *store)
{
    struct err err;
    err_init(&err);
    *store = (struct store_fixture){.caller = {.user_id = "00000000-0000-7000-8000-000000000001",
                                               .email = "admin@example.org",
                                               .role = ROLE_ADMIN,
                                               .address = "127.0.0.1"}};
    if (is_postgres())
        create_postgres(store);
    else
        create_sqlite(store);
    must(database_new(store->url, &store->database, &err), &err);
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
    if (is_postgres())
        change_cluster("DROP DATABASE", store->url, "WITH (FORCE)");
    else
        remove_folder(store->folder);
    free(store->url);
}
