/**
 * Consistency tokens: whoever has written sees it on any node.
 *
 * A node knows the generations as of up to a second ago. An answer to a write carries the ones that
 * it bumped, sealed, as `Consistency-Token` (and for a browser, that came by its cookie, as a
 * cookie). A request that brings a token that is newer than what the node knows waits until the
 * node has looked at the database. A token never raises what the node knows; it only makes it look,
 * once. What a request brought is part of what its answer carries, so a client keeps the last one
 * only.
 *
 * A token of another register, of before a restore, or that somebody has made up is nothing to wait
 * for and is passed over; one that is no token at all is refused.
 */
#ifndef OPENRISK_API_CONSISTENCY_H
#define OPENRISK_API_CONSISTENCY_H

#include "api/internal.h"

/**
 * On the event loop: takes the token of the request, and decides whether the generations must be
 * read before it is answered, in `needs_look` of the passage. MALFORMED for a header that is none.
 */
enum status consistency_read(struct passage *passage, struct err *err) MUST_CHECK;

/** On a worker, before the answer: what the request's commits on `db` have bumped. */
void consistency_tell(struct passage *passage, struct db *db);

#endif
