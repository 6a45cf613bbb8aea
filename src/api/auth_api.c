#include <string.h>

#include "api/count.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/risk_json.h"
#include "base/log.h"
#include "service/account_service.h"
#include "service/audit_service.h"

/** A body of texts: each name is required, nothing else is known. */
static enum status read_texts(const json *body, const char *const *names, const char **ret_texts,
                              struct err *err)
{
    const char *name = NULL;
    while (json_next_member(body, &name))
        if (text_index(names, name) < 0)
            err_add(err, name, "is not known here");
    for (size_t i = 0; names[i]; i++) {
        const json *value = json_member(body, names[i]);
        ret_texts[i] = value ? json_as_string(value) : NULL;
        if (!ret_texts[i] || !*ret_texts[i])
            err_add(err, names[i], value ? "must be a text" : "is required");
        else if (text_length(ret_texts[i]) > PASSWORD_MAX)
            err_add(err, names[i], "may have at most %d characters", PASSWORD_MAX);
    }
    return err->count ? INVALID : OK;
}

static enum status check_throttles(struct api *api, const char *account, const char *address,
                                   struct err *err)
{
    int64_t now_ms = clock_monotonic_ms();
    enum status status = throttle_check(api->login_by_account, account, now_ms, err);
    if (status == OK)
        status = throttle_check(api->login_by_address, address, now_ms, err);
    return status;
}

static void put_session(struct call *call, const struct new_session *session, bool from_browser)
{
    struct json_writer *out = call->question.out;
    json_open_object(out, NULL);
    if (from_browser)
        access_set_cookie(call->api, call->request, COOKIE_SESSION, session->token);
    else
        json_put_string(out, "token", session->token);
    json_put_int(out, "expires_in", (session->expires_at - call->question.service->now_ms) / 1000);
    put_record(out, "user", &user_table, &session->user);
    json_close_object(out);
}

enum status auth_login(struct call *call, struct err *err)
{
    static const char *const names[] = {"email", "password", NULL};
    struct api *api = call->api;
    struct service *service = call->question.service;
    const char *texts[2], *address = call->caller->address;
    bool from_browser;
    enum status status = access_check_origin(api, call->request, &from_browser, err);
    if (status == OK)
        status = read_texts(call->body, names, texts, err);
    if (status != OK)
        return status;
    char *folded = account_email(service->arena, texts[0]);
    char *account = arena_format(service->arena, "%s %s", folded ? folded : texts[0], address);
    status = check_throttles(api, account, address, err);
    if (status != OK) {
        count_login(LOGIN_THROTTLED);
        return status;
    }

    struct new_session session;
    service->action = "login";
    status =
        account_service_login(service, api->settings.token_key, texts[0], texts[1], &session, err);
    count_login(status == OK ? LOGIN_OK : status == UNAUTHENTICATED ? LOGIN_FAILED : LOGIN_BUSY);
    if (status == UNAUTHENTICATED) {
        int64_t now_ms = clock_monotonic_ms();
        throttle_fail(api->login_by_account, account, now_ms);
        throttle_fail(api->login_by_address, address, now_ms);
        struct err ignored;
        if (audit_service_refused(service, folded ? folded : "", "", status, "", &ignored) != OK)
            log_event(LOG_WARN, "audit_not_written", LOG_TEXT("action", "login"));
    }
    if (status != OK)
        return status;
    throttle_clear(api->login_by_account, account);
    put_session(call, &session, from_browser);
    return OK;
}

enum status auth_logout(struct call *call, struct err *err)
{
    call->question.service->action = "logout";
    enum status status = account_service_logout(call->question.service, err);
    if (status == OK && call->caller->by_cookie)
        access_set_cookie(call->api, call->request, COOKIE_SESSION, NULL);
    return status;
}

enum status me_get(struct call *call, struct err *err)
{
    struct user user;
    enum status status =
        account_service_get(call->question.service, call->caller->user_id, &user, err);
    return status == OK ? answer_user(&call->question, &user) : status;
}

enum status me_update(struct call *call, struct err *err)
{
    struct service *service = call->question.service;
    struct user_change change = {0};
    struct user user;
    const char *name = NULL;
    while (json_next_member(call->body, &name))
        if (strcmp(name, "full_name") != 0)
            err_add(err, name,
                    field_find(&user_table, name, NULL) ? "cannot be set here: only full_name"
                                                        : "is not known");
    if (err->count)
        return INVALID;
    struct json_read how = {.table = &user_table};
    enum status status =
        json_read_record(call->body, &how, service->arena, &change.user, &change.mask, err);
    if (status == OK)
        status = account_service_update(service, call->caller->user_id, call->if_match, &change,
                                        &user, err);
    return status == OK ? answer_user(&call->question, &user) : status;
}

enum status me_change_password(struct call *call, struct err *err)
{
    static const char *const names[] = {"current_password", "new_password", NULL};
    struct api *api = call->api;
    const char *texts[2];
    enum status status = read_texts(call->body, names, texts, err);
    if (status != OK)
        return status;
    /* A stolen session must not become a way to guess the password. */
    const char *account = call->caller->user_id;
    status = throttle_check(api->login_by_account, account, clock_monotonic_ms(), err);
    if (status != OK)
        return status;
    status = account_service_change_password(call->question.service, texts[0], texts[1], err);
    if (status == INVALID && strcmp(err->items[0].field, "current_password") == 0)
        throttle_fail(api->login_by_account, account, clock_monotonic_ms());
    return status;
}

enum status tokens_list(struct call *call, struct err *err)
{
    struct token *tokens;
    size_t count;
    enum status status =
        account_service_tokens(call->question.service, call->caller->user_id, &tokens, &count, err);
    if (status != OK)
        return status;
    struct json_writer *out = call->question.out;
    json_open_object(out, NULL);
    json_open_array(out, "items");
    for (size_t i = 0; i < count; i++)
        put_record(out, NULL, &token_table, &tokens[i]);
    json_close_array(out);
    json_put_int(out, "total", (int64_t)count);
    json_close_object(out);
    return OK;
}

enum status tokens_create(struct call *call, struct err *err)
{
    struct service *service = call->question.service;
    struct token token = {.scope = TOKEN_SCOPE_READ};
    field_mask mask;
    char text[TOKEN_TEXT_SIZE];
    struct json_read how = {.table = &token_table, .whole = true};
    enum status status = json_read_record(call->body, &how, service->arena, &token, &mask, err);
    if (status == OK)
        status = account_service_create_token(service, call->api->settings.token_key,
                                              call->caller->user_id, &token, text, err);
    if (status != OK)
        return status;
    struct json_writer *out = call->question.out;
    json_open_object(out, NULL);
    json_put_fields(out, &token_table, UINT64_MAX, &token);
    json_put_string(out, "token", text);
    json_close_object(out);
    return OK;
}

enum status tokens_delete(struct call *call, struct err *err)
{
    return account_service_delete_token(call->question.service, call->caller->user_id,
                                        call->question.args[0], err);
}
