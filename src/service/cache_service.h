/**
 * Generations, for people: making what is cached outdated. See service.h for what all of it needs.
 */
#ifndef OPENRISK_SERVICE_CACHE_SERVICE_H
#define OPENRISK_SERVICE_CACHE_SERVICE_H

#include "service/service.h"

/** As they are in the database now. */
enum status cache_service_generations(struct service *service, int64_t ret_generations[SCOPES],
                                      struct err *err) MUST_CHECK;

/**
 * Bump the generations of these scopes (bits of enum scope), with a row in the audit log.
 * Afterwards nothing cached before is given away, by this process or by any other on this database.
 */
enum status cache_service_invalidate(struct service *service, unsigned scopes, const char *target,
                                     int64_t ret_generations[SCOPES], struct err *err) MUST_CHECK;

#endif
