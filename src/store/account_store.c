#include "store/account_store.h"

#include "store/gather.h"
#include "store/queries.h"

static void read_user(const struct db_rows *rows, int first, struct arena *arena, struct user *user)
{
    db_read_record(rows, first, &user_table, arena, user);
    user->password_hash = db_text_copy(rows, first + (int)user_table.count, arena);
}

static enum status select_one(struct db *db, enum query_id query, const char *key,
                              struct arena *arena, struct user *ret_user, struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status = db_select(db, &queries[query], DB_PARAMS(DB_TEXT(key)), &rows, err);
    if (status != OK)
        return status;
    struct user user = {0};
    bool found = db_next(&rows);
    if (found)
        read_user(&rows, 0, arena, &user);
    status = db_end(&rows, err);
    if (status != OK)
        return status;
    if (!found)
        return err_set(err, NOT_FOUND, NULL, "there is no such user");
    *ret_user = user;
    return OK;
}

enum status account_store_get(struct db *db, const char *id, struct arena *arena,
                              struct user *ret_user, struct err *err)
{
    return select_one(db, QUERY_ACCOUNT_BY_ID, id, arena, ret_user, err);
}

enum status account_store_find(struct db *db, const char *email, struct arena *arena,
                               struct user *ret_user, struct err *err)
{
    return select_one(db, QUERY_ACCOUNT_BY_EMAIL, email, arena, ret_user, err);
}

enum status account_store_count(struct db *db, int64_t *ret_count, struct err *err)
{
    return db_select_int(db, &queries[QUERY_ACCOUNT_COUNT], DB_NO_PARAMS, ret_count, err);
}

enum status account_store_other_admins(struct db *db, const char *id, int64_t *ret_count,
                                       struct err *err)
{
    return db_select_int(db, &queries[QUERY_ACCOUNT_OTHER_ADMINS], DB_PARAMS(DB_TEXT(id)),
                         ret_count, err);
}

static enum status write(struct db *db, enum query_id query, const struct user *user,
                         struct err *err)
{
    enum status status =
        db_exec(db, &queries[query],
                DB_PARAMS(DB_TEXT(user->id), DB_TEXT(user->email), DB_TEXT(user->full_name),
                          DB_TEXT(role_names[user->role]), DB_INT(user->is_active),
                          DB_TEXT(user->password_hash), DB_INT(user->must_change_password),
                          DB_INT(user->created_at), DB_INT(user->updated_at),
                          DB_INT_OR_NULL(user->last_login_at), DB_INT(user->version)),
                NULL, err);
    if (status == CONFLICT)
        return err_set(err, CONFLICT, "email", "another user has it already");
    return status;
}

enum status account_store_insert(struct db *db, const struct user *user, struct err *err)
{
    return write(db, QUERY_ACCOUNT_INSERT, user, err);
}

enum status account_store_update(struct db *db, const struct user *user, struct err *err)
{
    return write(db, QUERY_ACCOUNT_UPDATE, user, err);
}

enum status account_store_signed_in(struct db *db, const struct user *user, int64_t now_ms,
                                    struct err *err)
{
    int64_t changed;
    enum status status = db_exec(
        db, &queries[QUERY_ACCOUNT_SIGNED_IN],
        DB_PARAMS(DB_TEXT(user->id), DB_INT(now_ms), DB_TEXT(user->password_hash)), &changed, err);
    if (status == OK && changed == 0)
        return err_set(err, NOT_FOUND, NULL, "there is no such user");
    return status;
}

enum status account_store_delete(struct db *db, const char *id, struct err *err)
{
    enum status status = token_store_delete_of_user(db, id, NULL, err);
    if (status == OK)
        status = db_queue(db, &queries[QUERY_ACCOUNT_DELETE], DB_PARAMS(DB_TEXT(id)), err);
    return status;
}

static void read_row(void *context, const struct db_rows *rows)
{
    struct gathered *users = context;
    read_user(rows, LIST_FIRST_COLUMN, users->arena, gather(users));
}

enum status account_store_list(struct db *db, const struct list_request *request,
                               struct arena *arena, struct user_list_page *ret_page,
                               struct err *err)
{
    struct gathered users = {.item_size = sizeof(struct user), .arena = arena};
    struct list_result result;
    enum status status = list_read(db, request, NULL, arena, read_row, &users, &result, err);
    if (status == OK)
        *ret_page = (struct user_list_page){.items = users.items, .result = result};
    return status;
}

enum status token_store_find(struct db *db, const char *hash, struct arena *arena,
                             struct token_holder *ret_holder, struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status =
        db_select(db, &queries[QUERY_TOKEN_BY_HASH], DB_PARAMS(DB_TEXT(hash)), &rows, err);
    if (status != OK)
        return status;
    struct token_holder holder = {0};
    bool found = db_next(&rows);
    if (found) {
        int scope = text_index(token_scope_names, db_text(&rows, 2));
        int role = text_index(role_names, db_text(&rows, 7));
        holder.token = (struct token){
            .id = db_text_copy(&rows, 0, arena),
            .is_session = db_int(&rows, 1) != 0,
            .scope = scope < 0 ? TOKEN_SCOPE_READ : scope,
            .expires_at = db_int(&rows, 3),
            .last_used_at = db_int(&rows, 4),
        };
        holder.user = (struct user){
            .id = db_text_copy(&rows, 5, arena),
            .email = db_text_copy(&rows, 6, arena),
            .role = role < 0 ? ROLE_VIEWER : role,
            .must_change_password = db_int(&rows, 8) != 0,
        };
    }
    status = db_end(&rows, err);
    if (status != OK)
        return status;
    if (!found)
        return err_set(err, NOT_FOUND, NULL, "there is no such token");
    *ret_holder = holder;
    return OK;
}

enum status token_store_of_user(struct db *db, const char *user_id, struct arena *arena,
                                struct token **ret_tokens, size_t *ret_count, struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status =
        db_select(db, &queries[QUERY_TOKENS_OF_USER], DB_PARAMS(DB_TEXT(user_id)), &rows, err);
    if (status != OK)
        return status;
    struct gathered tokens = {.item_size = sizeof(struct token), .arena = arena};
    while (db_next(&rows))
        db_read_record(&rows, 0, &token_table, arena, gather(&tokens));
    status = db_end(&rows, err);
    if (status == OK) {
        *ret_tokens = tokens.items;
        *ret_count = tokens.count;
    }
    return status;
}

enum status token_store_insert(struct db *db, const struct token *token, struct err *err)
{
    return db_queue(db, &queries[QUERY_TOKEN_INSERT],
                    DB_PARAMS(DB_TEXT(token->id), DB_TEXT(token->hash), DB_TEXT(token->user_id),
                              DB_INT(token->is_session), DB_TEXT(token->name),
                              DB_TEXT(token_scope_names[token->scope]), DB_INT(token->created_at),
                              DB_INT(token->expires_at)),
                    err);
}

enum status token_store_used(struct db *db, const char *id, int64_t now_ms, struct err *err)
{
    return db_queue(db, &queries[QUERY_TOKEN_USED], DB_PARAMS(DB_TEXT(id), DB_INT(now_ms)), err);
}

enum status token_store_delete(struct db *db, const char *id, const char *user_id, bool is_session,
                               struct err *err)
{
    int64_t changed;
    enum status status =
        db_exec(db, &queries[QUERY_TOKEN_DELETE],
                DB_PARAMS(DB_TEXT(id), DB_TEXT(user_id), DB_INT(is_session)), &changed, err);
    if (status == OK && changed == 0)
        return err_set(err, NOT_FOUND, NULL, "there is no such token");
    return status;
}

enum status token_store_delete_of_user(struct db *db, const char *user_id, const char *kept,
                                       struct err *err)
{
    return db_queue(db, &queries[QUERY_TOKENS_DELETE_OF_USER],
                    DB_PARAMS(DB_TEXT(user_id), DB_TEXT(kept ? kept : "")), err);
}

enum status token_store_delete_expired(struct db *db, int64_t now_ms, struct err *err)
{
    return db_queue(db, &queries[QUERY_TOKENS_DELETE_EXPIRED], DB_PARAMS(DB_INT(now_ms)), err);
}
