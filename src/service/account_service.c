#include "service/account_service.h"

#include <string.h>

#include "auth/password.h"
#include "base/id.h"
#include "service/writer.h"
#include "store/migrate.h"

#define TOKEN_LIFE_MAX_MS (366 * CLOCK_DAY_MS)

/** Make the key, unless another server that started with us was first. */
static enum status make_token_key(struct service *service, char **ret_hex, struct err *err)
{
    enum status status =
        db_begin_write(service->db, service->now_ms, service->write_timeout_ms, err);
    if (status != OK)
        return status;
    status = meta_get(service->db, "token_key", service->arena, ret_hex, err);
    if (status == NOT_FOUND) {
        char made[2 * TOKEN_KEY_BYTES + 1];
        token_key_new(made);
        *ret_hex = arena_strdup(service->arena, made);
        status = meta_set(service->db, "token_key", made, err);
    }
    if (status == OK)
        return db_commit(service->db, err);
    db_rollback(service->db);
    return status;
}

enum status account_service_identity(struct service *service,
                                     struct register_identity *ret_identity, struct err *err)
{
    char *hex, *epoch;
    enum status status = service_begin_read(service, err);
    if (status != OK)
        return status;
    status = meta_get(service->db, "epoch", service->arena, &epoch, err);
    if (status == OK)
        status = meta_get(service->db, "token_key", service->arena, &hex, err);
    else if (status == NOT_FOUND)
        status = err_set(err, INTERNAL, NULL, "the database has no epoch");
    service_end_read(service);
    if (status == NOT_FOUND)
        status = make_token_key(service, &hex, err);
    if (status != OK)
        return status;
    struct register_identity identity = {.epoch = epoch};
    if (!token_key_parse(hex, identity.token_key))
        return err_set(err, INTERNAL, NULL, "the database's token key is damaged");
    *ret_identity = identity;
    return OK;
}

/** Fill in what a new user needs beside a password hash, and insert it. */
static enum status insert_user(struct writer *writer, struct user *user, struct err *err)
{
    char id[ID_SIZE];
    user->id = arena_strdup(writer->arena, id_new(writer->service->now_ms, id));
    user->created_at = user->updated_at = writer->service->now_ms;
    user->version = 1;
    writer->target = user->id;
    writer->detail = user->email;
    return account_store_insert(writer->db, user, err);
}

/** Check and hash a password before the transaction: other writers need not wait for it. */
static enum status hash(struct service *service, const char *password, const char *email,
                        const char *field, const char **ret_hash, struct err *err)
{
    char *made;
    enum status status = account_check_password(password, email, field, err);
    if (status == OK)
        status = password_hash(password, service->arena, &made, err);
    if (status == OK)
        *ret_hash = made;
    return status;
}

enum status account_service_first_admin(struct service *service, const char *email,
                                        const char *password, char **ret_password, struct err *err)
{
    int64_t count;
    enum status status = service_begin_read(service, err);
    if (status != OK)
        return status;
    status = account_store_count(service->db, &count, err);
    service_end_read(service);
    *ret_password = NULL;
    if (status != OK || count > 0)
        return status;

    struct user user = {.role = ROLE_ADMIN, .is_active = true, .must_change_password = !password};
    user.email = account_email(service->arena, email);
    if (!user.email)
        return err_set(err, INVALID, "INITIAL_ADMIN_EMAIL", "is not an e-mail address");
    char *chosen =
        password ? arena_strdup(service->arena, password) : password_random(service->arena);
    status = hash(service, chosen, user.email, "INITIAL_ADMIN_PASSWORD", &user.password_hash, err);
    if (status != OK)
        return status;
    struct writer writer;
    status = writer_begin(&writer, service, err);
    if (status != OK)
        return status;
    status = account_store_count(service->db, &count, err);
    if (status == OK && count > 0) { /* another server that started with us was first */
        db_rollback(service->db);
        return OK;
    }
    if (status == OK)
        status = insert_user(&writer, &user, err);
    status = writer_end(&writer, status, err);
    if (status == OK)
        *ret_password = chosen;
    return status;
}

enum status account_service_unknown_token(struct err *err)
{
    return err_set(err, UNAUTHENTICATED, NULL, "this token is unknown, expired or revoked");
}

enum status account_service_authenticate(struct service *service,
                                         const uint8_t key[TOKEN_KEY_BYTES], const char *token,
                                         struct authentication *ret_authentication, struct err *err)
{
    char hash[TOKEN_HASH_SIZE];
    if (!token_is_genuine(key, token))
        return account_service_unknown_token(err);
    enum status status = service_begin_read(service, err);
    if (status != OK)
        return status;
    struct token_holder holder;
    struct authentication found;
    db_last_round(service->db);
    status = token_store_find(service->db, token_hash(token, hash), service->arena, &holder, err);
    memcpy(found.generations, db_generations(service->db), sizeof found.generations);
    service_end_read(service);
    if (status == NOT_FOUND || (status == OK && holder.token.expires_at <= service->now_ms))
        return account_service_unknown_token(err);
    if (status != OK)
        return status;
    bool is_session = holder.token.is_session;
    found.caller = (struct caller){
        .user_id = holder.user.id,
        .email = holder.user.email,
        .role = holder.user.role,
        .read_only = !is_session && holder.token.scope == TOKEN_SCOPE_READ,
        .must_change_password = holder.user.must_change_password,
        .token_id = holder.token.id,
    };
    found.expires_at = holder.token.expires_at;
    found.note_at = is_session ? INT64_MAX : holder.token.last_used_at + NOTE_USE_MS;
    *ret_authentication = found;
    return OK;
}

enum status account_service_note_use(struct service *service, const char *token_id, struct err *err)
{
    enum status status =
        db_begin_note(service->db, service->now_ms, service->write_timeout_ms, err);
    if (status != OK)
        return status;
    status = token_store_used(service->db, token_id, service->now_ms, err);
    if (status == OK)
        return db_commit(service->db, err);
    db_rollback(service->db);
    return status;
}

enum status account_service_get(struct service *service, const char *id, struct user *ret_user,
                                struct err *err)
{
    enum status status = service_begin_read(service, err);
    if (status != OK)
        return status;
    status = account_store_get(service->db, id, service->arena, ret_user, err);
    service_end_read(service);
    return status;
}

enum status account_service_find(struct service *service, const char *email, struct user *ret_user,
                                 struct err *err)
{
    const char *known = account_email(service->arena, email);
    if (!known)
        return err_set(err, NOT_FOUND, NULL, "there is no such user");
    enum status status = service_begin_read(service, err);
    if (status != OK)
        return status;
    status = account_store_find(service->db, known, service->arena, ret_user, err);
    service_end_read(service);
    return status;
}

enum status account_service_list(struct service *service, const struct list_request *request,
                                 struct user_list_page *ret_page, struct err *err)
{
    enum status status = service_begin_read(service, err);
    if (status != OK)
        return status;
    status = account_store_list(service->db, request, service->arena, ret_page, err);
    service_end_read(service);
    return status;
}

/** Insert a token whose text is new. */
static enum status insert_token(struct writer *writer, const uint8_t key[TOKEN_KEY_BYTES],
                                struct token *token, char *ret_text, struct err *err)
{
    char hash[TOKEN_HASH_SIZE], id[ID_SIZE];
    token->id = arena_strdup(writer->arena, id_new(writer->service->now_ms, id));
    token->created_at = writer->service->now_ms;
    token->hash = token_hash(token_new(key, ret_text), hash);
    enum status status = token_store_insert(writer->db, token, err);
    token->hash = NULL; /* it points to this function's memory */
    return status;
}

static enum status wrong_password(struct err *err)
{
    return err_set(err, UNAUTHENTICATED, NULL, "e-mail address or password is wrong");
}

static enum status start_session(struct writer *writer, const uint8_t key[TOKEN_KEY_BYTES],
                                 struct new_session *session, struct err *err)
{
    int64_t now_ms = writer->service->now_ms;
    struct token token = {.user_id = session->user.id,
                          .is_session = true,
                          .scope = TOKEN_SCOPE_FULL,
                          .expires_at = now_ms + SESSION_MS};
    session->expires_at = token.expires_at;
    writer->target = session->user.id;
    /* First, for it holds the account until the end: who has changed the password since it was
     * compared has ended all sessions, and this one must not come after that. */
    enum status status = account_store_signed_in(writer->db, &session->user, now_ms, err);
    if (status == NOT_FOUND)
        return wrong_password(err);
    if (status == OK)
        status = insert_token(writer, key, &token, session->token, err);
    if (status == OK)
        status = token_store_delete_expired(writer->db, now_ms, err);
    session->user.last_login_at = now_ms;
    return status;
}

enum status account_service_login(struct service *service, const uint8_t key[TOKEN_KEY_BYTES],
                                  const char *email, const char *password,
                                  struct new_session *ret_session, struct err *err)
{
    struct new_session session = {0};
    enum status status = account_service_find(service, email, &session.user, err);
    if (status != OK && status != NOT_FOUND)
        return status;
    bool known = status == OK && session.user.is_active;
    if (!password_matches(known ? session.user.password_hash : NULL, password) || !known)
        return wrong_password(err);

    struct caller self = *service->caller;
    self.user_id = session.user.id;
    self.email = session.user.email;
    struct service own = *service;
    own.caller = &self;
    struct writer writer;
    status = writer_begin_note(&writer, &own, err);
    if (status != OK)
        return status;
    status = start_session(&writer, key, &session, err);
    status = writer_end(&writer, status, err);
    if (status == OK)
        *ret_session = session;
    return status;
}

enum status account_service_logout(struct service *service, struct err *err)
{
    const struct caller *caller = service->caller;
    struct writer writer;
    enum status status = writer_begin(&writer, service, err);
    if (status != OK)
        return status;
    writer.target = caller->user_id;
    status = token_store_delete(writer.db, caller->token_id, caller->user_id, true, err);
    if (status == NOT_FOUND)
        status = err_set(err, CONFLICT, NULL,
                         "this is an API token, not a session; revoke it with DELETE /tokens/{id}");
    return writer_end(&writer, status, err);
}

/** Members of a body, checked and in the form they are stored in; before the transaction. */
static enum status prepare(struct service *service, struct user_change *change, struct err *err)
{
    struct user *user = &change->user;
    if (change->mask & field_bit(&user_table, "email")) {
        user->email = account_email(service->arena, user->email);
        if (!user->email)
            return err_set(err, INVALID, "email", "must be an e-mail address");
    }
    if (change->mask & field_bit(&user_table, "password"))
        return hash(service, user->password, user->email, "password", &user->password_hash, err);
    return OK;
}

/** A new password needs no change unless the change says so. */
static void apply(struct user *user, const struct user_change *change, struct arena *arena)
{
    field_mask password = field_bit(&user_table, "password");
    if (change->mask & password) {
        user->password_hash = change->user.password_hash;
        user->must_change_password = false;
    }
    field_copy_all(&user_table, change->mask & ~password, user, &change->user, arena);
}

enum status account_service_create(struct service *service, struct user_change *change,
                                   struct user *ret_user, struct err *err)
{
    struct writer writer;
    struct user user = {.role = ROLE_VIEWER, .is_active = true};
    enum status status = prepare(service, change, err);
    if (status != OK)
        return status;
    apply(&user, change, service->arena);
    status = writer_begin(&writer, service, err);
    if (status != OK)
        return status;
    status = insert_user(&writer, &user, err);
    status = writer_end(&writer, status, err);
    if (status == OK)
        *ret_user = user;
    return status;
}

/** CONFLICT if this user is the last active admin and no longer would be one. */
static enum status keep_an_admin(struct writer *writer, const struct user *before,
                                 const struct user *after, struct err *err)
{
    bool was = before->role == ROLE_ADMIN && before->is_active;
    bool is = after && after->role == ROLE_ADMIN && after->is_active;
    int64_t others;
    if (!was || is)
        return OK;
    enum status status = account_store_other_admins(writer->db, before->id, &others, err);
    if (status == OK && others == 0)
        return err_set(err, CONFLICT, NULL,
                       "this is the last active admin; make another one first");
    return status;
}

static enum status update(struct writer *writer, const struct user *before,
                          const struct user_change *change, struct user *ret_user, struct err *err)
{
    const struct caller *caller = writer->service->caller;
    struct user after = *before;
    apply(&after, change, writer->arena);
    bool password = change->mask & field_bit(&user_table, "password");
    bool own = text_equal(caller->user_id, before->id);
    writer->target = after.id;
    writer->detail = after.email;
    *ret_user = after;
    if (!password && field_diff(&user_table, change->mask, before, &after) == 0)
        return OK;
    enum status status = keep_an_admin(writer, before, &after, err);
    if (status == OK && (password || (before->is_active && !after.is_active)))
        status =
            token_store_delete_of_user(writer->db, before->id, own ? caller->token_id : NULL, err);
    if (status != OK)
        return status;
    after.version++;
    after.updated_at = writer->service->now_ms;
    *ret_user = after;
    return account_store_update(writer->db, &after, err);
}

enum status account_service_update(struct service *service, const char *id, int64_t if_match,
                                   struct user_change *change, struct user *ret_user,
                                   struct err *err)
{
    struct writer writer;
    enum status status = prepare(service, change, err);
    if (status == OK)
        status = writer_begin(&writer, service, err);
    if (status != OK)
        return status;
    struct user before, after;
    status = account_store_get(writer.db, id, writer.arena, &before, err);
    if (status == OK)
        status = writer_match(if_match, before.version, err);
    if (status == OK)
        status = update(&writer, &before, change, &after, err);
    status = writer_end(&writer, status, err);
    if (status == OK)
        *ret_user = after;
    return status;
}

enum status account_service_delete(struct service *service, const char *id, int64_t if_match,
                                   struct err *err)
{
    struct writer writer;
    enum status status = writer_begin(&writer, service, err);
    if (status != OK)
        return status;
    struct user user;
    status = account_store_get(writer.db, id, writer.arena, &user, err);
    if (status == OK)
        status = writer_match(if_match, user.version, err);
    if (status == OK)
        status = keep_an_admin(&writer, &user, NULL, err);
    if (status == OK) {
        writer.target = user.id;
        writer.detail = user.email;
        status = account_store_delete(writer.db, id, err);
    }
    return writer_end(&writer, status, err);
}

enum status account_service_change_password(struct service *service, const char *current,
                                            const char *next, struct err *err)
{
    struct user user;
    enum status status = account_service_get(service, service->caller->user_id, &user, err);
    if (status != OK)
        return status;
    if (!password_matches(user.password_hash, current))
        return err_set(err, INVALID, "current_password", "is wrong");
    if (strcmp(current, next) == 0)
        return err_set(err, INVALID, "new_password", "must differ from the current one");
    status = account_check_password(next, user.email, "new_password", err);
    if (status != OK)
        return status;
    struct user_change change = {.user = {.password = next},
                                 .mask = field_bit(&user_table, "password")};
    return account_service_update(service, user.id, 0, &change, &user, err);
}

enum status account_service_tokens(struct service *service, const char *user_id,
                                   struct token **ret_tokens, size_t *ret_count, struct err *err)
{
    enum status status = service_begin_read(service, err);
    if (status != OK)
        return status;
    status = token_store_of_user(service->db, user_id, service->arena, ret_tokens, ret_count, err);
    service_end_read(service);
    return status;
}

enum status account_service_create_token(struct service *service,
                                         const uint8_t key[TOKEN_KEY_BYTES], const char *user_id,
                                         struct token *token, char *ret_text, struct err *err)
{
    int64_t latest = service->now_ms + TOKEN_LIFE_MAX_MS;
    if (token->expires_at == 0)
        token->expires_at = latest;
    if (token->expires_at <= service->now_ms || token->expires_at > latest)
        return err_set(err, INVALID, "expires_at", "must be in the next 366 days");
    struct writer writer;
    enum status status = writer_begin(&writer, service, err);
    if (status != OK)
        return status;
    struct token *tokens;
    size_t count;
    token->user_id = user_id;
    status = token_store_of_user(writer.db, user_id, writer.arena, &tokens, &count, err);
    if (status == OK && count >= TOKENS_PER_USER_MAX)
        status = err_set(err, CONFLICT, NULL, "you have %d tokens; revoke one first",
                         TOKENS_PER_USER_MAX);
    if (status == OK)
        status = insert_token(&writer, key, token, ret_text, err);
    writer.target = token->id ? token->id : "";
    writer.detail = token->name;
    return writer_end(&writer, status, err);
}

enum status account_service_delete_token(struct service *service, const char *user_id,
                                         const char *token_id, struct err *err)
{
    struct writer writer;
    enum status status = writer_begin(&writer, service, err);
    if (status != OK)
        return status;
    writer.target = token_id;
    status = token_store_delete(writer.db, token_id, user_id, false, err);
    return writer_end(&writer, status, err);
}
