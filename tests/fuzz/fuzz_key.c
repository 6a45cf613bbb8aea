/*
 * Two targets of requests, with a line feed between them: what each asks for, and the key by which
 * its answer would be kept. Keys are equal exactly if the questions are, however these were
 * written; what is not declared is refused. The second line is also tried as the value of each
 * parameter of the first.
 *
 * With libFuzzer:  clang -fsanitize=fuzzer,address,undefined … fuzz_key.c
 * Replay of a corpus, as the test run does: with replay.c, and the files on the command line.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "api/key.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CAP = 1 << 20, DAY = 20000 };

/** What has become of a target. Texts are the arena's. */
struct asking {
    const char *path; /* NULL: refused by the guard */
    struct http_params query;
    const struct route *route; /* NULL: there is none, or it refuses the parameters */
    struct question question;
    struct cache_key key;
};

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

static bool same_list(const struct list_request *a, const struct list_request *b)
{
    for (size_t i = 0; i < LIST_FILTERS_MAX; i++)
        if (!text_equal(a->values[i], b->values[i]))
            return false;
    return a->spec == b->spec && a->sort == b->sort && a->descending == b->descending &&
           a->page == b->page && a->limit == b->limit && text_equal(a->after_key, b->after_key) &&
           text_equal(a->after_id, b->after_id);
}

/** Does this mean the same? Written without a look at how keys are made. */
static bool same_question(const struct asking *a, const struct asking *b)
{
    for (size_t i = 0; i < ROUTE_ARGS_MAX; i++)
        if (!text_equal(a->question.args[i], b->question.args[i]))
            return false;
    for (size_t i = 0; i < ROUTE_PARAMS_MAX; i++)
        if (a->question.params[i] != b->question.params[i])
            return false;
    return a->route == b->route && same_list(&a->question.list, &b->question.list);
}

static bool same_key(const struct cache_key *a, const struct cache_key *b)
{
    bool same = a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
    require(!same || a->hash == b->hash, "equal keys have equal hashes");
    return same;
}

/** Both are refused, or both ask the same and have the same key, or neither. */
static void require_agreement(const struct asking *a, const struct asking *b)
{
    if (a->route && b->route)
        require(same_question(a, b) == same_key(&a->key, &b->key),
                "keys are equal exactly if the questions are");
}

static void require_same(const struct asking *a, const struct asking *b, const char *what)
{
    require(!a->route == !b->route, what);
    require(!a->route || same_key(&a->key, &b->key), what);
    require_agreement(a, b);
}

/** As dispatch does it, for GET. */
static void find(struct asking *asking, struct http_params query, struct arena *arena)
{
    static const struct api api = {0}; /* of it a key needs only the secret of its hash */
    static const char base_path[] = "/api/v1/";
    struct err err;
    err_init(&err);
    asking->query = query;
    asking->route = NULL;
    if (strncmp(asking->path, base_path, strlen(base_path)) != 0)
        return;
    struct route_match match = route_find(HTTP_GET, asking->path + strlen(base_path) - 1, arena);
    if (!match.route)
        return;
    asking->question = (struct question){0};
    memcpy(asking->question.args, match.args, sizeof match.args);
    if (input_parameters(match.route, query, arena, &asking->question, &err) != OK) {
        require(err.count > 0, "a refusal has a reason");
        return;
    }
    asking->route = match.route;
    asking->key = key_of_question(&api, match.route, &asking->question, DAY, arena);
    struct cache_key next = key_of_question(&api, match.route, &asking->question, DAY + 1, arena);
    require(!same_key(&asking->key, &next), "the next day has a key of its own");
}

static struct asking ask(const char *target, struct arena *arena)
{
    struct asking asking = {0};
    struct http_params query = {0};
    const char *path, *detail = NULL;
    if (guard_target(arena, target, &path, &query, &detail) != 0) {
        require(detail != NULL, "a refusal has a reason");
        return asking;
    }
    asking.path = path;
    find(&asking, query, arena);
    return asking;
}

/** The same path with another query. */
static struct asking ask_with(const struct asking *asking, struct http_params query,
                              struct arena *arena)
{
    struct asking other = {.path = asking->path};
    find(&other, query, arena);
    return other;
}

/** A copy that has room for one more. */
static struct http_param *copied(struct http_params query, struct arena *arena)
{
    struct http_param *items = arena_zalloc(arena, query.count + 1, sizeof *items);
    for (size_t i = 0; i < query.count; i++)
        items[i] = query.items[i];
    return items;
}

static void reversed(const struct asking *asking, struct arena *arena)
{
    size_t count = asking->query.count;
    struct http_param *items = copied(asking->query, arena);
    for (size_t i = 0; i < count; i++)
        items[i] = asking->query.items[count - 1 - i];
    struct asking other = ask_with(asking, (struct http_params){items, count}, arena);
    require_same(asking, &other, "the order of parameters does not matter");
}

static void with_undeclared(const struct asking *asking, struct arena *arena)
{
    size_t count = asking->query.count;
    struct http_param *items = copied(asking->query, arena);
    items[count] = (struct http_param){"undeclared", "1"};
    struct asking other = ask_with(asking, (struct http_params){items, count + 1}, arena);
    require(!other.route, "what is not declared is refused");
}

static void with_value(const struct asking *asking, const char *value, struct arena *arena)
{
    size_t count = asking->query.count;
    if (!text_is_utf8(value, strlen(value)))
        return;
    for (size_t i = 0; i < count; i++) {
        struct http_param *items = copied(asking->query, arena);
        items[i].value = value;
        struct asking other = ask_with(asking, (struct http_params){items, count}, arena);
        require_agreement(asking, &other);
    }
}

static void put_escaped(struct buf *text, const char *part, const char *literal)
{
    for (; *part; part++) {
        if (strchr(literal, *part))
            buf_putc(text, *part);
        else
            buf_printf(text, "%%%02x", (unsigned char)*part);
    }
}

/** Every character in its longest form. */
static void escaped(const struct asking *asking, struct arena *arena)
{
    AUTO_BUF struct buf text;
    buf_init(&text, CAP);
    put_escaped(&text, asking->path, "/");
    for (size_t i = 0; i < asking->query.count; i++) {
        buf_putc(&text, i ? '&' : '?');
        put_escaped(&text, asking->query.items[i].name, "");
        buf_putc(&text, '=');
        put_escaped(&text, asking->query.items[i].value, "");
    }
    struct asking other = ask(text.data, arena);
    require(other.path && strcmp(other.path, asking->path) == 0, "an escaped path is the same");
    require_same(asking, &other, "what is escaped means the same");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA struct arena arena = {0};
    AUTO_FREE char *first = mem_alloc(size + 1);
    memcpy(first, data, size);
    first[size] = '\0';
    char *second = strchr(first, '\n');
    if (second)
        *second++ = '\0';
    struct asking asking = ask(first, &arena), again = ask(first, &arena);
    require_same(&asking, &again, "the same target is understood in the same way");
    if (second) {
        struct asking other = ask(second, &arena);
        require_agreement(&asking, &other);
    }
    if (!asking.path)
        return 0;
    reversed(&asking, &arena);
    with_undeclared(&asking, &arena);
    escaped(&asking, &arena);
    if (second)
        with_value(&asking, second, &arena);
    return 0;
}
