/*
 * What hiredis 0.14 does, and what is done about it:
 *
 * - redisBufferRead() reads at most 16 KiB and returns; "nothing there" is no error. The bytes are
 *   kept until an answer is whole, without any limit: wire_next() sets one.
 * - For an array its reader allocates as many pointers as the header says, and allocations that
 *   fail abort the process: "*1000000000" is enough. No question of ours is answered by an array,
 *   so the reader gets a function for making one that always fails. It takes this for "out of
 *   memory" and gives up.
 * - A value that is announced is not allocated before it is there; its length may be anything.
 * - It writes with write(2): the caller's thread must not die of SIGPIPE.
 * - Once a context has failed, it is of no further use. TCP_NODELAY is set by it.
 */
#include "cache/redis_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

enum {
    LINE_CAPACITY = 256, /* at first */
    WORDS_MAX = 5,
    RECEIVE_BYTES = 16 * 1024,      /* what hiredis reads at a time */
    UNREAD_SLACK_BYTES = 64 * 1024, /* beyond a value: its header, and answers that follow it */
};

static void *refuse_array(const redisReadTask *task, int elements)
{
    (void)task, (void)elements;
    return NULL;
}

void wire_init(struct wire *wire, size_t value_max_bytes)
{
    *wire = (struct wire){.value_max_bytes = value_max_bytes, .capacity = LINE_CAPACITY};
    wire->line = mem_zalloc(wire->capacity, sizeof *wire->line);
    wire->functions = mem_zalloc(1, sizeof *wire->functions);
}

void wire_release(struct wire *wire)
{
    wire_close(wire);
    free(wire->functions);
    free(wire->line);
}

static bool fail(struct wire *wire, const char *what, const char *why)
{
    snprintf(wire->trouble, sizeof wire->trouble, "%s: %s", what, why);
    return false;
}

static bool fail_by_context(struct wire *wire, const char *what)
{
    return fail(wire, what, wire->context->errstr);
}

bool wire_open(struct wire *wire, const char *host, int port)
{
    wire->context = redisConnectNonBlock(host, port);
    if (!wire->context)
        return fail(wire, "cannot connect", "out of memory");
    if (wire->context->err) {
        fail_by_context(wire, "cannot connect");
        wire_close(wire);
        return false;
    }
    *wire->functions = *wire->context->reader->fn;
    wire->functions->createArray = refuse_array;
    wire->context->reader->fn = wire->functions;
    fcntl(wire->context->fd, F_SETFD, FD_CLOEXEC);
    redisEnableKeepAlive(wire->context); /* a failure would be noted in the context */
    return true;
}

bool wire_opened(struct wire *wire)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(wire->context->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    char buffer[80];
    return error == 0 || fail(wire, "cannot connect", strerror_r(error, buffer, sizeof buffer));
}

void wire_close(struct wire *wire)
{
    redisFree(wire->context);
    wire->context = NULL;
    wire->unsent = false;
}

int wire_fd(const struct wire *wire)
{
    return wire->context ? wire->context->fd : -1;
}

static struct wire_question *at(const struct wire *wire, uint64_t position)
{
    return &wire->line[position & (wire->capacity - 1)];
}

static void append(struct wire *wire, struct wire_question question)
{
    if (wire->end - wire->first == wire->capacity) {
        struct wire_question *larger = mem_zalloc(2 * wire->capacity, sizeof *larger);
        for (uint64_t i = wire->first; i < wire->end; i++)
            larger[i & (2 * wire->capacity - 1)] = *at(wire, i);
        free(wire->line);
        wire->line = larger;
        wire->capacity *= 2;
    }
    *at(wire, wire->end++) = question;
}

bool wire_ask(struct wire *wire, struct wire_question question, size_t count,
              const char *const *words, const size_t *lengths)
{
    const char *copy[WORDS_MAX]; /* hiredis wants them not quite as const */
    memcpy(copy, words, count * sizeof *words);
    if (redisAppendCommandArgv(wire->context, (int)count, copy, lengths) != REDIS_OK)
        return fail_by_context(wire, "cannot write");
    append(wire, question);
    wire->unsent = true;
    return true;
}

bool wire_flush(struct wire *wire)
{
    int done = 1;
    if (wire->unsent && redisBufferWrite(wire->context, &done) != REDIS_OK)
        return fail_by_context(wire, "the connection is lost");
    wire->unsent = !done;
    return true;
}

bool wire_receive(struct wire *wire)
{
    size_t before = wire->context->reader->len;
    wire->unread = false;
    if (redisBufferRead(wire->context) != REDIS_OK)
        return fail_by_context(wire, "the connection is lost");
    wire->unread = wire->context->reader->len - before == RECEIVE_BYTES;
    return true;
}

static bool to_kind(const redisReply *reply, enum wire_kind *ret_kind)
{
    switch (reply->type) {
    case REDIS_REPLY_STATUS:
        *ret_kind = WIRE_STATUS;
        return true;
    case REDIS_REPLY_ERROR:
        *ret_kind = WIRE_ERROR;
        return true;
    case REDIS_REPLY_STRING:
        *ret_kind = WIRE_TEXT;
        return true;
    case REDIS_REPLY_NIL:
        *ret_kind = WIRE_NIL;
        return true;
    }
    return false; /* numbers and lists, which we never ask for */
}

/** May a question be answered so? Every one may be refused. */
static bool belongs(enum wire_command command, const struct wire_answer *answer, size_t max_bytes)
{
    if (answer->kind == WIRE_ERROR)
        return true;
    switch (command) {
    case WIRE_AUTH:
    case WIRE_SELECT:
    case WIRE_SET:
        return answer->kind == WIRE_STATUS && strcmp(answer->text, "OK") == 0;
    case WIRE_PING:
        return answer->kind == WIRE_STATUS && strcmp(answer->text, "PONG") == 0;
    case WIRE_INFO:
        return answer->kind == WIRE_TEXT;
    case WIRE_GET:
        return answer->kind == WIRE_NIL ||
               (answer->kind == WIRE_TEXT && answer->length <= max_bytes);
    }
    return false;
}

static enum wire_next fault(struct wire *wire, const char *why)
{
    fail(wire, "not the answer of a Redis", why);
    return WIRE_FAULT;
}

enum wire_next wire_next(struct wire *wire, struct wire_question *ret_question,
                         struct wire_answer *ret_answer)
{
    void *made = NULL;
    redisReader *reader = wire->context->reader;
    if (redisGetReplyFromReader(wire->context, &made) != REDIS_OK)
        return fault(wire, reader->err == REDIS_ERR_OOM ? "a list" : reader->errstr);
    if (!made && reader->len - reader->pos > wire->value_max_bytes + UNREAD_SLACK_BYTES)
        return fault(wire, "too long");
    if (!made)
        return WIRE_NOTHING;
    redisReply *reply = made;
    struct wire_answer answer = {.text = reply->str, .length = reply->len, .reply = reply};
    const char *wrong = NULL;
    if (wire->first == wire->end)
        wrong = "nothing was asked";
    else if (!to_kind(reply, &answer.kind) ||
             !belongs(at(wire, wire->first)->command, &answer, wire->value_max_bytes))
        wrong = "it does not belong to the question";
    if (wrong) {
        wire_answer_release(&answer);
        return fault(wire, wrong);
    }
    wire_take(wire, ret_question);
    *ret_answer = answer;
    return WIRE_ANSWERED;
}

void wire_answer_release(struct wire_answer *answer)
{
    freeReplyObject(answer->reply);
    *answer = (struct wire_answer){0};
}

const struct wire_question *wire_oldest(const struct wire *wire)
{
    return wire->first < wire->end ? at(wire, wire->first) : NULL;
}

struct wire_question *wire_oldest_read(struct wire *wire)
{
    if (wire->first_read < wire->first)
        wire->first_read = wire->first;
    for (; wire->first_read < wire->end; wire->first_read++) {
        struct wire_question *question = at(wire, wire->first_read);
        if (question->command == WIRE_GET && question->owner)
            return question;
    }
    return NULL;
}

bool wire_take(struct wire *wire, struct wire_question *ret_question)
{
    if (wire->first == wire->end)
        return false;
    *ret_question = *at(wire, wire->first++);
    return true;
}
