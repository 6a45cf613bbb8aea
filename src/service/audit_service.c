#include "service/audit_service.h"

enum status audit_service_refused(struct service *service, const char *actor, const char *target,
                                  enum status result, const char *detail, struct err *err)
{
    struct audit_entry entry = {
        .at = service->now_ms,
        .actor_id = service->caller->user_id,
        .actor = actor ? actor : "",
        .action = service->action,
        .target = target,
        .address = service->caller->address ? service->caller->address : "",
        .result = status_name(result),
        .detail = detail,
    };
    enum status status =
        db_begin_note(service->db, service->now_ms, service->write_timeout_ms, err);
    if (status != OK)
        return status;
    status = audit_store_insert(service->db, &entry, err);
    if (status == OK)
        return db_commit(service->db, err);
    db_rollback(service->db);
    return status;
}

enum status audit_service_list(struct service *service, const struct list_request *request,
                               struct audit_list_page *ret_page, struct err *err)
{
    enum status status = service_begin_read(service, err);
    if (status != OK)
        return status;
    status = audit_store_list(service->db, request, service->arena, ret_page, err);
    service_end_read(service);
    return status;
}
