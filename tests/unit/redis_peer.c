#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "redis_peer.h"

static bool hear_byte(int fd, char *ret_byte)
{
    return recv(fd, ret_byte, 1, 0) == 1;
}

/** "*3\r\n", "$7\r\n" */
static bool hear_number(int fd, char type, size_t *ret_number)
{
    char line[24];
    size_t length = 0;
    do {
        if (length == sizeof line - 1 || !hear_byte(fd, &line[length]))
            return false;
    } while (line[length++] != '\n');
    line[length] = '\0';
    *ret_number = strtoul(line + 1, NULL, 10);
    return line[0] == type;
}

static bool hear_word(int fd, char word[PEER_WORD_SIZE])
{
    size_t length;
    if (!hear_number(fd, '$', &length))
        return false;
    memset(word, 0, PEER_WORD_SIZE);
    for (size_t left = length + 2; left > 0;) { /* with its "\r\n" */
        char piece[4096];
        ssize_t got = recv(fd, piece, left < sizeof piece ? left : sizeof piece, 0);
        if (got <= 0)
            return false;
        size_t at = length + 2 - left;
        for (size_t i = 0; i < (size_t)got && at + i < length && at + i < PEER_WORD_SIZE - 1; i++)
            word[at + i] = piece[i];
        left -= (size_t)got;
    }
    return true;
}

bool peer_hear(int fd, struct peer_command *ret_command)
{
    if (!hear_number(fd, '*', &ret_command->count) || ret_command->count > PEER_WORDS_MAX)
        return false;
    for (size_t i = 0; i < ret_command->count; i++)
        if (!hear_word(fd, ret_command->words[i]))
            return false;
    return true;
}

bool peer_hear_in_earnest(int fd, struct peer_command *ret_command)
{
    while (peer_hear(fd, ret_command)) {
        if (strcmp(ret_command->words[0], "PING") != 0)
            return true;
        peer_say(fd, "+PONG\r\n");
    }
    return false;
}

void peer_say_bytes(int fd, const void *bytes, size_t length)
{
    for (const char *at = bytes; length > 0;) {
        ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        at += sent;
        length -= (size_t)sent;
    }
}

void peer_say(int fd, const char *text)
{
    peer_say_bytes(fd, text, strlen(text));
}

static void *take_connections(void *context)
{
    struct redis_peer *peer = context;
    int fd;
    while (!atomic_load(&peer->stopping) && (fd = accept(peer->listener, NULL, NULL)) >= 0) {
        atomic_fetch_add(&peer->connections, 1);
        atomic_store(&peer->fd, fd);
        if (!atomic_load(&peer->stopping))
            peer->serve(peer, fd);
        atomic_store(&peer->fd, -1);
        close(fd);
    }
    return NULL;
}

void redis_peer_start(struct redis_peer *peer, void (*serve)(struct redis_peer *peer, int fd),
                      void *context)
{
    *peer = (struct redis_peer){.serve = serve, .context = context, .fd = -1};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(listen(peer->listener, 16), 0);
    peer->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&peer->thread, NULL, take_connections, peer), 0);
}

void redis_peer_stop(struct redis_peer *peer)
{
    atomic_store(&peer->stopping, true);
    shutdown(peer->listener, SHUT_RDWR);
    int fd = atomic_load(&peer->fd);
    if (fd >= 0)
        shutdown(fd, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->listener);
}

void peer_hear_all(int fd)
{
    struct peer_command command;
    while (peer_hear(fd, &command))
        ;
}

int peer_setup(void **state)
{
    *state = mem_zalloc(1, sizeof(struct peer_fixture));
    return 0;
}

int peer_teardown(void **state)
{
    peer_end(*state);
    free(*state);
    return 0;
}

struct redis_settings peer_serve(struct peer_fixture *fixture,
                                 void (*serve)(struct redis_peer *peer, int fd))
{
    redis_peer_start(&fixture->peer, serve, fixture);
    return test_redis_settings(fixture->peer.port);
}

void peer_connect(struct peer_fixture *fixture, const struct redis_settings *settings)
{
    fixture->redis = test_redis_start(settings);
    test_wait_for_state(fixture->redis, BREAKER_CLOSED);
}

void peer_end(struct peer_fixture *fixture)
{
    redis_stop(fixture->redis);
    fixture->redis = NULL;
    if (fixture->peer.serve)
        redis_peer_stop(&fixture->peer);
    fixture->peer.serve = NULL;
}

struct redis_statistics peer_statistics(struct peer_fixture *fixture)
{
    return test_statistics(fixture->redis);
}
