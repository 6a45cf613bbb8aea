/**
 * One connection to Redis as its bytes go (hiredis), without waiting: questions are appended, and
 * answers come in the order of the questions, so each finds its own at the head of a line.
 *
 * Internal to the connection's thread, see cache/redis.c. Not thread-safe.
 */
#ifndef OPENRISK_CACHE_REDIS_WIRE_H
#define OPENRISK_CACHE_REDIS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redisContext;
struct redisReply;
struct redisReplyObjectFunctions;

enum wire_command { WIRE_AUTH, WIRE_SELECT, WIRE_PING, WIRE_GET, WIRE_SET, WIRE_INFO };

/** A question on its way. */
struct wire_question {
    enum wire_command command;
    void *owner;  /* who is told; NULL if nobody waits any more: the answer is dropped */
    size_t bytes; /* of key and value */
    int64_t sent_us;
};

enum wire_kind {
    WIRE_STATUS, /* "+OK" */
    WIRE_ERROR,  /* "-ERR …"; `text` is the words */
    WIRE_TEXT,   /* a value */
    WIRE_NIL,    /* no value */
};

struct wire_answer {
    enum wire_kind kind;
    const char *text; /* of `length` bytes and a NUL */
    size_t length;
    struct redisReply *reply; /* what it points into */
};

enum { WIRE_TROUBLE_SIZE = 192 };

struct wire {
    struct redisContext *context; /* NULL: there is no connection */
    struct redisReplyObjectFunctions *functions;
    size_t value_max_bytes;
    bool unsent;                /* there is something to flush */
    bool unread;                /* there may be more to receive at once */
    struct wire_question *line; /* a ring of `capacity`, a power of two … */
    size_t capacity;
    uint64_t first, end;             /* … the questions from `first` up to `end` */
    uint64_t first_read;             /* before this one nobody waits for a GET */
    char trouble[WIRE_TROUBLE_SIZE]; /* why the last call failed */
};

void wire_init(struct wire *wire, size_t value_max_bytes);
void wire_release(struct wire *wire);

/** Begins to connect. Looks up a name, which may wait. On failure there is no connection. */
bool wire_open(struct wire *wire, const char *host, int port);
/** What has become of it, once poll(2) says that it can be written to. */
bool wire_opened(struct wire *wire);
/** The questions stay in the line, for wire_take(). */
void wire_close(struct wire *wire);
int wire_fd(const struct wire *wire);

/** Appends it, to be flushed; at most the command and four words. */
bool wire_ask(struct wire *wire, struct wire_question question, size_t count,
              const char *const *words, const size_t *lengths);
bool wire_flush(struct wire *wire);
/** Reads some of what is there. */
bool wire_receive(struct wire *wire);

enum wire_next { WIRE_NOTHING, WIRE_ANSWERED, WIRE_FAULT };
/**
 * The next answer of those received, and its question, which leaves the line. A fault is what no
 * honest Redis sends; the connection is of no use then, as nobody knows whose the next answer is.
 */
enum wire_next wire_next(struct wire *wire, struct wire_question *ret_question,
                         struct wire_answer *ret_answer);
void wire_answer_release(struct wire_answer *answer);

/** The oldest question, or NULL. */
const struct wire_question *wire_oldest(const struct wire *wire);
/** The oldest GET for which somebody waits, or NULL. Who gives up sets its `owner` to NULL. */
struct wire_question *wire_oldest_read(struct wire *wire);
/** Takes the oldest question off the line, when the connection is closed. False: none is left. */
bool wire_take(struct wire *wire, struct wire_question *ret_question);

#endif
