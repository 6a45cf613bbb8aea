/*
 * The OpenAPI document, made from the tables of routes, schemas, fields, lists and parameters.
 */
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/route.h"

enum { DOCUMENT_MAX_BYTES = 1 << 20 };

static void put_ref_member(struct json_writer *out, const char *schema)
{
    char ref[80];
    snprintf(ref, sizeof ref, "#/components/schemas/%s", schema);
    json_put_string(out, "$ref", ref);
}

static void put_ref(struct json_writer *out, const char *name, const char *schema)
{
    json_open_object(out, name);
    put_ref_member(out, schema);
    json_close_object(out);
}

static const char *json_type(enum field_kind kind)
{
    switch (kind) {
    case FIELD_TEXT:
    case FIELD_LONG_TEXT:
    case FIELD_ENUM:
    case FIELD_DATE:
    case FIELD_TIME:
        return "string";
    case FIELD_INT:
        return "integer";
    case FIELD_HUNDREDTHS:
        return "number";
    case FIELD_BOOL:
        return "boolean";
    case FIELD_TEXTS:
        return "array";
    case FIELD_OBJECT:
        return "object";
    }
    return "string";
}

static void put_limits(struct json_writer *out, const struct field *field)
{
    bool text = field->kind == FIELD_TEXT || field->kind == FIELD_LONG_TEXT;
    if (field->kind == FIELD_INT && field->max) {
        json_put_int(out, "minimum", field->min);
        json_put_int(out, "maximum", field->max);
    } else if (text && field->max) {
        json_put_int(out, "maxLength", field->max);
    } else if (field->kind == FIELD_DATE) {
        json_put_string(out, "format", "date");
    } else if (field->kind == FIELD_TIME) {
        json_put_string(out, "format", "date-time");
    }
}

static void put_field(struct json_writer *out, const struct field *field)
{
    json_open_object(out, field->name);
    const char *type = json_type(field->kind);
    if (field->flags & FIELD_NULLABLE) {
        json_open_array(out, "type");
        json_put_string(out, NULL, type);
        json_put_string(out, NULL, "null");
        json_close_array(out);
    } else {
        json_put_string(out, "type", type);
    }
    put_limits(out, field);
    if (field->kind == FIELD_ENUM) {
        json_open_array(out, "enum");
        for (size_t i = 0; field->names[i]; i++)
            json_put_string(out, NULL, field->names[i]);
        json_close_array(out);
    }
    if (field->kind == FIELD_TEXTS) {
        json_open_object(out, "items");
        json_put_string(out, "type", "string");
        json_put_int(out, "maxLength", field->max);
        json_close_object(out);
        json_put_int(out, "maxItems", field->max_items);
    }
    if (!(field->flags & FIELD_WRITABLE))
        json_put_bool(out, "readOnly", true);
    json_put_string(out, "description", field->about);
    json_close_object(out);
}

/** "string", "string?" (or null), "any", the name of a schema (or with "?"), or "[" and one of
 * these: an array.
 */
static void put_type(struct json_writer *out, const char *name, const char *type)
{
    bool optional = type[strlen(type) - 1] == '?';
    if (*type == '[') {
        json_open_object(out, name);
        json_put_string(out, "type", "array");
        put_type(out, "items", type + 1);
        json_close_object(out);
    } else if (*type >= 'A' && *type <= 'Z' && optional) {
        char bare[32];
        snprintf(bare, sizeof bare, "%.*s", (int)strlen(type) - 1, type);
        json_open_object(out, name);
        json_open_array(out, "anyOf");
        put_ref(out, NULL, bare);
        json_open_object(out, NULL);
        json_put_string(out, "type", "null");
        json_close_object(out);
        json_close_array(out);
        json_close_object(out);
    } else if (*type >= 'A' && *type <= 'Z') {
        put_ref(out, name, type);
    } else {
        json_open_object(out, name);
        if (optional) {
            char bare[16];
            snprintf(bare, sizeof bare, "%.*s", (int)strlen(type) - 1, type);
            json_open_array(out, "type");
            json_put_string(out, NULL, bare);
            json_put_string(out, NULL, "null");
            json_close_array(out);
        } else if (strcmp(type, "any") != 0) {
            json_put_string(out, "type", type);
        }
        json_close_object(out);
    }
}

/** "name:type name:type" */
static void put_more(struct json_writer *out, const char *more)
{
    while (more && *more) {
        char name[64], type[64];
        size_t name_length = strcspn(more, ":"), type_length = strcspn(more + name_length, " ");
        snprintf(name, sizeof name, "%.*s", (int)name_length, more);
        snprintf(type, sizeof type, "%.*s", (int)type_length - 1, more + name_length + 1);
        put_type(out, name, type);
        more += name_length + type_length;
        more += *more == ' ';
    }
}

static void put_record(struct json_writer *out, const struct schema *schema)
{
    json_put_string(out, "type", "object");
    json_put_bool(out, "additionalProperties", false);
    json_open_object(out, "properties");
    for (size_t i = 0; schema->table && i < schema->table->count; i++) {
        const struct field *field = &schema->table->fields[i];
        if (schema->for_writing ? field->flags & FIELD_WRITABLE : !(field->flags & FIELD_HIDDEN))
            put_field(out, field);
    }
    put_more(out, schema->more);
    json_close_object(out);
}

static void put_schema(struct json_writer *out, const struct schema *schema)
{
    static const char around_page[] =
        "total:integer total_is_exact:boolean page:integer? limit:integer next:string?";
    json_open_object(out, schema->name);
    switch (schema->kind) {
    case SCHEMA_RECORD:
        put_record(out, schema);
        break;
    case SCHEMA_PAGE:
    case SCHEMA_ITEMS:
        json_put_string(out, "type", "object");
        json_open_object(out, "properties");
        json_open_object(out, "items");
        json_put_string(out, "type", "array");
        put_ref(out, "items", schema->item);
        json_close_object(out);
        put_more(out, schema->kind == SCHEMA_PAGE ? around_page : "total:integer");
        json_close_object(out);
        break;
    case SCHEMA_ARRAY:
        json_put_string(out, "type", "array");
        put_ref(out, "items", schema->item);
        break;
    }
    json_close_object(out);
}

static void open_parameter(struct json_writer *out, const char *name, const char *in,
                           const char *about)
{
    json_open_object(out, NULL);
    json_put_string(out, "name", name);
    json_put_string(out, "in", in);
    if (strcmp(in, "path") == 0)
        json_put_bool(out, "required", true);
    json_put_string(out, "description", about);
    json_open_object(out, "schema");
}

static void close_parameter(struct json_writer *out)
{
    json_close_object(out);
    json_close_object(out);
}

static void put_names(struct json_writer *out, const char *const *names)
{
    json_put_string(out, "type", "string");
    json_open_array(out, "enum");
    for (size_t i = 0; names[i]; i++)
        json_put_string(out, NULL, names[i]);
    json_close_array(out);
}

static void put_path_parameters(struct json_writer *out, const char *pattern)
{
    for (const char *at = pattern; (at = strchr(at, '{')); at++) {
        char name[32];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at + 1, "}"), at + 1);
        bool risk = strncmp(pattern, "/risks", 6) == 0;
        open_parameter(out, name, "path", risk ? "id, or ref as in R-123" : "id");
        json_put_string(out, "type", "string");
        close_parameter(out);
    }
}

static void put_own_parameters(struct json_writer *out, const struct route *route)
{
    for (size_t i = 0; i < route->param_count; i++) {
        const struct param *param = &route->params[i];
        open_parameter(out, param->name, "query", param->about);
        switch (param->kind) {
        case PARAM_INT:
            json_put_string(out, "type", "integer");
            json_put_int(out, "minimum", param->min);
            json_put_int(out, "maximum", param->max);
            json_put_int(out, "default", param->otherwise);
            break;
        case PARAM_FLAG:
            json_put_string(out, "type", "boolean");
            json_put_bool(out, "default", param->otherwise != 0);
            break;
        case PARAM_NAME:
            put_names(out, param->names);
            if (param->otherwise >= 0)
                json_put_string(out, "default", param->names[param->otherwise]);
            break;
        case PARAM_PART:
            json_put_string(out, "type", "string");
            json_put_int(out, "maxLength", param->max);
            break;
        }
        close_parameter(out);
    }
}

static void put_integer_parameter(struct json_writer *out, const char *name, const char *about,
                                  int64_t max, int64_t otherwise)
{
    open_parameter(out, name, "query", about);
    json_put_string(out, "type", "integer");
    json_put_int(out, "minimum", 1);
    json_put_int(out, "maximum", max);
    json_put_int(out, "default", otherwise);
    close_parameter(out);
}

static void put_filter_type(struct json_writer *out, const struct list_filter *filter)
{
    switch (filter->kind) {
    case LIST_NAME:
    case LIST_LEVEL:
        put_names(out, filter->names);
        break;
    case LIST_HUNDREDTHS:
        json_put_string(out, "type", "number");
        break;
    case LIST_NUMBER:
        json_put_string(out, "type", "integer");
        break;
    case LIST_SCALE:
        json_put_string(out, "type", "integer");
        json_put_int(out, "minimum", 1);
        json_put_int(out, "maximum", LIST_SCALE_MAX);
        break;
    case LIST_FLAG:
        json_put_string(out, "type", "boolean");
        break;
    case LIST_DATE:
        json_put_string(out, "type", "string");
        json_put_string(out, "format", "date");
        break;
    case LIST_TEXT:
    case LIST_TIME:
    case LIST_SEARCH:
    case LIST_SEARCH_NAME:
        json_put_string(out, "type", "string");
        break;
    }
}

static void put_list_parameters(struct json_writer *out, const struct route *route)
{
    const struct list_spec *list = route->list;
    for (size_t i = 0; i < list->filter_count; i++) {
        if (list->filters[i].internal)
            continue;
        open_parameter(out, list->filters[i].name, "query", list->filters[i].about);
        put_filter_type(out, &list->filters[i]);
        close_parameter(out);
    }
    const char *names[16] = {0};
    for (size_t i = 0; i < list->sort_count; i++)
        names[i] = list->sorts[i].name;
    open_parameter(out, "sort_by", "query", "the order; ties by id");
    put_names(out, names);
    json_put_string(out, "default", names[0]);
    close_parameter(out);
    open_parameter(out, "sort_dir", "query", "its direction");
    put_names(out, (const char *const[]){"asc", "desc", NULL});
    close_parameter(out);
    if (route->is_whole)
        return;
    put_integer_parameter(out, "page", "page × limit is at most 100,000", LIST_DEPTH_MAX, 1);
    put_integer_parameter(out, "limit", "items on a page", LIST_LIMIT_MAX, LIST_LIMIT_DEFAULT);
    open_parameter(out, "after", "query",
                   "the `next` of the page before, to read on without limit");
    json_put_string(out, "type", "string");
    close_parameter(out);
}

static void put_content(struct json_writer *out, const char *type, const char *schema)
{
    json_open_object(out, "content");
    json_open_object(out, type);
    put_ref(out, "schema", schema);
    json_close_object(out);
    json_close_object(out);
}

/** What a new record must have; a change to one needs nothing. */
static void put_required(struct json_writer *out, const char *name)
{
    const struct field_table *table = NULL;
    for (size_t i = 0; i < schema_count; i++)
        if (strcmp(schemas[i].name, name) == 0)
            table = schemas[i].table;
    if (!table)
        return;
    json_open_array(out, "required");
    for (size_t i = 0; i < table->count; i++)
        if (table->fields[i].flags & FIELD_REQUIRED)
            json_put_string(out, NULL, table->fields[i].name);
    json_close_array(out);
}

static void put_body(struct json_writer *out, const struct route *route)
{
    if (route->body_kind == BODY_NONE)
        return;
    json_open_object(out, "requestBody");
    json_put_bool(out, "required", true);
    json_open_object(out, "content");
    json_open_object(out, route->takes ? "application/json" : "application/octet-stream");
    if (route->takes) {
        json_open_object(out, "schema");
        put_ref_member(out, route->takes);
        if (route->method == HTTP_POST)
            put_required(out, route->takes);
        json_close_object(out);
    }
    json_close_object(out);
    json_close_object(out);
    json_close_object(out);
}

/** What writes bring back besides their body (api/consistency.h). */
static void put_write_headers(struct json_writer *out)
{
    json_open_object(out, "headers");
    json_open_object(out, "Consistency-Token");
    json_put_string(out, "description",
                    "only if something was written; a later request that sends it back as a header "
                    "of this name sees that on any node");
    json_open_object(out, "schema");
    json_put_string(out, "type", "string");
    json_close_object(out);
    json_close_object(out);
    json_close_object(out);
}

static void put_answers(struct json_writer *out, const struct route *route)
{
    char status[8];
    snprintf(status, sizeof status, "%d", route->status);
    json_open_object(out, "responses");
    json_open_object(out, status);
    json_put_string(out, "description", "done");
    if (route->method != HTTP_GET)
        put_write_headers(out);
    if (route->answers)
        put_content(out, "application/json", route->answers);
    json_close_object(out);
    json_open_object(out, "default");
    json_put_string(out, "description", "an error (RFC 9457)");
    put_content(out, "application/problem+json", "Problem");
    json_close_object(out);
    json_close_object(out);
}

static void put_route(struct json_writer *out, const struct route *route)
{
    char method[8];
    snprintf(method, sizeof method, "%s", http_method_names[route->method]);
    for (char *c = method; *c; c++)
        *c = (char)(*c - 'A' + 'a');
    json_open_object(out, method);
    json_put_string(out, "summary", route->summary);
    json_put_string(out, "x-openrisk-who", who_names[route->who]);
    if (route->who == WHO_PUBLIC) {
        json_open_array(out, "security");
        json_close_array(out);
    }
    json_open_array(out, "parameters");
    put_path_parameters(out, route->pattern);
    put_own_parameters(out, route);
    if (route->list)
        put_list_parameters(out, route);
    json_close_array(out);
    put_body(out, route);
    put_answers(out, route);
    json_close_object(out);
}

/** Routes of one path stand together, at the place of the first. */
static void put_paths(struct json_writer *out)
{
    json_open_object(out, "paths");
    for (size_t i = 0; i < route_count; i++) {
        bool seen = strcmp(routes[i].pattern, "/") == 0; /* outside the base path */
        for (size_t k = 0; k < i && !seen; k++)
            seen = strcmp(routes[k].pattern, routes[i].pattern) == 0;
        if (seen)
            continue;
        json_open_object(out, routes[i].pattern);
        for (size_t k = i; k < route_count; k++)
            if (strcmp(routes[k].pattern, routes[i].pattern) == 0)
                put_route(out, &routes[k]);
        json_close_object(out);
    }
    json_close_object(out);
}

static void put_security(struct json_writer *out)
{
    json_open_object(out, "securitySchemes");
    json_open_object(out, "token");
    json_put_string(out, "type", "http");
    json_put_string(out, "scheme", "bearer");
    json_close_object(out);
    json_close_object(out);
}

char *api_openapi(const char *version)
{
    struct buf buf;
    buf_init(&buf, DOCUMENT_MAX_BYTES);
    struct json_writer out;
    json_writer_init(&out, &buf);
    json_open_object(&out, NULL);
    json_put_string(&out, "openapi", "3.1.0");
    json_open_object(&out, "info");
    json_put_string(&out, "title", "OpenRisk");
    json_put_string(&out, "version", version);
    json_close_object(&out);
    json_open_array(&out, "servers");
    json_open_object(&out, NULL);
    json_put_string(&out, "url", "/api/v1");
    json_close_object(&out);
    json_close_array(&out);
    json_open_array(&out, "security");
    json_open_object(&out, NULL);
    json_open_array(&out, "token");
    json_close_array(&out);
    json_close_object(&out);
    json_close_array(&out);
    put_paths(&out);
    json_open_object(&out, "components");
    put_security(&out);
    json_open_object(&out, "schemas");
    for (size_t i = 0; i < schema_count; i++)
        put_schema(&out, &schemas[i]);
    json_close_object(&out);
    json_close_object(&out);
    json_close_object(&out);
    return buf_detach(&buf, NULL);
}
