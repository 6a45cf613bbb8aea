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

void passage_begin_count(struct passage *passage, struct db *db)
{
    if (!db)
        return;
    passage->statements_before = db_statement_count(db);
    passage->statement_us_before = db_statement_us(db);
}

void passage_count_statements(struct passage *passage, struct db *db)
{
    if (!db)
        return;
    passage->statements = db_statement_count(db) - passage->statements_before;
    passage->statement_us = db_statement_us(db) - passage->statement_us_before;
}
