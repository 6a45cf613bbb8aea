#include "domain/account.h"

#include <string.h>

#include "base/mem.h"

const char *const role_names[] = {"viewer", "analyst", "admin", NULL};
const char *const token_scope_names[] = {"read", "full", NULL};
const char *const who_names[] = {"public", "any", "analyst", "creator_or_admin", "admin", NULL};

#define AT(member) offsetof(struct user, member)
static const struct field user_fields[] = {
    {"id", FIELD_TEXT, AT(id), 0, .about = "UUID version 7"},
    {"email", FIELD_TEXT, AT(email), FIELD_REQUIRED | FIELD_WRITABLE, 3, 254,
     .about = "unique, lower case"},
    {"full_name", FIELD_TEXT, AT(full_name), FIELD_WRITABLE | FIELD_NULLABLE, 0, 200,
     .about = "for people"},
    {"role", FIELD_ENUM, AT(role), FIELD_WRITABLE, .names = role_names,
     .about = "what they may do"},
    {"is_active", FIELD_BOOL, AT(is_active), FIELD_WRITABLE, .about = "may sign in"},
    {"password", FIELD_TEXT, AT(password), FIELD_REQUIRED | FIELD_WRITABLE | FIELD_HIDDEN,
     PASSWORD_MIN, PASSWORD_MAX, .about = "never answered"},
    {"must_change_password", FIELD_BOOL, AT(must_change_password), 0,
     .about = "true until the first password, which was printed, is changed"},
    {"created_at", FIELD_TIME, AT(created_at), 0, .about = "UTC"},
    {"updated_at", FIELD_TIME, AT(updated_at), 0, .about = "UTC"},
    {"last_login_at", FIELD_TIME, AT(last_login_at), FIELD_NULLABLE, .about = "UTC"},
    {"version", FIELD_INT, AT(version), 0, .about = "counts writes; first part of the ETag"},
};
#undef AT
const struct field_table user_table = {"User", user_fields, COUNT_OF(user_fields),
                                       sizeof(struct user)};

#define AT(member) offsetof(struct token, member)
static const struct field token_fields[] = {
    {"id", FIELD_TEXT, AT(id), 0, .about = "UUID version 7"},
    {"name", FIELD_TEXT, AT(name), FIELD_REQUIRED | FIELD_WRITABLE, 1, 100, .about = "for people"},
    {"scope", FIELD_ENUM, AT(scope), FIELD_WRITABLE, .names = token_scope_names,
     .about = "read: GET only; full: all that its user may"},
    {"created_at", FIELD_TIME, AT(created_at), 0, .about = "UTC"},
    {"expires_at", FIELD_TIME, AT(expires_at), FIELD_WRITABLE,
     .about = "UTC; at most 366 days away, which is the default"},
    {"last_used_at", FIELD_TIME, AT(last_used_at), FIELD_NULLABLE, .about = "UTC, to the minute"},
};
#undef AT
const struct field_table token_table = {"Token", token_fields, COUNT_OF(token_fields),
                                        sizeof(struct token)};

enum status account_may(const struct caller *caller, enum who who, bool writes, struct err *err)
{
    if (who == WHO_PUBLIC)
        return OK;
    if (!caller->user_id)
        return err_set(err, UNAUTHENTICATED, NULL, "sign in first: POST /api/v1/auth/login");
    if (writes && caller->read_only)
        return err_set(err, DENIED, NULL, "this token has the scope \"read\"");
    switch (who) {
    case WHO_PUBLIC:
    case WHO_ANY:
        return OK;
    case WHO_ANALYST:
    case WHO_CREATOR_OR_ADMIN:
        if (caller->role >= ROLE_ANALYST)
            return OK;
        return err_set(err, DENIED, NULL, "this needs the role analyst or admin");
    case WHO_ADMIN:
        if (caller->role >= ROLE_ADMIN)
            return OK;
        return err_set(err, DENIED, NULL, "this needs the role admin");
    }
    return err_set(err, DENIED, NULL, "not allowed");
}

enum status account_may_delete(const struct caller *caller, const char *created_by, struct err *err)
{
    if (caller->role == ROLE_ADMIN)
        return OK;
    if (caller->role == ROLE_ANALYST && created_by && text_equal(created_by, caller->user_id))
        return OK;
    return err_set(err, DENIED, NULL, "only who created it, or an admin, may delete it");
}

char *account_email(struct arena *arena, const char *text)
{
    char *email = text_trim(arena, text);
    size_t length = strlen(email);
    for (char *c = email; *c; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
        if ((unsigned char)*c <= ' ' || *c == 0x7F || strchr("<>()[],;:\\\"", *c))
            return NULL;
    }
    const char *at = strchr(email, '@');
    if (!at || at == email || !at[1] || strchr(at + 1, '@') || length > 254 ||
        text_has_control(email, false))
        return NULL;
    return email;
}

enum status account_check_password(const char *password, const char *email, const char *field,
                                   struct err *err)
{
    size_t length = text_length(password);
    if (length < PASSWORD_MIN)
        return err_set(err, INVALID, field, "must have at least %d characters", PASSWORD_MIN);
    if (length > PASSWORD_MAX)
        return err_set(err, INVALID, field, "must have at most %d characters", PASSWORD_MAX);
    if (email && text_equal_nocase(password, email))
        return err_set(err, INVALID, field, "must not be the e-mail address");
    return OK;
}
