/* Reading JSON: what is taken, what is refused, and in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "domain/account.h"
#include "domain/asset.h"
#include "domain/risk.h"
#include "json/json.h"

/** The message of the error that parsing `text` gives, as "field: message". */
static void assert_malformed(const char *text, size_t length, const char *expected)
{
    struct json_doc *doc = NULL;
    struct err err;
    char message[400];
    err_init(&err);
    assert_int_equal(json_parse(text, length, &doc, &err), MALFORMED);
    assert_null(doc);
    assert_string_equal(err_text(&err, message, sizeof message), expected);
}

static struct json_doc *parsed(const char *text)
{
    struct json_doc *doc = NULL;
    struct err err;
    char message[400];
    err_init(&err);
    if (json_parse(text, strlen(text), &doc, &err))
        fail_msg("%s: %s", text, err_text(&err, message, sizeof message));
    return doc;
}

/** Read `text` into `record`; all faults as "field: message" lines, "" if there are none. */
static const char *read_faults(struct arena *arena, const struct json_read *how, const char *text,
                               void *record, field_mask *ret_mask)
{
    AUTO_JSON struct json_doc *doc = parsed(text);
    struct err err;
    field_mask mask = 0;
    err_init(&err);
    enum status status = json_read_record(json_root(doc), how, arena, record, &mask, &err);
    if (!status) {
        assert_int_equal(err.count, 0);
        if (ret_mask)
            *ret_mask = mask;
        return "";
    }
    assert_int_equal(status, INVALID);
    assert_true(err.count > 0);
    char *lines = arena_strdup(arena, "");
    for (size_t i = 0; i < err.count && i < ERR_ITEMS_MAX; i++)
        lines = arena_format(arena, "%s%s%s: %s", lines, i ? "\n" : "", err.items[i].field,
                             err.items[i].message);
    return lines;
}

struct fault_case {
    const char *text, *faults;
};

/** Each case alone into a risk whose members are not required. */
static void assert_faults(const struct json_read *how, const struct fault_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO_ARENA struct arena arena = {0};
        struct risk risk = risk_defaults();
        assert_string_equal(read_faults(&arena, how, cases[i].text, &risk, NULL), cases[i].faults);
    }
}

static const struct json_read patch_risk = {.table = &risk_table};
static const struct json_read new_risk = {.table = &risk_table, .whole = true};
static const struct json_read trusted_risk = {.table = &risk_table, .trusted = true};

static void broken_json_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {"", "the JSON ends too early, at line 1, column 1"},
        {"{\"a\": 1,\n \"b\": }", "this is not valid JSON, at line 2, column 7"},
        {"{\"a\": \"é\", x}", "this is not valid JSON, at line 1, column 12"},
        {"{\"a\": [1, 2", "the JSON ends too early, at line 1, column 11"},
        {"{} {}", "something follows the JSON value, at line 1, column 4"},
        {"{\"a\":1,}", "this is not valid JSON, at line 1, column 8"},
        {"{'a':1}", "this is not valid JSON, at line 1, column 2"},
        {"{\"a\":01}", "this is not valid JSON, at line 1, column 6"},
        {"{\"a\":NaN}", "this is not valid JSON, at line 1, column 8"},
        {"{\"a\":\"\x01\"}", "this is not valid JSON, at line 1, column 6"},
        {"{\"a\":\"\xff\"}", "this is not valid UTF-8, at line 1, column 6"},
        {"{\"a\":\"\xc0\x80\"}", "this is not valid UTF-8, at line 1, column 6"},
        {"{\"a\":\"\xed\xa0\x80\"}", "this is not valid UTF-8, at line 1, column 6"},
        {"{\"a\":\"\\ud800\"}", "this is not valid JSON, at line 1, column 13"},
        {"{\"a\":\"\\udc00x\"}", "this is not valid JSON, at line 1, column 14"},
        {"{\"a\":\"\\u0000\"}", "the character NUL is not allowed, at line 1, column 13"},
        {"{\"\\u0000\":1}", "the character NUL is not allowed, at line 1, column 9"},
        {"[1,\n\n  tru, 4]", "this is not valid JSON, at line 3, column 5"},
        {"\xef\xbb\xbf{}", "this is not valid JSON, at line 1, column 1"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_malformed(cases[i].text, strlen(cases[i].text), cases[i].faults);
    assert_malformed("{\"a\":\0 1}", 9, "the character NUL is not allowed, at line 1, column 6");
    assert_malformed("{}\0", 3, "something follows the JSON value, at line 1, column 3");
}

static void numbers_out_of_range_are_refused(void **state)
{
    (void)state;
    const char *overflow = "a number is out of range, at line 1, column";
    static const char *const texts[] = {"[9223372036854775808]", "[-9223372036854775809]",
                                        "[1e400]", "[-1e400]", "[100000000000000000000000000]"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct json_doc *doc;
        struct err err;
        assert_int_equal(json_parse(texts[i], strlen(texts[i]), &doc, &err), MALFORMED);
        assert_memory_equal(err.items[0].message, overflow, strlen(overflow));
    }
}

static void a_duplicate_member_is_named(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {"{\"title\":1,\n\"title\":2}", "title: occurs twice, at line 2, column 7"},
        {"{\"a\":{\"x\":1,\"\\u0078\":2}}", "x: occurs twice, at line 1, column 20"},
        {"{\"a\\\"b\":1,\"a\\\"b\":2}", "a\"b: occurs twice, at line 1, column 16"},
        {"{\"\":1,\"\":2}", "occurs twice, at line 1, column 8"},
        {"{\"a very long name of a member\":1,\"a very long name of a member\":2}",
         "a very long name of a member: occurs twice, at line 1, column 64"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_malformed(cases[i].text, strlen(cases[i].text), cases[i].faults);
}

static char *nested(size_t depth, char open, char close, bool closed)
{
    char *text = mem_zalloc(2 * depth + 1, 1);
    memset(text, open, depth);
    if (closed)
        memset(text + depth, close, depth);
    return text;
}

static void nesting_up_to_the_limit_is_read_and_deeper_is_refused(void **state)
{
    (void)state;
    AUTO_FREE char *most = nested(JSON_DEPTH_MAX, '[', ']', true);
    json_free(parsed(most));
    AUTO_FREE char *deeper = nested(JSON_DEPTH_MAX + 1, '[', ']', true);
    assert_malformed(deeper, strlen(deeper),
                     "the JSON is nested more than 64 deep, at line 1, column 65");
    AUTO_FREE char *deep = nested(100000, '[', ']', false);
    assert_malformed(deep, strlen(deep),
                     "the JSON is nested more than 64 deep, at line 1, column 65");
    AUTO_FREE char *brackets = nested(200, '[', '[', true);
    AUTO_FREE char *in_string = mem_format("{\"x\":\"\\\"%s\\\\\"}", brackets);
    json_free(parsed(in_string));
}

static void a_prefix_tells_how_far_it_went(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t used;
    } cases[] = {
        {"{\"a\":1},{\"b\":2}", 7}, {"  [1,2] ]", 7}, {"12,13", 2}, {"\"é\"}", 4}, {"null", 4},
        {"{\"a\":\"]}\"}]}", 10},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_JSON struct json_doc *doc = NULL;
        size_t used = 0;
        struct err err;
        assert_int_equal(json_parse_prefix(cases[i].text, strlen(cases[i].text), &doc, &used, &err),
                         OK);
        assert_int_equal(used, cases[i].used);
    }
    struct json_doc *doc;
    size_t used;
    struct err err;
    assert_int_equal(json_parse_prefix("{\"a\":", 5, &doc, &used, &err), MALFORMED);
    AUTO_FREE char *after = nested(100, '[', ']', false);
    AUTO_FREE char *shallow = mem_format("{} %s", after);
    assert_int_equal(json_parse_prefix(shallow, strlen(shallow), &doc, &used, &err), OK);
    json_free(doc);
}

static void values_are_seen_by_kind_and_in_order(void **state)
{
    (void)state;
    AUTO_JSON struct json_doc *doc =
        parsed("{\"z\":[true,2,2.5,\"x\",null,{}],\"a\":-0,\"m\":9223372036854775807}");
    const json *root = json_root(doc), *value;
    static const char *const names[] = {"z", "a", "m"};
    size_t count = 0;
    for (const char *name = NULL; (value = json_next_member(root, &name)); count++) {
        assert_string_equal(name, names[count]);
        assert_ptr_equal(value, json_member(root, name));
    }
    assert_int_equal(count, 3);
    static const enum json_kind kinds[] = {JSON_KIND_BOOL,   JSON_KIND_INT,  JSON_KIND_REAL,
                                           JSON_KIND_STRING, JSON_KIND_NULL, JSON_KIND_OBJECT};
    const json *list = json_member(root, "z");
    assert_int_equal(json_count(list), COUNT_OF(kinds));
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        assert_int_equal(json_kind(json_item(list, i)), kinds[i]);
    int64_t integer = 7;
    assert_true(json_as_int(json_member(root, "a"), &integer) && integer == 0);
    assert_true(json_as_int(json_member(root, "m"), &integer) && integer == INT64_MAX);
    assert_false(json_as_int(json_item(list, 2), &integer));
    assert_int_equal(integer, INT64_MAX);
    assert_null(json_as_string(list));
    assert_null(json_item(list, COUNT_OF(kinds)));
    assert_null(json_member(list, "z"));
    assert_null(json_member(root, "y"));
    assert_int_equal(json_count(json_item(list, 5)), 0);
    const char *none = NULL;
    assert_null(json_next_member(json_item(list, 5), &none));
}

static void a_whole_risk_is_read(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct risk risk = risk_defaults();
    field_mask mask = 0;
    static const char *const also[] = {"asset_ids", NULL};
    const struct json_read how = {.table = &risk_table, .whole = true, .also = also};
    const char *faults = read_faults(
        &arena, &how,
        "{\"title\":\"  Ransomware \\n\",\"description\":\" two\\n\\tlines \",\"impact\":5,"
        "\"probability\":3,\"status\":\"DRAFT\",\"treatment\":\"AVOID\",\"category\":\" \","
        "\"owner\":null,\"tags\":[\" a \",\"b\"],\"frameworks\":[],\"asset_ids\":[\"x\"],"
        "\"review_date\":\"2028-02-29\",\"custom_fields\":{\"b\":1,\"a\":\"x\"}}",
        &risk, &mask);
    assert_string_equal(faults, "");
    assert_string_equal(risk.title, "Ransomware");
    assert_string_equal(risk.description, " two\n\tlines ");
    assert_int_equal(risk.impact, 5);
    assert_int_equal(risk.probability, 3);
    assert_int_equal(risk.status, RISK_DRAFT);
    assert_int_equal(risk.treatment, TREATMENT_AVOID);
    assert_null(risk.category);
    assert_null(risk.owner);
    assert_int_equal(risk.tags.count, 2);
    assert_string_equal(risk.tags.items[0], "a");
    assert_int_equal(risk.frameworks.count, 0);
    assert_string_equal(risk.review_date, "2028-02-29");
    assert_string_equal(risk.custom_fields, "{\"a\":\"x\",\"b\":1}");
    assert_true(mask & field_bit(&risk_table, "owner"));
    assert_false(mask & field_bit(&risk_table, "source"));
}

static void members_that_are_absent_stay_as_they_are(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct risk risk = risk_defaults();
    risk.title = "old";
    risk.impact = 4;
    field_mask mask = 0;
    assert_string_equal(read_faults(&arena, &patch_risk, "{\"impact\":2}", &risk, &mask), "");
    assert_string_equal(risk.title, "old");
    assert_int_equal(risk.impact, 2);
    assert_true(mask == field_bit(&risk_table, "impact"));
}

static void all_faults_of_a_body_are_told_at_once(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct risk risk = risk_defaults();
    assert_string_equal(
        read_faults(&arena, &new_risk, "{\"impact\":6,\"id\":\"x\",\"colour\":1,\"owner\":7}",
                    &risk, NULL),
        "impact: must be a whole number from 1 to 5\nid: cannot be set\ncolour: is not known\n"
        "owner: must be a text\ntitle: is required\nprobability: is required");
}

static void a_prefix_comes_before_each_name(void **state)
{
    (void)state;
    static const struct json_read how = {.table = &risk_table, .whole = true, .prefix = "risks[2]"};
    static const struct fault_case cases[] = {
        {"{\"impact\":1,\"probability\":0}",
         "risks[2].probability: must be a whole number from 1 to 5\n"
         "risks[2].title: is required"},
        {"[]", "risks[2]: must be a JSON object"},
    };
    assert_faults(&how, cases, COUNT_OF(cases));
}

static void wrong_kinds_and_values_are_refused_in_words(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {"[]", ": must be a JSON object"},
        {"{\"title\":5}", "title: must be a text"},
        {"{\"title\":null}", "title: must not be null"},
        {"{\"title\":\" \\t \"}", "title: must not be empty"},
        {"{\"title\":\"a\\u0007b\"}", "title: must not contain control characters"},
        {"{\"title\":\"a\\nb\"}", "title: must not contain control characters"},
        {"{\"description\":\"a\\u0085b\"}", "description: must not contain control characters"},
        {"{\"impact\":3.0}", "impact: must be a whole number from 1 to 5"},
        {"{\"impact\":\"3\"}", "impact: must be a whole number from 1 to 5"},
        {"{\"impact\":true}", "impact: must be a whole number from 1 to 5"},
        {"{\"impact\":null}", "impact: must not be null"},
        {"{\"impact\":0}", "impact: must be a whole number from 1 to 5"},
        {"{\"impact\":-9223372036854775808}", "impact: must be a whole number from 1 to 5"},
        {"{\"status\":\"active\"}",
         "status: must be one of DRAFT, ACTIVE, MITIGATED, ACCEPTED or CLOSED"},
        {"{\"status\":1}", "status: must be one of DRAFT, ACTIVE, MITIGATED, ACCEPTED or CLOSED"},
        {"{\"status\":null}", "status: must not be null"},
        {"{\"review_date\":\"2027-02-29\"}",
         "review_date: must be a date that exists, as YYYY-MM-DD"},
        {"{\"review_date\":\"2027-2-1\"}",
         "review_date: must be a date that exists, as YYYY-MM-DD"},
        {"{\"review_date\":20270201}", "review_date: must be a date that exists, as YYYY-MM-DD"},
        {"{\"tags\":\"a\"}", "tags: must be a list of texts"},
        {"{\"tags\":null}", "tags: must not be null"},
        {"{\"tags\":[\"a\",1]}", "tags: item 2 must be a text"},
        {"{\"tags\":[\" \"]}", "tags: item 1 must not be empty"},
        {"{\"tags\":[\"a\",\" a\"]}", "tags: item 2 is there twice"},
        {"{\"tags\":[\"a\\nb\"]}", "tags: item 1 must not contain control characters"},
        {"{\"custom_fields\":[]}", "custom_fields: must be an object"},
        {"{\"custom_fields\":null}", "custom_fields: must not be null"},
        {"{\"custom_fields\":{\"a\":[]}}",
         "custom_fields: \"a\" must be a text, a number, true, false or null"},
        {"{\"custom_fields\":{\"\":1}}", "custom_fields: names in it must have 1 to 64 characters"},
        {"{\"custom_fields\":{\"\\n\":1}}",
         "custom_fields: names in it must not contain control characters"},
        {"{\"custom_fields\":{\"a\":\"\\u0001\"}}",
         "custom_fields: \"a\" must not contain control characters"},
        {"{\"score\":1}", "score: cannot be set"},
        {"{\"created_by\":\"x\"}", "created_by: cannot be set"},
        {"{\"Title\":\"x\"}", "Title: is not known"},
        {"{\"review_date\":\"\",\"owner\":\"\"}", ""},
    };
    assert_faults(&patch_risk, cases, COUNT_OF(cases));
}

/** {"<name>":"éé…"} with so many characters. */
static char *text_body(struct arena *arena, const char *name, size_t characters)
{
    AUTO_BUF struct buf text;
    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < characters; i++)
        buf_puts(&text, "é");
    return arena_format(arena, "{\"%s\":\"%s\"}", name, text.data);
}

static void lengths_are_counted_in_characters(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    const struct fault_case cases[] = {
        {text_body(&arena, "title", 300), ""},
        {text_body(&arena, "title", 301), "title: must have at most 300 characters"},
        {text_body(&arena, "description", 20000), ""},
        {text_body(&arena, "description", 20001),
         "description: must have at most 20000 characters"},
    };
    assert_faults(&patch_risk, cases, COUNT_OF(cases));
}

/** A list or an object with items made by `format` from their index. */
static char *items_body(struct arena *arena, const char *name, const char *brackets,
                        const char *before, const char *after, int count)
{
    AUTO_BUF struct buf body;
    buf_init(&body, 1 << 20);
    buf_printf(&body, "{\"%s\":%c", name, brackets[0]);
    for (int i = 0; i < count; i++)
        buf_printf(&body, "%s%s%d%s", i ? "," : "", before, i, after);
    buf_printf(&body, "%c}", brackets[1]);
    return arena_strdup(arena, body.data);
}

static void lists_and_objects_have_a_greatest_size(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    const struct fault_case cases[] = {
        {items_body(&arena, "tags", "[]", "\"", "\"", 50), ""},
        {items_body(&arena, "tags", "[]", "\"", "\"", 51), "tags: must have at most 50 items"},
        {items_body(&arena, "custom_fields", "{}", "\"", "\":1", 50), ""},
        {items_body(&arena, "custom_fields", "{}", "\"", "\":1", 51),
         "custom_fields: must have at most 50 members"},
    };
    assert_faults(&patch_risk, cases, COUNT_OF(cases));
}

static void read_only_members_are_taken_from_a_trusted_file(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct risk risk = risk_defaults();
    assert_string_equal(read_faults(&arena, &trusted_risk,
                                    "{\"id\":\"i\",\"ref\":12,\"score\":12.5,\"level\":\"MEDIUM\","
                                    "\"created_at\":\"2026-11-23T15:03:07.123+01:00\","
                                    "\"created_by\":null,\"version\":3}",
                                    &risk, NULL),
                        "");
    assert_string_equal(risk.id, "i");
    assert_int_equal(risk.ref, 12);
    assert_int_equal(risk.score, 1250);
    assert_int_equal(risk.level, LEVEL_MEDIUM);
    assert_int_equal(risk.created_at, INT64_C(1795442587123));
    assert_null(risk.created_by);
    static const struct fault_case cases[] = {
        {"{\"score\":12.345}", "score: must have at most two decimals"},
        {"{\"score\":37.51}", "score: must be a number from 0 to 37.5"},
        {"{\"score\":1e300}", "score: must be a number"},
        {"{\"score\":\"1\"}", "score: must be a number"},
        {"{\"created_at\":\"2026-02-30T00:00:00Z\"}",
         "created_at: must be a time that exists, as YYYY-MM-DDTHH:MM:SSZ"},
        {"{\"created_at\":null}", "created_at: must not be null"},
        {"{\"created_at\":\"1970-01-01T00:00:00Z\"}",
         "created_at: must be a time that exists, as YYYY-MM-DDTHH:MM:SSZ"},
        {"{\"ref\":1.5}", "ref: must be a whole number"},
        {"{\"nothing\":1}", "nothing: is not known"},
    };
    assert_faults(&trusted_risk, cases, COUNT_OF(cases));
}

static void every_score_with_two_decimals_is_read_exactly(void **state)
{
    (void)state;
    for (int score = 0; score <= SCORE_MAX; score++) {
        AUTO_ARENA struct arena arena = {0};
        struct risk risk = risk_defaults();
        char *text = arena_format(&arena, "{\"score\":%d.%02d}", score / 100, score % 100);
        assert_string_equal(read_faults(&arena, &trusted_risk, text, &risk, NULL), "");
        assert_int_equal(risk.score, score);
    }
}

static void a_password_is_taken_as_it_is(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct user user = {0};
    static const struct json_read how = {.table = &user_table};
    assert_string_equal(
        read_faults(&arena, &how, "{\"password\":\"  a\\tb c d e f  \"}", &user, NULL), "");
    assert_string_equal(user.password, "  a\tb c d e f  ");
    assert_string_equal(read_faults(&arena, &how, "{\"password\":\"            \"}", &user, NULL),
                        "");
    assert_string_equal(read_faults(&arena, &how, "{\"password\":\"short\"}", &user, NULL),
                        "password: must have at least 12 characters");
    assert_string_equal(read_faults(&arena, &how, "{\"password\":\"\"}", &user, NULL),
                        "password: must not be empty");
    assert_string_equal(read_faults(&arena, &how, "{\"is_active\":1}", &user, NULL),
                        "is_active: must be true or false");
}

static void numbers_in_custom_fields_survive_a_round_trip(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {"{\"n\":0.1}", "{\"n\":0.1}"},
        {"{\"n\":5.0}", "{\"n\":5}"},
        {"{\"n\":1e5}", "{\"n\":100000}"},
        {"{\"n\":1e16}", "{\"n\":10000000000000000}"},
        {"{\"n\":-0.0}", "{\"n\":0}"},
        {"{\"n\":1e300}", "{\"n\":1e+300}"},
        {"{\"n\":-1.7976931348623157e308}", "{\"n\":-1.7976931348623157e+308}"},
        {"{\"n\":5e-324}", "{\"n\":4.94065645841247e-324}"},
        {"{\"n\":0.30000000000000004}", "{\"n\":0.30000000000000004}"},
        {"{\"n\":9223372036854775807,\"b\":true,\"a\":null}",
         "{\"a\":null,\"b\":true,\"n\":9223372036854775807}"},
        {"{\"é\":\"\\u00e9\\ud83d\\ude00\\n\",\"Z\":\"\"}", "{\"Z\":\"\",\"é\":\"é😀\\n\"}"},
        {"{}", "{}"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_ARENA struct arena arena = {0};
        struct risk risk = risk_defaults();
        const char *given = cases[i].text, *expected = cases[i].faults;
        for (int round = 0; round < 2; round++) {
            char *body = arena_format(&arena, "{\"custom_fields\":%s}", given);
            assert_string_equal(read_faults(&arena, &patch_risk, body, &risk, NULL), "");
            assert_string_equal(risk.custom_fields, expected);
            given = risk.custom_fields;
        }
    }
}

static void members_of_a_row_are_checked_like_those_of_a_body(void **state)
{
    (void)state;
    struct risk risk = risk_defaults();
    struct err err;
    risk.title = "";
    risk.impact = 9;
    risk.review_date = "2026-13-01";
    risk.custom_fields = "{\"a\":[]}";
    static const struct fault_case cases[] = {
        {"title", "must not be empty"},
        {"impact", "must be a whole number from 1 to 5"},
        {"review_date", "must be a date that exists, as YYYY-MM-DD"},
        {"custom_fields", "\"a\" must be a text, a number, true, false or null"},
    };
    err_init(&err);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct field *field = field_find(&risk_table, cases[i].text, NULL);
        assert_int_equal(json_check_field(field, cases[i].text, &risk, &err), INVALID);
        assert_string_equal(err.items[i].field, cases[i].text);
        assert_string_equal(err.items[i].message, cases[i].faults);
    }
    assert_int_equal(err.count, COUNT_OF(cases));
    const struct field *owner = field_find(&risk_table, "owner", NULL);
    assert_int_equal(json_check_field(owner, "owner", &risk, &err), OK);
    const struct field *status = field_find(&risk_table, "status", NULL);
    assert_int_equal(json_check_field(status, "status", &risk, &err), OK);
}

static void a_body_of_very_many_members_is_refused_quickly(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf body;
    struct risk risk = risk_defaults();
    buf_init(&body, 1 << 21);
    buf_putc(&body, '{');
    for (int i = 0; i < 100000; i++)
        buf_printf(&body, "%s\"m%d\":0", i ? "," : "", i);
    buf_putc(&body, '}');
    const char *faults = read_faults(&arena, &patch_risk, body.data, &risk, NULL);
    assert_memory_equal(faults, "m0: is not known\nm1: is not known", 33);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_json_is_refused_with_its_place),
        cmocka_unit_test(numbers_out_of_range_are_refused),
        cmocka_unit_test(a_duplicate_member_is_named),
        cmocka_unit_test(nesting_up_to_the_limit_is_read_and_deeper_is_refused),
        cmocka_unit_test(a_prefix_tells_how_far_it_went),
        cmocka_unit_test(values_are_seen_by_kind_and_in_order),
        cmocka_unit_test(a_whole_risk_is_read),
        cmocka_unit_test(members_that_are_absent_stay_as_they_are),
        cmocka_unit_test(all_faults_of_a_body_are_told_at_once),
        cmocka_unit_test(a_prefix_comes_before_each_name),
        cmocka_unit_test(wrong_kinds_and_values_are_refused_in_words),
        cmocka_unit_test(lengths_are_counted_in_characters),
        cmocka_unit_test(lists_and_objects_have_a_greatest_size),
        cmocka_unit_test(read_only_members_are_taken_from_a_trusted_file),
        cmocka_unit_test(every_score_with_two_decimals_is_read_exactly),
        cmocka_unit_test(a_password_is_taken_as_it_is),
        cmocka_unit_test(numbers_in_custom_fields_survive_a_round_trip),
        cmocka_unit_test(members_of_a_row_are_checked_like_those_of_a_body),
        cmocka_unit_test(a_body_of_very_many_members_is_refused_quickly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
