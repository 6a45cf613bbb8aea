#include "service/mitigation_service.h"

#include <string.h>

#include "service/mitigation_writer.h"

enum status mitigation_service_list(struct service *service, const struct list_request *request,
                                    struct mitigation_list_page *ret_page, struct err *err)
{
    enum status status = service_begin_read(service, err);
    if (status != OK)
        return status;
    status =
        mitigation_store_list(service->db, request, service->today, service->arena, ret_page, err);
    service_end_read(service);
    return status;
}

static struct mitigation_page *find(const struct risk_page *page, const char *id)
{
    for (size_t i = 0; i < page->mitigation_count; i++)
        if (strcmp(page->mitigations[i].mitigation.id, id) == 0)
            return &page->mitigations[i];
    return NULL;
}

/** A mitigation that is to be changed, with its risk. */
static enum status load(struct writer *writer, const char *id, int64_t if_match,
                        struct risk_page *ret_page, struct mitigation_page **ret_mitigation,
                        struct err *err)
{
    struct mitigation mitigation;
    enum status status = mitigation_store_get(writer->db, id, writer->arena, &mitigation, err);
    if (status == OK)
        status = writer_load(writer, mitigation.risk_id, 0, ret_page, err);
    if (status != OK)
        return status;
    *ret_mitigation = find(ret_page, id);
    return writer_match(if_match, (*ret_mitigation)->mitigation.version, err);
}

/** The mitigation as it is now, for the answer. */
static enum status reload(struct writer *writer, const char *risk_id, const char *id,
                          struct mitigation_page *ret_page, struct err *err)
{
    struct risk_page page;
    enum status status = risk_store_page(writer->db, risk_id, writer->arena, &page, err);
    if (status == OK)
        *ret_page = *find(&page, id);
    return status;
}

enum status mitigation_service_create(struct service *service, const char *risk_id,
                                      struct mitigation_change *change,
                                      struct mitigation_page *ret_page, struct err *err)
{
    struct writer writer;
    enum status status = writer_begin(&writer, service, err);
    if (status != OK)
        return status;
    struct risk_page page;
    status = writer_load(&writer, risk_id, 0, &page, err);
    if (status == OK)
        status = writer_create_mitigation(&writer, &page, &change->mitigation, change->mask, err);
    if (status == OK)
        status = reload(&writer, page.risk.id, change->mitigation.id, ret_page, err);
    return writer_end(&writer, status, err);
}

enum status mitigation_service_update(struct service *service, const char *id, int64_t if_match,
                                      const struct mitigation_change *change,
                                      struct mitigation_page *ret_page, struct err *err)
{
    struct writer writer;
    enum status status = writer_begin(&writer, service, err);
    if (status != OK)
        return status;
    struct risk_page page;
    struct mitigation_page *before;
    status = load(&writer, id, if_match, &page, &before, err);
    if (status == OK) {
        struct mitigation after = before->mitigation;
        field_copy_all(&mitigation_table, change->mask, &after, &change->mitigation, writer.arena);
        status = writer_update_mitigation(&writer, &page, &before->mitigation, &after, change->mask,
                                          err);
    }
    if (status == OK)
        status = reload(&writer, page.risk.id, id, ret_page, err);
    return writer_end(&writer, status, err);
}

enum status mitigation_service_delete(struct service *service, const char *id, int64_t if_match,
                                      struct err *err)
{
    struct writer writer;
    enum status status = writer_begin(&writer, service, err);
    if (status != OK)
        return status;
    struct risk_page page;
    struct mitigation_page *mitigation;
    status = load(&writer, id, if_match, &page, &mitigation, err);
    if (status == OK)
        status = writer_delete_mitigation(&writer, &page, &mitigation->mitigation, err);
    return writer_end(&writer, status, err);
}

static int index_of(const struct mitigation_page *page, const char *sub_action_id)
{
    for (size_t i = 0; i < page->sub_action_count; i++)
        if (strcmp(page->sub_actions[i].id, sub_action_id) == 0)
            return (int)i;
    return -1;
}

static enum status change_sub_action(struct writer *writer, const struct risk_page *page,
                                     const struct mitigation_page *mitigation,
                                     const char *sub_action_id,
                                     const struct sub_action_change *change, const char **ret_id,
                                     struct err *err)
{
    struct sub_action after = change->sub_action;
    const struct sub_action *before = NULL;
    if (sub_action_id) {
        int index = index_of(mitigation, sub_action_id);
        if (index < 0)
            return err_set(err, NOT_FOUND, NULL, "there is no such sub-action");
        before = &mitigation->sub_actions[index];
        after = *before;
        field_copy_all(&sub_action_table, change->mask, &after, &change->sub_action, writer->arena);
    }
    enum status status =
        writer_sub_action(writer, page, mitigation, before, change->delete_it ? NULL : &after, err);
    *ret_id = after.id;
    return status;
}

enum status mitigation_service_sub_action(struct service *service, const char *mitigation_id,
                                          const char *sub_action_id, int64_t if_match,
                                          const struct sub_action_change *change,
                                          struct mitigation_page *ret_page, int *ret_index,
                                          struct err *err)
{
    struct writer writer;
    enum status status = writer_begin(&writer, service, err);
    if (status != OK)
        return status;
    struct risk_page page;
    struct mitigation_page *mitigation;
    const char *id = NULL;
    status = load(&writer, mitigation_id, if_match, &page, &mitigation, err);
    if (status == OK)
        status = change_sub_action(&writer, &page, mitigation, sub_action_id, change, &id, err);
    if (status == OK)
        status = reload(&writer, page.risk.id, mitigation_id, ret_page, err);
    if (status == OK)
        *ret_index = change->delete_it ? -1 : index_of(ret_page, id);
    return writer_end(&writer, status, err);
}
