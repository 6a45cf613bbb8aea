/**
 * Accounts: users with a role, their sessions and API tokens, and who may do what. Pure; no I/O.
 */
#ifndef OPENRISK_DOMAIN_ACCOUNT_H
#define OPENRISK_DOMAIN_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/field.h"
#include "base/status.h"

/** In the order of what they may do. */
enum role { ROLE_VIEWER, ROLE_ANALYST, ROLE_ADMIN };
extern const char *const role_names[]; /* "viewer", … NULL-terminated */

enum {
    PASSWORD_MIN = 12,
    PASSWORD_MAX = 256,
    SESSION_MS = 12 * 3600 * 1000,
    TOKENS_PER_USER_MAX = 50
};

struct user {
    const char *id;
    const char *email; /* lower case; unique */
    const char *full_name;
    int role; /* enum role */
    bool is_active;
    const char *password; /* only in bodies: never stored, never answered */
    bool must_change_password;
    int64_t created_at;
    int64_t updated_at;
    int64_t last_login_at;
    int64_t version;
    /* not members of the API */
    const char *password_hash;
};
extern const struct field_table user_table;

enum token_scope { TOKEN_SCOPE_READ, TOKEN_SCOPE_FULL };
extern const char *const token_scope_names[]; /* "read", "full" */

/** A session or an API token: the same thing with another way of being made. */
struct token {
    const char *id;
    const char *name; /* of an API token */
    int scope;        /* enum token_scope */
    int64_t created_at;
    int64_t expires_at;
    int64_t last_used_at;
    /* not members of the API */
    bool is_session;
    const char *user_id;
    const char *hash; /* hex of BLAKE2b-256 of the token */
};
extern const struct field_table token_table;

/** Who is asking. `{0}` is nobody. */
struct caller {
    const char *user_id; /* NULL: nobody */
    const char *email;
    int role;       /* enum role */
    bool read_only; /* a token of scope `read` */
    bool must_change_password;
    bool by_cookie;
    const char *token_id;
    const char *address; /* the client's, for the audit log */
};

/** A column of the route table. */
enum who {
    WHO_PUBLIC,
    WHO_ANY,              /* signed in */
    WHO_ANALYST,          /* or admin */
    WHO_CREATOR_OR_ADMIN, /* analysts, for what they created: account_may_delete() decides */
    WHO_ADMIN,
};
extern const char *const who_names[];

/** May this caller use a route of `who`? `writes`: the route's method is not GET or HEAD. */
enum status account_may(const struct caller *caller, enum who who, bool writes,
                        struct err *err) MUST_CHECK;

/** May this caller delete a thing that `created_by` (may be NULL) made? */
enum status account_may_delete(const struct caller *caller, const char *created_by,
                               struct err *err) MUST_CHECK;

/** "  Ann@Example.ORG " → "ann@example.org"; NULL if it is no address. */
char *account_email(struct arena *arena, const char *text);

/** Long enough and not the e-mail address. INVALID with field "password" (or `field`). */
enum status account_check_password(const char *password, const char *email, const char *field,
                                   struct err *err) MUST_CHECK;

#endif
