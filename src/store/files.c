/*
 * How a copy comes to be whole or not at all: it is written to a temporary file in the target's
 * folder, checked there, synchronised, and only then given its name by one rename, which the folder
 * is synchronised for. A crash leaves at most the temporary file.
 *
 * A backup reads inside one read transaction of a connection of its own: in WAL mode that is a
 * snapshot, so writers go on and the copying need never start over, which SQLite's backup API would
 * otherwise do after each foreign commit.
 *
 * A restore must not leave the old database's -wal beside the new file, where SQLite would replay
 * it. Nor may it remove that -wal while it still holds commits and the old file still has the
 * name. So the old database is first taken out of WAL mode, which moves everything into the file,
 * removes the -wal, and fails if any program at all has the database open.
 */
#include "store/files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/id.h"
#include "base/mem.h"
#include "base/text.h"
#include "store/migrate.h"
#include "store/sqlite.h"

enum { BYTE_SERVED = 0, BYTE_USED = 1 };
enum { COPY_STEP_PAGES = 256, WAIT_MS = 5000 };

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define AUTO_FD CLEANUP(close_fd)

static void close_handle(sqlite3 **handle)
{
    sqlite3_close(*handle); /* NULL is allowed */
}
#define AUTO_HANDLE CLEANUP(close_handle)

static char *folder_of(const char *path)
{
    AUTO_FREE char *copy = mem_strdup(path);
    return mem_strdup(dirname(copy));
}

/**
 * The path with its links resolved, so that two names of one database share a lock and a rename
 * replaces the file, not a link to it. The file itself may be missing.
 */
static char *resolve(const char *path)
{
    char full[PATH_MAX];
    if (realpath(path, full))
        return mem_strdup(full);
    AUTO_FREE char *folder = folder_of(path);
    AUTO_FREE char *copy = mem_strdup(path);
    if (!realpath(folder, full))
        return mem_strdup(path);
    return mem_format("%s/%s", full, basename(copy));
}

bool files_exist(const struct database *database)
{
    const char *path = database_path(database);
    return !path || access(path, F_OK) == 0;
}

static bool same_file(const char *a, const char *b)
{
    struct stat of_a, of_b;
    return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
           of_a.st_ino == of_b.st_ino;
}

bool files_are_same(const struct database *a, const struct database *b)
{
    return database_path(a) && database_path(b) && same_file(database_path(a), database_path(b));
}

/* Locks */

static enum status make_folder(const char *path, struct err *err)
{
    AUTO_FREE char *folder = folder_of(path);
    if (mkdir(folder, 0700) == 0 || errno == EEXIST)
        return OK;
    return err_set(err, UNAVAILABLE, NULL, "cannot make the folder %s: %s", folder,
                   strerror(errno));
}

static bool lock_byte(int fd, off_t byte, short type)
{
    struct flock wanted = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(fd, F_OFD_SETLK, &wanted) == 0;
}

/** The server's process id as it wrote it, "" if it cannot be read. */
static const char *read_holder(int fd, char *text, size_t size)
{
    ssize_t length = pread(fd, text, size - 1, 0);
    text[length > 0 ? length : 0] = '\0';
    text[strspn(text, "0123456789")] = '\0';
    return text;
}

static enum status refuse(int fd, enum files_lock lock, const char *path, struct err *err)
{
    int why = errno;
    if (why != EAGAIN && why != EACCES)
        return err_set(err, UNAVAILABLE, NULL, "cannot lock %s.lock: %s", path, strerror(why));
    char holder[24];
    read_holder(fd, holder, sizeof holder);
    bool served = !lock_byte(fd, BYTE_SERVED, F_RDLCK);
    if (served && lock != FILES_USE)
        return err_set(err, BUSY, NULL,
                       "%s is in use by the server with process id %s; stop it first (kill %s)",
                       path, holder, holder);
    if (lock == FILES_REPLACE)
        return err_set(err, BUSY, NULL,
                       "another openrisk command is using %s; try again when it has ended", path);
    return err_set(err, BUSY, NULL, "%s is being restored; try again when that has ended", path);
}

static bool take(int fd, enum files_lock lock)
{
    switch (lock) {
    case FILES_USE:
        return lock_byte(fd, BYTE_USED, F_RDLCK);
    case FILES_SERVE:
        return lock_byte(fd, BYTE_SERVED, F_WRLCK) && lock_byte(fd, BYTE_USED, F_RDLCK);
    case FILES_REPLACE:
        return lock_byte(fd, BYTE_SERVED, F_WRLCK) && lock_byte(fd, BYTE_USED, F_WRLCK);
    }
    abort();
}

static char *lock_name(const struct database *database)
{
    AUTO_FREE char *path = resolve(database_path(database));
    return mem_format("%s.lock", path);
}

static bool is_named(int fd, const char *name)
{
    struct stat of_fd, of_name;
    return fstat(fd, &of_fd) == 0 && stat(name, &of_name) == 0 && of_fd.st_dev == of_name.st_dev &&
           of_fd.st_ino == of_name.st_ino;
}

enum status files_lock(const struct database *database, enum files_lock lock, int *ret_fd,
                       struct err *err)
{
    if (!database_path(database)) {
        *ret_fd = -1;
        return OK;
    }
    enum status status = make_folder(database_path(database), err);
    if (status != OK)
        return status;
    AUTO_FREE char *path = resolve(database_path(database));
    AUTO_FREE char *name = lock_name(database);
    AUTO_FD int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set(err, UNAVAILABLE, NULL, "cannot open %s: %s", name, strerror(errno));
    if (!take(fd, lock))
        return refuse(fd, lock, path, err);
    if (!is_named(fd, name)) /* whoever had it has removed it since it was opened: once more */
        return files_lock(database, lock, ret_fd, err);
    if (lock == FILES_SERVE) {
        char text[24];
        int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
        if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) != length)
            return err_set(err, UNAVAILABLE, NULL, "cannot write %s: %s", name, strerror(errno));
    }
    *ret_fd = fd;
    fd = -1;
    return OK;
}

void files_unlock(int fd)
{
    if (fd >= 0)
        close(fd);
}

bool files_are_served(const struct database *database)
{
    if (!database_path(database))
        return false;
    AUTO_FREE char *name = lock_name(database);
    AUTO_FD int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct flock asked = {
        .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = BYTE_SERVED, .l_len = 1};
    return fd >= 0 && fcntl(fd, F_OFD_GETLK, &asked) == 0 && asked.l_type != F_UNLCK;
}

bool files_lock_exists(const struct database *database)
{
    if (!database_path(database))
        return false;
    AUTO_FREE char *name = lock_name(database);
    return access(name, F_OK) == 0;
}

static void remove_leftovers(const char *path)
{
    static const char *const endings[] = {"-wal", "-shm", "-journal"};
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        AUTO_FREE char *name = mem_format("%s%s", path, endings[i]);
        unlink(name);
    }
}

void files_remove(const struct database *database, bool with_lock)
{
    if (!database_path(database))
        return;
    AUTO_FREE char *path = resolve(database_path(database));
    AUTO_FREE char *name = lock_name(database);
    unlink(path);
    remove_leftovers(path);
    if (with_lock)
        unlink(name);
}

/* SQLite, as far as copying needs it */

static enum status sqlite_err(sqlite3 *handle, int code, const char *path, struct err *err)
{
    switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, BUSY, NULL, "another program has %s open; close it first", path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(err, INVALID, NULL, "%s is damaged or no SQLite database", path);
    case SQLITE_FULL:
        return err_set(err, UNAVAILABLE, NULL, "no space is left on the disk for %s", path);
    default:
        return err_set(err, UNAVAILABLE, NULL, "%s: %s", path,
                       handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code));
    }
}

static enum status open_handle(const char *path, int flags, sqlite3 **ret_handle, struct err *err)
{
    AUTO_HANDLE sqlite3 *handle = NULL;
    int code = sqlite3_open_v2(path, &handle, flags | SQLITE_OPEN_PRIVATECACHE, NULL);
    if (code != SQLITE_OK)
        return sqlite_err(handle, code, path, err);
    sqlite3_busy_timeout(handle, WAIT_MS);
    *ret_handle = handle;
    handle = NULL;
    return OK;
}

static enum status run(sqlite3 *handle, const char *path, const char *sql, struct err *err)
{
    int code = sqlite3_exec(handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? OK : sqlite_err(handle, code, path, err);
}

/** The first column of the first row; "" without a row. */
static enum status ask(sqlite3 *handle, const char *path, const char *sql, char *ret_text,
                       size_t size, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(handle, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
        const char *text =
            code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : "";
        snprintf(ret_text, size, "%s", text ? text : "");
    }
    enum status status =
        code == SQLITE_ROW || code == SQLITE_DONE ? OK : sqlite_err(handle, code, path, err);
    sqlite3_finalize(statement);
    return status;
}

/** The same as a number; 0 for what is none. */
static enum status ask_int(sqlite3 *handle, const char *path, const char *sql, int64_t *ret_value,
                           struct err *err)
{
    char text[24];
    enum status status = ask(handle, path, sql, text, sizeof text, err);
    if (status == OK && !text_to_int(text, ret_value))
        *ret_value = 0;
    return status;
}

/** A file cut inside its last page: SQLite would read zeros there. */
static enum status check_size(sqlite3 *handle, const char *path, struct err *err)
{
    int64_t page_size;
    struct stat file;
    enum status status = ask_int(handle, path, "PRAGMA page_size", &page_size, err);
    if (status != OK)
        return status;
    if (stat(path, &file) != 0 || file.st_size == 0 || file.st_size % page_size != 0)
        return err_set(err, INVALID, NULL, "%s is cut off", path);
    return OK;
}

static enum status check_identity(sqlite3 *handle, const char *path, struct err *err)
{
    int64_t id, schema;
    enum status status = ask_int(handle, path, "PRAGMA application_id", &id, err);
    if (status != OK)
        return status;
    if (id != SQLITE_APPLICATION_ID)
        return err_set(err, INVALID, NULL, "%s is not an OpenRisk database", path);
    status = ask_int(handle, path, "SELECT value FROM meta WHERE name = 'schema'", &schema, err);
    if (status != OK)
        return status;
    if (schema < 1)
        return err_set(err, INVALID, NULL, "%s is damaged: it has no schema number", path);
    if (schema > migrate_newest())
        return err_set(err, INVALID, NULL,
                       "%s was written by a newer OpenRisk (schema %" PRId64
                       "; this one knows up to %d)",
                       path, schema, migrate_newest());
    return OK;
}

static enum status check_integrity(sqlite3 *handle, const char *path, struct err *err)
{
    char answer[160];
    enum status status = ask(handle, path, "PRAGMA integrity_check(1)", answer, sizeof answer, err);
    if (status != OK)
        return status;
    if (strcmp(answer, "ok") != 0)
        return err_set(err, INVALID, NULL, "%s is damaged: %s", path, answer);
    status = ask(handle, path, "SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1", answer,
                 sizeof answer, err);
    if (status == OK && *answer)
        return err_set(err, INVALID, NULL, "%s is damaged: table %s refers to missing rows", path,
                       answer);
    return status;
}

static enum status copy_pages(sqlite3 *from, const char *from_path, sqlite3 *to,
                              const char *to_path, files_progress *progress, void *context,
                              struct err *err)
{
    enum status status = run(from, from_path, "BEGIN; SELECT count(*) FROM sqlite_schema", err);
    if (status != OK)
        return status;
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    if (!backup)
        return sqlite_err(to, sqlite3_errcode(to), to_path, err);
    int code;
    bool go_on = true;
    do {
        code = sqlite3_backup_step(backup, COPY_STEP_PAGES);
        int64_t all = sqlite3_backup_pagecount(backup);
        if (progress)
            go_on = progress(context, all - sqlite3_backup_remaining(backup), all);
    } while (code == SQLITE_OK && go_on);
    sqlite3_backup_finish(backup);
    if (code == SQLITE_OK)
        return err_set(err, CONFLICT, NULL, "stopped; nothing was changed");
    if (code != SQLITE_DONE)
        return sqlite_err(NULL, code, code == SQLITE_CORRUPT ? from_path : to_path, err);
    return run(from, from_path, "COMMIT", err);
}

/* Files */

/** A file that goes when it has not been given its name. */
struct temporary {
    char *path; /* NULL: nothing to remove */
};

static void temporary_release(struct temporary *temporary)
{
    if (!temporary->path)
        return;
    static const char *const endings[] = {"", "-journal", "-wal", "-shm"};
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        AUTO_FREE char *name = mem_format("%s%s", temporary->path, endings[i]);
        unlink(name);
    }
    free(temporary->path);
}
#define AUTO_TEMPORARY CLEANUP(temporary_release)

/** An empty file, 0600, beside `target`. */
static enum status temporary_make(const char *target, struct temporary *ret_temporary,
                                  struct err *err)
{
    uint32_t random;
    id_random(&random, sizeof random);
    AUTO_FREE char *path = mem_format("%s.%08" PRIx32 ".tmp", target, random);
    AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, UNAVAILABLE, NULL, "cannot make a file beside %s: %s", target,
                       strerror(errno));
    ret_temporary->path = path;
    path = NULL;
    return OK;
}

static enum status sync_path(const char *path, int flags, struct err *err)
{
    AUTO_FD int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        return err_set(err, UNAVAILABLE, NULL, "cannot write %s to the disk: %s", path,
                       strerror(errno));
    return OK;
}

static enum status sync_folder(const char *path, struct err *err)
{
    AUTO_FREE char *folder = folder_of(path);
    return sync_path(folder, O_RDONLY | O_DIRECTORY, err);
}

/** Rename, but never over a file that appeared in the meantime. */
static enum status name_new(const char *from, const char *to, struct err *err)
{
    int result = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
    if (result != 0 && (errno == EINVAL || errno == ENOSYS)) /* not on this file system */
        result = link(from, to);
    if (result == 0)
        return sync_folder(to, err);
    if (errno == EEXIST)
        return err_set(err, CONFLICT, NULL, "%s exists already; choose another name", to);
    return err_set(err, UNAVAILABLE, NULL, "cannot make %s: %s", to, strerror(errno));
}

/**
 * Copy a database into a temporary file and leave it as one file outside WAL mode. `epoch`: what
 * its epoch becomes; NULL keeps it.
 */
static enum status copy_database(const char *from_path, const char *to_path, const char *epoch,
                                 files_progress *progress, void *context, struct err *err)
{
    AUTO_HANDLE sqlite3 *from = NULL;
    AUTO_HANDLE sqlite3 *to = NULL;
    enum status status = open_handle(from_path, SQLITE_OPEN_READONLY, &from, err);
    if (status == OK)
        status = check_identity(from, from_path, err);
    if (status == OK)
        status = check_size(from, from_path, err);
    if (status == OK)
        status = open_handle(to_path, SQLITE_OPEN_READWRITE, &to, err);
    if (status == OK) /* a crash loses the file anyhow, and it is synchronised at the end */
        status = run(to, to_path, "PRAGMA synchronous = OFF", err);
    if (status == OK)
        status = copy_pages(from, from_path, to, to_path, progress, context, err);
    if (status == OK)
        status = run(to, to_path, "PRAGMA journal_mode = DELETE", err);
    if (status == OK)
        status = check_integrity(to, from_path, err);
    if (status == OK && epoch) {
        AUTO_FREE char *sql =
            mem_format("UPDATE meta SET value = '%s' WHERE name = 'epoch'", epoch);
        status = run(to, to_path, sql, err);
        if (status == OK && sqlite3_changes(to) != 1)
            status = err_set(err, INVALID, NULL, "%s is damaged: it has no epoch", from_path);
    }
    return status == OK ? sync_path(to_path, O_RDWR, err) : status;
}

enum status files_backup(const struct database *database, const char *target,
                         files_progress *progress, void *context, struct err *err)
{
    if (!database_path(database))
        return err_set(
            err, INVALID, NULL,
            "only a SQLite database is backed up by this command; for PostgreSQL use pg_dump");
    if (access(target, F_OK) == 0)
        return err_set(err, CONFLICT, NULL, "%s exists already; choose another name", target);
    AUTO_TEMPORARY struct temporary copy = {0};
    enum status status = temporary_make(target, &copy, err);
    if (status == OK)
        status = copy_database(database_path(database), copy.path, NULL, progress, context, err);
    if (status == OK)
        status = name_new(copy.path, target, err);
    return status;
}

/** By the fields of the file's header that tell its kind, which outlive damage elsewhere. */
static bool header_is_ours(const char *path)
{
    enum { HEADER_BYTES = 100, APPLICATION_ID_AT = 68 };
    unsigned char header[HEADER_BYTES];
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, header, sizeof header) != HEADER_BYTES)
        return false;
    uint32_t id = 0;
    for (size_t i = 0; i < sizeof id; i++)
        id = id << 8 | header[APPLICATION_ID_AT + i];
    return memcmp(header, "SQLite format 3", 16) == 0 && id == SQLITE_APPLICATION_ID;
}

/**
 * Move everything of the database at `path` into its one file. OK also for one that is too
 * damaged for that and for none at all; BUSY if anyone has it open; INVALID if it is not ours.
 */
static enum status settle(const char *path, struct err *err)
{
    struct stat stat_of_old;
    if (stat(path, &stat_of_old) != 0 || stat_of_old.st_size == 0)
        return OK;
    bool is_ours = header_is_ours(path);
    AUTO_HANDLE sqlite3 *old = NULL;
    enum status status = open_handle(path, SQLITE_OPEN_READWRITE, &old, err);
    if (status != OK)
        return status;
    sqlite3_busy_timeout(old, 0);
    int64_t id;
    status = ask_int(old, path, "PRAGMA application_id", &id, err);
    if (status == OK && id == SQLITE_APPLICATION_ID)
        status = run(old, path, "PRAGMA journal_mode = DELETE", err);
    else if ((status == OK || status == INVALID) && !is_ours)
        return err_set(err, INVALID, NULL,
                       "%s is there but is not an OpenRisk database; move it away first", path);
    return status == INVALID ? OK : status;
}

/** Whoever restores (root, perhaps), the file goes on belonging to whom it belonged. */
static void keep_owner(const char *old, const char *new)
{
    struct stat owner;
    if (stat(old, &owner) == 0 && owner.st_uid != geteuid() &&
        chown(new, owner.st_uid, owner.st_gid) != 0)
        return; /* the server will say that it may not open the file */
}

enum status files_restore(const struct database *database, const char *backup,
                          files_progress *progress, void *context, struct err *err)
{
    if (!database_path(database))
        return err_set(err, INVALID, NULL,
                       "only a SQLite database is restored by this command; for PostgreSQL use "
                       "pg_restore, or psql, on what pg_dump wrote");
    AUTO_FREE char *path = resolve(database_path(database));
    if (access(backup, R_OK) != 0)
        return err_set(err, NOT_FOUND, NULL, "cannot read %s: %s", backup, strerror(errno));
    if (same_file(path, backup))
        return err_set(err, INVALID, NULL, "%s is the database itself", backup);
    uint64_t random;
    id_random(&random, sizeof random);
    AUTO_FREE char *epoch = mem_format("%016" PRIx64, random);
    AUTO_TEMPORARY struct temporary copy = {0};
    enum status status = temporary_make(path, &copy, err);
    if (status == OK)
        status = copy_database(backup, copy.path, epoch, progress, context, err);
    if (status == OK)
        status = settle(path, err);
    if (status != OK)
        return status;
    keep_owner(path, copy.path);
    remove_leftovers(path);
    status = sync_folder(path, err);
    if (status != OK)
        return status;
    if (rename(copy.path, path) != 0)
        return err_set(err, UNAVAILABLE, NULL, "cannot replace %s: %s", path, strerror(errno));
    return sync_folder(path, err);
}
