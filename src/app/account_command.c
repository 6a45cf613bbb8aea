/*
 * user: managing users without a server, or beside one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/command.h"
#include "app/secret.h"
#include "auth/password.h"
#include "base/mem.h"
#include "service/account_service.h"
#include "json/json.h"

enum { LIST_PAGE = 200 };

/** The new password, by --password-stdin, --generate or the terminal. */
static enum status ask_password(struct call *call, const char *email, char **ret_password,
                                struct err *err)
{
    bool from_stdin = call_option(call, "password-stdin"), made = call_option(call, "generate");
    if (from_stdin && made)
        return call_misused(call, err, "give --password-stdin or --generate, not both");
    enum status status = password_init(err);
    if (status != OK)
        return status;
    if (made) {
        *ret_password = password_random(&call->arena);
        return OK;
    }
    if (!from_stdin && !isatty(STDIN_FILENO))
        return call_misused(call, err,
                            "there is no terminal to ask for the password: give --password-stdin "
                            "or --generate");
    AUTO_FREE char *prompt = mem_format("Password for %s", email);
    status = from_stdin ? secret_read(&call->arena, ret_password, err)
                        : secret_ask(prompt, &call->arena, ret_password, err);
    return status == OK ? account_check_password(*ret_password, email, "password", err) : status;
}

/** A password that was printed is to be changed by whom it is for. */
static void put_password(const struct call *call, const char *password, struct user_change *change)
{
    change->user.password = password;
    change->mask |= field_bit(&user_table, "password");
    if (call_option(call, "generate")) {
        change->user.must_change_password = true;
        change->mask |= field_bit(&user_table, "must_change_password");
    }
}

static void tell_password(const struct call *call, const char *password)
{
    if (call_option(call, "generate"))
        printf("password: %s\n"
               "It is shown only this once, and must be changed at the next sign-in.\n",
               password);
}

/** Refuse options that this action does not use, rather than ignore them. */
static enum status check_options(struct call *call, const char *const *used, struct err *err)
{
    for (size_t i = 0; i < COMMAND_OPTIONS_MAX && call->command->options[i].name; i++)
        if (call->values[i] && text_index(used, call->command->options[i].name) < 0)
            return call_misused(call, err, "user %s has no option --%s", call->arguments[0],
                                call->command->options[i].name);
    return OK;
}

static enum status parse_role(struct call *call, int *ret_role, struct err *err)
{
    const char *role = call_option(call, "role");
    int index = text_index(role_names, role);
    if (index < 0)
        return call_misused(call, err, "--role is \"%.40s\"; allowed: %s", role,
                            text_alternatives(&call->arena, role_names));
    *ret_role = index;
    return OK;
}

static enum status find_user(struct service *service, const char *email, struct user *ret_user,
                             struct err *err)
{
    enum status status = account_service_find(service, email, ret_user, err);
    if (status == NOT_FOUND)
        return err_set(err, NOT_FOUND, NULL,
                       "there is no user %s; \"openrisk user list\" shows them all", email);
    return status;
}

static enum status update_user(struct service *service, const char *email,
                               struct user_change *change, struct err *err)
{
    struct user user;
    enum status status = find_user(service, email, &user, err);
    if (status != OK)
        return status;
    return account_service_update(service, user.id, 0, change, &user, err);
}

/* Actions */

static void print_user(const struct user *user)
{
    char time[CLOCK_TIME_SIZE];
    printf("%-32s %-8s %-9s %-24s %s\n", user->email, role_names[user->role],
           user->is_active ? "active" : "inactive",
           user->last_login_at ? clock_format_time(user->last_login_at, time) : "never signed in",
           user->full_name ? user->full_name : "");
}

static enum status list_users(struct call *call, struct service *service, struct err *err)
{
    (void)call;
    struct user_list_page page = {0};
    do {
        struct list_request request;
        list_request_init(&request, &user_list);
        request.limit = LIST_PAGE;
        enum status status = OK;
        if (page.result.next)
            status = list_request_set(&request, "after", page.result.next, service->arena, err);
        if (status == OK)
            status = list_request_finish(&request, service->arena, err);
        if (status == OK)
            status = account_service_list(service, &request, &page, err);
        if (status != OK)
            return status;
        for (size_t i = 0; i < page.result.count; i++)
            print_user(&page.items[i]);
    } while (page.result.next);
    return OK;
}

static enum status add_user(struct call *call, struct service *service, struct err *err)
{
    struct user_change change = {
        .user = {.email = account_email(service->arena, call->arguments[1]), .role = ROLE_VIEWER},
        .mask = field_bit(&user_table, "email") | field_bit(&user_table, "role"),
    };
    struct user user;
    char *password;
    enum status status = OK;
    if (call_option(call, "role"))
        status = parse_role(call, &change.user.role, err);
    if (status == OK && call_option(call, "name")) {
        change.user.full_name = call_option(call, "name");
        change.mask |= field_bit(&user_table, "full_name");
        err_init(err);
        status = json_check_field(field_find(&user_table, "full_name", NULL), "--name",
                                  &change.user, err);
    }
    if (status == OK && account_service_find(service, change.user.email, &user, err) == OK)
        status = err_set(err, CONFLICT, NULL, "there is a user %s already", change.user.email);
    if (status == OK)
        status = ask_password(call, change.user.email, &password, err);
    if (status != OK)
        return status;
    put_password(call, password, &change);
    status = account_service_create(service, &change, &user, err);
    if (status != OK)
        return status;
    printf("added %s as %s\n", user.email, role_names[user.role]);
    tell_password(call, password);
    return OK;
}

static enum status set_password(struct call *call, struct service *service, struct err *err)
{
    struct user user;
    struct user_change change = {0};
    char *password;
    enum status status = find_user(service, call->arguments[1], &user, err);
    if (status == OK)
        status = ask_password(call, user.email, &password, err);
    if (status != OK)
        return status;
    put_password(call, password, &change);
    status = account_service_update(service, user.id, 0, &change, &user, err);
    if (status != OK)
        return status;
    printf("%s has a new password; all their sessions and tokens have ended\n", user.email);
    tell_password(call, password);
    return OK;
}

static enum status set_role(struct call *call, struct service *service, struct err *err)
{
    struct user_change change = {.mask = field_bit(&user_table, "role")};
    if (!call_option(call, "role"))
        return call_misused(call, err, "--role is missing");
    enum status status = parse_role(call, &change.user.role, err);
    if (status == OK)
        status = update_user(service, call->arguments[1], &change, err);
    if (status == OK)
        printf("%s is now %s\n", call->arguments[1], role_names[change.user.role]);
    return status;
}

static enum status set_active(struct call *call, struct service *service, bool is_active,
                              const char *told, struct err *err)
{
    struct user_change change = {.user = {.is_active = is_active},
                                 .mask = field_bit(&user_table, "is_active")};
    enum status status = update_user(service, call->arguments[1], &change, err);
    if (status == OK)
        printf("%s %s\n", call->arguments[1], told);
    return status;
}

static enum status activate(struct call *call, struct service *service, struct err *err)
{
    return set_active(call, service, true, "may sign in", err);
}

static enum status deactivate(struct call *call, struct service *service, struct err *err)
{
    return set_active(call, service, false,
                      "may no longer sign in; all their sessions and tokens have ended", err);
}

struct action {
    const char *name;
    bool needs_email;
    enum open_mode mode;
    const char *options[5]; /* that it uses; NULL-terminated */
    const char *audit;
    enum status (*run)(struct call *call, struct service *service, struct err *err);
};

static const struct action actions[] = {
    {"list", false, OPEN_EXISTING, {NULL}, "openrisk user list", list_users},
    {"add",
     true,
     OPEN_OR_MAKE,
     {"role", "name", "password-stdin", "generate"},
     "openrisk user add",
     add_user},
    {"passwd",
     true,
     OPEN_EXISTING,
     {"password-stdin", "generate"},
     "openrisk user passwd",
     set_password},
    {"role", true, OPEN_EXISTING, {"role"}, "openrisk user role", set_role},
    {"activate", true, OPEN_EXISTING, {NULL}, "openrisk user activate", activate},
    {"deactivate", true, OPEN_EXISTING, {NULL}, "openrisk user deactivate", deactivate},
};

enum status run_user(struct call *call, struct err *err)
{
    const char *name = call->arguments[0];
    const struct action *action = NULL;
    for (size_t i = 0; i < COUNT_OF(actions); i++)
        if (strcmp(actions[i].name, name) == 0)
            action = &actions[i];
    if (!action)
        return call_misused(call, err, "unknown action \"%.40s\"", name);
    if (call->argument_count != (action->needs_email ? 2 : 1))
        return call_misused(call, err, "user %s %s", name,
                            action->needs_email ? "needs an EMAIL" : "takes no EMAIL");
    enum status status = check_options(call, action->options, err);
    int role;
    if (status == OK && call_option(call, "role"))
        status = parse_role(call, &role, err);
    if (status == OK && action->needs_email && !account_email(&call->arena, call->arguments[1]))
        status = call_misused(call, err, "\"%.80s\" is no e-mail address", call->arguments[1]);
    if (status != OK) /* before the database is opened, which may make it */
        return status;
    AUTO_OPENED struct opened opened;
    status = opened_init(call, action->mode, &opened, err);
    if (status != OK)
        return status;
    struct service service = call_service(call, &opened, action->audit);
    return action->run(call, &service, err);
}
