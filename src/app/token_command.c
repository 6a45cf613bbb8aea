/*
 * token: managing API tokens without a server, or beside one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "auth/password.h"
#include "auth/token.h"
#include "base/mem.h"
#include "service/account_service.h"
#include "json/json.h"

enum { DAYS_MAX = 366 };

static enum status list_tokens(struct service *service, const struct user *user, struct err *err)
{
    struct token *tokens;
    size_t count;
    enum status status = account_service_tokens(service, user->id, &tokens, &count, err);
    if (status != OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        char expires[CLOCK_TIME_SIZE], used[CLOCK_TIME_SIZE];
        printf("%s  %-4s  until %s  %-29s  %s\n", tokens[i].id, token_scope_names[tokens[i].scope],
               clock_format_time(tokens[i].expires_at, expires),
               tokens[i].last_used_at ? clock_format_time(tokens[i].last_used_at, used)
                                      : "never used",
               tokens[i].name ? tokens[i].name : "");
    }
    return OK;
}

static enum status read_options(struct call *call, struct token *token, int64_t now_ms,
                                struct err *err)
{
    const char *scope = call_option(call, "scope"), *days = call_option(call, "days");
    int64_t number = DAYS_MAX;
    token->name = call_option(call, "name");
    if (!token->name)
        return call_misused(call, err, "--name is missing: what the token is for");
    token->scope = scope ? text_index(token_scope_names, scope) : TOKEN_SCOPE_FULL;
    if (token->scope < 0)
        return call_misused(call, err, "--scope is \"%.40s\"; allowed: read or full", scope);
    if (days && (!text_to_int(days, &number) || number < 1 || number > DAYS_MAX))
        return call_misused(call, err, "--days is \"%.40s\"; allowed: 1 to %d", days, DAYS_MAX);
    token->expires_at = now_ms + number * CLOCK_DAY_MS;
    err_init(err);
    return json_check_field(field_find(&token_table, "name", NULL), "--name", token, err);
}

/** The token alone goes to standard output, for TOKEN=$(openrisk token create …). */
static enum status create_token(struct call *call, struct service *service, const struct user *user,
                                struct err *err)
{
    struct register_identity identity;
    char text[TOKEN_TEXT_SIZE], expires[CLOCK_TIME_SIZE];
    struct token token = {0};
    enum status status = read_options(call, &token, service->now_ms, err);
    if (status == OK)
        status = account_service_identity(service, &identity, err);
    if (status == OK)
        status =
            account_service_create_token(service, identity.token_key, user->id, &token, text, err);
    if (status != OK)
        return status;
    fprintf(stderr, "token %s of %s, valid until %s; it is shown only this once:\n", token.id,
            user->email, clock_format_time(token.expires_at, expires));
    puts(text);
    return OK;
}

static enum status revoke_token(struct call *call, struct service *service, const struct user *user,
                                struct err *err)
{
    const char *id = call->arguments[1];
    enum status status = account_service_delete_token(service, user->id, id, err);
    if (status == NOT_FOUND)
        return err_set(err, NOT_FOUND, NULL,
                       "%s has no token %.60s; \"openrisk token list --user %s\" shows them all",
                       user->email, id, user->email);
    if (status == OK)
        printf("revoked %s\n", id);
    return status;
}

enum status run_token(struct call *call, struct err *err)
{
    static const char *const actions[] = {"list", "create", "revoke", NULL};
    enum { LIST, CREATE, REVOKE };
    const char *email = call_option(call, "user");
    int action = text_index(actions, call->arguments[0]);
    if (action < 0)
        return call_misused(call, err, "unknown action \"%.40s\"", call->arguments[0]);
    if (!email)
        return call_misused(call, err, "--user is missing: whose tokens");
    if (call->argument_count != (action == REVOKE ? 2 : 1))
        return call_misused(call, err, "token %s %s", actions[action],
                            action == REVOKE ? "needs an ID" : "takes no ID");
    if (action != CREATE &&
        (call_option(call, "name") || call_option(call, "scope") || call_option(call, "days")))
        return call_misused(call, err, "--name, --scope and --days are for token create");
    AUTO_OPENED struct opened opened;
    enum status status = opened_init(call, OPEN_EXISTING, &opened, err);
    if (status == OK)
        status = password_init(err); /* the library that makes tokens, too */
    if (status != OK)
        return status;
    struct user user;
    struct service service = call_service(call, &opened, "openrisk token");
    status = account_service_find(&service, email, &user, err);
    if (status == NOT_FOUND)
        return err_set(err, NOT_FOUND, NULL,
                       "there is no user %s; \"openrisk user list\" shows them all", email);
    if (status != OK)
        return status;
    if (action == LIST)
        return list_tokens(&service, &user, err);
    return action == CREATE ? create_token(call, &service, &user, err)
                            : revoke_token(call, &service, &user, err);
}
