/**
 * The names by which statements are told apart in metrics and in the log: those of the table of
 * queries, those of the lists, whose texts are built, and a few more. Thread-safe.
 */
#ifndef OPENRISK_STORE_QUERY_LABEL_H
#define OPENRISK_STORE_QUERY_LABEL_H

#include "store/queries.h"

/** What is measured beside queries. A write begins and ends with waiting: for others, for disks. */
enum query_label { LABEL_BEGIN, LABEL_COMMIT, LABEL_OTHER };

/** Labels are numbers below query_label_count(). */
size_t query_label_count(void);
const char *query_label_name(size_t label);
size_t query_label(const struct query *query);
size_t query_label_of(enum query_label label);

#endif
