/*
 * A herd: all connections stand open before the first sends, so that the server gets the same
 * request from all of them within milliseconds.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "client.h"
#include "wire.h"

enum { REQUEST_MAX_BYTES = 4096, SHOWN_FAULTS = 10 };

struct herd {
    struct wire wire;
    struct buf request;
    size_t answers, faults;
    size_t hit, stored, collapsed, other; /* what Cache-Status says */
    const struct connection **kinds;      /* one connection for each different body */
    size_t bodies;
};

static void herd_release(struct herd *herd)
{
    wire_release(&herd->wire);
    buf_release(&herd->request);
    mem_free_pointer(&herd->kinds);
}

static void report_fault(struct herd *herd, const struct connection *connection, const char *what)
{
    if (herd->faults++ < SHOWN_FAULTS)
        printf("fault: connection %u: %s\n", connection->number, what);
}

static void send_to_all(struct herd *herd, bool leave)
{
    for (size_t i = 0; i < herd->wire.count; i++) {
        struct connection *connection = &herd->wire.connections[i];
        if (!wire_send(&herd->wire, connection, herd->request.data, herd->request.length))
            report_fault(herd, connection, connection->fault);
        else if (leave)
            wire_close(&herd->wire, connection);
    }
}

static void count_cache_status(struct herd *herd, const char *cache_status)
{
    if (strstr(cache_status, "; hit"))
        herd->hit++;
    else if (strstr(cache_status, "; stored"))
        herd->stored++;
    else if (strstr(cache_status, "; collapsed"))
        herd->collapsed++;
    else
        herd->other++;
}

static void count_body(struct herd *herd, const struct connection *connection)
{
    for (size_t i = 0; i < herd->bodies; i++) {
        const struct answer *known = &herd->kinds[i]->answer;
        if (known->length == connection->answer.length &&
            memcmp(known->body, connection->answer.body, known->length) == 0)
            return;
    }
    herd->kinds[herd->bodies++] = connection;
}

static void read_all(struct herd *herd)
{
    char what[40];
    struct connection *connection;
    while ((connection = wire_next(&herd->wire))) {
        if (*connection->fault) {
            report_fault(herd, connection, connection->fault);
        } else if (connection->answer.status != 200) {
            snprintf(what, sizeof what, "status %d", connection->answer.status);
            report_fault(herd, connection, what);
        } else {
            herd->answers++;
            count_cache_status(herd, connection->answer.cache_status);
            count_body(herd, connection);
        }
    }
    for (size_t i = 0; i < herd->wire.count; i++)
        if (herd->wire.connections[i].waits)
            report_fault(herd, &herd->wire.connections[i], "no answer");
}

enum status herd_run(const struct options *options, bool *ret_is_well, struct err *err)
{
    CLEANUP(herd_release) struct herd herd = {0};
    buf_init(&herd.request, REQUEST_MAX_BYTES);
    herd.kinds = mem_zalloc((size_t)options->connections, sizeof *herd.kinds);
    if (*options->path != '/')
        return err_set(err, INVALID, "--path", "must begin with a slash");
    enum status status = wire_open(&herd.wire, options->url, (size_t)options->connections, err);
    if (status != OK)
        return status;
    buf_printf(&herd.request, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n",
               options->path, herd.wire.host, options->token);
    if (herd.request.overflow)
        return err_set(err, INVALID, NULL, "--path or --token is too long");
    send_to_all(&herd, options->leave);
    if (options->leave) {
        printf("herd: connections=%zu left=%zu\n", herd.wire.count, herd.wire.count - herd.faults);
        *ret_is_well = herd.faults == 0;
        return OK;
    }
    read_all(&herd);
    printf("herd: connections=%zu answers=%zu hit=%zu stored=%zu collapsed=%zu other=%zu "
           "bodies=%zu\n",
           herd.wire.count, herd.answers, herd.hit, herd.stored, herd.collapsed, herd.other,
           herd.bodies);
    *ret_is_well = herd.faults == 0 && herd.answers == herd.wire.count && herd.bodies == 1;
    return OK;
}
