/*
 * Any bytes: parse them, read them into a risk, write the risk, parse and read that again.
 *
 * With libFuzzer:  clang -fsanitize=fuzzer,address,undefined … fuzz_json.c
 * Replay of a corpus, as the test run does: with replay.c, and the files on the command line.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain/risk.h"
#include "json/json.h"
#include "json/json_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CAP = 1 << 24 };

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

static void write_risk(struct buf *text, const struct risk *risk, field_mask mask)
{
    struct json_writer out;
    json_writer_init(&out, text);
    json_open_object(&out, NULL);
    json_put_fields(&out, &risk_table, mask, risk);
    json_close_object(&out);
    require(!text->overflow, "a risk that was read fits when written");
}

/** What was read once is read again, equal and with the same members. */
static void risk_round_trip(const json *value, bool trusted)
{
    const struct json_read how = {.table = &risk_table, .trusted = trusted};
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf text;
    AUTO_JSON struct json_doc *doc = NULL;
    struct risk risk = risk_defaults(), again = risk_defaults();
    struct err err;
    field_mask mask, mask_again;
    buf_init(&text, CAP);
    err_init(&err);
    if (json_read_record(value, &how, &arena, &risk, &mask, &err)) {
        require(err.count > 0, "a refusal has a reason");
        return;
    }
    write_risk(&text, &risk, mask);
    require(!json_parse(text.data, text.length, &doc, &err), "what is written can be parsed");
    require(!json_read_record(json_root(doc), &how, &arena, &again, &mask_again, &err),
            "what is written can be read");
    require(mask == mask_again, "the same members come back");
    require(field_diff(&risk_table, mask, &risk, &again) == 0, "the same values come back");
}

/** A tree written and parsed again is written the same. */
static void tree_round_trip(const json *value)
{
    AUTO_BUF struct buf once, twice;
    AUTO_JSON struct json_doc *doc = NULL;
    struct json_writer out;
    struct err err;
    buf_init(&once, CAP);
    buf_init(&twice, CAP);
    json_writer_init(&out, &once);
    json_put_value(&out, NULL, value);
    require(!json_parse(once.data, once.length, &doc, &err), "a written tree can be parsed");
    json_writer_init(&out, &twice);
    json_put_value(&out, NULL, json_root(doc));
    require(strcmp(once.data, twice.data) == 0, "a tree is written the same again");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_JSON struct json_doc *doc = NULL, *prefix = NULL;
    struct err err;
    size_t used = 0;
    const char *bytes = (const char *)data;
    bool whole = !json_parse(bytes, size, &doc, &err);
    bool part = !json_parse_prefix(bytes, size, &prefix, &used, &err);
    require(!whole || part, "a document is a prefix of itself");
    require(used <= size, "a prefix ends within the text");
    if (whole) {
        risk_round_trip(json_root(doc), false);
        risk_round_trip(json_root(doc), true);
        tree_round_trip(json_root(doc));
    }
    return 0;
}
