/**
 * The key of a question: what its answer is kept under.
 */
#ifndef OPENRISK_API_KEY_H
#define OPENRISK_API_KEY_H

#include "api/route.h"
#include "cache/cache.h"

/**
 * What a question is found by: its route, its day, and what was asked, in the order of the tables,
 * so that equal questions have equal keys however they were written. Texts are the arena's.
 */
struct cache_key key_of_question(const struct api *api, const struct route *route,
                                 const struct question *question, int32_t day, struct arena *arena);

#endif
