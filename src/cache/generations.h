/**
 * K: the newest generations that this process knows of.
 *
 * Every scope has a number in the database that each writing transaction raises with its commit
 * (store/db.h). An answer made in one snapshot carries that snapshot's numbers, its vector; it may
 * be given away as long as no part of K has passed the vector. What keeps K right:
 *
 *   - whoever reads generations raises K by them before its answer leaves, and K only ever rises,
 *     scope by scope: so no client that saw a state is shown an older one;
 *   - who writes raises K after its commit and before anyone is told: so no read that begins after
 *     an acknowledgement gets what was before it;
 *   - who commits and cannot tell whether it took effect makes K doubtful, and nothing is given
 *     away until a read that began afterwards has confirmed K;
 *   - what other processes write is found by reading: K is fresh for a while after each read began,
 *     and doubtful when that time is over.
 *
 * Numbers in the database only rise, too, unless the database itself goes back: it was restored
 * from a backup, or a standby took over that had not heard of the last commits. A read that finds
 * less than K was when it began has seen that. What is kept may then be of a state that nobody can
 * read any more; so K is doubtful, and stays so until the numbers have been lifted over it, which
 * the next commits do (store/db.h).
 *
 * While the database is away nobody can confirm K. What K has not passed may then still be given,
 * but only to those who are told that it is unverified, and only for the grace after the youngest
 * read began. Being away is more than being doubtful: a read must have failed that began later than
 * the youngest one that went well. It is over with the next one that begins after the failed one,
 * also if that finds that the database has gone back: what it has lost is given to nobody then.
 *
 * All functions are thread-safe and take no lock. Scopes are numbers below CACHE_SCOPES_MAX whose
 * meaning is the caller's; a set of them is a mask of bits. Times are of the monotonic clock.
 */
#ifndef OPENRISK_CACHE_GENERATIONS_H
#define OPENRISK_CACHE_GENERATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CACHE_SCOPES_MAX = 8 };

struct cache_vector {
    int64_t of[CACHE_SCOPES_MAX];
};

/** The first `count` scopes have these numbers, the others 0. */
struct cache_vector cache_vector_of(const int64_t *numbers, size_t count);

struct generations;

/** Nothing is known and K is doubtful until the first generations_seen(). `grace_ms` 0: none. */
struct generations *generations_new(unsigned fresh_ms, unsigned grace_ms);
void generations_free(struct generations *k); /* NULL allowed */

/** What must be taken note of before a read of the generations begins. */
struct cache_look {
    uint64_t doubts;
    int64_t began_ms;
    struct cache_vector known; /* K */
};
struct cache_look generations_look(const struct generations *k);
/**
 * What the read found: raises K, and confirms what was doubtful when it began. False if the
 * database has gone back; then K is doubtful instead.
 */
bool generations_seen(struct generations *k, struct cache_look look,
                      const struct cache_vector *vector);
/** The read found nothing: the database did not answer. */
void generations_failed(struct generations *k, struct cache_look look);

/** A commit of this process bumped `scopes`. Before anyone is told of it. */
void generations_raise(struct generations *k, unsigned scopes, const struct cache_vector *bumped);
/** A commit may have taken effect or not. Before anyone is told of the failure. */
void generations_doubt(struct generations *k);

/** K and the number of doubts so far: what a load must not be older than. */
struct cache_known {
    struct cache_vector vector;
    uint64_t doubts;
};
struct cache_known generations_known(const struct generations *k);
bool cache_known_equal(const struct cache_known *a, const struct cache_known *b, unsigned scopes);

/** May K be relied on without reading? */
bool generations_are_fresh(const struct generations *k, int64_t now_ms);
/** Is the database away? */
bool generations_are_away(const struct generations *k);
/** Is it, and was K confirmed so recently that it may be relied on by those who are told? */
bool generations_have_grace(const struct generations *k, int64_t now_ms);
/** When the youngest read that K rests on began; 0 if there was none. */
int64_t generations_seen_ms(const struct generations *k);
/** How long ago the youngest read that K rests on began, ms; −1 if there was none. */
int64_t generations_age_ms(const struct generations *k, int64_t now_ms);
unsigned generations_fresh_ms(const struct generations *k);
/** Has no scope of the mask been passed by K? */
bool generations_hold(const struct generations *k, const struct cache_vector *vector,
                      unsigned scopes);
/** Is K at least `vector` in every scope? */
bool generations_reach(const struct generations *k, const struct cache_vector *vector);
/** Are they equal in each scope of the mask? */
bool cache_vector_equal(const struct cache_vector *a, const struct cache_vector *b,
                        unsigned scopes);
/** Is `a` at least `b` in each scope of the mask? */
bool cache_vector_covers(const struct cache_vector *a, const struct cache_vector *b,
                         unsigned scopes);

#endif
