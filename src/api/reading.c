#include "api/reading.h"

#include <string.h>

#include "api/answer.h"
#include "api/key.h"
#include "api/problem.h"
#include "base/log.h"
#include "base/mem.h"

/* Asking */

/** Where the answers of its route are kept; NULL: nowhere. */
static struct cache *cache_of(const struct passage *passage)
{
    return passage->match.route->cache.scopes ? passage->api->settings.responses : NULL;
}

/** What is asked, as the route declares it. Kept in `arena`. */
static enum status understand(struct passage *passage, struct arena *arena, struct err *err)
{
    const struct route *route = passage->match.route;
    struct asked *asked = arena_zalloc(arena, 1, sizeof *asked);
    enum status status =
        input_parameters(route, http_query(passage->request), arena, &asked->question, err);
    if (status != OK)
        return status;
    asked->route = route;
    asked->day = clock_day(passage->now_ms);
    for (size_t i = 0; i < ROUTE_ARGS_MAX; i++)
        asked->question.args[i] = arena_strdup(arena, passage->match.args[i]);
    if (cache_of(passage))
        asked->key = key_of_question(passage->api, route, &asked->question, asked->day, arena);
    passage->asked = asked;
    return OK;
}

bool reading_recall(struct passage *passage)
{
    enum http_method method = http_method(passage->request);
    const struct asked *asked = http_note(passage->request);
    if (!asked || (method != HTTP_GET && method != HTTP_HEAD) ||
        asked->day != clock_day(passage->now_ms))
        return false;
    passage->match.route = asked->route;
    passage->asked = asked;
    return true;
}

/**
 * On the event loop: and note it with the target, if it can be understood. What cannot leaves
 * nothing there, or who asks for nonsense again and again would fill the memory.
 */
static enum status understand_and_note(struct passage *passage, struct err *err)
{
    struct http_request *request = passage->request;
    enum status status = understand(passage, http_arena(request), err);
    if (status == OK)
        status = understand(passage, http_note_arena(request), err);
    if (status == OK)
        http_set_note(request, (void *)passage->asked);
    return status;
}

static struct cache_terms terms_of(const struct passage *passage)
{
    const struct cache_policy *policy = &passage->match.route->cache;
    return (struct cache_terms){.scopes = policy->scopes,
                                .ttl_ms = passage->api->settings.ttl_ms[policy->ttl]};
}

/** Who leads a flight and asks the second level. */
struct leader {
    struct cache_inquiry inquiry; /* first */
    struct passage *passage;
};

static struct passage *passage_of(struct cache_waiter *waiter)
{
    return CONTAINER_OF(waiter, struct passage, waiter);
}

static void expect_landing(struct passage *passage,
                           void (*landed)(struct cache_waiter *, const struct cache_landing *))
{
    passage->waiter.landed = landed;
    passage->waiter.deadline_ms = clock_monotonic_ms() + passage->api->settings.wait_timeout_ms;
}

static void reply(struct passage *passage, struct answer *answer, enum answer_way way,
                  void (*send)(struct http_request *, const struct http_reply *))
{
    passage->answer = answer;
    passage->way = way;
    answer_reply(passage->request, answer, way, send);
}

/** On the event loop: may they, and what is asked? False if not, which has been said then. */
static bool let_in(struct passage *passage, const struct session *session,
                   void (*send)(struct http_request *, const struct http_reply *))
{
    struct err err;
    err_init(&err);
    enum status status = access_may(passage, &session->caller, &err);
    if (status == OK && !passage->asked)
        status = understand_and_note(passage, &err);
    if (status != OK)
        passage_reply_error(passage, status, &err, send);
    return status == OK;
}

/**
 * The database may be away. Then both who asks and the answer are given as they were when it was
 * last there, or neither: who is let in without having been verified gets nothing that is loaded.
 */
static bool reply_unverified(struct passage *passage, struct cache *cache,
                             void (*send)(struct http_request *, const struct http_reply *))
{
    if (!passage->token || passage->needs_look ||
        !generations_are_away(passage->api->settings.generations))
        return false;
    bool is_verified = passage->session != NULL;
    if (!is_verified)
        passage->session = session_find_unverified(passage->api, passage->token, passage->now_ms);
    if (!passage->session)
        return false;
    passage->user_id = passage->session->caller.user_id;
    if (!passage->is_admitted && !let_in(passage, passage->session, send))
        return true;
    struct cache_value *value =
        cache_get_unverified(cache, &passage->asked->key, clock_monotonic_coarse_ms());
    if (value) {
        reply(passage, answer_of(value), WAY_UNVERIFIED, send);
    } else if (!is_verified) {
        session_unref(passage->session);
        passage->session = NULL;
        passage->user_id = NULL;
    }
    return value != NULL;
}

/** True if its use is to be noted: by a worker, which there is none for without a database. */
static bool claims_note(struct passage *passage)
{
    passage->notes_use = session_claim_note(passage->session, passage->now_ms) &&
                         !generations_are_away(passage->api->settings.generations);
    return passage->notes_use;
}

bool reading_begin(struct passage *passage)
{
    struct cache *cache = cache_of(passage);
    if (!cache || http_has_body(passage->request))
        return false;
    if (!passage->session)
        return reply_unverified(passage, cache, http_reply);
    if (claims_note(passage))
        return false;
    if (!let_in(passage, passage->session, http_reply))
        return true;
    passage->is_admitted = true;
    struct cache_value *value = cache_get(cache, &passage->asked->key, clock_monotonic_coarse_ms());
    if (!value)
        return reply_unverified(passage, cache, http_reply);
    reply(passage, answer_of(value), WAY_HIT, http_reply);
    return true;
}

/**
 * Suspended, and it cannot be loaded. That K was doubtful may have sent it to a database that was
 * away and not yet known to be: then what is kept does.
 */
static void fail(struct passage *passage, enum status status, const struct err *why)
{
    struct err ignored;
    err_init(&ignored);
    struct cache *cache = cache_of(passage);
    bool was_away = cache && (status == UNAVAILABLE || status == BUSY);
    if (was_away && !passage->asked)
        was_away = understand(passage, http_arena(passage->request), &ignored) == OK;
    if (!was_away || !reply_unverified(passage, cache, http_reply_later))
        passage_reply_error(passage, status, why, http_reply_later);
}

/** The flight of an answer has ended, on the thread of who led it. */
static void answer_landed(struct cache_waiter *waiter, const struct cache_landing *landing)
{
    struct passage *passage = passage_of(waiter);
    if (landing->status == OK)
        reply(passage, answer_of(cache_value_ref(landing->value)), WAY_COLLAPSED, http_reply_later);
    else
        fail(passage, landing->status, landing->err);
}

/** The second level has the answer, or the leader loads. On the second level's thread. */
static void second_answered(struct cache_inquiry *inquiry, const struct cache_landing *landing)
{
    struct passage *passage = ((struct leader *)inquiry)->passage;
    if (!landing) {
        passage_submit(passage);
        return;
    }
    passage->flight = NULL;
    reply(passage, answer_of(cache_value_ref(landing->value)), WAY_SECOND, http_reply_later);
}

/** Leads a flight. True if the second level is asked first. */
static bool ask_second(struct passage *passage)
{
    struct leader *leader = arena_zalloc(http_arena(passage->request), 1, sizeof *leader);
    leader->inquiry.answered = second_answered;
    leader->passage = passage;
    return cache_ask_second(passage->flight, &leader->inquiry);
}

/** Admitted and suspended. False if it leads the load. */
static bool enter_answer(struct passage *passage)
{
    struct cache_terms terms = terms_of(passage);
    struct cache_value *value;
    expect_landing(passage, answer_landed);
    switch (cache_enter(cache_of(passage), &passage->asked->key, &terms, clock_monotonic_ms(),
                        &passage->waiter, &value, &passage->flight)) {
    case CACHE_HIT:
        reply(passage, answer_of(value), WAY_HIT, http_reply_later);
        return true;
    case CACHE_WAITS:
        return true;
    case CACHE_LEADS:
        return ask_second(passage);
    }
    return false;
}

/** Suspended, and it is known who asks. False if it leads the load. */
static bool go_on(struct passage *passage)
{
    struct err err;
    err_init(&err);
    struct session *session = passage->session;
    passage->user_id = session->caller.user_id;
    enum status status = OK;
    if (session->expires_at <= passage->now_ms)
        status = account_service_unknown_token(&err);
    if (status == OK)
        status = access_may(passage, &session->caller, &err);
    if (status == OK && !passage->asked)
        status = understand(passage, http_arena(passage->request), &err);
    if (status != OK) {
        passage_reply_error(passage, status, &err, http_reply_later);
        return true;
    }
    passage->is_admitted = true;
    return enter_answer(passage);
}

/** Somebody has asked the database who holds the token that this passage brings, too. */
static void session_landed(struct cache_waiter *waiter, const struct cache_landing *landing)
{
    struct passage *passage = passage_of(waiter);
    if (landing->status != OK) {
        fail(passage, landing->status, landing->err);
        return;
    }
    passage->session = session_of(cache_value_ref(landing->value));
    if (!go_on(passage))
        passage_submit(passage);
}

bool reading_enter(struct passage *passage)
{
    if (passage->is_admitted)
        return enter_answer(passage);
    if (!cache_of(passage))
        return false;
    if (passage->session)
        return !passage->notes_use && !claims_note(passage) && go_on(passage);
    expect_landing(passage, session_landed);
    switch (session_enter(passage->api, passage->token, &passage->waiter, &passage->session,
                          &passage->session_flight)) {
    case CACHE_HIT:
        return go_on(passage);
    case CACHE_WAITS:
        return true;
    case CACHE_LEADS:
        return false;
    }
    return false;
}

/* Loading */

/** A load under way. */
struct load {
    const struct route *route;
    struct question *question;
    struct service *service;
    struct cache *cache;         /* where the answer is going to be kept; NULL: nowhere */
    struct cache_flight *flight; /* of those who wait for it, or NULL */
    bool takes_gzip;             /* who asks does */
};

/** Is it worth it? For one who takes it, or for all who will. */
static bool compresses(const struct load *load, size_t length)
{
    return load->takes_gzip || (load->cache && cache_takes(load->cache, length));
}

/** In the snapshot: ask the handler. OK also for 404, which is an answer too. */
static enum status ask(struct load *load, struct answer **ret_answer, struct err *err)
{
    struct question *question = load->question;
    AUTO_BUF struct buf body;
    buf_init(&body, ANSWER_MAX_BYTES);
    struct json_writer out;
    json_writer_init(&out, &body);
    question->service = load->service;
    question->out = &out;
    question->version = 0;
    enum status status = load->route->read(question, err);
    if (status == NOT_FOUND) {
        size_t length;
        int http_status = problem_http_status(status);
        const char *problem = problem_body(load->service->arena, http_status, err, &length);
        *ret_answer = answer_new(http_status, problem, length, 0, compresses(load, length));
        return OK;
    }
    if (status == OK && body.overflow)
        return err_set(err, TOO_LARGE, NULL, "the answer is too large; ask for less");
    if (status == OK)
        *ret_answer = answer_new(load->route->status, body.data, body.length, question->version,
                                 compresses(load, body.length));
    return status;
}

/**
 * What is kept already, if the snapshot shows the same. Only where something is kept are the
 * generations waited for before anything is asked for.
 */
static enum status find_kept(struct load *load, int64_t began_ms, struct answer **ret_answer,
                             struct err *err)
{
    struct cache_value *kept = load->flight ? cache_found_at(load->flight, began_ms, NULL) : NULL;
    if (!kept)
        return OK;
    cache_value_unref(kept);
    enum status status = db_settle(load->service->db, err);
    if (status != OK)
        return status;
    struct cache_vector vector = cache_vector_of(db_generations(load->service->db), SCOPES);
    *ret_answer = answer_of(cache_found_at(load->flight, began_ms, &vector));
    return OK;
}

/** One snapshot: its generations, and the answer that it shows. */
static void load_once(struct load *load, struct cache_landing *landing, struct err *err)
{
    struct service *service = load->service;
    struct answer *answer = NULL;
    int64_t began_ms = clock_monotonic_ms();
    landing->err = err;
    landing->status = db_begin_read(service->db, err);
    if (landing->status != OK)
        return;
    service->in_snapshot = true;
    landing->status = find_kept(load, began_ms, &answer, err);
    if (landing->status == OK && !answer)
        landing->status = ask(load, &answer, err);
    if (landing->status == OK)
        landing->status = db_settle(service->db, err);
    landing->vector = cache_vector_of(db_generations(service->db), SCOPES);
    service->in_snapshot = false;
    db_rollback(service->db);
    if (landing->status == OK)
        landing->value = answer_value(answer);
    else
        answer_unref(answer);
}

/** Load, and land. `ret_landing`: the value is the caller's. */
static void load_and_land(struct load *load, struct cache_landing *ret_landing, struct err *err)
{
    for (;;) {
        *ret_landing = (struct cache_landing){0};
        load_once(load, ret_landing, err);
        if (!load->flight || cache_land(load->flight, ret_landing))
            return;
        cache_value_unref(ret_landing->value);
    }
}

static struct service service_for(struct passage *passage, struct db *db,
                                  const struct caller *caller, int64_t now_ms)
{
    struct service service = service_new(db, http_arena(passage->request), now_ms, caller);
    service.write_timeout_ms = (int)passage->api->settings.write_timeout_ms;
    return service;
}

/** Without a cache, or to note a use too: who asks, may they, what is asked. */
static enum status admit(struct passage *passage, struct db *db, struct err *err)
{
    struct caller caller = {0};
    struct service service = service_for(passage, db, &caller, passage->now_ms);
    enum status status = access_check(passage, &service, &caller, err);
    if (status == OK && !passage->asked)
        status = understand(passage, http_arena(passage->request), err);
    passage->is_admitted = status == OK;
    return status;
}

/** Lead the flight of a session: ask the database who holds the token. */
static enum status find_who(struct passage *passage, struct db *db, struct err *err)
{
    struct caller nobody = {0};
    struct service service = service_for(passage, db, &nobody, passage->now_ms);
    struct authentication found;
    enum status status;
    int64_t began_ms;
    do {
        began_ms = clock_monotonic_ms();
        status = account_service_authenticate(&service, passage->api->settings.token_key,
                                              passage->token, &found, err);
    } while (
        !session_land(passage->session_flight, began_ms, status, &found, err, &passage->session));
    passage->session_flight = NULL;
    if (status == OK && session_claim_note(passage->session, passage->now_ms))
        access_note_use(&service, passage->session);
    return status;
}

static void run_load(struct passage *passage, struct db *db)
{
    /* Neither the caller nor the time of day can get into an answer. */
    static const struct caller nobody = {0};
    struct service service =
        service_for(passage, db, &nobody, (int64_t)passage->asked->day * CLOCK_DAY_MS);
    struct question question = passage->asked->question;
    struct cache *cache = cache_of(passage);
    struct load load = {
        .route = passage->match.route,
        .question = &question,
        .service = &service,
        .cache = cache,
        .flight = passage->flight,
        .takes_gzip = input_accepts_gzip(passage->request),
    };
    struct cache_landing landing;
    struct err err;
    err_init(&err);
    load_and_land(&load, &landing, &err);
    passage->flight = NULL;
    passage_count_statements(passage, db);
    if (landing.status != OK)
        fail(passage, landing.status, landing.err);
    else
        reply(passage, answer_of(landing.value),
              !cache           ? WAY_BYPASS
              : landing.stored ? WAY_STORED
                               : WAY_MISS,
              http_reply_later);
}

/** The pool had no worker for the one who leads: all who wait for it hear the same. */
static void land_refused(struct cache_flight **flight, enum status status, const struct err *why)
{
    struct cache_landing landing = {.status = status, .err = why};
    if (*flight && !cache_land(*flight, &landing))
        log_event(LOG_ERROR, "flight_not_landed"); /* a failure is never repeated */
    *flight = NULL;
}

/** On a worker, not admitted yet. True if it has been answered, or waits for somebody's load. */
static bool come_in(struct passage *passage, struct db *db)
{
    struct err err;
    err_init(&err);
    bool leads = passage->session_flight != NULL;
    enum status status = leads ? find_who(passage, db, &err) : admit(passage, db, &err);
    passage_count_statements(passage, db);
    if (status != OK) {
        fail(passage, status, &err);
        return true;
    }
    if (leads)
        return go_on(passage);
    return cache_of(passage) && enter_answer(passage);
}

void reading_run(struct passage *passage, struct db *db, enum status status, const struct err *why)
{
    if (status != OK) {
        land_refused(&passage->session_flight, status, why);
        land_refused(&passage->flight, status, why);
        fail(passage, status, why);
        return;
    }
    if (passage->is_admitted || !come_in(passage, db))
        run_load(passage, db);
}

/* Warming */

/** A route's default question: no parameters, nothing in its path. */
static bool has_default(const struct route *route)
{
    return route->read && route->cache.scopes && !strchr(route->pattern, '{');
}

/** Not by a flight: the ports are open, and somebody may ask the same already. */
static enum status warm_one(struct api *api, struct db *db, const struct route *route,
                            int64_t now_ms, struct arena *arena, struct err *err)
{
    static const struct caller nobody = {0};
    struct cache *cache = api->settings.responses;
    int32_t day = clock_day(now_ms);
    struct question question = {0};
    enum status status = input_parameters(route, (struct http_params){0}, arena, &question, err);
    if (status != OK)
        return status;
    struct cache_key key = key_of_question(api, route, &question, day, arena);
    struct cache_terms terms = {route->cache.scopes, api->settings.ttl_ms[route->cache.ttl]};
    struct service service = service_new(db, arena, (int64_t)day * CLOCK_DAY_MS, &nobody);
    struct load load = {.route = route, .question = &question, .service = &service, .cache = cache};
    struct cache_landing landing = {0};
    load_once(&load, &landing, err);
    if (landing.status == OK)
        cache_put(cache, &key, &terms, &landing.vector, clock_monotonic_ms(), landing.value);
    cache_value_unref(landing.value);
    return landing.status;
}

enum status api_warm(struct api *api, struct db *db, unsigned *ret_count, struct err *err)
{
    int64_t now_ms = clock_now_ms(api->settings.clock);
    unsigned count = 0;
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; api->settings.responses && i < route_count; i++) {
        if (!has_default(&routes[i]))
            continue;
        enum status status = warm_one(api, db, &routes[i], now_ms, &arena, err);
        if (status != OK)
            return status;
        arena_clear(&arena);
        count++;
    }
    *ret_count = count;
    return OK;
}
