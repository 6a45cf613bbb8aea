/**
 * What is told of requests: the line in the log, and what is counted.
 */
#ifndef OPENRISK_API_RECORD_H
#define OPENRISK_API_RECORD_H

struct passage;

/** A request has ended. On its event loop, before anything of it is freed. */
void record_ended(struct passage *passage);

#endif
