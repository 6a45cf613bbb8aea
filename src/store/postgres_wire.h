/**
 * The wire to PostgreSQL: a connection in libpq's pipeline mode, and what is on its way.
 *
 * What is asked is sent without waiting and its place is noted in a queue; answers come in the same
 * order. postgres_round() waits until all that was asked has been answered: one round trip, however
 * much it was. Nothing else waits, and it waits no longer than the limit for a statement.
 *
 * A synchronisation point ends what a failure skips: after one, the server listens again. So
 * ROLLBACK stands behind one, and is executed whatever became of the statements before it.
 *
 * For postgres*.c only. A connection belongs to one thread at a time.
 */
#ifndef OPENRISK_STORE_POSTGRES_WIRE_H
#define OPENRISK_STORE_POSTGRES_WIRE_H

#include <libpq-fe.h>
#include <stdatomic.h>

#include "store/engine.h"

/* What may be on its way; then it is waited for. Answers to so many statements that return no rows
 * fit into the buffers of a socket, so neither side can wait for the other to read. */
enum { POSTGRES_ASKED_MAX = 256 };

struct engine_shared {
    char *url;
    struct db_limits limits;
    _Atomic int64_t end_ms; /* nothing is waited for beyond it; see database_hurry() */
};

enum asked_kind {
    ASKED_COMMAND, /* BEGIN, SET, …: fails the transaction if it fails */
    ASKED_QUIETLY, /* nobody minds if it fails */
    ASKED_COMMIT,
    ASKED_END, /* ROLLBACK of a reading transaction, together with its last statements */
    ASKED_PREPARE,
    ASKED_EXECUTE,
    ASKED_SYNC,
};

struct asked {
    enum asked_kind kind;
    struct engine_statement *statement; /* who waits for the answer; NULL: nobody */
    bool is_over; /* its transaction has been rolled back: a failure is of none */
};

struct engine_conn {
    struct engine_shared *shared;
    PGconn *pg;
    bool is_broken;
    unsigned transactions;                      /* begun so far */
    bool is_last_round;                         /* the next round ends the transaction */
    bool in_transaction;                        /* begun, and neither committed nor rolled back */
    struct asked asked[POSTGRES_ASKED_MAX + 4]; /* a ring: room for what ends a round */
    size_t first, count;
    unsigned
        batch; /* synchronisation points so far: a failure reaches no further than to the next */
    /* The first failure of the transaction: the server refuses all that follows it. */
    enum status failed;
    struct err failed_err;
    bool committed;  /* COMMIT was answered with COMMIT */
    int limit_ms;    /* without any answer for so long the connection is given up; 0: never */
    int lock_ms;     /* what the transaction may wait for its lock beyond that */
    int set_lock_ms; /* the server's lock_timeout */
    unsigned names;  /* of statements, so far */
    uint64_t round_trips;
    int64_t changed; /* rows touched by the statement that ended last */
};

struct engine_statement {
    struct engine_conn *conn;
    char *sql;
    char name[16];
    int highest;    /* parameter */
    Oid types[251]; /* 0: the server infers it; text where the text does not use it */
    enum { NOT_PREPARED, PREPARING, PREPARED } state;
    unsigned batch;       /* in which it is being prepared */
    bool plans_anew;      /* never prepared */
    bool streams;         /* its rows come through a cursor, ROWS_FETCHED at a time */
    bool is_open;         /* that cursor … */
    unsigned transaction; /* … until this one ends */
    bool is_asked;        /* an answer is on its way */
    bool has_failed;
    PGresult *result;
    int row;
};

/** Connect, look at the server and set what every connection has. UNAVAILABLE. */
enum status postgres_connect(struct engine_conn *conn, struct err *err) MUST_CHECK;

/** The n-th of what is on its way, from 0. */
struct asked *postgres_nth(struct engine_conn *conn, size_t n);
/** Note what was sent; `sent` is libpq's word whether it was. */
void postgres_asked(struct engine_conn *conn, int sent, enum asked_kind kind,
                    struct engine_statement *statement);
/** Send a command without parameters. */
void postgres_ask(struct engine_conn *conn, enum asked_kind kind, const char *sql);
/** A synchronisation point, if anything was asked since the last. */
void postgres_sync(struct engine_conn *conn);
/** Send what is still here, as far as that goes without waiting. */
void postgres_flush(struct engine_conn *conn);
/** Wait for all answers, at most `limit_ms` for each (0: without limit). */
void postgres_round_within(struct engine_conn *conn, int limit_ms);
void postgres_round(struct engine_conn *conn);
/** Take the answers that are here already. */
void postgres_take(struct engine_conn *conn);
/** See engine.h: the doorbell. */
int postgres_doorbell(struct engine_conn *conn);
bool postgres_rang(struct engine_conn *conn);
/** Several statements at once, outside the pipeline. */
enum status postgres_script(struct engine_conn *conn, const char *sql, struct err *err) MUST_CHECK;
/** The connection is of no use any more. */
void postgres_break(struct engine_conn *conn, const char *why);

/** What a refused statement means; logs what only the operator should see. */
enum status postgres_failure(struct engine_conn *conn, const PGresult *result, const char *sql,
                             struct err *err);
/** libpq's words in one line, without "ERROR: ". In `text`. */
const char *postgres_words(const char *message, char *text, size_t size);

#endif
