/*
 * The thread of the connection to Redis; see the essay at the head of redis.c.
 */
#include "cache/redis_internal.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "metrics/metrics.h"

enum {
    WIRE_WRITES_BYTES = 1024 * 1024,
    TURN_BYTES = 128 * 1024,
    TURN_RECEIVES = 16,
    SILENCE_MS = 1000, /* or twice the limit of reads, if that is longer */
};

/** The log is told when it closes and when it opens, not of every try in between. */
static void note_state(struct redis *redis, enum breaker_state before, const char *reason)
{
    enum breaker_state state = redis->breaker.state;
    bool closed = state == BREAKER_CLOSED;
    bool tries = state == BREAKER_HALF_OPEN || (redis->is_told_open && !closed);
    pthread_mutex_lock(&redis->lock);
    redis->statistics.state = state;
    redis->statistics.since_ms = clock_monotonic_ms();
    redis->statistics.opened += state == BREAKER_OPEN;
    if (closed)
        redis->statistics.trouble[0] = '\0';
    pthread_mutex_unlock(&redis->lock);
    redis->is_told_open = !closed && (redis->is_told_open || state == BREAKER_OPEN);
    log_event(closed  ? LOG_INFO
              : tries ? LOG_DEBUG
                      : LOG_WARN,
              "redis_breaker", LOG_TEXT("from", breaker_state_names[before]),
              LOG_TEXT("to", breaker_state_names[state]), LOG_TEXT("reason", reason));
}

/** The words may be the other side's: they go into logs and answers as plain ASCII. */
static void count_failure(struct redis *redis, const char *words)
{
    char reason[sizeof redis->statistics.trouble] = {0};
    snprintf(reason, sizeof reason, "%s", words);
    for (char *c = reason; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    pthread_mutex_lock(&redis->lock);
    memcpy(redis->statistics.trouble, reason, sizeof reason);
    pthread_mutex_unlock(&redis->lock);
    enum breaker_state before = redis->breaker.state;
    if (breaker_failed(&redis->breaker, clock_monotonic_ms()))
        note_state(redis, before, reason);
}

static void answer_read(struct redis *redis, struct redis_read *read, enum redis_result result,
                        uint64_t *counter, const struct wire_answer *answer)
{
    pthread_mutex_lock(&redis->lock);
    ++*counter;
    redis->statistics.reading--;
    pthread_mutex_unlock(&redis->lock);
    read->answered(read, result, answer ? answer->text : NULL, answer ? answer->length : 0);
}

/** `counter` NULL: it was not worth writing. */
static void finish_write(struct redis *redis, struct redis_write *write, uint64_t *counter)
{
    pthread_mutex_lock(&redis->lock);
    if (counter)
        ++*counter;
    redis->statistics.writing--;
    redis->statistics.writing_bytes -= write->bytes;
    pthread_mutex_unlock(&redis->lock);
    write->done(write);
}

/** With the lock held. */
static struct redis_read *take_reads(struct redis *redis)
{
    struct redis_read *reads = redis->reads;
    redis->reads = NULL;
    redis->reads_end = &redis->reads;
    return reads;
}

static struct redis_write *take_writes(struct redis *redis)
{
    struct redis_write *writes = redis->writes;
    redis->writes = NULL;
    redis->writes_end = &redis->writes;
    return writes;
}

/** −1: it is not known. */
static void note_memory(struct redis *redis, int64_t used_bytes, int64_t max_bytes)
{
    pthread_mutex_lock(&redis->lock);
    redis->statistics.used_bytes = used_bytes;
    redis->statistics.max_bytes = max_bytes;
    pthread_mutex_unlock(&redis->lock);
}

/** Closes the connection. All that is under way or queued has failed. */
static void drop_connection(struct redis *redis)
{
    struct redis_statistics *statistics = &redis->statistics;
    pthread_mutex_lock(&redis->lock);
    atomic_store(&redis->takes, false);
    struct redis_read *reads = take_reads(redis);
    struct redis_write *writes = take_writes(redis);
    redis->late = 0;
    pthread_mutex_unlock(&redis->lock);
    wire_close(&redis->wire);
    redis->phase = AWAY;
    redis->wire_bytes = 0;
    redis->has_more = false;
    note_memory(redis, -1, -1);
    struct wire_question question;
    while (wire_take(&redis->wire, &question)) {
        if (question.command == WIRE_GET && question.owner)
            answer_read(redis, question.owner, REDIS_FAILED, &statistics->get_errors, NULL);
        else if (question.command == WIRE_SET)
            finish_write(redis, question.owner, &statistics->set_errors);
    }
    for (struct redis_read *next; reads; reads = next) {
        next = reads->next;
        answer_read(redis, reads, REDIS_FAILED, &statistics->get_errors, NULL);
    }
    for (struct redis_write *next; writes; writes = next) {
        next = writes->next;
        finish_write(redis, writes, &statistics->set_errors);
    }
}

static void lose(struct redis *redis, const char *format, ...) PRINTF(2, 3);
static void lose(struct redis *redis, const char *format, ...)
{
    char reason[WIRE_TROUBLE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    if (redis->phase != READY) {
        pthread_mutex_lock(&redis->lock);
        redis->statistics.connect_errors++;
        pthread_mutex_unlock(&redis->lock);
    }
    count_failure(redis, reason); /* first, so that what is seen by those who are told is new */
    drop_connection(redis);
}

/**
 * A read has failed, but not the connection; unless it was one too many. `reason` NULL: the breaker
 * knows.
 */
static void fail_read(struct redis *redis, struct redis_read *read, uint64_t *counter,
                      const char *reason)
{
    if (reason)
        count_failure(redis, reason);
    answer_read(redis, read, REDIS_FAILED, counter, NULL);
    if (redis->breaker.state == BREAKER_OPEN)
        drop_connection(redis);
}

static bool ask_words(struct redis *redis, enum wire_command command, size_t count,
                      const char *const *words)
{
    size_t lengths[3];
    for (size_t i = 0; i < count; i++)
        lengths[i] = strlen(words[i]);
    struct wire_question question = {.command = command, .sent_us = clock_monotonic_us()};
    return wire_ask(&redis->wire, question, count, words, lengths);
}

static void probe(struct redis *redis)
{
    redis->phase = PROBING;
    redis->due_ms = clock_monotonic_ms() + redis->settings.limit_ms;
    if (!ask_words(redis, WIRE_PING, 1, (const char *const[]){"PING"}))
        lose(redis, "%s", redis->wire.trouble);
}

static void greet(struct redis *redis)
{
    const struct redis_address *address = &redis->settings.address;
    redis->phase = GREETING;
    bool asked = true;
    if (address->password && address->user)
        asked = ask_words(redis, WIRE_AUTH, 3,
                          (const char *const[]){"AUTH", address->user, address->password});
    else if (address->password)
        asked = ask_words(redis, WIRE_AUTH, 2, (const char *const[]){"AUTH", address->password});
    char number[12];
    snprintf(number, sizeof number, "%d", address->database);
    if (asked && address->database != 0)
        asked = ask_words(redis, WIRE_SELECT, 2, (const char *const[]){"SELECT", number});
    if (!asked)
        lose(redis, "%s", redis->wire.trouble);
    else if (!wire_oldest(&redis->wire))
        probe(redis);
}

static void connect_to_redis(struct redis *redis)
{
    const struct redis_address *address = &redis->settings.address;
    redis->phase = CONNECTING;
    if (!wire_open(&redis->wire, address->host, address->port))
        lose(redis, "%s", redis->wire.trouble);
    redis->due_ms = clock_monotonic_ms() + redis->settings.connect_limit_ms;
}

/** First it takes, then it says so: who sees that the breaker is closed is not refused. */
static void let_in(struct redis *redis)
{
    redis->phase = READY;
    redis->ready_ms = redis->memory_due_ms = clock_monotonic_ms();
    pthread_mutex_lock(&redis->lock);
    redis->statistics.connects++;
    atomic_store(&redis->takes, true);
    pthread_mutex_unlock(&redis->lock);
    enum breaker_state before = redis->breaker.state;
    if (before == BREAKER_HALF_OPEN && breaker_succeeded(&redis->breaker))
        note_state(redis, before, "Redis answers");
}

/** An unknown command is repeated with its arguments, which are a password: only the first word of
 * the answer, unless it is one that says why and no more. */
static void refuse_password(struct redis *redis, const char *text)
{
    bool is_harmless = strncmp(text, "WRONGPASS ", 10) == 0 || strncmp(text, "ERR AUTH ", 9) == 0;
    int length = is_harmless ? (int)strlen(text) : (int)strcspn(text, " ");
    lose(redis, "Redis refused the password or user (%.*s)", length, text);
}

static void go_on_with_greeting(struct redis *redis, enum wire_command command,
                                const struct wire_answer *answer)
{
    if (answer->kind != WIRE_ERROR) {
        if (redis->phase == PROBING)
            let_in(redis);
        else if (!wire_oldest(&redis->wire))
            probe(redis);
    } else if (command == WIRE_AUTH)
        refuse_password(redis, answer->text);
    else if (command == WIRE_SELECT)
        lose(redis, "Redis refused the database %d (%s)", redis->settings.address.database,
             answer->text);
    else if (strncmp(answer->text, "NOAUTH", 6) == 0)
        lose(redis, "Redis wants a password (%s)", answer->text);
    else
        lose(redis, "Redis answered the probe with an error (%s)", answer->text);
}

static void send_reads(struct redis *redis)
{
    pthread_mutex_lock(&redis->lock);
    struct redis_read *reads = take_reads(redis);
    pthread_mutex_unlock(&redis->lock);
    bool works = true;
    for (struct redis_read *next; reads; reads = next) {
        next = reads->next;
        const char *const words[] = {"GET", reads->key};
        const size_t lengths[] = {3, reads->key_length};
        struct wire_question question = {
            .command = WIRE_GET, .owner = reads, .sent_us = clock_monotonic_us()};
        works = works && wire_ask(&redis->wire, question, COUNT_OF(words), words, lengths);
        if (!works)
            answer_read(redis, reads, REDIS_FAILED, &redis->statistics.get_errors, NULL);
    }
    if (!works)
        lose(redis, "%s", redis->wire.trouble);
}

/** NULL: there is none, or a read came in between. */
static struct redis_write *next_write(struct redis *redis)
{
    pthread_mutex_lock(&redis->lock);
    struct redis_write *write = redis->reads ? NULL : redis->writes;
    if (write) {
        redis->writes = write->next;
        if (!redis->writes)
            redis->writes_end = &redis->writes;
    }
    redis->has_more = redis->writes != NULL;
    pthread_mutex_unlock(&redis->lock);
    return write;
}

static void send_write(struct redis *redis, struct redis_write *write)
{
    buf_clear(&redis->key);
    buf_clear(&redis->value);
    int64_t kept_ms = write->pack(write, &redis->key, &redis->value);
    if (kept_ms <= 0 || redis->key.overflow || redis->value.overflow) {
        finish_write(redis, write, kept_ms <= 0 ? NULL : &redis->statistics.dropped);
        return;
    }
    char number[24];
    snprintf(number, sizeof number, "%" PRId64, kept_ms);
    const char *const words[] = {"SET", redis->key.data, redis->value.data, "PX", number};
    const size_t lengths[] = {3, redis->key.length, redis->value.length, 2, strlen(number)};
    struct wire_question question = {.command = WIRE_SET,
                                     .owner = write,
                                     .bytes = redis->key.length + redis->value.length,
                                     .sent_us = clock_monotonic_us()};
    redis->wire_bytes += question.bytes;
    if (wire_ask(&redis->wire, question, COUNT_OF(words), words, lengths))
        return;
    finish_write(redis, write, &redis->statistics.set_errors);
    lose(redis, "%s", redis->wire.trouble);
}

static void send_writes(struct redis *redis)
{
    size_t turn = redis->wire_bytes + TURN_BYTES;
    size_t until = turn < WIRE_WRITES_BYTES ? turn : WIRE_WRITES_BYTES;
    struct redis_write *write;
    redis->has_more = false;
    while (redis->phase == READY && redis->wire_bytes < until && (write = next_write(redis)))
        send_write(redis, write);
    if (redis->wire_bytes >= WIRE_WRITES_BYTES)
        redis->has_more = false; /* not at once, but when one is answered */
}

/** What Redis says of its memory is for metrics alone, so whether it says it is no matter. */
static void ask_memory(struct redis *redis, int64_t now_ms)
{
    if (redis->phase != READY || redis->settings.memory_each_ms == 0 ||
        now_ms < redis->memory_due_ms)
        return;
    redis->memory_due_ms = now_ms + redis->settings.memory_each_ms;
    if (!ask_words(redis, WIRE_INFO, 2, (const char *const[]){"INFO", "memory"}))
        lose(redis, "%s", redis->wire.trouble);
}

/** The number after `name`, which stands at the beginning of a line; −1 if there is none. */
static int64_t number_in(const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0 && line[length] == ':')
            return strtoll(line + length + 1, NULL, 10);
    }
    return -1;
}

/** Who may not ask (an ACL) does not ask again until the next connection. */
static void take_memory_answer(struct redis *redis, const struct wire_answer *answer)
{
    if (answer->kind == WIRE_TEXT)
        note_memory(redis, number_in(answer->text, "used_memory"),
                    number_in(answer->text, "maxmemory"));
    else
        redis->memory_due_ms = INT64_MAX;
}

static void take_read_answer(struct redis *redis, struct redis_read *read,
                             const struct wire_answer *answer)
{
    struct redis_statistics *statistics = &redis->statistics;
    if (!read) {
        pthread_mutex_lock(&redis->lock);
        redis->late--;
        pthread_mutex_unlock(&redis->lock);
    } else if (answer->kind == WIRE_ERROR) {
        char reason[WIRE_TROUBLE_SIZE];
        snprintf(reason, sizeof reason, "Redis answered a read with an error (%s)", answer->text);
        fail_read(redis, read, &statistics->get_errors, reason);
    } else {
        breaker_succeeded(&redis->breaker);
        if (answer->kind == WIRE_TEXT)
            answer_read(redis, read, REDIS_FOUND, &statistics->found, answer);
        else
            answer_read(redis, read, REDIS_ABSENT, &statistics->absent, NULL);
    }
}

static void take_answer(struct redis *redis, const struct wire_question *question,
                        const struct wire_answer *answer)
{
    struct redis_statistics *statistics = &redis->statistics;
    switch (question->command) {
    case WIRE_AUTH:
    case WIRE_SELECT:
    case WIRE_PING:
        go_on_with_greeting(redis, question->command, answer);
        break;
    case WIRE_INFO:
        take_memory_answer(redis, answer);
        break;
    case WIRE_GET:
        metrics_observe(METRIC_COMMAND_SECONDS, REDIS_GET, 0,
                        clock_monotonic_us() - question->sent_us);
        take_read_answer(redis, question->owner, answer);
        break;
    case WIRE_SET:
        metrics_observe(METRIC_COMMAND_SECONDS, REDIS_SET, 0,
                        clock_monotonic_us() - question->sent_us);
        redis->wire_bytes -= question->bytes;
        finish_write(redis, question->owner,
                     answer->kind == WIRE_ERROR ? &statistics->set_errors : &statistics->sets);
        break;
    }
}

static void take_answers(struct redis *redis)
{
    struct wire_question question;
    struct wire_answer answer;
    while (redis->phase != AWAY) {
        switch (wire_next(&redis->wire, &question, &answer)) {
        case WIRE_NOTHING:
            return;
        case WIRE_FAULT:
            lose(redis, "%s", redis->wire.trouble);
            return;
        case WIRE_ANSWERED:
            take_answer(redis, &question, &answer);
            wire_answer_release(&answer);
            break;
        }
    }
}

static int64_t silence_ms(const struct redis *redis)
{
    int64_t twice = 2 * (int64_t)redis->settings.limit_ms;
    return twice > SILENCE_MS ? twice : SILENCE_MS;
}

static void give_up_reads(struct redis *redis, int64_t now_ms)
{
    char reason[WIRE_TROUBLE_SIZE];
    snprintf(reason, sizeof reason, "no answer to a read within %u ms", redis->settings.limit_ms);
    struct wire_question *question;
    while (redis->phase == READY && (question = wire_oldest_read(&redis->wire))) {
        struct redis_read *read = question->owner;
        if (read->deadline_ms > now_ms)
            return;
        question->owner = NULL;
        pthread_mutex_lock(&redis->lock);
        redis->late++;
        pthread_mutex_unlock(&redis->lock);
        /* However many wait when it stalls, that is one failure. */
        bool is_counted = read->deadline_ms - redis->settings.limit_ms < redis->stalled_ms;
        if (!is_counted)
            redis->stalled_ms = now_ms;
        fail_read(redis, read, &redis->statistics.get_timeouts, is_counted ? NULL : reason);
    }
}

static void watch_time(struct redis *redis, int64_t now_ms)
{
    const struct redis_settings *settings = &redis->settings;
    switch (redis->phase) {
    case AWAY:
        break;
    case CONNECTING:
        if (now_ms >= redis->due_ms)
            lose(redis, "no connection within %u ms", settings->connect_limit_ms);
        break;
    case GREETING:
        if (now_ms >= redis->due_ms)
            lose(redis, "not let in within %u ms", settings->connect_limit_ms);
        break;
    case PROBING:
        if (now_ms >= redis->due_ms)
            lose(redis, "no answer to the probe within %u ms", settings->limit_ms);
        break;
    case READY:
        give_up_reads(redis, now_ms);
        const struct wire_question *oldest = wire_oldest(&redis->wire);
        if (oldest && now_ms >= oldest->sent_us / 1000 + silence_ms(redis))
            lose(redis, "no answer for %" PRId64 " ms", silence_ms(redis));
        break;
    }
}

static int64_t sooner(int64_t a_ms, int64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

/** When there is something to do though nothing happens; −1: never. */
static int64_t next_ms(struct redis *redis, int64_t now_ms)
{
    switch (redis->phase) {
    case AWAY:
        return redis->breaker.state == BREAKER_OPEN ? redis->breaker.due_ms : now_ms;
    case CONNECTING:
    case GREETING:
    case PROBING:
        return redis->due_ms;
    case READY:
        break;
    }
    if (redis->has_more)
        return now_ms;
    int64_t due_ms = redis->settings.memory_each_ms > 0 ? redis->memory_due_ms : INT64_MAX;
    const struct wire_question *oldest = wire_oldest(&redis->wire);
    if (oldest)
        due_ms = sooner(due_ms, oldest->sent_us / 1000 + silence_ms(redis));
    const struct wire_question *question = wire_oldest_read(&redis->wire);
    const struct redis_read *read = question ? question->owner : NULL;
    if (read)
        due_ms = sooner(due_ms, read->deadline_ms);
    return due_ms == INT64_MAX ? -1 : due_ms;
}

static void read_connection(struct redis *redis)
{
    for (unsigned i = 0; i < TURN_RECEIVES && wire_receive(&redis->wire); i++) {
        take_answers(redis);
        if (redis->phase == AWAY || !redis->wire.unread)
            return;
    }
    if (redis->wire.unread)
        return;
    int64_t stood_ms = clock_monotonic_ms() - redis->ready_ms;
    if (redis->phase == READY && !wire_oldest(&redis->wire) &&
        stood_ms >= redis->settings.breaker.open_max_ms)
        drop_connection(redis);
    else
        lose(redis, "%s", redis->wire.trouble);
}

/** All that can be done now. False when it is to stop. */
static bool take_turn(struct redis *redis)
{
    int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&redis->lock);
    bool goes_on = !redis->stopping;
    redis->woken = false;
    pthread_mutex_unlock(&redis->lock);
    watch_time(redis, now_ms);
    if (breaker_try(&redis->breaker, now_ms))
        note_state(redis, BREAKER_OPEN, "time for a probe");
    if (goes_on && redis->phase == AWAY && redis->breaker.state != BREAKER_OPEN)
        connect_to_redis(redis);
    if (redis->phase == READY) {
        send_reads(redis);
        send_writes(redis);
        ask_memory(redis, now_ms);
    }
    if (redis->phase != AWAY && redis->phase != CONNECTING && !wire_flush(&redis->wire))
        lose(redis, "%s", redis->wire.trouble);
    return goes_on;
}

/** Until there is something to do; and takes what has come. */
static void wait_for_more(struct redis *redis)
{
    int64_t now_ms = clock_monotonic_ms(), next = next_ms(redis, now_ms);
    int timeout_ms = next < 0 ? -1 : next > now_ms ? (int)(next - now_ms) : 0;
    bool connecting = redis->phase == CONNECTING;
    short wanted = connecting ? POLLOUT : redis->wire.unsent ? POLLIN | POLLOUT : POLLIN;
    struct pollfd ends[] = {{.fd = redis->bell, .events = POLLIN},
                            {.fd = wire_fd(&redis->wire), .events = wanted}};
    if (poll(ends, COUNT_OF(ends), timeout_ms) <= 0)
        return;
    uint64_t rings;
    if (ends[0].revents && read(redis->bell, &rings, sizeof rings) < 0)
        return; /* it does not wait, and that it was rung is all that it says */
    if (connecting && ends[1].revents) {
        if (wire_opened(&redis->wire))
            greet(redis);
        else
            lose(redis, "%s", redis->wire.trouble);
    } else if (ends[1].revents & ~POLLOUT)
        read_connection(redis);
}

void *redis_thread_run(void *context)
{
    struct redis *redis = context;
    sigset_t all; /* also SIGPIPE, by which hiredis would end the process */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    while (take_turn(redis))
        wait_for_more(redis);
    drop_connection(redis);
    return NULL;
}
