/* Writing JSON: commas, quotes, numbers, records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "domain/account.h"
#include "domain/risk.h"
#include "json/json.h"
#include "json/json_write.h"

enum { CAP = 1 << 20 };

static void commas_come_between_items_only(void **state)
{
    (void)state;
    AUTO_BUF struct buf text;
    struct json_writer out;
    buf_init(&text, CAP);
    json_writer_init(&out, &text);
    json_open_object(&out, NULL);
    json_open_array(&out, "empty");
    json_close_array(&out);
    json_open_array(&out, "lists");
    json_open_array(&out, NULL);
    json_put_int(&out, NULL, 1);
    json_close_array(&out);
    json_open_object(&out, NULL);
    json_close_object(&out);
    json_open_array(&out, NULL);
    json_put_int(&out, NULL, 2);
    json_put_null(&out, NULL);
    json_close_array(&out);
    json_close_array(&out);
    json_put_bool(&out, "yes", true);
    json_put_raw(&out, "raw", "{\"x\":[]}");
    json_put_raw(&out, "none", NULL);
    json_close_object(&out);
    assert_string_equal(text.data, "{\"empty\":[],\"lists\":[[1],{},[2,null]],\"yes\":true,"
                                   "\"raw\":{\"x\":[]},\"none\":null}");
}

static void texts_are_escaped_and_read_back_the_same(void **state)
{
    (void)state;
    char all[256];
    for (int i = 0; i < 0x7F; i++)
        all[i] = (char)(i + 1);
    strcpy(all + 0x7F, "é😀\u2028</script>");
    AUTO_BUF struct buf text;
    struct json_writer out;
    buf_init(&text, CAP);
    json_writer_init(&out, &text);
    json_open_array(&out, NULL);
    json_put_string(&out, NULL, all);
    json_put_string(&out, NULL, "");
    json_put_string(&out, NULL, NULL);
    json_put_string(&out, NULL, "\"\\\b\f\n\r\t\x1f/");
    json_close_array(&out);
    AUTO_JSON struct json_doc *doc = NULL;
    struct err err;
    assert_int_equal(json_parse(text.data, text.length, &doc, &err), OK);
    assert_string_equal(json_as_string(json_item(json_root(doc), 0)), all);
    assert_non_null(strstr(text.data, ",\"\",null,\"\\\"\\\\\\b\\f\\n\\r\\t\\u001f/\"]"));
}

static void a_name_is_escaped_too(void **state)
{
    (void)state;
    AUTO_BUF struct buf text;
    struct json_writer out;
    buf_init(&text, CAP);
    json_writer_init(&out, &text);
    json_open_object(&out, NULL);
    json_put_int(&out, "a\"\n", INT64_MIN);
    json_close_object(&out);
    assert_string_equal(text.data, "{\"a\\\"\\n\":-9223372036854775808}");
}

static void hundredths_have_no_needless_digits(void **state)
{
    (void)state;
    static const struct {
        int64_t hundredths;
        const char *text;
    } cases[] = {
        {1250, "12.5"}, {2000, "20"},
        {825, "8.25"},  {0, "0"},
        {5, "0.05"},    {50, "0.5"},
        {-5, "-0.05"},  {-150, "-1.5"},
        {3750, "37.5"}, {INT64_MIN, "-92233720368547758.08"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF struct buf text;
        struct json_writer out;
        buf_init(&text, CAP);
        json_writer_init(&out, &text);
        json_put_hundredths(&out, NULL, cases[i].hundredths);
        assert_string_equal(text.data, cases[i].text);
    }
}

static void reals_read_back_as_the_same_number(void **state)
{
    (void)state;
    uint64_t bits = UINT64_C(0x9E3779B97F4A7C15);
    for (int i = 0; i < 20000; i++) {
        bits = bits * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        double value, back = 0;
        memcpy(&value, &bits, sizeof value);
        if (value - value != 0)
            continue; /* not finite: cannot come out of JSON */
        AUTO_BUF struct buf text;
        AUTO_JSON struct json_doc *doc = NULL;
        struct json_writer out;
        struct err err;
        buf_init(&text, CAP);
        json_writer_init(&out, &text);
        json_put_real(&out, NULL, value);
        assert_int_equal(json_parse(text.data, text.length, &doc, &err), OK);
        assert_true(json_as_real(json_root(doc), &back));
        assert_true(back == value);
    }
}

static void a_parsed_value_is_written_as_it_was(void **state)
{
    (void)state;
    static const char *const same[] = {
        "{\"b\":[1,-2.5,true,false,null,\"x\"],\"a\":{\"c\":{}},\"d\":[]}", "\"x\"", "null",
        "[[[]]]"};
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        AUTO_BUF struct buf text;
        AUTO_JSON struct json_doc *doc = NULL;
        struct json_writer out;
        struct err err;
        buf_init(&text, CAP);
        json_writer_init(&out, &text);
        assert_int_equal(json_parse(same[i], strlen(same[i]), &doc, &err), OK);
        json_put_value(&out, NULL, json_root(doc));
        assert_string_equal(text.data, same[i]);
    }
}

static void the_deepest_document_that_is_read_can_be_written(void **state)
{
    (void)state;
    char deep[2 * JSON_DEPTH_MAX + 1] = "";
    memset(deep, '[', JSON_DEPTH_MAX);
    memset(deep + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    AUTO_BUF struct buf text;
    AUTO_JSON struct json_doc *doc = NULL;
    struct json_writer out;
    struct err err;
    buf_init(&text, CAP);
    json_writer_init(&out, &text);
    assert_int_equal(json_parse(deep, strlen(deep), &doc, &err), OK);
    json_put_value(&out, NULL, json_root(doc));
    assert_string_equal(text.data, deep);
}

static void a_writer_nests_as_deep_as_it_says(void **state)
{
    (void)state;
    AUTO_BUF struct buf text;
    struct json_writer out;
    buf_init(&text, CAP);
    json_writer_init(&out, &text);
    for (int i = 0; i < JSON_WRITE_DEPTH_MAX; i++)
        json_open_array(&out, NULL);
    json_put_int(&out, NULL, 1);
    json_put_int(&out, NULL, 2);
    for (int i = 0; i < JSON_WRITE_DEPTH_MAX; i++)
        json_close_array(&out);
    assert_int_equal(text.length, 2 * JSON_WRITE_DEPTH_MAX + 3);
}

static struct risk full_risk(void)
{
    static const char *tags[] = {"a", "b,\"c\""};
    struct risk risk = risk_defaults();
    risk.id = "0190b2a0-0000-7000-8000-000000000000";
    risk.ref = 12;
    risk.title = "Ransomware";
    risk.impact = 5;
    risk.probability = 4;
    risk.score = 1625;
    risk.level = LEVEL_HIGH;
    risk.tags = (struct texts){tags, 2};
    risk.custom_fields = "{\"cve\":\"x\"}";
    risk.created_at = INT64_C(1795442587123);
    return risk;
}

static void a_record_is_written_by_its_table(void **state)
{
    (void)state;
    struct risk risk = full_risk();
    AUTO_BUF struct buf text;
    struct json_writer out;
    buf_init(&text, CAP);
    json_writer_init(&out, &text);
    json_open_object(&out, NULL);
    json_put_fields(&out, &risk_table, ~UINT64_C(0), &risk);
    json_close_object(&out);
    assert_string_equal(
        text.data,
        "{\"id\":\"0190b2a0-0000-7000-8000-000000000000\",\"ref\":12,\"title\":\"Ransomware\","
        "\"description\":null,\"impact\":5,\"probability\":4,\"score\":16.25,\"level\":\"HIGH\","
        "\"status\":\"ACTIVE\",\"category\":null,\"treatment\":\"MITIGATE\",\"owner\":null,"
        "\"tags\":[\"a\",\"b,\\\"c\\\"\"],\"frameworks\":[],\"source\":null,\"external_id\":null,"
        "\"custom_fields\":{\"cve\":\"x\"},\"review_date\":null,\"created_by\":null,"
        "\"created_at\":\"2026-11-23T14:03:07.123Z\",\"updated_at\":null,\"version\":1}");
}

static void what_was_written_reads_back_as_the_same_record(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct risk risk = full_risk(), back = {0};
    risk.updated_at = risk.created_at;
    AUTO_BUF struct buf text;
    AUTO_JSON struct json_doc *doc = NULL;
    struct json_writer out;
    struct err err;
    field_mask mask;
    const struct json_read how = {.table = &risk_table, .whole = true, .trusted = true};
    buf_init(&text, CAP);
    json_writer_init(&out, &text);
    json_open_object(&out, NULL);
    json_put_fields(&out, &risk_table, ~UINT64_C(0), &risk);
    json_close_object(&out);
    err_init(&err);
    assert_int_equal(json_parse(text.data, text.length, &doc, &err), OK);
    assert_int_equal(json_read_record(json_root(doc), &how, &arena, &back, &mask, &err), OK);
    assert_true(field_diff(&risk_table, ~UINT64_C(0), &risk, &back) == 0);
    assert_true(mask == field_mask_of(&risk_table, 0));
}

static void hidden_members_are_never_in_an_answer(void **state)
{
    (void)state;
    struct user user = {.id = "i", .email = "a@b", .password = "a secret password"};
    AUTO_BUF struct buf text;
    struct json_writer out;
    buf_init(&text, CAP);
    json_writer_init(&out, &text);
    json_open_object(&out, NULL);
    json_put_fields(&out, &user_table, ~UINT64_C(0), &user);
    json_close_object(&out);
    assert_null(strstr(text.data, "password\":\"a secret"));
    assert_null(strstr(text.data, "\"password\""));
    assert_non_null(strstr(text.data, "\"email\":\"a@b\""));
}

static void one_member_alone_is_its_value_as_text(void **state)
{
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct risk risk = full_risk();
    static const struct {
        const char *name, *text;
    } cases[] = {
        {"status", "\"ACTIVE\""},
        {"impact", "5"},
        {"owner", "null"},
        {"score", "16.25"},
        {"tags", "[\"a\",\"b,\\\"c\\\"\"]"},
        {"custom_fields", "{\"cve\":\"x\"}"},
        {"frameworks", "[]"},
        {"updated_at", "null"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(
            json_field_text(field_find(&risk_table, cases[i].name, NULL), &risk, &arena),
            cases[i].text);
}

static void what_passes_the_cap_is_told(void **state)
{
    (void)state;
    AUTO_BUF struct buf text;
    struct json_writer out;
    buf_init(&text, 10);
    json_writer_init(&out, &text);
    json_open_array(&out, NULL);
    json_put_string(&out, NULL, "longer than ten");
    json_close_array(&out);
    assert_true(text.overflow);
    assert_true(text.length <= 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_come_between_items_only),
        cmocka_unit_test(texts_are_escaped_and_read_back_the_same),
        cmocka_unit_test(a_name_is_escaped_too),
        cmocka_unit_test(hundredths_have_no_needless_digits),
        cmocka_unit_test(reals_read_back_as_the_same_number),
        cmocka_unit_test(a_parsed_value_is_written_as_it_was),
        cmocka_unit_test(the_deepest_document_that_is_read_can_be_written),
        cmocka_unit_test(a_writer_nests_as_deep_as_it_says),
        cmocka_unit_test(a_record_is_written_by_its_table),
        cmocka_unit_test(what_was_written_reads_back_as_the_same_record),
        cmocka_unit_test(hidden_members_are_never_in_an_answer),
        cmocka_unit_test(one_member_alone_is_its_value_as_text),
        cmocka_unit_test(what_passes_the_cap_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
