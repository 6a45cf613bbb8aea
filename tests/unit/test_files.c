/*
 * Locks, backup and restore of a SQLite database, on real files in a folder of its own per test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/files.h"
#include "store/migrate.h"

enum { BIG_VALUE_BYTES = 6 << 20, WRITE_TIMEOUT_MS = 1000 };

struct place {
    char folder[64];
    char *path;
    char *backup;
    struct database *database;
    struct db *db;
};

static void must(enum status status, const struct err *err)
{
    char text[400];
    if (status != OK)
        fail_msg("%s: %s", status_name(status), err_text(err, text, sizeof text));
}

static void put(struct db *db, const char *name, const char *value)
{
    struct err err;
    must(db_begin_write(db, 1, WRITE_TIMEOUT_MS, &err), &err);
    must(meta_set(db, name, value, &err), &err);
    must(db_commit(db, &err), &err);
}

/** A value of the database at `path`, "" if it is not there; for freeing. */
static char *get(const char *path, const char *name)
{
    struct err err;
    struct database *database;
    struct db *db;
    AUTO_FREE char *url = mem_format("sqlite:%s", path);
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    must(database_new(url, &database, &err), &err);
    must(db_open(database, &db, &err), &err);
    must(db_begin_read(db, &err), &err);
    char *value = NULL;
    enum status status = meta_get(db, name, &arena, &value, &err);
    if (status != NOT_FOUND)
        must(status, &err);
    char *copy = mem_strdup(value ? value : "");
    db_close(db);
    database_free(database);
    return copy;
}

static void assert_value(const char *path, const char *name, const char *expected)
{
    AUTO_FREE char *value = get(path, name);
    assert_string_equal(value, expected);
}

static int make_place(void **state)
{
    struct err err;
    struct place *place = mem_zalloc(1, sizeof *place);
    strcpy(place->folder, "/tmp/openrisk-files-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    place->path = mem_format("%s/data/register.db", place->folder);
    place->backup = mem_format("%s/backup.db", place->folder);
    AUTO_FREE char *url = mem_format("sqlite:%s", place->path);
    must(database_new(url, &place->database, &err), &err);
    int fd;
    must(files_lock(place->database, FILES_USE, &fd, &err), &err);
    files_unlock(fd);
    must(db_open(place->database, &place->db, &err), &err);
    must(migrate(place->db, 1, &err), &err);
    put(place->db, "colour", "blue");
    *state = place;
    return 0;
}

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        AUTO_FREE char *name = mem_format("%s/%s", path, entry->d_name);
        if (unlink(name) != 0)
            remove_folder(name);
    }
    if (folder)
        closedir(folder);
    rmdir(path);
}

static void close_place(struct place *place)
{
    db_close(place->db);
    place->db = NULL;
}

static int remove_place(void **state)
{
    struct place *place = *state;
    close_place(place);
    database_free(place->database);
    remove_folder(place->folder);
    free(place->path);
    free(place->backup);
    free(place);
    return 0;
}

/** Files in a folder; `ending` NULL: all. */
static int count_files(const char *path, const char *ending)
{
    int count = 0;
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        size_t length = strlen(entry->d_name), tail = ending ? strlen(ending) : 0;
        count +=
            entry->d_name[0] != '.' &&
            (!ending || (length >= tail && strcmp(entry->d_name + length - tail, ending) == 0));
    }
    closedir(folder);
    return count;
}

static void assert_nothing_left(const struct place *place)
{
    AUTO_FREE char *data = mem_format("%s/data", place->folder);
    assert_int_equal(count_files(data, ".tmp"), 0);
    assert_int_equal(count_files(place->folder, ".tmp"), 0);
}

static char *read_file(const char *path, size_t *ret_size)
{
    struct stat info;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &info), 0);
    char *bytes = mem_alloc((size_t)info.st_size + 1);
    assert_int_equal(read(fd, bytes, (size_t)info.st_size), info.st_size);
    close(fd);
    *ret_size = (size_t)info.st_size;
    return bytes;
}

static void write_file(const char *path, const char *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

static void grow(struct place *place)
{
    AUTO_FREE char *big = mem_alloc(BIG_VALUE_BYTES + 1);
    memset(big, 'x', BIG_VALUE_BYTES);
    big[BIG_VALUE_BYTES] = '\0';
    put(place->db, "big", big);
}

/* Locks */

static void a_second_server_is_refused_and_told_who_serves(void **state)
{
    struct place *place = *state;
    struct err err;
    int first, second;
    must(files_lock(place->database, FILES_SERVE, &first, &err), &err);
    assert_int_equal(files_lock(place->database, FILES_SERVE, &second, &err), BUSY);
    AUTO_FREE char *id = mem_format("process id %d", (int)getpid());
    assert_non_null(strstr(err.items[0].message, id));
    files_unlock(first);
    must(files_lock(place->database, FILES_SERVE, &second, &err), &err);
    files_unlock(second);
}

static void commands_run_beside_each_other_and_a_server(void **state)
{
    struct place *place = *state;
    struct err err;
    int server, command, other;
    must(files_lock(place->database, FILES_USE, &command, &err), &err);
    must(files_lock(place->database, FILES_SERVE, &server, &err), &err);
    must(files_lock(place->database, FILES_USE, &other, &err), &err);
    files_unlock(server);
    files_unlock(command);
    files_unlock(other);
}

static void a_restore_tolerates_nobody_and_nobody_a_restore(void **state)
{
    static const enum files_lock others[] = {FILES_USE, FILES_SERVE, FILES_REPLACE};
    struct place *place = *state;
    struct err err;
    int held, fd;
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        must(files_lock(place->database, others[i], &held, &err), &err);
        assert_int_equal(files_lock(place->database, FILES_REPLACE, &fd, &err), BUSY);
        files_unlock(held);
        must(files_lock(place->database, FILES_REPLACE, &held, &err), &err);
        assert_int_equal(files_lock(place->database, others[i], &fd, &err), BUSY);
        files_unlock(held);
    }
}

static void a_link_to_the_database_shares_its_lock(void **state)
{
    struct place *place = *state;
    struct err err;
    struct database *same;
    int held, fd;
    AUTO_FREE char *alias = mem_format("%s/alias.db", place->folder);
    AUTO_FREE char *url = mem_format("sqlite:%s", alias);
    assert_int_equal(symlink(place->path, alias), 0);
    must(database_new(url, &same, &err), &err);
    must(files_lock(place->database, FILES_SERVE, &held, &err), &err);
    assert_int_equal(files_lock(same, FILES_SERVE, &fd, &err), BUSY);
    files_unlock(held);
    database_free(same);
}

static void a_lock_ends_with_its_process(void **state)
{
    struct place *place = *state;
    struct err err;
    int pipe_fds[2], fd;
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    if (child == 0) {
        bool locked = files_lock(place->database, FILES_SERVE, &fd, &err) == OK;
        if (write(pipe_fds[1], locked ? "y" : "n", 1) == 1)
            pause();
        _exit(1);
    }
    char answer = 0;
    assert_int_equal(read(pipe_fds[0], &answer, 1), 1);
    assert_int_equal(answer, 'y');
    assert_int_equal(files_lock(place->database, FILES_SERVE, &fd, &err), BUSY);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    must(files_lock(place->database, FILES_SERVE, &fd, &err), &err);
    files_unlock(fd);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void folder_and_files_are_for_their_owner_only(void **state)
{
    struct place *place = *state;
    struct err err;
    struct stat info;
    AUTO_FREE char *folder = mem_format("%s/data", place->folder);
    AUTO_FREE char *lock = mem_format("%s.lock", place->path);
    must(files_backup(place->database, place->backup, NULL, NULL, &err), &err);
    assert_int_equal(stat(folder, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    const char *const files[] = {lock, place->path, place->backup};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        assert_int_equal(stat(files[i], &info), 0);
        assert_int_equal(info.st_mode & 0777, 0600);
    }
}

/* Backup */

struct watch {
    struct db *writer;
    int64_t last_done;
    int writes, calls;
    int stop_at; /* the call that gives up; 0: none */
};

static bool write_meanwhile(void *context, int64_t done, int64_t all)
{
    struct watch *watch = context;
    assert_true(done > watch->last_done && done <= all);
    watch->last_done = done;
    watch->calls++;
    if (watch->writer) {
        AUTO_FREE char *value = mem_format("red %d", ++watch->writes);
        put(watch->writer, "colour", value);
    }
    return watch->calls != watch->stop_at;
}

static void a_backup_is_of_one_moment_while_others_write(void **state)
{
    struct place *place = *state;
    struct err err;
    grow(place);
    struct watch watch = {.writer = place->db};
    must(files_backup(place->database, place->backup, write_meanwhile, &watch, &err), &err);
    assert_true(watch.writes > 1);
    assert_value(place->backup, "colour", "blue");
    AUTO_FREE char *last = mem_format("red %d", watch.writes);
    assert_value(place->path, "colour", last);
    assert_nothing_left(place);
}

static void a_backup_is_one_file(void **state)
{
    struct place *place = *state;
    struct err err;
    AUTO_FREE char *folder = mem_format("%s/backups", place->folder);
    AUTO_FREE char *target = mem_format("%s/one.db", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    must(files_backup(place->database, target, NULL, NULL, &err), &err);
    assert_int_equal(count_files(folder, NULL), 1);
}

static void a_backup_never_replaces_a_file(void **state)
{
    struct place *place = *state;
    struct err err;
    size_t size;
    write_file(place->backup, "mine", 4);
    assert_int_equal(files_backup(place->database, place->backup, NULL, NULL, &err), CONFLICT);
    AUTO_FREE char *bytes = read_file(place->backup, &size);
    assert_int_equal(size, 4);
    assert_memory_equal(bytes, "mine", 4);
    assert_nothing_left(place);
}

static void a_backup_that_was_stopped_leaves_nothing(void **state)
{
    struct place *place = *state;
    struct err err;
    grow(place);
    struct watch watch = {.stop_at = 2};
    assert_int_equal(files_backup(place->database, place->backup, write_meanwhile, &watch, &err),
                     CONFLICT);
    assert_int_equal(access(place->backup, F_OK), -1);
    assert_nothing_left(place);
}

/** The kernel refuses writes beyond a size, as a full disk does. */
static void a_backup_that_does_not_fit_leaves_nothing(void **state)
{
    struct place *place = *state;
    struct err err;
    struct rlimit usual, small;
    grow(place);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
    small = (struct rlimit){1 << 20, usual.rlim_max};
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum status status = files_backup(place->database, place->backup, NULL, NULL, &err);
    setrlimit(RLIMIT_FSIZE, &usual);
    signal(SIGXFSZ, before);
    assert_int_equal(status, UNAVAILABLE);
    assert_int_equal(access(place->backup, F_OK), -1);
    assert_nothing_left(place);
    assert_value(place->path, "colour", "blue");
}

static void a_backup_into_a_missing_folder_says_so(void **state)
{
    struct place *place = *state;
    struct err err;
    AUTO_FREE char *target = mem_format("%s/nowhere/backup.db", place->folder);
    assert_int_equal(files_backup(place->database, target, NULL, NULL, &err), UNAVAILABLE);
    assert_non_null(strstr(err.items[0].message, target));
}

/* Restore */

static void a_restored_database_is_the_backup_with_a_new_epoch(void **state)
{
    struct place *place = *state;
    struct err err;
    must(files_backup(place->database, place->backup, NULL, NULL, &err), &err);
    put(place->db, "colour", "green");
    AUTO_FREE char *epoch = get(place->path, "epoch");
    close_place(place);
    must(files_restore(place->database, place->backup, NULL, NULL, &err), &err);
    assert_value(place->path, "colour", "blue");
    AUTO_FREE char *renewed = get(place->path, "epoch");
    assert_int_equal(strlen(renewed), strlen(epoch));
    assert_string_not_equal(renewed, epoch);
    assert_value(place->backup, "epoch", epoch);
    assert_nothing_left(place);
}

/** A server that was killed leaves commits in its -wal: they must not reach the restored file. */
static void a_restore_leaves_no_write_ahead_log_behind(void **state)
{
    struct place *place = *state;
    struct err err;
    AUTO_FREE char *wal = mem_format("%s-wal", place->path);
    size_t file_size, wal_size;
    must(files_backup(place->database, place->backup, NULL, NULL, &err), &err);
    put(place->db, "colour", "green");
    AUTO_FREE char *file_bytes = read_file(place->path, &file_size);
    AUTO_FREE char *wal_bytes = read_file(wal, &wal_size);
    assert_true(wal_size > 0);
    close_place(place);
    write_file(place->path, file_bytes, file_size);
    write_file(wal, wal_bytes, wal_size);
    must(files_restore(place->database, place->backup, NULL, NULL, &err), &err);
    assert_int_equal(access(wal, F_OK), -1);
    assert_value(place->path, "colour", "blue");
}

static void a_restore_makes_a_database_where_there_was_none(void **state)
{
    struct place *place = *state;
    struct err err;
    must(files_backup(place->database, place->backup, NULL, NULL, &err), &err);
    close_place(place);
    assert_int_equal(unlink(place->path), 0);
    assert_false(files_exist(place->database));
    must(files_restore(place->database, place->backup, NULL, NULL, &err), &err);
    assert_true(files_exist(place->database));
    assert_value(place->path, "colour", "blue");
}

static void a_restore_replaces_a_damaged_database(void **state)
{
    struct place *place = *state;
    struct err err;
    size_t size;
    must(files_backup(place->database, place->backup, NULL, NULL, &err), &err);
    close_place(place);
    AUTO_FREE char *bytes = read_file(place->path, &size);
    write_file(place->path, bytes, size / 2);
    must(files_restore(place->database, place->backup, NULL, NULL, &err), &err);
    assert_value(place->path, "colour", "blue");
}

static void a_restore_is_refused_while_any_program_has_the_database_open(void **state)
{
    struct place *place = *state;
    struct err err;
    must(files_backup(place->database, place->backup, NULL, NULL, &err), &err);
    put(place->db, "colour", "green");
    assert_int_equal(files_restore(place->database, place->backup, NULL, NULL, &err), BUSY);
    assert_value(place->path, "colour", "green");
    assert_nothing_left(place);
}

/** The database keeps its bytes, and nothing is left beside it. */
static void assert_refused(struct place *place, const char *backup)
{
    struct err err;
    size_t size_before, size_after;
    AUTO_FREE char *before = read_file(place->path, &size_before);
    if (files_restore(place->database, backup, NULL, NULL, &err) == OK)
        fail_msg("%s was taken for a backup", backup);
    AUTO_FREE char *after = read_file(place->path, &size_after);
    assert_int_equal(size_after, size_before);
    assert_memory_equal(after, before, size_before);
    assert_nothing_left(place);
}

static void a_damaged_backup_changes_nothing(void **state)
{
    struct place *place = *state;
    struct err err;
    size_t size;
    must(files_backup(place->database, place->backup, NULL, NULL, &err), &err);
    close_place(place);
    AUTO_FREE char *bytes = read_file(place->backup, &size);
    /* Bytes 16 and 17 of the header (SQLite's file format, section 1.3.2). */
    const size_t page_size = (size_t)(unsigned char)bytes[16] << 8 | (unsigned char)bytes[17];
    const size_t cuts[] = {
        0, 1, 99, 100, 511, page_size - 1, page_size, 9000, size / 2, size - page_size, size - 1};
    for (size_t i = 0; i < COUNT_OF(cuts); i++) {
        write_file(place->backup, bytes, cuts[i]);
        assert_refused(place, place->backup);
    }
    for (size_t page = 1; page < size / page_size; page += 7) {
        AUTO_FREE char *broken = mem_alloc(size);
        memcpy(broken, bytes, size);
        memset(broken + page * page_size, 0xA5, 64);
        write_file(place->backup, broken, size);
        assert_refused(place, place->backup);
    }
}

static void what_is_no_backup_changes_nothing(void **state)
{
    struct place *place = *state;
    struct err err;
    AUTO_FREE char *missing = mem_format("%s/missing.db", place->folder);
    AUTO_FREE char *foreign = mem_format("%s/foreign.db", place->folder);
    AUTO_FREE char *newer = mem_format("%s/newer.db", place->folder);
    put(place->db, "schema", "9999");
    must(files_backup(place->database, newer, NULL, NULL, &err) == INVALID ? OK : INTERNAL, &err);
    put(place->db, "schema", "1");
    must(files_backup(place->database, newer, NULL, NULL, &err), &err);
    put(place->db, "colour", "green");
    close_place(place);

    /* A backup of a newer program, and a database of another one: by changing a header's field. */
    size_t size;
    AUTO_FREE char *bytes = read_file(newer, &size);
    memset(bytes + 68, 0, 4);
    write_file(foreign, bytes, size);
    struct database *database;
    struct db *db;
    AUTO_FREE char *url = mem_format("sqlite:%s", newer);
    must(database_new(url, &database, &err), &err);
    must(db_open(database, &db, &err), &err);
    put(db, "schema", "9999");
    db_close(db);
    database_free(database);

    write_file(place->backup, "title,impact\nTheft,3\n", 21);
    assert_refused(place, missing);
    assert_refused(place, foreign);
    assert_refused(place, newer);
    assert_refused(place, place->backup);
    assert_refused(place, place->path);
}

static void a_restore_never_replaces_a_file_of_another_program(void **state)
{
    struct place *place = *state;
    struct err err;
    size_t size;
    must(files_backup(place->database, place->backup, NULL, NULL, &err), &err);
    close_place(place);
    AUTO_FREE char *bytes = read_file(place->path, &size);
    memset(bytes + 68, 0, 4); /* the application id */
    write_file(place->path, bytes, size);
    assert_refused(place, place->backup);
    write_file(place->path, "a diary", 7);
    assert_refused(place, place->backup);
}

static void a_restore_that_was_stopped_changes_nothing(void **state)
{
    struct place *place = *state;
    struct err err;
    grow(place);
    must(files_backup(place->database, place->backup, NULL, NULL, &err), &err);
    put(place->db, "colour", "green");
    close_place(place);
    struct watch watch = {.stop_at = 2};
    assert_int_equal(files_restore(place->database, place->backup, write_meanwhile, &watch, &err),
                     CONFLICT);
    assert_value(place->path, "colour", "green");
    assert_nothing_left(place);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_second_server_is_refused_and_told_who_serves),
        TEST(commands_run_beside_each_other_and_a_server),
        TEST(a_restore_tolerates_nobody_and_nobody_a_restore),
        TEST(a_link_to_the_database_shares_its_lock),
        TEST(a_lock_ends_with_its_process),
        TEST(folder_and_files_are_for_their_owner_only),
        TEST(a_backup_is_of_one_moment_while_others_write),
        TEST(a_backup_is_one_file),
        TEST(a_backup_never_replaces_a_file),
        TEST(a_backup_that_was_stopped_leaves_nothing),
        TEST(a_backup_that_does_not_fit_leaves_nothing),
        TEST(a_backup_into_a_missing_folder_says_so),
        TEST(a_restored_database_is_the_backup_with_a_new_epoch),
        TEST(a_restore_leaves_no_write_ahead_log_behind),
        TEST(a_restore_makes_a_database_where_there_was_none),
        TEST(a_restore_replaces_a_damaged_database),
        TEST(a_restore_is_refused_while_any_program_has_the_database_open),
        TEST(a_damaged_backup_changes_nothing),
        TEST(what_is_no_backup_changes_nothing),
        TEST(a_restore_never_replaces_a_file_of_another_program),
        TEST(a_restore_that_was_stopped_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
