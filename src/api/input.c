/*
 * What comes in beside the body: query parameters, If-Match, the content type.
 */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "api/internal.h"

static enum status set_param(const struct param *param, const char *value, struct arena *arena,
                             int64_t *ret_value, const char **ret_text, struct err *err)
{
    int64_t number;
    switch (param->kind) {
    case PARAM_INT:
        if (!text_to_int(value, &number) || number < param->min || number > param->max)
            return err_set(err, MALFORMED, param->name,
                           "must be a whole number from %" PRId64 " to %" PRId64, param->min,
                           param->max);
        *ret_value = number;
        return OK;
    case PARAM_FLAG:
        if (!*value || strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
            *ret_value = 1;
        else if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
            *ret_value = 0;
        else
            return err_set(err, MALFORMED, param->name, "must be true or false");
        return OK;
    case PARAM_NAME:
        number = text_index(param->names, value);
        if (number < 0)
            return err_set(err, MALFORMED, param->name, "must be one of %s",
                           text_alternatives(arena, param->names));
        *ret_value = number;
        return OK;
    case PARAM_PART:
        if (text_length(value) > (size_t)param->max)
            return err_set(err, MALFORMED, param->name, "may have at most %" PRId64 " characters",
                           param->max);
        if (text_has_control(value, false))
            return err_set(err, MALFORMED, param->name, "must not contain control characters");
        value = text_fold(arena, value);
        *ret_text = *value ? value : NULL; /* an empty box looks for nothing */
        return OK;
    }
    return OK;
}

/** A parameter of the route's own; false if it has none of this name. */
static bool own_param(const struct route *route, struct question *question,
                      const struct http_param *given, unsigned *seen, struct arena *arena,
                      enum status *ret_status, struct err *err)
{
    for (size_t i = 0; i < route->param_count; i++) {
        if (strcmp(route->params[i].name, given->name) != 0)
            continue;
        if (*seen & 1u << i)
            *ret_status = err_set(err, MALFORMED, given->name, "is given twice");
        else
            *ret_status = set_param(&route->params[i], given->value, arena, &question->params[i],
                                    &question->texts[i], err);
        *seen |= 1u << i;
        return true;
    }
    return false;
}

enum status input_parameters(const struct route *route, struct http_params given,
                             struct arena *arena, struct question *question, struct err *err)
{
    static const char *const list_paging[] = {"page", "limit", "after", NULL};
    unsigned seen = 0;
    for (size_t i = 0; i < route->param_count; i++)
        question->params[i] = route->params[i].otherwise;
    if (route->list)
        list_request_init(&question->list, route->list);
    for (size_t i = 0; i < given.count; i++) {
        const struct http_param *param = &given.items[i];
        enum status status = OK;
        if (own_param(route, question, param, &seen, arena, &status, err)) {
            if (status != OK)
                return status;
            continue;
        }
        if (!route->list || (route->is_whole && text_index(list_paging, param->name) >= 0))
            return err_set(err, MALFORMED, param->name, "is not a parameter of this route");
        status = list_request_set(&question->list, param->name, param->value, arena, err);
        if (status != OK)
            return status;
    }
    return route->list ? list_request_finish(&question->list, arena, err) : OK;
}

/**
 * "3.0123…", as in an ETag, or "3"; with quotes. `*` is any version. Only the version counts, so a
 * tag that a compressing proxy has made weak does as well.
 */
enum status input_if_match(struct http_request *request, int64_t *ret_version, struct err *err)
{
    const char *header = http_header(request, "If-Match");
    if (!header || strcmp(header, "*") == 0)
        return OK;
    struct arena *arena = http_arena(request);
    if (strncmp(header, "W/", 2) == 0)
        header += 2;
    size_t length = strlen(header);
    int64_t version = 0;
    if (length > 2 && header[0] == '"' && header[length - 1] == '"') {
        char *inner = arena_memdup(arena, header + 1, length - 2);
        inner[strcspn(inner, ".")] = '\0';
        if (text_to_int(inner, &version) && version > 0) {
            *ret_version = version;
            return OK;
        }
    }
    return err_set(err, MALFORMED, "If-Match", "must be the ETag of an earlier answer");
}

/** Is a coding with this weight wanted? `parameters` follow its name: ";q=0.5". */
static bool is_wanted(const char *parameters)
{
    const char *weight = strcasestr(parameters, "q=");
    return !weight || strspn(weight + 2, "0.") < strcspn(weight + 2, " \t;");
}

/* RFC 9110, section 12.5.3. What names gzip decides; else what is said of all codings. */
bool input_accepts_gzip(struct http_request *request)
{
    const char *header = http_header(request, "Accept-Encoding");
    bool others = false;
    if (!header)
        return false;
    struct texts codings = text_split(http_arena(request), header, ',');
    for (size_t i = 0; i < codings.count; i++) {
        char *coding = text_trim(http_arena(request), codings.items[i]);
        size_t length = strcspn(coding, "; \t");
        const char *parameters = coding + length;
        if ((length == 4 && strncasecmp(coding, "gzip", 4) == 0) ||
            (length == 6 && strncasecmp(coding, "x-gzip", 6) == 0))
            return is_wanted(parameters);
        if (length == 1 && coding[0] == '*')
            others = is_wanted(parameters);
    }
    return others;
}

bool input_content_type_fits(const struct route *route, struct http_request *request)
{
    static const char *const file_types[] = {"text/csv", "application/json", "text/plain",
                                             "application/octet-stream", NULL};
    if (route->body_kind == BODY_NONE)
        return true;
    const char *header = http_header(request, "Content-Type");
    if (!header)
        return false;
    size_t length = strcspn(header, "; \t");
    if (route->body_kind == BODY_JSON)
        return length == strlen("application/json") &&
               strncasecmp(header, "application/json", length) == 0;
    for (size_t i = 0; file_types[i]; i++)
        if (length == strlen(file_types[i]) && strncasecmp(header, file_types[i], length) == 0)
            return true;
    return false;
}
