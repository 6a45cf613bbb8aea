#include "app/command.h"
#include "store/migrate.h"

enum status opened_init(const struct call *call, enum open_mode mode, struct opened *ret_opened,
                        struct err *err)
{
    struct opened *opened = ret_opened;
    *opened = (struct opened){.lock = -1};
    enum status status = database_new(call->config.values.database_url, &opened->database, err);
    if (status != OK)
        return status;
    bool exists = files_exist(opened->database);
    if (mode != OPEN_OR_MAKE && !exists)
        return err_set(err, NOT_FOUND, NULL,
                       "there is no database %s yet: \"openrisk serve\" makes one (or name another "
                       "with --database sqlite:PATH)",
                       database_path(opened->database));
    status = files_lock(opened->database, FILES_USE, &opened->lock, err);
    if (status != OK || mode == OPEN_FILES)
        return status;
    status = db_open(opened->database, &opened->db, err);
    if (status != OK)
        return status;
    /* An old schema is for the server to change: another one of an older version may be running. */
    return exists ? migrate_check(opened->db, err)
                  : migrate(opened->db, clock_now_ms(&call->clock), err);
}

void opened_release(struct opened *opened)
{
    db_close(opened->db);
    if (opened->database) {
        database_free(opened->database);
        files_unlock(opened->lock);
    }
}

struct service call_service(struct call *call, const struct opened *opened, const char *action)
{
    static const struct caller command_line = {.email = "(command line)", .role = ROLE_ADMIN};
    struct service service =
        service_new(opened->db, &call->arena, clock_now_ms(&call->clock), &command_line);
    service.action = action;
    service.write_timeout_ms = (int)call->config.values.db_write_timeout;
    return service;
}
