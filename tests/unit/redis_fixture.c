#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "redis_fixture.h"

enum { OPTIONS_MAX = 32, STARTS_MAX = 5 };

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int test_free_port(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/** The first line that it answers; false if there is none. */
static bool ask(int port, const char *command, char *answer, size_t size)
{
    struct sockaddr_in address = loopback(port);
    struct timeval limit = {.tv_sec = PATIENCE_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    size_t length = 0;
    answer[0] = '\0';
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        char line[256];
        int line_length = snprintf(line, sizeof line, "%s\r\n", command);
        send(fd, line, (size_t)line_length, MSG_NOSIGNAL);
        ssize_t got;
        while (length < size - 1 && !strchr(answer, '\n') &&
               (got = recv(fd, answer + length, size - 1 - length, 0)) > 0) {
            length += (size_t)got;
            answer[length] = '\0';
        }
    }
    close(fd);
    answer[strcspn(answer, "\r\n")] = '\0';
    return length > 0;
}

static _Noreturn void become_server(const struct redis_server *server, pid_t parent)
{
    char port[12];
    snprintf(port, sizeof port, "%d", server->port);
    const char *words[OPTIONS_MAX] = {
        "redis-server", "--port",      port, "--bind",       "127.0.0.1", "--dir",
        server->folder, "--save",      "",   "--appendonly", "no",        "--logfile",
        "log",          "--daemonize", "no"};
    size_t count = 0;
    while (words[count])
        count++;
    for (const char *const *option = server->options; option && *option; option++)
        words[count++] = *option;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent)
        execvp(words[0], (char *const *)words);
    _exit(127);
}

/** False if it ended, as it does when somebody else took the port meanwhile. */
static bool run_server(struct redis_server *server)
{
    pid_t us = getpid();
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0)
        become_server(server, us);
    int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
    char answer[80];
    while (!ask(server->port, "PING", answer, sizeof answer)) {
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid) {
            server->pid = 0;
            return false;
        }
        assert_true(clock_monotonic_ms() < deadline_ms);
        poll(NULL, 0, 1);
    }
    return true;
}

void redis_server_start(struct redis_server *server, const char *const *options)
{
    *server = (struct redis_server){.options = options, .folder = "/tmp/openrisk-redis-XXXXXX"};
    assert_non_null(mkdtemp(server->folder));
    for (int i = 0; i < STARTS_MAX; i++) {
        server->port = test_free_port();
        if (run_server(server))
            return;
    }
    fail_msg("redis-server does not start; see %s/log", server->folder);
}

void redis_server_kill(struct redis_server *server)
{
    if (server->pid == 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void redis_server_restart(struct redis_server *server)
{
    redis_server_kill(server);
    assert_true(run_server(server));
}

void redis_server_signal(struct redis_server *server, int number)
{
    assert_int_equal(kill(server->pid, number), 0);
}

void redis_server_stop(struct redis_server *server)
{
    redis_server_kill(server);
    DIR *folder = opendir(server->folder);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
    rmdir(server->folder);
}

void redis_server_ask(struct redis_server *server, const char *command, char *answer, size_t size)
{
    if (!ask(server->port, command, answer, size))
        fail_msg("redis-server does not answer %s", command);
}

void redis_server_tell(struct redis_server *server, const char *command)
{
    char answer[120];
    redis_server_ask(server, command, answer, sizeof answer);
    assert_string_equal(answer, "+OK");
}

struct redis_settings test_redis_settings(int port)
{
    struct redis_settings settings = redis_usual();
    settings.address.host = "127.0.0.1";
    settings.address.port = port;
    settings.limit_ms = PATIENCE_MS;
    settings.connect_limit_ms = PATIENCE_MS;
    return settings;
}

struct redis *test_redis_start(const struct redis_settings *settings)
{
    struct redis *redis;
    struct err err;
    assert_int_equal(redis_start(settings, &redis, &err), OK);
    return redis;
}

struct redis_statistics test_statistics(struct redis *redis)
{
    struct redis_statistics statistics;
    redis_statistics(redis, &statistics);
    return statistics;
}

void test_wait(bool (*is_so)(void *context), void *context, const char *words)
{
    int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (!is_so(context)) {
        if (clock_monotonic_ms() > deadline_ms)
            fail_msg("does not come: %s", words);
        poll(NULL, 0, 1);
    }
}

struct wanted {
    struct redis *redis;
    enum breaker_state state;
};

static bool is_in_state(void *context)
{
    struct wanted *wanted = context;
    return test_statistics(wanted->redis).state == wanted->state;
}

void test_wait_for_state(struct redis *redis, enum breaker_state state)
{
    struct wanted wanted = {redis, state};
    test_wait(is_in_state, &wanted, breaker_state_names[state]);
}

int redis_fixture_setup(void **state)
{
    *state = mem_zalloc(1, sizeof(struct redis_fixture));
    return 0;
}

int redis_fixture_teardown(void **state)
{
    struct redis_fixture *fixture = *state;
    redis_stop(fixture->redis);
    redis_server_stop(&fixture->server);
    free(fixture);
    return 0;
}

void redis_fixture_start(struct redis_fixture *fixture, unsigned limit_ms)
{
    redis_server_start(&fixture->server, NULL);
    struct redis_settings settings = test_redis_settings(fixture->server.port);
    if (limit_ms)
        settings.limit_ms = limit_ms;
    fixture->redis = test_redis_start(&settings);
    test_wait_for_state(fixture->redis, BREAKER_CLOSED);
}

static void answered(struct redis_read *base, enum redis_result result, const char *value,
                     size_t length)
{
    struct test_read *read = (struct test_read *)base;
    read->result = result;
    read->length = length;
    size_t kept = length < TEST_VALUE_SIZE - 1 ? length : TEST_VALUE_SIZE - 1;
    if (value)
        memcpy(read->value, value, kept);
    read->value[value ? kept : 0] = '\0';
    read->answered_ms = clock_monotonic_ms();
    atomic_fetch_add(&read->answers, 1);
}

bool test_get(struct redis *redis, struct test_read *read, const char *key)
{
    *read = (struct test_read){.read.answered = answered};
    snprintf(read->key, sizeof read->key, "%s", key);
    read->read.key = read->key;
    read->read.key_length = strlen(read->key);
    return redis_get(redis, &read->read);
}

static bool is_answered(void *context)
{
    struct test_read *read = context;
    return atomic_load(&read->answers) > 0;
}

void test_wait_for_answer(struct test_read *read)
{
    test_wait(is_answered, read, "an answer");
}

enum redis_result test_get_now(struct redis *redis, struct test_read *read, const char *key)
{
    assert_true(test_get(redis, read, key));
    test_wait_for_answer(read);
    return read->result;
}

static int64_t pack(struct redis_write *base, struct buf *key, struct buf *value)
{
    struct test_write *write = (struct test_write *)base;
    atomic_fetch_add(&write->packed, 1);
    buf_puts(key, write->key);
    buf_put(value, write->value, write->length);
    return write->kept_ms;
}

static void done(struct redis_write *base)
{
    atomic_fetch_add(&((struct test_write *)base)->done, 1);
}

void test_write_init(struct test_write *write, const char *key, const char *value, size_t length)
{
    *write = (struct test_write){.write = {.bytes = length, .pack = pack, .done = done},
                                 .value = value,
                                 .length = length,
                                 .kept_ms = 60000};
    snprintf(write->key, sizeof write->key, "%s", key);
}

bool test_set(struct redis *redis, struct test_write *write, const char *key, const char *value,
              size_t length)
{
    test_write_init(write, key, value, length);
    return redis_set(redis, &write->write);
}

static bool is_done(void *context)
{
    struct test_write *write = context;
    return atomic_load(&write->done) > 0;
}

void test_wait_until_done(struct test_write *write)
{
    test_wait(is_done, write, "the end of a write");
}

void test_set_now(struct redis *redis, const char *key, const char *value)
{
    struct test_write write;
    assert_true(test_set(redis, &write, key, value, strlen(value)));
    test_wait_until_done(&write);
}
