/**
 * Users, sessions and API tokens. See service.h for what all of it needs.
 *
 * Functions that hash a password take about 25 ms and 20 MB: run them on the lane that makes one
 * hash at a time.
 */
#ifndef OPENRISK_SERVICE_ACCOUNT_SERVICE_H
#define OPENRISK_SERVICE_ACCOUNT_SERVICE_H

#include "auth/token.h"
#include "service/service.h"
#include "store/account_store.h"

/** What tells this register from all others. */
struct register_identity {
    uint8_t token_key[TOKEN_KEY_BYTES]; /* the secret: tokens and seals are checked with it */
    const char *epoch; /* another one after a restore or a copy; in the service's arena */
};
/** The key is made at the first start. Needs a migrated database. */
enum status account_service_identity(struct service *service,
                                     struct register_identity *ret_identity,
                                     struct err *err) MUST_CHECK;

/**
 * On a database without users make the first admin. `password` NULL: a random one, which must be
 * changed at the first sign-in. `ret_password`: NULL if there were users already, else the
 * password.
 */
enum status account_service_first_admin(struct service *service, const char *email,
                                        const char *password, char **ret_password,
                                        struct err *err) MUST_CHECK;

/** Who holds a token, as of one snapshot. */
struct authentication {
    struct caller caller; /* but for `address` and `by_cookie` */
    int64_t expires_at;
    int64_t note_at;             /* when its use should be noted again; INT64_MAX for a session */
    int64_t generations[SCOPES]; /* of the snapshot */
};
enum { NOTE_USE_MS = 60 * 1000 };
/** UNAUTHENTICATED for unknown, expired and revoked tokens. */
enum status account_service_authenticate(struct service *service,
                                         const uint8_t key[TOKEN_KEY_BYTES], const char *token,
                                         struct authentication *ret_authentication,
                                         struct err *err) MUST_CHECK;
/** The refusal of such a token. */
enum status account_service_unknown_token(struct err *err);
/** An API token has been used. */
enum status account_service_note_use(struct service *service, const char *token_id,
                                     struct err *err) MUST_CHECK;

struct new_session {
    char token[TOKEN_TEXT_SIZE];
    int64_t expires_at;
    struct user user;
};
/** UNAUTHENTICATED for wrong passwords, unknown and inactive users alike. Hashes. */
enum status account_service_login(struct service *service, const uint8_t key[TOKEN_KEY_BYTES],
                                  const char *email, const char *password,
                                  struct new_session *ret_session, struct err *err) MUST_CHECK;
enum status account_service_logout(struct service *service, struct err *err) MUST_CHECK;

enum status account_service_get(struct service *service, const char *id, struct user *ret_user,
                                struct err *err) MUST_CHECK;
enum status account_service_find(struct service *service, const char *email, struct user *ret_user,
                                 struct err *err) MUST_CHECK;
enum status account_service_list(struct service *service, const struct list_request *request,
                                 struct user_list_page *ret_page, struct err *err) MUST_CHECK;

struct user_change {
    struct user user; /* `password` in the clear */
    field_mask mask;
};
/** Hashes. */
enum status account_service_create(struct service *service, struct user_change *change,
                                   struct user *ret_user, struct err *err) MUST_CHECK;
/**
 * A new password, or inactivity, ends all sessions and tokens of the user. CONFLICT if no active
 * admin would remain. Hashes if a password is in the mask; with `must_change_password` in it too,
 * that password must be changed at the next sign-in.
 */
enum status account_service_update(struct service *service, const char *id, int64_t if_match,
                                   struct user_change *change, struct user *ret_user,
                                   struct err *err) MUST_CHECK;
enum status account_service_delete(struct service *service, const char *id, int64_t if_match,
                                   struct err *err) MUST_CHECK;
/** The caller's own; ends all their other sessions and tokens. Hashes twice. */
enum status account_service_change_password(struct service *service, const char *current,
                                            const char *next, struct err *err) MUST_CHECK;

/** `user_id`'s API tokens, newest last. */
enum status account_service_tokens(struct service *service, const char *user_id,
                                   struct token **ret_tokens, size_t *ret_count,
                                   struct err *err) MUST_CHECK;
/** `token`: name, scope, expires_at (0: in 366 days). `ret_text` holds TOKEN_TEXT_SIZE bytes. */
enum status account_service_create_token(struct service *service,
                                         const uint8_t key[TOKEN_KEY_BYTES], const char *user_id,
                                         struct token *token, char *ret_text,
                                         struct err *err) MUST_CHECK;
enum status account_service_delete_token(struct service *service, const char *user_id,
                                         const char *token_id, struct err *err) MUST_CHECK;

#endif
