/**
 * Users, sessions and API tokens in the database. Inside a transaction of the caller; records go to
 * the arena given.
 */
#ifndef OPENRISK_STORE_ACCOUNT_STORE_H
#define OPENRISK_STORE_ACCOUNT_STORE_H

#include "domain/account.h"
#include "store/list.h"

enum status account_store_get(struct db *db, const char *id, struct arena *arena,
                              struct user *ret_user, struct err *err) MUST_CHECK;
/** `email` in the form of account_email(). */
enum status account_store_find(struct db *db, const char *email, struct arena *arena,
                               struct user *ret_user, struct err *err) MUST_CHECK;
enum status account_store_count(struct db *db, int64_t *ret_count, struct err *err) MUST_CHECK;
/** Active admins but this one. */
enum status account_store_other_admins(struct db *db, const char *id, int64_t *ret_count,
                                       struct err *err) MUST_CHECK;
/** CONFLICT with field "email". */
enum status account_store_insert(struct db *db, const struct user *user,
                                 struct err *err) MUST_CHECK;
enum status account_store_update(struct db *db, const struct user *user,
                                 struct err *err) MUST_CHECK;
/** NOT_FOUND if the account is not as it was read any more: another password, inactive or gone. */
enum status account_store_signed_in(struct db *db, const struct user *user, int64_t now_ms,
                                    struct err *err) MUST_CHECK;
/** With all sessions and tokens. */
enum status account_store_delete(struct db *db, const char *id, struct err *err) MUST_CHECK;

struct user_list_page {
    struct user *items;
    struct list_result result;
};
enum status account_store_list(struct db *db, const struct list_request *request,
                               struct arena *arena, struct user_list_page *ret_page,
                               struct err *err) MUST_CHECK;

/** Who holds the token with this hash, expired or not. NOT_FOUND; inactive users count as none. */
struct token_holder {
    struct token token;
    struct user user; /* id, email, role, must_change_password */
};
enum status token_store_find(struct db *db, const char *hash, struct arena *arena,
                             struct token_holder *ret_holder, struct err *err) MUST_CHECK;
enum status token_store_of_user(struct db *db, const char *user_id, struct arena *arena,
                                struct token **ret_tokens, size_t *ret_count,
                                struct err *err) MUST_CHECK;
enum status token_store_insert(struct db *db, const struct token *token,
                               struct err *err) MUST_CHECK;
enum status token_store_used(struct db *db, const char *id, int64_t now_ms,
                             struct err *err) MUST_CHECK;
/** NOT_FOUND if this user has no such session or token. */
enum status token_store_delete(struct db *db, const char *id, const char *user_id, bool is_session,
                               struct err *err) MUST_CHECK;
/** All of a user's sessions and tokens but `kept` (NULL: all). */
enum status token_store_delete_of_user(struct db *db, const char *user_id, const char *kept,
                                       struct err *err) MUST_CHECK;
enum status token_store_delete_expired(struct db *db, int64_t now_ms, struct err *err) MUST_CHECK;

#endif
