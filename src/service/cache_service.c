#include "service/cache_service.h"

#include "service/writer.h"

enum status cache_service_generations(struct service *service, int64_t ret_generations[SCOPES],
                                      struct err *err)
{
    enum status status = service_begin_read(service, err);
    if (status != OK)
        return status;
    status = db_read_generations(service->db, ret_generations, err);
    service_end_read(service);
    return status;
}

enum status cache_service_invalidate(struct service *service, unsigned scopes, const char *target,
                                     int64_t ret_generations[SCOPES], struct err *err)
{
    struct writer writer;
    enum status status = writer_begin(&writer, service, err);
    if (status != OK)
        return status;
    writer.target = target;
    db_touch(writer.db, scopes);
    status = writer_end(&writer, OK, err);
    return status == OK ? cache_service_generations(service, ret_generations, err) : status;
}
