/* Rows of samples: whatever the text, no crash; what goes to the database is text without NUL, and
   strict JSON. */

#include <stdint.h>
#include <stdlib.h>

#include "codec/json_scan.h"
#include "warehouse/rows/pack.h"
#include "warehouse/rows/rows_maker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_json(Str json)
{
    auto_error Error err = ERROR_INIT;
    if (json_scan_valid(json, false, &err) < 0)
        abort();
}

static void must_be_text(Str text)
{
    if (memchr(text.p, '\0', text.n) || !str_is_utf8(text))
        abort();
}

/* Checks the row, and that it is the same out of a pack. */
static int put_row(RowsSink *sink, RowsTable table, const SqlValue *values, Error *err)
{
    (void)sink;
    (void)err;
    const RowsSpec *spec = rows_spec(table);
    SqlValue again[ROWS_COLUMNS_MAX];
    RowsTable same = 0;
    size_t at = 0;
    auto_pack Pack *pack = pack_new(0);
    pack_add(pack, table, values);
    if (!pack_next(pack, &at, &same, again) || same != table || at != pack->rows.len)
        abort();
    for (size_t i = 0; i < spec->n_columns; i++) {
        if (values[i].type != again[i].type || !str_eq(values[i].text, again[i].text))
            abort();
        if (!values[i].text.p)
            continue;
        must_be_text(values[i].text);
        if (spec->columns[i].kind == SQL_KIND_JSON)
            must_be_json(values[i].text);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const SampleCleanRules rules[] = {{.json_max = SAMPLE_CLEAN_JSON_MAX},
                                             {.json_max = 64, .is_wary = true}};
    Str json = {(const char *)data, size};
    RowsSink sink = {.put = put_row};
    auto_rows_maker RowsMaker *maker = rows_maker_new();
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        auto_error Error err = ERROR_INIT;
        auto_error Error ignored = ERROR_INIT;
        auto_sample_parts SampleParts *parts = NULL;
        if (sample_parts_open_text(json, "sample", &parts, &err) == 0 &&
            rows_maker_sample(maker, parts, &rules[i], &sink, &err) < 0)
            must_be_text(str_of(error_text(&err)));
        if (rows_maker_summary(maker, json, &rules[i], &sink, &ignored) < 0)
            must_be_text(str_of(error_text(&ignored)));
    }
    return 0;
}
