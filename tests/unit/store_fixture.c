#include "store_fixture.h"

#include <dirent.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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

const char *store_fixture_engine(void)
{
    return is_postgres() ? "postgres" : "sqlite";
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

/** One or more statements past the engine, on a connection of their own. */
static void run_in(const char *url, const char *sql)
{
    PGconn *conn = PQconnectdb(url);
    PGresult *result = PQexec(conn, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        fprintf(stderr, "fixture: %s: %s\n", sql, PQerrorMessage(conn));
        abort();
    }
    PQclear(result);
    PQfinish(conn);
}

/** `command`: CREATE or DROP DATABASE. */
static void change_cluster(const char *command, const char *url, const char *options)
{
    AUTO_FREE char *sql = mem_format("%s %s %s", command, strrchr(url, '/') + 1, options);
    run_in(cluster_url(), sql);
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

/** What fails is a trigger that waits for the commit, with the error of a full disk. */
static void fail_commits_of_postgres(struct store_fixture *store, bool fail)
{
    if (!store->has_trigger)
        run_in(store->url,
               "CREATE FUNCTION fail_commit() RETURNS trigger LANGUAGE plpgsql AS "
               "$$BEGIN RAISE 'no space left' USING ERRCODE = '53100'; END$$;"
               "CREATE CONSTRAINT TRIGGER fail_commit AFTER UPDATE ON cache_generation "
               "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail_commit()");
    store->has_trigger = true;
    run_in(store->url, fail ? "ALTER TABLE cache_generation ENABLE TRIGGER fail_commit"
                            : "ALTER TABLE cache_generation DISABLE TRIGGER fail_commit");
}

/** Files cannot grow, so the commit's pages do not reach the log. */
static void fail_commits_of_sqlite(bool fail)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0)
        abort();
    limit.rlim_cur = fail ? 0 : limit.rlim_max;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        abort();
}

void store_fixture_fail_commits(struct store_fixture *store, bool fail)
{
    if (is_postgres())
        fail_commits_of_postgres(store, fail);
    else
        fail_commits_of_sqlite(fail);
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
