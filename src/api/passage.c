#include "api/internal.h"
#include "api/problem.h"

void passage_reply_error(struct passage *passage, enum status status, const struct err *err,
                         void (*send)(struct http_request *, const struct http_reply *))
{
    passage->status = status;
    output_common_headers(passage->request);
    struct http_reply reply = problem_reply(passage->request, problem_http_status(status), err);
    send(passage->request, &reply);
}

void passage_submit(struct passage *passage)
{
    const struct api_settings *settings = &passage->api->settings;
    bool hashes = passage->match.route->lane == LANE_PASSWORD;
    passage->job.label = passage->match.route->pattern;
    passage->job.deadline_ms = clock_monotonic_ms() + settings->acquire_timeout_ms;
    struct err err;
    err_init(&err);
    enum status status =
        pool_submit(hashes ? settings->password_pool : settings->pool, &passage->job, &err);
    if (status == BUSY && hashes)
        status = LIMITED; /* many sign-ins at once are not the server's trouble but the clients' */
    if (status != OK)
        passage->job.run(&passage->job, NULL, status, &err);
}

void passage_begin_count(struct passage *passage, struct db *db)
{
    if (!db)
        return;
    passage->statements_before = db_statement_count(db);
    passage->statement_us_before = db_statement_us(db);
    passage->round_trips_before = db_round_trip_count(db);
}

void passage_count_statements(struct passage *passage, struct db *db)
{
    if (!db)
        return;
    passage->statements = db_statement_count(db) - passage->statements_before;
    passage->statement_us = db_statement_us(db) - passage->statement_us_before;
    passage->round_trips = db_round_trip_count(db) - passage->round_trips_before;
}
