#include "answer.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define KEEP(header, member)                                                                       \
    {                                                                                              \
        (header), offsetof(struct answer, member), sizeof((struct answer){0}.member)               \
    }
static const struct kept_header {
    const char *name;
    size_t offset, size;
} kept_headers[] = {
    KEEP("ETag", etag),
    KEEP("X-Cache", x_cache),
    KEEP("Cache-Status", cache_status),
    KEEP("Retry-After", retry_after),
    KEEP("Content-Length", content_length),
    KEEP("Transfer-Encoding", transfer_encoding),
    KEEP("Connection", connection),
};

static enum status keep_header(struct answer *answer, const char *name, const char *value,
                               struct err *err)
{
    for (size_t i = 0; i < COUNT_OF(kept_headers); i++) {
        const struct kept_header *kept = &kept_headers[i];
        char *place = (char *)answer + kept->offset;
        if (!text_equal_nocase(name, kept->name))
            continue;
        if (*place || !*value || strlen(value) >= kept->size)
            return err_set(err, MALFORMED, NULL, "sent %s twice, empty or too long", kept->name);
        memcpy(place, value, strlen(value) + 1);
    }
    return OK;
}

/** "HTTP/1.1 200 OK" */
static enum status read_status_line(struct answer *answer, const char *line, struct err *err)
{
    static const char version[] = "HTTP/1.1 ";
    const char *code = line + sizeof version - 1;
    int64_t number = 0;
    char digits[4] = "";
    if (strncmp(line, version, sizeof version - 1) == 0 && strlen(code) > 3 && code[3] == ' ')
        memcpy(digits, code, 3);
    if (!text_to_int(digits, &number) || number < 100)
        return err_set(err, MALFORMED, NULL, "sent no status line: %.60s", line);
    answer->status = (int)number;
    return OK;
}

static enum status read_length(struct answer *answer, struct err *err)
{
    int64_t length = 0;
    if (*answer->transfer_encoding)
        return err_set(err, MALFORMED, NULL, "sent Transfer-Encoding");
    if (text_equal_nocase(answer->connection, "close"))
        return err_set(err, MALFORMED, NULL, "wants to close after an answer with status %d",
                       answer->status);
    if (answer->status == 204 || answer->status == 304)
        return OK;
    if (!text_to_int(answer->content_length, &length) || length < 0)
        return err_set(err, MALFORMED, NULL, "sent no Content-Length");
    answer->length = (size_t)length;
    return OK;
}

enum status answer_read_head(struct answer *answer, char *head, size_t length, struct err *err)
{
    enum status status = OK;
    char *line = head, *end_of_head = head + length - 2;
    while (status == OK && line < end_of_head) {
        char *end = memmem(line, (size_t)(end_of_head - line), "\r\n", 2);
        *end = '\0';
        char *colon = strchr(line, ':');
        if (line == head) {
            status = read_status_line(answer, line, err);
        } else if (colon) {
            *colon = '\0';
            status = keep_header(answer, line, colon + 1 + strspn(colon + 1, " \t"), err);
        } else {
            status = err_set(err, MALFORMED, NULL, "sent a header without a colon: %.60s", line);
        }
        line = end + 2;
    }
    return status == OK ? read_length(answer, err) : status;
}

/** A walk over JSON that knows how deep it is and which member it is in. */
struct walk {
    const char *at, *end;
    int depth, wanted;
    const char *member; /* the last name at the wanted depth, up to its quote */
    struct thing *thing;
};

static bool in_member(const struct walk *walk, const char *name)
{
    size_t length = strlen(name);
    return walk->member && strncmp(walk->member, name, length) == 0 && walk->member[length] == '"';
}

/** Past the string that begins at its quote; false if it has no end. */
static bool pass_string(struct walk *walk)
{
    const char *text = walk->at + 1, *at = text;
    while (at < walk->end && *at != '"')
        at += *at == '\\' ? 2 : 1;
    if (at >= walk->end)
        return false;
    walk->at = at + 1;
    if (walk->depth != walk->wanted || !walk->thing)
        return true;
    if (*walk->at == ':') {
        walk->member = text;
    } else if (in_member(walk, "id") && (size_t)(at - text) < sizeof walk->thing->id) {
        memcpy(walk->thing->id, text, (size_t)(at - text));
        walk->thing->id[at - text] = '\0';
    }
    return true;
}

static void pass_number(struct walk *walk)
{
    int64_t number = 0;
    for (; walk->at < walk->end && *walk->at >= '0' && *walk->at <= '9'; walk->at++)
        number = number < INT64_MAX / 20 ? number * 10 + (*walk->at - '0') : number;
    if (walk->depth != walk->wanted || !walk->thing)
        return;
    if (in_member(walk, "version"))
        walk->thing->version = number;
    else if (in_member(walk, "ref"))
        walk->thing->ref = number;
}

enum status answer_read_things(const struct answer *answer, int depth, struct thing *things,
                               size_t capacity, size_t *ret_count, struct err *err)
{
    struct walk walk = {.at = answer->body, .end = answer->body + answer->length, .wanted = depth};
    size_t count = 0;
    while (walk.at < walk.end && walk.depth >= 0) {
        char c = *walk.at;
        if (c == '"') {
            if (!pass_string(&walk))
                break;
            continue;
        }
        if (c >= '0' && c <= '9') {
            pass_number(&walk);
            continue;
        }
        walk.at++;
        if (c == '{' && walk.depth + 1 == depth) {
            if (count == capacity)
                return err_set(err, MALFORMED, NULL, "sent more than %zu things", capacity);
            walk.thing = &things[count++];
            *walk.thing = (struct thing){0};
            walk.member = NULL;
        }
        walk.depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (walk.depth < depth)
            walk.thing = NULL;
    }
    if (answer->length == 0 || walk.at < walk.end || walk.depth != 0)
        return err_set(err, MALFORMED, NULL, "sent a body that is cut or no JSON");
    *ret_count = count;
    return OK;
}
