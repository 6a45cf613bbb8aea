/*
 * Sends requests at a fixed rate, whatever the server does, and measures how long each answer took.
 * script/bench uses it for latency below full load.
 *
 *   pace [-o FILE] PORT PATH RATE WARM_UP_S SECONDS ["NAME: VALUE" …]     to 127.0.0.1
 *   pace -c CLIENTS [-n COUNT] …                                          the same in a closed loop
 *
 * PATH may be `@FILE`, with a path in each line: they are asked for one after the other, and then
 * from the first again.
 *
 * Requests fall due at random moments, RATE of them a second on average: as from many people who do
 * not know of each other (a Poisson process, the same one in every run). An answer's time runs from
 * the moment its request was due, so that a server that falls behind cannot hide it by making
 * its clients wait before they ask.
 *
 * -c: so many clients instead, each of which asks again as soon as it has its answer; RATE does not
 * count then. -n: it ends after so many requests, or after SECONDS if that is sooner.
 *
 * wrk always sends as fast as it can, and h2load meets its rate only on average: its timers tick
 * each 10 ms, then all its clients send what has fallen due at full speed, and rest. We spin
 * instead of waiting for a timer, so we need a processor of our own. And wrk adds times that it
 * has not measured, for requests that it believes were kept back; we tell only what we have seen.
 *
 * Prints one line of JSON: `mean_us`, `p50_us`, `p95_us` and `p99_us` from due to answered, and
 * `own_p99_us`, the part of it from due to sent while a connection was free: that much we have been
 * late ourselves.
 * `starved`: so many requests were due while no connection was free, so all their answers were
 * late. If that were all of them, `own_p99_us` is 0.
 *
 * -o: a line for each answer, `DUE_US LINE LATENCY_US DELAY_US LEVEL`: when it was due (monotonic
 * clock), the line of its path from 0, how long it took, how late we were ourselves (-1 if no
 * connection was free), and who gave it: 1 the memory, 2 the second level, 0 neither.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS = 64,
    REQUEST_BYTES_MAX = 4096,
    PATH_BYTES_MAX = 1024,
    READ_BYTES = 64 * 1024,
    /* As nobody knows how many requests a closed loop makes, there is room for so many a second. */
    CLOSED_RATE_MAX = 300 * 1000,
    /* So long after the last request was due, one that is not answered has failed. */
    PATIENCE_S = 5,
};

static const int64_t NS = 1000000000;

struct connection {
    int socket;
    int64_t due_ns, delay_ns;
    size_t line; /* of its path */
    size_t left; /* Bytes of the answer still to come; 0 before its head. */
    int level;
};

struct record {
    int64_t due_ns, ns, delay_ns;
    size_t line;
    int level;
};

struct times {
    uint32_t *ns;
    size_t count, room;
};

struct pace {
    struct connection connections[CONNECTIONS];
    struct connection *idle[CONNECTIONS]; /* A ring, so that all of them take turns. */
    unsigned idle_first, idle_count, connection_count;
    int epoll;
    char **paths;
    size_t path_count, path_at;
    char headers[REQUEST_BYTES_MAX]; /* what follows the path */
    size_t headers_length;
    bool closed; /* The loop, see -c. */
    size_t left; /* Requests that may still be sent. */
    double gap_ns;
    uint64_t random;
    int64_t next_ns, measured_from_ns, end_ns;
    bool starved; /* Behind, because a request was due while no connection was free. */
    size_t starvations;
    struct times answers, delays;
    struct record *records; /* NULL, or as many as `answers` has room for */
};

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "pace: %s\n", what);
        exit(1);
    }
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS + now.tv_nsec;
}

static void times_init(struct times *times, double room)
{
    times->room = (size_t)room;
    times->ns = malloc(times->room * sizeof *times->ns);
    require(times->ns, "no memory for the times");
    /* Touch it now: a page fault while measuring would be measured. */
    memset(times->ns, 1, times->room * sizeof *times->ns);
}

static void times_add(struct times *times, int64_t ns)
{
    require(times->count < times->room, "more requests than were asked for");
    times->ns[times->count++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

/** An answer that has come. */
static void note(struct pace *pace, const struct connection *connection, int64_t ns)
{
    if (pace->records)
        pace->records[pace->answers.count] = (struct record){
            .due_ns = connection->due_ns,
            .ns = ns,
            .delay_ns = connection->delay_ns,
            .line = connection->line,
            .level = connection->level,
        };
    times_add(&pace->answers, ns);
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

/** Sorts. */
static double quantile_us(struct times *times, double share)
{
    require(times->count > 0, "no request was measured");
    qsort(times->ns, times->count, sizeof *times->ns, compare);
    return times->ns[(size_t)((double)times->count * share)] / 1e3;
}

static double mean_us(const struct times *times)
{
    double sum = 0;
    for (size_t i = 0; i < times->count; i++)
        sum += times->ns[i];
    return sum / (double)times->count / 1e3;
}

/** Exponentially distributed gaps make a Poisson process; the numbers are xorshift64*'s. */
static int64_t gap_ns(struct pace *pace)
{
    pace->random ^= pace->random >> 12;
    pace->random ^= pace->random << 25;
    pace->random ^= pace->random >> 27;
    double uniform = (double)((pace->random * 2685821657736338717u) >> 11) / 9007199254740992.0;
    return (int64_t)(-log(1 - uniform) * pace->gap_ns);
}

static void put_idle(struct pace *pace, struct connection *connection)
{
    pace->idle[(pace->idle_first + pace->idle_count++) % CONNECTIONS] = connection;
}

static void connect_all(struct pace *pace, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    pace->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < pace->connection_count; i++) {
        struct connection *connection = &pace->connections[i];
        connection->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        require(connect(connection->socket, (void *)&address, sizeof address) == 0,
                "the server does not accept a connection");
        setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        fcntl(connection->socket, F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        epoll_ctl(pace->epoll, EPOLL_CTL_ADD, connection->socket, &event);
        put_idle(pace, connection);
    }
}

static void send_request(struct pace *pace, struct connection *connection)
{
    char request[sizeof "GET " + PATH_BYTES_MAX + REQUEST_BYTES_MAX] = "GET ";
    const char *path = pace->paths[pace->path_at];
    size_t length = strlen("GET "), path_length = strlen(path);
    connection->line = pace->path_at;
    pace->path_at = (pace->path_at + 1) % pace->path_count;
    memcpy(request + length, path, path_length);
    length += path_length;
    memcpy(request + length, pace->headers, pace->headers_length);
    length += pace->headers_length;
    require(send(connection->socket, request, length, MSG_NOSIGNAL) == (ssize_t)length,
            "a request could not be sent");
}

static bool goes_on(const struct pace *pace)
{
    return pace->next_ns < pace->end_ns && pace->left > 0;
}

/** Send what is due, on connections that are free. In a closed loop that is one for each of them.
 */
static void send_due(struct pace *pace)
{
    while (goes_on(pace)) {
        int64_t now = now_ns();
        if (pace->closed)
            pace->next_ns = now;
        if (pace->next_ns > now) {
            pace->starved = false;
            return;
        }
        if (pace->idle_count == 0) {
            pace->starved = !pace->closed;
            return;
        }
        pace->left--;
        pace->starvations += pace->starved && pace->next_ns >= pace->measured_from_ns;
        struct connection *connection = pace->idle[pace->idle_first];
        pace->idle_first = (pace->idle_first + 1) % CONNECTIONS;
        pace->idle_count--;
        connection->due_ns = pace->next_ns;
        connection->delay_ns = pace->starved ? -1000 : now - pace->next_ns;
        if (!pace->starved && pace->next_ns >= pace->measured_from_ns)
            times_add(&pace->delays, connection->delay_ns);
        pace->next_ns += pace->closed ? 0 : gap_ns(pace);
        send_request(pace, connection);
    }
}

/** Which level of the cache an answer with this head is from, as it says. */
static int level_of(const char *head, const char *end)
{
    const char *hit = strcasestr(head, "\r\nCache-Status: openrisk; hit");
    if (!hit || hit >= end)
        return 0;
    const char *second = strstr(hit + 2, "second-level");
    return second && second < strstr(hit + 2, "\r\n") ? 2 : 1;
}

/** The length of the whole answer, whose head must be in the first bytes that came. */
static size_t answer_length(const char *bytes, int *ret_level)
{
    const char *end = strstr(bytes, "\r\n\r\n");
    require(end, "the head of an answer came in pieces");
    if (strncmp(bytes, "HTTP/1.1 200 ", 13) != 0)
        fprintf(stderr, "%.*s\n", (int)(end - bytes), bytes);
    require(strncmp(bytes, "HTTP/1.1 200 ", 13) == 0, "an answer is not 200");
    const char *length = strcasestr(bytes, "\r\nContent-Length:");
    require(length && length < end, "an answer has no Content-Length");
    *ret_level = level_of(bytes, end);
    return (size_t)(end + 4 - bytes) + strtoul(length + 17, NULL, 10);
}

/** Read what has come; afterwards the connection is free if the answer is complete. */
static void receive(struct pace *pace, struct connection *connection)
{
    static char bytes[READ_BYTES + 1];
    ssize_t got = recv(connection->socket, bytes, READ_BYTES, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    require(got > 0, "the server closed a connection");
    bytes[got] = '\0';
    if (connection->left == 0)
        connection->left = answer_length(bytes, &connection->level);
    require((size_t)got <= connection->left, "an answer is longer than it says");
    connection->left -= (size_t)got;
    if (connection->left > 0)
        return;
    if (connection->due_ns >= pace->measured_from_ns)
        note(pace, connection, now_ns() - connection->due_ns);
    put_idle(pace, connection);
}

static void run(struct pace *pace)
{
    while (goes_on(pace) || pace->idle_count < pace->connection_count) {
        require(now_ns() < pace->end_ns + PATIENCE_S * NS, "the server does not answer in time");
        send_due(pace);
        struct epoll_event events[CONNECTIONS];
        int count = epoll_wait(pace->epoll, events, CONNECTIONS, 0);
        for (int i = 0; i < count; i++) {
            receive(pace, events[i].data.ptr);
            send_due(pace);
        }
    }
}

static void write_headers(struct pace *pace, const char *port, char **headers, int count)
{
    FILE *out = fmemopen(pace->headers, sizeof pace->headers, "w");
    fprintf(out, " HTTP/1.1\r\nHost: 127.0.0.1:%s\r\n", port);
    for (int i = 0; i < count; i++)
        fprintf(out, "%s\r\n", headers[i]);
    fprintf(out, "\r\n");
    require(fclose(out) == 0, "the headers are too long");
    pace->headers_length = strlen(pace->headers);
    require(pace->headers_length < sizeof pace->headers - 1, "the headers are too long");
}

static void add_path(struct pace *pace, char *path)
{
    require(strlen(path) < PATH_BYTES_MAX, "a path is too long");
    if ((pace->path_count & (pace->path_count - 1)) == 0) { /* It is full at each power of two. */
        size_t room = pace->path_count > 0 ? 2 * pace->path_count : 1;
        pace->paths = realloc(pace->paths, room * sizeof *pace->paths);
        require(pace->paths, "no memory for the paths");
    }
    pace->paths[pace->path_count++] = path;
}

static void read_paths(struct pace *pace, const char *name)
{
    FILE *file = fopen(name, "r");
    require(file, "there is no such file of paths");
    char line[PATH_BYTES_MAX + 2];
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        add_path(pace, strdup(line));
    }
    fclose(file);
    require(pace->path_count > 0, "the file of paths is empty");
}

static void write_records(const struct pace *pace, const char *name)
{
    FILE *file = fopen(name, "w");
    require(file, "the file of records cannot be written");
    for (size_t i = 0; i < pace->answers.count; i++) {
        const struct record *record = &pace->records[i];
        fprintf(file, "%" PRId64 " %zu %" PRId64 " %" PRId64 " %d\n", record->due_ns / 1000,
                record->line, record->ns / 1000, record->delay_ns / 1000, record->level);
    }
    require(fclose(file) == 0, "the file of records cannot be written");
}

/** The room for the answers to all requests. */
static double room_for(const struct pace *pace, double rate, double seconds)
{
    double most = pace->closed ? CLOSED_RATE_MAX * seconds : rate * seconds * 1.5;
    return (most < (double)pace->left ? most : (double)pace->left) + 1000;
}

/** The options; gives how many arguments they are. */
static int read_options(struct pace *pace, int argc, char **argv, const char **ret_records)
{
    int option;
    while ((option = getopt(argc, argv, "+c:n:o:")) != -1) {
        if (option == 'o') {
            *ret_records = optarg;
            continue;
        }
        char *end;
        unsigned long number = strtoul(optarg, &end, 10);
        require((option == 'c' || option == 'n') && *end == '\0' && number > 0, "no such option");
        if (option == 'n') {
            pace->left = number;
        } else {
            require(number <= CONNECTIONS, "too many clients");
            pace->connection_count = (unsigned)number;
            pace->closed = true;
        }
    }
    return optind - 1;
}

int main(int argc, char **argv)
{
    static struct pace pace = {
        .random = 88172645463325252u, .connection_count = CONNECTIONS, .left = SIZE_MAX};
    const char *records = NULL;
    int options = read_options(&pace, argc, argv, &records);
    argv += options;
    argc -= options;
    require(argc >= 6, "[-o FILE] PORT PATH RATE WARM_UP_S SECONDS [\"NAME: VALUE\" …]");
    double rate = strtod(argv[3], NULL), warm_up_s = strtod(argv[4], NULL);
    double seconds = strtod(argv[5], NULL);
    require((rate > 0 || pace.closed) && warm_up_s >= 0 && seconds > 0,
            "RATE and SECONDS are more than 0");
    pace.gap_ns = (double)NS / rate;
    if (argv[2][0] == '@')
        read_paths(&pace, argv[2] + 1);
    else
        add_path(&pace, argv[2]);
    write_headers(&pace, argv[1], argv + 6, argc - 6);
    double room = room_for(&pace, rate, seconds);
    times_init(&pace.answers, room);
    times_init(&pace.delays, room);
    if (records) {
        size_t bytes = pace.answers.room * sizeof *pace.records;
        pace.records = malloc(bytes);
        require(pace.records, "no memory for the records");
        memset(pace.records, 1, bytes); /* As in times_init(). */
    }
    connect_all(&pace, (uint16_t)strtoul(argv[1], NULL, 10));
    pace.next_ns = now_ns();
    pace.measured_from_ns = pace.next_ns + (int64_t)(warm_up_s * (double)NS);
    pace.end_ns = pace.measured_from_ns + (int64_t)(seconds * (double)NS);
    run(&pace);
    if (records)
        write_records(&pace, records); /* Before the quantiles: they sort. */
    printf("{\"requests\": %zu, \"mean_us\": %.1f, \"p50_us\": %.1f, \"p95_us\": %.1f, "
           "\"p99_us\": %.1f, \"own_p99_us\": %.1f, \"starved\": %zu, \"began_us\": %" PRId64 "}\n",
           pace.answers.count, mean_us(&pace.answers), quantile_us(&pace.answers, 0.5),
           quantile_us(&pace.answers, 0.95), quantile_us(&pace.answers, 0.99),
           pace.delays.count > 0 ? quantile_us(&pace.delays, 0.99) : 0, pace.starvations,
           pace.measured_from_ns / 1000);
    return 0;
}
